import pytest
import torch
from torch import nn

from kdcli.models.stacked_mlp import StackedMLP
from kdcli.rng import generator


def make_stack(members: int, seeds: int) -> StackedMLP:
    stack = StackedMLP((3, 5, 4, 2), members)
    stack.initialise([generator("test", seed) for seed in range(seeds)])
    return stack


def plain(stack: StackedMLP, member: int) -> nn.Sequential:
    """The same member, written with torch.nn."""
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


@pytest.mark.parametrize("hidden", [(), (5,), (5, 4)])
def test_what_took_standardised_features_takes_raw_ones(hidden: tuple[int, ...]) -> None:
    """Of very different sizes, and a constant one, each member with a scaling of its own."""
    stack = StackedMLP((4, *hidden, 3), 6)
    stack.initialise([generator("test", seed) for seed in range(6)])
    random = generator("scaling", 0)
    sizes = torch.tensor([1e6, 1e-3, 1.0, 1e6])
    x = (torch.randn(50, 4, generator=random) + 2) * sizes
    x[:, 3] = 1e6
    shift = sizes * (2 + 0.1 * torch.randn(6, 4, generator=random))
    scale = sizes * (1 + 0.1 * torch.rand(6, 4, generator=random))
    shift[:, 3], scale[:, 3] = 1e6, torch.inf
    scaled = (x - shift.unsqueeze(1)) / scale.unsqueeze(1)
    expected = stack(scaled).detach()
    stack.take_raw(shift, scale)
    torch.testing.assert_close(stack(x.unsqueeze(0)).detach(), expected, rtol=1e-5, atol=1e-5)
    assert bool((stack.weights[0][..., 3] == 0).all())


def test_taking_raw_features_leaves_members_alone_that_are_not_scaled() -> None:
    stack, before = make_stack(4, 4), make_stack(4, 4)
    shift, scale = torch.zeros(4, 3), torch.ones(4, 3)
    shift[2], scale[2] = 1.0, 2.0
    stack.take_raw(shift, scale)
    for name, value in stack.state_dict().items():
        assert torch.equal(value[[0, 1, 3]], before.state_dict()[name][[0, 1, 3]])
    assert not torch.equal(stack.weights[0][2], before.weights[0][2])
