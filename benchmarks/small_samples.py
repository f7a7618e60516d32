"""How often a single small test set makes kd conclude the opposite of the truth.

    python benchmarks/small_samples.py RUN [--outputs DIR] [--experiments N]

RUN is a run of one draw with many test examples: they are the population. Test sets of 50 to 2,000 are
drawn from it, with replacement, and judged as `kd compare` judges a run, corrected for all comparisons. A
verdict is wrong if its sign is not that of the difference in the population. Next to kd's verdicts are those
of the normal approximation alone. The last column is how often the interval of an accuracy covers that of the
population.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from kdcli.evidence.gather import Evidence, gather
from kdcli.inference import compare, estimate
from kdcli.metrics import METRICS
from kdcli.rng import generator
from kdcli.runs.experiment import Experiment
from kdcli.stats import LEVEL, crossed, holm
from kdcli.store import Store

SIZES = (50, 100, 200, 500, 1000, 2000)
METRICS_COMPARED = ("accuracy", "nll")
NEAR_ZERO = 5e-4  # if the difference in the population is smaller, no sign is wrong

Case = tuple[str, str, Tensor, Tensor]


def main() -> None:
    """Print a table for each size."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("--outputs", type=Path, default=Path("outputs"))
    parser.add_argument("--experiments", type=int, default=500)
    given = parser.parse_args()
    evidence = gather(Experiment.open(Store(given.outputs).existing_run(given.run)))
    cases = list(pairs(evidence))
    print(f"{evidence.n_test:,} examples to draw from, {given.experiments} test sets of each size")
    print("n | comparison | metric | difference | verdicts, wrong: kd | normal alone | accuracy covered")
    for n in SIZES:
        judged = [experiment(cases, n, k) for k in range(given.experiments)]
        for k, case in enumerate(cases):
            print_row(n, case, [of_sample[k] for of_sample in judged])


def pairs(evidence: Evidence) -> list[Case]:
    """Return the values of each set and of its control, if all are finite."""
    return [
        (
            students.name,
            metric,
            students.values[metric][0],
            evidence.named(students.control).values[metric][0],
        )
        for students in evidence.students
        if students.control
        for metric in METRICS_COMPARED
        if all(
            bool(s.values[metric][0].isfinite().all()) for s in (students, evidence.named(students.control))
        )
    ]


def experiment(cases: Sequence[Case], n: int, number: int) -> list[tuple[float, float, float, bool]]:
    """Judge a test set: for each case, the difference, both adjusted p-values, and if the interval covers."""
    size = cases[0][2].shape[1]
    rows = torch.randint(size, (n,), generator=generator(f"small-samples/{n}", number))
    found, plain, covered = [], [], []
    for _, metric, ones, others in cases:
        counts = 1.0 if METRICS[metric].counts else 0.0
        found.append(compare([ones[:, rows]], [others[:, rows]], paired=True, count=counts))
        plain.append(crossed(ones[:, rows] - others[:, rows]).p_value)
        _, low, high = estimate([ones[:, rows]], share=bool(counts))
        covered.append(low <= float(ones.double().mean()) <= high)
    tested = [k for k, finding in enumerate(found) if finding.p_value is not None]
    adjusted = dict(zip(tested, holm([found[k].p_value or 0.0 for k in tested]), strict=True))
    alone = holm([1.0 if p is None else p for p in plain])
    return [
        (finding.difference or 0.0, adjusted.get(k, 1.0), alone[k], covered[k])
        for k, finding in enumerate(found)
    ]


def print_row(n: int, case: Case, judged: Sequence[tuple[float, float, float, bool]]) -> None:
    """Print how often there is a verdict, and how often it is wrong."""
    name, metric, ones, others = case
    truth = float(ones.double().mean() - others.double().mean())
    cells = []
    for place in (1, 2):
        shown = [row for row in judged if row[place] <= LEVEL]
        wrong = [row for row in shown if row[0] * truth < 0 and abs(truth) > NEAR_ZERO]
        cells.append(f"{len(shown) / len(judged):.0%}, {len(wrong) / len(judged):.1%}")
    covered = f"{sum(row[3] for row in judged) / len(judged):.1%}" if METRICS[metric].counts else "–"
    print(f"{n:,} | {name} | {metric} | {truth:+.4f} | {cells[0]} | {cells[1]} | {covered}", flush=True)


if __name__ == "__main__":
    main()
