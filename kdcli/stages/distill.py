"""`kd distill`: train students on targets; all seeds and targets of one model are trained together."""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from kdcli import crew
from kdcli.errors import Command, KdError, UsageError
from kdcli.progress import Watch, unwatched
from kdcli.report.scores import score_table
from kdcli.report.told import Line, Told
from kdcli.report.words import seconds, wrote
from kdcli.runs import room
from kdcli.runs.edits import check_data
from kdcli.runs.experiment import Experiment
from kdcli.runs.kinds import STUDENTS
from kdcli.runs.recipe import Students
from kdcli.runs.student_sets import LISTS, LOST, StudentSet, student_sets
from kdcli.settings import flags_given, override
from kdcli.teachers.transfer import made_examples
from kdcli.training import refusals
from kdcli.training.further import copies_of
from kdcli.training.material import Material
from kdcli.training.other_teachers import needed
from kdcli.training.students import Plan, plan, resume_points, stored_set, train
from kdcli.training.workshop import smaller_step
from kdcli.words import counted, numbered


@dataclass(frozen=True)
class SetMade:
    """One student set that `kd distill` trained or found up to date; metrics have a value per draw and seed.

    `left_out` are the missing seeds by reason; `notes` name them in words, and say if the set has more seeds
    than requested.
    """

    name: str
    path: Path
    model: str
    seeds: list[int]
    left_out: dict[str, list[int]]
    notes: list[str]
    up_to_date: bool
    title: str
    metrics: dict[str, list[list[float]]]


@dataclass(frozen=True)
class Distilled:
    """The result of `kd distill`; `epochs` is 0 if no student is trained by gradients.

    If `brief`, the scores are left to the comparison that follows.
    """

    run: str
    path: Path
    students: list[SetMade]
    students_trained: int
    epochs: int
    training_seconds: float
    brief: bool = False

    def told(self) -> Iterator[Told]:
        """Return what was trained, the scores, the paths, and the missing seeds."""
        models = dict.fromkeys(made.model for made in self.students)
        model = f"of {next(iter(models)) if len(models) == 1 else f'{len(models)} models'}"
        if self.students_trained:
            epochs = f", {counted(self.epochs, 'epoch')}" if self.epochs else ""
            took = seconds(self.training_seconds)
            yield f"run {self.run}: {counted(self.students_trained, 'student')} {model}{epochs} in {took}"
        else:
            yield f"run {self.run}: all students {model} are already trained"
        if not self.brief:
            yield score_table(self.students)
        for made in self.students:
            yield wrote(made.path, made.up_to_date)
        for made in self.students:
            yield from (Line(f"! {made.title}: {note}", wrap=True) for note in made.notes)

    def document(self) -> dict[str, Any]:
        """Return the sets by name, and the effort of training them."""
        sets = [
            {
                "name": made.name,
                "path": made.path,
                "seeds": made.seeds,
                **{why: made.left_out.get(why, []) for why in LOST},
            }
            for made in self.students
        ]
        return {
            "run": self.run,
            "students": sets,
            "students_trained": self.students_trained,
            "epochs": self.epochs,
            "training_seconds": self.training_seconds,
        }


def distill(
    experiment: Experiment,
    options: Mapping[str, Any],
    *,
    students: Students | None = None,
    name: str | None = None,
    source: str | None = None,
    force: bool = False,
    keep_going: bool = False,
    watch: Watch = unwatched,
) -> Distilled:
    """Train `students`, or those of the run's recipe, changed by `options`; up-to-date sets are reused.

    A set with fewer seeds than requested gets the missing ones; a set with more is up to date. With `force`,
    both are retrained. `name` is the folder of a single set, and `source` names the code of an existing
    teacher, which labels the new examples of the transfer set. With `keep_going`, seeds with non-finite
    losses or outputs are left out of their set. Raises `UsageError` for targets and models that this dataset
    does not allow, and `KdError` if an artefact is missing or stale, the data differ from the recipe, another
    set has the same name (without `force`), the students do not fit in memory or on the disk, or a loss or
    output is not finite: for any student, or, with `keep_going`, for a whole set.
    """
    crew.start()
    own = students is None
    students = override(students or experiment.recipe.students, options)
    sets = _sets(students, options, name, source)
    again = experiment.run.command("distill", **flags_given(options), **{"from": source})
    material = _with_examples(_material(experiment, students, sets), force, again, watch)
    artefacts = {s: f"{STUDENTS}/{name or s.name}" for s in sets}
    planned = plan(experiment, artefacts, force=force, given=_given(options) if own else None)
    for order in planned.orders:
        sizes = material.sizes(order.candidates, students.seeds, order.predicted)
        room.check_training(order.model, sizes, experiment.run.path)
        for _, model in needed(order.candidates, material):
            room.check_training(model, replace(sizes, sets=1), experiment.run.path)
    start, orders = time.perf_counter(), planned.orders
    lost = [train(order, students, material, keep_going=keep_going, watch=watch) for order in orders]
    for model in {s.model for s in sets}:
        resume_points(experiment.run, model).clear()
    _refuse_if_lost(list(chain(*lost)), len(sets), students, material.data.draws)
    return _distilled(experiment, planned, students, sets, time.perf_counter() - start)


