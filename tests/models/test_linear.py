from collections.abc import Sequence

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn.functional import one_hot

from kdcli.errors import UsageError
from kdcli.losses import Objective
from kdcli.models import parse_model
from kdcli.models.linear import Linear
from kdcli.models.stacked_mlp import StackedMLP
from kdcli.rng import generator
from kdcli.runs.recipe import Training
from kdcli.training.examples import Examples
from kdcli.training.loop import fit

N, CLASSES = 150, 3
X = torch.randn(N, 4, generator=generator("x", 0))
Y = (2 * X[:, :3] + torch.randn(N, 3, generator=generator("noise", 0))).argmax(1)
LABELS = one_hot(Y, CLASSES).double()
SOFT = (X[:, :3] / 2).double().softmax(1)


def examples(targets: Sequence[Tensor]) -> Examples:
    objective = Objective(
        target=torch.stack([target.T for target in targets])[None, None],
        temperature=torch.ones(len(targets), 1, 1).double(),
        labels=LABELS.T[None, None, None],
    )
    return Examples(X, torch.arange(N)[None], objective)


def train(
    targets: Sequence[Tensor], seeds: Sequence[int], epochs: int, batch_size: int = 0, *, decay: bool = False
) -> StackedMLP:
    stack = Linear().build((4,), CLASSES, len(targets) * len(seeds))
    stack.initialise([generator("weights", seed) for seed in seeds])
    taught, orders = examples(targets), [generator("batches", seed) for seed in seeds]
    fit(stack, taught, taught, Training(epochs, batch_size, 0.1), orders=orders, decay=decay)
    return stack


def test_parse_and_names() -> None:
    model = parse_model("linear")
    assert model == Linear()
    assert str(model) == model.slug == "linear"
    assert parse_model(str(model)) == model


@pytest.mark.parametrize("text", ["linear:3", "linear:4,4", "linear: "])
def test_it_takes_no_arguments(text: str) -> None:
    with pytest.raises(UsageError, match="it takes no arguments") as problem:
        parse_model(text)
    assert problem.value.hint == "write it as linear"


@pytest.mark.parametrize(("features", "inputs"), [((4,), 4), ((5, 6), 30), ((1,), 1)])
def test_it_has_a_weight_for_each_feature_and_class_and_a_bias_for_each_class(
    features: tuple[int, ...], inputs: int
) -> None:
    stack = Linear().build(features, CLASSES, members=2)
    assert {name: tuple(tensor.shape) for name, tensor in stack.state_dict().items()} == {
        "weights.0": (2, CLASSES, inputs),
        "biases.0": (2, CLASSES),
    }
    assert Linear().multiply_adds(features, CLASSES) == CLASSES * inputs
    assert Linear().parameters(features, CLASSES) == CLASSES * inputs + CLASSES
    assert Linear().least_bytes(features, CLASSES, 100) == 4 * (CLASSES * inputs + CLASSES)
    assert Linear().problem(features, 100) == ""


def test_logits_are_the_weighted_sum_of_all_pixels() -> None:
    stack = Linear().build((2, 3), CLASSES, members=2)
    stack.initialise([generator("weights", 0), generator("weights", 1)])
    x = torch.randn(7, 2, 3, generator=generator("images", 0))
    for member, logits in enumerate(stack.predict(x)):
        expected = x.flatten(1) @ stack.weights[0][member].T + stack.biases[0][member]
        torch.testing.assert_close(logits, expected.detach())


def test_trained_to_the_end_it_is_the_softmax_regression_of_scikit_learn() -> None:
    stack = train([LABELS, SOFT], seeds=[0, 1], epochs=1500, decay=True)
    theirs = LogisticRegression(C=torch.inf, tol=1e-9, max_iter=10_000).fit(X.double().numpy(), Y.numpy())
    p = stack.predict(X).double().softmax(-1).unflatten(0, (2, 2))
    for of_seed in p:  # the optimum is one, wherever training starts
        torch.testing.assert_close(of_seed[0], torch.tensor(theirs.predict_proba(X)), rtol=0, atol=1e-3)
        torch.testing.assert_close(of_seed[1], SOFT, rtol=0, atol=1e-3)  # which are linear in x themselves
    assert not torch.allclose(p[0, 0], SOFT, atol=0.05)


@pytest.mark.parametrize("batch_size", [0, 32])
def test_a_member_of_a_stack_is_trained_as_it_would_be_alone(batch_size: int) -> None:
    targets, seeds = [LABELS, SOFT], [0, 1, 2]
    together = train(targets, seeds, 15, batch_size)
    for member in range(6):
        alone = train([targets[member % 2]], [seeds[member // 2]], 15, batch_size)
        for name, tensor in together.state_dict().items():
            torch.testing.assert_close(tensor[member], alone.state_dict()[name][0], rtol=1e-4, atol=1e-5)


def test_what_was_stored_is_restored_and_parameters_of_another_shape_are_refused() -> None:
    stack = train([LABELS], [0, 1], 3)
    stored = stack.state_dict()
    assert torch.equal(Linear().restore(stored, (4,), CLASSES, 2).predict(X), stack.predict(X))
    for features, n_classes, members in ((5, 3, 2), (4, 2, 2), (4, 3, 1)):
        with pytest.raises(ValueError, match="do not fit linear"):
            Linear().restore(stored, (features,), n_classes, members)
