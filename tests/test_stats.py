import math

import pytest
import scipy.stats
import torch
from torch import Tensor

from kdcli.inference import Finding, compare, estimate
from kdcli.stats import LEAST_P, LEVEL, Draws, another_draw, crossed, holm, over_draws, unpaired

RANDOM = torch.Generator().manual_seed(0)


T2 = 4.302652730  # t quantile at 2 degrees of freedom
DRAWS = [  # three draws of two seeds and two examples, with means of 1, 2 and 6
    torch.tensor([[0.0, 1.0], [1.0, 2.0]], dtype=torch.float64),
    torch.tensor([[2.0, 2.0], [5.0, -1.0]], dtype=torch.float64),
    torch.tensor([[6.0, 8.0], [6.0, 4.0]], dtype=torch.float64),
]
NOTHING = [torch.zeros(2, 2, dtype=torch.float64)] * 3


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=RANDOM, dtype=torch.float64)


def p_value(t: float) -> float:
    """The p-value of Student's t at 2 degrees of freedom, whose distribution has a closed form."""
    return 1 - t / math.sqrt(2 + t * t)


def test_one_seed_gives_the_usual_interval_over_examples() -> None:
    values = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    half = 3.182446305 * values.std().item() / 2  # t quantile at 3 degrees of freedom
    assert estimate([values]) == pytest.approx((2.5, 2.5 - half, 2.5 + half), rel=1e-6)


def test_equal_examples_give_the_usual_interval_over_seeds() -> None:
    values = torch.tensor([[1.0], [2.0], [4.0]]).expand(3, 50)
    half = T2 * math.sqrt(torch.tensor([1.0, 2.0, 4.0]).var().item() / 3)
    assert estimate([values]) == pytest.approx((7 / 3, 7 / 3 - half, 7 / 3 + half), rel=1e-5)


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
    assert estimate([torch.ones(3, 4)]) == (1, 1, 1)
    assert crossed(torch.zeros(3, 4)).p_value == 1
    assert crossed(torch.ones(3, 4) + 1e-9 * noise(3, 4)).p_value == LEAST_P


@pytest.mark.parametrize(("seeds", "n"), [(5, 1), (5, 3), (2, 300)])
def test_nothing_is_known_of_chance_where_nothing_varies(seeds: int, n: int) -> None:
    finding = compare([torch.ones(seeds, n)], [torch.zeros(seeds, n)], paired=True)
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


@pytest.mark.parametrize("draws", [2, 3, 10, 100])
@pytest.mark.parametrize("level", [LEVEL, LEVEL / 9])
def test_over_draws_a_detectable_difference_is_shown_four_times_in_five(draws: int, level: float) -> None:
    """By the noncentral t distribution, with the deviation that was seen."""
    sampled = over_draws(noise(draws), overlap=0.25)
    (part,) = sampled.parts
    critical = scipy.stats.t.isf(level / 2, draws - 1)
    shift = sampled.detectable(level) / part.variance**0.5
    assert scipy.stats.nct.sf(critical, draws - 1, shift) == pytest.approx(0.8, abs=1e-5)


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
    """`benchmarks/draws.py` is the long form of this, also with overlapping splits."""
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
    paired, apart = (compare([ones], [others], paired=p) for p in (True, False))
    assert paired.difference == pytest.approx(apart.difference)
    assert paired.p_value is not None
    assert apart.p_value is not None
    assert paired.p_value < 0.01 < apart.p_value


def test_infinite_values_are_compared_by_how_often_they_come() -> None:
    finite = noise(3, 100)
    endless = finite.clone()
    endless[:, :30] = math.inf
    one = compare([finite], [endless], paired=True)
    other = compare([endless], [finite], paired=True)
    assert (one.difference, other.difference) == (-math.inf, math.inf)
    assert one.interval is None
    assert one.p_value is not None
    assert one.p_value == other.p_value < 0.001
    rare = finite.clone()
    rare[0, 0] = math.inf
    unsure = compare([finite], [rare], paired=True).p_value
    assert unsure is not None
    assert unsure > 0.05
    both: Finding = compare([endless], [rare], paired=True)
    assert (both.difference, both.interval, both.p_value) == (None, None, None)
    assert estimate([endless]) == (math.inf, math.inf, math.inf)


