"""How often the interval over draws of the data covers the truth, for fresh samples and for splits of a pool.

    python benchmarks/draws.py [EXPERIMENTS]

Every experiment has 10 draws of the two moons. In each draw a teacher (the vote of the nearest neighbours) is
fitted to the labels, and trees of 16 leaves to its classes, to its probabilities and to the labels. The
differences from the labels on the draw's test split, in accuracy and in the Brier score, are the input of
`kdcli.stats.over_draws`. Fresh draws are sampled independently; the others split one pool of rows repeatedly,
64 : 16 : 20 as kd does, and each experiment has a pool of its own. The truth is the mean over all
experiments. Next to the interval of Nadeau and Bengio is the one that treats splits as independent.
"""

import sys
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import make_moons
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeRegressor
from torch import Tensor

from kdcli.stats import over_draws

ROWS, DRAWS = (300, 1000, 5000), 10
TRAIN, TEST = 0.64, 0.2
NEIGHBOURS, LEAVES, NOISE = 15, 16, 0.3

Floats = NDArray[np.float64]
Rows = tuple[Floats, NDArray[np.int64]]


def sampled(rows: int, random: np.random.Generator) -> Rows:
    """Sample rows of the two moons, in random order."""
    return make_moons(rows, noise=NOISE, random_state=int(random.integers(2**31)))


def split(pool: Rows, random: np.random.Generator) -> tuple[Rows, Rows]:
    """Split rows into training and test examples, class by class."""
    x, y = pool
    train, test = [], []
    for label in (0, 1):
        own = random.permutation(np.flatnonzero(y == label))
        train.append(own[: round(TRAIN * len(own))])
        test.append(own[len(own) - round(TEST * len(own)) :])
    chosen = [np.concatenate(parts) for parts in (train, test)]
    return (x[chosen[0]], y[chosen[0]]), (x[chosen[1]], y[chosen[1]])


def scores(train: Rows, test: Rows, target: Floats) -> tuple[float, float]:
    """Return the accuracy and the Brier score of a tree that learns the probability of class 1."""
    tree = DecisionTreeRegressor(max_leaf_nodes=LEAVES, random_state=0).fit(train[0], target)
    probability = tree.predict(test[0])
    right = (probability > 0.5) == test[1]
    return float(right.mean()), float(2 * np.square(probability - test[1]).mean())


def differences(train: Rows, test: Rows) -> dict[str, float]:
    """Return the differences of each target from the labels."""
    teacher = KNeighborsClassifier(NEIGHBOURS).fit(*train)
    soft = teacher.predict_proba(train[0])[:, 1]
    control = scores(train, test, train[1].astype(float))
    found = {}
    for name, target in (("soft", soft), ("hard", (soft > 0.5).astype(float))):
        taught = scores(train, test, target)
        found[f"{name}, accuracy"] = taught[0] - control[0]
        found[f"{name}, Brier"] = taught[1] - control[1]
    return found


def experiments(count: int, rows: int, fresh: bool) -> Mapping[str, Tensor]:
    """Return the differences of every comparison, `(count, DRAWS)`."""
    random = np.random.default_rng([rows, fresh])
    made: dict[str, list[float]] = {}
    for _ in range(count):
        pool = sampled(rows, random)
        for _ in range(DRAWS):
            train, test = split(sampled(rows, random) if fresh else pool, random)
            for name, difference in differences(train, test).items():
                made.setdefault(name, []).append(difference)
    return {name: torch.tensor(values).reshape(count, DRAWS) for name, values in made.items()}


def covered(made: Tensor, overlap: float) -> tuple[float, float]:
    """Return how often the interval covers the truth, and half its mean width."""
    truth = float(made.double().mean())
    results = [over_draws(row, overlap) for row in made]
    hits = [abs(result.mean - truth) <= result.half_width() for result in results]
    return sum(hits) / len(hits), sum(result.half_width() for result in results) / len(results)


def lines(count: int) -> Iterator[str]:
    """Return a line for each number of rows, kind of draw and comparison."""
    for rows in ROWS:
        for kind, overlap in (("fresh", 0.0), ("splits", TEST / TRAIN)):
            for name, made in experiments(count, rows, kind == "fresh").items():
                corrected, plain = covered(made, overlap), covered(made, 0.0)
                yield (
                    f"{rows:5} {kind:6} {name:14} | {float(made.double().mean()):+.4f} | {corrected[0]:8.1%} "
                    f"± {corrected[1]:.4f} | {plain[0]:8.1%} ± {plain[1]:.4f}"
                )


def main() -> None:
    """Print how often the intervals cover."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    error = 1.96 * (0.95 * 0.05 / count) ** 0.5
    print(f"{count} experiments of {DRAWS} draws; simulation error of 95 %: ± {error:.1%}")
    print(" rows draws  comparison     |  truth  | kd: coverage, half  | as if independent")
    for line in lines(count):
        print(line, flush=True)


if __name__ == "__main__":
    main()
