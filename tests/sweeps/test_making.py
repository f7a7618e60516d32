import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from harness import Kd
from sweeping import SEEDS, TEMPERATURES, digests, made, plan, run_of

from kdcli.errors import Command, KdError
from kdcli.runs.made import Made, failure_of, is_made, state_of
from kdcli.runs.studies import data_key, key_of, teacher_key
from kdcli.store import Run, Store
from kdcli.sweeps import making
from kdcli.sweeps.making import Outcome, Task, keep_failure, make
from kdcli.training.processor import machine

TROUBLE = KdError("it is in trouble", "help it")
ARTEFACTS = {"data", "teacher", "students/labels-mlp4", "students/soft-T4-mlp4"}


def digests_in(run: Run) -> dict[str, str]:
    return {name: run.artefact(name).meta().digest for name in ARTEFACTS}


def counted(monkeypatch: pytest.MonkeyPatch, *stages: str) -> Counter[str]:
    """Count the artefacts that stages write themselves."""
    calls: Counter[str] = Counter()
    for stage in stages:
        real = getattr(making, stage)

        def watched(*given: Any, real: Callable[..., Any] = real, stage: str = stage, **options: Any) -> Any:
            result = real(*given, **options)
            calls[stage] += not result.up_to_date
            return result

        monkeypatch.setattr(making, stage, watched)
    return calls


def test_a_run_is_as_the_ordinary_commands_make_it(kd: Kd, outputs: Path) -> None:
    study = made(outputs, SEEDS + TEMPERATURES)
    for planned in study.runs:
        run = study.folder.run(planned.name)
        by_hand = ["--recipe", str(run.recipe_path), "--run", "by-hand", "--force"]
        assert kd("gen-data", *by_hand).code == 0
        shutil.rmtree(outputs / "by-hand/students", ignore_errors=True)
        assert kd("train-teacher", "--run", "by-hand", "--force").code == 0
        assert kd("distill", "--run", "by-hand").code == 0
        own = Made.of(run)
        assert own
        alone = Store(outputs).run("by-hand")
        assert own.digests == {name: alone.artefact(name).meta().digest for name in own.digests}
        assert len(own.digests) == 4
        assert (alone.path / "recipe.toml").read_text() == run.read_recipe().decode()


def test_the_record_of_a_run_that_is_made(outputs: Path) -> None:
    study = made(outputs)
    run, recipe = run_of(study), study.runs[0].recipe
    own = Made.of(run)
    assert own
    assert own.recipe == key_of(recipe)
    assert own.seconds > 0
    assert own.machine == machine()
    assert own.digests == digests_in(run)
    assert is_made(run, recipe)
    assert not is_made(run, study.runs[1].recipe)
    assert state_of(run, study.runs[0].recipe) == "made"
    assert not (outputs / "current").exists()


