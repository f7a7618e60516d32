from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor

from kdcli.data import DATASETS, SPLITS, Description
from kdcli.data.dataset import Optimum
from kdcli.data.draw import Drawing
from kdcli.data.gaussians import Gaussians
from kdcli.runs.tensors import check_history, check_logits, pool_of

Change = Callable[[dict[str, Tensor]], Mapping[str, Tensor]]
SIZES = {"train": 32, "val": 8, "test": 20}
PLANE = Description("gaussians", (2,), ("x₁", "x₂"), ("0", "1"), SIZES, 2, "sampled", Optimum(0.9, 0.1))
N = 2 * 60  # examples of both draws


def but(**changed: Tensor) -> Change:
    """Return other tensors in place of some."""
    return lambda tensors: {**tensors, **changed}


def without(name: str) -> Change:
    return lambda tensors: {key: value for key, value in tensors.items() if key != name}


def with_index(split: str, draw: int, place: int, row: int) -> Change:
    """Let a draw have another example in one place of a split."""

    def change(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        index = tensors[split].clone()
        index[draw, place] = row
        return {**tensors, split: index}

    return change


def cut(split: str, draws: int, n: int) -> Change:
    """Keep this number of draws and examples of a split."""
    return lambda tensors: {**tensors, split: tensors[split][:draws, :n]}


@pytest.fixture
def tensors() -> dict[str, Tensor]:
    pool = DATASETS["gaussians"].sample(Gaussians(draws=2, n_samples=40, n_test=20)).pool
    assert pool.posterior is not None
    return {"x": pool.x, "y": pool.y, "posterior": pool.posterior, **pool.index}


def test_the_pool_is_the_one_that_was_sampled(tensors: dict[str, Tensor]) -> None:
    pool = pool_of(tensors, PLANE)
    assert all(getattr(pool, name) is tensors[name] for name in ("x", "y", "posterior"))
    assert tuple(pool.index) == SPLITS
    assert all(pool.index[split] is tensors[split] for split in SPLITS)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without("y"), "its tensors are"),
        (without("posterior"), "its tensors are"),
        (without("val"), "its tensors are"),
        (but(more=torch.ones(1)), "its tensors are"),
        (but(x=torch.zeros(N, 3)), rf"x is float32 \({N}, 3\), not float32 or uint8 \({N}, 2\)"),
        (but(x=torch.zeros(N - 1, 2)), "x is float32"),
        (but(x=torch.zeros(N, 2).double()), "x is float64"),
        (but(x=torch.full((N, 2), torch.nan)), "not finite"),
        (but(y=torch.full((N,), 2)), "labels outside 0 to 1"),
        (but(y=torch.full((N,), -1)), "labels outside 0 to 1"),
        (but(y=torch.zeros(N)), rf"y is float32 \({N},\), not int64 \({N},\)"),
        (but(y=torch.zeros(0, dtype=torch.int64)), "x is float32"),
        (but(x=torch.zeros(0, 2), y=torch.zeros(0, dtype=torch.int64)), "labels outside 0 to 1"),
        (but(x=torch.zeros(1, 2), y=torch.tensor(1)), r"y is int64 \(\)"),
        (but(posterior=torch.ones(N, 2).double()), "not probabilities"),
        (but(posterior=torch.tensor([[1.5, -0.5]]).double().expand(N, 2)), "not probabilities"),
        (but(posterior=torch.full((N, 2), torch.nan).double()), "not probabilities"),
        (but(posterior=torch.full((N, 2), 0.5)), "posterior is float32"),
    ],
)
def test_examples_that_no_stage_would_write(tensors: dict[str, Tensor], change: Change, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        pool_of(change(tensors), PLANE)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (with_index("train", 0, 3, N), "train names examples that do not exist"),
        (with_index("val", 1, 0, -1), "val names examples that do not exist"),
        (with_index("test", 1, 0, 2**62), "test names examples that do not exist"),
        (cut("train", 1, 32), r"train is int64 \(1, 32\), not int64 \(2, 32\)"),
        (cut("test", 1, 20), r"test is int64 \(1, 20\), not int64 \(2, 20\)"),
        (cut("val", 0, 8), r"val is int64 \(0, 8\)"),
        (cut("val", 2, 7), r"val is int64 \(2, 7\), not int64 \(2, 8\)"),
        (lambda t: {**t, "train": torch.cat([t["train"], t["train"]])}, r"train is int64 \(4, 32\)"),
        (lambda t: {**t, "train": t["train"].int()}, "train is int32"),
        (lambda t: {**t, "train": t["train"][0]}, r"train is int64 \(32,\)"),
    ],
)
def test_draws_that_no_stage_would_write(tensors: dict[str, Tensor], change: Change, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        pool_of(change(tensors), PLANE)


@pytest.mark.parametrize("draw", [0, 1])
@pytest.mark.parametrize(
    ("first", "second"), [("train", "train"), ("train", "val"), ("val", "test"), ("test", "train")]
)
def test_an_example_is_in_no_draw_twice(
    tensors: dict[str, Tensor], draw: int, first: str, second: str
) -> None:
    change = with_index(first, draw, 1, int(tensors[second][draw, 0]))
    with pytest.raises(ValueError, match=f"an example is in draw {draw} twice"):
        pool_of(change(tensors), PLANE)


def test_draws_may_share_examples_and_a_test_set_where_the_data_are_drawn_so() -> None:
    def refused(drawing: Drawing, test: Tensor) -> str:
        index = {"train": torch.tensor([[0, 1], [1, 2]]), "val": torch.tensor([[2], [0]]), "test": test}
        tensors = {"x": torch.zeros(6, 3), "y": torch.tensor([0, 1, 0, 1, 0, 1]), **index}
        sizes = {split: rows.shape[1] for split, rows in index.items()}
        description = Description("digits", (3,), (), ("0", "1"), sizes, 2, drawing)
        try:
            assert pool_of(tensors, description).draws == 2
        except ValueError as error:
            return str(error)
        return ""

    own, shared, taught = torch.tensor([[3, 4], [5, 3]]), torch.tensor([[3, 4]]), torch.tensor([[3, 2]])
    assert refused("split", own) == refused("test kept", shared) == ""
    assert refused("split", shared) == "test is int64 (1, 2), not int64 (2, 2)"
    assert refused("test kept", own) == "test is int64 (2, 2), not int64 (1, 2)"
    assert refused("test kept", taught) == "an example is in draw 0 twice"


def test_logits_are_numbers_and_some_classes_may_be_excluded() -> None:
    shapes = {"test": (2, 5, 3)}
    logits = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    logits[0, 0, 1] = -torch.inf
    check_logits({"test": logits}, shapes)
    check_logits({"test": logits.double()}, shapes)
    for wrong, words in (
        (logits[:1], r"test is float32 \(1, 5, 3\)"),
        (logits.half(), "test is float16"),
        (torch.full_like(logits, torch.nan), "not logits"),
        (torch.full_like(logits, torch.inf), "not logits"),
        (torch.full_like(logits, -torch.inf), "not logits"),
    ):
        with pytest.raises(ValueError, match=words):
            check_logits({"test": wrong}, shapes)
    with pytest.raises(ValueError, match="its tensors are"):
        check_logits({"train": logits}, shapes)


def test_curves_may_have_accuracies_of_both_splits() -> None:
    losses = torch.ones(3, 2, 4).double()
    accuracies = {"train_accuracy": losses / 2, "val_accuracy": losses}
    curves = {"epochs": torch.arange(4), "train": losses, "val": losses, **accuracies}
    check_history(curves, (3, 2))
    for change, words in (
        (without("val_accuracy"), "its tensors are"),
        (but(val_accuracy=losses[:2]), r"not float64 \(3, 2, 4\)"),
        (but(train_accuracy=1.5 * losses), "has accuracies that are not between 0 and 1"),
        (but(train_accuracy=torch.nan * losses), "accuracies that are not between 0 and 1"),
    ):
        with pytest.raises(ValueError, match=words):
            check_history(change(curves), (3, 2))


def test_curves_have_the_same_points_for_every_member() -> None:
    losses = torch.ones(3, 2, 4).double()  # of two seeds of three draws
    curves = {"epochs": torch.arange(4), "train": losses, "val": losses}
    check_history(curves, (3, 2))
    for change, words in (
        (without("val"), "its tensors are"),
        (but(epochs=torch.arange(4).float()), "epochs is float32"),
        (lambda _: {k: t[..., :0] for k, t in curves.items()}, "no points"),
        (but(train=losses[:, :1]), r"not float64 \(3, 2, 4\)"),
        (but(train=losses[:2]), r"not float64 \(3, 2, 4\)"),
        (but(train=losses.flatten(0, 1)), r"not float64 \(3, 2, 4\)"),
        (but(val=torch.full((3, 2, 4), torch.inf).double()), "not finite"),
    ):
        with pytest.raises(ValueError, match=words):
            check_history(change(curves), (3, 2))
