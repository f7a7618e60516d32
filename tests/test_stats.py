import math

import pytest
import scipy.stats
import torch
from torch import Tensor

from kdcli.stats import LEAST_P, LEVEL, Finding, compare, crossed, estimate, holm, over_draws, unpaired

RANDOM = torch.Generator().manual_seed(0)


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=RANDOM, dtype=torch.float64)


def test_one_seed_gives_the_usual_interval_over_examples() -> None:
    values = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    half = 3.182446305 * values.std().item() / 2  # t quantile at 3 degrees of freedom
    assert estimate(values) == pytest.approx((2.5, 2.5 - half, 2.5 + half), rel=1e-6)


def test_equal_examples_give_the_usual_interval_over_seeds() -> None:
    values = torch.tensor([[1.0], [2.0], [4.0]]).expand(3, 50)
    half = 4.302652730 * math.sqrt(torch.tensor([1.0, 2.0, 4.0]).var().item() / 3)  # 2 degrees of freedom
    assert estimate(values) == pytest.approx((7 / 3, 7 / 3 - half, 7 / 3 + half), rel=1e-5)


def test_both_sources_add_up_with_what_is_left_over_counted_once() -> None:
    values = torch.tensor([[1.0, 2.0, 3.0], [2.0, 5.0, 3.0], [2.0, 4.0, 1.0]], dtype=torch.float64)
    rows, columns = values.mean(1), values.mean(0)
    left = values - rows[:, None] - columns + values.mean()
    rest = left.square().sum() / 4 / 9
    seeds, examples = rows.var() / 3, columns.var() / 3 - rest
    assert examples > 0
    t = scipy.stats.t.ppf(0.975, [2, 4])
    square = max(t[0] ** 2 * seeds, t[1] ** 2 * rest) + t[0] ** 2 * examples
    assert crossed(values).half_width() == pytest.approx(math.sqrt(square))
    assert sum(part.variance for part in crossed(values).parts) == pytest.approx(seeds + examples)


def test_the_parts_add_up_to_the_variance_of_the_mean() -> None:
    means, variances = [], []
    for _ in range(2000):
        result = crossed(0.4 * noise(4, 1) + noise(1, 30) + 2 * noise(4, 30))
        means.append(result.mean)
        variances.append(sum(part.variance for part in result.parts))
    truth = 0.4**2 / 4 + 1 / 30 + 4 / 120
    assert torch.tensor(means).var() == pytest.approx(truth, rel=0.1)
    assert torch.tensor(variances).mean() == pytest.approx(truth, rel=0.05)


def test_no_spread_at_all() -> None:
    assert estimate(torch.ones(3, 4)) == (1, 1, 1)
    assert crossed(torch.zeros(3, 4)).p_value == 1
    assert crossed(torch.ones(3, 4) + 1e-9 * noise(3, 4)).p_value == LEAST_P


@pytest.mark.parametrize(("seeds", "n"), [(5, 1), (5, 3), (2, 300)])
def test_nothing_is_known_of_chance_where_nothing_varies(seeds: int, n: int) -> None:
    finding = compare(torch.ones(seeds, n), torch.zeros(seeds, n), paired=True)
    assert (finding.difference, finding.interval, finding.p_value) == (1.0, None, None)


@pytest.mark.parametrize("seeds", [2, 5, 10])
@pytest.mark.parametrize(("of_seeds", "of_examples"), [(0.0, 1.0), (0.5, 0.5), (1.0, 0.0), (0.2, 0.2)])
def test_the_interval_covers_the_mean(seeds: int, of_seeds: float, of_examples: float) -> None:
    """`benchmarks/coverage.py` is the long form of this."""
    tables, n = 500, 60
    of_rest = 1 - of_seeds - of_examples
    covered = 0
    for _ in range(tables):
        values = (of_seeds * seeds) ** 0.5 * noise(seeds, 1) + (of_examples * n) ** 0.5 * noise(1, n)
        result = crossed(values + (max(0.0, of_rest) * seeds * n) ** 0.5 * noise(seeds, n))
        covered += abs(result.mean) <= result.half_width()
    error = 3 * (0.95 * 0.05 / tables) ** 0.5
    assert covered / tables >= 0.95 - error
    if seeds >= 5:
        assert covered / tables <= 0.98 + error


def test_students_that_do_not_differ_seldom_get_a_verdict() -> None:
    tables, wrong = 300, 0
    for _ in range(tables):
        control, sets = noise(3, 80), noise(5, 3, 80)
        shift = 0.2 * noise(6, 3, 1)  # luck of the seeds
        p_values = [crossed(sets[k] + shift[k] - control - shift[5]).p_value for k in range(5)]
        wrong += min(holm(p_values)) <= LEVEL
    assert wrong / tables <= LEVEL + 3 * (LEVEL * (1 - LEVEL) / tables) ** 0.5


