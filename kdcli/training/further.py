"""The examples of a transfer set in addition to those of the training split, for `Material`."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kdcli.runs.stored import Data, TrainedTeacher, TransferExamples
from kdcli.runs.transfer import DUPLICATE, REST, Transfer


@dataclass(frozen=True)
class Further:
    """Examples that only the teacher labels, in every draw.

    `name` is their kind, `index (draws, n)` their indices among all examples, and
    `logits (draws, n, n_classes)` are the teacher's.
    """

    name: str
    index: Tensor
    logits: Tensor

    @property
    def y(self) -> Tensor:
        """The classes that the teacher predicts, `(draws, n)`."""
        return self.logits.argmax(-1)


def copies_of(transfer: Transfer) -> int:
    """Return the number of additional copies of the training examples."""
    return sum(part.number for part in transfer.more if part.kind == DUPLICATE)


def further_examples(
    transfer: Transfer,
    data: Data,
    taught: Tensor,
    teacher: TrainedTeacher | None,
    stored: Sequence[TransferExamples],
) -> list[Further]:
    """Return the examples that only the teacher labels; those that are `stored` follow those of the data.

    `taught (draws, n)` are the indices in the training split of examples that are taught with their labels.
    """
    further, first, made = [], len(data.pool.y), iter(stored)
    for part in transfer.more:
        if part.is_made:
            tensors = next(made).tensors
            further.append(Further(part.kind, tensors["index"] + first, tensors["logits"]))
            first += len(tensors["x"])
        elif part.kind == REST:
            assert teacher is not None  # noqa: S101 it labels them
            others = _others(taught, data.pool.index["train"].shape[1])
            wide = others.unsqueeze(2).expand(-1, -1, data.n_classes)
            index, logits = data.pool.index["train"], teacher.logits["train"]
            further.append(Further(REST, index.gather(1, others), logits.gather(1, wide)))
    return further


def _others(taught: Tensor, n: int) -> Tensor:
    """Return the indices below n that are not taught, `(draws, others)`."""
    left = torch.ones(len(taught), n, dtype=torch.bool).scatter_(1, taught, False)
    return left.nonzero()[:, 1].view(len(taught), -1)