def test_what_runs_share_is_made_once(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(monkeypatch, "gen_data", "train_teacher")
    study = made(outputs, '"data.seed" = [1, 2]\n"teacher.seed" = [0, 1]\n"students.temperatures" = [1, 4]\n')
    assert len(digests(study)) == 8
    assert calls == {"gen_data": 2, "train_teacher": 4}
    for planned in study.runs:
        run = study.folder.run(planned.name)
        for name, key in (("data", data_key), ("teacher", teacher_key)):
            shelf = study.folder.shelf(key(planned.recipe))
            for file in shelf.iterdir():
                assert os.path.samefile(file, run.path / name / file.name)


def test_what_runs_share_is_made_once_where_there_are_no_links(
    outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_links = digests(made(outputs / "links", TEMPERATURES))
    calls = counted(monkeypatch, "gen_data", "train_teacher")

    def refused(source: Path, target: Path) -> None:
        raise OSError

    monkeypatch.setattr(os, "link", refused)
    assert digests(made(outputs / "copies", TEMPERATURES)) == with_links
    assert calls == {"gen_data": 1, "train_teacher": 1}


def test_a_run_that_is_there_is_not_made_again(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = made(outputs)
    run = run_of(study)
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*") if path.is_file()}
    calls = counted(monkeypatch, "gen_data")
    outcome = make(Task.of(study, study.runs[0]))
    assert (outcome.error, outcome.busy) == ("", False)
    assert calls == {}
    assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*") if path.is_file()} == before


def test_a_run_that_was_deleted_is_made_again_in_the_same_bits(outputs: Path) -> None:
    study = made(outputs)
    before = digests(study)
    shutil.rmtree(run_of(study).path)
    assert state_of(run_of(study), study.runs[0].recipe) == "planned"
    assert set(digests(study)) == {study.runs[1].name}
    assert not make(Task.of(study, study.runs[0])).error
    assert digests(study) == before


@pytest.mark.parametrize("missing", ["students", "teacher", "data", "made.json"])
def test_a_run_that_was_cut_off_is_finished(outputs: Path, missing: str) -> None:
    study = made(outputs)
    before, run = digests(study), run_of(study)
    (run.path / "made.json").unlink()
    assert state_of(run, study.runs[0].recipe) == "begun"
    if missing != "made.json":
        shutil.rmtree(run.path / missing)
    assert not make(Task.of(study, study.runs[0])).error
    assert digests(study) == before


def broken(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fails(*given: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(making, "distill", fails)


def test_a_failure_is_kept_and_gone_when_the_run_is_made(
    outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = plan(outputs)
    task, run = Task.of(study, study.runs[0]), run_of(study)
    with monkeypatch.context() as context:
        broken(context, TROUBLE)
        outcome = make(task)
    assert (outcome.name, outcome.error, outcome.hint) == (task.name, "it is in trouble", "help it")
    assert json.loads((run.path / "failed.json").read_text()) == {
        "error": "it is in trouble",
        "hint": "help it",
    }
    assert failure_of(run) == ("it is in trouble", "help it")
    assert run.read_recipe().decode() == task.recipe
    assert (state_of(run, study.runs[0].recipe), Made.of(run), is_made(run, study.runs[0].recipe)) == (
        "failed",
        None,
        False,
    )
    outcome = make(task)
    assert outcome.error == ""
    assert outcome.seconds > 0
    assert not (run.path / "failed.json").exists()
    assert (state_of(run, study.runs[0].recipe), failure_of(run)) == ("made", ("", ""))


def test_a_hint_with_a_command_is_spelled(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = plan(outputs)
    broken(monkeypatch, KdError("no", ("make it with ", Command("gen-data", run="x"), " now")))
    assert make(Task.of(study, study.runs[0])).hint == "make it with `kd gen-data --run x` now"


def test_an_error_of_the_program_keeps_its_traceback(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = plan(outputs)
    broken(monkeypatch, ZeroDivisionError("what is this"))
    outcome = make(Task.of(study, study.runs[0]))
    assert outcome.error.startswith("Traceback (most recent call last):")
    assert "ZeroDivisionError: what is this" in outcome.error
    assert failure_of(run_of(study))[0] == outcome.error


def test_a_failure_before_there_is_a_recipe_has_one_too(
    outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = plan(outputs)

    def fails(*given: Any, **options: Any) -> None:
        raise TROUBLE

    monkeypatch.setattr(making, "gen_data", fails)
    assert make(Task.of(study, study.runs[0])).error == "it is in trouble"
    run = run_of(study)
    assert run.read_recipe().decode() == Task.of(study, study.runs[0]).recipe
    assert not (run.path / "data").exists()


def test_a_place_where_nothing_can_be_kept_is_told(outputs: Path, tmp_path: Path) -> None:
    study = plan(outputs)
    study.store()
    (tmp_path / "outside").mkdir()
    run_of(study).path.symlink_to(tmp_path / "outside")
    outcome = make(Task.of(study, study.runs[0]))
    assert "is a symbolic link" in outcome.error
    assert not list((tmp_path / "outside").iterdir())


def test_a_run_that_another_process_makes_is_busy(outputs: Path) -> None:
    study = plan(outputs)
    run = run_of(study)
    with run.locked():
        outcome = make(Task.of(study, study.runs[0]))
    assert outcome == Outcome(study.runs[0].name, busy=True)
    assert not run.path.exists()


def test_tasks_and_outcomes_are_plain_data(outputs: Path) -> None:
    study = plan(outputs, reproducible="portable")
    task = Task.of(study, study.runs[0])
    assert task.reproducible == "portable"
    assert Task(**json.loads(json.dumps(asdict(task)))) == task
    assert Path(task.root).is_absolute()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"recipe": "x", "seconds": 1, "machine": 3, "digests": {}}',
        '{"recipe": "x", "seconds": 1, "machine": {}, "digests": {}, "more": 1}',
    ],
)
def test_a_record_that_makes_no_sense_is_none(outputs: Path, content: str) -> None:
    study = plan(outputs)
    run = run_of(study)
    run.write_report("made.json", content)
    run.write_report("failed.json", content)
    assert Made.of(run) is None
    assert not is_made(run, study.runs[0].recipe)
    assert failure_of(run) == ("", "")


def test_a_failure_is_kept_beside_a_recipe_that_is_there(outputs: Path) -> None:
    run = run_of(plan(outputs))
    keep_failure(run, "first", Outcome(run.name, error="a", hint="b"))
    keep_failure(run, "second", Outcome(run.name, error="c"))
    assert run.read_recipe() == b"first"
    assert failure_of(run) == ("c", "")
