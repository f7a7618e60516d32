"""Students: which of the sets that are asked for are missing, and their training and storing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kdcli.models import Model
from kdcli.models.family import Fitted
from kdcli.progress import Watch
from kdcli.runs.experiment import Experiment
from kdcli.runs.more_seeds import Members, as_stored, joined, stored_members
from kdcli.runs.recipe import Students
from kdcli.runs.reuse import reusable
from kdcli.runs.stored import TrainedStudents
from kdcli.runs.student_sets import StudentSet
from kdcli.store import Content, Run, fitting, to_json
from kdcli.training.candidates import candidates_of, chooses, chosen
from kdcli.training.material import Material
from kdcli.training.other_teachers import OtherTraining, other_teachers
from kdcli.training.resuming import ResumePoints, identity
from kdcli.training.scores import scores_on_test
from kdcli.training.workshop import NotFiniteError, TrainingWorkshop
from kdcli.words import named_seed, numbered


@dataclass(frozen=True)
class Order:
    """Student sets of one model that are to be trained for the same seeds, each with its artefact's name.

    `all_sets` are the sets of this model that the command asked for, also those that are there.
    """

    model: Model
    seeds: range
    all_sets: Sequence[StudentSet]
    wanted: list[tuple[StudentSet, str]] = field(default_factory=list)

    @property
    def sets(self) -> list[StudentSet]:
        """The student sets to be trained."""
        return [student_set for student_set, _ in self.wanted]

    @property
    def candidates(self) -> list[StudentSet]:
        """What is trained for them, each with one value of what is to be chosen."""
        return candidates_of(self.sets)

    @property
    def students(self) -> int:
        """Number of students in each draw that are trained."""
        return len(self.seeds) * len(self.candidates)

    @property
    def predicted(self) -> list[str]:
        """The splits whose logits are wanted: that of validation as well where something is chosen."""
        return ["test", "val"] if any(map(chooses, self.sets)) else ["test"]


@dataclass(frozen=True)
class Plan:
    """What is to be trained, and the artefact's name of every set with whether it is up to date."""

    orders: Sequence[Order]
    artefacts: Sequence[tuple[str, bool]]


def plan(
    experiment: Experiment,
    artefacts: Mapping[StudentSet, str],
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
        model, seeds = student_set.model, range(len(student_set.seeds))
        stored = stored_set(experiment, artefact, force=force)
        record = as_stored(student_set, stored, force=force)
        if reusable(experiment, artefact, record, force=force, given=given):
            seeds = range(len(record.seeds_asked), len(seeds))
            student_set = replace(student_set, chosen=record.chosen)
        states.append((artefact, not seeds))
        if seeds:
            of_model = [other for other in artefacts if other.model == model]
            order = orders.setdefault((model, seeds), Order(model, seeds, of_model))
            order.wanted.append((student_set, artefact))
            if seeds.start and stored:  # read now, so that damage is found before the others are trained
                stored_members(stored)
    return Plan(list(orders.values()), states)


def stored_set(experiment: Experiment, artefact: str, *, force: bool = False) -> TrainedStudents | None:
    """Return a student set that is there; with `force` one of an earlier kd counts as none."""
    stored = experiment.stored(artefact, force=force)
    return stored if isinstance(stored, TrainedStudents) else None


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
    experiment, draws = material.experiment, material.data.draws
    points = resume_points(experiment.run, order.model)
    sets, training = _stack(points, order, material)
    workshop = TrainingWorkshop(
        training=students,
        title=f"{len(sets) * len(order.seeds) * draws} students {order.model}",
        name_member=lambda k, seed, draw: f"{sets[k].title()} ({named_seed(seed, draw, draws)})",
        open_display=watch,
        points=points,
        identity=training,
        keep_going=keep_going,
    )
    artefacts = dict(order.wanted)
    lost: list[str] = []
    try:
        others = other_teachers(
            sets, order.seeds, material, OtherTraining(students, points, training, watch, keep_going)
        )
        teaching = material.teaching(sets, order.seeds, order.predicted, others)
        trained = zip(sets, order.model.train(teaching, workshop), strict=True)
        for wanted, student_set, fitted in chosen(order.sets, trained, material.data):
            if fitted.seeds:
                _store(experiment, student_set, artefacts[wanted], fitted)
            else:
                seeds = f", {numbered('seed', order.seeds)}" if order.seeds.start else ""
                lost.append(f"{student_set.title()} ({order.model}{seeds})")
    except NotFiniteError as error:
        if error.everyone:  # otherwise the same command resumes from the state with --keep-going
            points.clear()
        raise
    return lost


def _stack(
    points: ResumePoints, order: Order, material: Material
) -> tuple[list[StudentSet], Mapping[str, Any]]:
    """Return the sets to be trained as one stack, and what identifies their training.

    They are the candidates of what is wanted, unless a training was interrupted when some of its sets were
    stored already: it is resumed with all of them, since results differ in the last bits with the size of
    the stack.
    """
    experiment = material.experiment
    parents = {name: experiment.fresh(name).meta.digest for s in order.all_sets for name in s.parents}
    records = points.kept().get("records", [])

    def record_of(student_set: StudentSet) -> Any:
        return to_json({**student_set.to_record(), "seeds": list(order.seeds)})

    known = [(record_of(candidate), candidate) for candidate in candidates_of(order.all_sets)]
    begun = [candidate for kept in records for record, candidate in known if record == kept]
    resumes = len(begun) == len(records) and all(candidate in begun for candidate in order.candidates)
    sets = begun if resumes else order.candidates
    return sets, identity([record_of(student_set) for student_set in sets], parents)


def _store(experiment: Experiment, student_set: StudentSet, artefact: str, fitted: Fitted) -> None:
    """Store what was trained of a set, and score it on the test split.

    Where these are further seeds of a set that is there, they are stored with it as one.
    """
    record = student_set.without(fitted.seeds, fitted.lost)
    tensors = {"model": fitted.tensors}
    if fitted.history:
        tensors["history"] = fitted.history._asdict()
    members = Members(record, tensors, fitted.logits["test"], fitted.described, fitted.seconds)
    stored = stored_set(experiment, artefact) if record.seeds_asked[0] else None
    if stored:
        with experiment.reading(artefact, file="history.safetensors"):
            members = joined(stored_members(stored), members)
    scores = scores_on_test(members.predictions, experiment.data)
    tensors = {**members.tensors, "predictions": {"test": members.predictions}}
    metrics = {**scores, **members.described}
    experiment.write(artefact, members.set, Content(tensors, metrics, members.seconds, fitted.used))
