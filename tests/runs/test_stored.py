from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from harness import Kd, forge, opened
from safetensors.torch import load_file, save

from kdcli.commands import spell, text
from kdcli.data import SPLITS
from kdcli.runs.experiment import Experiment
from kdcli.runs.stored import TrainedStudents
from kdcli.store import DamagedError

LABELS, SOFT = "students/labels-mlp4", "students/soft-T4-mlp4"
Change = Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]


def test_what_a_run_holds_is_handed_on_with_its_shapes(one_or_two_draws: Path) -> None:
    experiment = opened(one_or_two_draws)
    data, teacher, pool = experiment.data, experiment.teacher, experiment.data.pool
    draws = experiment.recipe.data.draws
    assert data.draws == pool.draws == draws
    assert data.description.drawing == "sampled"
    assert {name: len(split.y) for name, split in data.splits.items()} == data.description.sizes
    assert (data.features, data.n_classes, data.heading) == ((2,), 2, "tiny")
    assert data.posterior is not None
    for draw in range(draws):
        x, _, posterior = pool.split("test", draw)
        assert posterior is not None
        assert torch.equal(data.posterior(x), posterior)
    for trained in (teacher, *experiment.students()):
        logits, stack = trained.load_tested(), trained.load_model()
        assert logits.shape == (draws, trained.seeds, 400, 2)
        assert stack.members == draws * trained.seeds
        torch.testing.assert_close(stack.predict(pool.x, pool.index["test"]), logits.flatten(0, 1))
        assert all(tensor.shape[:2] == (draws, trained.seeds) for tensor in trained.load_tensors().values())
        assert all(
            [len(values) for values in by_draw] == [trained.seeds] * draws
            for by_draw in trained.metrics.values()
        )
        curves = trained.load_history()
        assert curves is not None
        assert curves["val"].shape == (draws, trained.seeds, len(curves["epochs"]))
    assert {name: tuple(z.shape) for name, z in teacher.logits.items()} == {
        "train": (draws, 160, 2),
        "val": (draws, 40, 2),
        "test": (draws, 400, 2),
    }


def test_a_member_is_one_model_of_one_draw(two_draws: Path) -> None:
    experiment = opened(two_draws)
    trained, pool = experiment.students()[1], experiment.data.pool
    stack, tested = trained.load_model(), trained.load_tested()
    for draw in range(2):
        for seed in range(2):
            member = trained.member(stack, seed, draw)
            assert member.members == 1
            x = pool.split("test", draw).x
            torch.testing.assert_close(member.predict(x)[0], tested[draw, seed])


def test_the_scores_that_are_recorded_are_those_of_the_draws_own_test_set(two_draws: Path) -> None:
    experiment = opened(two_draws)
    for trained in (experiment.teacher, *experiment.students()):
        for draw, logits in enumerate(trained.load_tested()):
            hits = logits.argmax(-1) == experiment.data.pool.labels("test", draw)
            assert trained.metrics["accuracy"][draw] == hits.double().mean(-1).tolist()


def test_the_first_of_several_draws_is_the_only_one_of_a_run_with_one(
    tiny_run: Path, two_draws: Path
) -> None:
    only, several = opened(tiny_run / "tiny"), opened(two_draws)
    for split in SPLITS:
        mine, theirs = several.data.pool.split(split), only.data.pool.split(split)
        assert all(torch.equal(*pair) for pair in zip(mine, theirs, strict=True) if pair[0] is not None)
        torch.testing.assert_close(
            several.teacher.logits[split][:1], only.teacher.logits[split], rtol=1e-4, atol=1e-4
        )
    for mine_trained, their_trained in zip(several.students(), only.students(), strict=True):
        first = mine_trained.load_tested()[:1]
        torch.testing.assert_close(first, their_trained.load_tested(), rtol=1e-3, atol=1e-3)
        assert not torch.allclose(mine_trained.load_tested()[1], first[0], atol=0.1)


