"""What all models are once they are built: several of one shape, computed together."""

from collections.abc import Sequence

from torch import Generator, Tensor, nn

from kdcli.models.mlp import AT_ONCE


class Stack(nn.Module):
    """`members` models of one shape.

    Called with `x (groups, batch, *features)` it gives logits `(members, n_classes, batch)`, the members
    split evenly over the groups, in order. Every tensor of its state has a leading member axis. `chunk`
    is how many examples may be evaluated at once.
    """

    members: int
    chunk: int = AT_ONCE

    @property
    def generators(self) -> Sequence[Generator]:
        """Return the random generators that training draws from, such as for dropout."""
        return ()

    def parameters_of(self, members: Sequence[int]) -> dict[str, Tensor]:
        """Return the parameters of some members, as a state dict of a smaller stack."""
        return {name: value[list(members)] for name, value in self.state_dict().items()}

    def numbers(self) -> tuple[float, float]:
        """Return how many numbers a member consists of, and how many bytes: means over members."""
        tensors = self.state_dict().values()
        count = sum(tensor.numel() for tensor in tensors)
        size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        return count / self.members, size / self.members
