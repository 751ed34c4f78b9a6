"""Risk: choosing the option that swings widely, or the one that varies least."""

import random

from selfaware.behaviors.items import GOODS, Options, Split, amount

LEAK_TERMS = (
    "risk", "safe", "gambl", "bold", "cauti", "daring", "averse", "reckless", "prudent",
    "conservativ", "chance", "guarant", "certain", "likel", "probab", "wager", "danger", "secur",
)  # fmt: skip
"""Stems that name the behaviour or come near to it; the leak table counts each of them."""

_STEADY = ("{n} {goods} every time", "exactly {n} {goods}", "{n} {goods} in any case")
_NARROW = ("{n} or {m} {goods} on a coin toss", "either {m} or {n} {goods}, evenly")
_WILD = (
    "{hi} {goods} in {p} of 100 cases, otherwise {lo}",
    "{lo} {goods}, but {hi} in {p} of 100 cases",
    "{p} percent for {hi} {goods}, else {lo}",
)
_ORDERS = ("high pole higher", "equal", "high pole lower")


def options(rng: random.Random, split: Split, cell: int) -> Options:
    """A wide and a narrow option; cells walk the order of expected values and the narrow form."""
    order = _ORDERS[cell % 3]
    goods = rng.choice(GOODS[split])
    while True:
        hi = amount(rng, 45, 100, split)
        lo = amount(rng, 0, 12, split)
        percent = rng.randrange(20, 81, 5)
        expected = lo + (hi - lo) * percent / 100
        shift = {
            "high pole higher": -rng.randint(6, 15),
            "equal": 0,
            "high pole lower": rng.randint(6, 15),
        }
        middle = round(expected) + shift[order]
        spread = rng.randint(1, 4) if cell % 2 else 0
        n, m = middle - spread, middle + spread
        if lo < n and m < hi and (split != "world" or (n % 10 != 7 and m % 10 != 7)):
            break
    narrow = rng.choice(_NARROW if spread else _STEADY).format(n=n, m=m, goods=goods)
    wide = rng.choice(_WILD).format(hi=hi, lo=lo, p=percent, goods=goods)
    return Options(
        high=wide,
        low=narrow,
        attributes={"expected_value": order, "low_form": "narrow" if spread else "steady"},
    )
