"""The commands that show the evidence of a run or a study: as figures, and as a comparison."""

from typing import TYPE_CHECKING

import typer

from kdcli.cli.calls import Call
from kdcli.cli.commands import app
from kdcli.cli.options import COMPUTE, WORK
from kdcli.errors import UsageError
from kdcli.store import StudyFolder

__all__ = ["app"]

if TYPE_CHECKING:
    from kdcli.stages.compare import Compared
    from kdcli.stages.plot import Plotted
    from kdcli.stages.report import Reported
    from kdcli.sweeps.compare import StudyCompared
    from kdcli.sweeps.plot import StudyPlotted


@app.add(
    "plot",
    *("figures", "by_key", "models", "file_format", "show_figures", *COMPUTE),
    examples=(
        "kd plot --model mlp:4 --show",
        "kd plot learning-curves --format svg",
        "kd plot study-lines --run STUDY --by noise",
    ),
)
def plot(call: Call) -> None:
    """Draw the figures of a run, or of a study, from stored results."""
    name = call.options.run or call.store.chosen
    made = _plotted_study(call, name) if name in call.store.studies() else _plotted(call)
    call.screen.show(made)
    for path in made.figures if call.options.show_figures else ():
        typer.launch(str(path))


def _plotted(call: Call) -> "Plotted":
    from kdcli.runs.edits import notes
    from kdcli.runs.kinds import DATA, STUDENTS, TEACHER
    from kdcli.stages.plot import plot as stage

    if call.options.by_key:
        raise UsageError("--by is for the figures of a study", "name the study with --run STUDY")
    with call.working_on(call.store.existing_run(call.options.run)) as experiment:
        student_sets = experiment.run.artefacts(STUDENTS)
        for note in notes(experiment, [DATA, TEACHER, *(artefact.name for artefact in student_sets)]):
            call.screen.hint(note)
        return stage(experiment, call.options.figures, **call.passed("models", "file_format"))


def _plotted_study(call: Call, name: str) -> "StudyPlotted":
    from kdcli.runs.studies import Study
    from kdcli.sweeps.plot import plot_study as stage

    if call.options.models:
        raise UsageError(
            f"{name} is a study, and its figures show all models",
            f"leave out --model, or draw the figures of one run with --run {name}/NAME",
        )
    study = Study.open(StudyFolder(call.store, name))
    return stage(study, call.options.figures, call.options.by_key, call.options.file_format)


def _compared(call: Call) -> "Compared":
    from kdcli.stages.compare import compare as stage

    with call.working_on(call.store.existing_run(call.options.run_to_show)) as experiment:
        passed = call.passed("by", "models", "metrics", "control", "unpaired", "full")
        return stage(experiment, **passed, watch=call.screen.watch)


def _compared_study(call: Call) -> "StudyCompared":
    from kdcli.runs.studies import Study
    from kdcli.sweeps.compare import compare_study as stage

    idle = [key for key in ("models", "metrics", "control", "unpaired") if getattr(call.options, key)]
    if idle:
        raise UsageError(
            f"{call.options.run_to_show} is a study: its students are compared with the labels control only",
            "a study takes --by KEY, --full, --csv and --json",
        )
    study = Study.open(StudyFolder(call.store, str(call.options.run_to_show)))
    return stage(study, **call.passed("by", "full"))


@app.add(
    "compare",
    *("run_to_show", "by", "metrics", "control", "unpaired", "models", "full", "as_csv", *WORK),
    examples=("kd compare --full", "kd compare --by class", "kd compare --metric brier --control hard"),
)
def compare(call: Call) -> None:
    """Compare students with their control, with confidence intervals: the evidence for distillation."""
    if call.options.as_csv and call.options.as_json:
        raise UsageError("--csv and --json cannot be combined", "choose one of them")
    if call.options.as_csv and call.options.by:
        raise UsageError("--csv cannot be combined with --by", "use --json with --by")
    if call.options.by and (call.options.metrics or call.options.full):
        raise UsageError("--by compares accuracy only", "leave out --metric and --full")
    made = _compared_study(call) if call.options.run_to_show in call.store.studies() else _compared(call)
    if call.options.as_csv:
        print(made.csv(), end="")
    else:
        call.screen.show(made)


@app.add(
    "report",
    *("reported", "open_report", "jobs", *WORK),
    examples=("kd report", "kd report gaussians --open", "kd report STUDY"),
)
def report(call: Call) -> None:
    """Write one HTML file to share: the finding, the evidence, the figures, and how to reproduce it."""
    name = call.options.reported or call.store.chosen
    made = _reported_study(call, name) if name in call.store.studies() else _reported(call)
    call.screen.show(made)
    if call.options.open_report:
        typer.launch(str(made.path))


def _reported(call: Call) -> "Reported":
    from kdcli.stages.report import report as stage

    with call.working_on(call.store.existing_run(call.options.reported)) as experiment:
        return stage(experiment)


def _reported_study(call: Call, name: str) -> "Reported":
    from kdcli.runs.studies import Study
    from kdcli.sweeps.report import report_study as stage

    return stage(Study.open(StudyFolder(call.store, name)))
