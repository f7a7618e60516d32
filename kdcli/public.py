"""The public Python interface: a run, its student sets, and models that predict; see `kdcli.open_run`.

Names and arguments here are kept stable. Predictions follow the conventions of scikit-learn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kdcli.commands import text
from kdcli.data import SPLITS
from kdcli.data.tables.applying import rows_as_table
from kdcli.errors import KdError, UsageError, unknown
from kdcli.runs.experiment import Experiment
from kdcli.runs.predictor import Predictor
from kdcli.runs.stored import Data, Trained, TrainedStudents
from kdcli.stages.compare import compare
from kdcli.stages.export import export
from kdcli.store import Store
from kdcli.words import named_seed

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

    from kdcli.models.stack import Stack

    Rows = ArrayLike | pl.DataFrame | Sequence[Mapping[str, Any]]


TEXT = "x has values that are not numbers: pass rows of a table as a DataFrame or a list of dicts"


@contextmanager
def _hints_as_text() -> Iterator[None]:
    """Turn the hint of an error, which may have commands, into text."""
    try:
        yield
    except KdError as error:
        error.hint = text(error.hint)
        raise


@dataclass(frozen=True)
class Model:
    """One trained model: a student, or a teacher.

    name       such as "students/soft-T4-mlp4, seed 0"
    classes_   (n_classes,) the names of the classes, in the order of the probabilities
    """

    name: str
    classes_: NDArray[np.str_]
    _data: Data = field(repr=False)
    _stack: Stack = field(repr=False)

    def predict_proba(self, x: Rows) -> NDArray[np.float64]:
        """Return class probabilities `(n, n_classes)`.

        `x` has rows as they are in a file, with named columns (a Polars or pandas DataFrame, or a list of
        dicts), or as an array of objects with the columns that models learn from, in order; or it has
        examples `(n, *features)`, unscaled as `OpenRun.split` returns them. Raises ValueError for examples
        with another shape, or with values that are not finite, and `KdError` for a missing column or a value
        that is not of the kind of its column.
        """
        logits = self._stack.predict(self._features(x))[0]
        probabilities: NDArray[np.float64] = logits.double().softmax(1).numpy()
        return probabilities

    @_hints_as_text()
    def _features(self, x: Rows) -> Tensor:
        import torch

        names = [encoded.name for encoded in self._data.description.encodings]
        if (table := rows_as_table(x, names)) is not None:
            return Predictor(self._data, self._stack, ()).features(table)
        examples = np.asarray(x)
        if examples.dtype != np.uint8:
            try:
                examples = examples.astype(np.float32)
            except (TypeError, ValueError):
                raise ValueError(TEXT) from None
        shape = self._data.features
        if examples.shape[1:] != shape or examples.ndim != len(shape) + 1:
            expected = ", ".join(("n", *map(str, shape)))
            raise ValueError(f"x must have the shape ({expected}), not {examples.shape}")
        if not np.isfinite(examples).all():
            raise ValueError("x has values that are not finite")
        return torch.from_numpy(examples)

    def predict(self, x: Rows) -> NDArray[np.str_]:
        """Return the most probable class of each example, by name, `(n,)`."""
        names: NDArray[np.str_] = self.classes_[self.predict_proba(x).argmax(1)]
        return names

    def fit(self, x: Rows, y: ArrayLike) -> Model:
        """Raise TypeError: `kd` trains models. Tools of scikit-learn require that the method exists."""
        raise TypeError("a model of a run is already trained; kd trains new ones")

    def __sklearn_tags__(self) -> Any:
        """Tell the displays of scikit-learn that this is a classifier."""
        from sklearn.utils import ClassifierTags, Tags, TargetTags

        return Tags("classifier", TargetTags(required=True), classifier_tags=ClassifierTags())

    def __sklearn_is_fitted__(self) -> bool:
        """Tell scikit-learn that this model is trained."""
        return True


@dataclass(frozen=True)
class Students:
    """The students of one set: one for each seed of each draw of the data.

    `settings` has their target and how they were trained, as `meta.json` records it.
    """

    name: str
    settings: Mapping[str, Any]
    seeds: Sequence[int]
    _trained: TrainedStudents = field(repr=False)

    @_hints_as_text()
    def student(self, seed: int = 0, draw: int = 0) -> Model:
        """Return the student of a seed and a draw; raises `UsageError` if the set has none."""
        draws = self._trained.experiment.data.draws
        if seed not in self.seeds:
            raise UsageError(f"{self.name} has no seed {seed}", f"seeds: {', '.join(map(str, self.seeds))}")
        _check_draw(draw, draws)
        member = self._trained.member(self._stack, self.seeds.index(seed), draw)
        return _model(f"{self._trained.name}, {named_seed(seed, draw, draws)}", self._trained, member)

    @_hints_as_text()
    def best(self, draw: int = 0) -> Model:
        """Return the student of a draw with the lowest NLL on its validation examples."""
        _check_draw(draw, self._trained.experiment.data.draws)
        return self.student(Predictor.of(self._trained, draw=draw).seeds[0], draw)

    @property
    @_hints_as_text()
    def metrics(self) -> Mapping[str, Sequence[Sequence[float]]]:
        """Scores on the test split by metric, a value for each draw and seed."""
        return self._trained.metrics

    @cached_property
    def _stack(self) -> Stack:
        return self._trained.load_model()


class _Sets(dict[str, Students]):
    """Student sets by name; an unknown name raises an error with the nearest one."""

    def __missing__(self, name: str) -> Students:
        raise unknown("student set", name, self)


class OpenRun:
    """A run: its data, its teacher, and its students; there is one teacher for each draw of the data."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment

    @classmethod
    @_hints_as_text()
    def open(cls, name: str | None, outputs: Path | None) -> OpenRun:
        """Open a run (see `kdcli.open_run`)."""
        return cls(Experiment.open(Store(outputs).existing_run(name)))

    @property
    def name(self) -> str:
        """The run's name."""
        return self._experiment.run.name

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self._experiment.run.path

    @property
    @_hints_as_text()
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self._experiment.data.description.classes

    @property
    @_hints_as_text()
    def feature_names(self) -> tuple[str, ...]:
        """The names of the features; empty for pixels."""
        return self._experiment.data.description.feature_names

    @property
    @_hints_as_text()
    def draws(self) -> int:
        """Number of draws of the data."""
        return self._experiment.data.draws

    @_hints_as_text()
    def split(self, name: str, draw: int = 0) -> tuple[NDArray[Any], NDArray[np.str_]]:
        """Return x `(n, *features)` and the classes of its examples, by name, `(n,)`.

        `name` is "train", "val" or "test"; raises `UsageError` for any other, and for a draw that does not
        exist.
        """
        if name not in SPLITS:
            raise unknown("split", name, SPLITS)
        _check_draw(draw, self.draws)
        split = self._experiment.data.pool.split(name, draw)
        return split.x.numpy(), np.array(self.classes)[split.y.numpy()]

    @cached_property
    def teacher(self) -> Model:
        """The teacher of draw 0; raises `KdError` if there is none, or if it is stale."""
        return self.teacher_of(0)

    @_hints_as_text()
    def teacher_of(self, draw: int) -> Model:
        """Return the teacher of a draw; raises `UsageError` if there is no such draw, else as `teacher`."""
        trained = self._experiment.teacher
        _check_draw(draw, self.draws)
        member = trained.member(trained.load_model(), 0, draw)
        return _model("teacher" if draw == 0 else f"teacher of draw {draw}", trained, member)

    @cached_property
    @_hints_as_text()
    def student_sets(self) -> dict[str, Students]:
        """The student sets that are not stale, by the names of their folders, in their usual order.

        Any other name raises `UsageError`.
        """
        return _Sets(
            (trained.folder, Students(trained.folder, trained.set.to_record(), trained.set.seeds, trained))
            for trained in self._experiment.students()
            if not trained.stale
        )

    @_hints_as_text()
    def student(self, name: str, draw: int = 0) -> Model:
        """Return the student of a set that has the lowest NLL on a draw's validation examples.

        `name` is that of the set's folder, such as "soft-T4-mlp4"; raises `UsageError` for any other.
        """
        return self.student_sets[name].best(draw)

    @_hints_as_text()
    def compare(
        self,
        *,
        models: Sequence[str] = (),
        metrics: Sequence[str] = (),
        control: str | None = None,
        unpaired: bool = False,
    ) -> dict[str, Any]:
        """Compare the students with their controls; returns and writes what `kd compare --json` prints.

        The options and the errors are those of the command.
        """
        with self._experiment.run.locked():
            made = compare(
                self._experiment, models=models, metrics=metrics, control=control, unpaired=unpaired
            )
        return made.document()

    @_hints_as_text()
    def export(self, name: str | None = None, file_format: str = "python", **options: Any) -> dict[str, Any]:
        """Export a student as one file; returns what `kd export --json` prints.

        The `options` `out`, `encoded`, `seed` and `draw` are those of the command, and so are the errors.
        """
        with self._experiment.run.locked():
            return export(self._experiment, name, file_format=file_format, **options).document()


def _check_draw(draw: int, draws: int) -> None:
    """Raise `UsageError` unless there is such a draw."""
    if type(draw) is not int or draw not in range(draws):
        hint = f"draws: 0 to {draws - 1}" if draws > 1 else "the only draw is 0"
        raise UsageError(f"there is no draw {draw}", hint)


def _model(name: str, trained: Trained[Any], member: Stack) -> Model:
    data = trained.experiment.data
    return Model(name, np.array(data.description.classes), data, member)
