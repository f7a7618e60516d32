"""`kd plot`: draw the run's figures from its artefacts."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from kdcli import crew, workers
from kdcli.errors import KdError, UsageError, unknown
from kdcli.evidence.gather import Evidence, estimate_metric, gather
from kdcli.evidence.verdicts import by_group
from kdcli.figures import FIGURES, FORMATS, find_figure
from kdcli.figures.view import Curves, Difference, Reliability, Subject, Trees, View
from kdcli.metrics import METRICS, Scored, bin_sums, hits, top_bins
from kdcli.models import parse_model
from kdcli.runs.artefacts import Data, Trained, load_data, load_teacher
from kdcli.runs.student_sets import all_students, left_out, of_models, title, variant
from kdcli.store import Run, Store, fitting
from kdcli.workers import Result, Tell

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Plotted:
    """What `kd plot` drew, what it left out and why, and what single figures leave out."""

    run: str
    path: Path
    figures: list[Path]
    left_out: dict[str, str]
    notes: dict[str, str]


def check_format(file_format: str) -> None:
    """Raise `UsageError` unless figures can be drawn in this format."""
    if file_format not in FORMATS:
        raise unknown("format", file_format, FORMATS)


def plot(
    run: Run,
    names: Sequence[str] = (),
    *,
    models: Sequence[str] = (),
    file_format: str = "png",
    evidence: Callable[[], Evidence] | None = None,
) -> Plotted:
    """Draw figures of a run: those named, or all that apply; of all students, or those of some models.

    `evidence` gives what is known of these students, if it is needed elsewhere too.

    Raises `UsageError` for an unknown figure, model or format, or a named one that does not apply, and
    `KdError` where the data are missing or stale, or nothing is trained.
    """
    check_format(file_format)
    crew.start()
    kinds = {name: find_figure(name) for name in names or FIGURES}
    # Named after them, so that the figures of all students stay.
    named = fitting("".join(f"-{parse_model(model).slug}" for model in models))
    view, left_out = _view(run, models, evidence or (lambda: gather(run, models=models)))
    obstacles: dict[str, str] = {}
    notes: dict[str, str] = {}

    def drawable(compares: bool) -> list[str]:
        """Return the figures that can be drawn; tells of the others, and what these leave out."""
        of_kind = {name: kind for name, kind in kinds.items() if kind.compares == compares}
        obstacles.update({name: why for name, kind in of_kind.items() if (why := kind.obstacle(view))})
        able = [name for name in of_kind if name not in obstacles]
        notes.update({name: note for name in able if (note := of_kind[name].note(view))})
        return able

    first = drawable(compares=False)
    common = {"outputs": str(run.store.root), "run": run.name, "models": list(models), "format": file_format}

    def compared() -> list[Any]:
        """Measure the differences, while workers draw the figures that do not need them."""
        found = drawable(compares=True)
        given = [asdict(difference) for difference in view.differences()] if found else []
        return [common | {"figures": [name], "differences": given} for name in found]

    if names:  # before any is drawn
        later = compared()
        if obstacles:
            raise UsageError("; ".join(f"cannot draw {name}: {why}" for name, why in obstacles.items()))
        meanwhile: Callable[[], Sequence[Any]] = lambda: later  # noqa: E731
    else:
        meanwhile = compared
    share = min(len(first), workers.jobs())
    tasks = [common | {"figures": first[k::share], "differences": []} for k in range(share)]
    results = workers.do("draw", draw_part, tasks, {}, meanwhile=meanwhile)
    drawn = {name: content for result in results for name, content in result.tensors.items()}
    paths = [
        run.write_figure(f"{name}{named}.{file_format}", drawn[name].numpy().tobytes())
        for name in kinds
        if name in drawn
    ]
    return Plotted(
        run.name,
        run.path / "figures",
        paths,
        left_out | {name: obstacles[name] for name in kinds if name in obstacles},
        {name: notes[name] for name in kinds if name in notes},
    )


def draw_part(task: Mapping[str, Any], shared: Mapping[str, torch.Tensor], tell: Tell) -> Result:
    """Draw some of a run's figures, in a worker or in this process; returns the bytes of each by its name."""
    run = Store(Path(task["outputs"])).run(task["run"])
    view, _ = _view(run, task["models"], None)
    view = replace(view, differences=lambda: [Difference(**given) for given in task["differences"]])
    drawn = {}
    for name in task["figures"]:
        content = _render(find_figure(name).draw(view), task["format"])
        drawn[name] = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    return Result(None, drawn)


