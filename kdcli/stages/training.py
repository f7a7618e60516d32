"""Training a network by gradients, as the teacher's stage and the students' both do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from kdcli.errors import KdError
from kdcli.losses import Objective
from kdcli.models import Network
from kdcli.models.stack import Stack
from kdcli.recipe import Training
from kdcli.rng import generator
from kdcli.stages import footprint, room
from kdcli.stages.artefacts import Data, Watch
from kdcli.stages.compute import choose_device, choose_precision, precision_for
from kdcli.stages.footprint import Footprint, Shape
from kdcli.train import DivergedError, History, Keeper, fit, predict

BATCH = 128  # examples in a batch, where a smaller one is advised


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
    whole = shape.batch_size == 0 or shape.batch_size > BATCH
    if whole and need(replace(shape, batch_size=BATCH)).total <= there:
        return f"--batch-size {BATCH} takes fewer examples at once"
    if shape.seeds > 1:
        one = need(replace(shape, seeds=1)).total
        if one <= there:
            each = (need(shape).total - one) // (shape.seeds - 1) + 1
            return f"lower --seeds to {room.rounded_down(1 + (there - one) // each)}"
    if shape.sets > 1 and need(replace(shape, sets=1, seeds=1)).total <= there:
        return "name fewer values of --target and --temperature, or lower --seeds"
    return "name a smaller --model, such as mlp:64,64"


def predict_all(
    stack: Stack,
    splits: Mapping[str, Tensor],
    config: Training,
    *,
    member: Callable[[int], str],
    keep_going: bool = False,
) -> tuple[dict[str, Tensor], list[int]]:
    """Return the logits `(members, n, n_classes)` on each x `(n, *features)`, and whose are no numbers.

    A network whose loss is finite on the data it was trained with may still overflow on others. Raises
    `NotFiniteError` if one does, unless it is to `keep_going`.
    """
    logits = {name: predict(stack, x) for name, x in splits.items()}
    usable = torch.stack([of.amax(-1).isfinite().all(dim=1) for of in logits.values()]).all(dim=0)
    lost = (~usable).nonzero().flatten().tolist()
    if lost and not keep_going:
        raise _diverged("output", "is not a finite number everywhere", lost, stack.members, config, member)
    return logits, lost


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
    keeper: Keeper,
    x: Tensor | None = None,
    device: str = "cpu",
    precision: str = "float32",
    schedule: str = "constant",
    keep_going: bool = False,
) -> tuple[Stack, History, dict[str, str]]:
    """Train a stack, seed by seed with a member for each set of the objective, and return its curves.

    `objective` gives what is taught on a split, `x` the examples that go with it in place of the whole
    training split. `role` names the random streams, `member` a member of the stack for a person, `keeper`
    keeps the state. Returns the stack on the CPU, its curves, and the device and precision that were used.
    Raises `NotFiniteError` if the loss of some members stops being finite, unless it is to `keep_going`.
    """
    x = data.splits["train"].x if x is None else x
    taught = objective("train")
    stack = model.build(data.features, data.n_classes, taught.sets * len(seeds))
    stack.initialise([generator(f"{role}/weights", seed) for seed in seeds])
    on = choose_device(device)
    products = choose_precision(precision, stack, on)
    stack.to(on)
    try:
        with watch(title, config.epochs, "epoch") as report:
            history = fit(
                stack,
                x.to(on),
                taught.to(on),
                data.splits["val"].x.to(on),
                objective("val").to(on),
                epochs=config.epochs,
                batch_size=config.batch_size,
                learning_rate=config.learning_rate,
                orders=[generator(f"{role}/batches", seed) for seed in seeds],
                precision=products,
                decay=schedule == "linear",
                keep_going=keep_going,
                report=report,
                keeper=keeper,
            )
    except DivergedError as error:
        what = f"stopped being a finite number by epoch {error.epoch}"
        raise _diverged("loss", what, error.members, stack.members, config, member) from None
    used = {"device": on.type, "precision": str(products).removeprefix("torch.")}
    return stack.cpu(), history, used
