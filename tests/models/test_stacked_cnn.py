import pytest
import torch
from torch import nn

from kdcli.errors import UsageError
from kdcli.models import parse_model
from kdcli.models.cnn import CNN
from kdcli.models.stack import as_input
from kdcli.models.stacked_cnn import StackedCNN
from kdcli.models.stacked_mlp import StackedMLP
from kdcli.rng import generator

X = torch.rand(12, 6, 7, generator=generator("x", 0))


def make(members: int, seeds: int) -> StackedCNN:
    stack = CNN(4, (5, 6)).build((6, 7), 3, members)
    stack.initialise([generator("test", seed) for seed in range(seeds)])
    return stack


def plain(stack: StackedCNN, member: int) -> nn.Sequential:
    """The same member, written with torch.nn."""
    convolution = nn.Conv2d(stack.filters.shape[2], 4, 3)
    convolution.load_state_dict({"weight": stack.filters[member], "bias": stack.filter_biases[member]})
    layers: list[nn.Module] = [convolution, nn.ReLU(), nn.Flatten()]
    for weight, bias in zip(stack.head.weights, stack.head.biases, strict=True):
        linear = nn.Linear(weight.shape[2], weight.shape[1])
        linear.load_state_dict({"weight": weight[member], "bias": bias[member]})
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def test_parse_and_names() -> None:
    model = CNN(32, (1200, 1200))
    assert parse_model("cnn:32,1200,1200") == model
    assert str(model) == "cnn:32,1200,1200"
    assert model.slug == "cnn32-1200-1200"
    parameters = sum(p.numel() for p in model.build((28, 28), 10).parameters())
    assert parameters == 32 * 10 + (26 * 26 * 32 + 1) * 1200 + 1201 * 1200 + 1201 * 10


@pytest.mark.parametrize(("text", "words"), [("cnn:", "a width must be"), ("cnn:32", "at least one hidden")])
def test_what_does_not_parse(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as problem:
        parse_model(text)
    assert "cnn:32,1200,1200" in problem.value.hint


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ((2,), "2 features"),
        ((2, 9), "not 2 × 9"),
        ((3, 3), ""),
        ((3, 9, 9), ""),
        ((3, 9, 2), "not 3 × 9 × 2"),
    ],
)
def test_images_only(features: tuple[int, ...], words: str) -> None:
    problem = CNN(4, (5,)).problem(features, 100)
    assert words in problem
    assert bool(words) == bool(problem)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_each_member_computes_what_a_plain_network_does_on_its_own_batch(groups: int) -> None:
    stack = make(4, 4).eval()
    batches = X.view(groups, -1, 6, 7)
    logits = stack(batches)
    assert logits.shape == (4, 3, 12 // groups)
    for member in range(4):
        batch = batches[member // (4 // groups)]
        torch.testing.assert_close(logits[member].T, plain(stack, member)(batch.unsqueeze(1)))


def test_colours_are_channels_of_every_filter() -> None:
    model = CNN(4, (5, 6))
    stack = model.build((3, 6, 7), 3, 4)
    stack.initialise([generator("test", seed) for seed in range(4)])
    assert model.parameters((3, 6, 7), 3) == sum(p[0].numel() for p in stack.parameters())
    assert model.multiply_adds((3, 6, 7), 3) == model.multiply_adds((6, 7), 3) + 2 * 9 * 4 * 4 * 5
    assert float(stack.filters.detach().abs().max()) <= 27**-0.5
    batches = torch.rand(2, 5, 3, 6, 7, generator=generator("x", 2))
    stack.eval()
    for member in range(4):
        expected = plain(stack, member)(batches[member // 2])
        torch.testing.assert_close(stack(batches)[member].T, expected)


def test_initial_weights_depend_on_the_seed_alone() -> None:
    stack, alone = make(6, 3), make(3, 3)
    for name, value in stack.state_dict().items():
        assert torch.equal(value[0], value[1])
        assert torch.equal(value[::2], alone.state_dict()[name])
    assert float(stack.filters.detach().abs().max()) <= 1 / 3


def test_restored() -> None:
    stack = make(3, 3).eval()
    again = CNN(4, (5, 6)).restore(stack.parameters_of([1, 2]), (6, 7), 3, 2).eval()
    torch.testing.assert_close(again(X.unsqueeze(0)), stack(X.unsqueeze(0))[1:])
    with pytest.raises(ValueError, match="do not fit cnn:4,5"):
        CNN(4, (5,)).restore(stack.state_dict(), (6, 7), 3, 3)


def test_dropout_is_off_in_evaluation_and_keeps_the_expectation_in_training() -> None:
    stack = StackedMLP((3, 2000, 1), 2, dropout=0.5)
    stack.initialise([generator("test", 0), generator("test", 1)])
    with torch.no_grad():
        for weight in stack.weights:
            weight.fill_(1.0)
        for bias in stack.biases:
            bias.zero_()
        x = torch.ones(1, 50, 3)
        assert torch.equal(stack.eval()(x), stack(x))
        assert stack(x).unique().tolist() == [6000]
        dropped = stack.train()(x)
    assert len(dropped.unique()) > 10
    assert float(dropped.mean()) == pytest.approx(6000, rel=0.02)
    assert not torch.equal(dropped[0], dropped[1])  # each seed drops its own


def test_members_of_one_seed_drop_the_same_whatever_is_trained_beside_them() -> None:
    stack, alone = StackedMLP((3, 8, 8, 2), 4, dropout=0.5), StackedMLP((3, 8, 8, 2), 2, dropout=0.5)
    for each in (stack, alone):
        each.initialise([generator("test", 0), generator("test", 1)])
    x = torch.rand(2, 5, 3, generator=generator("x", 1))
    for _ in range(2):
        together, single = stack(x), alone(x)
        torch.testing.assert_close(together[0], together[1])
        torch.testing.assert_close(together[::2], single)


def test_bytes_are_read_as_numbers_from_0_to_1() -> None:
    x = torch.tensor([0, 51, 255], dtype=torch.uint8)
    torch.testing.assert_close(as_input(x), torch.tensor([0.0, 0.2, 1.0]))
    assert as_input(X) is X
