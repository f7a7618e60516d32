"""Training a network by gradients, as the teacher's stage and the students' both do."""

from collections.abc import Callable, Sequence

from kdcli.errors import KdError
from kdcli.losses import Objective
from kdcli.models import MLP
from kdcli.models.stacked_mlp import StackedMLP
from kdcli.recipe import Training
from kdcli.rng import generator
from kdcli.stages.artefacts import Data, Watch
from kdcli.train import DivergedError, History, fit


def train_network(
    model: MLP,
    config: Training,
    data: Data,
    objective: Callable[[str], Objective],
    *,
    role: str,
    seeds: Sequence[int],
    title: str,
    member: Callable[[int], str],
    watch: Watch,
) -> tuple[StackedMLP, History]:
    """Train a stack, seed by seed with a member for each set of the objective, and return its curves.

    `objective` gives what is taught on a split. `role` names the random streams, `member` a member of
    the stack for a person. Raises `KdError` if the loss of some members stops being finite.
    """
    train, val = data.splits["train"], data.splits["val"]
    taught = objective("train")
    stack = model.build(train.x.shape[1:], data.n_classes, taught.sets * len(seeds))
    stack.initialise([generator(f"{role}/weights", seed) for seed in seeds])
    try:
        with watch(title, config.epochs, "epoch") as report:
            history = fit(
                stack,
                train.x,
                taught,
                val.x,
                objective("val"),
                epochs=config.epochs,
                batch_size=config.batch_size,
                learning_rate=config.learning_rate,
                orders=[generator(f"{role}/batches", seed) for seed in seeds],
                report=report,
            )
    except DivergedError as error:
        shown = ", ".join(map(member, error.members[:3]))
        if len(error.members) > 3:
            shown += f" and {len(error.members) - 3} more"
        raise KdError(
            f"the loss of {shown} stopped being a finite number by epoch {error.epoch}",
            f"nothing of it was written; try a smaller step than --learning-rate {config.learning_rate:g}",
        ) from None
    return stack, history
