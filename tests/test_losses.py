from dataclasses import replace
from itertools import product
from types import MappingProxyType

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from kdcli import losses
from kdcli.losses import LOSSES, Loss, Objective, distillation_gradient, distillation_loss

TEACHER = torch.tensor([[2, 1, 0, -1], [0.5, 2.5, -0.5, 0], [-1, 0, 3, 1]]).T.double()
STUDENT = torch.tensor([[1.5, 0.5, 0.3, -0.5], [1, 1.2, -1, 0.4], [0, 0.5, 1.5, 2]]).T.double()
LABELS = torch.tensor([0, 1, 2])


@pytest.mark.parametrize(("temperature", "value"), [(1, 0.3108880), (2, 0.3701237), (4, 0.3523265)])
def test_golden_values(temperature: float, value: float) -> None:
    target = (TEACHER / temperature).softmax(0)
    assert float(distillation_loss(STUDENT, target, temperature)) == pytest.approx(value, abs=5e-8)


def test_one_hot_is_cross_entropy() -> None:
    target = F.one_hot(LABELS, 4).T.double()
    loss = distillation_loss(STUDENT, target)
    assert float(loss) == pytest.approx(0.8774486, abs=5e-8)
    assert float(loss) == pytest.approx(float(F.cross_entropy(STUDENT.T, LABELS)), rel=1e-12)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 20.0])
def test_gradient_is_that_of_the_loss(temperature: float) -> None:
    logits = STUDENT.clone().requires_grad_()
    target = (TEACHER / temperature).softmax(0)
    (expected,) = torch.autograd.grad(distillation_loss(logits, target, temperature), logits)
    torch.testing.assert_close(distillation_gradient(STUDENT, target, temperature), expected)


def test_zero_only_at_a_perfect_match() -> None:
    target = (TEACHER / 4).softmax(0)
    assert float(distillation_loss(TEACHER, target, 4.0)) == pytest.approx(0, abs=1e-15)
    assert distillation_gradient(TEACHER + 3, target, 4.0).abs().max() < 1e-15
    assert float(distillation_loss(STUDENT, target, 4.0)) > 0.1


def test_limit_of_high_temperature_is_the_squared_error_of_centred_logits() -> None:
    temperature = 1e4
    centred = (STUDENT - STUDENT.mean(0)) - (TEACHER - TEACHER.mean(0))
    limit = float(centred.square().sum(0).mean()) / (2 * 4)
    assert float(
        distillation_loss(STUDENT, (TEACHER / temperature).softmax(0), temperature)
    ) == pytest.approx(limit, rel=1e-3)


@pytest.mark.parametrize("temperature", [0.01, 0.05, 1.0, 100.0, 1000.0])
def test_recorded_losses_are_exact_at_any_temperature(temperature: float) -> None:
    """Against the plain formula in float64, fed the same float32 logits."""
    random = torch.Generator().manual_seed(0)
    teacher = 5 * torch.randn(10, 500, generator=random)
    student = teacher + torch.randn(10, 500, generator=random)
    log_q = (teacher.double() / temperature).log_softmax(0)
    log_p = (student.double() / temperature).log_softmax(0)
    oracle = temperature**2 * float((log_q.exp() * (log_q - log_p)).sum(0).mean())
    target = (teacher.double() / temperature).softmax(0)
    assert float(distillation_loss(student, target, temperature)) == pytest.approx(oracle, rel=1e-9)
    each = [
        float(distillation_loss(student[:, k : k + 1], target[:, k : k + 1], temperature)) for k in range(500)
    ]
    assert min(each) >= 0
    near = teacher + 1e-4 * torch.randn(10, 500, generator=random)
    assert 0 <= float(distillation_loss(near, target, temperature)) < 1e-5
    assert float(distillation_loss(teacher, target, temperature)) < 1e-25


@pytest.mark.parametrize("gap", [600.0, 690.0, 700.0, 720.0, 740.0, 800.0])
def test_a_target_near_the_smallest_number_costs_what_it_should(gap: float) -> None:
    """The student gives a high probability to a class that is nearly impossible in the target."""
    target = torch.tensor([[0.0], [-gap]]).double().softmax(0)
    student = torch.tensor([[0.0], [0.0]])
    assert float(distillation_loss(student, target)) == pytest.approx(float(torch.tensor(2.0).log()))


def test_a_zero_target_costs_nothing_and_an_excluded_one_everything() -> None:
    sure = torch.tensor([[0.0], [-torch.inf]])
    assert float(distillation_loss(sure, torch.tensor([[1.0], [0.0]]))) == 0
    assert float(distillation_loss(sure, torch.tensor([[0.5], [0.5]]))) == torch.inf


