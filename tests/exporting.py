"""Students to export, for tests of exports: a model of each family, on columns of each kind."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from kdcli.data.tables.applying import applied
from kdcli.data.tables.encoding import Encoded
from kdcli.exports import Exported, Rows
from kdcli.exports.made import made, made_features, rows_of, table_of
from kdcli.models.stack import Stack, StackedNetwork
from kdcli.models.stacked_boosted import StackedBoosted
from kdcli.models.stacked_cnn import StackedCNN
from kdcli.models.stacked_forests import StackedForests
from kdcli.models.stacked_mlp import StackedMLP
from kdcli.models.stacked_trees import StackedTrees

COLUMNS = (
    Encoded("age", "number", 40.0, missing=True),
    Encoded("plan", "category", levels=("basic", "plus"), others=True),
    Encoded("active", "yes/no", 1.0),
    Encoded("town", "category", missing=True, levels=("Bonn", "Köln")),
    Encoded("since", "date", 19_000.0, missing=True, format="%d.%m.%Y"),
    Encoded("seen", "date", 19_000.5, format="%Y-%m-%dT%H:%M:%S"),
)
FEATURES = sum(len(column.features) for column in COLUMNS)
WORDS = ("?", "NA", "absent", "-999")
NASTY = (
    "quote \" and '",
    "two\nlines\r\n",
    "`backticks` ${1+1}",
    "*/ // /* end",
    "</script><script>alert(1)</script>",
    "nul \0 byte",
    "\u202eright to left\u2028\u2029",
    "back\\slash\\",
    "trigraph ??/",
    "__proto__",
    "constructor",
    "x" * 10_000,
    "🙂 {braces} %s %d",
    "| table | <!-- --> #",
)


def initialised(stack: StackedNetwork) -> StackedNetwork:
    stack.initialise([Generator().manual_seed(3)])
    return stack


def tree_arrays(trees: int, features: int, depth: int = 3, seed: int = 0) -> dict[str, Tensor]:
    """Full trees with random splits, at numbers that are not 32-bit floats."""
    random = np.random.default_rng(seed)
    nodes, inner = 2 ** (depth + 1) - 1, 2**depth - 1
    branches = np.zeros((trees, nodes, 2), dtype=np.int64)
    branches[:, :inner] = np.arange(1, nodes).reshape(-1, 2)
    feature = np.where(np.arange(nodes) < inner, random.integers(features, size=(trees, nodes)), 0)
    threshold = np.where(np.arange(nodes) < inner, random.uniform(0, 1, (trees, nodes)), 0.0)
    arrays = {"feature": feature, "threshold": threshold, "branches": branches}
    return {name: torch.from_numpy(values) for name, values in arrays.items()}


def tree(features: int = FEATURES, classes: int = 2, trees: int = 1) -> StackedTrees:
    arrays = tree_arrays(trees, features)
    p = torch.rand(
        *arrays["feature"].shape, classes, dtype=torch.float64, generator=Generator().manual_seed(1)
    )
    log_p = (p / p.sum(2, keepdim=True)).log()
    log_p[:, :7] = 0  # of inner nodes
    return StackedTrees({**arrays, "log_p": log_p})


def forest(features: int = FEATURES, classes: int = 2) -> StackedForests:
    return StackedForests({k: v.unsqueeze(0) for k, v in tree(features, classes, 5).arrays.items()})


def boosted(features: int = FEATURES, classes: int = 2) -> StackedBoosted:
    margins = 1 if classes == 2 else classes
    arrays = tree_arrays(4 * margins, features, seed=2)
    value = torch.randn(arrays["feature"].shape, dtype=torch.float64, generator=Generator().manual_seed(4))
    arrays["branches"][-1] = 0  # only fills up
    value[-1] = 0
    value[:, :7] *= (arrays["branches"][:, :7, 0] == 0).double()
    base = torch.linspace(-1, 1, margins, dtype=torch.float64)
    stacked = {name: values.unsqueeze(0) for name, values in {**arrays, "value": value, "base": base}.items()}
    return StackedBoosted(stacked)


def network(x: np.ndarray, *above: int) -> StackedNetwork:
    """A network that was trained on standardised features, and takes raw ones."""
    stack = initialised(StackedMLP((x.shape[1], *above)))
    shift, scale = (torch.from_numpy(values).unsqueeze(0) for values in (x.mean(0), x.std(0)))
    stack.take_raw(shift, torch.where(scale > 0, scale, 1.0))
    return stack


def stacks(classes: int = 2, columns: Sequence[Encoded] = COLUMNS) -> dict[str, Stack]:
    """A model of each family that takes rows of features."""
    x = training_rows(columns)
    features = x.shape[1]
    return {
        "mlp": network(x, 7, 5, classes),
        "linear": network(x, classes),
        "tree": tree(features, classes),
        "forest": forest(features, classes),
        "gbdt": boosted(features, classes),
    }


def training_rows(columns: Sequence[Encoded] = COLUMNS, n: int = 60, seed: int = 5) -> np.ndarray:
    """Features of rows whose numbers lie between 0 and 1, as the thresholds of the trees do."""
    random = np.random.default_rng(seed)
    x = random.random((n, sum(len(column.features) for column in columns))).astype(np.float32)
    start = 0
    for column in columns:
        if column.kind == "date":
            x[:, start] = random.integers(10_000, 20_000, n)
        start += len(column.features)
    raw = made(columns, x, n, random)
    return np.asarray(applied(table_of(columns, raw), columns).numpy())


def answered(stack: Stack, raw: Sequence[Sequence[Any]], columns: Sequence[Encoded] = COLUMNS) -> Rows:
    """A model's predictions for rows."""
    x = applied(table_of(columns, raw), columns)
    return Rows(raw, x.numpy(), stack.double().predict(x)[0].softmax(-1).numpy())


