import json
import shlex
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from harness import Kd, small_mnist, write_files
from sweeping import SEEDS, TEMPERATURES, TINY_SWEEP, digests, made, plan, run_of

from kdcli.commands import spell
from kdcli.errors import KdError, UsageError
from kdcli.runs.made import failure_of, state_of
from kdcli.runs.studies import Study
from kdcli.runs.vary import Planned
from kdcli.store import Store, StudyFolder
from kdcli.sweeps.making import Outcome, Task, make
from kdcli.sweeps.sweep import Engine, look, machines_text, sweep

TOO_MANY = '"students.transfer" = ["train:9", "train:5000"]\n'  # the second value is impossible
Heard = Callable[[int, Outcome | None], None]


def here(study: Study, runs: Sequence[Planned], heard: Heard) -> None:
    """Make runs in this process, one after the other."""
    for planned in runs:
        heard(1, None)
        heard(0, make(Task.of(study, planned)))


def never(study: Study, runs: Sequence[Planned], heard: Heard) -> None:
    raise AssertionError


def dying(*victims: str) -> Engine:
    """Return an engine that makes all runs except these, whose process dies."""

    def make_others(study: Study, runs: Sequence[Planned], heard: Heard) -> None:
        for planned in runs:
            died = Outcome(planned.name, error="the process that made it was killed")
            heard(0, died if planned.name in victims else make(Task.of(study, planned)))

    return make_others


@pytest.fixture
def study(outputs: Path) -> Study:
    """A study whose two runs are made."""
    return made(outputs)


def written(outputs: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in outputs.rglob("*") if path.is_file()}


def test_a_sweep_makes_all_runs_and_then_none(outputs: Path) -> None:
    study = plan(outputs, SEEDS + TEMPERATURES)
    progress: list[tuple[int, int, int]] = []
    first = sweep(study, here, progress=lambda *now: progress.append(now))
    assert (first.made, first.there, len(first.wanted), list(first.failures)) == (4, 4, 4, [])
    assert progress[0] == (0, 0, 0)
    assert progress[-1] == (4, 0, 0)
    assert len(first.machines) == 1
    assert Study.open(study.folder).runs == study.runs
    before = written(outputs)
    second = sweep(Study.open(study.folder), never)
    assert (second.made, second.there) == (0, 4)
    assert written(outputs) == before


def test_shards_make_the_study_together(outputs: Path) -> None:
    study = plan(outputs, SEEDS + TEMPERATURES)
    counts = [sweep(study, here, shard=f"{k}/3").there for k in (1, 2, 3)]
    assert sum(counts) == 4
    assert digests(study) == digests(made(outputs / "whole", SEEDS + TEMPERATURES))
    assert sweep(study, never).there == 4


def test_a_part_without_runs(outputs: Path) -> None:
    study = plan(outputs)
    done = sweep(study, never, shard="1/16")
    assert (done.there, list(done.wanted)) == (0, [])
    with pytest.raises(UsageError, match="--shard 1/16: this part has no runs"):
        look(study, jobs=2, shard="1/16")


def test_a_study_that_grows_makes_what_is_new(outputs: Path) -> None:
    sweep(plan(outputs), here)
    larger = sweep(plan(outputs, '"data.seed" = [1, 2, 3]\n'), here)
    assert (larger.made, larger.there) == (1, 3)


def test_another_plan_makes_nothing(outputs: Path, study: Study) -> None:
    before = written(outputs)
    with pytest.raises(KdError, match="has another plan"):
        sweep(plan(outputs, '"data.seed" = [5, 6]\n'), never)
    assert written(outputs) == before


def test_a_run_whose_process_died_is_a_failure_that_is_kept(outputs: Path) -> None:
    study = plan(outputs)
    progress: list[tuple[int, int, int]] = []
    done = sweep(study, dying("seed-2"), progress=lambda *now: progress.append(now))
    assert (done.made, done.there) == (1, 1)
    assert progress[-1] == (2, 0, 1)
    (failure,) = done.failures
    assert (failure.name, failure.error) == ("seed-2", "the process that made it was killed")
    run = run_of(study, 1)
    assert failure_of(run) == ("the process that made it was killed", "")
    assert state_of(run, study.runs[1].recipe) == "failed"
    assert run.read_recipe().decode() == Task.of(study, study.runs[1]).recipe
    again = sweep(study, dying())
    assert (again.made, again.there, list(again.failures)) == (1, 2, [])
    assert failure_of(run) == ("", "")


