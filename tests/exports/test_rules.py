import re

import numpy as np
import pytest
import torch
from exporting import leaving, network

from kdcli.data.tables.encoding import Encoded
from kdcli.exports.features import bound, features_of, moment, plain
from kdcli.exports.kind import Exported
from kdcli.exports.rules import obstacle, write
from kdcli.models.stack import Stack
from kdcli.models.stacked_mlp import StackedMLP
from kdcli.models.stacked_trees import StackedTrees

COLUMNS = [
    Encoded("age", "number", 40.0, missing=True),
    Encoded("plan", "category", levels=("basic", "plus"), others=True),
    Encoded("active", "yes/no", 1.0),
]
X = torch.tensor([[30.0, 0, 1, 0, 0, 1], [50, 0, 0, 1, 0, 0], [70, 0, 0, 0, 1, 1], [40, 1, 1, 0, 0, 1]])


def tree(
    feature: list[int], threshold: list[float], branches: list[list[int]], p: list[list[float]]
) -> StackedTrees:
    """A tree with these probabilities in its nodes."""
    return StackedTrees(
        {
            "feature": torch.tensor([feature]),
            "threshold": torch.tensor([threshold], dtype=torch.float64),
            "branches": torch.tensor([branches]),
            "log_p": torch.tensor([p], dtype=torch.float64).log(),
        }
    )


TREE = tree(
    [0, 2, 0, 4, 0, 0, 0],
    [45.05, 0.5, 0, 0.5, 0, 0, 0],
    [[1, 2], [3, 4], [0, 0], [5, 6], [0, 0], [0, 0], [0, 0]],
    [[1, 1], [1, 1], [0.125, 0.875], [1, 1], [0.75, 0.25], [0.5, 0.5], [1, 0]],
)


def exported(stack: Stack, classes: tuple[str, ...] = ("no", "yes")) -> Exported:
    who, taught = "labels-tree, seed 0, of run tiny", "labels"
    return leaving(stack, COLUMNS, classes, who=who, taught=taught, x=X.numpy())


def written(student: Exported) -> str:
    return write(student).decode()


def test_a_tree_reads_from_the_top() -> None:
    assert written(exported(TREE)).splitlines() == [
        "labels-tree, seed 0, of run tiny, taught: labels",
        "",
        "A decision tree. From the top, follow the conditions that hold for a row to an arrow: its class.",
        "In brackets: the probability of each class, and how many of the 4 training rows end there.",
        "",
        "if age ≤ 45.05:",
        "    if plan is 'basic':",
        "        → no   (no 75.00 %, yes 25.00 %; 2 rows)",
        "    else, plan is not 'basic':",
        "        if plan is another value:",
        "            → no   (no 100.00 %, yes 0.00 %; no rows)",
        "        else, plan is not another value:",
        "            → no   (no 50.00 %, yes 50.00 %; no rows)",
        "else, age > 45.05:",
        "    → yes   (no 12.50 %, yes 87.50 %; 2 rows)",
        "",
        "A missing value is replaced: age 40.",
        "plan is another value if it is given, and not 'basic' or 'plus'.",
    ]


def score_of(text: str, name: str, x: np.ndarray) -> np.ndarray:
    """The scores that a person computes from the text, for rows of features."""
    names = [feature.holds or feature.name for column in COLUMNS for feature in features_of(column)]
    block = text.split(f"score of {name} =\n")[1].split("\n\n")[0].replace("−", "-").splitlines()
    total = np.full(len(x), float(block[0]))
    for line in block[1:]:
        sign, weight, _, of = re.fullmatch(r" *([+-]) (\S+) (×|if) (.+)", line).groups()  # type: ignore[union-attr]
        total += float(sign + weight) * x[:, names.index(of)]
    return total


