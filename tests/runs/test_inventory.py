import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from harness import forge

from kdcli.commands import spell, text
from kdcli.runs.experiment import Experiment
from kdcli.runs.inventory import Item, conditions, inventory, kept_states
from kdcli.store import FORMAT, Content, Run, Store

NAMES = ["data", "teacher", "students/labels", "students/soft"]
FRESH = dict.fromkeys(NAMES, "fresh")


@pytest.fixture
def run(outputs: Path) -> Run:
    run = Store(outputs).run("one")
    run.write_recipe("")
    return run


def put(run: Run, name: str, parents: Sequence[str] = (), value: float = 0.0) -> None:
    digests = {parent: run.artefact(parent).meta().digest for parent in parents}
    content = Content({"a": {"x": torch.full((3,), value)}}, {}, 0.5)
    run.artefact(name).write("test", {}, digests, content)


@pytest.fixture
def whole(run: Run) -> Run:
    """A run with data, a teacher, and a student set of each."""
    put(run, "data")
    put(run, "teacher", ["data"])
    put(run, "students/labels", ["data"])
    put(run, "students/soft", ["data", "teacher"])
    return run


def states(run: Run) -> dict[str, str]:
    return {condition.artefact.name: condition.state for condition in conditions(run)}


def problems(run: Run, name: str) -> str:
    return "; ".join(next(c.problems for c in conditions(run) if c.artefact.name == name))


def test_what_was_written_is_fresh(whole: Run) -> None:
    assert states(whole) == FRESH
    assert not any(condition.problems or condition.remove for condition in conditions(whole))


def test_what_was_made_from_something_that_was_replaced_is_stale(whole: Run) -> None:
    put(whole, "data")  # made again with the same content
    assert states(whole) == FRESH
    put(whole, "teacher", ["data"], value=7.0)
    assert states(whole) == {**FRESH, "students/soft": "stale"}
    put(whole, "data", value=7.0)
    assert states(whole) == {**dict.fromkeys(NAMES, "stale"), "data": "fresh"}
    assert problems(whole, "students/labels") == "data, which it was made from, has been replaced since"


def test_staleness_is_inherited(whole: Run) -> None:
    put(whole, "data", value=1.0)
    put(whole, "students/soft", ["teacher"])
    assert problems(whole, "students/soft") == "teacher, which it was made from, is stale"


def test_damage_does_not_make_what_was_made_from_it_stale(whole: Run) -> None:
    (whole.path / "data/a.safetensors").write_bytes(b"")
    assert states(whole) == {**FRESH, "data": "damaged"}


@pytest.mark.parametrize(("content", "state"), [("", "damaged"), ("{", "damaged"), (None, "unfinished")])
def test_what_was_made_from_something_unusable_is_stale(whole: Run, content: str | None, state: str) -> None:
    path = whole.path / "teacher/meta.json"
    path.unlink() if content is None else path.write_text(content)
    assert states(whole) == {**FRESH, "teacher": state, "students/soft": "stale"}
    words = "missing" if content is None else "damaged"
    assert problems(whole, "students/soft") == f"teacher, which it was made from, is {words}"


def test_what_is_gone_is_unfinished_where_it_should_be(whole: Run) -> None:
    (whole.path / "teacher").rename(whole.path / ".teacher.replaced")
    assert states(whole) == {**FRESH, "teacher": "unfinished", "students/soft": "stale"}
    (whole.path / "students/soft").rename(whole.path / "students/.soft.replaced")
    assert states(whole) == {"data": "fresh", "students/labels": "fresh"}


def test_a_run_without_data_is_unfinished(run: Run) -> None:
    assert states(run) == {"data": "unfinished"}


@pytest.mark.parametrize(
    ("number", "state", "inherited"), [(FORMAT + 1, "newer", "newer"), (FORMAT - 1, "older", "stale")]
)
def test_of_what_another_version_made_staleness_is_told_as_far_as_it_goes(
    whole: Run, number: int, state: str, inherited: str
) -> None:
    path = whole.path / "teacher/meta.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": number}))
    assert states(whole) == {**FRESH, "teacher": state, "students/soft": inherited}


@pytest.mark.parametrize("parents", [{"../other/data": "0"}, {"students/soft": "0"}, {"\ud800": "0"}])
def test_parents_that_there_are_not(whole: Run, parents: dict[str, str]) -> None:
    path = whole.path / "students/soft/meta.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "parents": parents}))
    assert states(whole) == {**FRESH, "students/soft": "stale"}


