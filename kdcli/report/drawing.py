"""Figures of a run: collects what they show from its artefacts, and draws them in worker processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from kdcli import workers
from kdcli.data.tables.encoding import placed
from kdcli.errors import KdError, Text
from kdcli.evidence.gather import Evidence
from kdcli.evidence.measures import estimate_metric
from kdcli.evidence.tested import bayes_on_test_splits, draws_of, on_test_splits
from kdcli.evidence.verdicts import by_group
from kdcli.figures import find_figure
from kdcli.figures.view import Curves, Difference, Examples, Reliability, Subject, View
from kdcli.metrics import METRICS, Metric, measure
from kdcli.report.figure_files import drawn
from kdcli.runs.experiment import Experiment
from kdcli.runs.stored import Data, Trained, TrainedStudents, TrainedTeacher
from kdcli.scored import BINS, Scored, bin_sums, confidences, hits, top_bins
from kdcli.store import Run, Store
from kdcli.workers import Result, Tell

if TYPE_CHECKING:
    TeacherLogits: TypeAlias = Callable[[], torch.Tensor | None]  # on the test split of each draw


def draw(
    run: Run,
    names: Sequence[str],
    compare: Callable[[], tuple[Sequence[str], Sequence[Difference]]],
    *,
    models: Sequence[str],
    file_format: str,
) -> dict[str, bytes]:
    """Draw figures in workers, and return the content of each file by the figure's name.

    `compare` is called while workers draw the figures in `names`. It returns the names of the figures that
    compare student sets, which are then drawn too, and the differences that these show.
    """
    common = {"outputs": str(run.store.root), "run": run.name, "models": list(models), "format": file_format}
    share = min(len(names), workers.jobs())
    tasks = [common | {"figures": list(names[k::share]), "differences": []} for k in range(share)]

    def compared() -> list[Any]:
        others, differences = compare()
        given = [asdict(difference) for difference in differences]
        return [common | {"figures": [name], "differences": given} for name in others]

    results = workers.do("draw", draw_part, tasks, {}, meanwhile=compared)
    return {name: bytes(file.numpy()) for result in results for name, file in result.tensors.items()}


def draw_part(task: Mapping[str, Any], shared: Mapping[str, torch.Tensor], tell: Tell) -> Result:
    """Draw some of a run's figures, in a worker or in this process; returns the bytes of each by its name."""
    experiment = Experiment.open(Store(Path(task["outputs"])).run(task["run"]))
    view, _ = collect(experiment, task["models"])
    view = replace(view, differences=lambda: [Difference(**given) for given in task["differences"]])
    kinds = {name: find_figure(name) for name in task["figures"]}
    files = {name: drawn(kind, kind.seen(view), task["format"]) for name, kind in kinds.items()}
    tensors = {name: torch.frombuffer(bytearray(file), dtype=torch.uint8) for name, file in files.items()}
    return Result(None, tensors)


def collect(
    experiment: Experiment, models: Sequence[str] = (), evidence: Callable[[], Evidence] | None = None
) -> tuple[View, dict[str, Text]]:
    """Collect what figures may show of a run, and why student sets are left out, by artefact.

    `models` selects students; empty selects all. Differences come from `evidence`, if it is given. Raises
    `KdError` if the data are missing, the data or the teacher are stale, or nothing is trained, and
    `UsageError` for a model that no student has.
    """
    data, run = experiment.data, experiment.run
    teacher = experiment.teacher if experiment.has_teacher else None
    sets = experiment.students(models)
    students = [trained for trained in sets if not trained.stale]
    if teacher is None and not students:
        raise KdError(
            f"run {run.name} has nothing to draw yet",
            ("train its teacher with ", run.command("train-teacher")),
        )
    omitted: dict[str, Text] = {
        trained.name: ("stale; ", trained.command.adding(force=True), " renews it")
        for trained in sets
        if trained not in students
    }
    taught: TeacherLogits = cache(lambda: teacher.logits["test"] if teacher else None)
    seed = _common_seed(students)
    view = replace(
        _view_of_data(data),
        teacher=_subject_of_teacher(teacher, data, taught) if teacher else None,
        teacher_logits=(lambda split: teacher.logits[split][0].numpy()) if teacher else None,
        students=[_subject_of_students(trained, data, taught, seed) for trained in students],
        seed=seed,
        differences=cache(lambda: _differences(evidence()) if students and evidence else []),
    )
    return view, omitted


def _common_seed(sets: Sequence[TrainedStudents]) -> int | None:
    """Return the first seed that all sets have; None if there is none."""
    seeds = [set(trained.set.seeds) for trained in sets]
    return min(set.intersection(*seeds), default=None) if seeds else None


def _view_of_data(data: Data) -> View:
    exact: Callable[[Any], Any] | None = None
    if (posterior := data.posterior) is not None:
        exact = lambda x: posterior(torch.from_numpy(x)).numpy()  # noqa: E731
    return View(
        run=data.heading,
        class_names=data.description.classes,
        feature_names=data.description.feature_names,
        splits={name: Examples(split.x.numpy(), split.y.numpy()) for name, split in data.splits.items()},
        posterior=exact,
        bayes=_bayes_scores(data),
        draws=data.draws,
        columns=_columns(data),
        drawing=data.description.drawing,
    )


