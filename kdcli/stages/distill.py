"""`kd distill`: train students on targets, all seeds and all targets as one stack."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from kdcli.data import DATASETS, find_dataset
from kdcli.errors import KdError, UsageError
from kdcli.losses import Objective
from kdcli.metrics import measure
from kdcli.models import parse_model
from kdcli.recipe import Recipe, Students
from kdcli.rng import generator
from kdcli.settings import override
from kdcli.stages.artefacts import (
    SPLITS,
    Data,
    Trained,
    Watch,
    curves,
    flags,
    load_data,
    load_students,
    load_teacher,
    run_recipe,
    unwatched,
)
from kdcli.store import Artefact, Run, check_name
from kdcli.targets import TARGETS, Knowledge, find_target
from kdcli.train import DivergedError, fit, predict


@dataclass(frozen=True)
class StudentSet:
    """The students of one target and temperature: one for each seed."""

    target: str
    temperature: float
    students: Students

    @property
    def name(self) -> str:
        """The set's folder, unless it is given another, such as "soft-T4-mlp4"."""
        return default_name(self.record)

    @property
    def record(self) -> dict[str, Any]:
        """The set's configuration, as `meta.json` keeps it."""
        return {
            "target": self.target,
            "temperature": self.temperature,
            "label_weight": self.students.label_weight,
            "model": self.students.model,
            "seeds": list(range(self.students.seeds)),
            "epochs": self.students.epochs,
            "batch_size": self.students.batch_size,
            "learning_rate": self.students.learning_rate,
        }


@dataclass(frozen=True)
class SetMade:
    """One student set that `kd distill` trained or found up to date; metrics have a value per seed."""

    name: str
    path: Path
    seeds: list[int]
    up_to_date: bool
    title: str
    metrics: dict[str, list[float]]


@dataclass(frozen=True)
class Distilled:
    """What `kd distill` wrote."""

    run: str
    path: Path
    model: str
    students: list[SetMade]
    students_trained: int
    epochs: int
    training_seconds: float


def default_name(config: Mapping[str, Any]) -> str:
    """Name the folder of a student set, such as "soft-T4-mlp4", from its configuration."""
    return "-".join([*_parts(config, ""), parse_model(config["model"]).slug])


def title(config: Mapping[str, Any], folder: str = "") -> str:
    """Name a student set for a person, such as "soft, T = 4", with its folder if that was named by hand."""
    named = f" ({folder})" if folder and folder != default_name(config) else ""
    return ", ".join(_parts(config, " = ")) + named


def _parts(config: Mapping[str, Any], equals: str) -> list[str]:
    parts = [config["target"]]
    if find_target(config["target"]).softened:
        parts.append(f"T{equals}{_number(config['temperature'])}")
    if config["label_weight"]:
        parts.append(f"w{equals}{_number(config['label_weight'])}")
    return parts


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)


def command(students: Trained, recipe: Recipe) -> str:
    """Return the command that makes a student set again as it is; what it leaves out is in the recipe."""
    config, folder = students.config, students.artefact.path.name
    words = f"kd distill --target {config['target']}"
    if find_target(config["target"]).softened:
        words += f" --temperature {_number(config['temperature'])}"
    words += flags(recipe.students, {**config, "seeds": len(config["seeds"])})
    if folder != default_name(config):
        words += f" --name {folder}"
    return words + students.artefact.run.flag


def student_sets(students: Students) -> list[StudentSet]:
    """Return the sets that a configuration asks for: each target, and each temperature of a softened one."""
    sets = []
    for target in dict.fromkeys(students.targets):
        temperatures = dict.fromkeys(students.temperatures) if find_target(target).softened else [1.0]
        sets += [StudentSet(target, t, students) for t in temperatures]
    return sets


def distill(
    run: Run,
    options: Mapping[str, Any],
    *,
    name: str | None = None,
    force: bool = False,
    watch: Watch = unwatched,
) -> Distilled:
    """Train the students of the run's recipe, changed by `options`; sets that are up to date are reused.

    `name` is for the folder of a single set. Raises `UsageError` for targets that this dataset
    cannot have, and `KdError` where an artefact is missing or stale, another set stands under a
    name and `force` does not allow to replace it, or the loss stops being finite.
    """
    recipe = run_recipe(run)
    students = override(recipe.students, options)
    sets = student_sets(students)
    _check(recipe, sets, options)
    if name is not None:
        check_name(name, "student set")
        if len(sets) != 1:
            raise UsageError(
                f"--name is for one student set, and this would make {len(sets)}",
                "name one --target, with one --temperature",
            )
    data = load_data(run)
    teacher = load_teacher(run) if any(find_target(s.target).needs == "teacher" for s in sets) else None

    to_make: list[tuple[StudentSet, Artefact]] = []
    results: list[tuple[Artefact, bool]] = []
    for chosen in sets:
        artefact = run.artefact(f"students/{name or chosen.name}")
        up_to_date = artefact.up_to_date(chosen.record, _parents(chosen, data, teacher), force)
        results.append((artefact, up_to_date))
        if not up_to_date:
            to_make.append((chosen, artefact))

    start = time.perf_counter()
    if to_make:
        _train(students, to_make, data, teacher, watch)
    seconds = time.perf_counter() - start if to_make else 0.0
    made = [_made(artefact, up_to_date) for artefact, up_to_date in results]
    return Distilled(
        run=run.name,
        path=run.path / "students",
        model=students.model,
        students=made,
        students_trained=len(to_make) * students.seeds,
        epochs=students.epochs,
        training_seconds=round(seconds, 3),
    )