def test_a_file_where_a_student_set_or_all_of_them_should_be(run: Run) -> None:
    put(run, "data")
    (run.path / "students").mkdir()
    (run.path / "students/soft").write_text("")
    assert states(run) == {"data": "fresh", "students/soft": "damaged"}
    (run.path / "students/soft").unlink()
    (run.path / "students").rmdir()
    (run.path / "students").write_text("")
    assert states(run) == {"data": "fresh", "students": "damaged"}


def items(tiny: Path) -> dict[str, Item]:
    run = Store(tiny.parent).existing_run(None)
    return {item.name: item for item in inventory(Experiment.open(run))}


def test_items_are_told_in_words_and_mended_by_nothing_where_they_are_fresh(tiny: Path) -> None:
    held = items(tiny)
    assert list(held) == ["data", "teacher", "students/labels-mlp4", "students/soft-T4-mlp4"]
    assert all((item.state, item.again, item.mend) == ("fresh", None, "") for item in held.values())
    assert held["data"].words.startswith("gaussians, 160 training, 40 validation, 400 test")
    assert held["teacher"].words.startswith("mlp:8, 20 epochs, full batches")
    assert held["students/soft-T4-mlp4"].words.startswith("soft, T = 4, mlp:4, 2 seeds, 20 epochs")


def test_a_record_that_no_stage_wrote_is_damage_to_be_removed_and_made_again(tiny: Path) -> None:
    forge(tiny / "teacher", config={"model": "mlq:8"})
    forge(tiny / "students/soft-T4-mlp4", parents={})
    held = items(tiny)
    teacher, soft = held["teacher"], held["students/soft-T4-mlp4"]
    assert (teacher.state, soft.state) == ("damaged", "damaged")
    assert "config.model: no model 'mlq'; did you mean mlp?" in teacher.problems[0]
    assert "it is made from data and teacher, not from nothing" in soft.problems[0]
    assert text(teacher.mend) == f"remove {tiny}/teacher and make it again with `kd train-teacher`"
    assert soft.again is not None
    assert spell(soft.again) == "kd distill --target soft --temperature 4"


def test_a_description_that_no_stage_wrote_is_damage(tiny: Path) -> None:
    forge(tiny / "data", {"description.json": b"{}"})
    held = items(tiny)
    assert held["data"].state == "damaged"
    assert "description.json is damaged: it is not a description of data" in held["data"].problems[0]


@pytest.mark.parametrize("name", ["data", "teacher", "students/labels-mlp4", "students/soft-T4-mlp4"])
def test_what_an_earlier_kd_made_is_made_again_by_force(tiny: Path, name: str) -> None:
    forge(tiny / name, format=FORMAT - 1, seal="0")
    item = items(tiny)[name]
    assert item.state == "older"
    assert item.again is not None
    assert spell(item.again).endswith(" --force")
    assert text(item.mend) == f"make it again with `{spell(item.again)}`"


def test_an_older_set_that_the_recipe_does_not_have_is_to_be_removed(tiny: Path) -> None:
    (tiny / "students/soft-T4-mlp4").rename(tiny / "students/mine")
    forge(tiny / "students/mine", format=FORMAT - 1)
    item = items(tiny)["students/mine"]
    assert (item.state, item.again, text(item.mend)) == ("older", None, f"remove {tiny}/students/mine")


def test_without_a_recipe_no_command_is_known(tiny: Path) -> None:
    (tiny / "recipe.toml").write_text("[data")
    (tiny / "teacher/model.safetensors").write_bytes(b"")
    held = items(tiny)
    assert next(iter(held)) == "recipe.toml"
    assert held["teacher"].again is None
    assert text(held["teacher"].mend) == f"remove {tiny}/teacher"


def test_kept_states_are_whole_or_not(tiny: Path) -> None:
    run = Store(tiny.parent).existing_run(None)
    run.resume_point("teacher.0").save({}, {"at": torch.tensor([1])})
    run.resume_point("other").path.write_text("half")
    assert [(state.path.name, state.whole, state.newer) for state in kept_states(run)] == [
        ("other", False, False),
        ("teacher.0", True, False),
    ]