def _columns(data: Data) -> dict[str, list[int]]:
    """Return the feature indices of each column; named features without columns count as one column each."""
    description = data.description
    if not description.standardise:
        return {}
    columns = {
        encoded.name: list(range(place.start, place.stop)) for encoded, place in placed(description.encodings)
    }
    return columns or {name: [k] for k, name in enumerate(description.feature_names)}


def _bayes_scores(data: Data) -> dict[str, Any] | None:
    """Score the exact posterior on each test split: no model can expect to beat it. None if unknown."""
    scored = bayes_on_test_splits(data)
    if scored is None:
        return None
    by_draw = [measure(of_draw) for of_draw in scored]
    return {name: np.array([scores[name][0] for scores in by_draw]) for name in by_draw[0]}


def _differences(evidence: Evidence) -> list[Difference]:
    """Return the comparisons of the evidence in the form that figures take."""
    differences = []
    for group, sets in by_group(evidence.students).items():
        for students in sets:
            for name, versus in students.versus.items():
                metric = METRICS[name]
                scale = 100 if metric.unit == "%" else 1
                mean, low, high = (
                    None if value is None else scale * value
                    for value in (versus.difference, *(versus.interval or (None, None)))
                )
                differences.append(
                    Difference(
                        group=group,
                        title=students.title,
                        metric=metric.title,
                        unit="percentage points" if metric.unit == "%" else metric.unit,
                        preferred=metric.better,
                        mean=mean,
                        low=low,
                        high=high,
                        verdict=versus.verdict,
                        nothing=not versus.seeds,
                        why=versus.why,
                        by_draw=[scale * difference for difference in versus.by_draw],
                    )
                )
    return differences


def _subject_of_teacher(teacher: TrainedTeacher, data: Data, taught: TeacherLogits) -> Subject:
    return _subject(teacher, data, taught, title="teacher", settings=teacher.record.to_record())


def _subject_of_students(
    students: TrainedStudents, data: Data, taught: TeacherLogits, seed: int | None
) -> Subject:
    """Return a student set for figures; where they show one student, it has this `seed`, else the first."""
    return _subject(
        students,
        data,
        taught,
        title=students.title,
        settings=students.set.to_record(),
        shown=students.set.seeds.index(seed) if seed is not None else 0,
        variant=students.set.variant(students.folder),
        partial=bool(students.set.lost),
    )


def _subject(
    trained: Trained[Any],
    data: Data,
    taught: TeacherLogits,
    *,
    title: str,
    settings: Mapping[str, Any],
    shown: int = 0,
    variant: str = "",
    partial: bool = False,
) -> Subject:
    """Return a teacher or a student set for figures; `shown` is the model to draw where they draw one."""
    member = cache(lambda: trained.member(trained.load_model(), shown))
    logits = cache(trained.load_tested)
    scored = cache(lambda: on_test_splits(data, logits(), taught()))

    def score(name: str) -> tuple[float, float, float]:
        metric: Metric = METRICS[name]
        return estimate_metric(metric, list(map(metric.values, scored())), draws_of(data.description))

    return Subject(
        title=title,
        model=str(trained.model),
        settings=settings,
        recorded={name: np.array(values) for name, values in trained.metrics.items()},
        logits=lambda: logits()[0].numpy(),
        predict=lambda x: member().predict(torch.from_numpy(x))[0].softmax(1).numpy(),
        score=cache(score),
        reliability=lambda: measure_reliability(scored(), _distinct_tests(data)),
        curves=cache(lambda: _curves(trained)),
        size=cache(lambda: trained.load_model().numbers()[1] if trained.is_kept else None),
        shown=shown,
        variant=variant,
        partial=partial,
        limited_by=trained.model.limited_by,
        askable=trained.is_kept,
    )


def _curves(trained: Trained[Any]) -> Curves | None:
    history = trained.load_history()
    if history is None:
        return None
    return Curves(**{name: curve.numpy() for name, curve in history.items()})


def _distinct_tests(data: Data) -> int:
    """Count the examples in the test splits of all draws, each once: draws may share some."""
    return len(np.unique(data.pool.index["test"].numpy()))


def measure_reliability(scored: Sequence[Scored], examples: int) -> Reliability:
    """Return the confidence and accuracy of the predictions of all draws, by bin.

    `examples` is the number of distinct test examples.
    """
    top, correct, bins = (
        torch.cat([values(of_draw).flatten() for of_draw in scored])
        for values in (confidences, hits, top_bins)
    )
    count, confidence, accuracy = (
        bin_sums(values, bins).numpy() for values in (torch.ones_like(top), top, correct)
    )
    (used,) = np.nonzero(count)
    count, confidence, accuracy = count[used], confidence[used], accuracy[used]
    means = {"confidence": confidence / count, "accuracy": accuracy / count}
    return Reliability(used / BINS, 1 / BINS, **means, count=count, each=len(top) / examples)
