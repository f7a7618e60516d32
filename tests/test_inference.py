import math

import numpy as np
import pytest
import torch
from torch import Tensor

from kdcli.exact import clopper_pearson
from kdcli.inference import FEW_DISCORDANT, INFORMATIVE, compare, estimate
from kdcli.rng import generator
from kdcli.stats import Draws, crossed


def right(*wrong: int, n: int, seeds: int = 1) -> Tensor:
    """Which of n examples are classified correctly, the same for all seeds."""
    values = torch.ones(seeds, n)
    values[:, list(wrong)] = 0
    return values


@pytest.mark.parametrize("seeds", [1, 10])
@pytest.mark.parametrize(("n", "low"), [(100, 0.964), (2, 0.158)])
def test_an_accuracy_without_an_error_is_not_certain(n: int, low: float, seeds: int) -> None:
    assert estimate([right(n=n, seeds=seeds)], share=True) == pytest.approx((1, low, 1), abs=1e-3)
    assert estimate([1 - right(n=n, seeds=seeds)], share=True) == pytest.approx((0, 0, 1 - low), abs=1e-3)


def test_of_one_seed_few_errors_have_the_exact_interval() -> None:
    mean, low, high = estimate([right(3, 5, n=200)], share=True)
    exact = clopper_pearson(198, 200, 0.05)
    assert mean == pytest.approx(0.99)
    assert low <= exact[0] + 1e-3
    assert high >= exact[1] - 1e-3
    assert low > 0.9
    assert high < 1


def test_seeds_that_agree_are_no_more_examples() -> None:
    one, ten = (estimate([right(3, 5, n=200, seeds=seeds)], share=True) for seeds in (1, 10))
    assert one == pytest.approx(ten)


def test_many_errors_have_the_usual_interval() -> None:
    values = (torch.rand(3, 2000, generator=generator("inference", 0)) < 0.8).float()
    assert estimate([values], share=True) == crossed(values).estimate


def test_draws_without_an_error_are_not_certain_either() -> None:
    draws = [right(n=50), right(n=50)]
    assert estimate(draws, share=True) == pytest.approx((1, *clopper_pearson(100, 100, 0.05)))
    overlapping = estimate(draws, Draws(overlap=0.2), share=True)
    assert overlapping == pytest.approx((1, *clopper_pearson(50, 50, 0.05)))


@pytest.mark.parametrize("share", [0.9, 0.97, 0.99, 0.995])
@pytest.mark.parametrize("n", [50, 200])
def test_intervals_of_accuracies_cover(n: int, share: float) -> None:
    random = generator(f"cover/{n}/{share}", 0)
    hits = (
        torch.rand(300, 3, n, generator=random) < 0.5
    ).double()  # seeds differ on examples near the border
    level = torch.rand(300, 1, n, generator=random)
    values = torch.where(level < share - 0.02, 1.0, torch.where(level < share + 0.02, hits, 0.0))
    truth = (share - 0.02 + min(share + 0.02, 1.0)) / 2
    covered = [low <= truth <= high for _, low, high in (estimate([v], share=True) for v in values)]
    assert np.mean(covered) > 0.95


def test_no_discordant_example_is_no_proof_of_equality() -> None:
    ones, others = right(3, n=100, seeds=5), right(3, n=100, seeds=5)
    finding = compare([ones], [others], paired=True, count=1.0)
    assert (finding.difference, finding.p_value) == (0, 1)
    assert finding.interval == pytest.approx((-0.036, 0.036), abs=1e-3)
    assert finding.least == pytest.approx(0.01)


@pytest.mark.parametrize(("discordant", "shown"), [(3, False), (5, False), (6, True), (12, True)])
def test_few_discordant_examples_are_judged_by_mcnemars_exact_test(discordant: int, shown: bool) -> None:
    ones, others = right(n=400, seeds=5), right(*range(discordant), n=400, seeds=5)
    finding = compare([ones], [others], paired=True, count=1.0)
    assert finding.p_value is not None
    assert finding.p_value >= 2 * 0.5**discordant
    assert (finding.p_value <= 0.05) == shown
    low, high = finding.interval or (0, 0)
    assert low <= discordant / 400 <= high


def test_seeds_that_disagree_count_by_how_many() -> None:
    ones = right(n=300, seeds=4)
    others = right(n=300, seeds=4)
    others[:2, :8] = 0  # two of four seeds get eight examples wrong
    finding = compare([ones], [others], paired=True, count=1.0)
    assert finding.p_value is not None
    assert finding.p_value >= 2 * 0.5**8