def make_objective(weights: list[float] | None, draws: int = 1) -> Objective:
    """Return the objective of a soft set and one of labels; in each draw the examples are turned further."""
    soft, labels = (TEACHER / 4).softmax(0), F.one_hot(LABELS, 4).T.double()
    turned = [(soft.roll(draw, 1), labels.roll(draw, 1)) for draw in range(draws)]
    return Objective(
        target=torch.stack([torch.stack(pair) for pair in turned]).unsqueeze(1),
        temperature=torch.tensor([4.0, 1.0]).double().view(-1, 1, 1),
        labels=torch.stack([labels for _, labels in turned])[:, None, None],
        label_weight=None if weights is None else torch.tensor(weights).double().view(-1, 1, 1),
    )


def random_logits(draws: int, seeds: int, sets: int = 2) -> Tensor:
    """Return logits `(draws, seeds, sets, 4, 3)`."""
    random = torch.Generator().manual_seed(0)
    return torch.randn(draws, seeds, sets, 4, 3, generator=random).double()


def test_label_weight_mixes_in_the_cross_entropy() -> None:
    logits = torch.stack([STUDENT, STUDENT])[None, None]
    pure = make_objective(None).loss(logits)[0, 0]
    cross_entropy = float(F.cross_entropy(STUDENT.T, LABELS))
    mixed = make_objective([0.25, 0.25]).loss(logits)[0, 0]
    assert float(mixed[0]) == pytest.approx(0.75 * float(pure[0]) + 0.25 * cross_entropy)
    assert float(mixed[1]) == pytest.approx(cross_entropy)  # the labels are the target already
    torch.testing.assert_close(make_objective([0.0, 0.0]).loss(logits)[0, 0], pure)


@pytest.mark.parametrize("draws", [1, 2])
@pytest.mark.parametrize("weights", [None, [0.0, 0.3], [1.0, 0.5]])
def test_objective_gradient_is_that_of_its_loss(weights: list[float] | None, draws: int) -> None:
    objective = make_objective(weights, draws)
    logits = random_logits(draws, 3).requires_grad_()
    (expected,) = torch.autograd.grad(objective.loss(logits).sum(), logits)
    torch.testing.assert_close(objective.gradient(logits.detach()), expected)


@pytest.mark.parametrize("weights", [None, [0.0, 0.3]])
def test_each_draw_is_held_against_its_own_target_and_labels(weights: list[float] | None) -> None:
    objective, logits = make_objective(weights, draws=3), random_logits(3, 2)
    loss, gradient = objective.loss(logits), objective.gradient(logits)
    assert loss.shape == (3, 2, 2)
    for draw in range(3):
        rows = slice(draw, draw + 1)
        alone = replace(objective, target=objective.target[rows], labels=objective.labels[rows])
        torch.testing.assert_close(alone.loss(logits[rows]), loss[rows])
        torch.testing.assert_close(alone.gradient(logits[rows]), gradient[rows])
    first = make_objective(weights).loss(logits)
    assert not torch.allclose(first[1], loss[1])  # the target of the first draw is not that of the next


@pytest.mark.parametrize("draws", [1, 2])
def test_hits_are_the_examples_whose_label_is_the_most_probable_class(draws: int) -> None:
    objective, logits = make_objective(None, draws), random_logits(draws, 3)
    expected = (logits.argmax(-2) == objective.labels.argmax(-2)).sum(-1)
    assert objective.hits(logits).tolist() == expected.tolist()
    right = objective.labels.expand(draws, 3, 2, -1, -1)
    assert objective.hits(right).tolist() == torch.full((draws, 3, 2), right.shape[-1]).tolist()


def test_take_gives_each_seed_of_each_draw_its_own_examples() -> None:
    objective = make_objective([0.5, 0.5], draws=2)
    index = torch.tensor([[[2, 0], [1, 1], [0, 1]], [[0, 2], [2, 1], [1, 1]]])
    part = objective.take(index)
    assert part.target.shape == (2, 3, 2, 4, 2)
    assert part.labels.shape == (2, 3, 1, 4, 2)
    for draw in range(2):
        for seed in range(3):
            rows = index[draw, seed]
            assert torch.equal(part.target[draw, seed], objective.target[draw, 0][..., rows])
            assert torch.equal(part.labels[draw, seed], objective.labels[draw, 0][..., rows])


def test_a_batch_of_all_examples_in_their_order_has_the_loss_of_the_whole() -> None:
    objective, logits = make_objective([0.5, 0.0], draws=2), random_logits(2, 3)
    part = objective.take(torch.arange(3).expand(2, 3, 3))
    torch.testing.assert_close(part.loss(logits), objective.loss(logits))
    torch.testing.assert_close(part.gradient(logits), objective.gradient(logits))


