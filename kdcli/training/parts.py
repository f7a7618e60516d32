"""The parts of a stack that are trained apart, each in a worker process or in this one.

The members of a stack do not depend on each other, so it is trained in parts, each on one thread, in as many
worker processes as the machine has processors for. Which seeds make up a part depends on the training
alone: the bits of a member do not depend on the number of workers.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from kdcli.losses import Objective
from kdcli.models import parse_model
from kdcli.models.network import Network
from kdcli.models.stack import StackedNetwork
from kdcli.rng import generator
from kdcli.runs.recipe import Training
from kdcli.store import ResumePoint
from kdcli.training.curves import DivergedError
from kdcli.training.examples import Examples
from kdcli.training.loop import fit
from kdcli.training.processor import threads
from kdcli.training.resuming import KeptTraining
from kdcli.workers import Result, Tell

TOLD_EVERY = 0.1  # seconds
MEMBERS = 32  # of a part
NUMBERS = 2**19  # parameters of all members of a part


def parts_of(seeds: Sequence[int], sets: int, parameters: int) -> list[list[int]]:
    """Split the seeds of a stack into the parts that are trained apart, for models of so many `parameters`.

    A part has MEMBERS or so, which share the cost of each call, but fewer if they are large: what Adam goes
    through at every step then stays in the cache. There are two parts at least, for two processors.
    """
    members = len(seeds) * sets
    wanted = max(2, 2 * round(members / (2 * MEMBERS)), math.ceil(members * parameters / NUMBERS))
    count = min(wanted, len(seeds))
    ends = [len(seeds) * k // count for k in range(count + 1)]
    return [list(seeds[start:end]) for start, end in pairwise(ends)]


@dataclass(frozen=True)
class Part:
    """A part of a stack to be trained, all of it but tensors; sent to a worker as JSON.

    `role` names the random streams of its `seeds`, each of which has a member in every one of the `sets`.
    Its state is kept in the file `point`, under its `identity`.
    """

    model: str
    features: Sequence[int]
    n_classes: int
    sets: int
    seeds: Sequence[int]
    role: str
    training: Training
    loss: str
    decay: bool
    device: str
    precision: str
    threads: int
    keep_going: bool
    predicted: Sequence[str]
    point: str
    identity: Mapping[str, Any]

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Part":
        """Read what `to_record` wrote."""
        return cls(**{**record, "training": Training(**record["training"])})

    def to_record(self) -> dict[str, Any]:
        """Write the part as JSON can express it."""
        return asdict(self)

    def build(self) -> StackedNetwork:
        """Build its stack with the initial weights of its seeds, on its device."""
        model = cast(Network, parse_model(self.model))  # no other model is sent here
        stack = model.build(self.features, self.n_classes, self.sets * len(self.seeds))
        stack.initialise([generator(f"{self.role}/weights", seed) for seed in self.seeds])
        return stack.to(torch.device(self.device))

    def examples(self, split: str, shared: Mapping[str, Tensor]) -> Examples:
        """Return the examples of a split with the objective on them, out of the shared tensors."""
        tensors = {
            name.removeprefix(f"{split}."): tensor.to(self.device)
            for name, tensor in shared.items()
            if name.startswith(f"{split}.")
        }
        return Examples(tensors.pop("x"), Objective(**tensors, loss_name=self.loss))


def train_part(task: Mapping[str, Any], shared: Mapping[str, Tensor], tell: Tell) -> Result:
    """Train some seeds of a stack, in a worker or in this process.

    Returns the epoch and the members whose loss is no finite number, if that is to stop the training; or
    the parameters, curves and logits of all members.
    """
    part = Part.from_record(task)
    stack = part.build()
    with threads(part.threads):
        try:
            history = fit(
                stack,
                part.examples("train", shared),
                part.examples("val", shared),
                part.training,
                orders=[generator(f"{part.role}/batches", seed) for seed in part.seeds],
                precision=getattr(torch, part.precision),
                decay=part.decay,
                keep_going=part.keep_going,
                report=_Teller(tell),
                keeper=KeptTraining(ResumePoint(Path(part.point)), part.identity),
            )
        except DivergedError as error:
            return Result([error.epoch, error.members])
        stack.cpu()
        logits = {f"logits.{split}": stack.predict(shared[f"{split}.x"]) for split in part.predicted}
    parameters = {f"model.{name}": value for name, value in stack.state_dict().items()}
    curves = {f"curve.{name}": value for name, value in history._asdict().items()}
    return Result(None, {**parameters, **curves, **logits})


@dataclass
class _Teller:
    """Tells how far the training of a part is, but not so often that listening takes time off training."""

    tell: Tell
    told: float = 0.0

    def __call__(self, done: int, loss: float | None) -> None:
        if time.monotonic() > self.told + TOLD_EVERY:
            self.told = time.monotonic()
            self.tell(["at", done, loss])

    def resumed(self, epoch: int) -> None:
        self.tell(["resumed", epoch])
