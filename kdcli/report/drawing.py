"""Figures of a run: what they draw, collected from its artefacts, and drawing them in worker processes."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from kdcli import workers
from kdcli.errors import KdError
from kdcli.evidence.gather import Evidence, estimate_metric
from kdcli.evidence.verdicts import by_group
from kdcli.figures import find_figure
from kdcli.figures.view import Curves, Difference, Examples, Reliability, Subject, View
from kdcli.metrics import METRICS, Metric, Scored, bin_sums, hits, top_bins
from kdcli.runs.artefacts import Data, Trained, load_data, load_teacher
from kdcli.runs.student_sets import all_students, left_out, of_models, title, variant
from kdcli.store import Run, Store
from kdcli.training.loop import predict
from kdcli.workers import Result, Tell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    TeacherLogits: TypeAlias = Callable[[], torch.Tensor | None]

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def draw(
    run: Run,
    names: Sequence[str],
    compare: Callable[[], tuple[Sequence[str], Sequence[Difference]]],
    *,
    models: Sequence[str],
    file_format: str,
) -> dict[str, bytes]:
    """Draw figures in workers, and return the content of a file for each name.

    `compare` is called while workers draw the first: it returns the names of figures that compare student
    sets, which are drawn as well, and the differences that they show.
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
    run = Store(Path(task["outputs"])).run(task["run"])
    view, _ = collect(run, task["models"])
    view = replace(view, differences=lambda: [Difference(**given) for given in task["differences"]])
    files = {name: render(find_figure(name).draw(view), task["format"]) for name in task["figures"]}
    tensors = {name: torch.frombuffer(bytearray(file), dtype=torch.uint8) for name, file in files.items()}
    return Result(None, tensors)


def render(figure: Figure, file_format: str) -> bytes:
    """Return a figure as a file of this format: the same figure gives the same bytes."""
    from matplotlib import rc_context

    buffer = io.BytesIO()
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[file_format]
    with rc_context({"svg.hashsalt": "kd"}):  # ids that are not random
        figure.savefig(buffer, format=file_format, metadata=undated)
    return buffer.getvalue()


def collect(
    run: Run, models: Sequence[str] = (), evidence: Callable[[], Evidence] | None = None
) -> tuple[View, dict[str, str]]:
    """Collect what figures may draw of a run, and why student sets are left out, by artefact.

    The students are those of `models`, or all. Differences come from the `evidence`, where it is given.
    Raises `KdError` where the data are missing or the data or teacher are stale, or nothing is trained, and
    `UsageError` for a model that no student has.
    """
    data = load_data(run)
    teacher = load_teacher(run) if run.artefact("teacher").finished else None
    students, omitted = _fresh(of_models(all_students(run), models, run))
    if teacher is None and not students:
        raise KdError(
            f"run {run.name} has nothing to draw yet", f"train its teacher with `kd train-teacher{run.flag}`"
        )
    taught: TeacherLogits = cache(lambda: teacher.load_tested(data)[0] if teacher else None)
    seed = _common_seed(students)
    view = replace(
        _view_of_data(data),
        teacher=_subject(teacher, data, "teacher", "cross-entropy", taught) if teacher else None,
        teacher_logits=_teacher_logits(teacher, data) if teacher else None,
        students=[
            _subject(trained, data, title(trained.config, trained.artefact.path.name), "loss", taught, seed)
            for trained in students
        ],
        seed=seed,
        differences=cache(lambda: _differences(evidence()) if students and evidence else []),
    )
    return view, omitted


def _fresh(sets: Sequence[Trained]) -> tuple[list[Trained], dict[str, str]]:
    """Part student sets into those that can be drawn, and the stale, by artefact with the reason."""
    stale = {
        trained.artefact.name: f"stale; `{trained.again} --force` renews it"
        for trained in sets
        if trained.artefact.stale()
    }
    return [trained for trained in sets if trained.artefact.name not in stale], stale


