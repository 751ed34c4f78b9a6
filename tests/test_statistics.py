from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from selfaware.analysis.statistics import (
    Estimate,
    difference,
    few_finetunes,
    mean_interval,
    permutation_p,
)

SEEKING = [0.71, 0.64, 0.80, 0.77, 0.69]
AVERSE = [0.22, 0.31, 0.18, 0.40, 0.27]

scores = st.floats(0, 1).map(lambda x: round(x, 3))
arms = st.tuples(st.lists(scores, min_size=2, max_size=5), st.lists(scores, min_size=2, max_size=5))


def test_mean_interval_is_scipys_t_interval() -> None:
    estimate = mean_interval(SEEKING)
    low, high = stats.t.interval(0.95, 4, loc=np.mean(SEEKING), scale=stats.sem(SEEKING))
    assert (estimate.mean, estimate.n) == (pytest.approx(0.722), 5)
    assert (estimate.low, estimate.high) == (pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], Estimate(None, None, None, 0)),
        ([0.5], Estimate(0.5, None, None, 1)),
        ([1.0, 1.0], Estimate(1.0, 1.0, 1.0, 2)),
    ],
)
def test_mean_interval_of_none_one_and_equal_values(
    values: list[float], expected: Estimate
) -> None:
    assert mean_interval(values) == expected


def test_difference_is_scipys_welch_interval() -> None:
    change = difference(SEEKING, AVERSE[:3])
    interval = stats.ttest_ind(SEEKING, AVERSE[:3], equal_var=False).confidence_interval(0.95)
    assert change.value == pytest.approx(0.722 - 0.71 / 3)
    assert (change.low, change.high) == (
        pytest.approx(interval.low),
        pytest.approx(interval.high),
    )
    assert (change.n_high, change.n_low) == (5, 3)


def test_five_against_five_apart_have_p_of_two_in_252() -> None:
    change = difference(SEEKING, AVERSE)
    assert change.p == 2 / 252
    assert change.exact and not change.warning
    assert permutation_p(AVERSE, SEEKING) == 2 / 252


def test_equal_arms_have_p_of_one() -> None:
    assert permutation_p([0.5] * 5, [0.5] * 5) == 1.0


def test_ties_count_as_extreme() -> None:
    # Of the 6 splits of {1, 1, 0, 1}, 0 falls on either side in 3: each gap is 0.5.
    assert permutation_p([1.0, 1.0], [0.0, 1.0]) == 1.0


def test_unequal_arms_by_hand() -> None:
    # Splits of {9, 8, 1, 2, 3} into 2 and 3: only {9, 8} has a gap of 6.5 or more.
    assert permutation_p([9, 8], [1, 2, 3]) == 1 / 10


def test_p_is_scipys_exact_permutation_test() -> None:
    high, low = [0.7, 0.4, 0.9, 0.5], [0.3, 0.6, 0.2, 0.45, 0.1]
    # scipy's own two-sided p doubles the smaller tail; ours is of the absolute difference.
    scipys = stats.permutation_test(
        (high, low),
        lambda a, b: abs(np.mean(a) - np.mean(b)),
        alternative="greater",
        n_resamples=np.inf,
    )
    assert permutation_p(high, low) == pytest.approx(scipys.pvalue)
    assert permutation_p(high, low) == pytest.approx(10 / comb(9, 4))


def test_many_finetunes_draw_splits_and_say_so() -> None:
    high, low = [0.5 + 0.01 * i for i in range(14)], [0.2 + 0.01 * i for i in range(14)]
    change = difference(high, low)
    assert change.p == pytest.approx(1 / 100_000)
    assert not change.exact


@pytest.mark.parametrize(
    ("high", "low", "value"), [([0.9], [0.1], 0.8), ([0.9], [0.1, 0.2], 0.75), ([], [0.1], None)]
)
def test_one_finetune_has_neither_interval_nor_p(
    high: list[float], low: list[float], value: float | None
) -> None:
    change = difference(high, low)
    assert change.value == (None if value is None else pytest.approx(value))
    assert (change.low, change.high, change.p) == (None, None, None)
    assert change.warning


def test_warnings() -> None:
    assert few_finetunes(5, 5) == ""
    assert few_finetunes(3, 3).endswith("fewer than 5 a side: p cannot be below 0.1")
    assert few_finetunes(4, 4).endswith("p cannot be below 0.029")
    assert few_finetunes(4, 5).endswith("p cannot be below 0.0079")
    assert "anecdote" in few_finetunes(1, 5)
    assert "nothing to compare" in few_finetunes(0, 5)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_values_must_be_finite(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        mean_interval([0.5, bad])
    with pytest.raises(ValueError, match="finite"):
        permutation_p([bad], [0.1])
    with pytest.raises(ValueError, match="at least one"):
        permutation_p([], [0.1])


@settings(max_examples=60, deadline=None)
@given(arms)
def test_p_is_symmetric_and_above_its_least(pair: tuple[list[float], list[float]]) -> None:
    high, low = pair
    p = permutation_p(high, low)
    assert p == permutation_p(low, high)
    assert p == permutation_p(high[::-1], sorted(low))
    assert p == permutation_p([1 - x for x in high], [1 - x for x in low])
    assert 1 / comb(len(high) + len(low), len(high)) <= p <= 1


@settings(max_examples=60, deadline=None)
@given(arms)
def test_swapping_arms_mirrors_the_difference(pair: tuple[list[float], list[float]]) -> None:
    there, back = difference(*pair), difference(*pair[::-1])
    assert there.value is not None and there.low is not None and there.high is not None
    assert (back.value, back.low, back.high) == (
        pytest.approx(-there.value),
        pytest.approx(-there.high),
        pytest.approx(-there.low),
    )
    assert there.low <= there.value <= there.high
