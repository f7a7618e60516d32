"""The columns of an answer that are named after classes."""

from collections.abc import Sequence

from kdcli.errors import KdError


def class_columns(names: Sequence[str], classes: Sequence[str], who: str) -> list[int] | None:
    """Return the places of the columns of probabilities, by their names; None if none is named after a class.

    A column is named `p_yes` or `yes`, for the class yes. Of two classes the second alone will do. Raises
    `KdError` if other classes have no column, or if one has several.
    """
    prefixed = [f"p_{name}" for name in classes]
    for wanted in (prefixed, list(classes)):
        if {*wanted} <= {*names}:
            if twice := [name for name in wanted if names.count(name) > 1]:
                raise KdError(f"{who} gives the column '{twice[0]}' twice", "each class has one column")
            return [names.index(name) for name in wanted]
    for first, second in (prefixed, classes) if len(classes) == 2 else ():
        if names.count(second) == 1 and first not in names:
            return [names.index(second)]
    missing = [name for name in classes if name not in names and f"p_{name}" not in names]
    if len(missing) < len(classes):
        raise KdError(
            f"{who} gives columns of some classes, and none of {', '.join(missing) or 'the others'}",
            f"columns: {', '.join(prefixed)}",
        )
    return None
