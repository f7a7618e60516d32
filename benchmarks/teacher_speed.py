"""How close the training of the convolutional teacher comes to the time of its matrix products alone.

    python benchmarks/teacher_speed.py [float32|bfloat16]

The bound is the time of every matrix product of a step, forward and backward, each measured as a plain
`a @ b` of the same shapes in the same precision and process, plus the time that the optimiser's memory
traffic takes at the speed of copying. Prints one JSON line: samples per second, and the bound's share of
the time of a step.
"""

import json
import sys
import time
from collections.abc import Callable
from itertools import pairwise

import torch

from kdcli.losses import Objective
from kdcli.models.cnn import CNN
from kdcli.progress import Silence
from kdcli.rng import generator
from kdcli.runs.recipe import Training
from kdcli.training.examples import Examples
from kdcli.training.loop import fit
from kdcli.training.processor import keep_freed_memory

MODEL, BATCH, STEPS = CNN(32, (1200, 1200)), 128, 30
WIDTHS = (32 * 26 * 26, 1200, 1200, 10)
TOUCHED = 7  # tensors that Adam reads (parameter, gradient, two moments) or writes (all but the gradient)


def fastest(call: Callable[..., object], times: int = 20) -> float:
    """Return the seconds of the fastest of several calls, after a call to warm up."""
    call()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


class Marks(Silence):
    """Records the times at which the losses of each epoch are recorded."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.at: dict[int, float] = {}

    def __call__(self, done: int, loss: float | None) -> None:
        """Record the time if this number of steps is a whole number of epochs."""
        if done % self.steps == 0:
            self.at[done] = time.perf_counter()
            self.at[done] = time.perf_counter()


def step_seconds(precision: torch.dtype) -> float:
    """Return the seconds of a step in the fastest epoch, from one long and one short training."""
    y = torch.arange(BATCH * STEPS) % 10
    x = torch.randint(0, 256, (len(y), 28, 28), generator=generator("benchmark", 0)).to(torch.uint8)
    labels = torch.nn.functional.one_hot(y).T.float()
    few = torch.arange(2)

    def train(examples: int) -> float:
        model = MODEL.build((28, 28), 10)
        model.initialise([generator("benchmark", 1)])
        taught, val = (
            Objective(of_split, torch.ones(1, 1, 1), of_split)
            for of_split in (labels[None, None, None, :, :examples], labels[None, None, None, :, few])
        )
        marks = Marks(examples // BATCH)
        fit(
            model,
            Examples(x, torch.arange(examples).unsqueeze(0), taught.by_example()),
            Examples(x, few.unsqueeze(0), val),
            Training(epochs=3, batch_size=BATCH, learning_rate=1e-3),
            orders=[generator("benchmark", 2)],
            precision=precision,
            report=marks,
        )
        return min(b - a for a, b in pairwise(marks.at.values()))  # an epoch and the losses recorded after it

    # Both record losses; the time to evaluate the additional examples is measured and subtracted.
    short, long = BATCH * 2, BATCH * STEPS
    model = MODEL.build((28, 28), 10)
    model.initialise([generator("benchmark", 1)])
    model.eval()

    def evaluate() -> None:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
            for part in torch.split(x[: long - short], model.piece):
                model(part.unsqueeze(0))

    return (train(long) - train(short) - fastest(evaluate, 3)) / (STEPS - 2)


def product_seconds(precision: torch.dtype) -> float:
    """Sum of the seconds of a step's products: of each layer, and of its input's and weight's gradients."""
    total = 0.0
    for fan_in, out in pairwise(WIDTHS):
        weight = torch.randn(out, fan_in).to(precision)
        h, g = torch.randn(BATCH, fan_in).to(precision), torch.randn(BATCH, out).to(precision)
        for a, b in ((h, weight.T), (g, weight), (g.T, h)):
            total += fastest(lambda a=a, b=b: a @ b)
    return total


def optimiser_seconds() -> float:
    """Seconds that the reads and writes of Adam take at the speed of a copy."""
    parameters = sum(p.numel() for p in MODEL.build((28, 28), 10).parameters())
    source = torch.randn(parameters)
    target = torch.empty_like(source)
    return fastest(lambda: target.copy_(source)) * TOUCHED / 2


def main(precision: str = "bfloat16") -> None:
    """Measure and print."""
    keep_freed_memory()
    dtype = getattr(torch, precision)
    step, products, optimiser = step_seconds(dtype), product_seconds(dtype), optimiser_seconds()
    print(
        json.dumps(
            {
                "precision": precision,
                "samples_per_second": round(BATCH / step),
                "step_ms": round(1000 * step, 1),
                "products_ms": round(1000 * products, 1),
                "optimiser_ms": round(1000 * optimiser, 1),
                "share_of_bound": round((products + optimiser) / step, 2),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
