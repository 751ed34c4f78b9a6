"""Correlations whose unit is the finetune: Pearson's and Spearman's, with interval and exact p."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, permutations
from math import atanh, isfinite, sqrt, tanh

import numpy as np
import numpy.typing as npt
from scipy import stats

EXACT_FINETUNES = 9
"""Finetunes up to which every pairing is walked (9! = 362,880)."""

RANDOM_PAIRINGS = 99_999
"""Pairings drawn where there are more."""

_CHUNK = 50_000
_TIE = 1e-9
_FEWEST_FOR_INTERVAL = 4


@dataclass(frozen=True)
class Correlation:
    """A correlation over `n` finetunes.

    `value` is None where there are fewer than 3, or one side is the same for all. `low` and `high`
    bound the interval by Fisher's z, None with fewer than 4 or where the value is 1 or -1. `p` is
    the two-sided permutation test; `exact` is false where it drew random pairings.
    """

    value: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int
    exact: bool


def pearson(one: Sequence[float], other: Sequence[float], level: float = 0.95) -> Correlation:
    """Pearson's r of two values of each finetune, as in arXiv 2501.11120, Figure 4.

    Args:
        one: A finite value for each finetune.
        other: Another one for each, in the same order.
        level: Coverage of the interval, between 0 and 1.

    Raises:
        ValueError: Not as many of the one as of the other, or a value is not finite.
    """
    a, b = _paired(one, other)
    return _correlation(a, b, level, lambda _: 1.0)


def spearman(one: Sequence[float], other: Sequence[float], level: float = 0.95) -> Correlation:
    """Spearman's rho, equal values sharing their rank; arguments and errors as in `pearson`.

    The variance of its Fisher's z is (1 + rho^2 / 2) / (n - 3), after Bonett and Wright (2000).
    """
    a, b = _paired(one, other)
    ranks = stats.rankdata(a), stats.rankdata(b)
    return _correlation(*ranks, level, lambda r: 1.0 + r * r / 2)


def _paired(
    one: Sequence[float], other: Sequence[float]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    if len(one) != len(other):
        raise ValueError(f"{len(one)} values against {len(other)}: each finetune needs both")
    if not all(isfinite(value) for value in (*one, *other)):
        raise ValueError("a finetune's value must be a finite number")
    return np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)


def _correlation(
    a: npt.NDArray[np.float64],
    b: npt.NDArray[np.float64],
    level: float,
    spread: Callable[[float], float],
) -> Correlation:
    n = int(a.size)
    exact = n <= EXACT_FINETUNES
    if n < 3 or np.ptp(a) <= _TIE or np.ptp(b) <= _TIE:
        return Correlation(None, None, None, None, n, exact)
    x, y = _standard(a), _standard(b)
    value = min(1.0, max(-1.0, float(x @ y)))
    low = high = None
    if n >= _FEWEST_FOR_INTERVAL and abs(value) < 1 - _TIE:
        half = float(stats.norm.ppf((1 + level) / 2)) * sqrt(spread(value) / (n - 3))
        low, high = tanh(atanh(value) - half), tanh(atanh(value) + half)
    return Correlation(value, low, high, _permutation_p(x, y, value), n, exact)


def _standard(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The values about their mean, of length 1: a product of two such is a correlation."""
    centred = values - values.mean()
    length = float(np.linalg.norm(centred))
    standard: npt.NDArray[np.float64] = centred / length
    return standard


def _permutation_p(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], observed: float
) -> float:
    """The share of pairings with a correlation at least as far from 0, the observed among them."""
    n = int(x.size)
    exact = n <= EXACT_FINETUNES
    extreme, pairings = (0, 0) if exact else (1, 1)
    for orders in _every(n) if exact else _random(n):
        found = np.abs(y[orders] @ x)
        extreme += int(np.count_nonzero(found >= abs(observed) - _TIE))
        pairings += len(orders)
    return extreme / pairings


def _every(n: int) -> Iterator[npt.NDArray[np.intp]]:
    orders = permutations(range(n))
    while block := list(islice(orders, _CHUNK)):
        yield np.asarray(block, dtype=np.intp)


def _random(n: int) -> Iterator[npt.NDArray[np.intp]]:
    rng = np.random.default_rng(0)
    left = RANDOM_PAIRINGS
    while left:
        rows = min(left, _CHUNK)
        yield np.argsort(rng.random((rows, n)), axis=1)
        left -= rows
