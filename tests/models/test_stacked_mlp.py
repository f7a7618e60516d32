import torch
from torch import nn

from kdcli.models.stacked_mlp import StackedMLP
from kdcli.rng import generator


def make_stack(members: int, seeds: int) -> StackedMLP:
    stack = StackedMLP((3, 5, 4, 2), members)
    stack.initialise([generator("test", seed) for seed in range(seeds)])
    return stack


def plain(stack: StackedMLP, member: int) -> nn.Sequential:
    """The same member as one would write it with torch.nn."""
    layers: list[nn.Module] = []
    for weight, bias in zip(stack.weights, stack.biases, strict=True):
        linear = nn.Linear(weight.shape[2], weight.shape[1])
        linear.load_state_dict({"weight": weight[member], "bias": bias[member]})
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def test_each_member_computes_what_a_plain_network_does() -> None:
    stack = make_stack(6, 6)
    x = torch.randn(7, 3, generator=generator("x", 0))
    logits = stack(x.unsqueeze(0))
    assert logits.shape == (6, 2, 7)
    for member in range(6):
        torch.testing.assert_close(logits[member].T, plain(stack, member)(x))


def test_groups_see_their_own_batch() -> None:
    stack = make_stack(6, 3)
    x = torch.randn(3, 7, 3, generator=generator("x", 0))
    logits = stack(x)
    for member in range(6):
        torch.testing.assert_close(logits[member].T, plain(stack, member)(x[member // 2]))


def test_initial_weights_depend_on_the_seed_alone() -> None:
    stack, alone = make_stack(6, 3), make_stack(3, 3)
    for name, value in stack.state_dict().items():
        assert torch.equal(value[0], value[1])  # two members of one seed
        assert torch.equal(value[::2], alone.state_dict()[name])
        assert not torch.equal(value[0], value[2])
    assert float(stack.weights[0].detach().abs().max()) <= 3**-0.5


def test_parameters_of_some_members() -> None:
    stack = make_stack(6, 6)
    part = stack.parameters_of(range(1, stack.members, 2))
    smaller = StackedMLP((3, 5, 4, 2), 3)
    smaller.load_state_dict(part)
    x = torch.randn(1, 4, 3, generator=generator("x", 0))
    torch.testing.assert_close(smaller(x), stack(x)[1::2])
