"""Evidence made of arrays: student sets with the values that each seed has on each test example."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from zlib import crc32

import torch
from torch import Tensor

from kdcli.data import Description
from kdcli.errors import Command
from kdcli.evidence.gather import COMPARED, Evidence, estimate_metric
from kdcli.evidence.verdicts import Measured, StudentsMeasured, against_control
from kdcli.metrics import METRICS
from kdcli.runs.recipe import Students
from kdcli.runs.student_sets import StudentSet, student_sets

N = 400  # test examples


def student_set(
    target: str, *, seeds: int = 5, model: str = "mlp:4", temperature: float = 4.0, **settings: Any
) -> StudentSet:
    """Return one student set with the seeds 0, 1, …"""
    one = Students(
        models=(model,), targets=(target,), temperatures=(temperature,), seeds=seeds, epochs=20, **settings
    )
    return student_sets(one)[0]


def values(mean: float, seeds: int = 5, *, spread: float = 0.02, noise: str = "") -> Tensor:
    """Return values `(seeds, N)` of this mean, of which some `spread` is not shared with other `noise`."""
    shared = torch.rand(N, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    own = torch.Generator().manual_seed(crc32(noise.encode()))
    rest = torch.randn(seeds, N, generator=own, dtype=torch.float64)
    return mean + 0.2 * (shared - shared.mean()) + spread * (rest - rest.mean())


def measure_arrays(
    arrays: Mapping[str, Tensor],
) -> tuple[dict[str, Any], dict[str, list[float]], dict[str, Tensor]]:
    """Return the estimates, the means by seed and the values of these metrics."""
    estimates = {name: estimate_metric(METRICS[name], array) for name, array in arrays.items()}
    per_seed = {name: array.mean(-1).tolist() for name, array in arrays.items()}
    return estimates, per_seed, dict(arrays)


def students(
    target: str,
    accuracy: float | Tensor,
    nll: float | Tensor = 0.3,
    *,
    name: str = "",
    diverged: Sequence[int] = (),
    **settings: Any,
) -> StudentsMeasured:
    """Return the students of a set, whose seeds have these values or values around these means.

    The seeds that `diverged` are left out.
    """
    made = student_set(target, **settings)
    kept = tuple(seed for seed in made.seeds if seed not in diverged)
    made = replace(made, seeds=kept, diverged=tuple(diverged))
    arrays = {}
    for metric, given in (("accuracy", accuracy), ("nll", nll)):
        array = given if isinstance(given, Tensor) else values(given, len(made.seeds_asked), noise=made.name)
        arrays[metric] = array[list(kept)] if len(array) > len(kept) else array
    folder = name or made.name
    title = made.title(folder, whole=False)
    return StudentsMeasured(title, made.group, *measure_arrays(arrays), name=folder, set=made)


def teacher(accuracy: float = 0.9, nll: float = 0.3) -> Measured:
    """Return a teacher with values around these means."""
    arrays = {"accuracy": values(accuracy, 1, spread=0.0), "nll": values(nll, 1, spread=0.0)}
    return Measured("teacher", "mlp:8", *measure_arrays(arrays))


def evidence(
    *sets: StudentsMeasured,
    control: str = "labels",
    unpaired: bool = False,
    n_classes: int = 2,
    compared: Sequence[str] = COMPARED,
    **others: Any,
) -> Evidence:
    """Compare student sets with their control."""
    n = next(iter(sets[0].values.values())).shape[1]
    description = Description(
        name="gaussians",
        shape=(2,),
        feature_names=("x₁", "x₂"),
        classes=tuple(map(str, range(n_classes))),
        sizes={"train": 160, "val": 40, "test": n},
    )
    return Evidence(
        **{
            "run": "tiny",
            "heading": "tiny",
            "description": description,
            "bayes": None,
            "teacher": None,
            "teacher_logits": None,
            "students": against_control(sets, compared, control, unpaired),
            "control": control,
            "compared": compared,
            "training": trains,
            **others,
        }
    )


def trains(*sets: StudentSet) -> Command:
    """Return a command that says which targets it trains, with how many seeds."""
    targets = tuple(dict.fromkeys(wanted.target for wanted in sets))
    return Command("distill", options={"targets": targets, "seeds": len(sets[0].seeds)})
