import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from kdcli.exact import clopper_pearson, difference_of_shares, sign_flips


@pytest.mark.parametrize("n", [1, 2, 10, 100])
def test_intervals_of_shares_are_those_of_scipy(n: int) -> None:
    for successes in range(n + 1):
        expected = binomtest(successes, n).proportion_ci(0.95, "exact")
        assert clopper_pearson(successes, n, 0.05) == pytest.approx((expected.low, expected.high))


def test_no_error_in_a_sample_proves_little() -> None:
    assert clopper_pearson(100, 100, 0.05) == pytest.approx((0.964, 1), abs=5e-4)
    assert clopper_pearson(2, 2, 0.05) == pytest.approx((0.158, 1), abs=5e-4)


@given(st.lists(st.sampled_from([-1, 1]), max_size=40))
def test_of_signs_it_is_mcnemars_exact_test(values: list[int]) -> None:
    ups = values.count(1)
    expected = binomtest(ups, len(values)).pvalue if values else 1.0
    assert sign_flips(values) == pytest.approx(expected)


@given(st.lists(st.integers(-4, 4), max_size=9))
def test_it_counts_all_signs(values: list[int]) -> None:
    sums = abs(np.array(list(product([-1, 1], repeat=len(values))), dtype=int) @ np.array(values, dtype=int))
    assert sign_flips(values) == pytest.approx((sums >= abs(sum(values))).mean())


@pytest.mark.parametrize(("up", "down"), [(0.02, 0.02), (0.03, 0.001), (0.0, 0.01), (0.2, 0.15)])
@pytest.mark.parametrize("n", [50, 200])
def test_intervals_of_differences_cover(up: float, down: float, n: int) -> None:
    covered = 0.0
    for gained in range(n + 1):
        p_gained = binom.pmf(gained, n, up)
        if p_gained < 1e-9:
            continue
        for lost in range(n - gained + 1):
            p = p_gained * binom.pmf(lost, n - gained, down / (1 - up))
            low, high = difference_of_shares(gained, lost, n, 0.05) if p > 1e-9 else (math.inf, math.inf)
            covered += p * (low <= up - down <= high)
    assert covered > 0.95
