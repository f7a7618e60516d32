"""The costs of using a model: its size, and the time of a prediction."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor

from kdcli.models import Model
from kdcli.models.stack import Stack
from kdcli.runs.stored import Data, Trained

K = TypeVar("K")

WARM_UP = 5  # untimed rounds at the start
LEAST, MOST = 40, 1000  # timed predictions of a model
SECONDS = 0.05  # time budget for each model, after which timing stops
BATCH = 64  # rows in a batch
BATCHES = 10  # rounds of single predictions for each round of batches


@dataclass(frozen=True)
class Cost:
    """The cost of one model; where seeds differ, as trees do, means over seeds.

    `latency_ms` is the median of single predictions in PyTorch on one thread of the CPU, and
    `latency_p95_ms` their 95th percentile. For a small model, most of that is overhead of the call; the model
    itself takes `latency_row_us` microseconds, the time of a further row in a batch of 64.
    """

    parameters: int
    multiply_adds: int
    bytes: int
    latency_ms: float
    latency_p95_ms: float
    latency_row_us: float


def measure_costs(models: Iterable[Trained[Any]], data: Data) -> dict[str, Cost]:
    """Count the parameters and operations of the stored models, by folder, and time their first seeds.

    Models of one shape and size cost the same and are timed once. All are timed in turn, so that other load
    on the machine affects them equally.
    """
    of_shape: dict[tuple[Any, ...], tuple[Model, int, int]] = {}
    shapes: dict[str, tuple[Any, ...]] = {}
    stacks: dict[tuple[Model, int], Stack] = {}
    for trained in (trained for trained in models if trained.is_kept):
        model = trained.model
        shape = (model, *(tuple(map(tuple, values)) for values in trained.described.values()))
        if shape not in of_shape:
            stack = trained.load_model()
            parameters, size = map(round, stack.numbers())
            of_shape[shape] = model, parameters, size
            if (model, parameters) not in stacks:
                stacks[model, parameters] = trained.member(stack, 0) if stack.members > 1 else stack
        shapes[trained.folder] = shape
    times = _latencies(stacks, data)
    costs = {
        shape: _cost(model, parameters, size, times[model, parameters], data)
        for shape, (model, parameters, size) in of_shape.items()
    }
    return {folder: costs[shape] for folder, shape in shapes.items()}


def _cost(model: Model, parameters: int, size: int, times: _Times, data: Data) -> Cost:
    single, batch = sorted(times.single), statistics.median(times.batch)
    median = statistics.median(single)
    return Cost(
        parameters=parameters,
        multiply_adds=model.multiply_adds(data.features, data.n_classes),
        bytes=size,
        latency_ms=median,
        latency_p95_ms=single[int(0.95 * (len(single) - 1))],
        latency_row_us=1000 * max(0.0, batch - median) / (BATCH - 1),
    )


@dataclass
class _Times:
    """Milliseconds of predictions of single rows, and of batches."""

    single: list[float] = field(default_factory=list)
    batch: list[float] = field(default_factory=list)


@torch.inference_mode()
def _latencies(stacks: Mapping[K, Stack], data: Data) -> dict[K, _Times]:
    """Time predictions of test examples; each round times every model once."""
    x = data.pool.split("test").x
    many = x[torch.arange(BATCH) % len(x)].unsqueeze(0)
    times = {key: _Times() for key in stacks}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        stop, number = time.perf_counter() + SECONDS * len(stacks), 0
        while number < LEAST + WARM_UP or (number < MOST and time.perf_counter() < stop):
            k = number % len(x)
            for key, stack in stacks.items():
                single = _timed(stack.eval(), x[k : k + 1].unsqueeze(0))
                batch = _timed(stack, many) if number % BATCHES == 0 else None
                if number >= WARM_UP:
                    times[key].single.append(single)
                    times[key].batch += [] if batch is None else [batch]
            number += 1
    finally:
        torch.set_num_threads(threads)
    return times


def _timed(model: Stack, x: Tensor) -> float:
    start = time.perf_counter()
    model(x)
    return 1000 * (time.perf_counter() - start)