def _sets(
    students: Students, options: Mapping[str, Any], name: str | None, source: str | None
) -> list[StudentSet]:
    """Return the requested sets; refuses too many seeds, and options that do not apply."""
    listed = (students.models, students.targets, students.temperatures)
    room.check_seeds(students.seeds, math.prod(map(len, listed)))
    sets = student_sets(students)
    if source and not sets[0].transfer.made:
        raise UsageError("--from: the transfer set has no new examples to label", "leave it out")
    refusals.check_options(sets, options)
    refusals.check_labels(students, options)
    refusals.check_settings(options, Students, (s.model for s in sets))
    refusals.check_folder(name, sets)
    return sets


def _given(options: Mapping[str, Any]) -> list[str]:
    """Return the keys of a set's record that the options set."""
    singular = {several: key for key, several in LISTS.items()}
    return [singular.get(key, key) for key in flags_given(options)]


def _material(experiment: Experiment, students: Students, sets: list[StudentSet]) -> Material:
    """Read the students' training material, except examples from outside the run's data.

    Refuses targets, models and transfer sets that these data do not allow.
    """
    data = experiment.data
    check_data(experiment)
    refusals.check_targets(sets, data)
    transfer = sets[0].transfer  # shared by all sets
    needs_teacher = any(s.needs_teacher for s in sets)
    teacher = experiment.teacher if needs_teacher else None
    material = Material(experiment, teacher, transfer, students.class_weight, students.labels_from)
    refusals.check_transfer_set(material)
    n_train = (transfer.size or data.description.sizes["train"]) * (1 + copies_of(transfer))
    refusals.check_models((s.model for s in sets), data, n_train, "mlp:10")
    return material


def _with_examples(material: Material, force: bool, again: Command, watch: Watch) -> Material:
    """Return the students' training material, with the examples from outside the run's data."""
    transfer = material.transfer
    if not transfer.made:
        return material
    experiment, rows = material.experiment, material.rows
    stored = made_examples(experiment, transfer, rows, force=force, again=again, watch=watch)
    return replace(material, stored=stored)


def _refuse_if_lost(lost: list[str], sets: int, students: Students, draws: int) -> None:
    if lost:
        why = "every seed had a non-finite loss or output"
        if draws > 1:
            why = "no seed had finite losses and outputs in every draw"
        raise KdError(
            f"no student of {' and of '.join(lost)} is left: {why}",
            f"{'the other sets are stored' if len(lost) < sets else 'nothing was written'}; "
            f"{smaller_step(students)}",
        )


def _distilled(
    experiment: Experiment, planned: Plan, students: Students, sets: list[StudentSet], seconds: float
) -> Distilled:
    return Distilled(
        run=experiment.run.name,
        path=experiment.run.path / STUDENTS,
        students=[
            _made(experiment, name, up_to_date, students.seeds) for name, up_to_date in planned.artefacts
        ],
        students_trained=experiment.data.draws * sum(order.students for order in planned.orders),
        epochs=students.epochs if any(s.model.takes("epochs") for s in sets) else 0,
        training_seconds=round(seconds, 3) if planned.orders else 0.0,
    )


def _made(experiment: Experiment, name: str, up_to_date: bool, asked: int) -> SetMade:
    trained = stored_set(experiment, name)
    if trained is None:
        raise FileNotFoundError(experiment.run.artefact(name).path)
    stored = len(trained.set.seeds_asked)
    notes = [f"{numbered('seed', seeds)} left out: {LOST[why]}" for why, seeds in trained.set.lost.items()]
    wanted = "1 seed was" if asked == 1 else f"{asked} seeds were"
    few = f"{wanted} requested, but the set has {stored}; --force retrains it with {asked}"
    return SetMade(
        name=trained.folder,
        path=trained.artefact.path,
        model=str(trained.model),
        seeds=list(trained.set.seeds),
        left_out={why: list(seeds) for why, seeds in trained.set.lost.items()},
        notes=notes + ([few] if stored > asked else []),
        up_to_date=up_to_date,
        title=trained.title,
        metrics={metric: list(map(list, values)) for metric, values in trained.metrics.items()},
    )
