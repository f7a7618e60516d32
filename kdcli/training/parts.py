"""The parts of a stack that are trained separately, each in a worker process or in this one.

The members of a stack are independent, so it is trained in parts, each on one thread, in as many worker
processes as the machine has processors. The draws and seeds of a part depend only on the training: the bits
of a member do not depend on the number of workers.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Generator, Tensor

from kdcli.losses import Objective
from kdcli.models import parse_model
from kdcli.models.network import Network
from kdcli.models.stack import StackedNetwork
from kdcli.rng import generator
from kdcli.runs.recipe import Training
from kdcli.store import ResumePoint
from kdcli.training.curves import DivergedError
from kdcli.training.examples import Examples, Scaling
from kdcli.training.loop import fit
from kdcli.training.processor import threads
from kdcli.training.resuming import KeptTraining
from kdcli.workers import Result, Tell

TOLD_EVERY = 0.1  # seconds between progress messages
MEMBERS = 64  # approximate number of members in a part
NUMBERS = 2**19  # approximate limit on the parameters of all members of a part


class Share(NamedTuple):
    """The draws, by number, and the seeds of a part, which has every combination of them."""

    draws: Sequence[int]
    seeds: Sequence[int]


def shares_of(draws: int, seeds: Sequence[int], sets: int, parameters: int) -> list[Share]:
    """Split the draws and seeds of a stack into those of its parts, given the `parameters` of a model.

    A part has about MEMBERS members, which share the cost of each call, but fewer if they are large, so that
    the state of Adam stays in the cache. There are at least two parts, for two processors. A part has whole
    draws, unless there are more parts than draws. The larger parts come first, so that workers finish at
    about the same time.
    """
    members = draws * len(seeds) * sets
    wanted = max(2, 2 * round(members / (2 * MEMBERS)), math.ceil(members * parameters / NUMBERS))
    shares = [
        Share(some, few)
        for some in _split(range(draws), wanted)
        for few in _split(seeds, math.ceil(wanted / draws))
    ]
    return sorted(shares, key=lambda share: len(share.draws) * len(share.seeds), reverse=True)


def _split(items: Sequence[int], wanted: int) -> list[Sequence[int]]:
    """Split items into `wanted` ranges of nearly equal size, larger ones first; or into single items."""
    count = min(wanted, len(items))
    few, larger = divmod(len(items), count)
    ends = [few * k + min(k, larger) for k in range(count + 1)]
    return [items[start:end] for start, end in pairwise(ends)]


@dataclass(frozen=True)
class Part:
    """A part of a stack to be trained, without tensors; sent to a worker as JSON.

    It has a member for each of these `draws`, `seeds` and `sets`, in this order, and `place` is the index of
    its first seed in the stack; `role` names its random streams, together with seed and draw. Its state is
    saved in the file `point`, under its `identity`.
    """

    model: str
    features: Sequence[int]
    n_classes: int
    draws: Sequence[int]
    seeds: Sequence[int]
    place: int
    sets: int
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
        """Return the part as JSON values."""
        return asdict(self)

    @property
    def members(self) -> int:
        """Number of models."""
        return len(self.draws) * len(self.seeds) * self.sets

    def member(self, k: int) -> tuple[int, int, int]:
        """Return the set (by index), the seed and the draw of a member."""
        rest, of_set = divmod(k, self.sets)
        draw, seed = divmod(rest, len(self.seeds))
        return of_set, self.seeds[seed], self.draws[draw]

    def build(self) -> StackedNetwork:
        """Build the part's stack on its device, with the initial weights of its seeds."""
        model = cast(Network, parse_model(self.model))  # only networks are trained in parts
        stack = model.build(self.features, self.n_classes, self.members)
        stack.initialise(self.streams("weights"))
        return stack.to(torch.device(self.device))

    def streams(self, purpose: str) -> list[Generator]:
        """Return the random stream of each seed of each draw for a purpose."""
        return [generator(f"{self.role}/{purpose}", seed, draw) for draw in self.draws for seed in self.seeds]

    def index(self, split: str, shared: Mapping[str, Tensor]) -> Tensor:
        """Return the indices of the draws' examples in a split, `(draws, n)`, or `(1, n)` if all agree."""
        return self._of_draws(shared[f"{split}.index"])

    def examples(self, split: str, shared: Mapping[str, Tensor]) -> Examples:
        """Return the examples of a split with their objective, from the shared tensors."""
        weight, weights = shared.get("label_weight"), shared.get(f"{split}.weights")
        objective = Objective(
            target=self._of_seeds(self._of_draws(shared[f"{split}.target"])).to(self.device),
            temperature=shared["temperature"].to(self.device),
            labels=self._of_draws(shared[f"{split}.labels"]).to(self.device),
            label_weight=None if weight is None else weight.to(self.device),
            weights=None if weights is None else self._of_draws(weights).to(self.device),
            loss_name=self.loss,
        )
        index, scaling = self.index(split, shared).to(self.device), self.scaling(shared)
        return Examples(shared["x"].to(self.device), index, objective, scaling)

    def scaling(self, shared: Mapping[str, Tensor]) -> Scaling | None:
        """Return the scaling of the features of its draws; None if features are not standardised."""
        if "shift" not in shared:
            return None
        return Scaling(*(self._of_draws(shared[name]).to(self.device) for name in ("shift", "scale")))

    def _of_draws(self, tensor: Tensor) -> Tensor:
        """Return the rows of these consecutive draws; a single row belongs to all draws."""
        return tensor if len(tensor) == 1 else tensor[self.draws[0] : self.draws[-1] + 1]

    def _of_seeds(self, target: Tensor) -> Tensor:
        """Return the target `(draws, seeds, ...)` of these consecutive seeds, or the one shared by all."""
        return target if target.shape[1] == 1 else target[:, self.place : self.place + len(self.seeds)]


def train_part(task: Mapping[str, Any], shared: Mapping[str, Tensor], tell: Tell) -> Result:
    """Train a part of a stack, in a worker or in this process.

    Returns the epoch and the members with a non-finite loss, if that stops the training; otherwise the
    parameters, curves and logits of all members.
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
                orders=part.streams("batches"),
                precision=getattr(torch, part.precision),
                decay=part.decay,
                keep_going=part.keep_going,
                report=_Teller(tell),
                keeper=KeptTraining(ResumePoint(Path(part.point)), part.identity),
            )
        except DivergedError as error:
            return Result([error.epoch, error.members])
        if scaling := part.scaling(shared):
            each = stack.members // len(part.draws)
            stack.take_raw(*(values.repeat_interleave(each, 0) for values in scaling))
        stack.cpu()
        logits = {
            f"logits.{split}": stack.predict(shared["x"], part.index(split, shared))
            for split in part.predicted
        }
    parameters = {f"model.{name}": value for name, value in stack.state_dict().items()}
    curves = {f"curve.{name}": value for name, value in history._asdict().items()}
    return Result(None, {**parameters, **curves, **logits})


@dataclass
class _Teller:
    """Sends the progress of a part, but so rarely that it does not slow down training."""

    tell: Tell
    told: float = 0.0

    def __call__(self, done: int, loss: float | None) -> None:
        if time.monotonic() > self.told + TOLD_EVERY:
            self.told = time.monotonic()
            self.tell(["at", done, loss])

    def resumed(self, epoch: int) -> None:
        self.tell(["resumed", epoch])
