"""Students: which of the sets that are asked for are missing, and their training and storing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kdcli.metrics import Scored, measure
from kdcli.models import Model
from kdcli.models.family import Fitted
from kdcli.progress import Watch
from kdcli.runs.more_seeds import Members, as_stored, joined, missing_seeds, stored_members
from kdcli.runs.recipe import Students
from kdcli.runs.student_sets import StudentSet, load_students, seeds_asked, seeds_named, title
from kdcli.store import Artefact, Run, fitting, to_json
from kdcli.training.material import Material
from kdcli.training.resuming import ResumePoints, identity
from kdcli.training.workshop import NotFiniteError, TrainingWorkshop


@dataclass(frozen=True)
class Order:
    """Student sets of one model that are to be trained for the same seeds, each with its artefact.

    `all_sets` are the sets of this model that the command asked for, also those that are there.
    """

    model: Model
    seeds: range
    all_sets: Sequence[StudentSet]
    wanted: list[tuple[StudentSet, Artefact]] = field(default_factory=list)

    @property
    def sets(self) -> list[StudentSet]:
        """The student sets to be trained."""
        return [student_set for student_set, _ in self.wanted]


@dataclass(frozen=True)
class Plan:
    """What is to be trained, and the artefact of every set with whether it is up to date."""

    orders: Sequence[Order]
    artefacts: Sequence[tuple[Artefact, bool]]


def plan(
    artefacts: Mapping[StudentSet, Artefact],
    material: Material,
    *,
    force: bool,
    given: Sequence[str] | None,
) -> Plan:
    """Find out which seeds of which sets are missing.

    Raises `KdError` where another set stands under a name and `force` does not allow to replace it, or
    where the set that further seeds are to join is damaged.
    """
    orders: dict[tuple[Model, range], Order] = {}
    states = []
    for student_set, artefact in artefacts.items():
        model, seeds = student_set.model, range(student_set.students.seeds)
        record = as_stored(student_set, artefact, force)
        if artefact.up_to_date(record, material.parents(student_set), force, given):
            seeds = missing_seeds(record, student_set.students.seeds)
        states.append((artefact, not seeds))
        if seeds:
            of_model = [other for other in artefacts if other.model == model]
            order = orders.setdefault((model, seeds), Order(model, seeds, of_model))
            order.wanted.append((student_set, artefact))
            if seeds.start:  # read now, so that damage is found before the others are trained
                stored_members(load_students(artefact), material.data)
    return Plan(list(orders.values()), states)


def resume_points(run: Run, model: Model) -> ResumePoints:
    """Return where the training of a student model keeps its states."""
    return ResumePoints(run, fitting(f"students-{model.slug}"))


def train(
    order: Order, students: Students, material: Material, *, keep_going: bool, watch: Watch
) -> list[str]:
    """Train the sets of an order; store each that has students left.

    Returns titles of those that have none, as may be if it is to `keep_going`. Raises `NotFiniteError`
    if a loss or output stops being finite and it is not.
    """
    points = resume_points(material.data.artefact.run, order.model)
    sets, training = _stack(points, order, material)
    workshop = TrainingWorkshop(
        training=students,
        title=f"{len(sets) * len(order.seeds)} students {order.model}",
        name_member=lambda k, seed: f"{title(sets[k].record)} (seed {seed})",
        open_display=watch,
        points=points,
        identity=training,
        keep_going=keep_going,
    )
    artefacts = dict(order.wanted)
    lost: list[str] = []
    try:
        all_fitted = order.model.train(material.teaching(sets, order.seeds), workshop)
        for student_set, fitted in zip(sets, all_fitted, strict=True):
            if student_set not in artefacts:
                continue
            if fitted.seeds:
                _store(student_set, artefacts[student_set], fitted, material)
            else:
                seeds = f", {seeds_named(order.seeds)}" if order.seeds.start else ""
                lost.append(f"{title(student_set.record)} ({order.model}{seeds})")
    except NotFiniteError as error:
        if error.everyone:  # otherwise the same command resumes from the state with --keep-going
            points.clear()
        raise
    return lost


def _stack(
    points: ResumePoints, order: Order, material: Material
) -> tuple[list[StudentSet], Mapping[str, Any]]:
    """Return the sets to be trained as one stack, and what identifies their training.

    They are those that are wanted, unless a training was interrupted when some of its sets were stored
    already: it is resumed with all of them, since results differ in the last bits with the size of the stack.
    """
    parents = {p.name: p.meta().digest for s in order.all_sets for p in material.parents(s)}
    records = points.kept().get("records", [])

    def record_of(student_set: StudentSet) -> Any:
        return to_json({**student_set.record, "seeds": list(order.seeds)})

    begun = [student_set for student_set in order.all_sets if record_of(student_set) in records]
    resumes = len(begun) == len(records) and all(student_set in begun for student_set in order.sets)
    sets = begun if resumes else order.sets
    return sets, identity([record_of(student_set) for student_set in sets], parents)


def _store(student_set: StudentSet, artefact: Artefact, fitted: Fitted, material: Material) -> None:
    """Store what was trained of a set, and score it on the test split.

    Where these are further seeds of a set that is there, they are stored with it as one.
    """
    record = {**student_set.record, "seeds": list(fitted.seeds), **fitted.lost}
    tensors = {"model": fitted.tensors}
    if fitted.history:
        tensors["history"] = fitted.history._asdict()
    members = Members(record, tensors, fitted.logits["test"], fitted.described, fitted.seconds)
    if seeds_asked(record)[0]:
        try:
            members = joined(stored_members(load_students(artefact), material.data), members)
        except ValueError as error:
            raise artefact.damaged(artefact.path, str(error)) from None
    metrics = {**measure(Scored(members.predictions, material.data.splits["test"].y)), **members.shape}
    tensors = {**members.tensors, "predictions": {"test": members.predictions}}
    parents = material.parents(student_set)
    artefact.write("distill", members.record, parents, tensors, metrics, members.seconds, fitted.used)
