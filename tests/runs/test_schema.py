import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from harness import Kd, forge
from safetensors.torch import load_file, save
from torch import Tensor

from kdcli.runs import schema
from kdcli.store import Artefact, Store

LABELS, SOFT = "students/labels-mlp4", "students/soft-T4-mlp4"
READERS = (["compare"], ["plot"], ["distill"], ["train-teacher"], ["gen-data", "gaussians", "--run", "tiny"])


def artefacts(run: Path) -> list[Artefact]:
    place = Store(run.parent).existing_run(run.name)
    return [place.artefact(name) for name in ("data", "teacher", LABELS, SOFT)]


def test_what_the_stages_write_passes(tiny: Path) -> None:
    for artefact in artefacts(tiny):
        schema.check_meta(artefact.name, artefact.meta())
    data, teacher, _, soft = artefacts(tiny)
    schema.check_splits(data.load("tensors"), data.meta())
    schema.check_logits(teacher.load("logits"), {"train": (160, 2), "val": (40, 2), "test": (400, 2)})
    schema.check_logits(soft.load("predictions"), {"test": (2, 400, 2)})
    schema.check_history(soft.load("history"), 2)


COUNTS = {"n_train": 160, "n_val": 40, "n_test": 400, "n_classes": 2, "bayes": None}


def described(**changed: Any) -> dict[str, Any]:
    return {"features": [2], "classes": ["0", "1"], **changed}


RECORDS: list[tuple[str, dict[str, Any], str]] = [
    ("data", {"config": []}, "not what the stage wrote"),
    ("data", {"config": {}}, "there is no dataset None"),
    ("data", {"config": {"dataset": ["gaussians"]}}, "there is no dataset ['gaussians']"),
    ("data", {"config": {"dataset": "gaussians", "seed": 0}}, "n_samples, n_test, separation"),
    ("data", {"metrics": {**COUNTS, "classes": ["0", "1"]}}, "metrics are not those of data"),
    ("data", {"metrics": {**COUNTS, **described(features=[0])}}, "its features are no shape"),
    ("data", {"metrics": {**COUNTS, **described(features=3)}}, "its features are no shape"),
    ("data", {"metrics": {**COUNTS, **described(classes=["a", "b"])}}, "not named by whole numbers"),
    ("data", {"metrics": {**COUNTS, **described(classes="01")}}, "not named by whole numbers"),
    ("data", {"metrics": {**COUNTS, **described(classes=["1", "0"])}}, "not in ascending order"),
    ("data", {"metrics": {**COUNTS, **described(classes=["00", "1"])}}, "not in ascending order"),
    ("data", {"metrics": {**COUNTS, **described(classes=["0", "2"])}}, "are not those of gaussians"),
    ("data", {"metrics": {**COUNTS, **described(features=[3])}}, "are not those of gaussians"),
    ("data", {"metrics": {"n_train": 1}}, "metrics are not those of data"),
    ("data", {"metrics": 3}, "not what the stage wrote"),
    ("data", {"parents": {"data": "x"}}, "not what the stage wrote"),
    ("teacher", {"config": {"model": "mlp:8"}}, "batch_size, epochs, learning_rate, seed missing"),
    ("teacher", {"metrics": {}}, "accuracy, errors, nll missing"),
    ("teacher", {"metrics": {"accuracy": [1], "errors": 1, "nll": 1}}, "metrics are no numbers"),
    (
        "teacher",
        {"metrics": {"accuracy": 1.5, "errors": 1, "nll": 1}},
        "a value of accuracy that there is not",
    ),
    (
        "teacher",
        {"metrics": {"accuracy": 1, "errors": 1, "nll": 10**400}},
        "a value of nll that there is not",
    ),
    ("teacher", {"parents": {"teacher": "x"}}, "not what the stage wrote"),
    ("teacher", {"parents": {}}, "it is made from data, not from nothing"),
    ("teacher", {"used": {"device": 3}}, "not what the stage wrote"),
    (SOFT, {"config": {"target": "soft"}}, "label_weight missing"),
    (SOFT, {"metrics": {"accuracy": [1.0], "errors": [1, 2], "nll": [1, 2]}}, "not one for each seed"),
    (SOFT, {"metrics": {"accuracy": [1.0, "x"], "errors": [1, 2], "nll": [1, 2]}}, "are no numbers"),
    (SOFT, {"created": [3]}, "not what the stage wrote"),
    (SOFT, {"files": {"../../data/tensors.safetensors": "x"}}, "not what the stage wrote"),
]
STUDENTS: list[tuple[dict[str, Any], str]] = [
    ({"target": "soften"}, "no target 'soften'"),
    ({"temperature": "4"}, "must be a number"),
    ({"temperature": 0.0}, "must be at least 0.01"),
    ({"label_weight": 2.0}, "at most 1"),
    ({"model": 4}, "must be a text"),
    ({"model": "mlp:04"}, "no stage writes the model as 'mlp:04'"),
    ({"model": "tree"}, "depth, leaves missing"),
    ({"temperature": 4}, "written as [4.0], not [4]"),
    ({"label_weight": 0}, "label_weight is written as 0.0, not 0"),
    ({"targets": ["soft"]}, "no stage writes targets"),
    ({"seeds": 2}, "seeds must be lists of whole numbers"),
    ({"seeds": [0, True]}, "seeds must be lists of whole numbers"),
    ({"seeds": [0, 1.0]}, "seeds must be lists of whole numbers"),
    ({"seeds": []}, "seeds must be counted from 0"),
    ({"seeds": [0, 0]}, "seeds must be counted from 0"),
    ({"seeds": [1, 0]}, "seeds must be counted from 0"),
    ({"seeds": [1, 2]}, "seeds must be counted from 0"),
    ({"seeds": [0, 1], "diverged": [1]}, "seeds must be counted from 0"),
    ({"seeds": [0, 1], "overflowed": [3]}, "seeds must be counted from 0"),
    ({"seeds": [0, 1], "diverged": []}, "seeds must be counted from 0"),
    ({"diverged": "2"}, "seeds must be lists of whole numbers"),
    ({"epochs": -1}, "must be at least 1"),
    ({"target": "smooth"}, "smoothing missing"),
    ({"__class__": 1}, "no such key"),
]


