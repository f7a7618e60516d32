from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from kdcli.data import DATASETS, SPLITS, Description
from kdcli.data.dataset import Optimum
from kdcli.data.gaussians import Gaussians
from kdcli.runs.tensors import check_history, check_logits, splits_of

Change = Callable[[dict[str, Tensor]], Mapping[str, Tensor]]
SIZES = {"train": 32, "val": 8, "test": 20}
PLANE = Description("gaussians", (2,), ("x₁", "x₂"), ("0", "1"), SIZES, Optimum(0.9, 0.1))


def but(**changed: Tensor) -> Change:
    """Return other tensors in place of some, named with a dot instead of two underscores."""
    return lambda tensors: {**tensors, **{name.replace("__", "."): t for name, t in changed.items()}}


def without(name: str) -> Change:
    return lambda tensors: {key: value for key, value in tensors.items() if key != name}


@pytest.fixture
def tensors() -> dict[str, Tensor]:
    sample = DATASETS["gaussians"].sample(Gaussians(n_samples=40, n_test=20))
    parts: dict[str, Any] = {
        f"{k}.{part}": t for k, s in sample.splits.items() for part, t in s._asdict().items()
    }
    return parts


def test_splits_are_those_that_were_sampled(tensors: dict[str, Tensor]) -> None:
    splits = splits_of(tensors, PLANE)
    assert tuple(splits) == SPLITS
    assert all(
        tensor is tensors[f"{k}.{part}"] for k, s in splits.items() for part, tensor in s._asdict().items()
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without("test.y"), "its tensors are"),
        (without("test.posterior"), "its tensors are"),
        (but(more=torch.ones(1)), "its tensors are"),
        (but(test__x=torch.zeros(20, 3)), r"test.x is float32 \(20, 3\), not float32 or uint8 \(20, 2\)"),
        (but(test__x=torch.zeros(20, 2).double()), "test.x is float64"),
        (but(test__x=torch.full((20, 2), torch.nan)), "not finite"),
        (but(test__y=torch.full((20,), 2)), "labels outside 0 to 1"),
        (but(test__y=torch.full((20,), -1)), "labels outside 0 to 1"),
        (but(val__y=torch.zeros(8)), r"val.y is float32 \(8,\), not int64 \(8,\)"),
        (but(train__y=torch.zeros(0, dtype=torch.int64)), "train.y is"),
        (but(train__y=torch.tensor(1)), "train.y is"),
        (but(test__posterior=torch.ones(20, 2).double()), "no probabilities"),
        (but(test__posterior=torch.tensor([[1.5, -0.5]]).double().expand(20, 2)), "no probabilities"),
        (but(test__posterior=torch.full((20, 2), torch.nan).double()), "no probabilities"),
        (but(test__posterior=torch.full((20, 2), 0.5)), "posterior is float32"),
    ],
)
def test_splits_that_no_stage_would_write(tensors: dict[str, Tensor], change: Change, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        splits_of(change(tensors), PLANE)


def test_logits_are_numbers_and_some_classes_may_be_excluded() -> None:
    shapes = {"test": (2, 5, 3)}
    logits = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    logits[0, 0, 1] = -torch.inf
    check_logits({"test": logits}, shapes)
    check_logits({"test": logits.double()}, shapes)
    for wrong, words in (
        (logits[:1], r"test is float32 \(1, 5, 3\)"),
        (logits.half(), "test is float16"),
        (torch.full_like(logits, torch.nan), "no logits"),
        (torch.full_like(logits, torch.inf), "no logits"),
        (torch.full_like(logits, -torch.inf), "no logits"),
    ):
        with pytest.raises(ValueError, match=words):
            check_logits({"test": wrong}, shapes)
    with pytest.raises(ValueError, match="its tensors are"):
        check_logits({"train": logits}, shapes)


def test_curves_have_the_same_points_for_every_member() -> None:
    curves = {"epochs": torch.arange(4), "train": torch.ones(2, 4).double(), "val": torch.ones(2, 4).double()}
    check_history(curves, 2)
    for change, words in (
        (without("val"), "its tensors are"),
        (but(epochs=torch.arange(4).float()), "epochs is float32"),
        (lambda _: {k: t[..., :0] for k, t in curves.items()}, "no points"),
        (but(train=torch.ones(1, 4).double()), r"not float64 \(2, 4\)"),
        (but(val=torch.full((2, 4), torch.inf).double()), "not finite"),
    ):
        with pytest.raises(ValueError, match=words):
            check_history(change(curves), 2)