@pytest.mark.parametrize("weight", [None, torch.tensor([0.3, 0.0]).view(-1, 1, 1)])
def test_taking_examples_is_the_same_in_either_layout(weight: torch.Tensor | None) -> None:
    random = torch.Generator().manual_seed(0)
    target = torch.rand(2, 1, 2, 3, 9, generator=random)
    labels = torch.rand(2, 1, 1, 3, 9, generator=random)
    objective = Objective(target, torch.ones(2, 1, 1), labels, weight)
    index = torch.tensor([[[4, 0], [7, 7]], [[8, 4], [1, 0]]])
    by_example = objective.by_example()
    assert torch.equal(by_example.target, target)
    assert by_example.target[0, ..., 0].is_contiguous()
    for each in (objective, by_example):
        taken = each.take(index)
        for draw, seed in product(range(2), range(2)):
            rows = index[draw, seed]
            assert torch.equal(taken.target[draw, seed], target[draw, 0][..., rows])
            if weight is not None:
                assert torch.equal(taken.labels[draw, seed], labels[draw, 0][..., rows])
    part = objective.part(2, 5)
    assert torch.equal(part.target, target[..., 2:5])
    assert torch.equal(part.labels, labels[..., 2:5])


EXAMPLE_WEIGHTS = torch.tensor([[0.5, 2.0, 0.0], [1.0, 0.2, 3.0]], dtype=torch.float64).view(2, 1, 1, 3)


def test_an_example_of_weight_2_counts_as_two_of_weight_1() -> None:
    objective, logits = make_objective([0.5, 0.0]), random_logits(1, 3)
    weighted = replace(objective, weights=torch.tensor([2.0, 1.0, 0.0]).double().view(1, 1, 1, 3))
    rows = [0, 0, 1]
    twice = replace(objective, target=objective.target[..., rows], labels=objective.labels[..., rows])
    torch.testing.assert_close(weighted.loss(logits), twice.loss(logits[..., rows]))
    of_rows = twice.gradient(logits[..., rows])
    expected = torch.stack([of_rows[..., 0] + of_rows[..., 1], of_rows[..., 2], 0 * of_rows[..., 2]], -1)
    torch.testing.assert_close(weighted.gradient(logits), expected)


def test_weights_go_with_their_examples() -> None:
    objective = replace(make_objective(None, draws=2), weights=EXAMPLE_WEIGHTS)
    index = torch.tensor([[[2, 0], [1, 1]], [[0, 1], [2, 1]]])
    for each in (objective, objective.by_example()):
        taken = each.take(index).weights
        assert taken is not None
        for draw, seed in product(range(2), range(2)):
            expected = EXAMPLE_WEIGHTS[draw, 0, 0][index[draw, seed]]
            assert torch.equal(taken[draw, seed, 0], expected)
    part = objective.part(1, 3).weights
    assert part is not None
    assert torch.equal(part, EXAMPLE_WEIGHTS[..., 1:3])


def squared(logits: Tensor, target: Tensor, temperature: Tensor, weights: Tensor | None) -> Tensor:
    """A loss without a gradient in closed form: the squared error of probabilities."""
    errors = (logits.double().softmax(-2) - target).square().sum(-2)
    return (errors if weights is None else errors * weights).mean(-1)


def worst(logits: Tensor, target: Tensor, temperature: Tensor, weights: Tensor | None) -> Tensor:
    """A loss that is not a mean over examples: the largest squared error."""
    errors = (logits.double().softmax(-2) - target).square().sum(-2)
    return (errors if weights is None else errors * weights).amax(-1)


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    new = {"squared": Loss(squared), "worst": Loss(worst, is_mean=False)}
    monkeypatch.setattr(losses, "LOSSES", MappingProxyType({**LOSSES, **new}))


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("name", ["kl", "squared", "worst"])
@pytest.mark.parametrize("label_weights", [None, [0.0, 0.3]])
@pytest.mark.parametrize("weights", [None, EXAMPLE_WEIGHTS])
def test_a_loss_without_a_closed_form_has_the_gradient_of_autograd(
    name: str, label_weights: list[float] | None, weights: Tensor | None
) -> None:
    objective = replace(make_objective(label_weights, draws=2), loss_name=name, weights=weights)
    logits = random_logits(2, 3).requires_grad_()
    (expected,) = torch.autograd.grad(objective.loss(logits).sum(), logits)
    with torch.no_grad():  # as in training
        gradient = objective.gradient(logits.detach())
    torch.testing.assert_close(gradient, expected)
    assert not gradient.requires_grad


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("name", ["kl", "squared"])
def test_gradients_of_parts_are_those_of_the_whole_where_a_loss_is_a_mean(name: str) -> None:
    objective = replace(make_objective([0.5, 0.0], draws=2), loss_name=name, weights=EXAMPLE_WEIGHTS)
    assert objective.is_mean
    logits = random_logits(2, 3)
    parts = [objective.part(*ends).gradient(logits[..., slice(*ends)], 3) for ends in ((0, 2), (2, 3))]
    torch.testing.assert_close(torch.cat(parts, -1), objective.gradient(logits))


@pytest.mark.usefixtures("toys")
def test_only_a_mean_over_examples_is_taken_in_parts() -> None:
    assert not replace(make_objective(None), loss_name="worst").is_mean