def _check(recipe: Recipe, sets: Sequence[StudentSet], options: Mapping[str, Any]) -> None:
    """Refuse targets that need a posterior nobody knows, and options without effect."""
    if find_dataset(recipe.dataset).posterior is None:
        known = ", ".join(name for name, dataset in DATASETS.items() if dataset.posterior)
        for chosen in sets:
            if find_target(chosen.target).needs == "posterior":
                raise UsageError(
                    f"target {chosen.target} needs the exact posterior, which {recipe.dataset} does not have",
                    f"datasets with a known posterior: {known}",
                )
    if options.get("temperatures") and not any(find_target(s.target).softened for s in sets):
        softened = ", ".join(name for name, target in TARGETS.items() if target.softened)
        raise UsageError(
            "--temperature has no effect on these targets", f"targets with a temperature: {softened}"
        )


def _parents(chosen: StudentSet, data: Data, teacher: Trained | None) -> list[Artefact]:
    needs_teacher = find_target(chosen.target).needs == "teacher"
    return [data.artefact] + ([teacher.artefact] if teacher and needs_teacher else [])


def _train(
    students: Students,
    to_make: Sequence[tuple[StudentSet, Artefact]],
    data: Data,
    teacher: Trained | None,
    watch: Watch,
) -> None:
    """Train the sets as one stack, seed by seed, a member for each set within a seed; then store each set."""
    start = time.perf_counter()
    sets = [chosen for chosen, _ in to_make]
    seeds = range(students.seeds)
    logits = teacher.artefact.load("logits") if teacher else {}
    x = {name: data.splits[name].x for name in SPLITS}
    stack = parse_model(students.model).build(x["train"].shape[1:], data.n_classes, len(sets) * len(seeds))
    stack.initialise([generator("student/weights", seed) for seed in seeds])
    try:
        with watch(f"{stack.members} students {students.model}", students.epochs) as report:
            history = fit(
                stack,
                x["train"],
                _objective(sets, data, "train", logits.get("train")),
                x["val"],
                _objective(sets, data, "val", logits.get("val")),
                epochs=students.epochs,
                batch_size=students.batch_size,
                learning_rate=students.learning_rate,
                orders=[generator("student/batches", seed) for seed in seeds],
                report=report,
            )
    except DivergedError as error:
        failed = [
            f"{title(sets[m % len(sets)].record)} (seed {seeds[m // len(sets)]})" for m in error.members
        ]
        shown = ", ".join(failed[:3]) + (f" and {len(failed) - 3} more" if len(failed) > 3 else "")
        raise KdError(
            f"the loss of {shown} stopped being a finite number by epoch {error.epoch}",
            f"nothing was written; try a smaller step than --learning-rate {students.learning_rate:g}",
        ) from None
    predictions = predict(stack, x["test"])
    seconds = time.perf_counter() - start
    for position, (chosen, artefact) in enumerate(to_make):
        members = slice(position, None, len(sets))
        metrics = measure(predictions[members], data.splits["test"].y)
        tensors = {
            "model": stack.parameters_of(members),
            "predictions": {"test": predictions[members]},
            "history": curves(history, members),
        }
        parents = _parents(chosen, data, teacher)
        artefact.write("distill", chosen.record, parents, tensors, metrics, seconds / len(sets))


def _objective(sets: Sequence[StudentSet], data: Data, split: str, logits: torch.Tensor | None) -> Objective:
    """Return what each set is taught on a split, features first."""
    _, y, posterior = data.splits[split]
    known = Knowledge(y, data.n_classes, posterior, logits)
    targets = [find_target(s.target).build(known, s.temperature).T for s in sets]
    weights = torch.tensor([s.students.label_weight for s in sets]).view(-1, 1, 1)
    return Objective(
        target=torch.stack(targets).contiguous(),
        temperature=torch.tensor([s.temperature for s in sets]).view(-1, 1, 1),
        labels=data.labels(split),
        label_weight=weights if bool(weights.any()) else None,
    )


def _made(artefact: Artefact, up_to_date: bool) -> SetMade:
    students = load_students(artefact)
    return SetMade(
        name=artefact.path.name,
        path=artefact.path,
        seeds=list(students.config["seeds"]),
        up_to_date=up_to_date,
        title=title(students.config, artefact.path.name),
        metrics=dict(students.metrics),
    )