def test_several_draws_are_compared_by_students_t_over_their_means() -> None:
    finding = compare(DRAWS, NOTHING, paired=True)
    half = T2 * math.sqrt(7 / 3)  # the sum of squares around 3 is 14, on 2 degrees of freedom
    assert finding.by_draw == (1, 2, 6)
    assert finding.difference == 3
    assert finding.interval == pytest.approx((3 - half, 3 + half))
    assert finding.p_value == pytest.approx(p_value(3 / math.sqrt(7 / 3)))
    assert estimate(DRAWS) == pytest.approx((3, 3 - half, 3 + half))
    assert finding.sampled.limited_by() == "draws"


def test_several_splits_of_one_pool_are_compared_with_the_correction_of_nadeau_and_bengio() -> None:
    how = Draws(overlap=1 / 4)
    finding = compare(DRAWS, NOTHING, paired=True, how=how)
    error = math.sqrt((1 / 3 + 1 / 4) * 7)
    assert finding.interval == pytest.approx((3 - T2 * error, 3 + T2 * error))
    assert finding.p_value == pytest.approx(p_value(3 / error))
    assert estimate(DRAWS, how) == pytest.approx((3, 3 - T2 * error, 3 + T2 * error))


def test_draws_that_share_their_test_examples_are_crossed_with_them() -> None:
    how = Draws(shared_test=True)
    draws = [  # whose means over seeds are 0 and 0, 2 and 0, 3 and 7
        torch.tensor([[-1.0, 2.0], [1.0, -2.0]], dtype=torch.float64),
        torch.tensor([[2.0, 1.0], [2.0, -1.0]], dtype=torch.float64),
        torch.tensor([[2.0, 7.0], [4.0, 7.0]], dtype=torch.float64),
    ]
    of_draws = (4 + 1 + 9) / 2 / 3  # the squares around their mean of 2
    rest = 2 * (1 + 16 + 25) / 9 / 2 / 6  # ±1/3, ±4/3 and ±5/3 are left over, on 2 degrees of freedom
    alone = compare(draws, NOTHING, paired=True, how=how)
    assert (alone.difference, alone.by_draw) == (2, (0, 1, 5))
    # The means of the examples, 5/3 and 7/3, vary by less than what is left over.
    assert alone.sampled.estimate[1:] == pytest.approx((2 - T2 * of_draws**0.5, 2 + T2 * of_draws**0.5))
    assert alone.why.startswith("too skewed")  # two examples tell nothing
    apart = [of_draw + torch.tensor([0.0, 30.0]) for of_draw in draws]
    both = compare(apart, NOTHING, paired=True, how=how)
    of_examples = (46 / 3) ** 2 - rest  # means of 5/3 and 97/3 are 46/3 from theirs
    half = math.sqrt(T2**2 * of_draws + 12.706204736**2 * of_examples)  # t quantile at 1 degree of freedom
    assert both.sampled.estimate[1:] == pytest.approx((17 - half, 17 + half))
    assert (alone.sampled.limited_by(), both.sampled.limited_by()) == ("draws", "examples")
    assert estimate(apart, how) == pytest.approx((17, 17 - half, 17 + half))


def test_draws_measured_on_different_parts_of_a_shared_test_set_are_not_crossed() -> None:
    """As the agreement where the teacher is wrong: every draw has another teacher."""
    draws, nothing = [noise(2, n) for n in (5, 6, 7)], [torch.zeros(2, n) for n in (5, 6, 7)]
    shared = compare(draws, nothing, paired=True, how=Draws(shared_test=True).of_subsets())
    assert shared == compare(draws, nothing, paired=True, how=Draws())


