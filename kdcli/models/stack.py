"""What all models are once they are built: several of one shape, computed together."""

from torch import Tensor, nn


class Stack(nn.Module):
    """`members` models of one shape.

    Called with `x (groups, batch, *features)` it gives logits `(members, n_classes, batch)`, the members
    split evenly over the groups, in order. Every tensor of its state has a leading member axis. `chunk`
    is how many examples may be evaluated at once.
    """

    members: int
    chunk: int = 16_384

    def parameters_of(self, members: slice) -> dict[str, Tensor]:
        """Return the parameters of some members, as a state dict of a smaller stack."""
        return {name: value[members] for name, value in self.state_dict().items()}
