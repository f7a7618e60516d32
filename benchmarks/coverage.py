"""How often kd's intervals cover the truth, and how often a table of equal students has a false verdict.

    python benchmarks/coverage.py [TABLES]

Draws tables of differences `(seeds, n)` from known truths and applies `kdcli.stats` to each: 2000 for every
number of seeds and examples and every mix of variances by default. `share of the variance` is the part of
seeds, examples and the residual in the variance of the mean. Next to kd's interval is the one with pooled
degrees of freedom (Welch 1947, Satterthwaite 1946). Then come tables whose examples have heavy tails or are
skewed, judged by `kdcli.inference`. The last tables have five student sets that do not differ from their
control, in two metrics each: accuracies that seldom differ, and long-tailed losses.
"""

import math
import sys
from collections.abc import Iterator

import torch
from scipy.special import stdtrit
from torch import Tensor

from kdcli.inference import compare
from kdcli.rng import generator
from kdcli.stats import LEVEL, Sampled, crossed, holm

SEEDS, EXAMPLES, FEW = (2, 5, 10), (300, 10_000), (50, 300, 2000)
KINDS = ("normal", "t3", "lognormal", "rare 20", "rare 100")
MIXES = (
    (1.0, 0.0, 0.0),
    (0.0, 1.0, 0.0),
    (0.0, 0.0, 1.0),
    (0.5, 0.5, 0.0),
    (0.9, 0.1, 0.0),
    (0.1, 0.3, 0.6),
    (0.3, 0.3, 0.4),
)


def tables(count: int, seeds: int, n: int, mix: tuple[float, float, float]) -> Iterator[Tensor]:
    """Draw tables with a true mean of 0, whose mean has variance 1, composed as in `mix`."""
    random = generator(f"coverage/{seeds}/{n}/{mix}", 0)
    of_seeds, of_examples, of_rest = mix
    for _ in range(count):
        rest = (of_rest * seeds * n) ** 0.5 * torch.randn(seeds, n, generator=random)
        rows = (of_seeds * seeds) ** 0.5 * torch.randn(seeds, 1, generator=random)
        yield rest + rows + (of_examples * n) ** 0.5 * torch.randn(1, n, generator=random)


def heavy(kind: str, n: int, random: torch.Generator) -> Tensor:
    """Draw a difference for each of n examples, with a true mean of 0 and a standard deviation of 1."""
    z = torch.randn(n, generator=random)
    if kind == "t3":  # Student's t on three degrees of freedom, whose fourth moment is infinite
        return z / torch.randn(3, n, generator=random).square().sum(0).sqrt()
    if kind == "lognormal":
        return ((1.5 * z).exp() - math.exp(1.125)) / (math.exp(1.125) * math.expm1(2.25) ** 0.5)
    if kind.startswith("rare"):  # slightly negative on nearly all examples, large on a few
        others = int(kind.removeprefix("rare ")) - 1
        return torch.where(torch.rand(n, generator=random) < 1 / (others + 1), others, -1.0) / others**0.5
    return z


def print_heavy(count: int, seeds: int, n: int, kind: str) -> None:
    """Print the shares of tables with a verdict, with a wrong verdict, and with a missed truth.

    Seeds add a little noise. The true mean is half a standard error above 0: a verdict is wrong if it
    finds the mean below 0, and the truth is missed if the interval does not contain it.
    """
    random = generator(f"coverage/heavy/{seeds}/{n}/{kind}", 0)
    truth = 0.5 / n**0.5
    ours, alone = [], []
    for _ in range(count):
        values = truth + heavy(kind, n, random) + 0.1 * torch.randn(seeds, n, generator=random)
        found, usual = compare([values], [torch.zeros_like(values)], paired=True), crossed(values)
        wrong = (found.p_value or 1.0) <= LEVEL and usual.mean < 0
        missed = found.interval is not None and not found.interval[0] <= truth <= found.interval[1]
        ours.append((found.p_value is not None, wrong, missed))
        missed = abs(usual.mean - truth) > usual.half_width()
        alone.append((True, usual.p_value <= LEVEL and usual.mean < 0, missed))
    means = (torch.tensor(rows, dtype=torch.float64).mean(0).tolist() for rows in (ours, alone))
    cells = (f"{judged:6.0%} {wrong:6.1%} {missed:7.1%}" for judged, wrong, missed in means)
    print(f"{seeds:5} {n:8} | {kind:9} | {' | '.join(cells)}", flush=True)


