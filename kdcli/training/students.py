"""Students: finds which requested sets are missing, trains and stores them."""

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
    """Student sets of one model to be trained for the same seeds, each with its artefact's name.

    `all_sets` are all requested sets of this model, including existing ones.
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
        """The candidates to be trained for the sets, each with one value of an "auto" setting."""
        return candidates_of(self.sets)

    @property
    def students(self) -> int:
        """Number of students to be trained in each draw."""
        return len(self.seeds) * len(self.candidates)

    @property
    def predicted(self) -> list[str]:
        """The splits whose logits are needed; validation too if a value is selected on it."""
        return ["test", "val"] if any(map(chooses, self.sets)) else ["test"]


@dataclass(frozen=True)
class Plan:
    """The orders to be trained, and for every set its artefact's name and whether it is up to date."""

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

    Raises `KdError` if another set has one of the names and `force` is not given, or if a set that gets
    further seeds is damaged.
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
            if seeds.start and stored:  # read now, to find damage before training the others
                stored_members(stored)
    return Plan(list(orders.values()), states)


def stored_set(experiment: Experiment, artefact: str, *, force: bool = False) -> TrainedStudents | None:
    """Return a stored student set, or None; with `force`, a set of an earlier kd counts as missing."""
    stored = experiment.stored(artefact, force=force)
    return stored if isinstance(stored, TrainedStudents) else None


def resume_points(run: Run, model: Model) -> ResumePoints:
    """Return the resume points of the training of a student model."""
    return ResumePoints(run, fitting(f"students-{model.slug}"))


def train(
    order: Order, students: Students, material: Material, *, keep_going: bool, watch: Watch
) -> list[str]:
    """Train the sets of an order, and store each set that has students left.

    Returns the titles of sets without students, which can only happen with `keep_going`; otherwise a
    non-finite loss or output raises `NotFiniteError`.
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
    """Return the sets to be trained as one stack, and the identity of their training.

    They are the candidates of the wanted sets, unless a training was interrupted after some of its sets were
    stored: it is resumed with all of its sets, since results differ in the last bits with the size of the
    stack.
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
    """Store the trained students of a set, and score them on the test split.

    Further seeds of a stored set are joined with it.
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
