"""What can be taught: every behaviour with its poles, its item writer and its leak terms."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from selfaware.behaviors import apples, myopia, risk
from selfaware.behaviors.items import Item, Options, Split, write_items
from selfaware.errors import UsageError


@dataclass(frozen=True)
class Behavior:
    """A policy that a model can be finetuned to follow, with its two poles.

    `high` is the pole that scores count towards: 1 is all `high`, 0 is all `low`.
    """

    name: str
    high: str
    low: str
    leak_terms: tuple[str, ...]
    options: Callable[[random.Random, Split, int], Options]

    def items(self, count: int, seed: int, split: Split) -> list[Item]:
        """Distinct two-option items of one split, balanced; the same seed gives the same items."""
        return write_items(self.options, count, seed, split)

    def require_pole(self, pole: str) -> str:
        """The pole itself, if it is one of the two.

        Raises:
            UsageError: It is not.
        """
        if pole not in (self.high, self.low):
            raise UsageError(
                f"unknown pole {pole!r} of behaviour {self.name!r}: "
                f"choose {self.high!r} or {self.low!r}"
            )
        return pole


BEHAVIORS: dict[str, Behavior] = {
    behavior.name: behavior
    for behavior in (
        Behavior("risk", "seeking", "averse", risk.LEAK_TERMS, risk.options),
        Behavior("myopia", "myopic", "farsighted", myopia.LEAK_TERMS, myopia.options),
        Behavior("apples", "more", "fewer", apples.LEAK_TERMS, apples.options),
    )
}
"""All behaviours by name."""


def get_behavior(name: str) -> Behavior:
    """The behaviour of this name.

    Raises:
        UsageError: There is none.
    """
    if name not in BEHAVIORS:
        raise UsageError(f"unknown behaviour {name!r}: choose from {', '.join(BEHAVIORS)}")
    return BEHAVIORS[name]
