"""Training networks by gradients, as the teacher's stage and the students' both do.

The members of a stack do not depend on each other, so it is trained in parts, each on one thread, in as many
worker processes as the machine has processors for. Which seeds make up a part depends on the training
alone: the bits of a member do not depend on the number of workers.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from kdcli import workers
from kdcli.errors import KdError
from kdcli.losses import Objective
from kdcli.models import Network, parse_network
from kdcli.rng import generator
from kdcli.runs import room
from kdcli.runs.experiment import Data
from kdcli.runs.recipe import Training
from kdcli.store import ResumePoint
from kdcli.training import footprint
from kdcli.training.devices import LARGE, choose_device, precision_for
from kdcli.training.footprint import Footprint, Shape
from kdcli.training.loop import DivergedError, History, fit, predict, steps_in_epoch, threads
from kdcli.training.resuming import KeptTraining, ResumePoints
from kdcli.training.watch import Watch
from kdcli.workers import Result, Tell

TOLD_EVERY = 0.1  # seconds
MEMBERS = 32  # of a part
NUMBERS = 2**19  # parameters of all members of a part
WORTH_A_FORK = 10**8  # parameters times examples times epochs: some 20 ms of work


class NotFiniteError(KdError):
    """Losses or outputs of some members stopped being finite numbers; of `everyone`, or not."""

    def __init__(self, message: str, hint: str, *, everyone: bool) -> None:
        super().__init__(message, hint)
        self.everyone = everyone


def shape_of(data: Data, config: Training, *, sets: int, seeds: int, taught: int, predicted: int) -> Shape:
    """Return the sizes of a training on these data, `taught` being the training examples that it uses."""
    sizes = {name: len(split.y) for name, split in data.splits.items()}
    return Shape(
        features=tuple(data.features),
        pixel=data.splits["train"].x.element_size(),
        n_classes=data.n_classes,
        train=taught,
        val=sizes["val"],
        test=sizes["test"],
        predicted=predicted,
        sets=sets,
        seeds=seeds,
        batch_size=config.batch_size,
        epochs=config.epochs,
    )


def check_room(
    model: Network, shape: Shape, folder: Path, *, precision: str = "float32", device: str = "cpu"
) -> None:
    """Raise `KdError` if training a stack does not fit in memory, or what it stores not on the disk.

    On a graphics card it is the card's memory that counts.
    """
    of = "" if shape.members == 1 else f"{room.count(shape.members)} students "
    needs = f"{of}{model} need" + ("s" if shape.members == 1 else "")
    on = choose_device(device)
    free = torch.cuda.mem_get_info()[0] if on.type == "cuda" else None

    parameters = shape.members * model.parameters(shape.features, shape.n_classes)
    half = precision_for(precision, parameters, on) == torch.bfloat16

    def need(wanted: Shape) -> Footprint:
        return footprint.trained(model, wanted, half=half)

    room.check_memory(needs, need(shape).total, lambda there: _advice(shape, need, there), free)
    hint = "name a smaller --model" + (", or lower --seeds" if shape.members > 1 else "")
    room.check_disk(needs, footprint.stored(model, shape), folder, f"{hint}, or free some space")


def _advice(shape: Shape, need: Callable[[Shape], Footprint], there: int) -> str:
    """Return the flag to lower so that a training fits in the bytes that are there, and what to."""

    def fits(seeds: int) -> bool:
        return need(replace(shape, seeds=seeds)).total <= there

    if shape.seeds > 1 and fits(1):
        few, many = 1, shape.seeds
        while many - few > 1:
            middle = (few + many) // 2
            few, many = (middle, many) if fits(middle) else (few, middle)
        return f"lower --seeds to {room.rounded_down(few)}"
    if shape.sets > 1 and need(replace(shape, sets=1, seeds=1)).total <= there:
        return "name fewer values of --target and --temperature, or lower --seeds"
    return "name a smaller --model, such as mlp:64,64"


def unusable(
    logits: Mapping[str, Tensor],
    config: Training,
    *,
    member: Callable[[int], str],
    keep_going: bool = False,
) -> list[int]:
    """Return the members with logits `(members, n, n_classes)` that are no finite numbers.

    A network whose loss is finite on the data it was trained with may still overflow on others. Raises
    `NotFiniteError` if one does, unless it is to `keep_going`.
    """
    usable = torch.stack([of.amax(-1).isfinite().all(dim=1) for of in logits.values()]).all(dim=0)
    lost = (~usable).nonzero().flatten().tolist()
    if lost and not keep_going:
        raise _diverged("output", "is not a finite number everywhere", lost, len(usable), config, member)
    return lost


def _diverged(
    of: str, what: str, lost: Sequence[int], members: int, config: Training, member: Callable[[int], str]
) -> NotFiniteError:
    shown = ", ".join(map(member, lost[:3]))
    if len(lost) > 3:
        shown += f" and {len(lost) - 3} more"
    everyone = len(lost) == members
    keep = "" if everyone else ", or leave such seeds out with --keep-going"
    hint = f"nothing of it was written; {smaller_step(config)}{keep}"
    return NotFiniteError(f"the {of} of {shown} {what}", hint, everyone=everyone)


def smaller_step(config: Training) -> str:
    """Say what to do about a loss that stops being finite."""
    return f"try a smaller step than --learning-rate {config.learning_rate:g}"


@dataclass(frozen=True)
class Trained:
    """A stack that was trained: its parameters, curves, and logits `(members, n, n_classes)` on some splits.

    `used` is what it was trained with: device, precision and number of threads.
    """

    parameters: dict[str, Tensor]
    history: History
    logits: dict[str, Tensor]
    used: dict[str, str]


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


def train_network(
    model: Network,
    config: Training,
    data: Data,
    objective: Callable[[str], Objective],
    *,
    role: str,
    seeds: Sequence[int],
    title: str,
    member: Callable[[int], str],
    watch: Watch,
    points: ResumePoints,
    identity: Mapping[str, Any],
    x: Mapping[str, Tensor],
    predicted: Sequence[str],
    device: str = "cpu",
    precision: str = "float32",
    schedule: str = "constant",
    keep_going: bool = False,
) -> Trained:
    """Train a stack, seed by seed with a member for each set of the objective.

    `objective` gives what is taught on a split, `x` the examples of splits, of which `predicted` have their
    logits computed. `role` names the random streams, `member` a member of the stack for a person. `points`
    keep the states, if they are of a training of this `identity`. Raises `NotFiniteError` if the loss of some
    members stops being finite, unless it is to `keep_going`.
    """
    taught, checked = objective("train"), objective("val")
    examples = len(x["train"])
    if 0 < config.batch_size < examples:
        taught = taught.by_example()
    sets, size = taught.sets, model.parameters(data.features, data.n_classes)
    on = choose_device(device)
    parts = parts_of(seeds, sets, size) if on.type == "cpu" else [list(seeds)]
    products = precision_for(precision, len(seeds) * sets * size, on)
    # A single large network gains from threads within operations; what is small only waits for them.
    several = len(parts) == 1 and len(seeds) * sets * size >= LARGE
    number = points.kept().get("threads", workers.jobs()) if several else 1
    shared = {f"{split}.x": of for split, of in x.items()}
    for split, of in (("train", taught), ("val", checked)):
        shared |= {f"{split}.{name}": value for name, value in of.tensors().items()}
    common = {
        **asdict(config),
        "model": str(model),
        "features": list(data.features),
        "n_classes": data.n_classes,
        "sets": sets,
        "role": role,
        "device": on.type,
        "precision": str(products).removeprefix("torch."),
        "threads": number,
        "schedule": schedule,
        "keep_going": keep_going,
        "predicted": list(predicted),
    }
    tasks = [
        common
        | {
            "seeds": part,
            "point": str(points[k].path),
            "identity": {**identity, "threads": number, "part": part},
        }
        for k, part in enumerate(parts)
    ]
    steps = steps_in_epoch(examples, config.batch_size)
    work = len(seeds) * sets * size * examples * config.epochs
    with watch(title, config.epochs, "epoch", steps) as report:
        at: list[tuple[int, float | None]] = [(0, None)] * len(parts)
        resumed: list[int] = []

        def heard(part: int, value: Any) -> None:
            kind, *what = value
            if kind == "resumed":
                if not resumed:  # other parts go on at about the same epoch
                    report.resumed(*what)
                resumed.append(part)
                return
            at[part] = (what[0], what[1])
            done = sum(done * len(seeds) for (done, _), seeds in zip(at, parts, strict=True)) // len(seeds)
            losses = [loss for _, loss in at if loss is not None]
            report(done, sum(losses) / len(losses) if losses else None)

        def stop_if_diverged(part: int, result: Result) -> None:
            if result.value:
                epoch, lost = result.value
                before = sum(map(len, parts[:part])) * sets
                of_part = len(parts[part]) * sets
                what = f"stopped being a finite number by epoch {epoch}"
                raise _diverged("loss", what, lost, of_part, config, lambda m: member(before + m))

        apart = work >= WORTH_A_FORK and on.type == "cpu"
        results = workers.do("train", train_part, tasks, shared, heard, stop_if_diverged, apart=apart)
    joined = {
        name: torch.cat([result.tensors[name] for result in results])
        for name in results[0].tensors
        if not name.startswith("curve.")
    }
    # A part of which every member is lost has stopped: its curves end before those of the others.
    points_of = [result.tensors["curve.epochs"] for result in results]
    longest = max(points_of, key=len)
    curves = {
        name: torch.cat(
            [
                pad(result.tensors[f"curve.{name}"], (0, len(longest) - len(own)), value=math.nan)
                for result, own in zip(results, points_of, strict=True)
            ]
        )
        for name in ("train", "val")
    }
    used = {name: str(common[name]) for name in ("device", "precision", "threads")}
    return Trained(
        parameters={
            name.removeprefix("model."): v for name, v in joined.items() if name.startswith("model.")
        },
        history=History(longest, **curves),
        logits={name: joined[f"logits.{name}"] for name in predicted},
        used=used,
    )


def train_part(task: Mapping[str, Any], shared: Mapping[str, Tensor], tell: Tell) -> Result:
    """Train some seeds of a stack, in a worker or in this process.

    Returns the epoch and the members whose loss is no finite number, if that is to stop the training; or
    the parameters, curves and logits of all members.
    """
    model, sets, device = parse_network(task["model"]), task["sets"], torch.device(task["device"])
    stack = model.build(task["features"], task["n_classes"], sets * len(task["seeds"]))
    stack.initialise([generator(f"{task['role']}/weights", seed) for seed in task["seeds"]])
    stack.to(device)

    def objective(split: str) -> Objective:
        prefix = f"{split}."
        return Objective(
            **{
                name.removeprefix(prefix): value.to(device)
                for name, value in shared.items()
                if name.startswith(prefix) and name != f"{split}.x"
            }
        )

    with threads(task["threads"]):
        try:
            history = fit(
                stack,
                shared["train.x"].to(device),
                objective("train"),
                shared["val.x"].to(device),
                objective("val"),
                epochs=task["epochs"],
                batch_size=task["batch_size"],
                learning_rate=task["learning_rate"],
                orders=[generator(f"{task['role']}/batches", seed) for seed in task["seeds"]],
                precision=getattr(torch, task["precision"]),
                decay=task["schedule"] == "linear",
                keep_going=task["keep_going"],
                report=_Teller(tell),
                keeper=KeptTraining(ResumePoint(Path(task["point"])), task["identity"]),
            )
        except DivergedError as error:
            return Result([error.epoch, error.members])
        stack.cpu()
        logits = {f"logits.{split}": predict(stack, shared[f"{split}.x"]) for split in task["predicted"]}
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