@pytest.mark.parametrize("how", [Draws(), Draws(overlap=0.5), Draws(shared_test=True)])
def test_over_several_draws_neither_seeds_nor_their_pairing_matter_but_their_mean(how: Draws) -> None:
    ones, others = ([noise(seeds, 200) for _ in range(4)] for seeds in (3, 5))
    expected = compare(
        [of_draw.mean(0, keepdim=True) for of_draw in ones],
        [of_draw.mean(0, keepdim=True) for of_draw in others],
        paired=True,
        how=how,
    )
    found = compare(ones, others, paired=False, how=how)
    assert expected.p_value is not None  # with a single seed, too
    assert found.interval == pytest.approx(expected.interval)
    assert found.p_value == pytest.approx(expected.p_value)
    assert found.by_draw == pytest.approx(expected.by_draw)


def test_a_difference_that_is_the_same_in_all_draws_has_no_measure_of_chance() -> None:
    finding = compare([torch.ones(2, 3)] * 4, [torch.zeros(2, 3)] * 4, paired=True)
    assert (finding.difference, finding.interval, finding.p_value) == (1.0, None, None)


def test_values_that_are_infinite_in_some_draws() -> None:
    finite = [torch.zeros(1, 10, dtype=torch.float64)] * 3
    shares = (3, 2, 4)
    endless = [torch.tensor([[math.inf] * k + [1.0] * (10 - k)], dtype=torch.float64) for k in shares]
    finding = compare(endless, finite, paired=True)
    assert (finding.difference, finding.interval) == (math.inf, None)
    assert finding.p_value == pytest.approx(p_value(0.3 / (0.1 / math.sqrt(3))))  # of the shares
    some = compare([endless[0], *finite[1:]], finite, paired=True)
    assert (some.difference, some.by_draw) == (math.inf, (math.inf, 0, 0))
    other = compare(finite, [endless[0], *finite[1:]], paired=True)
    assert (other.difference, other.by_draw) == (-math.inf, (-math.inf, 0, 0))
    assert other.p_value == some.p_value == pytest.approx(p_value(1))  # shares of 0.3, 0 and 0
    assert estimate([endless[0], *finite[1:]]) == (math.inf, math.inf, math.inf)


def test_a_draw_in_which_both_are_infinite_has_no_difference() -> None:
    endless, finite = torch.tensor([[math.inf, 1.0]]), torch.tensor([[0.0, 1.0]])
    finding = compare([endless, endless, finite], [endless, finite, finite], paired=True)
    assert (finding.difference, finding.interval, finding.p_value) == (None, None, None)
    first, *others = finding.by_draw
    assert math.isnan(first)
    assert others == [math.inf, 0]


def test_the_value_of_another_draw_has_the_prediction_interval_of_students_t() -> None:
    half = T2 * math.sqrt((1 + 1 / 3) * 7)
    assert another_draw([1, 2, 6]) == pytest.approx((3 - half, 3 + half))
    assert another_draw([1.0]) is None
    assert another_draw([1.0, math.inf, 2.0]) is None
    assert another_draw([math.nan, 1.0]) is None


@pytest.mark.parametrize("overlap", [0.0, 0.5])
def test_another_draw_lies_in_its_interval_as_often_as_said(overlap: float) -> None:
    """Another split of a pool shares as much with its splits as they share with each other."""
    experiments, covered = 1000, 0
    for _ in range(experiments):
        *draws, another = (noise(11) + overlap**0.5 * noise(1)).tolist()
        low, high = another_draw(draws) or (0.0, 0.0)
        covered += low <= another <= high
    assert covered / experiments == pytest.approx(0.95, abs=3 * (0.95 * 0.05 / experiments) ** 0.5)


def test_holm_against_an_example_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []
