"""`kd distill`: train students on targets; all seeds and targets of one network as one stack."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kdcli import crew
from kdcli.data import DATASETS
from kdcli.errors import KdError, UsageError
from kdcli.losses import Objective
from kdcli.metrics import Scored, measure
from kdcli.models import Model, Network, Tree
from kdcli.models.stacked_trees import grow
from kdcli.rng import state
from kdcli.runs import room
from kdcli.runs.edits import check_data
from kdcli.runs.experiment import Data, Experiment, TrainedStudents
from kdcli.runs.kinds import STUDENTS
from kdcli.runs.more_seeds import Members, as_stored, joined, stored_members
from kdcli.runs.recipe import Students, Training
from kdcli.runs.student_sets import LISTS, LOST, StudentSet, seeds_named, student_sets
from kdcli.settings import flag, override, rules
from kdcli.store import OlderError, Run, check_name, fitting, to_json
from kdcli.targets import TARGETS, find_target
from kdcli.training import footprint
from kdcli.training.loop import Report, curves_of, predict
from kdcli.training.material import Lessons
from kdcli.training.parts import (
    NotFiniteError,
    check_room,
    shape_of,
    smaller_step,
    train_network,
    unusable,
)
from kdcli.training.resuming import ResumePoints, identity
from kdcli.training.watch import Watch, unwatched


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
    experiment: Experiment,
    options: Mapping[str, Any],
    *,
    students: Students | None = None,
    name: str | None = None,
    force: bool = False,
    keep_going: bool = False,
    watch: Watch = unwatched,
) -> Distilled:
    """Train `students`, or those of the run's recipe, changed by `options`; up-to-date sets are reused.

    Of a set that has fewer seeds than are asked for only the others are trained, and joined with it; one that
    has more is up to date. With `force` both are made anew. `name` is for the folder of a single set. With
    `keep_going` the seeds whose loss or outputs stop being finite are left out of their set, and the others
    kept. Raises `UsageError` for targets and models that this dataset cannot have, and `KdError` where an
    artefact is missing or stale, the data are not those of the recipe, another set stands under a name and
    `force` does not allow to replace it, memory or the disk has no room for the students, or a loss or output
    stops being finite: of one student, or of a whole set if it is to `keep_going`.
    """
    crew.start()
    run = experiment.run
    given = None if students else _given(options)
    students = override(students or experiment.recipe.students, options)
    _check_seeds(students)
    sets = student_sets(students)
    _check(sets, options)
    if name is not None:
        check_name(name, "student set")
        if len(sets) != 1:
            raise UsageError(
                f"--name is for one student set, and this would make {len(sets)}",
                "name one --target, with one --temperature and one --model",
            )
    data = experiment.data
    check_data(experiment)
    _check_targets(sets, data)
    teacher = experiment.teacher if any("teacher" in s.parents for s in sets) else None
    lessons = Lessons(data, teacher, students.transfer_size)
    _check_fit(sets, lessons)

    to_make: dict[tuple[Model, range], list[tuple[StudentSet, str]]] = {}
    results: list[tuple[str, bool]] = []
    for chosen in sets:
        artefact = f"{STUDENTS}/{name or chosen.name}"
        seeds = range(students.seeds)
        stored = None
        try:
            stored = experiment.stored(artefact)
        except OlderError:
            if not force:
                raise
        there = stored if isinstance(stored, TrainedStudents) else None
        record = as_stored(chosen, there, force=force)
        if experiment.reusable(artefact, record, force=force, given=given):
            seeds = range(len(record.seeds_asked), students.seeds)
        results.append((artefact, not seeds))
        if seeds:
            to_make.setdefault((chosen.model, seeds), []).append((chosen, artefact))
            if (
                seeds.start and there
            ):  # read now, so that what is damaged is found before the others are trained
                stored_members(there)

    for (model, _), wanted in to_make.items():
        _check_room(model, students, [chosen for chosen, _ in wanted], lessons, run.path)
    start = time.perf_counter()
    lost: list[str] = []
    for (model, seeds), wanted in to_make.items():
        if isinstance(model, Tree):
            _grow(model, students, seeds, wanted, lessons, watch)
        else:
            all_sets = [chosen for chosen in sets if chosen.model == model]
            try:
                lost += _train(model, students, seeds, wanted, all_sets, lessons, keep_going, watch)
            except NotFiniteError as error:
                if error.everyone:  # else the same command goes on from the state if it is to keep going
                    _resume_points(run, model).clear()
                raise
    for model in {chosen.model for chosen in sets}:
        _resume_points(run, model).clear()
    if lost:
        raise KdError(
            f"no student is left of {' and of '.join(lost)}: no loss or output stayed a finite number",
            f"{'the other sets are stored' if len(lost) < len(sets) else 'nothing was written'}; "
            f"{smaller_step(students)}",
        )
    seconds = time.perf_counter() - start if to_make else 0.0
    return Distilled(
        run=run.name,
        path=run.path / "students",
        students=[
            _made(experiment, artefact, up_to_date, students.seeds) for artefact, up_to_date in results
        ],
        students_trained=sum(len(seeds) * len(wanted) for (_, seeds), wanted in to_make.items()),
        epochs=0 if all(isinstance(s.model, Tree) for s in sets) else students.epochs,
        training_seconds=round(seconds, 3),
    )


def _given(options: Mapping[str, Any]) -> list[str]:
    """Return the keys of a set's record that options give."""
    one_of = {several: key for key, several in LISTS.items()}
    return [one_of.get(key, key) for key, value in options.items() if value is not None]


def _check_targets(sets: Sequence[StudentSet], data: Data) -> None:
    """Refuse targets that these data cannot have."""
    for chosen in sets:
        target = find_target(chosen.target)
        if target.needs == "posterior" and data.posterior is None:
            known = ", ".join(name for name, kind in DATASETS.items() if kind.posterior)
            raise UsageError(
                f"target {chosen.target} needs the exact posterior, which is not known for "
                f"{data.description.name}",
                f"datasets with a known posterior: {known}",
            )
        if data.n_classes < target.least_classes:
            raise UsageError(
                f"target {chosen.target} needs {target.least_classes} classes or more, and the data have "
                f"{data.n_classes}: a single other class cannot be shuffled",
                "leave it out; soft is the same target here",
            )


def _check(sets: Sequence[StudentSet], options: Mapping[str, Any]) -> None:
    """Refuse options without effect."""
    if options.get("temperatures") and not any(find_target(s.target).softened for s in sets):
        softened = ", ".join(name for name, target in TARGETS.items() if target.softened)
        raise UsageError(
            "--temperature has no effect on these targets", f"targets with a temperature: {softened}"
        )
    if options.get("smoothing") and all(s.target != "smooth" for s in sets):
        raise UsageError("--smoothing has no effect on these targets", "it is for the target smooth")
    by_gradients = [flag(Training, key) for key in rules(Training) if options.get(key) is not None]
    if by_gradients and all(isinstance(s.model, Tree) for s in sets):
        raise UsageError(
            f"{', '.join(by_gradients)}: a tree is not trained by gradients",
            "only networks take them: name one, such as --model mlp:4; trees have limits: tree:max_depth=6",
        )


def _check_fit(sets: Sequence[StudentSet], lessons: Lessons) -> None:
    """Refuse models that these data do not fit, and a transfer set that they cannot give."""
    data, size = lessons.data, lessons.transfer_size
    y = data.splits["train"].y
    if size and (size > len(y) or len(torch.unique(y[lessons.transfer])) < data.n_classes):
        raise UsageError(
            f"--transfer-size: {size} of {len(y)} training examples cannot be chosen with some of each class",
            f"there are {data.n_classes} classes; take up to {len(y)} examples",
        )
    for chosen in sets:
        if problem := chosen.model.problem(data.features, size or len(y)):
            raise UsageError(f"model '{chosen.model}': {problem}", "name another --model, such as mlp:10")


def _resume_points(run: Run, model: Model) -> ResumePoints:
    return ResumePoints(run, fitting(f"students-{model.slug}"))


def _stack(
    points: ResumePoints,
    wanted: Sequence[StudentSet],
    sets: Sequence[StudentSet],
    seeds: Sequence[int],
    lessons: Lessons,
) -> tuple[list[StudentSet], dict[str, Any]]:
    """Return the sets to be trained as one stack, and what identifies their training.

    They are those that are `wanted`, unless a training was cut off when some of its `sets` were stored
    already: it is taken up with all of them, since others beside it round a student's last bits otherwise.
    """
    experiment = lessons.data.experiment
    parents = {p: experiment.fresh(p).meta.digest for chosen in sets for p in chosen.parents}
    records = points.kept().get("records", [])

    def trained(one: StudentSet) -> Any:
        return to_json({**one.to_record(), "seeds": list(seeds)})

    begun = [chosen for chosen in sets if trained(chosen) in records]
    chosen = begun if len(begun) == len(records) and all(one in begun for one in wanted) else list(wanted)
    return chosen, identity([trained(one) for one in chosen], parents)


def _check_seeds(students: Students) -> None:
    """Refuse more seeds than can be listed, as every set's record does, before any is."""
    seeds, sets = students.seeds, len(students.models) * len(students.targets) * len(students.temperatures)
    room.check_memory(
        f"{room.count(seeds * sets)} students need",
        seeds * sets * footprint.SEED,
        lambda there: f"lower --seeds to {room.rounded_down(there // (sets * footprint.SEED))}",
    )


def _check_room(
    model: Model, students: Students, sets: Sequence[StudentSet], lessons: Lessons, folder: Path
) -> None:
    """Refuse students of one model that do not fit in memory, or whose tensors do not fit on the disk."""
    splits = lessons.data.splits
    taught = lessons.transfer_size or len(splits["train"].y)
    shape = shape_of(
        lessons.data,
        students,
        sets=len(sets),
        seeds=students.seeds,
        taught=taught,
        predicted=len(splits["test"].y),
    )
    if not isinstance(model, Tree):
        check_room(model, shape, folder)
        return
    needs = f"{room.count(students.seeds)} students {model} need"
    graded = [find_target(s.target).graded for s in sets]
    need = max(footprint.grown(model, shape, graded=kind).total for kind in graded)

    def lower(there: int) -> str:
        return f"lower --seeds to {max(1, room.rounded_down(students.seeds * there // need))}"

    room.check_memory(needs, need, lower)
    disk = sum(footprint.grown_stored(model, shape, graded=kind) for kind in graded)
    room.check_disk(needs, disk, folder, "lower --seeds, or free some space")


def _train(
    model: Network,
    students: Students,
    seeds: Sequence[int],
    wanted: Sequence[tuple[StudentSet, str]],
    all_sets: Sequence[StudentSet],
    lessons: Lessons,
    keep_going: bool,
    watch: Watch,
) -> list[str]:
    """Train the sets of a network as one stack; then store each that has students left.

    Returns titles of those that have none, as may be if it is to `keep_going`.
    """
    start = time.perf_counter()
    points = _resume_points(lessons.data.artefact.run, model)
    sets, training = _stack(points, [chosen for chosen, _ in wanted], all_sets, seeds, lessons)

    def named(member: int) -> str:
        return f"{sets[member % len(sets)].title()} (seed {seeds[member // len(sets)]})"

    trained = train_network(
        model,
        students,
        lessons.data,
        lambda split: _objective(sets, lessons, split),
        role="student",
        seeds=seeds,
        title=f"{len(sets) * len(seeds)} students {model}",
        member=named,
        watch=watch,
        points=points,
        identity=training,
        x={split: lessons.x(split) for split in ("train", "val", "test")},
        predicted=["test"],
        keep_going=keep_going,
    )
    overflowed = unusable(trained.logits, students, member=named, keep_going=keep_going)
    diverged = trained.history.diverged
    seconds = (time.perf_counter() - start) / len(sets)
    gone = {"diverged": {*diverged}, "overflowed": {*overflowed} - {*diverged}}
    lost: list[str] = []
    for chosen, artefact in wanted:
        member_of = {seed: k * len(sets) + sets.index(chosen) for k, seed in enumerate(seeds)}
        members = {seed: m for seed, m in member_of.items() if not any(m in those for those in gone.values())}
        if not members:
            these = f", {seeds_named(seeds)}" if seeds[0] else ""
            lost.append(f"{chosen.title()} ({model}{these})")
            continue
        out = {why: tuple(seed for seed, m in member_of.items() if m in those) for why, those in gone.items()}
        record = replace(chosen, seeds=tuple(members), diverged=out["diverged"], overflowed=out["overflowed"])
        kept = list(members.values())
        tensors = {
            "model": {name: value[kept] for name, value in trained.parameters.items()},
            "history": curves_of(trained.history, kept),
        }
        predictions = trained.logits["test"][kept]
        _store(chosen, record, artefact, lessons, tensors, predictions, {}, seconds, trained.used)
    return lost


