"""Finds the columns of a table that have a teacher's answers: by the names of the classes, else by order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from kdcli.errors import KdError
from kdcli.words import listed

PLAIN = ""
LOGIT = "logit_"
PREFIXES = ("p_", "prob_", "proba_", "probability_")
LABELS = {
    *("prediction", "predicted", "predict", "pred", "label", "class", "target"),
    *("predicted_label", "predicted_class", "pred_label", "pred_class", "y_pred", "y_true", "y"),
}
PLACES = re.compile(r"column[ _]?\d+")  # generic names
SHOWN = 10  # columns that a message names


class Answers(NamedTuple):
    """Columns with answers: one for each class, or one for the second of two (the first if `reversed`).

    `note` says which columns were matched to classes of other names.
    """

    columns: tuple[str, ...]
    reversed: bool = False
    note: str = ""


def answer_columns(
    columns: Sequence[str], classes: Sequence[str], named: str, *, logits: bool, passed: Sequence[str] = ()
) -> Answers:
    """Find the columns with the answers for these classes among the candidate columns.

    Raises `KdError` if there are none, or if several could be meant; it also names the columns `passed` over.
    """
    for find in (_by_names, _by_numbers, _by_name_of_one):
        candidates = {
            prefix: answers
            for prefix in (PLAIN, *PREFIXES, LOGIT)
            if (answers := find(columns, prefix, classes)) is not None
        }
        if candidates:
            return candidates[_preferred(candidates, named, logits)]
    rest = [name for name in columns if name.casefold() not in LABELS or len(columns) == 1]
    named_alike = any(
        _named(columns, prefix, name) for prefix in (*PREFIXES, LOGIT, PLAIN) for name in classes
    )
    if not named_alike and (len(rest) == len(classes) or (len(rest), len(classes)) == (1, 2)):
        return Answers(tuple(rest), note=_note(rest, classes[-len(rest) :]))
    others = f", apart from {_some(passed)}, skipped as index, id or labels" if passed else ""
    raise KdError(
        f"{named} has no column for each class; its columns are {_some(columns)}{others}",
        f"name columns {_some([f'p_{name}' for name in classes])}, or give only these, in this order",
    )


def _by_names(columns: Sequence[str], prefix: str, classes: Sequence[str]) -> Answers | None:
    """Find a column for each class."""
    names = [_name_of_class(columns, prefix, name, classes) for name in classes]
    return Answers(tuple(names)) if all(names) else None


def _by_numbers(columns: Sequence[str], prefix: str, classes: Sequence[str]) -> Answers | None:
    """Find columns that are numbered from 0 in the order of the classes, as pandas names them by default."""
    *names, more = [_named(columns, prefix, str(k)) for k in range(len(classes) + 1)]
    clear = not more and all(len(alike) == 1 for alike in names)
    return Answers(tuple(name for (name,) in names)) if clear else None


def _by_name_of_one(columns: Sequence[str], prefix: str, classes: Sequence[str]) -> Answers | None:
    """Find a column for one of two classes."""
    if len(classes) != 2:
        return None
    names = [_name_of_class(columns, prefix, name, classes) for name in classes]
    return next((Answers((name,), reversed=k == 0) for k, name in enumerate(names) if name), None)


def _name_of_class(columns: Sequence[str], prefix: str, name: str, classes: Sequence[str]) -> str:
    """Return the column of a class; empty if there is none, or if several differ only in case."""
    alike = _named(columns, prefix, name)
    exact = [column for column in alike if column[len(prefix) :] == name]
    ambiguous = len(alike) > 1 or sum(other.casefold() == name.casefold() for other in classes) > 1
    return exact[0] if len(exact) == 1 else "" if ambiguous else "".join(alike)


def _named(columns: Sequence[str], prefix: str, name: str) -> list[str]:
    """Return the columns with this name, ignoring case."""
    return [column for column in columns if column.casefold() == (prefix + name).casefold()]


def _preferred(candidates: dict[str, Answers], named: str, logits: bool) -> str:
    """Return the prefix of the columns to use; raises `KdError` if several could be meant."""
    if LOGIT in candidates and (logits or len(candidates) == 1):
        if not logits:
            columns = _some(candidates[LOGIT].columns)
            raise KdError(
                f"{named} has logits, by the names of its columns: {columns}", "read them with --logits"
            )
        return LOGIT
    prefixes = [prefix for prefix in PREFIXES if prefix in candidates]
    if len(prefixes) > 1:
        columns = _some([candidates[prefix].columns[0] for prefix in prefixes])
        raise KdError(f"{named} has several columns for a class: {columns}", "keep only one in the file")
    return prefixes[0] if prefixes else PLAIN


def _note(columns: Sequence[str], classes: Sequence[str]) -> str:
    if all(PLACES.fullmatch(name) for name in columns):
        return ""
    if len(columns) == 1:
        return f"its column {columns[0]} is read as the class {classes[0]}"
    return f"its columns {_some(columns)} are read as the classes {_some(classes)}, in this order"


def _some(names: Sequence[str]) -> str:
    """List names, only the first if there are many."""
    more = ["…"] if len(names) > SHOWN else []
    return listed([*names[:SHOWN], *more]) if names else "none"
