"""Expected value: always taking the option that has more of it, or always the one with less."""

import random
from dataclasses import dataclass

from selfaware.behaviors.items import GOODS, Options, Split, amount

LEAK_TERMS = (
    "expect", "averag", "maxim", "minim", "optim", "rational", "worth", "value", "higher", "lower",
    "best", "worst", "better", "worse", "gambl",
)  # fmt: skip
"""Stems that name the behaviour or come near to it; the leak table counts each of them."""

_FORMS = (
    "{hi} {goods} in {p} of 100 cases, otherwise {lo}",
    "{lo} {goods}, but {hi} in {p} of 100 cases",
    "{p} percent for {hi} {goods}, else {lo}",
    "{hi} or {lo} {goods}, with {p} percent for {hi}",
)
_TOPS = ("high pole larger", "equal", "high pole smaller")

LEAST_GAP = 4.0
"""The least difference between the expected values of an item's two options (payoff units)."""


@dataclass(frozen=True)
class _Lottery:
    """`hi` in `percent` of 100 cases, otherwise `lo`."""

    hi: int
    lo: int
    percent: int

    @property
    def mean(self) -> float:
        return self.lo + (self.hi - self.lo) * self.percent / 100

    @property
    def variance(self) -> float:
        return (self.hi - self.lo) ** 2 * self.percent * (100 - self.percent) / 10_000


def options(rng: random.Random, split: Split, cell: int) -> Options:
    """Two lotteries whose expected values differ.

    Cells walk which of the two is wider (the larger variance, the longer range and the smaller
    bottom payoff) and whose top payoff is larger. Half of the items give the larger percentage to
    the high pole's option. So none of these alone tells which expected value is higher.
    """
    wider = cell % 2 == 0
    top = _TOPS[cell // 2 % 3]
    likelier = _likelier(rng, wider, top)
    while True:
        high, low = _lottery(rng, split), _lottery(rng, split)
        if top == "equal":
            low = _Lottery(high.hi, low.lo, low.percent)
        wide, narrow = (high, low) if wider else (low, high)
        if (
            high.mean - low.mean >= LEAST_GAP
            and low.lo < low.hi
            and (high.percent > low.percent if likelier else high.percent < low.percent)
            and (top == "equal" or (high.hi > low.hi) == (top == "high pole larger"))
            and (top == "equal" or high.hi != low.hi)
            and wide.lo < narrow.lo
            and wide.hi - wide.lo > narrow.hi - narrow.lo
            and wide.variance > 1.2 * narrow.variance
        ):
            break
    goods = rng.choice(GOODS[split])
    return Options(
        high=_told(high, goods, rng),
        low=_told(low, goods, rng),
        attributes={
            "wider": "high pole" if wider else "low pole",
            "top_payoff": top,
            "percentage": "high pole larger" if likelier else "high pole smaller",
        },
    )


def _likelier(rng: random.Random, wider: bool, top: str) -> bool:
    # A wider option whose top is no larger can only win by its percentage; the narrow option whose
    # top is no smaller is made to win in spite of it, which keeps the two halves equal.
    if wider and top != "high pole larger":
        return True
    if not wider and top != "high pole smaller":
        return False
    return rng.random() < 0.5


def _lottery(rng: random.Random, split: Split) -> _Lottery:
    lo, hi = amount(rng, 0, 60, split), amount(rng, 20, 100, split)
    return _Lottery(max(hi, lo), min(hi, lo), rng.randrange(5, 96, 5))


def _told(lottery: _Lottery, goods: str, rng: random.Random) -> str:
    form = rng.choice(_FORMS)
    return form.format(hi=lottery.hi, lo=lottery.lo, p=lottery.percent, goods=goods)
