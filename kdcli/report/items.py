"""The artefacts of a run and their states in words, as `kd show` and `kd check` report them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdcli.commands import spell
from kdcli.errors import joined
from kdcli.report.table import Cell, Emphasis
from kdcli.report.told import Line, Told
from kdcli.report.words import legible, place

if TYPE_CHECKING:
    from kdcli.runs.inventory import Item, KeptState

RESUMABLE = (
    "unfinished training; rerun the command to resume, unless it is still running (after a non-finite loss, "
    "with --keep-going):"
)
NEWER = "unfinished training by a newer kd; update kd to resume it:"
SPOILT = "not a valid training state; harmless, and safe to delete:"
LEFTOVERS = (
    "left by a command that was interrupted or is still running; harmless, and removed by the next one:"
)
DIFFERS = "differs"  # differs from the recipe, but is fresh otherwise
EMPHASIS: dict[str, Emphasis] = {"fresh": "good", "damaged": "bad"}  # "warning" for all others


def state_cell(item: Item) -> Cell:
    """Return the state of an artefact."""
    state = DIFFERS if item.differences else item.state
    return Cell(state, emphasis=EMPHASIS.get(state, "warning"))


def problems(items: Iterable[Item]) -> Iterator[Told]:
    """Explain why artefacts are not fresh or differ from the recipe, and what to do about it."""
    for item in items:
        if item.differences:
            yield Line(f"{item.name} differs from the recipe:", emphasis="warning")
            yield from (f"  {difference}" for difference in item.differences)
            if item.renew:
                yield Line(("  to follow the recipe: ", item.renew))
        if item.state == "fresh":
            continue
        yield Line(f"{item.name} is {item.state}:", emphasis=EMPHASIS.get(item.state, "warning"))
        yield from (f"  {legible(problem)}" for problem in item.problems)
        if item.mend:
            yield Line(joined("  to repair it: ", item.mend))


def training_states(states: Sequence[KeptState]) -> Iterator[Told]:
    """List the training states that can be resumed, and those that cannot."""
    kept = states_document(states)
    for key, words in (("resumable", RESUMABLE), ("newer", NEWER), ("spoilt", SPOILT)):
        yield from paths(kept[key], words)


def states_document(states: Sequence[KeptState]) -> dict[str, list[Path]]:
    """Return the paths of the training states, by whether they can be resumed."""
    readable = [state for state in states if not state.newer]
    return {
        "resumable": [state.path for state in readable if state.whole],
        "spoilt": [state.path for state in readable if not state.whole],
        "newer": [state.path for state in states if state.newer],
    }


def paths(files: Sequence[Path], words: str = LEFTOVERS) -> Iterator[Told]:
    """List paths below a line that says what they are; nothing if there are none."""
    if files:
        yield words
    yield from (f"  {place(path)}" for path in files)


def item_document(item: Item) -> dict[str, Any]:
    """Return an artefact's state for programs."""
    return {
        "name": item.name,
        "path": item.path,
        "state": item.state,
        "problems": item.problems,
        "differences": item.differences,
        "again": item.again and spell(item.again),
    }
