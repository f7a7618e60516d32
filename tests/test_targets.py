from dataclasses import replace

import pytest
import torch

from kdcli.errors import UsageError
from kdcli.targets import TARGETS, Knowledge, balanced_weights, candidates, find_target

KNOWN = Knowledge(
    y=torch.tensor([0, 1, 1]),
    n_classes=2,
    posterior=torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]).double(),
    teacher_logits=torch.tensor([[0.0, 1.0], [2.0, 0.0], [-1.0, 3.0]]),
)


def with_chance(known: Knowledge) -> Knowledge:
    chance = torch.rand(len(known.y), known.n_classes, generator=torch.Generator().manual_seed(0))
    return replace(known, smoothing=0.2, chance=chance)


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_is_a_matrix_of_class_probabilities(name: str) -> None:
    matrix = TARGETS[name].build(with_chance(KNOWN), 4.0)
    assert matrix.shape == (3, 2)
    assert matrix.dtype == torch.float64
    assert bool((matrix >= 0).all())
    torch.testing.assert_close(matrix.sum(1), torch.ones(3).double())


@pytest.mark.parametrize(
    ("name", "classes"), [("labels", [0, 1, 1]), ("hard", [1, 0, 1]), ("bayes", [0, 0, 1])]
)
def test_one_hot_targets(name: str, classes: list[int]) -> None:
    matrix = TARGETS[name].build(KNOWN, 1.0)
    assert matrix.argmax(1).tolist() == classes
    assert matrix.max(1).values.tolist() == [1, 1, 1]


def test_soft_is_the_softened_teacher() -> None:
    assert KNOWN.teacher_logits is not None
    torch.testing.assert_close(
        TARGETS["soft"].build(KNOWN, 4.0), (KNOWN.teacher_logits.double() / 4).softmax(1)
    )
    assert [name for name, target in TARGETS.items() if target.softened] == [
        "spread",
        "shuffled",
        "random",
        "self",
        "soft",
    ]


def test_what_is_a_teacher_at_all_is_told_by_what_targets_need() -> None:
    soft = TARGETS["soft"].build(KNOWN, 4.0)
    for name, needs in (("self", "self"), ("random", "untrained")):
        assert TARGETS[name].needs == needs
        assert torch.equal(TARGETS[name].build(KNOWN, 4.0), soft)  # of whatever logits are given
    assert [name for name, target in TARGETS.items() if target.by_seed] == ["shuffled", "random", "self"]
    assert [name for name, target in TARGETS.items() if not target.teaches] == ["random"]


def test_the_values_that_are_tried_are_listed() -> None:
    assert candidates("temperatures") == "1, 2, 4 and 8"
    assert candidates("smoothing") == "0.02, 0.05, 0.1, 0.2 and 0.4"


@pytest.mark.parametrize("temperature", [1.0, 4.0, 20.0])
def test_spread_keeps_the_highest_probability_and_evens_the_others(temperature: float) -> None:
    logits = 3 * torch.randn(500, 5, generator=torch.Generator().manual_seed(0))
    known = replace(KNOWN, y=torch.zeros(500, dtype=torch.int64), n_classes=5, teacher_logits=logits)
    soft, spread = (TARGETS[name].build(known, temperature) for name in ("soft", "spread"))
    top = soft.argmax(1, keepdim=True)
    torch.testing.assert_close(spread.gather(1, top), soft.gather(1, top))
    torch.testing.assert_close(spread.sum(1), torch.ones(500).double())
    others = spread.scatter(1, top, -1.0).sort(1).values[:, 1:]
    torch.testing.assert_close(others, others[:, :1].expand_as(others))
    assert TARGETS["spread"].least_classes == 3  # of two, it is soft


def test_smooth_spreads_a_share_over_all_classes() -> None:
    known = replace(KNOWN, smoothing=0.1)
    torch.testing.assert_close(
        TARGETS["smooth"].build(known, 1.0),
        torch.tensor([[0.95, 0.05], [0.05, 0.95], [0.05, 0.95]]).double(),
    )
    labels = TARGETS["labels"].build(KNOWN, 1.0)
    torch.testing.assert_close(TARGETS["smooth"].build(replace(KNOWN, smoothing=0.0), 1.0), labels)


def test_shuffled_keeps_the_top_class_and_permutes_the_others_in_each_example() -> None:
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(3000, 5, generator=random)
    known = Knowledge(
        y=torch.zeros(3000).long(),
        n_classes=5,
        teacher_logits=logits,
        chance=torch.rand(3000, 5, generator=random),
    )
    soft, shuffled = TARGETS["soft"].build(known, 2.0), TARGETS["shuffled"].build(known, 2.0)
    top = soft.argmax(1, keepdim=True)
    torch.testing.assert_close(shuffled.gather(1, top), soft.gather(1, top))
    torch.testing.assert_close(shuffled.sort(1).values, soft.sort(1).values)
    # The second most probable class stays in its place about as often as in any of the three others.
    second = soft.scatter(1, top, 0).argmax(1)
    moved = shuffled.scatter(1, top, 0).argmax(1)
    assert float((second == moved).double().mean()) == pytest.approx(1 / 4, abs=0.04)
    # The same random numbers give the same permutation at every temperature.
    hotter = TARGETS["shuffled"].build(known, 8.0)
    assert torch.equal(shuffled.argsort(1), hotter.argsort(1))


def test_a_mistyped_name_gets_a_suggestion() -> None:
    with pytest.raises(UsageError, match=r"no target 'sfot'; did you mean soft\?"):
        find_target("sfot")


def test_balanced_weights_give_each_class_the_same_total() -> None:
    y = torch.tensor([[0, 0, 0, 1, 0, 2], [1, 1, 2, 0, 0, 0]])
    weights = balanced_weights(y, y, 3)
    torch.testing.assert_close(weights.mean(1), torch.ones(2).double())
    for draw in range(2):
        torch.testing.assert_close(y[draw].bincount(weights[draw]), torch.full((3,), 2.0).double())
    of_others = balanced_weights(torch.tensor([[2, 0], [0, 2]]), y, 3)
    torch.testing.assert_close(of_others, torch.tensor([[2, 0.5], [2 / 3, 2]]).double())