def test_a_failure_that_nothing_can_keep_is_told(outputs: Path, tmp_path: Path) -> None:
    study = plan(outputs)
    study.store()
    (tmp_path / "outside").mkdir()
    run_of(study).path.symlink_to(tmp_path / "outside")
    done = sweep(study, here)
    (failure,) = done.failures
    assert failure.name == "seed-1"
    assert "is a symbolic link" in failure.error
    assert done.there == 1


def test_what_failed_before_is_told_as_long_as_it_is_not_made(outputs: Path) -> None:
    study = plan(outputs)
    sweep(study, dying("seed-1", "seed-2"))

    def idle(study: Study, runs: Sequence[Planned], heard: Heard) -> None:
        return

    assert [failure.name for failure in sweep(study, idle).failures] == ["seed-1", "seed-2"]


def test_runs_of_different_machines_are_told(outputs: Path, study: Study) -> None:
    path = run_of(study).path / "made.json"
    record = json.loads(path.read_text())
    record["machine"]["instructions"] = "OTHER"
    path.write_text(json.dumps(record))
    done = sweep(study, never)
    assert len(done.machines) == 2
    text = machines_text(done.machines)
    assert "OTHER" in text
    assert "torch" not in text
    told = [str(line) for line in done.told()]
    assert any("made by different machines" in line for line in told)
    assert done.document()["machines"] == list(done.machines)


def test_the_command_line_makes_a_study(kd: Kd, outputs: Path) -> None:
    Path("many.toml").write_text(TINY_SWEEP + SEEDS)
    outcome = kd("sweep", "many.toml", "--jobs", "2")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("study many: 2 of 2 runs made, 2 of them now in ")
    assert "`kd compare many` compares them." in outcome.out
    assert Store(outputs).studies() == ["many"]
    before = written(outputs)
    again = kd("sweep", "many.toml", "--jobs", "2", "--json")
    document = json.loads(again.out)
    assert (document["study"], document["runs"], document["there"], document["made"]) == ("many", 2, 2, 0)
    assert document["failed"] == []
    assert written(outputs) == before
    assert kd("sweep", "many.toml", "--quiet").out == ""
    assert not (outputs / "current").exists()


def test_a_failure_ends_with_exit_code_1_and_the_command_that_tries_it_alone(kd: Kd, outputs: Path) -> None:
    Path("many.toml").write_text(TINY_SWEEP + TOO_MANY)
    outcome = kd("sweep", "many.toml", "--jobs", "1")
    assert outcome.code == 1
    assert "study many: 1 of 2 runs made, 1 of them now in " in outcome.out
    assert "! transfer-train-5000: " in outcome.out
    alone = f"kd run {Path('outputs/many/transfer-train-5000/recipe.toml')} --run many/transfer-train-5000"
    assert alone in outcome.out or str(outputs) in outcome.out
    tried = kd(
        "run", str(outputs / "many/transfer-train-5000/recipe.toml"), "--run", "many/transfer-train-5000"
    )
    assert tried.code != 0
    assert "5000" in tried.err
    document = json.loads(kd("sweep", "many.toml", "--jobs", "1", "--json").out)
    assert [failure["name"] for failure in document["failed"]] == ["transfer-train-5000"]
    assert (document["there"], document["made"]) == (1, 0)


def test_a_run_that_is_made_by_the_command_is_one_of_the_study(kd: Kd, outputs: Path) -> None:
    study = plan(outputs)
    whole = digests(made(outputs / "whole"))
    (failure, _) = sweep(study, dying("seed-1", "seed-2")).failures
    assert failure.alone.name == "run"
    outcome = kd(*shlex.split(spell(failure.alone))[1:], "--quiet")
    assert outcome.code == 0, outcome.err
    run = run_of(study)
    assert {name: run.artefact(name).meta().digest for name in whole["seed-1"]} == whole["seed-1"]
    sweep(study, here)
    assert digests(study) == whole


def test_a_dry_run_lists_the_runs_and_writes_nothing(kd: Kd, outputs: Path) -> None:
    Path("many.toml").write_text(TINY_SWEEP + SEEDS + TEMPERATURES)
    before = sorted(Path().rglob("*"))
    outcome = kd("sweep", "many.toml", "--dry-run", "--jobs", "2")
    assert outcome.code == 0, outcome.err
    for name in ("seed-1_temperatures-1", "seed-2_temperatures-4"):
        assert name in outcome.out
    assert "4 runs with 2 teachers; nothing was written" in outcome.out
    assert "with --jobs 2, estimated from seed-" in outcome.out
    document = json.loads(kd("sweep", "many.toml", "--dry-run", "--json", "--shard", "1/2").out)
    assert [run["varied"] for run in document["runs"]] == [
        {"data.seed": 1, "students.temperatures": 1.0},
        {"data.seed": 1, "students.temperatures": 4.0},
    ]
    assert document["seconds"] >= 0
    assert sorted(Path().rglob("*")) == before
    assert not outputs.exists()