def assert_told(kd: Kd, words: str) -> None:
    """No command may take the run as it is, and all say what is wrong with it."""
    checked = kd("check")
    assert checked.code == 1
    assert words in checked.out
    assert {kd(*arguments).code for arguments in READERS} <= {0, 1}
    compared = kd("compare")
    assert compared.code == 1
    assert "is damaged" in compared.err
    assert kd("show").code == kd("runs").code == 0


@pytest.mark.parametrize(("name", "changed", "words"), RECORDS)
def test_a_record_that_no_stage_would_write_is_damaged_though_its_seal_is_right(
    kd: Kd, tiny: Path, name: str, changed: dict[str, Any], words: str
) -> None:
    forge(tiny / name, **changed)
    assert_told(kd, words)


@pytest.mark.parametrize(("changed", "words"), STUDENTS)
def test_so_is_a_configuration_of_students_that_no_stage_would_write(
    kd: Kd, tiny: Path, changed: dict[str, Any], words: str
) -> None:
    config = json.loads((tiny / SOFT / "meta.json").read_text())["config"]
    forge(tiny / SOFT, config={**config, **changed})
    assert_told(kd, words)


Change = Callable[[dict[str, Tensor]], Mapping[str, Tensor]]


def but(**changed: Tensor) -> Change:
    """Return other tensors in place of some, named with a dot instead of two underscores."""
    return lambda tensors: {**tensors, **{name.replace("__", "."): t for name, t in changed.items()}}


def without(name: str) -> Change:
    return lambda tensors: {key: value for key, value in tensors.items() if key != name}


@pytest.mark.parametrize(
    ("name", "file", "change", "words"),
    [
        ("data", "tensors", without("test.y"), "its tensors are"),
        ("data", "tensors", but(test__x=torch.zeros(400, 3)), "test.x is float32 (400, 3)"),
        ("data", "tensors", but(test__x=torch.full((400, 2), torch.nan)), "not finite"),
        ("data", "tensors", but(test__y=torch.full((400,), 2)), "labels outside 0 to 1"),
        ("data", "tensors", but(test__y=torch.full((400,), -1)), "labels outside 0 to 1"),
        ("data", "tensors", but(val__y=torch.zeros(40)), "val.y is float32 (40,), not int64 (40,)"),
        ("data", "tensors", but(train__y=torch.zeros(0, dtype=torch.int64)), "train.y has no examples"),
        ("data", "tensors", but(train__y=torch.tensor(1)), "train.y has no examples"),
        ("data", "tensors", but(test__posterior=torch.ones(400, 2).double()), "no probabilities"),
        ("data", "tensors", but(more=torch.ones(1)), "its tensors are"),
        ("teacher", "logits", but(test=torch.zeros(400, 3)), "not float32 or float64 (400, 2)"),
        ("teacher", "logits", but(test=torch.full((400, 2), torch.nan)), "no logits"),
        ("teacher", "history", but(epochs=torch.zeros(0, dtype=torch.int64)), "no points"),
        ("teacher", "history", but(train=torch.zeros(2, 21).double()), "not float64 (1, 21)"),
        ("teacher", "model", without("weights.0"), "numbers, not 42"),
        (SOFT, "predictions", but(test=torch.zeros(1, 400, 2)), "not float32 or float64 (2, 400, 2)"),
        (SOFT, "predictions", but(test=torch.full((2, 400, 2), torch.inf)), "no logits"),
        (SOFT, "predictions", but(test=torch.full((2, 400, 2), -torch.inf)), "no logits"),
        (SOFT, "history", but(val=torch.full((2, 21), torch.inf).double()), "not finite"),
        (SOFT, "model", lambda tensors: {k: v.flatten() for k, v in tensors.items()}, "do not fit mlp:4"),
    ],
)
def test_tensors_that_no_stage_would_write_are_damaged_though_their_digest_is_right(
    kd: Kd, tiny: Path, name: str, file: str, change: Change, words: str
) -> None:
    path = tiny / name / f"{file}.safetensors"
    tensors = {key: value.contiguous() for key, value in change(load_file(path)).items()}
    forge(tiny / name, {path.name: save(tensors)})
    assert json.loads(kd("check", "--json").out)["damaged"] == 0  # the digests are right
    outcomes = [kd(*arguments) for arguments in (*READERS, ["train-teacher", "--epochs", "3", "--force"])]
    assert all(outcome.code in (0, 1) for outcome in outcomes)
    told = [outcome.err for outcome in outcomes if outcome.code]
    assert all(
        f"{path} is damaged" in err and words in err and "make it again with `kd " in err for err in told
    )
    assert told


def test_a_model_that_claims_to_be_huge_takes_no_memory(kd: Kd, tiny: Path) -> None:
    for name in (LABELS, SOFT):
        config = json.loads((tiny / name / "meta.json").read_text())["config"]
        forge(tiny / name, config={**config, "model": "mlp:1000000,1000000,1000000"})
    outcome = kd("compare")
    assert outcome.code == 1
    assert "44 numbers, not 4,000,014,000,004" in outcome.err
