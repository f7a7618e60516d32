"""The names that the columns of a table may have."""

from __future__ import annotations

from collections.abc import Sequence

from kdcli.errors import KdError


def check_names(place: str, names: Sequence[str], otherwise: str) -> None:
    """Raise `KdError` for missing or equal names, or patterns; the hint also has the way out `otherwise`."""
    if twice := sorted({name for name in names if name and names.count(name) > 1}):
        raise KdError(f"{place}: two columns are called '{twice[0]}'", f"rename one of them; {otherwise}")
    if "" in names:
        number = names.index("") + 1
        index = " (an index that was saved with the table?)" if number == 1 else ""
        raise KdError(
            f"{place}: column {number} has no name{index}", f"name it in the file, or remove it; {otherwise}"
        )
    if patterns := [name for name in names if name.startswith("^") and name.endswith("$")]:
        # Polars would look for columns that match such a name.
        raise KdError(f"{place}: a column is called '{patterns[0]}', a pattern", f"rename it; {otherwise}")
