from dataclasses import replace
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
    """The student finds likely what the target all but excludes."""
    target = torch.tensor([[0.0], [-gap]]).double().softmax(0)
    student = torch.tensor([[0.0], [0.0]])
    assert float(distillation_loss(student, target)) == pytest.approx(float(torch.tensor(2.0).log()))


def test_a_zero_target_costs_nothing_and_an_excluded_one_everything() -> None:
    sure = torch.tensor([[0.0], [-torch.inf]])
    assert float(distillation_loss(sure, torch.tensor([[1.0], [0.0]]))) == 0
    assert float(distillation_loss(sure, torch.tensor([[0.5], [0.5]]))) == torch.inf


def make_objective(weights: list[float] | None) -> Objective:
    soft = (TEACHER / 4).softmax(0)
    labels = F.one_hot(LABELS, 4).T.double()
    return Objective(
        target=torch.stack([soft, labels]),
        temperature=torch.tensor([4.0, 1.0]).double().view(-1, 1, 1),
        labels=labels,
        label_weight=None if weights is None else torch.tensor(weights).double().view(-1, 1, 1),
    )


def test_label_weight_mixes_in_the_cross_entropy() -> None:
    logits = torch.stack([STUDENT, STUDENT])[None]
    pure = make_objective(None).loss(logits)[0]
    cross_entropy = float(F.cross_entropy(STUDENT.T, LABELS))
    mixed = make_objective([0.25, 0.25]).loss(logits)[0]
    assert float(mixed[0]) == pytest.approx(0.75 * float(pure[0]) + 0.25 * cross_entropy)
    assert float(mixed[1]) == pytest.approx(cross_entropy)  # the labels are the target already
    torch.testing.assert_close(make_objective([0.0, 0.0]).loss(logits)[0], pure)


@pytest.mark.parametrize("weights", [None, [0.0, 0.3], [1.0, 0.5]])
def test_objective_gradient_is_that_of_its_loss(weights: list[float] | None) -> None:
    objective = make_objective(weights)
    logits = torch.randn(3, 2, 4, 3, generator=torch.Generator().manual_seed(0)).double().requires_grad_()
    (expected,) = torch.autograd.grad(objective.loss(logits).sum(), logits)
    torch.testing.assert_close(objective.gradient(logits.detach()), expected)


def test_take_gives_each_group_its_own_examples() -> None:
    objective = make_objective([0.5, 0.5])
    part = objective.take(torch.tensor([[2, 0], [1, 1]]))
    assert part.target.shape == (2, 2, 4, 2)
    torch.testing.assert_close(part.target[0, 1], objective.target[1][:, [2, 0]])
    torch.testing.assert_close(part.labels[1, 0], objective.labels[:, [1, 1]])


@pytest.mark.parametrize("weight", [None, torch.tensor([0.3, 0.0]).view(-1, 1, 1)])
def test_taking_examples_is_the_same_in_either_layout(weight: torch.Tensor | None) -> None:
    random = torch.Generator().manual_seed(0)
    target = torch.rand(2, 3, 9, generator=random)
    labels = torch.nn.functional.one_hot(torch.arange(9) % 3).T.float()
    objective = Objective(target, torch.ones(2, 1, 1), labels, weight)
    index = torch.tensor([[4, 0], [7, 7]])
    for each in (objective, objective.by_example()):
        taken = each.take(index)
        assert torch.equal(taken.target, torch.stack([target[:, :, rows] for rows in index]))
        if weight is not None:
            assert torch.equal(taken.labels, torch.stack([labels[:, rows] for rows in index]).unsqueeze(1))
    part = objective.part(2, 5)
    assert torch.equal(part.target, target[:, :, 2:5])
    assert torch.equal(part.labels, labels[:, 2:5])


def squared(logits: Tensor, target: Tensor, temperature: Tensor) -> Tensor:
    """A loss without a gradient in closed form: the squared error of probabilities."""
    return (logits.double().softmax(-2) - target).square().sum(-2).mean(-1)


def worst(logits: Tensor, target: Tensor, temperature: Tensor) -> Tensor:
    """A loss that is no mean over examples: the largest squared error."""
    return (logits.double().softmax(-2) - target).square().sum(-2).amax(-1)


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    new = {"squared": Loss(squared), "worst": Loss(worst, is_mean=False)}
    monkeypatch.setattr(losses, "LOSSES", MappingProxyType({**LOSSES, **new}))


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("name", ["kl", "squared", "worst"])
@pytest.mark.parametrize("weights", [None, [0.0, 0.3]])
def test_a_loss_without_a_closed_form_has_the_gradient_of_autograd(
    name: str, weights: list[float] | None
) -> None:
    objective = replace(make_objective(weights), loss_name=name)
    logits = torch.randn(3, 2, 4, 3, generator=torch.Generator().manual_seed(0)).double().requires_grad_()
    (expected,) = torch.autograd.grad(objective.loss(logits).sum(), logits)
    with torch.no_grad():  # as in training
        gradient = objective.gradient(logits.detach())
    torch.testing.assert_close(gradient, expected)
    assert not gradient.requires_grad


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("name", ["kl", "squared"])
def test_gradients_of_parts_are_those_of_the_whole_where_a_loss_is_a_mean(name: str) -> None:
    objective = replace(make_objective([0.5, 0.0]), loss_name=name)
    assert objective.is_mean
    logits = torch.randn(2, 2, 4, 3, generator=torch.Generator().manual_seed(0)).double()
    parts = [objective.part(*ends).gradient(logits[..., slice(*ends)], 3) for ends in ((0, 2), (2, 3))]
    torch.testing.assert_close(torch.cat(parts, -1), objective.gradient(logits))


@pytest.mark.usefixtures("toys")
def test_only_a_mean_over_examples_is_taken_in_parts() -> None:
    assert not replace(make_objective(None), loss_name="worst").is_mean


def test_an_objective_is_made_again_from_its_tensors() -> None:
    objective = make_objective([0.5, 0.5])
    assert set(objective.tensors()) == {"target", "temperature", "labels", "label_weight"}
    assert set(make_objective(None).tensors()) == {"target", "temperature", "labels"}
    assert Objective(**objective.tensors()) == objective