def _grow(
    model: Tree,
    students: Students,
    seeds: Sequence[int],
    wanted: Sequence[tuple[StudentSet, str]],
    lessons: Lessons,
    watch: Watch,
) -> None:
    """Grow the trees of each set and store them."""
    total = len(wanted) * len(seeds)
    labels = lessons.labels("train")
    with watch(f"{total} students {model}", total, "tree", 1) as report:
        for done, (chosen, artefact) in enumerate(wanted):
            start = time.perf_counter()
            states = [state("student/ties", seed) for seed in seeds]
            trees = grow(
                model,
                lessons.x("train"),
                lessons.target(chosen, "train"),
                chosen.temperature,
                labels,
                students.label_weight,
                _counted(states, report, done * len(seeds)),
            )
            predictions = predict(trees, lessons.x("test"))
            seconds = time.perf_counter() - start
            shape = {"leaves": trees.leaves.tolist(), "depth": trees.depth.tolist()}
            tensors = {"model": trees.state_dict()}
            record = replace(chosen, seeds=tuple(seeds))
            _store(chosen, record, artefact, lessons, tensors, predictions, shape, seconds, {})


def _counted(states: Iterable[int], report: Report, before: int) -> Iterator[int]:
    """Give the random states of trees, and report each tree as done when the next is asked for."""
    for k, value in enumerate(states, before + 1):
        yield value
        report(k, None)


def _store(
    chosen: StudentSet,
    record: StudentSet,
    artefact: str,
    lessons: Lessons,
    tensors: Mapping[str, Mapping[str, Tensor]],
    predictions: Tensor,
    shape: Mapping[str, list[float]],
    seconds: float,
    used: Mapping[str, str],
) -> None:
    """Store a set with its predictions `(seeds, n, n_classes)` on the test split, and score them.

    Where these are further seeds of a set that is there, they are stored with it as one.
    """
    experiment = lessons.data.experiment
    stored = experiment.stored(artefact) if record.seeds_asked[0] else None
    if isinstance(stored, TrainedStudents):
        more = Members(record, tensors, predictions, shape, seconds)
        try:
            both = joined(stored_members(stored), more)
        except ValueError as error:
            raise stored.artefact.damaged(stored.artefact.path, str(error)) from None
        record, tensors, predictions, shape, seconds = both
    metrics = {**measure(Scored(predictions, lessons.data.splits["test"].y)), **shape}
    tensors = {**tensors, "predictions": {"test": predictions}}
    experiment.write(artefact, record, tensors, metrics, seconds, used=used)


def _objective(sets: Sequence[StudentSet], lessons: Lessons, split: str) -> Objective:
    """Return what each set is taught on a split, features first."""
    weights = torch.tensor([s.settings.label_weight for s in sets], dtype=torch.float64).view(-1, 1, 1)
    return Objective(
        target=torch.stack([lessons.target(s, split).T for s in sets]).contiguous(),
        temperature=torch.tensor([s.temperature for s in sets], dtype=torch.float64).view(-1, 1, 1),
        labels=lessons.labels(split).T.contiguous(),
        label_weight=weights if bool(weights.any()) else None,
    )


def _made(experiment: Experiment, artefact: str, up_to_date: bool, asked: int) -> SetMade:
    stored = experiment.stored(artefact)
    if not isinstance(stored, TrainedStudents):
        raise TypeError(artefact)
    of_set = stored.set
    there = len(of_set.seeds_asked)
    told = [f"{seeds_named(seeds)} left out: {LOST[why]}" for why, seeds in of_set.lost.items()]
    few = f"{asked} seeds asked for, and {there} are there; --force makes it with {asked}"
    return SetMade(
        name=stored.folder,
        path=stored.artefact.path,
        model=str(of_set.model),
        seeds=list(of_set.seeds),
        left_out={why: list(seeds) for why, seeds in of_set.lost.items()},
        told=told + ([few] if there > asked else []),
        up_to_date=up_to_date,
        title=stored.title,
        metrics={name: list(values) for name, values in stored.metrics.items()},
    )
