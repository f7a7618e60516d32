"""The kinds of work that worker processes do for the stages."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from kdcli import workers
from kdcli.workers import Result, Tell


def start(*, drawing: bool = False) -> None:
    """Start the server of workers before libraries are used that do not survive a fork.

    For `drawing`, it imports Matplotlib in advance.
    """
    workers.start({"train": _train, "draw": _draw}, _import_canvas if drawing else None)


def _train(task: Any, shared: Mapping[str, Tensor], tell: Tell) -> Result:
    from kdcli.training.parts import train_part

    return train_part(task, shared, tell)


def _draw(task: Any, shared: Mapping[str, Tensor], tell: Tell) -> Result:
    from kdcli.report.drawing import draw_part

    return draw_part(task, shared, tell)


def _import_canvas() -> None:
    import matplotlib.backends.backend_agg
    import matplotlib.figure  # noqa: F401
