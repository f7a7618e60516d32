import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from harness import TINY, Kd, edit_recipe, in_part, opened, students
from safetensors.torch import load_file

from kdcli.models import parse_model
from kdcli.models.family import Fitted, Teaching
from kdcli.models.network import Network
from kdcli.progress import Silence
from kdcli.runs.experiment import Experiment
from kdcli.runs.more_seeds import Members, as_stored, joined, stored_members
from kdcli.runs.recipe import Students
from kdcli.runs.student_sets import student_sets
from kdcli.store import Artefact, Store
from kdcli.training import parts, workshop
from kdcli.training.workshop import TrainingWorkshop
from kdcli.workers import Result

FILES = ("model", "predictions", "history")


def record(folder: Path) -> dict[str, Any]:
    made: dict[str, Any] = json.loads((folder / "meta.json").read_text())
    return made


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The seeds that networks are trained with, call by call."""
    seen: list[tuple[int, ...]] = []
    original = TrainingWorkshop.by_gradients

    def spy(self: TrainingWorkshop, model: Network, teaching: Teaching) -> list[Fitted]:
        if teaching.role == "student":
            seen.append(tuple(teaching.seeds))
        return original(self, model, teaching)

    monkeypatch.setattr(TrainingWorkshop, "by_gradients", spy)
    return seen


@pytest.mark.parametrize("batch", [0, 32])
def test_students_of_two_calls_are_those_of_one(
    kd: Kd, one_or_two_draws: Path, trained: list[tuple[int, ...]], batch: int
) -> None:
    draws = opened(one_or_two_draws).data.draws
    common = ("distill", "--batch-size", str(batch), "--seeds")
    assert kd(*common, "5", "--force").code == 0
    folders = [one_or_two_draws / f"students/{name}-mlp4" for name in ("labels", "soft-T4")]
    once = [{file: load_file(folder / f"{file}.safetensors") for file in FILES} for folder in folders]
    records = [record(folder) for folder in folders]
    assert kd(*common, "3", "--force").code == 0
    trained.clear()
    outcome = kd(*common, "5", "--json")
    assert trained == [(3, 4)]
    document = json.loads(outcome.out)
    assert document["students_trained"] == 4 * draws
    assert [item["seeds"] for item in document["students"]] == [[0, 1, 2, 3, 4]] * 2
    for folder, before, first in zip(folders, once, records, strict=True):
        now = record(folder)
        assert now["config"] == first["config"]
        for name, by_draw in first["metrics"].items():
            assert len(by_draw) == draws
            for mine, values in zip(now["metrics"][name], by_draw, strict=True):
                assert mine == pytest.approx(values, rel=1e-4)
        for file, tensors in before.items():
            made = load_file(folder / f"{file}.safetensors")
            assert set(made) == set(tensors)
            for name, value in tensors.items():
                torch.testing.assert_close(made[name], value, rtol=1e-4, atol=1e-5)
    assert kd("check").code == 0


@pytest.mark.parametrize("model", ["tree", "forest:3"])
def test_as_many_trees_are_grown_as_are_missing_and_the_bits_are_the_same(
    kd: Kd, one_or_two_draws: Path, model: str
) -> None:
    draws = opened(one_or_two_draws).data.draws
    tree = ("distill", "--model", model, "--target", "soft,labels")
    assert kd(*tree, "--seeds", "4").code == 0
    slug = parse_model(model).slug
    folder = one_or_two_draws / f"students/soft-T4-{slug}"
    before = {file: (folder / f"{file}.safetensors").read_bytes() for file in FILES[:2]}
    metrics = record(folder)["metrics"]
    assert all([len(seeds) for seeds in by_draw] == [4] * draws for by_draw in metrics.values())
    for name in (f"soft-T4-{slug}", f"labels-{slug}"):
        for path in (one_or_two_draws / "students" / name).iterdir():
            path.unlink()
    assert kd(*tree, "--seeds", "1").code == 0
    assert f"{6 * draws} students of {model}" in kd(*tree, "--seeds", "4").out
    assert {file: (folder / f"{file}.safetensors").read_bytes() for file in before} == before
    assert record(folder)["metrics"] == metrics
    assert "up to date" in kd(*tree, "--seeds", "4").out


def test_sets_that_lack_different_seeds_get_each_their_own(
    kd: Kd, tiny: Path, trained: list[tuple[int, ...]]
) -> None:
    assert kd("distill", "--target", "labels,hard,soft", "--seeds", "3").code == 0
    assert sorted(trained) == [(0, 1, 2), (2,)]
    assert all(len(record(path)["config"]["seeds"]) == 3 for path in (tiny / "students").iterdir())
    assert kd("compare").code == 0


def test_fewer_seeds_than_are_there_are_up_to_date(
    kd: Kd, tiny: Path, trained: list[tuple[int, ...]]
) -> None:
    before = (tiny / "students/soft-T4-mlp4/meta.json").read_bytes()
    out = kd("distill", "--seeds", "1").out
    assert out.count("is up to date") == 2
    assert "! soft, T = 4: 1 seed was requested, but the set has 2; --force retrains it with 1" in out
    assert trained == []
    assert (tiny / "students/soft-T4-mlp4/meta.json").read_bytes() == before
    assert kd("distill", "--seeds", "1", "--force").code == 0
    assert trained == [(0,)]


def test_a_recipe_that_differs_in_seeds_alone_trains_those_that_are_missing(
    kd: Kd, tiny: Path, trained: list[tuple[int, ...]]
) -> None:
    Path("tiny.toml").write_text(TINY.replace("seeds = 2", "seeds = 4"))
    document = json.loads(kd("run", "tiny.toml", "--json").out)
    assert [item["seed_numbers"] for item in document["students"]] == [[0, 1, 2, 3]] * 2
    edit_recipe(tiny, "seeds = 2", "seeds = 5")
    assert kd("distill").code == 0
    assert trained == [(2, 3), (4,)]


def test_what_differs_in_more_than_seeds_is_refused_as_before(
    kd: Kd, tiny: Path, trained: list[tuple[int, ...]]
) -> None:
    assert "epochs = 20, not 7" in kd("distill", "--seeds", "4", "--epochs", "7").err
    kd("train-teacher", "--epochs", "3", "--force")
    outcome = kd("distill", "--seeds", "4", "--target", "soft")
    assert "is stale" in outcome.err
    assert trained == []
    assert kd("distill", "--seeds", "4", "--target", "soft", "--force").code == 0
    assert trained == [(0, 1, 2, 3)]  # of one teacher, all of them


def test_a_damaged_set_is_told_before_more_is_trained(
    kd: Kd, tiny: Path, trained: list[tuple[int, ...]]
) -> None:
    file = tiny / "students/soft-T4-mlp4/predictions.safetensors"
    file.write_bytes(file.read_bytes()[:-4] + bytes(4))
    outcome = kd("distill", "--seeds", "4")
    assert outcome.code == 1
    assert "predictions.safetensors is damaged" in outcome.err
    assert trained == []
    file.unlink()  # a set that lost a file is made as a whole
    assert kd("distill", "--seeds", "4").code == 0
    assert trained == [(2, 3), (0, 1, 2, 3)]


def test_a_training_of_missing_seeds_that_was_cut_off_goes_on(
    kd: Kd, tiny: Path, trained: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    original, stored = Artefact.write, []

    def cut_off(*arguments: Any, **options: Any) -> None:
        if stored:
            raise KeyboardInterrupt
        original(*arguments, **options)
        stored.append(arguments)

    monkeypatch.setattr(Artefact, "write", cut_off)
    assert kd("distill", "--seeds", "4").code == 130
    monkeypatch.setattr(Artefact, "write", original)
    steps: list[int] = []
    fit = parts.fit

    class Counted(Silence):
        def __call__(self, done: int, loss: float | None) -> None:
            steps.append(done)

    def counted(model: Any, *rest: Any, report: Any, **options: Any) -> Any:
        return fit(model, *rest, report=Counted(), **options)

    monkeypatch.setattr(parts, "fit", counted)
    assert kd("distill", "--seeds", "4").code == 0
    assert trained == [(2, 3), (2, 3)]
    assert steps == [20, 20]  # both parts were trained already, and only stored
    assert all(len(record(path)["config"]["seeds"]) == 4 for path in (tiny / "students").iterdir())


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the outputs of seeds of a single set overflow in one draw; a call sets which."""
    train = workshop.train_part
    poisoned: list[int] = []
    of_draw = [0]

    def overflowing(task: Mapping[str, Any], *rest: Any) -> Result:
        result = train(task, *rest)
        result.tensors["logits.test"][in_part(task, poisoned, *of_draw)] = torch.inf
        return result

    def of(*seeds: int, draw: int = 0) -> None:
        poisoned[:], of_draw[:] = seeds, [draw]

    monkeypatch.setattr(workshop, "train_part", overflowing)
    return of