@pytest.mark.parametrize("classes", [("no", "yes"), ("a", "b", "c")])
def test_who_computes_by_the_text_of_a_linear_model_gets_its_probabilities(classes: tuple[str, ...]) -> None:
    stack = StackedMLP((6, len(classes)), 1)
    stack.initialise([torch.Generator().manual_seed(0)])
    text = written(exported(stack, classes))
    p = stack.predict(X)[0].softmax(1).detach().numpy()
    if len(classes) == 2:
        np.testing.assert_allclose(1 / (1 + np.exp(-score_of(text, "yes", X.numpy()))), p[:, 1], rtol=1e-4)
    else:
        scores = np.exp([score_of(text, name, X.numpy()) for name in classes])
        np.testing.assert_allclose((scores / scores.sum(0)).T, p, rtol=1e-4)


def test_a_threshold_is_written_with_all_its_digits() -> None:
    for threshold in np.random.default_rng(0).normal(size=500).astype(np.float32):
        assert np.float32(bound(float(threshold)).replace("−", "-")) == threshold


def test_days_are_written_as_dates() -> None:
    assert moment(18262.5, "%Y-%m-%d") == "2020-01-01"
    assert moment(18262.5, "%Y-%m-%d %H:%M:%S") == "2020-01-01 12:00:00.000"
    since = next(features_of(Encoded("since", "date", format="%d.%m.%Y")))
    assert since.sides(18262.5) == ("since ≤ 2020-01-01", "since > 2020-01-01")


@pytest.mark.parametrize("name", ["two\nlines", "\u202eright to left", "\0", "\x1b[31mred", "x" * 10_000])
def test_names_stay_on_their_line(name: str) -> None:
    told = plain(name)
    assert told.isprintable()
    assert len(told) <= 210


def test_columns_become_as_many_features_as_they_are_encoded_in() -> None:
    for column in (*COLUMNS, Encoded("since", "date", missing=True), Encoded("n", "number")):
        assert len(list(features_of(column))) == len(column.features)


def test_networks_have_no_rules() -> None:
    assert not obstacle(exported(TREE))
    assert not obstacle(exported(StackedMLP((6, 2), 1)))
    assert "trees and linear" in obstacle(exported(StackedMLP((6, 4, 2), 1)))


def test_large_numbers_that_vary_little_keep_their_digits() -> None:
    columns = [
        Encoded("when", "date", format="%Y-%m-%d"),
        Encoded("amount", "number"),
        Encoded("n", "number"),
    ]
    random = np.random.default_rng(0)
    x = np.stack([*random.normal((19_000, 5, 3), (3, 0, 0), (200, 3)).T, random.normal(2e6, 9, 200)], 1)
    x = np.concatenate([np.round(x), random.normal(0, 1, (200, 1))], 1).astype(np.float32)
    stack = network(x, 2)
    student = leaving(stack, columns, ("no", "yes"), x=x, golden=leaving(stack, columns).golden)
    block = written(student).split("score of yes =\n")[1].split("\n\n")[0].replace("−", "-").splitlines()
    total = np.full(len(x), float(block[0]))
    for line in block[1:]:
        sign, weight, term = re.fullmatch(r" *([+-]) (\S+) × (.+)", line).groups()  # type: ignore[union-attr]
        if since := re.fullmatch(r"when in days since (\S+)", term):
            value = x[:, 0] - np.datetime64(since[1]).astype("datetime64[D]").astype(int)
        elif amount := re.fullmatch(r"\(amount - (\S+)\)", term):
            value = x[:, 3].astype(float) - float(amount[1])
        else:
            value = x[
                :,
                ["the month of when", "the weekday (Monday is 1) of when", "n"].index(term)
                + 1
                + (term == "n"),
            ]
        total += float(sign + weight) * value
    p = stack.double().predict(torch.from_numpy(x))[0].softmax(1).numpy()
    np.testing.assert_allclose(1 / (1 + np.exp(-total)), p[:, 1], atol=1e-4)


def test_days_of_files_without_text_have_their_time() -> None:
    since = next(features_of(Encoded("since", "date")))
    assert since.sides(18262.5) == ("since ≤ 2020-01-01 12:00:00.000", "since > 2020-01-01 12:00:00.000")
    assert since.sides(18262.0)[0] == "since ≤ 2020-01-01"


def test_no_name_forges_a_line() -> None:
    assert plain("red' or col is 'blue") == "red\\x27 or col is \\x27blue"
    assert plain("a\\n") != plain("a\n")
    assert "→" not in plain("→ Yes")
