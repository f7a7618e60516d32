"""Evidence made of arrays: student sets with the values that each seed has on each test example."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar
from zlib import crc32

import torch
from torch import Tensor

from kdcli.data import Description
from kdcli.errors import Command
from kdcli.evidence.gather import COMPARED, Evidence
from kdcli.evidence.measures import estimate_metric
from kdcli.evidence.tested import draws_of
from kdcli.evidence.verdicts import Measured, StudentsMeasured, against_control
from kdcli.metrics import METRICS
from kdcli.runs.recipe import Students
from kdcli.runs.student_sets import StudentSet, student_sets
from kdcli.stats import INDEPENDENT, Draws

N = 400  # test examples
SIZES = {"train": 4 * N, "val": N, "test": N}
SEVERAL_DRAWS = Command("run", ("tiny.toml",), {"draws": 10})

Given: TypeAlias = float | Tensor | Sequence[float] | Sequence[Tensor]
"""A mean, or values `(seeds, n)`; of several draws a sequence of either."""

M = TypeVar("M", bound=Measured)


def student_set(
    target: str,
    *,
    seeds: int = 5,
    model: str = "mlp:4",
    temperature: float | str = 4.0,
    chosen: float | None = None,
    **settings: Any,
) -> StudentSet:
    """Return one student set with the seeds 0, 1, …"""
    one = Students(
        models=(model,), targets=(target,), temperatures=(temperature,), seeds=seeds, epochs=20, **settings
    )
    return replace(student_sets(one)[0], chosen=chosen)


def values(mean: float, seeds: int = 5, *, spread: float = 0.02, noise: str = "", draw: int = 0) -> Tensor:
    """Return values `(seeds, N)` of this mean, of which some `spread` is not shared with other `noise`.

    What they share is that of the test examples of the draw.
    """
    shared = torch.rand(N, generator=torch.Generator().manual_seed(draw), dtype=torch.float64)
    own = torch.Generator().manual_seed(crc32((f"{noise}/{draw}" if draw else noise).encode()))
    rest = torch.randn(seeds, N, generator=own, dtype=torch.float64)
    return mean + 0.2 * (shared - shared.mean()) + spread * (rest - rest.mean())


def by_draw(given: Given, draws: int, seeds: int, **options: Any) -> list[Tensor]:
    """Return the values `(seeds, n)` of each draw that are given as such or as means."""
    of_draws = [given] * draws if isinstance(given, float | Tensor) else given
    return [
        one if isinstance(one, Tensor) else values(one, seeds, draw=draw, **options)
        for draw, one in enumerate(of_draws)
    ]


def number_of_draws(*given: Given) -> int:
    return max(1 if isinstance(one, float | Tensor) else len(one) for one in given)


def measure_arrays(
    arrays: Mapping[str, list[Tensor]], how: Draws = INDEPENDENT
) -> tuple[dict[str, Any], dict[str, list[list[float]]], dict[str, list[Tensor]]]:
    """Return the estimates, the means by draw and seed, and the values of these metrics."""
    estimates = {name: estimate_metric(METRICS[name], array, how) for name, array in arrays.items()}
    per_seed = {name: [of_draw.mean(-1).tolist() for of_draw in array] for name, array in arrays.items()}
    return estimates, per_seed, dict(arrays)


def students(
    target: str,
    accuracy: Given,
    nll: Given = 0.3,
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
    draws = number_of_draws(accuracy, nll)
    arrays = {}
    for metric, given in (("accuracy", accuracy), ("nll", nll)):
        of_draws = by_draw(given, draws, len(made.seeds_asked), noise=made.name)
        arrays[metric] = [array[list(kept)] if len(array) > len(kept) else array for array in of_draws]
    folder = name or made.name
    title = made.title(folder, whole=False)
    measured = measure_arrays(arrays)
    return StudentsMeasured(title, made.group, INDEPENDENT, *measured, name=folder, set=made)


def teacher(accuracy: Given = 0.9, nll: Given = 0.3) -> Measured:
    """Return a teacher with values around these means."""
    draws = number_of_draws(accuracy, nll)
    arrays = {
        "accuracy": by_draw(accuracy, draws, 1, spread=0.0),
        "nll": by_draw(nll, draws, 1, spread=0.0),
    }
    return Measured("teacher", "mlp:8", INDEPENDENT, *measure_arrays(arrays))


def evidence(
    *sets: StudentsMeasured,
    control: str = "labels",
    unpaired: bool = False,
    n_classes: int = 2,
    compared: Sequence[str] = COMPARED,
    **others: Any,
) -> Evidence:
    """Compare student sets with their control; `drawing` tells how several draws come about."""
    first = next(iter(sets[0].values.values()))
    description = Description(
        name="gaussians",
        shape=(2,),
        feature_names=("x₁", "x₂"),
        classes=tuple(map(str, range(n_classes))),
        sizes={**SIZES, "test": first[0].shape[1]},
        draws=len(first),
        drawing=others.pop("drawing", "sampled"),
    )
    how = draws_of(description)
    reference = others.pop("teacher", None)
    return Evidence(
        **{
            "run": "tiny",
            "heading": "tiny",
            "description": description,
            "bayes": None,
            "teacher": reference and drawn(reference, how),
            "teacher_logits": None,
            "students": against_control([drawn(one, how) for one in sets], compared, control, unpaired),
            "control": control,
            "compared": compared,
            "training": trains,
            "more_draws": SEVERAL_DRAWS,
            "on_validation": lambda folder, metric: next(
                one.estimates[metric].mean for one in sets if one.name == folder
            ),
            **others,
        }
    )


def drawn(measured: M, how: Draws) -> M:
    """Return what is measured with its draws varying like this."""
    estimates, *_ = measure_arrays({name: list(array) for name, array in measured.values.items()}, how)
    return replace(measured, how=how, estimates=estimates)


def trains(*sets: StudentSet) -> Command:
    """Return a command that says which targets it trains, with how many seeds."""
    targets = tuple(dict.fromkeys(wanted.target for wanted in sets))
    return Command("distill", options={"targets": targets, "seeds": len(sets[0].seeds)})
