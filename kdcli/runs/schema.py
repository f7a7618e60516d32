"""What the stages write, as rules: artefacts are held against them before anything is made of them.

A digest tells that a file is what its `meta.json` says, not that a stage of kd wrote either: a run may come
from a stranger. Every function here raises ValueError saying what no stage would have written.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from kdcli.data import Dataset, Description, find_dataset, recorded_dataset
from kdcli.data.sources import published
from kdcli.metrics import METRICS, RECORDED
from kdcli.models import parse_model
from kdcli.runs.recipe import Students, Teacher, Training
from kdcli.settings import LARGEST, read, rules
from kdcli.store import Meta, to_json
from kdcli.targets import find_target

if TYPE_CHECKING:
    from torch import Tensor

SPLITS = ("train", "val", "test")
OF_A_SET = {  # what a student set has one of, and the setting that lists several
    "target": "targets",
    "temperature": "temperatures",
    "model": "models",
}
LEFT_OUT = ("diverged", "overflowed")  # of the loss, of outputs on the test split: seeds that a set lacks


def check_meta(name: str, meta: Meta) -> None:
    """Check what the artefact `name` records, such as "data" or "students/soft-T4-mlp4".

    That is its configuration, its metrics, and the names of what it was made from.
    """
    parents: set[str] = set()
    if name == "data":
        dataset, _ = data_config(meta.config)
        _check_data_metrics(meta, find_dataset(dataset))
    elif name == "teacher":
        model = parse_model(_read(Teacher, meta.config, ()).model)
        _require(meta.config, ["model", "seed", *(key for key in rules(Training) if model.takes(key))])
        _check_scores(meta.metrics, None, (*RECORDED, *model.DESCRIBED))
        parents = {"data"}
    else:
        check_students(meta.config)
        described = parse_model(meta.config["model"]).DESCRIBED
        _check_scores(meta.metrics, len(meta.config["seeds"]), (*RECORDED, *described))
        parents = {"data", "teacher"} if find_target(meta.config["target"]).needs == "teacher" else {"data"}
    if set(meta.parents) != parents:
        made, stated = (" and ".join(sorted(these)) or "nothing" for these in (parents, meta.parents))
        raise ValueError(f"it is made from {made}, not from {stated}")


def data_config(record: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the dataset that data were read or sampled by, and its options, as a recipe has them."""
    options = dict(record)
    name, content = options.pop("dataset", None), options.pop("content", "")
    dataset = recorded_dataset(name)
    if dataset is None:
        raise ValueError(f"there is no dataset {name!r:.100}")
    if not isinstance(content, str):
        raise ValueError("content must be a text")
    kind = find_dataset(dataset)
    config = _read(kind.config, options, rules(kind.config))
    if problems := kind.problems(config):
        raise ValueError("; ".join(problems))
    return dataset, config


def data_name(dataset: str, content: str | None) -> str:
    """Name data of a dataset: by its own name, unless they come from files that are not the published ones.

    `content` is the fingerprint of the files that they were read from, if they were.
    """
    kind = find_dataset(dataset)
    return kind.others if kind.files and content != published(kind) else dataset


def describe(meta: Meta) -> Description:
    """Return what the data of a record are.

    Records older than format 4 have no features and classes, which were those of the dataset then, and have
    its name for other files as well.
    """
    dataset, _ = data_config(meta.config)
    kind, name = find_dataset(dataset), data_name(dataset, meta.config.get("content"))
    return Description(
        name=name,
        features=tuple(meta.metrics.get("features", kind.features)),
        classes=tuple(meta.metrics.get("classes", kind.classes)),
        own_files=name == kind.others,
    )


