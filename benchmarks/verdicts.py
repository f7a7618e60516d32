"""Verdicts from single draws of the data, how well they agree, and the coverage of the interval over draws.

    python benchmarks/verdicts.py RUN [--outputs DIR] [--experiments N]

RUN is a run of kd with many draws. Each draw is judged alone, as kd judges a run of one draw; a row has these
verdicts, the share of pairs of draws with the same verdict, and the share of draws whose interval covers the
mean over all draws. Then experiments of 10 random draws are made, and kd's interval over draws is compared
with the mean of all draws: this needs a bank of hundreds of draws.
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import torch

from kdcli.evidence.gather import Evidence, gather
from kdcli.evidence.verdicts import StudentsMeasured, Versus, against_control
from kdcli.metrics import METRICS
from kdcli.runs.experiment import Experiment
from kdcli.stats import over_draws
from kdcli.store import Store

DRAWS = 10  # in an experiment


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("--outputs", type=Path, default=Path("outputs"))
    parser.add_argument("--experiments", type=int, default=2000)
    given = parser.parse_args()
    evidence = gather(Experiment.open(Store(given.outputs).existing_run(given.run)))
    print(f"{evidence.draws} draws, {evidence.n_test} test examples; accuracy in points, NLL in nats")
    singles = [judged_alone(evidence, draw) for draw in range(evidence.draws)]
    print(
        "comparison | mean over draws | sd | half-width | better/none/worse | pairs agree | covers the mean"
    )
    for name, metric, versus in compared(evidence):
        print(name, metric, *single_row(versus, [single[name, metric] for single in singles]), sep=" | ")
    if evidence.draws < 10 * DRAWS:
        return
    print(f"\ncoverage of the 95 % interval in {given.experiments} experiments of {DRAWS} draws")
    for name, metric, versus in compared(evidence):
        print(f"{name} | {metric} | {coverage(versus, given.experiments):.1%}")


def compared(evidence: Evidence) -> Iterator[tuple[str, str, Versus]]:
    """Yield each comparison whose differences are finite in every draw."""
    for students in evidence.students:
        for metric, versus in students.versus.items():
            if bool(torch.tensor(versus.by_draw).isfinite().all()):
                yield students.name, metric, versus


def judged_alone(evidence: Evidence, draw: int) -> dict[tuple[str, str], Versus]:
    """Compare the students of one draw with their control, as in a run with a single draw."""
    students = [of_draw(measured, draw) for measured in evidence.students]
    judged = against_control(students, evidence.compared, evidence.control, unpaired=False)
    return {(s.name, metric): versus for s in judged for metric, versus in s.versus.items()}


def of_draw(measured: StudentsMeasured, draw: int) -> StudentsMeasured:
    """Return the measurements of one draw."""
    return replace(
        measured,
        per_seed={metric: [values[draw]] for metric, values in measured.per_seed.items()},
        values={metric: [values[draw]] for metric, values in measured.values.items()},
        versus={},
    )


def single_row(versus: Versus, singles: list[Versus]) -> list[str]:
    """Return the row of a comparison: over all draws, and from single draws."""
    scale = 100 if METRICS[versus.metric].unit == "%" else 1
    by_draw = torch.tensor(versus.by_draw)
    mean = float(by_draw.mean())
    verdicts = [single.verdict for single in singles]
    told = Counter(verdicts)
    pairs = list(combinations(verdicts, 2))
    halves = [single.sampled.half_width() for single in singles if single.sampled]
    inside = [single.interval[0] <= mean <= single.interval[1] for single in singles if single.interval]
    return [
        f"{scale * mean:+.4f}",
        f"{scale * float(by_draw.std()):.4f}",
        f"{scale * sum(halves) / len(halves):.4f}" if halves else "–",
        f"{told['better']}/{told['no difference shown'] + told[None]}/{told['worse']}",
        f"{sum(one == other for one, other in pairs) / len(pairs):.0%}",
        f"{sum(inside) / len(inside):.0%}" if inside else "–",
    ]


def coverage(versus: Versus, experiments: int) -> float:
    """Return the share of experiments whose interval over draws covers the mean of the bank."""
    bank = torch.tensor(versus.by_draw, dtype=torch.float64)
    random = torch.Generator().manual_seed(0)
    covered = 0
    for _ in range(experiments):
        drawn = bank[torch.randperm(len(bank), generator=random)[:DRAWS]]
        _, low, high = over_draws(drawn).estimate
        covered += low <= float(bank.mean()) <= high
    return covered / experiments


if __name__ == "__main__":
    main()
