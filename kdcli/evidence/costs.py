"""What a model costs where it is used: its size, and the time that one prediction takes."""

import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from kdcli.models import Model
from kdcli.models.stack import Stack
from kdcli.runs.stored import Data, Trained

WARM_UP = 5  # predictions before any is timed
LEAST, MOST = 40, 1000  # timed predictions
SECONDS = 0.05  # after which no further one is timed


@dataclass(frozen=True)
class Cost:
    """The cost of one model: means over seeds where these differ, as those of trees do.

    `latency_ms` is the median of single predictions in PyTorch on one thread of the CPU, and
    `latency_p95_ms` their 95th percentile.
    """

    parameters: int
    multiply_adds: int
    bytes: int
    latency_ms: float
    latency_p95_ms: float


def measure_costs(models: Iterable[Trained[Any]], data: Data) -> dict[str, Cost]:
    """Count the numbers and operations of the models that are kept, by folder, and time their first seeds.

    Models of one shape and size cost the same: they are timed once.
    """
    costs: dict[str, Cost] = {}
    of_shape: dict[tuple[Any, ...], Cost] = {}
    of_size: dict[tuple[Model, int], Cost] = {}
    for trained in (trained for trained in models if trained.is_kept):
        model = trained.model
        shape = (model, *(tuple(map(tuple, values)) for values in trained.described.values()))
        if shape not in of_shape:
            stack = trained.load_model()
            parameters, size = map(round, stack.numbers())
            if (model, parameters) not in of_size:
                of_size[model, parameters] = _cost(model, stack, parameters, size, data)
            of_shape[shape] = of_size[model, parameters]
        costs[trained.folder] = of_shape[shape]
    return costs


def _cost(model: Model, stack: Stack, parameters: int, size: int, data: Data) -> Cost:
    if stack.members > 1:
        stack = model.restore(stack.parameters_of([0]), data.features, data.n_classes, 1)
    times = sorted(_latencies(stack, data))
    return Cost(
        parameters=parameters,
        multiply_adds=model.multiply_adds(data.features, data.n_classes),
        bytes=size,
        latency_ms=statistics.median(times),
        latency_p95_ms=times[int(0.95 * (len(times) - 1))],
    )


@torch.inference_mode()
def _latencies(model: Stack, data: Data) -> list[float]:
    """Time single predictions, one test example after the other, in milliseconds."""
    model.eval()
    x = data.pool.split("test").x
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        times: list[float] = []
        stop = time.perf_counter() + SECONDS
        while len(times) < LEAST + WARM_UP or (len(times) < MOST and time.perf_counter() < stop):
            k = len(times) % len(x)
            example = x[k : k + 1].unsqueeze(0)
            start = time.perf_counter()
            model(example)
            times.append(1000 * (time.perf_counter() - start))
    finally:
        torch.set_num_threads(threads)
    return times[WARM_UP:]