def answered_features(stack: Stack, x: np.ndarray, columns: Sequence[Encoded] = COLUMNS) -> Rows:
    return answered(stack, rows_of(columns, x), columns)


def leaving(
    stack: Stack, columns: Sequence[Encoded] = COLUMNS, classes: Sequence[str] = (), **more: Any
) -> Exported:
    """A student of rows, prepared for export."""
    x = training_rows(columns)
    golden = answered(stack, made(columns, x, 8, np.random.default_rng(1)), columns)
    return Exported(
        **{
            "who": "soft-T1-tiny, seed 0, of run tiny",
            "taught": "soft, T = 1",
            "classes": classes or [f"class {k}" for k in range(golden.p.shape[1])],
            "columns": columns,
            "fills": True,
            "missing": WORDS,
            "shape": (x.shape[1],),
            "is_bytes": False,
            "computation": stack.computation,
            "x": x,
            "facts": {"run": "tiny", "metrics": {"accuracy": 0.9}},
            "golden": golden,
            **more,
        }
    )


def image_stacks() -> dict[str, Stack]:
    """Models of images of 8×6 pixels, in 3 classes."""
    return {
        "cnn": initialised(StackedCNN((1, 8, 6), 3, (5,), 3)),
        "mlp": initialised(StackedMLP((48, 6, 3))),
        "tree": tree(48, 3),
    }


def leaving_images(stack: Stack, *, is_bytes: bool) -> tuple[Exported, Rows]:
    """A student of images, prepared for export, and examples with its predictions."""
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (40, 48)).astype(np.float32)
    x = x if is_bytes else x / np.float32(255)

    def answers(x: np.ndarray) -> Rows:
        images = torch.from_numpy(x).view(-1, 8, 6)
        images = images.to(torch.uint8) if is_bytes else images
        return Rows((), x, stack.predict(images)[0].double().softmax(-1).numpy())

    computation = stack.computation.taking_bytes() if is_bytes else stack.computation
    student = Exported(
        who="tiny",
        taught="labels",
        classes=("a", "b", "c"),
        columns=(),
        fills=False,
        missing=(),
        shape=(8, 6),
        is_bytes=is_bytes,
        computation=computation,
        x=x,
        facts={},
        golden=answers(made_features(x, 4, random)),
    )
    return student, answers(x)
