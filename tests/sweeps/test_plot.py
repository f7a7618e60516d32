import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from harness import Kd
from PIL import Image
from sweeping import made

from kdcli.errors import UsageError
from kdcli.evidence.study import gather_study
from kdcli.runs.studies import Study
from kdcli.store import Store, StudyFolder
from kdcli.sweeps.plot import plot_study, view_of

SWEEP = """
base = "gaussians"
[data]
n_samples = 200
n_test = 300
draws = 1
[teacher]
model = "mlp:8"
epochs = 20
[students]
models = ["mlp:4"]
targets = ["labels", "soft"]
temperatures = [4]
seeds = 2
epochs = 20
[vary]
"students.transfer" = ["train:100", "train:50"]
"data.separation" = [3, 1.5]
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An outputs folder with a study of four runs; copy it before changing it."""
    from kdcli.sweeps.making import Task, make

    folder = tmp_path_factory.mktemp("swept")
    (folder / "small.toml").write_text(SWEEP)
    study = Study.planned(StudyFolder(Store(folder / "outputs"), "small"), str(folder / "small.toml"))
    study.store()
    for run in study.runs:
        assert make(Task.of(study, run)).error == ""
    return folder / "outputs"


@pytest.fixture
def small(swept: Path, outputs: Path) -> Study:
    """The study of four runs, in the outputs folder of this test."""
    shutil.copytree(swept, outputs)
    return Study.open(StudyFolder(Store(outputs), "small"))


def test_both_figures_are_drawn_into_the_folder_of_the_study(small: Study, kd: Kd) -> None:
    outcome = kd("plot", "--run", "small")
    assert outcome.code == 0, outcome.err
    figures = small.folder.path / "figures"
    assert sorted(path.name for path in figures.iterdir()) == ["study-lines.png", "study-map.png"]
    assert "study small: 2 figures" in outcome.out
    for path in figures.iterdir():
        assert path.name in outcome.out
        assert np.asarray(Image.open(path).convert("L")).std() > 10
    assert kd("runs", "small").code == 0
    assert kd("check", "small").code == 0


def test_the_view_holds_what_the_evidence_holds(small: Study) -> None:
    evidence = gather_study(small)
    view = view_of(evidence)
    transfer, separation = view.keys
    assert (transfer.name, transfer.texts, transfer.unit) == ("transfer", ["train:100", "train:50"], "")
    assert (separation.values, separation.texts) == ([1.5, 3], ["1.5", "3"])
    assert separation.unit == "standard deviations"
    assert (view.across, view.draws, view.missing) == (1, 1, [])
    assert (view.treatments, view.controls) == (["labels", "soft"], ["labels"])
    run, row = view.runs[0], evidence.rows[1]
    assert run.place == (0, 1)
    control, soft = run.sets
    estimate, versus = row.students.estimates["nll"], row.students.versus["accuracy"]
    assert soft.scores["nll"] == (estimate.mean, *estimate.interval)
    assert soft.gain == pytest.approx(100 * versus.difference)
    assert (soft.verdict, control.gain) == (versus.verdict, None)
    assert run.levels == {
        "teacher": evidence.teachers[row.run],
        "Bayes optimum": pytest.approx(evidence.bayes[row.run]),
    }


def test_runs_that_are_not_there_are_missing(small: Study) -> None:
    shutil.rmtree(small.folder.run(small.runs[1].name).path)
    view = view_of(gather_study(small))
    assert view.missing == [(0, 0)]
    assert len(view.runs) == 3
    assert [path.name for path in plot_study(small).figures] == ["study-lines.png", "study-map.png"]


def test_a_run_that_cannot_be_read_is_told(small: Study) -> None:
    broken = small.folder.run(small.runs[1].name)
    (broken.path / "data" / "meta.json").unlink()
    plotted = plot_study(small)
    assert list(plotted.left_out) == [small.runs[1].name]
    assert f"left out {small.runs[1].name}: " in str(list(plotted.told()))


def test_another_key_on_the_axis_has_files_of_its_own(small: Study, kd: Kd) -> None:
    outcome = kd("plot", "study-lines", "--run", "small", "--by", "transfer", "--format", "svg", "--json")
    document = json.loads(outcome.out)
    assert [Path(path).name for path in document["figures"]] == ["study-lines-by-transfer.svg"]
    assert (document["study"], document["left_out"]) == ("small", {})
    assert view_of(gather_study(small), "students.transfer").across == 0
    with pytest.raises(UsageError, match="no varied key has this name"):
        plot_study(small, by="noise")


def test_keys_that_end_alike_have_files_of_their_own(outputs: Path) -> None:
    study = made(outputs, '"data.seed" = [1, 2]\n"teacher.epochs" = [2, 3]\n"students.epochs" = [2, 3]\n')
    keys = ("data.seed", "teacher.epochs", "students.epochs")
    drawn = [plot_study(study, ["study-lines"], by=key).figures[0].name for key in keys]
    assert drawn == [f"study-lines-by-{key}.png" for key in ("seed", "teacher.epochs", "students.epochs")]


def test_kd_run_names_a_study_as_well(small: Study, kd: Kd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KD_RUN", "small")
    assert "study small: 1 figure" in kd("plot", "study-map").out


def test_what_does_not_apply_is_refused_or_told(small: Study, kd: Kd) -> None:
    unknown = kd("plot", "study-line", "--run", "small")
    assert unknown.code == 2
    assert "did you mean study-lines?" in unknown.err
    of_run = kd("plot", "reliability", "--run", "small")
    assert of_run.code == 2
    assert "reliability is a figure of a run, not of a study" in of_run.err
    assert "study-lines, study-map" in of_run.err
    assert kd("plot", "--run", "small", "--model", "mlp:4").code == 2
    single = f"small/{small.runs[0].name}"
    of_study = kd("plot", "study-map", "--run", single)
    assert of_study.code == 2
    assert "study-map is a figure of a study" in of_study.err
    assert "--by is for the figures of a study" in kd("plot", "--run", single, "--by", "transfer").err
    with pytest.raises(UsageError, match="format"):
        plot_study(small, file_format="gif")


def test_a_figure_that_does_not_apply_is_left_out_with_the_reason(outputs: Path, swept: Path, kd: Kd) -> None:
    Path("one.toml").write_text(SWEEP.replace('"data.separation" = [3, 1.5]\n', ""))
    assert kd("sweep", "one.toml", "--jobs", "1").code == 0
    study = Study.open(StudyFolder(Store(outputs), "one"))
    plotted = plot_study(study)
    assert plotted.left_out == {"study-map": "it needs two keys that vary"}
    assert [path.name for path in plotted.figures] == ["study-lines.png"]
    with pytest.raises(UsageError, match="cannot draw study-map: it needs two keys that vary"):
        plot_study(study, ["study-map"])
