"""`kd distill`: train students on targets; all seeds and targets of one model are trained together."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdcli import crew
from kdcli.errors import KdError
from kdcli.progress import Watch, unwatched
from kdcli.runs import room
from kdcli.runs.artefacts import load_data, load_teacher, run_recipe
from kdcli.runs.edits import check_data
from kdcli.runs.recipe import Students
from kdcli.runs.schema import OF_A_SET
from kdcli.runs.student_sets import (
    StudentSet,
    left_out,
    left_out_told,
    load_students,
    seeds_asked,
    seeds_counted,
    student_sets,
    title,
)
from kdcli.settings import override
from kdcli.store import Artefact, Run
from kdcli.targets import find_target
from kdcli.training import refusals
from kdcli.training.material import Material
from kdcli.training.students import Plan, plan, resume_points, train
from kdcli.training.workshop import smaller_step


@dataclass(frozen=True)
class SetMade:
    """One student set that `kd distill` trained or found up to date; metrics have a value per seed.

    `left_out` are the seeds that are missing, by what became of them, and `told` says it in words,
    and where there are more seeds than were asked for.
    """

    name: str
    path: Path
    model: str
    seeds: list[int]
    left_out: dict[str, list[int]]
    told: list[str]
    up_to_date: bool
    title: str
    metrics: dict[str, list[float]]


@dataclass(frozen=True)
class Distilled:
    """What `kd distill` wrote; `epochs` is 0 where no student is trained by gradients."""

    run: str
    path: Path
    students: list[SetMade]
    students_trained: int
    epochs: int
    training_seconds: float


def distill(
    run: Run,
    options: Mapping[str, Any],
    *,
    students: Students | None = None,
    name: str | None = None,
    force: bool = False,
    keep_going: bool = False,
    watch: Watch = unwatched,
) -> Distilled:
    """Train `students`, or those of the run's recipe, changed by `options`; up-to-date sets are reused.

    A set with fewer seeds than requested gets the missing ones; one with more is up to date. With `force`
    both are made anew. `name` is for the folder of a single set. With `keep_going`, seeds whose loss or
    outputs are not finite are left out of their set. Raises `UsageError` for targets and models that this
    dataset cannot have, and `KdError` where an artefact is missing or stale, the data are not the recipe's,
    another set has the same name without `force`, memory or the disk has no room for the students, or a loss
    or output is not finite: of one student, or, with `keep_going`, of a whole set.
    """
    crew.start()
    given = _given(options) if students is None else None
    students = override(students or run_recipe(run).students, options)
    sets = student_sets(students)
    room.check_seeds(students.seeds, len(sets))
    refusals.check_options(sets, options)
    refusals.check_settings(options, Students, (s.model for s in sets))
    refusals.check_folder(name, sets)
    material = _material(run, students, sets)
    artefacts = {s: run.artefact(f"students/{name or s.name}") for s in sets}
    planned = plan(artefacts, material, force=force, given=given)
    for order in planned.orders:
        room.check_training(order.model, material.sizes(len(order.wanted), students.seeds), run.path)
    start = time.perf_counter()
    lost: list[str] = []
    for order in planned.orders:
        lost += train(order, students, material, keep_going=keep_going, watch=watch)
    for model in {s.model for s in sets}:
        resume_points(run, model).clear()
    _refuse_if_lost(lost, len(sets), students)
    return _distilled(run, planned, students, sets, time.perf_counter() - start)


def _given(options: Mapping[str, Any]) -> list[str]:
    """Return the keys of a set's record that options give."""
    singular = {several: key for key, several in OF_A_SET.items()}
    return [singular.get(key, key) for key, value in options.items() if value is not None]


def _material(run: Run, students: Students, sets: list[StudentSet]) -> Material:
    """Read what the students learn from; refuses targets, models and transfer sets that it does not allow."""
    data = load_data(run)
    check_data(run_recipe(run), data.artefact)
    refusals.check_targets(sets, data)
    needs_teacher = any(find_target(s.target).needs == "teacher" for s in sets)
    material = Material(data, load_teacher(run) if needs_teacher else None, students.transfer_size)
    refusals.check_transfer_set(material)
    n_train = students.transfer_size or len(data.splits["train"].y)
    refusals.check_models((s.model for s in sets), data, n_train, "mlp:10")
    return material


def _refuse_if_lost(lost: list[str], sets: int, students: Students) -> None:
    if lost:
        raise KdError(
            f"no student is left of {' and of '.join(lost)}: no loss or output stayed a finite number",
            f"{'the other sets are stored' if len(lost) < sets else 'nothing was written'}; "
            f"{smaller_step(students)}",
        )


def _distilled(
    run: Run, planned: Plan, students: Students, sets: list[StudentSet], seconds: float
) -> Distilled:
    return Distilled(
        run=run.name,
        path=run.path / "students",
        students=[_made(artefact, up_to_date, students.seeds) for artefact, up_to_date in planned.artefacts],
        students_trained=sum(len(order.seeds) * len(order.wanted) for order in planned.orders),
        epochs=students.epochs if any(s.model.takes("epochs") for s in sets) else 0,
        training_seconds=round(seconds, 3) if planned.orders else 0.0,
    )


def _made(artefact: Artefact, up_to_date: bool, asked: int) -> SetMade:
    students = load_students(artefact)
    stored = len(seeds_asked(students.config))
    few = f"{seeds_counted(asked)} asked for, and {stored} are there; --force makes it with {asked}"
    return SetMade(
        name=artefact.path.name,
        path=artefact.path,
        model=students.config["model"],
        seeds=list(students.config["seeds"]),
        left_out=left_out(students.config),
        told=left_out_told(students.config) + ([few] if stored > asked else []),
        up_to_date=up_to_date,
        title=title(students.config, artefact.path.name),
        metrics=dict(students.metrics),
    )