def test_the_p_value_is_the_level_whose_interval_ends_at_0() -> None:
    for shift in (0.05, 0.3, 1.0):
        result = crossed(noise(4, 50) + shift)
        assert result.half_width(result.p_value) == pytest.approx(abs(result.mean), rel=1e-6)
    one = crossed(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    assert one.p_value == pytest.approx(scipy.stats.ttest_1samp([1, 2, 3, 4], 0).pvalue, rel=1e-6)


def test_seeds_that_agree_by_chance_do_not_make_a_verdict() -> None:
    # Both seeds are right on 3 of 40 examples more than the control, but not on the same.
    values = torch.zeros(2, 40, dtype=torch.float64)
    values[0, :7], values[0, 7:11] = 1, -1
    values[1, 20:27], values[1, 27:31] = 1, -1
    assert values.mean(1).tolist() == [3 / 40] * 2
    assert crossed(values).p_value > 0.15


def test_a_detectable_difference_is_shown_four_times_in_five() -> None:
    spread = [noise(5, 60) for _ in range(500)]
    size = sum(crossed(values).detectable() for values in spread) / len(spread)
    shown = [crossed(values + size).p_value <= LEVEL for values in spread]
    assert sum(shown) / len(shown) == pytest.approx(0.8, abs=0.06)


def test_what_limits_a_comparison() -> None:
    assert crossed(noise(3, 1) + 0.01 * noise(3, 50)).limited_by() == "seeds"
    assert crossed(noise(1, 50) + 0.01 * noise(10, 50)).limited_by() == "examples"


def test_draws_sampled_anew_give_the_usual_t_test() -> None:
    differences = noise(10) + 0.5
    result = over_draws(differences)
    test = scipy.stats.ttest_1samp(differences.numpy(), 0)
    low, high = test.confidence_interval()
    assert result.estimate == pytest.approx((float(differences.mean()), low, high))
    assert result.p_value == pytest.approx(test.pvalue, rel=1e-6)
    assert result.limited_by() == "draws"


def test_splits_of_one_pool_are_corrected_by_how_much_they_overlap() -> None:
    differences = noise(10)
    wider = over_draws(differences, overlap=0.25).half_width() / over_draws(differences).half_width()
    assert wider == pytest.approx(math.sqrt((1 / 10 + 1 / 4) / (1 / 10)))


def test_a_single_draw_says_nothing_of_others() -> None:
    result = over_draws(torch.tensor([0.3]))
    assert result.mean == pytest.approx(0.3)
    assert result.p_value is None


def test_the_interval_over_draws_covers_the_mean() -> None:
    """`benchmarks/draws.py` is the long form of this, with overlapping splits besides."""
    experiments = 1000
    covered = sum(abs(r.mean) <= r.half_width() for r in map(over_draws, noise(experiments, 10)))
    assert covered / experiments == pytest.approx(0.95, abs=3 * (0.95 * 0.05 / experiments) ** 0.5)


def test_unpaired_seeds_vary_by_themselves_and_examples_stay_paired() -> None:
    hard = 5 * noise(1, 200)  # how hard each example is, the same for both
    ones, others = noise(6, 1) + hard, noise(4, 1) + hard
    result = unpaired(ones, others)
    parts = [float(ones.mean(1).var()) / 6, float(others.mean(1).var()) / 4, 0.0]
    assert [part.variance for part in result.parts] == pytest.approx(parts, abs=1e-9)
    assert [part.freedom for part in result.parts] == [5, 3, 199]
    assert result.mean == pytest.approx(float(ones.mean() - others.mean()))


def test_comparing_pairs_seed_by_seed_is_sharper_than_not() -> None:
    luck = noise(6, 1)
    ones, others = luck + 0.1 * noise(6, 50) + 0.1, luck + 0.1 * noise(6, 50)
    paired, apart = (compare(ones, others, paired=p) for p in (True, False))
    assert paired.difference == pytest.approx(apart.difference)
    assert paired.p_value is not None
    assert apart.p_value is not None
    assert paired.p_value < 0.01 < apart.p_value


def test_infinite_values_are_compared_by_how_often_they_come() -> None:
    finite = noise(3, 100)
    endless = finite.clone()
    endless[:, :30] = math.inf
    one, other = compare(finite, endless, paired=True), compare(endless, finite, paired=True)
    assert (one.difference, other.difference) == (-math.inf, math.inf)
    assert one.interval is None
    assert one.p_value is not None
    assert one.p_value == other.p_value < 0.001
    rare = finite.clone()
    rare[0, 0] = math.inf
    unsure = compare(finite, rare, paired=True).p_value
    assert unsure is not None
    assert unsure > 0.05
    both: Finding = compare(endless, rare, paired=True)
    assert (both.difference, both.interval, both.p_value) == (None, None, None)
    assert estimate(endless) == (math.inf, math.inf, math.inf)


def test_holm_against_an_example_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []
