from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from harness import Kd, forge, opened
from safetensors.torch import load_file, save

from kdcli.commands import spell, text
from kdcli.runs.experiment import Experiment
from kdcli.store import DamagedError

LABELS, SOFT = "students/labels-mlp4", "students/soft-T4-mlp4"
Change = Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]


def test_what_a_run_holds_is_handed_on_with_its_shapes(tiny: Path) -> None:
    experiment = opened(tiny)
    data, teacher = experiment.data, experiment.teacher
    assert {name: len(split.y) for name, split in data.splits.items()} == data.description.sizes
    assert (data.features, data.n_classes, data.heading) == ((2,), 2, "tiny")
    assert data.posterior is not None
    test = data.splits["test"]
    assert test.posterior is not None
    assert torch.equal(data.posterior(test.x), test.posterior)
    for trained in (teacher, *experiment.students()):
        logits = trained.load_tested()
        assert logits.shape == (trained.members, 400, 2)
        torch.testing.assert_close(trained.load_model().predict(test.x), logits)
        assert all(len(values) == trained.members for values in trained.metrics.values())
        curves = trained.load_history()
        assert curves is not None
        assert curves["val"].shape == (trained.members, len(curves["epochs"]))
    assert {name: tuple(z.shape) for name, z in teacher.logits.items()} == {
        "train": (160, 2),
        "val": (40, 2),
        "test": (400, 2),
    }


@pytest.mark.parametrize(
    ("name", "file", "change", "read", "words"),
    [
        (
            "data",
            "tensors",
            lambda t: {k: v[:3] for k, v in t.items()},
            lambda e: e.data.splits,
            "train.x is",
        ),
        ("teacher", "logits", lambda t: {"test": t["test"]}, lambda e: e.teacher.logits, "its tensors are"),
        ("teacher", "model", lambda t: {}, lambda e: e.teacher.load_model(), "mlp:8"),
        (
            SOFT,
            "predictions",
            lambda t: {"test": t["test"][:1]},
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


def test_a_model_that_claims_to_be_huge_takes_no_memory(kd: Kd, tiny: Path) -> None:
    for name in (LABELS, SOFT):
        config = opened(tiny).fresh(name).meta.config
        forge(tiny / name, config={**config, "model": "mlp:1000000,1000000,1000000"})
    outcome = kd("compare")
    assert outcome.code == 1
    assert "44 numbers, not 4,000,014,000,004" in outcome.err
