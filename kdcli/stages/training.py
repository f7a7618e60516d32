"""Training a network by gradients, as the teacher's stage and the students' both do."""

from collections.abc import Callable, Sequence

from torch import Tensor

from kdcli.errors import KdError
from kdcli.losses import Objective
from kdcli.models import Network
from kdcli.models.stack import Stack
from kdcli.recipe import Training
from kdcli.rng import generator
from kdcli.stages.artefacts import Data, Watch
from kdcli.stages.compute import choose_device, choose_precision
from kdcli.train import DivergedError, History, Keeper, fit


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
) -> tuple[Stack, History, dict[str, str]]:
    """Train a stack, seed by seed with a member for each set of the objective, and return its curves.

    `objective` gives what is taught on a split, `x` the examples that go with it in place of the whole
    training split. `role` names the random streams, `member` a member of the stack for a person, `keeper`
    keeps the state. Returns
    the stack on the CPU, its curves, and the device and precision that were used. Raises `KdError`
    if the loss of some members stops being finite.
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
                report=report,
                keeper=keeper,
            )
    except DivergedError as error:
        shown = ", ".join(map(member, error.members[:3]))
        if len(error.members) > 3:
            shown += f" and {len(error.members) - 3} more"
        raise KdError(
            f"the loss of {shown} stopped being a finite number by epoch {error.epoch}",
            f"nothing of it was written; try a smaller step than --learning-rate {config.learning_rate:g}",
        ) from None
    used = {"device": on.type, "precision": str(products).removeprefix("torch.")}
    return stack.cpu(), history, used