@pytest.mark.parametrize(
    ("name", "file", "change", "read", "words"),
    [
        (
            "data",
            "tensors",
            lambda t: {k: v[:3] for k, v in t.items()},
            lambda e: e.data.pool,
            "train names examples that do not exist",
        ),
        ("teacher", "logits", lambda t: {"test": t["test"]}, lambda e: e.teacher.logits, "its tensors are"),
        ("teacher", "model", lambda t: {}, lambda e: e.teacher.load_model(), "mlp:8"),
        (
            SOFT,
            "predictions",
            lambda t: {"test": t["test"][:, :1]},
            lambda e: e.students()[1].load_tested(),
            "test is",
        ),
        (
            SOFT,
            "history",
            lambda t: {"val": t["val"]},
            lambda e: e.students()[1].load_history(),
            "its tensors are",
        ),
        (
            SOFT,
            "model",
            lambda t: {k: v.flatten() for k, v in t.items()},
            lambda e: e.students()[1].load_model(),
            "does not have 2 models in each of 1 draw",
        ),
        (
            SOFT,
            "model",
            lambda t: {k: v.flatten(2) for k, v in t.items()},
            lambda e: e.students()[1].load_model(),
            "do not fit mlp:4",
        ),
    ],
)
def test_tensors_that_no_stage_would_write_are_damage_though_their_digest_is_right(
    tiny: Path, name: str, file: str, change: Change, read: Callable[[Experiment], Any], words: str
) -> None:
    path = tiny / name / f"{file}.safetensors"
    tensors = {key: value.contiguous() for key, value in change(load_file(path)).items()}
    forge(tiny / name, {path.name: save(tensors)})
    experiment = opened(tiny)
    with pytest.raises(DamagedError, match=words) as damage:
        read(experiment)
    assert damage.value.path == path
    again = spell(experiment.command(name))
    assert text(damage.value.hint) == f"remove {tiny / name} and make it again with `{again}`"


@pytest.mark.parametrize(
    ("file", "read", "words"),
    [
        ("model", lambda t: t.load_model(), "does not have 2 models in each of 2 draws"),
        ("predictions", lambda t: t.load_tested(), r"test is float32 \(1, 2, 400, 2\), not"),
        ("history", lambda t: t.load_history(), r"is float64 \(1, 2, 21\), not float64 \(2, 2, 21\)"),
    ],
)
def test_students_of_fewer_draws_than_the_data_have_are_damage(
    two_draws: Path, file: str, read: Callable[[TrainedStudents], Any], words: str
) -> None:
    tensors = load_file(two_draws / SOFT / f"{file}.safetensors")
    few = {key: value if key == "epochs" else value[:1].contiguous() for key, value in tensors.items()}
    forge(two_draws / SOFT, {f"{file}.safetensors": save(few)})
    with pytest.raises(DamagedError, match=words):
        read(opened(two_draws).students()[1])


@pytest.mark.parametrize("name", ["teacher", SOFT])
def test_scores_of_fewer_draws_than_the_data_have_are_damage(two_draws: Path, name: str) -> None:
    stored = opened(two_draws).fresh(name)
    forge(two_draws / name, metrics={key: draws[:1] for key, draws in stored.meta.metrics.items()})
    with pytest.raises(DamagedError, match="it is not scored on each of 2 draws") as damage:
        _ = opened(two_draws).fresh(name).metrics
    assert damage.value.path == two_draws / name / "meta.json"


def test_a_model_that_claims_to_be_huge_takes_no_memory(kd: Kd, tiny: Path) -> None:
    for name in (LABELS, SOFT):
        config = opened(tiny).fresh(name).meta.config
        forge(tiny / name, config={**config, "model": "mlp:1000000,1000000,1000000"})
    outcome = kd("compare")
    assert outcome.code == 1
    assert "44 numbers, not 4,000,014,000,004" in outcome.err