def _view(
    run: Run, models: Sequence[str], evidence: Callable[[], Evidence] | None
) -> tuple[View, dict[str, str]]:
    """Collect what figures draw, of these models or of all; and what is left out of them, with the reason.

    Differences come from the `evidence`, if it is given.
    """
    data = load_data(run)
    omitted: dict[str, str] = {}
    teacher, knowledge = None, None
    taught: Callable[[], torch.Tensor | None] = lambda: None  # noqa: E731
    if run.artefact("teacher").finished:
        trained_teacher = load_teacher(run)
        taught = cache(lambda: trained_teacher.load_tested(data)[0])
        teacher = _subject(trained_teacher, data, "teacher", "cross-entropy", taught)
        knowledge = _knowledge(trained_teacher, data)
    fresh = []
    for trained in of_models(all_students(run), models, run):
        if trained.artefact.stale():
            omitted[trained.artefact.name] = f"stale; `{trained.again} --force` renews it"
        else:
            fresh.append(trained)
    common = set.intersection(*(set(trained.config["seeds"]) for trained in fresh)) if fresh else set()
    seed = min(common, default=None)
    students = [
        _subject(trained, data, title(trained.config, trained.artefact.path.name), "loss", taught, seed)
        for trained in fresh
    ]
    if teacher is None and not students:
        raise KdError(
            f"run {run.name} has nothing to draw yet", f"train its teacher with `kd train-teacher{run.flag}`"
        )
    test = data.splits["test"]
    bayes = data.bayes_scores()
    exact: Callable[[Any], Any] | None = None
    if (posterior := data.kind.posterior) is not None:
        exact = lambda x: posterior(data.config, torch.from_numpy(x)).numpy()  # noqa: E731
    view = View(
        run=data.heading,
        n_classes=data.n_classes,
        classes=data.description.classes,
        x_test=test.x.numpy(),
        y_test=test.y.numpy(),
        posterior=exact,
        bayes_accuracy=bayes["accuracy"] if bayes else None,
        teacher=teacher,
        students=students,
        seed=seed,
        knowledge=knowledge,
        differences=cache(lambda: _differences(evidence()) if students and evidence else []),
    )
    return view, omitted


def _differences(evidence: Evidence) -> list[Difference]:
    """Return the comparisons of an evidence as a figure draws them."""
    found = []
    for group, sets in by_group(evidence.students).items():
        for one in sets:
            for name, versus in one.versus.items():
                metric = METRICS[name]
                scale = 100 if metric.unit == "%" else 1
                unit = "points" if metric.unit == "%" else metric.unit
                low, high = versus.interval or (None, None)
                found.append(
                    Difference(
                        group=group,
                        title=one.title,
                        metric=name,
                        axis=f"{metric.title} less the control's ({unit}; {metric.better} is better)",
                        mean=None if versus.difference is None else scale * versus.difference,
                        low=None if low is None else scale * low,
                        high=None if high is None else scale * high,
                        verdict=versus.verdict,
                        nothing=not versus.seeds,
                    )
                )
    return found


def _knowledge(teacher: Trained, data: Data) -> Callable[[], tuple[Any, Any]]:
    return lambda: (teacher.load_logits(data)["train"].numpy(), data.splits["train"].y.numpy())


def _subject(
    trained: Trained,
    data: Data,
    title: str,
    loss: str,
    taught: Callable[[], torch.Tensor | None],
    seed: int | None = None,
) -> Subject:
    """Return the teacher, or a student set of which this `seed`, or the first, is drawn by itself."""
    config = trained.config
    drawn = config["seeds"].index(seed) if seed is not None else 0
    accuracy = np.atleast_1d(trained.metrics["accuracy"])
    history = trained.load_history()
    y = data.splits["test"].y

    model = cache(lambda: trained.load_model(data))

    def probabilities(x: Any) -> Any:
        logits: torch.Tensor = model().predict(torch.from_numpy(x))[drawn]
        return logits.softmax(1).numpy()

    predictions = cache(lambda: trained.load_tested(data))
    scored = cache(lambda: Scored(predictions(), y, taught()))

    def score(metric: str) -> tuple[float, float, float]:
        return estimate_metric(METRICS[metric], METRICS[metric].values(scored()))

    def reliability() -> Reliability:
        top, right = scored().p.amax(-1).flatten(), hits(scored()).flatten()
        bins = top_bins(scored()).flatten()
        count, confidence, rate = (
            bin_sums(values, bins).numpy() for values in (torch.ones_like(top), top, right)
        )
        there = count > 0
        return Reliability(
            confidence[there] / count[there], rate[there] / count[there], count[there], len(predictions())
        )

    curves, trees = None, None
    if history:
        curves = Curves(history.epochs.numpy(), history.train.numpy(), history.val.numpy())
    if "leaves" in trained.described:
        trees = Trees(np.array(trained.described["leaves"]), trained.model.limited_by)
    return Subject(
        title=title,
        model=str(trained.model),
        loss=loss,
        accuracy=accuracy,
        accuracy_of_one=float(accuracy[drawn]),
        predict=probabilities,
        tested=lambda: predictions()[drawn].softmax(1).numpy(),
        score=cache(score),
        reliability=reliability,
        target=config.get("target", ""),
        temperature=config.get("temperature", 1.0),
        transfer_size=config.get("transfer_size", 0),
        variant=variant(config, trained.artefact.path.name) if "target" in config else "",
        part=bool(left_out(config)),
        curves=curves,
        trees=trees,
    )


def _render(figure: Figure, file_format: str) -> bytes:
    # No date and no random ids in the file: the same figure gives the same bytes.
    from matplotlib import rc_context

    buffer = io.BytesIO()
    dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[file_format]
    with rc_context({"svg.hashsalt": "kd"}):
        figure.savefig(buffer, format=file_format, metadata=dated)
    return buffer.getvalue()