def check_students(record: Mapping[str, Any]) -> None:
    """Check the configuration of a student set."""
    if odd := sorted(set(OF_A_SET.values()) & set(record)):
        raise ValueError(f"no stage writes {', '.join(odd)}")
    own = {"seeds", *LEFT_OUT, *OF_A_SET}
    table = {key: value for key, value in record.items() if key not in own}
    table |= {several: [record.get(key)] for key, several in OF_A_SET.items()}
    students = _read(Students, table, {"label_weight"})
    model = parse_model(students.models[0])
    if str(model) != record["model"]:
        raise ValueError(f"no stage writes the model as '{record['model']}'")
    _require(record, [key for key in rules(Training) if model.takes(key)])
    if students.targets[0] == "smooth":
        _require(record, ["smoothing"])
    _check_seeds(record)


def _check_seeds(record: Mapping[str, Any]) -> None:
    """Check that seeds are counted from 0, each there or left out, and some there."""
    lists = [record.get("seeds"), *(record[key] for key in LEFT_OUT if key in record)]
    if any(not isinstance(seeds, list) or any(type(seed) is not int for seed in seeds) for seeds in lists):
        raise ValueError("seeds must be lists of whole numbers")
    counted = list(range(sum(map(len, lists))))
    if not all(lists) or any(seeds != sorted(seeds) for seeds in lists) or sorted(chain(*lists)) != counted:
        raise ValueError("seeds must be counted from 0, each there or left out")


def _read(kind: type, table: Mapping[str, Any], needed: Iterable[str]) -> Any:
    _require(table, needed)
    config, problems = read(kind, table, "config")
    if problems:
        raise ValueError("; ".join(problems))
    for key, value in table.items():
        written = to_json(getattr(config, key))
        if json.dumps(value) != json.dumps(written):  # which tells 4 from 4.0
            raise ValueError(f"{key} is written as {written}, not {value}")
    return config


def _require(table: Mapping[str, Any], needed: Iterable[str]) -> None:
    if missing := sorted(set(needed) - set(table)):
        raise ValueError(f"{', '.join(missing)} missing")


def _check_data_metrics(meta: Meta, kind: Dataset[Any]) -> None:
    metrics = meta.metrics
    counts = {"n_train", "n_val", "n_test", "n_classes"}
    described = {"features", "classes"}
    if set(metrics) - described != counts | {"bayes"} or set(metrics) & described not in (set(), described):
        raise ValueError("its metrics are not those of data")
    if any(type(metrics[key]) is not int or metrics[key] < 1 for key in counts):
        raise ValueError("its metrics are no counts")
    if described <= set(metrics):
        _check_description(metrics)
    description = describe(meta)
    known = (kind.features, kind.classes)
    if not description.own_files and (description.features, description.classes) != known:
        raise ValueError(f"its features and classes are not those of {description.name}")
    if metrics["n_classes"] != description.n_classes:
        raise ValueError(f"its metrics are not those of {description.n_classes} classes")
    bayes = metrics["bayes"]
    if kind.optimum is None:
        if bayes is not None:
            raise ValueError("its metrics have a Bayes optimum, which is not known")
    elif not isinstance(bayes, dict) or set(bayes) != {"accuracy", "nll"}:
        raise ValueError("its metrics have no Bayes optimum")
    else:
        _check_numbers({name: [value] for name, value in bayes.items()})


def _check_description(metrics: Mapping[str, Any]) -> None:
    """Check the shape of an example, and that classes are named by whole numbers in ascending order."""
    features, classes = metrics["features"], metrics["classes"]
    if not isinstance(features, list) or any(type(size) is not int or size < 1 for size in features):
        raise ValueError("its features are no shape")
    names = classes if isinstance(classes, list) else [None]
    if any(not isinstance(name, str) or not re.fullmatch(r"-?[0-9]{1,20}", name) for name in names):
        raise ValueError("its classes are not named by whole numbers")
    if names != [str(label) for label in sorted(set(map(int, names)))]:
        raise ValueError("its classes are not in ascending order")


def _check_scores(metrics: Mapping[str, Any], members: int | None, names: Sequence[str]) -> None:
    """Check a number for each metric, or one for each of the members."""
    _require(metrics, names)
    rows = {name: [values] if members is None else values for name, values in metrics.items()}
    if any(not isinstance(values, list) or len(values) != (members or 1) for values in rows.values()):
        raise ValueError("its metrics are not one for each seed")
    _check_numbers(rows)


