"""The scores that are recorded with every model, as soon as it is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdcli.metrics import measure
from kdcli.scored import Scored

if TYPE_CHECKING:
    from torch import Tensor

    from kdcli.runs.stored import Data


def scores_on_test(logits: Tensor, data: Data) -> dict[str, list[list[float]]]:
    """Score the logits `(draws, seeds, n, n_classes)` of test examples: each metric by draw and seed."""
    by_draw = [
        measure(Scored(of_draw, data.pool.labels("test", draw))) for draw, of_draw in enumerate(logits)
    ]
    return {name: [scores[name] for scores in by_draw] for name in by_draw[0]}
