from pathlib import Path
from typing import Any

import pytest
from harness import Kd, forge, opened, write_again

from kdcli.commands import spell, text
from kdcli.data.draw import Draw
from kdcli.errors import KdError, UsageError
from kdcli.runs.experiment import Experiment
from kdcli.runs.inventory import conditions
from kdcli.store import FORMAT, Artefact, Run

LABELS, SOFT = "students/labels-mlp4", "students/soft-T4-mlp4"
NAMES = ["data", "teacher", LABELS, SOFT]


@pytest.fixture
def experiment(tiny: Path) -> Experiment:
    return opened(tiny)


def test_each_record_and_the_recipe_are_read_a_single_time(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    meta, recipe = Artefact.meta, Run.read_recipe

    def counted_meta(artefact: Artefact) -> Any:
        read.append(artefact.name)
        return meta(artefact)

    def counted_recipe(run: Run) -> bytes:
        read.append("recipe")
        return recipe(run)

    monkeypatch.setattr(Artefact, "meta", counted_meta)
    monkeypatch.setattr(Run, "read_recipe", counted_recipe)
    for _ in range(2):
        assert experiment.recipe.dataset == "gaussians"
        assert experiment.draws == [Draw(0, data=0, teacher=0)]
        assert [trained.set.target for trained in experiment.students()] == ["labels", "soft"]
        assert experiment.has_teacher
        assert not experiment.stale(SOFT)
        assert experiment.command(SOFT).name == "distill"
    assert sorted(read) == sorted(["recipe", *NAMES])


def test_draws_are_those_of_the_data_with_the_seed_of_the_teacher_that_is_there(
    kd: Kd, two_draws: Path
) -> None:
    assert opened(two_draws).draws == [Draw(0, data=0, teacher=0), Draw(1, data=0, teacher=0)]
    assert kd("train-teacher", "--seed", "5", "--epochs", "2", "--force").code == 0
    assert opened(two_draws).draws == [Draw(0, data=0, teacher=5), Draw(1, data=0, teacher=5)]


def test_stale_is_what_was_made_from_other_content(tiny: Path, experiment: Experiment) -> None:
    teacher = experiment.teacher
    tensors = {file: teacher.artefact.load(file, teacher.meta) for file in ("logits", "model", "history")}
    write_again(experiment, "teacher", **tensors)
    assert not experiment.stale(SOFT)  # made again with the same content
    for name, stale in (("teacher", {SOFT}), ("data", {"teacher", LABELS, SOFT})):
        write_again(experiment, name)
        assert {name for name in NAMES if experiment.stale(name)} == stale
        assert {name for name in NAMES if opened(tiny).stale(name)} == stale
        told = {c.artefact.name for c in conditions(experiment.run) if c.state == "stale"}
        assert told == stale  # commands refuse exactly what a check calls stale
    with pytest.raises(KdError, match="teacher of run tiny is stale") as refused:
        experiment.fresh("teacher")
    assert text(refused.value.hint) == "renew it with `kd train-teacher --force`"


def test_what_is_not_there_is_named_with_the_command_that_makes_it(tiny: Path) -> None:
    for name, command in (
        (SOFT, "kd distill --target soft --temperature 4"),
        ("teacher", "kd train-teacher"),
        ("data", "kd gen-data --run tiny"),
    ):
        (tiny / name / "meta.json").unlink()
        experiment = opened(tiny)
        assert experiment.stored(name) is None
        assert experiment.stale(name)
        with pytest.raises(KdError, match=f"run tiny has no {name} yet") as refused:
            experiment.fresh(name)
        assert text(refused.value.hint) == f"make it with `{command}`"


def test_students_come_in_their_order_and_of_the_models_asked_for(kd: Kd, tiny: Path) -> None:
    assert kd("distill", "--model", "tree", "--target", "soft,hard", "--seeds", "1").code == 0
    assert kd("distill", "--target", "hard", "--epochs", "2", "--name", "mine").code == 0
    experiment = opened(tiny)
    (tiny / "students/notes").mkdir()  # no student set
    folders = [trained.folder for trained in experiment.students()]
    assert folders == ["labels-mlp4", "mine", "soft-T4-mlp4", "hard-tree", "soft-T4-tree"]
    assert [t.folder for t in experiment.students(["tree"])] == ["hard-tree", "soft-T4-tree"]
    with pytest.raises(UsageError, match="no student model 'mlp:7'") as refused:
        experiment.students(["mlp:7"])
    assert "`kd distill --model mlp:7` trains it" in text(refused.value.hint)


def test_a_set_that_lost_its_record_is_named_and_not_passed_over(tiny: Path) -> None:
    (tiny / SOFT).rename(tiny / "students/mine")
    for name, again in (
        ("mine", ""),
        ("labels-mlp4", " and make it again with `kd distill --target labels`"),
    ):
        (tiny / "students" / name / "meta.json").unlink()
        with pytest.raises(KdError, match=f"students/{name} is unfinished") as refused:
            opened(tiny).students()
        assert f"remove {tiny}/students/{name}{again}, or move it out" in text(refused.value.hint)
        for file in (tiny / "students" / name).iterdir():
            file.unlink()
    assert opened(tiny).students() == []


@pytest.mark.parametrize("record", [{"format": FORMAT - 1}, {"config": {}}])
def test_a_set_that_cannot_be_read_is_made_again_only_by_a_command_that_makes_it(
    tiny: Path, record: dict[str, Any]
) -> None:
    forge(tiny / SOFT, **record)
    with pytest.raises(KdError) as refused:
        opened(tiny).students()
    assert "make it again with `kd distill --target soft --temperature 4" in text(refused.value.hint)
    (tiny / SOFT).rename(tiny / "students/mine")
    with pytest.raises(KdError) as refused:
        opened(tiny).students()
    assert text(refused.value.hint).startswith(f"remove {tiny}/students/mine")
    assert "kd " not in text(refused.value.hint)


def test_a_file_where_an_artefact_should_be_is_named(tiny: Path) -> None:
    (tiny / "teacher").rename(tiny / "aside")
    (tiny / "teacher").write_text("")
    with pytest.raises(KdError, match="teacher is not a folder"):
        opened(tiny).stored("teacher")
    with pytest.raises(KdError, match="teacher is not a folder"):
        opened(tiny).has_teacher  # noqa: B018 it is the reading that fails


def test_a_broken_recipe_stops_nothing_that_does_not_need_it(kd: Kd, tiny: Path) -> None:
    (tiny / "recipe.toml").write_text("[data")
    experiment = opened(tiny)
    assert len(experiment.students()) == 2
    assert experiment.recipe_models == []
    assert spell(experiment.command("teacher")) == "kd train-teacher"
    assert kd("compare").code == 0
    assert kd("plot", "learning-curves").code == 0
    assert "is not valid TOML" in kd("train-teacher").err


def test_another_recipe_takes_the_place_of_the_one_that_was_read(tiny: Path, experiment: Experiment) -> None:
    text_before = (tiny / "recipe.toml").read_text(encoding="utf-8")
    assert experiment.recipe.students.seeds == 2
    experiment.adopt(text_before.replace("seeds = 2", "seeds = 3"))
    assert experiment.recipe.students.seeds == opened(tiny).recipe.students.seeds == 3