def test_counts_may_be_in_units_of_their_own() -> None:
    ones, others = right(n=200, seeds=3), right(1, 2, 3, n=200, seeds=3)
    share = compare([ones], [others], paired=True, count=1.0)
    total = compare([200 * ones], [200 * others], paired=True, count=200.0)
    assert total.p_value == share.p_value
    assert total.interval == pytest.approx([200 * end for end in share.interval or ()])
    assert total.least == pytest.approx(200 * share.least)


def test_many_discordant_examples_are_judged_as_before() -> None:
    random = generator("many", 0)
    ones, others = ((torch.rand(5, 2000, generator=random) < share).float() for share in (0.8, 0.75))
    finding = compare([ones], [others], paired=True, count=1.0)
    usual = crossed(ones - others)
    assert int(((ones - others).mean(0) != 0).sum()) > FEW_DISCORDANT
    assert (finding.p_value, finding.interval) == (usual.p_value, usual.estimate[1:])


def losses(huge: int, n: int = 400) -> Tensor:
    """Losses that are huge for some examples."""
    values = 0.01 * torch.rand(5, n, generator=generator("losses", 0))
    values[:, :huge] += 5
    return values


def test_a_difference_that_few_examples_carry_has_no_verdict() -> None:
    finding = compare([losses(7)], [losses(0)], paired=True)
    assert (finding.p_value, finding.interval) == (None, None)
    assert finding.difference == pytest.approx(7 * 5 / 400, rel=1e-3)
    assert finding.why == "too skewed: about 7 of 400 examples make up the difference, and 20 must"
    enough = compare([losses(INFORMATIVE + 1)], [losses(0)], paired=True)
    assert enough.p_value is not None
    assert not enough.why


def test_what_does_not_differ_at_all_is_not_called_skewed() -> None:
    finding = compare([losses(3)], [losses(3)], paired=True)
    assert (finding.difference, finding.p_value, finding.why) == (0, 1, "")


def test_one_infinite_loss_and_none_is_a_matter_of_counts() -> None:
    finite, endless = torch.ones(5, 100), torch.ones(5, 100)
    endless[:, :4] = math.inf
    few = compare([endless], [finite], paired=True)
    assert (few.difference, few.interval) == (math.inf, None)
    assert few.p_value is not None
    assert few.p_value >= 2 * 0.5**4
    endless[:, :12] = math.inf
    many = compare([endless], [finite], paired=True)
    assert many.p_value is not None
    assert many.p_value < 0.05


def test_draws_that_share_five_discordant_examples_show_no_more_than_one() -> None:
    shared = Draws(shared_test=True)
    ones, others = right(n=50, seeds=2), right(*range(5), n=50, seeds=2)
    one = compare([ones], [others], paired=True, count=1.0)
    several = compare([ones] * 5, [others] * 5, paired=True, how=shared, count=1.0)
    assert several.p_value is not None
    assert several.p_value >= one.p_value == pytest.approx(2 * 0.5**5)
    skewed = compare([losses(2)] * 4, [losses(0)] * 4, paired=True, how=shared)
    assert skewed.why.startswith("too skewed")


def test_the_largest_difference_there_can_be_has_a_verdict() -> None:
    finding = compare([torch.ones(3, 12)], [torch.zeros(3, 12)], paired=True, count=1.0)
    assert finding.p_value == pytest.approx(2 * 0.5**12)
    low, high = finding.interval or (0, 0)
    assert 0.5 < low < high == 1
    many = compare([torch.ones(3, 5000)], [torch.zeros(3, 5000)], paired=True, count=1.0)
    assert many.p_value is not None
    assert 0 < many.p_value < 1e-9


def test_draws_without_a_difference_are_not_proven_equal() -> None:
    finding = compare([right(n=25)] * 3, [right(n=25)] * 3, paired=True, count=1.0)
    low, high = finding.interval or (0, 0)
    assert low == -high
    assert high == pytest.approx(clopper_pearson(0, 75, 0.05)[1])


def test_subsets_of_a_shared_test_set_are_no_more_examples() -> None:
    shared = Draws(shared_test=True)
    none = [torch.zeros(1, 12)] * 3
    assert estimate(none, shared, share=True, subset=True).high == pytest.approx(
        clopper_pearson(0, 12, 0.05)[1]
    )
