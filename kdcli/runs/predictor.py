"""Predictions for the rows of a file, by students of a run with the preprocessing of its data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

from kdcli.data.tables.applying import applied
from kdcli.data.tables.encoding import Encoded
from kdcli.data.tables.reading import Table
from kdcli.errors import KdError, UsageError, unknown
from kdcli.runs.kinds import STUDENTS
from kdcli.runs.stored import Data, TrainedStudents
from kdcli.scored import Scored, nll

if TYPE_CHECKING:
    from torch import Tensor

    from kdcli.models.stack import Stack
    from kdcli.runs.experiment import Experiment


@dataclass(frozen=True)
class Predictor:
    """The students of some `seeds`, whose probabilities are averaged, and the preprocessing of their rows."""

    data: Data
    stack: Stack
    seeds: tuple[int, ...]

    @classmethod
    def of(
        cls, trained: TrainedStudents, *, seed: int | None = None, draw: int = 0, ensemble: bool = False
    ) -> Predictor:
        """Return the student of a seed in a draw, the best on validation for None, or all as an ensemble.

        Raises `UsageError` for a seed or a draw that the set does not have.
        """
        data, seeds, stack = trained.experiment.data, trained.set.seeds, trained.load_model()
        if draw not in range(data.draws):
            raise UsageError(f"there is no draw {draw}", f"draws: 0 to {data.draws - 1}")
        if seed is not None and seed not in seeds:
            raise UsageError(f"{trained.folder} has no seed {seed}", f"seeds: {', '.join(map(str, seeds))}")

        def students(chosen: Sequence[int]) -> Stack:
            tensors = stack.parameters_of([draw * len(seeds) + seeds.index(number) for number in chosen])
            return trained.model.restore(tensors, data.features, data.n_classes, len(chosen))

        if ensemble:
            return cls(data, students(seeds), tuple(seeds))
        if seed is None:
            seed = seeds[_best(students(seeds), data, draw)]
        return cls(data, students([seed]), (seed,))

    def log_p(self, x: Tensor) -> Tensor:
        """Return log-probabilities `(n, n_classes)` of examples `x (n, *features)`, computed in float64."""
        log_p = self._exact.predict(x).log_softmax(-1)
        mean: Tensor = log_p.logsumexp(0) - math.log(len(log_p))
        return mean

    @cached_property
    def _exact(self) -> Stack:
        """The students in float64: batch size and processor change only the last digits of their outputs."""
        return deepcopy(self.stack).double()

    @property
    def columns(self) -> Sequence[Encoded]:
        """The columns of rows; empty for images."""
        description = self.data.description
        if len(description.shape) != 1:
            return ()
        return description.encodings or [Encoded(name, "number") for name in self.data.point_names]

    def features(self, table: Table) -> Tensor:
        """Return the features `(n, features)` of rows, whose columns are matched by name.

        Raises `KdError` for a missing column, or a value of the wrong kind.
        """
        if not self.columns:
            raise KdError(f"{table.path.name} is a table, but the data are images", "name a folder of images")
        x = applied(table, self.columns)
        for point in () if self.data.description.encodings else self.columns:
            if (missing := table.frame.get_column(point.name).is_null().arg_true()).len():
                raise KdError(
                    f"{table.place(int(missing[0]))}: column '{point.name}' has no value", "give one"
                )
        return x


def students_of(experiment: Experiment, folder: str) -> TrainedStudents:
    """Return a student set; raises `UsageError` with the nearest name if there is none of this name."""
    there = [trained.folder for trained in experiment.students()]
    if not there:
        run = experiment.run
        raise KdError(f"run {run.name} has no students yet", ("train some with ", run.command("distill")))
    if folder not in there:
        raise unknown("student set", folder, there)
    return cast(TrainedStudents, experiment.fresh(f"{STUDENTS}/{folder}"))


def _best(stack: Stack, data: Data, draw: int) -> int:
    """Return the index of the student of a draw with the lowest NLL on its validation examples."""
    logits = stack.predict(data.pool.x, data.pool.index["val"][draw : draw + 1])
    return int(nll(Scored(logits, data.pool.labels("val", draw))).mean(1).argmin())
