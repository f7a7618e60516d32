"""The commands that show and manage runs, and those that show recipes and words."""

from typing import TYPE_CHECKING

import typer

from kdcli.cli.calls import Call
from kdcli.cli.options import SCREEN, STORE, WORK
from kdcli.cli.using import app
from kdcli.errors import Command, UsageError
from kdcli.report import Screen, asks

__all__ = ["app"]

if TYPE_CHECKING:
    from kdcli.stages.delete import Doomed


@app.add("show", "run_to_show", *STORE, examples=("kd show", "kd show gaussians", "kd show --json"))
def show_run(call: Call) -> None:
    """Show what a run holds and its state, with the commands that update what is out of date."""
    from kdcli.stages.show import show_run as stage

    run = call.store.existing_run(call.options.run_to_show)
    call.screen.show(stage(call.opened(run)))


@app.add("runs", "study_to_list", *STORE, examples=("kd runs", "kd runs noise", "kd runs --json"))
def runs(call: Call) -> None:
    """List the runs in the outputs folder, or the runs of a study with their progress."""
    from kdcli.stages.runs import list_runs
    from kdcli.sweeps.listing import list_study

    study = call.options.study_to_list
    call.screen.show(list_study(call.store, study) if study else list_runs(call.store))


@app.add("check", "run_to_check", *STORE, examples=("kd check", "kd check gaussians", "kd check --json"))
def check(call: Call) -> None:
    """Verify every stored file against its digest; the exit code is 1 unless all files are intact."""
    from kdcli.stages.check import check as stage

    made = stage(call.store, call.options.run_to_check)
    call.screen.show(made)
    if made.damaged or made.older or made.newer:
        raise typer.Exit(1)


@app.add(
    "delete",
    *("run_to_delete", "yes", *WORK),
    examples=("kd delete gaussians", "kd delete gaussians --yes", "kd delete small --outputs elsewhere"),
)
def delete(call: Call) -> None:
    """Delete a run or study and everything in it, after confirmation."""
    from kdcli.stages.delete import delete_run as stage
    from kdcli.stages.delete import to_delete, weigh

    name = call.options.run_to_delete
    if name is None:
        raise UsageError("name the run to delete", ("for example ", Command("delete", ("gaussians",))))
    run = to_delete(call.store, name)
    if not call.options.yes:
        _confirm(call.screen, weigh(run))
    with call.working_on(run):
        made = stage(weigh(run))
    call.screen.show(made)


def _confirm(screen: Screen, doomed: "Doomed") -> None:
    """Ask before deleting, and exit unless the answer is yes; `UsageError` if nobody can answer."""
    if screen.as_json or not asks():
        run = doomed.run
        raise UsageError(
            f"deleting {doomed.kind} {run.name} needs confirmation",
            (run.store.command("delete", run.name, yes=True), " deletes it without asking"),
        )
    screen.tell(*doomed.told())
    if not screen.confirmed(doomed.question):
        screen.say("nothing was deleted")
        raise typer.Exit(1)


@app.add(
    "use",
    *("run_to_use", *STORE),
    examples=("kd use gaussians", "kd use gaussians --quiet", "kd use small --outputs elsewhere"),
)
def use(call: Call) -> None:
    """Make a run the current one, which commands work on unless --run or KD_RUN names another."""
    from kdcli.stages.use import use as stage

    call.screen.show(stage(call.store, call.options.run_to_use))


@app.add(
    "recipe",
    *("any_recipe", *SCREEN),
    examples=("kd recipe", "kd recipe moons", "kd recipe mnist-few > mine.toml"),
)
def show_recipe(call: Call) -> None:
    """Print a recipe with the meaning, range and default of every key, as a file to start from."""
    from kdcli.stages.recipe import recipe as stage

    call.screen.show(stage(call.options.any_recipe))


@app.add(
    "explain",
    *("term", *SCREEN),
    examples=("kd explain", "kd explain temperature scaling", "kd explain inconclusive --json"),
)
def explain(call: Call) -> None:
    """Explain a term that kd uses, such as a metric, a target or a verdict, or list all terms."""
    from kdcli.stages.explain import explain as stage

    call.screen.show(stage(call.options.term))