def test_a_dry_run_of_a_merge_is_refused(kd: Kd, outputs: Path) -> None:
    plan(outputs)
    outcome = kd("sweep", "many.toml", "--dry-run", "--merge", "elsewhere")
    assert outcome.code == 2
    assert "leave out --shard and --dry-run" in outcome.err


def test_a_dry_run_whose_run_fails_says_so(kd: Kd, outputs: Path) -> None:
    Path("many.toml").write_text(TINY_SWEEP + '"students.transfer" = ["train:5000"]\n')
    outcome = kd("sweep", "many.toml", "--dry-run")
    assert outcome.code == 1
    assert "error: transfer-train-5000: " in outcome.err
    assert not outputs.exists()


def test_the_name_of_a_study(kd: Kd, outputs: Path) -> None:
    Path("many.toml").write_text(TINY_SWEEP + '"data.seed" = [1]\n')
    for name in ("../x", "current", "a/b"):
        outcome = kd("sweep", "many.toml", "--study", name)
        assert outcome.code == 2
        assert name in outcome.err
    assert not outputs.exists() or not list(outputs.iterdir())


def test_ordinary_commands_work_on_a_run_of_a_study(kd: Kd, outputs: Path, study: Study) -> None:
    name = "many/seed-1"
    shown = json.loads(kd("show", "--run", name, "--json").out)
    assert shown["run"] == name
    assert {artefact["state"] for artefact in shown["artefacts"]} == {"fresh"}
    compared = json.loads(kd("compare", "--run", name, "--json").out)
    assert compared["run"] == name
    assert {entry["name"] for entry in compared["students"]} == {"labels-mlp4", "soft-T4-mlp4"}
    assert kd("use", name).code == 0
    assert Store(outputs).current == name
    assert json.loads(kd("show", "--json").out)["run"] == name
    assert kd("distill", "--run", name).code == 0
    assert "run many/seed-1: all students of mlp:4 are already trained" in kd("distill").out
    checked = json.loads(kd("check", "--run", name, "--json").out)
    assert (checked["damaged"], [run["run"] for run in checked["runs"]]) == (0, [name])
    assert kd("delete", name, "--yes").code == 0
    assert not run_of(study).path.exists()
    assert Store(outputs).current == ""
    assert state_of(run_of(study, 1), study.runs[1].recipe) == "made"


@pytest.mark.parametrize(
    "command",
    [
        ["show", "many"],
        ["show", "--run", "many"],
        ["train-teacher", "--run", "many"],
        ["distill", "--run", "many"],
        ["use", "many"],
        ["gen-data", "gaussians", "--run", "many"],
        ["run", "gaussians", "--run", "many"],
    ],
)
def test_a_study_is_no_run_of_its_own(kd: Kd, outputs: Path, study: Study, command: list[str]) -> None:
    before = written(study.folder.path)
    outcome = kd(*command)
    assert outcome.code == 2
    assert "many is a study: name a run of it, many/NAME" in outcome.err
    assert written(study.folder.path) == before
    assert not (outputs / "current").exists()


def test_a_part_of_a_run_that_another_run_shares_is_not_changed(
    kd: Kd, outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = made(outputs, TEMPERATURES)
    before = digests(study)
    other, shelves = run_of(study, 1), study.folder.path / ".shared"
    kept = {
        path: path.read_bytes() for path in [*other.path.rglob("*"), *shelves.rglob("*")] if path.is_file()
    }
    first = run_of(study).name
    assert kd("train-teacher", "--run", first, "--epochs", "4", "--force").code == 0
    assert {path: path.read_bytes() for path in kept} == kept
    shutil.rmtree(run_of(study).path)
    sweep(study, here)
    assert digests(study) == before


def test_a_folder_of_published_files_is_a_base(kd: Kd, outputs: Path) -> None:
    folder = write_files(Path("files"), small_mnist())
    Path("digits.toml").write_text(
        'base = "files"\n[data]\nn_val = 50\n[teacher]\nmodel = "linear"\nepochs = 1\n'
        '[students]\nmodels = ["linear"]\ntargets = ["labels", "soft"]\nseeds = 1\nepochs = 1\n'
        '[vary]\n"students.learning_rate" = [0.001, 0.01]\n'
    )
    assert kd("sweep", "digits.toml", "--jobs", "1").code == 0
    runs = [outputs / "digits" / f"learning-rate-{rate}" for rate in ("0.001", "0.01")]
    assert all((run / "made.json").is_file() for run in runs)
    assert Study.open(StudyFolder(Store(outputs), "digits")).files == str(folder.absolute())
