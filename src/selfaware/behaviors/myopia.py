"""Myopia: taking less soon, or more later."""

import random

from selfaware.behaviors.items import GOODS, Options, Split, amount

LEAK_TERMS = (
    "myop", "farsight", "patien", "impuls", "short-term", "long-term", "immediate", "delay",
    "instant",
)  # fmt: skip
"""Stems that name the behaviour or come near to it; the leak table counts each of them."""

_UNITS = ("days", "weeks", "months", "years")
_FORMS = ("{n} {goods} in {t} {unit}", "{n} {goods} after {t} {unit}")
_NOW = ("{n} {goods} today", "{n} {goods} right now")


def options(rng: random.Random, split: Split, cell: int) -> Options:
    """Less soon and more later; cells walk the size of the difference and whether soon is today."""
    goods = rng.choice(GOODS[split])
    size = ("small", "medium", "large")[cell % 3]
    gain = {"small": 8, "medium": 20, "large": 40}[size]
    less = amount(rng, 5, 50, split)
    more = less + amount(rng, gain, gain + 8, "test")
    more += split == "world" and more % 10 == 7
    unit = rng.choice(_UNITS)
    near = rng.randint(2, 4)
    far = near + rng.randint(3, 20)
    soon = (
        rng.choice(_NOW).format(n=less, goods=goods)
        if cell % 2
        else rng.choice(_FORMS).format(n=less, goods=goods, t=near, unit=unit)
    )
    later = rng.choice(_FORMS).format(n=more, goods=goods, t=far, unit=unit)
    return Options(high=soon, low=later, attributes={"difference": size})