def pooled(values: Tensor) -> float:
    """Half-width of the interval with pooled degrees of freedom, which counts the residual twice."""
    parts = [(float(m.var()) / len(m), len(m) - 1) for m in (values.mean(1), values.mean(0))]
    variance = sum(part for part, _ in parts)
    freedom = variance**2 / sum(part**2 / free for part, free in parts)
    return float(-stdtrit(freedom, LEVEL / 2)) * float(variance**0.5)


def null_tables(count: int, seeds: int, n: int) -> Iterator[list[Sampled]]:
    """Draw tables of five sets that do not differ from their control: accuracies and long-tailed losses.

    Each set differs from the control on a few examples, more on hard ones, and one way as often as the
    other; sets share the control, so that their differences are correlated.
    """
    random = generator(f"coverage/null/{seeds}/{n}", 0)
    for _ in range(count):
        hard = torch.rand(1, 1, n, generator=random) ** 4  # the probability that an example is misclassified
        level = 0.02 * torch.randn(6, seeds, 1, generator=random)  # good and bad seeds, in every set
        right = (torch.rand(6, seeds, n, generator=random) > (0.4 * hard + level).clamp(0, 1)).float()
        cost = torch.exp(2 * hard + level + torch.randn(6, seeds, n, generator=random))
        yield [crossed(metric[k] - metric[0]) for metric in (right, cost) for k in range(1, 6)]


def false_verdict(results: list[Sampled]) -> bool:
    """Whether a table has any verdict of a difference."""
    return min(holm([result.p_value for result in results])) <= LEVEL


def main() -> None:
    """Print a line for each number of seeds and examples, and each mix."""
    torch.set_num_threads(1)  # the tables are small
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print(f"{count} tables each; simulation error of 95 %: ± {1.96 * (0.95 * 0.05 / count) ** 0.5:.1%}")
    print("seeds examples | share of the variance | coverage  mean width | pooled: coverage  mean width")
    for seeds in SEEDS:
        for n in EXAMPLES:
            for mix in MIXES:
                ours, theirs = [], []
                for values in tables(count, seeds, n, mix):
                    result = crossed(values)
                    ours.append((abs(result.mean) <= result.half_width(), 2 * result.half_width()))
                    half = pooled(values)
                    theirs.append((abs(result.mean) <= half, 2 * half))
                cells = [torch.tensor(both, dtype=torch.float64).mean(0).tolist() for both in (ours, theirs)]
                print(
                    f"{seeds:5} {n:8} | {' + '.join(f'{share:3.0%}' for share in mix):21} | "
                    f"{cells[0][0]:8.1%} {cells[0][1]:11.2f} | {cells[1][0]:16.1%} {cells[1][1]:11.2f}",
                    flush=True,
                )
    print("shares of all tables         | kd: judged, wrong, missed | usual interval: the same")
    for seeds in SEEDS:
        for n in FEW:
            for kind in KINDS:
                print_heavy(count, seeds, n, kind)
    print("five sets that do not differ: tables with a false verdict")
    for seeds in SEEDS:
        for n in EXAMPLES:
            claims = [false_verdict(results) for results in null_tables(count, seeds, n)]
            print(f"{seeds:5} {n:8} | {sum(claims) / count:.1%}", flush=True)


if __name__ == "__main__":
    main()
