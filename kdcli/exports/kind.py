"""What a format of exports is, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from kdcli.data.tables.encoding import Encoded
    from kdcli.models.stack import Stack


@dataclass(frozen=True)
class Exported:
    """One student that leaves.

    who      the student, such as "soft-T1-tree-leaves8, seed 4, of run churn"
    taught   what it was taught, such as "soft, T = 1"
    classes  their names, in the order of the class indices
    columns  how the columns of rows become features, in their order
    fills    whether rows may lack values, for which the middle of their column stands
    stack    the student, a stack of one member
    x        features of its training rows, (n, features)
    """

    who: str
    taught: str
    classes: Sequence[str]
    columns: Sequence[Encoded]
    fills: bool
    stack: Stack
    x: Tensor


@dataclass(frozen=True)
class FormatKind:
    """A format: what it is, how its files end, what it writes, and why it cannot write a student, or ""."""

    summary: str
    suffix: str
    write: Callable[[Exported], str]
    obstacle: Callable[[Exported], str]