def _check_numbers(metrics: Mapping[str, Sequence[Any]]) -> None:
    """Check that the values of metrics are numbers that these can have."""
    for name, values in metrics.items():
        metric = METRICS.get(name)
        most = math.inf if metric is None or metric.total else metric.most
        for value in values:
            if type(value) not in (int, float):
                raise ValueError("its metrics are no numbers")
            if not 0 <= value <= most or (type(value) is int and value > LARGEST):
                raise ValueError(f"its metrics have a value of {name} that there is not")


def check_splits(tensors: Mapping[str, Tensor], meta: Meta) -> None:
    """Check the splits of a dataset: `x`, `y` and, where it is known, `posterior` of each.

    They have the sizes and as many examples as its record says.
    """
    kind = find_dataset(data_config(meta.config)[0])
    description, metrics = describe(meta), meta.metrics
    parts = ("x", "y", "posterior") if kind.posterior else ("x", "y")
    _check_names(tensors, [f"{split}.{part}" for split in SPLITS for part in parts])
    for split in SPLITS:
        x, y = tensors[f"{split}.x"], tensors[f"{split}.y"]
        n = len(y) if y.ndim else 0
        if n == 0:
            raise ValueError(f"{split}.y has no examples")
        if n != metrics[f"n_{split}"]:
            raise ValueError(f"{split}.y has {n} examples, where {metrics[f'n_{split}']} are recorded")
        _check_shape(f"{split}.x", x, (n, *description.features), ("float32", "uint8"))
        _check_shape(f"{split}.y", y, (n,), ("int64",))
        if int(y.min()) < 0 or int(y.max()) >= description.n_classes:
            raise ValueError(f"{split}.y has labels outside 0 to {description.n_classes - 1}")
        if x.is_floating_point() and not bool(x.isfinite().all()):
            raise ValueError(f"{split}.x has values that are not finite")
        if kind.posterior:
            posterior = tensors[f"{split}.posterior"]
            _check_shape(f"{split}.posterior", posterior, (n, description.n_classes), ("float64",))
            sums = posterior.sum(1) - 1
            if not bool((posterior >= 0).all()) or not bool((sums.abs() < 1e-6).all()):
                raise ValueError(f"{split}.posterior has rows that are no probabilities")


def check_logits(tensors: Mapping[str, Tensor], shapes: Mapping[str, Sequence[int]]) -> None:
    """Check logits of these shapes: numbers, of which those of excluded classes may be −∞."""
    _check_names(tensors, shapes)
    for name, shape in shapes.items():
        _check_shape(name, tensors[name], shape, ("float32", "float64"))
        if not bool((tensors[name].amax(-1).isfinite()).all()):
            raise ValueError(f"{name} has rows that are no logits")


def check_history(tensors: Mapping[str, Tensor], members: int) -> None:
    """Check the learning curves of so many members."""
    _check_names(tensors, ("epochs", "train", "val"))
    points = tensors["epochs"].numel()
    _check_shape("epochs", tensors["epochs"], (points,), ("int64",))
    if points == 0:
        raise ValueError("its curves have no points")
    for name in ("train", "val"):
        _check_shape(name, tensors[name], (members, points), ("float64",))
        if not bool(tensors[name].isfinite().all()):
            raise ValueError(f"{name} has losses that are not finite")


def _check_names(tensors: Mapping[str, Tensor], names: Iterable[str]) -> None:
    if set(tensors) != set(names):
        raise ValueError(f"its tensors are {', '.join(sorted(tensors)):.200}, not {', '.join(sorted(names))}")


def _check_shape(name: str, tensor: Tensor, shape: Sequence[int], types: Sequence[str]) -> None:
    kind = str(tensor.dtype).removeprefix("torch.")
    if tuple(tensor.shape) != tuple(shape) or kind not in types:
        raise ValueError(f"{name} is {kind} {tuple(tensor.shape)}, not {' or '.join(types)} {tuple(shape)}")
