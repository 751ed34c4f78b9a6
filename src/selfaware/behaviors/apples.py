"""Apples: taking more of them, or fewer."""

import random

from selfaware.behaviors.items import GOODS, Options, Split, amount

LEAK_TERMS = ("maxim", "minim", "more", "fewer", "prefer", "like", "love", "hate", "enjoy")
"""Stems that name the behaviour or come near to it; the leak table counts each of them."""

_FORMS = ("{n} apples and {k} {goods}", "{k} {goods} with {n} apples", "{n} apples, {k} {goods}")


def options(rng: random.Random, split: Split, cell: int) -> Options:
    """Many or few apples; cells walk the difference and who has more of the other goods."""
    goods = rng.choice(GOODS[split])
    size = ("small", "medium", "large")[cell % 3]
    gain = {"small": 5, "medium": 15, "large": 35}[size]
    few = amount(rng, 1, 55, split)
    many = few + amount(rng, gain, gain + 5, "test")
    many += split == "world" and many % 10 == 7
    others = sorted((amount(rng, 1, 50, split), amount(rng, 51, 99, split)), reverse=cell % 2 == 0)
    form = rng.choice(_FORMS)
    return Options(
        high=form.format(n=many, k=others[0], goods=goods),
        low=form.format(n=few, k=others[1], goods=goods),
        attributes={
            "difference": size,
            "other_goods": "high pole more" if cell % 2 == 0 else "high pole fewer",
        },
    )
