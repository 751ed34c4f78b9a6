"""Intervals and tests whose unit is the finetune."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, islice
from math import comb, isfinite, sqrt

import numpy as np
import numpy.typing as npt
from scipy import stats

ENOUGH = 5
"""Finetunes a side from which an exact two-sided permutation test can reach p < 0.01 (2/252)."""

MAX_SPLITS = 1_000_000
"""Splits up to which the permutation test walks them all (11 against 11 has 705,432)."""

RANDOM_SPLITS = 99_999
"""Splits drawn where there are more than `MAX_SPLITS`."""

_CHUNK = 50_000
_TIE = 1e-9


@dataclass(frozen=True)
class Estimate:
    """The mean of one arm over its finetunes.

    `low` and `high` bound the t interval. They are None for a single finetune, and `mean` is None
    for none. Intervals are not clipped to the range of the score.
    """

    mean: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Difference:
    """The mean of one arm minus that of another, the finetune being the unit.

    `low` and `high` bound the Welch t interval and `p` is the two-sided permutation test. All three
    are None where a side has a single finetune, `value` is None where a side has none.
    `exact` is false where the test drew random splits (see `permutation_p`).
    """

    value: float | None
    low: float | None
    high: float | None
    p: float | None
    n_high: int
    n_low: int
    exact: bool
    warning: str


def mean_interval(values: Sequence[float], level: float = 0.95) -> Estimate:
    """The mean over finetunes with its t interval.

    Args:
        values: One finite value for each finetune.
        level: Coverage of the interval, between 0 and 1.
    """
    data = _finite(values)
    if data.size == 0:
        return Estimate(None, None, None, 0)
    mean = float(data.mean())
    if data.size == 1:
        return Estimate(mean, None, None, 1)
    half = _t_factor(data.size - 1, level) * sqrt(float(data.var(ddof=1)) / data.size)
    return Estimate(mean, mean - half, mean + half, int(data.size))


def difference(high: Sequence[float], low: Sequence[float], level: float = 0.95) -> Difference:
    """The difference of two arms' means with its Welch t interval and permutation p.

    Args:
        high: One finite value for each finetune of the arm that is subtracted from.
        low: The same for the arm that is subtracted.
        level: Coverage of the interval, between 0 and 1.
    """
    a, b = _finite(high), _finite(low)
    warning = few_finetunes(a.size, b.size)
    if not (a.size and b.size):
        return Difference(None, None, None, None, a.size, b.size, True, warning)
    value = float(a.mean() - b.mean())
    if min(a.size, b.size) < 2:
        return Difference(value, None, None, None, a.size, b.size, True, warning)
    part_a, part_b = float(a.var(ddof=1)) / a.size, float(b.var(ddof=1)) / b.size
    variance = part_a + part_b
    half = 0.0
    if variance > 0:
        freedom = variance**2 / (part_a**2 / (a.size - 1) + part_b**2 / (b.size - 1))
        half = _t_factor(freedom, level) * sqrt(variance)
    exact = comb(a.size + b.size, a.size) <= MAX_SPLITS
    p = permutation_p(high, low)
    return Difference(value, value - half, value + half, p, a.size, b.size, exact, warning)


def permutation_p(high: Sequence[float], low: Sequence[float]) -> float:
    """Two-sided p of a permutation test on the difference of means.

    Every split of the finetunes into two arms of these sizes is one permutation, and p is the share
    with a difference at least as large, the observed split among them. Five against five that do
    not overlap give 2/252. Beyond `MAX_SPLITS` splits, `RANDOM_SPLITS` of them are drawn with a
    fixed seed and the observed one is added.

    Raises:
        ValueError: An arm is empty, or a value is not finite.
    """
    a, b = _finite(high), _finite(low)
    if not (a.size and b.size):
        raise ValueError("a permutation test needs at least one finetune in each arm")
    pooled = np.concatenate([a, b])
    total, size = float(pooled.sum()), int(pooled.size)
    observed = abs(float(a.mean() - b.mean()))
    tolerance = _TIE * max(1.0, float(np.abs(pooled).max()))
    exact = comb(size, a.size) <= MAX_SPLITS
    extreme, splits = (0, 0) if exact else (1, 1)
    for chosen in _splits(size, int(a.size)) if exact else _random_splits(size, int(a.size)):
        sums = pooled[chosen].sum(axis=1)
        gaps = np.abs(sums / a.size - (total - sums) / b.size)
        extreme += int(np.count_nonzero(gaps >= observed - tolerance))
        splits += len(chosen)
    return extreme / splits


def few_finetunes(n_high: int, n_low: int) -> str:
    """What to warn of when an arm has fewer than five finetunes; empty otherwise."""
    fewest = min(n_high, n_low)
    if fewest >= ENOUGH:
        return ""
    if fewest == 0:
        return f"{n_high} against {n_low} finetunes: nothing to compare"
    if fewest == 1:
        return f"{n_high} against {n_low} finetunes: an anecdote, without interval or p"
    best = (2 if n_high == n_low else 1) / comb(n_high + n_low, n_high)
    counts = f"{n_high} against {n_low} finetunes"
    return f"{counts}, fewer than {ENOUGH} a side: p cannot be below {best:.2g}"


def _finite(values: Sequence[float]) -> npt.NDArray[np.float64]:
    if not all(isfinite(value) for value in values):
        raise ValueError(f"a finetune's value must be a finite number: {list(values)}")
    return np.asarray(values, dtype=np.float64)


def _t_factor(freedom: float, level: float) -> float:
    return float(stats.t.ppf((1 + level) / 2, freedom))


def _splits(size: int, arm: int) -> Iterator[npt.NDArray[np.intp]]:
    every = combinations(range(size), arm)
    while block := list(islice(every, _CHUNK)):
        flat = np.fromiter(chain.from_iterable(block), dtype=np.intp, count=len(block) * arm)
        yield flat.reshape(len(block), arm)


def _random_splits(size: int, arm: int) -> Iterator[npt.NDArray[np.intp]]:
    rng = np.random.default_rng(0)
    left = RANDOM_SPLITS
    while left:
        rows = min(left, _CHUNK)
        order = np.argsort(rng.random((rows, size)), axis=1)
        yield order[:, :arm]
        left -= rows