def test_seeds_left_out_before_and_now_are_told_together(
    kd: Kd, tiny: Path, poison: Callable[..., None]
) -> None:
    command = ("distill", "--target", "hard", "--keep-going", "--seeds")
    poison(1)
    assert kd(*command, "3").code == 0
    poison(3)
    assert kd(*command, "5").code == 0
    config = record(tiny / "students/hard-mlp4")["config"]
    assert (config["seeds"], config["overflowed"]) == ([0, 2, 4], [1, 3])
    poison(5)
    outcome = kd(*command, "6")
    assert "no student of hard (mlp:4, seed 5) is left" in outcome.err
    assert kd("check").code == 0


def test_a_seed_that_is_lost_in_one_draw_is_left_out_of_all_draws(
    kd: Kd, two_draws: Path, poison: Callable[..., None]
) -> None:
    command = ("distill", "--target", "hard", "--seeds")
    poison(1, draw=1)
    stopped = kd(*command, "3")
    assert stopped.code == 1
    assert "the output of hard (seed 1 of draw 1) is not finite everywhere" in stopped.err
    assert kd(*command, "3", "--keep-going").code == 0
    poison(4, draw=0)
    assert kd(*command, "5", "--keep-going").code == 0
    trained = students(two_draws, "hard-mlp4")
    assert (trained.set.seeds, trained.set.overflowed) == ((0, 2, 3), (1, 4))
    assert trained.load_tested().shape == (2, 3, 400, 2)
    assert all([len(seeds) for seeds in by_draw] == [3, 3] for by_draw in trained.metrics.values())
    assert kd("check").code == 0
    poison()
    assert kd("distill", "--target", "hard", "--seeds", "5", "--name", "whole").code == 0
    whole = students(two_draws, "whole")
    kept = whole.load_tested()[:, [0, 2, 3]]
    torch.testing.assert_close(trained.load_tested(), kept, rtol=1e-4, atol=1e-5)


