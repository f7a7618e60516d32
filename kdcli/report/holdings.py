"""What the outputs folder holds: its runs, their artefacts and states, and what was deleted."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from kdcli.commands import spell, text
from kdcli.report.screen import Screen, place, readable_size

if TYPE_CHECKING:
    from kdcli.runs.inventory import Item, KeptState
    from kdcli.stages.check import Checked
    from kdcli.stages.delete import Doomed, RunDeleted
    from kdcli.stages.runs import RunsListed
    from kdcli.stages.show import RunShown
    from kdcli.stages.use import RunUsed

RESUMABLE = (
    "of a training that was cut off, or still works; the same command goes on from it (after a loss that "
    "stopped being a finite number, with --keep-going):"
)
SPOILT = "is no state of a training, or not any more; harmless, and yours to remove:"
NEWER = "of a training by a newer kd, which may go on from it; update kd:"
DIFFERS = "differs"  # from the recipe, and is fresh otherwise
STYLES = {
    "fresh": "green",
    DIFFERS: "yellow",
    "stale": "yellow",
    "damaged": "bold red",
    "unfinished": "yellow",
    "older": "yellow",
    "newer": "yellow",
}


def run_shown(screen: Screen, made: "RunShown") -> None:
    """Tell what `kd show` found."""
    current = ", the current one" if made.current else ""
    screen.say(f"run {made.run}{current}: {place(made.path)}, {readable_size(made.extent.size)}")
    table = Table("artefact", "state")
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("made", no_wrap=True)
    table.columns[0].overflow = "fold"
    table.columns[1].no_wrap = True
    for item, count in zip(made.items, made.sizes, strict=True):
        table.add_row(
            _described(item),
            Text(_state(item), style=STYLES[_state(item)]),
            readable_size(count),
            _minute(item.meta.created) if item.meta else "",
        )
    screen.table(table)
    if made.files:
        files = Table("file")
        files.add_column("size", justify="right", no_wrap=True)
        files.add_column("written", no_wrap=True)
        for file in made.files:
            name = _legible(str(file.path.relative_to(made.path)))
            files.add_row(Text(name), readable_size(file.extent.size), _minute(_iso(file.extent.written)))
        screen.table(files)
    _problems(screen, made.items)
    _kept(screen, made.states)
    _left(screen, made.leftovers)
    screen.document(
        {
            "run": made.run,
            "path": made.path,
            "current": made.current,
            "size": made.extent.size,
            "artefacts": [
                {
                    **_checked_item(item),
                    "parents": list(item.meta.parents) if item.meta else [],
                    "config": item.meta.config if item.meta else None,
                    "size": count,
                    "created": item.meta.created if item.meta else None,
                }
                for item, count in zip(made.items, made.sizes, strict=True)
            ],
            "files": [
                {"path": file.path, "size": file.extent.size, "written": _iso(file.extent.written)}
                for file in made.files
            ],
            **_kept_document(made.states),
            "leftovers": made.leftovers,
        }
    )


def _described(item: "Item") -> Text:
    """Name an artefact, and say below what it is and what it was made from."""
    made_from = " and ".join(item.meta.parents) if item.meta else ""
    lines = [item.words, f"from {made_from}" if made_from else ""]
    below = [Text(line, style="dim") for line in lines if line]
    return Text("\n").join([Text(item.name, style="bold"), *below])


def runs_listed(screen: Screen, made: "RunsListed") -> None:
    """Tell what `kd runs` found."""
    if made.runs:
        table = Table("", "run", "dataset")
        table.add_column("teacher", overflow="fold")
        for column in ("sets", "size"):
            table.add_column(column, justify="right", no_wrap=True)
        table.add_column("last written", no_wrap=True)
        table.columns[1].overflow = "fold"
        table.columns[2].no_wrap = True
        for run in made.runs:
            table.add_row(
                "*" if run.current else "",
                Text(run.name, style="bold" if run.current else ""),
                Text(run.dataset),
                Text(run.teacher),
                str(run.student_sets),
                readable_size(run.extent.size),
                _minute(_iso(run.extent.written)),
            )
        screen.table(table)
        if any(run.current for run in made.runs):
            screen.say("* the current run: commands work on it unless --run or KD_RUN names another")
    else:
        screen.say(f"there are no runs in {place(made.path)}; `{spell(made.start)}` makes one")
    if made.problem:
        screen.say(made.problem)
    for run in made.runs:
        if run.problem:
            screen.say(f"{run.name}: {run.problem}")
    screen.document(
        {
            "path": made.path,
            "current": next((run.name for run in made.runs if run.current), None),
            "runs": [
                {
                    "name": run.name,
                    "path": run.path,
                    "current": run.current,
                    "dataset": run.dataset or None,
                    "teacher": run.teacher or None,
                    "student_sets": run.student_sets,
                    "size": run.extent.size,
                    "written": _iso(run.extent.written),
                    "problem": run.problem or None,
                }
                for run in made.runs
            ],
            "problem": made.problem or None,
        }
    )


def to_be_deleted(screen: Screen, doomed: "Doomed") -> str:
    """Tell what is lost with a run; returns the question that is to be answered."""
    held = ["its data and teacher" if doomed.teacher else "its data"]
    if count := len(doomed.student_sets):
        held.append(f"{count} student set{'' if count == 1 else 's'}")
    held.append("its recipe, figures and reports")
    screen.say(f"run {doomed.run.name}: {place(doomed.run.path)}, {readable_size(doomed.extent.size)}")
    screen.say(f"with it go {', '.join(held)}")
    if doomed.current:
        screen.say("it is the current run")
    return f"delete run {doomed.run.name}, {readable_size(doomed.extent.size)}, for good?"


def run_deleted(screen: Screen, made: "RunDeleted") -> None:
    """Tell what `kd delete` did."""
    screen.say(f"deleted run {made.run}: {readable_size(made.size)}")
    if made.was_current:
        screen.say("no run is current now; `kd use RUN` makes one current")
    screen.document({"run": made.run, "path": made.path, "size": made.size, "was_current": made.was_current})


def run_used(screen: Screen, made: "RunUsed") -> None:
    """Tell what `kd use` did."""
    if made.before == made.run:
        screen.say(f"run {made.run} is the current one already: {place(made.path)}")
    else:
        was = f", in place of {made.before}" if made.before else ""
        screen.say(f"run {made.run} is the current one now{was}: {place(made.path)}")
    if made.elsewhere:
        screen.say(f"but KD_RUN names run {made.elsewhere}, and commands of this shell work on that")
    screen.document({"run": made.run, "path": made.path, "before": made.before or None})


def checked(screen: Screen, made: "Checked") -> None:
    """Tell what `kd check` found."""
    if not made.runs:
        screen.say(f"there are no runs in {place(made.path)}; `{spell(made.start)}` makes one")
    for run in made.runs:
        screen.say(f"run {run.run}")
        for item in run.artefacts:
            screen.say(f"  {_state(item):<10}  {item.name}")
        _problems(screen, run.artefacts)
        _kept(screen, run.states)
        _left(screen, run.leftovers)
    _left(screen, made.leftovers, "left of what was being deleted or written; harmless, and yours to remove:")
    if made.problem:
        screen.say(f"damaged: {made.problem}; any `kd gen-data` writes it anew")
    if made.runs:
        newer = f"; {made.newer} of a newer kd could not be checked" if made.newer else ""
        newer += f"; {made.older} of an earlier kd could not be checked" if made.older else ""
        screen.say((f"{made.damaged} damaged" if made.damaged else "nothing is damaged") + newer)
    screen.document(
        {
            "runs": [
                {
                    "run": run.run,
                    "artefacts": [_checked_item(item) for item in run.artefacts],
                    **_kept_document(run.states),
                    "leftovers": run.leftovers,
                }
                for run in made.runs
            ],
            "problems": [made.problem] if made.problem else [],
            "leftovers": made.leftovers,
            "damaged": made.damaged,
            "older": made.older,
            "newer": made.newer,
        }
    )


def _checked_item(item: "Item") -> dict[str, Any]:
    return {
        "name": item.name,
        "path": item.path,
        "state": item.state,
        "problems": item.problems,
        "differences": item.differences,
        "again": item.again and spell(item.again),
    }


def _state(item: "Item") -> str:
    return DIFFERS if item.differences else item.state


def _problems(screen: Screen, items: "Sequence[Item]") -> None:
    """Say of everything that is not fresh, or not as the recipe says, why, and what mends it."""
    for item in items:
        if item.differences:
            screen.say(f"{item.name} differs from the recipe:", style=STYLES[DIFFERS])
            for difference in item.differences:
                screen.say(f"  {difference}")
            if item.renew:
                screen.say(f"  to make it as the recipe says: `{spell(item.renew)}`")
        if item.state == "fresh":
            continue
        screen.say(f"{item.name} is {item.state}:", style=STYLES[item.state])
        for problem in item.problems:
            screen.say("  " + _legible(problem))
        if item.mend:
            screen.say("  to mend it: " + _legible(text(item.mend)))


def _kept(screen: Screen, states: "Sequence[KeptState]") -> None:
    """Name what trainings can go on from, and what they cannot."""
    kept = _kept_document(states)
    for key, words in (("resumable", RESUMABLE), ("newer", NEWER), ("spoilt", SPOILT)):
        _left(screen, kept[key], words)


def _kept_document(states: "Sequence[KeptState]") -> dict[str, Any]:
    older = [state for state in states if not state.newer]
    return {
        "resumable": [state.path for state in older if state.whole],
        "spoilt": [state.path for state in older if not state.whole],
        "newer": [state.path for state in states if state.newer],
    }


def _left(
    screen: Screen,
    leftovers: Sequence[Path],
    words: str = "left by a command that was cut off or still works; harmless, and cleared up by the next:",
) -> None:
    if leftovers:
        screen.say(words)
    for path in leftovers:
        screen.say("  " + _legible(place(path)))


def _legible(text: str) -> str:
    """Return a text that can be printed, whatever bytes a file's name has."""
    return text.encode("utf-8", "replace").decode()


def _iso(seconds: float) -> str:
    """Return a time of the file system as `meta.json` writes times."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _minute(written: str) -> str:
    """Return a time as the clock here shows it; one that cannot be read as it is."""
    try:
        return datetime.fromisoformat(written).astimezone().strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError):
        return _legible(written[:16])
