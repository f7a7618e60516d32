"""Model outputs on the test splits and on validation examples, with the labels to score them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

from torch import Tensor

from kdcli.data import Description
from kdcli.metrics import METRICS
from kdcli.runs.stored import Data, TrainedStudents, TrainedTeacher
from kdcli.scaling import temperature
from kdcli.scored import Scored
from kdcli.stats import Draws


def draws_of(description: Description) -> Draws:
    """Return how the draws of data with this description vary."""
    sizes = description.sizes
    overlap = sizes["test"] / sizes["train"] if description.drawing == "split" else 0.0
    return Draws(overlap, shared_test=description.drawing == "test kept")


def bayes_on_test_splits(data: Data) -> list[Scored] | None:
    """Score the exact posterior on the test split of each draw; None if it is unknown."""
    import torch

    pool = data.pool
    if pool.posterior is None:
        return None
    exact = pool.posterior[pool.index["test"]].log().unsqueeze(1)
    return on_test_splits(data, exact, scaling=[torch.ones(1, dtype=torch.float64)] * len(exact))


def on_test_splits(
    data: Data, logits: Tensor, teacher: Tensor | None = None, scaling: Sequence[Tensor] | None = None
) -> list[Scored]:
    """Return the outputs on the test split of each draw, with the labels and references to score them.

    Shapes: `logits (draws, seeds, n, n_classes)`, those of the `teacher (draws, n, n_classes)`, and for each
    draw the temperatures `scaling (seeds,)`.
    """
    splits = (data.pool.split("test", draw) for draw in range(len(logits)))
    return [
        Scored(
            logits[draw],
            test.y,
            None if teacher is None else teacher[draw],
            test.posterior,
            None if scaling is None else scaling[draw],
        )
        for draw, test in enumerate(splits)
    ]


def scaling_of_students(data: Data, trained: TrainedStudents) -> list[Tensor]:
    """Return for each draw the temperatures that calibrate students on validation examples, `(seeds,)`."""
    return _scaling(data, _of_validation(data, trained))


def scaling_of_teacher(data: Data, teacher: TrainedTeacher) -> list[Tensor]:
    """Return for each draw the temperature that calibrates the teacher on validation examples, `(1,)`."""
    return _scaling(data, teacher.logits["val"].unsqueeze(1))


def on_validation(data: Data, trained: TrainedStudents, name: str) -> float:
    """Return the mean of a metric over the seeds and draws of a set, on validation examples."""
    return mean_on_validation(data, _of_validation(data, trained), name)


def mean_on_validation(data: Data, logits: Iterable[Tensor], name: str) -> float:
    """Return the mean of a metric, given the logits on the validation examples of each draw."""
    return fmean(
        float(METRICS[name].values(Scored(of_draw, data.pool.labels("val", draw))).mean())
        for draw, of_draw in enumerate(logits)
    )


def _of_validation(data: Data, trained: TrainedStudents) -> Tensor:
    """Return the logits of students on the validation examples, `(draws, seeds, n, n_classes)`."""
    logits = trained.load_model().predict(data.pool.x, data.pool.index["val"])
    return logits.view(data.draws, -1, *logits.shape[1:])


def _scaling(data: Data, logits: Tensor) -> list[Tensor]:
    return [temperature(of_draw, data.pool.labels("val", draw)) for draw, of_draw in enumerate(logits)]
