"""Checks before training that refuse idle settings, and impossible targets and models."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from kdcli.data import DATASETS
from kdcli.errors import UsageError
from kdcli.models import FAMILIES, Model, parse_model
from kdcli.runs.recipe import BY_TEACHER, ORIGINAL, Students, applies
from kdcli.runs.relabelling import relabels
from kdcli.runs.stored import Data
from kdcli.runs.student_sets import StudentSet
from kdcli.settings import flag, rules
from kdcli.store import check_name
from kdcli.targets import TARGETS, find_target
from kdcli.training.material import Material


def check_settings(options: Mapping[str, Any], config: type, models: Iterable[Model]) -> None:
    """Refuse training settings that have no effect on any of the models."""
    all_models = list(dict.fromkeys(models))
    given = [key for key in rules(config) if options.get(key) is not None]
    idle = [key for key in given if not any(applies(config, key, model) for model in all_models)]
    if idle:
        flags, named = ", ".join(flag(config, key) for key in idle), ", ".join(map(str, all_models))
        examples = {name: parse_model(family.EXAMPLE) for name, family in FAMILIES.items()}
        families = [name for name, model in examples.items() if all(map(model.takes, idle))]
        raise UsageError(
            f"{flags}: no effect on {named}", f"model families that take it: {', '.join(families)}"
        )


def check_options(sets: Sequence[StudentSet], options: Mapping[str, Any]) -> None:
    """Refuse options that have no effect on any of these targets."""
    for key, rule in rules(Students).items():
        if rule.of == "target" and options.get(key) and not any(key == s.taught.setting for s in sets):
            takers = ", ".join(name for name, target in TARGETS.items() if key == target.setting)
            named = ", ".join(dict.fromkeys(s.target for s in sets))
            raise UsageError(
                f"{flag(Students, key)}: no effect on {named}", f"targets that take it: {takers}"
            )


def check_labels(students: Students, options: Mapping[str, Any]) -> None:
    """Refuse labels of the teacher, or original ones, that make no difference to any of these targets."""
    each = [replace(students, targets=(target,)) for target in students.targets]
    if options.get("labels_from") in (BY_TEACHER, ORIGINAL) and not any(map(relabels, each)):
        raise UsageError(
            f"--labels-from {students.labels_from}: no effect on {', '.join(students.targets)} of "
            f"{students.transfer}",
            f"{BY_TEACHER} is for targets made of labels, {ORIGINAL} for targets made by the teacher, if the "
            "transfer set has new examples",
        )


def check_folder(name: str | None, sets: Sequence[StudentSet]) -> None:
    """Refuse a folder's name that cannot be one, or that is given for several sets."""
    if name is None:
        return
    check_name(name, "student set")
    if len(sets) != 1:
        raise UsageError(
            f"--name is for one student set, but this command makes {len(sets)}",
            "name one --target, with one --temperature and one --model",
        )


def check_targets(sets: Sequence[StudentSet], data: Data) -> None:
    """Refuse targets that cannot be made from these data."""
    for name in dict.fromkeys(student_set.target for student_set in sets):
        target = find_target(name)
        if target.needs == "posterior" and data.posterior is None:
            known = ", ".join(dataset for dataset, kind in DATASETS.items() if kind.posterior)
            raise UsageError(
                f"target {name} needs the exact posterior, which is unknown for {data.description.name}",
                f"datasets with a known posterior: {known}",
            )
        if data.n_classes < target.least_classes:
            raise UsageError(
                f"target {name} needs {target.least_classes} classes or more, but the data have "
                f"{data.n_classes}: a single other class cannot be shuffled",
                "leave it out; soft is the same target here",
            )
    for student_set in sets:
        model = student_set.model
        if student_set.taught.needs == "self" and (model.remembers or model.limited_by == "nothing"):
            raise UsageError(
                f"target self: a teacher {model} memorises the labels of its training rows, and teaches them",
                "labels is the same target here; leave self out, or name a smaller --model",
            )


def check_transfer_set(material: Material) -> None:
    """Refuse a transfer set that cannot be made from these data."""
    data, size = material.data, material.transfer.size
    n_train = data.description.sizes["train"]
    if size and (size > n_train or not _has_each_class(material)):
        raise UsageError(
            f"--transfer: {size} of {n_train} training examples cannot include every class",
            f"there are {data.n_classes} classes; use more examples, up to {n_train}",
        )


def _has_each_class(material: Material) -> bool:
    """Whether the transfer set of each draw has examples of each class."""
    labels = material.data.pool.y[material.rows]
    return all(len(torch.unique(y)) == material.data.n_classes for y in labels)


def check_models(models: Iterable[Model], data: Data, n_train: int, example: str) -> None:
    """Refuse models that cannot learn from `n_train` training examples; `example` is a model that can."""
    for model in models:
        if problem := model.problem(data.features, n_train):
            raise UsageError(f"model '{model}': {problem}", f"name another --model, such as {example}")
