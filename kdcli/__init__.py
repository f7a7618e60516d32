"""kd: knowledge distillation in the terminal, with the evidence for whether it helped.

From Python, on runs that `kd` made:

>>> import kdcli
>>> run = kdcli.open_run("gaussians")
>>> sorted(run.student_sets)
['bayes-mlp4', 'bayes-soft-mlp4', 'hard-mlp4', 'labels-mlp4', 'soft-T4-mlp4']
>>> student = run.student_sets["soft-T4-mlp4"].student(seed=0)
>>> student.predict_proba([[2.0, 0.0], [-2.0, 1.0]]).shape
(2, 2)
>>> student.predict([[2.0, 0.0], [-2.0, 1.0]]).tolist()
['1', '0']
>>> comparison = run.compare()
>>> comparison["students"][0]["name"]
'labels-mlp4'
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kdcli.errors import KdError, UsageError
from kdcli.version import __version__

if TYPE_CHECKING:
    from kdcli.public import OpenRun

__all__ = ["KdError", "UsageError", "__version__", "open_run"]


def open_run(name: str | None = None, outputs: str | Path | None = None) -> OpenRun:
    """Open a run by its name; None is the default run of commands: KD_RUN, or else the current run.

    `outputs` is the folder that holds all runs; None is KD_OUTPUTS, or else `outputs` in the working folder.
    Raises `KdError` if there is no such run. The contents of the run are read on demand; loading them runs no
    code.
    """
    from kdcli.public import OpenRun

    return OpenRun.open(name, None if outputs is None else Path(outputs))