def test_a_set_may_be_reused_whatever_its_number_of_seeds(tiny: Path) -> None:
    (stored, _) = Experiment.open(Store(tiny.parent).existing_run(None)).students()
    wanted = stored.set.with_seeds(4)
    assert as_stored(wanted, None, force=False) == as_stored(wanted, stored, force=True) == wanted
    assert as_stored(wanted, stored, force=False) == stored.set
    assert as_stored(stored.set, stored, force=True) == stored.set


def test_seeds_and_losses_of_both_are_those_of_the_joined_set() -> None:
    (whole,) = student_sets(Students(targets=("hard",), seeds=6))

    def members(seeds: tuple[int, ...], **lost: tuple[int, ...]) -> Members:
        """Return students of three draws whose numbers tell draw and seed."""
        numbers = torch.tensor([[10.0 * draw + seed for seed in seeds] for draw in range(3)])
        return Members(
            whole.without(seeds, lost),
            {"model": {"a": numbers.view(3, -1, 1, 1).expand(-1, -1, 2, 1)}},
            numbers.view(3, -1, 1, 1).expand(-1, -1, 5, 2),
            {"leaves": numbers.tolist()},
            2,
        )

    both = joined(members((0, 2), diverged=(1,)), members((3, 5), overflowed=(4,)))
    assert both.set == whole.without((0, 2, 3, 5), {"diverged": (1,), "overflowed": (4,)})
    assert (both.predictions.shape, both.tensors["model"]["a"].shape) == ((3, 4, 5, 2), (3, 4, 2, 1))
    told = [[0, 2, 3, 5], [10, 12, 13, 15], [20, 22, 23, 25]]
    assert both.predictions[..., 0, 0].tolist() == both.tensors["model"]["a"][..., 0, 0].tolist() == told
    assert (both.described, both.seconds) == ({"leaves": told}, 4)


def test_trees_of_several_draws_are_filled_up_to_the_largest_of_all() -> None:
    (whole,) = student_sets(Students(models=("tree",), targets=("hard",), seeds=3))

    def grown(seeds: tuple[int, ...], nodes: int) -> Members:
        branches = torch.arange(2 * len(seeds) * nodes).view(2, len(seeds), nodes, 1) + 1
        log_p = torch.zeros(2, len(seeds), 5, 2)
        return Members(whole.without(seeds, {}), {"model": {"branches": branches}}, log_p, {}, 1)

    small, large = grown((0, 1), nodes=3), grown((2,), nodes=7)
    for first, second, places in ((small, large, ([0, 1], [2])), (large, small, ([0], [1, 2]))):
        branches = joined(first, second).tensors["model"]["branches"]
        assert branches.shape == (2, 3, 7, 1)
        for members, place in zip((first, second), places, strict=True):
            own = members.tensors["model"]["branches"]
            assert torch.equal(branches[:, place, : own.shape[2]], own)
            assert not bool(branches[:, place, own.shape[2] :].any())


def test_curves_of_other_epochs_do_not_join(tiny: Path) -> None:
    (labels, _) = Experiment.open(Store(tiny.parent).existing_run(None)).students()
    members = stored_members(labels)
    history = {**members.tensors["history"], "epochs": members.tensors["history"]["epochs"] + 1}
    with pytest.raises(ValueError, match="other epochs"):
        joined(members, members._replace(tensors={**members.tensors, "history": history}))