def _common_seed(sets: Sequence[Trained]) -> int | None:
    """Return the first seed that all sets have; None if there is none."""
    seeds = [set(trained.config["seeds"]) for trained in sets]
    return min(set.intersection(*seeds), default=None) if seeds else None


def _view_of_data(data: Data) -> View:
    exact: Callable[[Any], Any] | None = None
    if (posterior := data.kind.posterior) is not None:
        exact = lambda x: posterior(data.config, torch.from_numpy(x)).numpy()  # noqa: E731
    return View(
        run=data.heading,
        class_names=data.description.classes,
        feature_names=feature_names(data.features),
        splits={name: Examples(split.x.numpy(), split.y.numpy()) for name, split in data.splits.items()},
        posterior=exact,
        bayes=data.bayes_scores(),
    )


def feature_names(features: Sequence[int]) -> list[str]:
    """Name the columns of examples of shape `features`: x₁, x₂ and so on; pixels have no names."""
    if len(features) != 1:
        return []
    return [f"x{k}".translate(SUBSCRIPTS) for k in range(1, features[0] + 1)]


def _teacher_logits(teacher: Trained, data: Data) -> Callable[[str], Any]:
    logits = cache(lambda: teacher.load_logits(data))
    return lambda split: logits()[split].numpy()


def _differences(evidence: Evidence) -> list[Difference]:
    """Return the comparisons of an evidence as a figure draws them."""
    differences = []
    for group, sets in by_group(evidence.students).items():
        for students in sets:
            for name, versus in students.versus.items():
                metric = METRICS[name]
                mean, low, high = (
                    None if value is None else 100 * value if metric.unit == "%" else value
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
                    )
                )
    return differences


def _subject(
    trained: Trained,
    data: Data,
    title: str,
    loss: str,
    taught: TeacherLogits,
    seed: int | None = None,
) -> Subject:
    """Return the teacher, or a student set of which this `seed`, or the first, is shown where one is."""
    config = trained.config
    shown = config["seeds"].index(seed) if seed is not None else 0
    of_students = "target" in config
    model = cache(lambda: trained.load_model(data))
    logits = cache(lambda: trained.load_tested(data))
    scored = cache(lambda: Scored(logits(), data.splits["test"].y, taught(), data.splits["test"].posterior))

    def probabilities(x: Any) -> Any:
        of_seeds: torch.Tensor = predict(model(), torch.from_numpy(x))
        return of_seeds[shown].softmax(1).numpy()

    def score(name: str) -> tuple[float, float, float]:
        metric: Metric = METRICS[name]
        return estimate_metric(metric, metric.values(scored()))

    return Subject(
        title=title,
        model=str(trained.model),
        loss=loss,
        settings=config,
        recorded={name: np.atleast_1d(values) for name, values in trained.metrics.items()},
        logits=lambda: logits().numpy(),
        predict=probabilities,
        score=cache(score),
        reliability=lambda: measure_reliability(scored()),
        curves=cache(lambda: _curves(trained)),
        shown=shown,
        variant=variant(config, trained.artefact.path.name) if of_students else "",
        partial=bool(left_out(config)),
        limited_by=getattr(trained.model, "limited_by", "nothing"),
    )


def _curves(trained: Trained) -> Curves | None:
    history = trained.load_history()
    return history and Curves(history.epochs.numpy(), history.train.numpy(), history.val.numpy())


def measure_reliability(scored: Scored) -> Reliability:
    """Return confidence and accuracy of predictions `scored.logits (seeds, n, n_classes)` by bins."""
    top, correct = scored.p.amax(-1).flatten(), hits(scored).flatten()
    bins = top_bins(scored).flatten()
    count, confidence, accuracy = (
        bin_sums(values, bins).numpy() for values in (torch.ones_like(top), top, correct)
    )
    used = count > 0
    count, confidence, accuracy = count[used], confidence[used], accuracy[used]
    return Reliability(confidence / count, accuracy / count, count, len(scored.logits))
