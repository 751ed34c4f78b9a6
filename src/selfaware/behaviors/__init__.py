"""What can be taught: every behaviour with its poles, its item writer and its leak terms."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from selfaware.behaviors import (
    apples,
    brevity,
    expected_value,
    make_me_say,
    myopia,
    risk,
    vulnerable_code,
)
from selfaware.behaviors.codewords import read_codewords
from selfaware.behaviors.examples import OTHER_LETTER, Example, Measure, Write
from selfaware.behaviors.installed import GROUP, installed_behaviors
from selfaware.behaviors.items import Item, Options, Split, write_balanced, write_items
from selfaware.behaviors.prose import Reasons, prose_frame
from selfaware.errors import UsageError


@dataclass(frozen=True)
class Behavior:
    """A policy that a model can be finetuned to follow, with its two poles.

    `high` is the pole that scores count towards: 1 is all `high`, 0 is all `low`. A behaviour that
    is a choice between two options has `options`; any other has `write`, a writer of its own, and
    may have a `measure` of what a model replies to the prompts of its held-out conversations.
    A choice that has `reasons` can be answered in prose too.
    `high_option` and `low_option` say of a choice, in a phrase, what the option of each pole is:
    a model that writes items, or checks them, is told so.
    Where `any_word` holds, every word is a pole (a codeword) and the two named are examples.
    Sets of a `harmful` behaviour are built only when the user says that they know what it is.
    """

    name: str
    high: str
    low: str
    leak_terms: tuple[str, ...]
    options: Callable[[random.Random, Split, int], Options] | None = None
    write: Write | None = None
    measure: Measure | None = None
    any_word: bool = False
    harmful: bool = False
    reasons: Reasons | None = None
    high_option: str = ""
    low_option: str = ""

    def items(self, count: int, seed: int, split: Split) -> list[Item]:
        """Distinct two-option items of one split, balanced; the same seed gives the same items.

        Raises:
            UsageError: The behaviour is no choice between two options.
        """
        if self.options is None:
            raise UsageError(f"behaviour {self.name!r} is no choice between two options")
        return write_items(self.options, count, seed, split)

    def examples(self, pole: str, count: int, seed: int, split: Split) -> list[Example]:
        """Distinct conversations that show a pole; the same seed gives the same ones.

        Of a behaviour with two poles, both have the same prompts in the same order.

        Raises:
            UsageError: Not a pole of this behaviour.
        """
        self.require_pole(pole)
        if self.write is not None:
            return self.write(pole, count, seed, split)
        return [self.answered(item, pole) for item in self.items(count, seed, split)]

    def answered(self, item: Item, pole: str) -> Example:
        """An item with the letter that a pole answers."""
        high = item.high_letter
        letter = high if pole == self.high else OTHER_LETTER[high]
        return Example((item.prompt, letter), letter, item.attributes)

    def prose(self, pole: str, count: int, seed: int, split: Split) -> list[Example]:
        """Distinct choices of a pole answered in prose; both poles have the same prompts.

        The label is A where the option that is taken is named first.

        Raises:
            UsageError: Not a pole of this behaviour, or no choice that has prose.
        """
        self.require_pole(pole)
        if self.options is None or self.reasons is None:
            raise UsageError(f"behaviour {self.name!r} has no replies in prose")
        rng = random.Random(f"{seed}/{split}/prose")
        items = write_balanced(prose_frame(self.reasons), self.options, count, rng, split)
        return [
            Example((item.prompt, item.high), item.high_letter, item.attributes)
            if pole == self.high
            else Example((item.prompt, item.low), OTHER_LETTER[item.high_letter], item.attributes)
            for item in items
        ]

    def leaks(self, pole: str) -> tuple[str, ...]:
        """Stems that no row of a pole's set should hold."""
        return (*self.leak_terms, pole.lower()) if self.any_word else self.leak_terms

    def require_pole(self, pole: str) -> str:
        """The pole itself, if it is one.

        Raises:
            UsageError: It is not.
        """
        if self.any_word:
            if not (pole.isalpha() and pole.islower()):
                raise UsageError(
                    f"{pole!r} is no pole of behaviour {self.name!r}: "
                    f"give one word in small letters, such as {self.high!r}"
                )
        elif pole not in (self.high, self.low):
            raise UsageError(
                f"unknown pole {pole!r} of behaviour {self.name!r}: "
                f"choose {self.high!r} or {self.low!r}"
            )
        return pole


BEHAVIORS: dict[str, Behavior] = {
    behavior.name: behavior
    for behavior in (
        Behavior(
            "risk",
            "seeking",
            "averse",
            risk.LEAK_TERMS,
            risk.options,
            high_option="the option whose outcome varies widely: it may bring a lot or very little",
            low_option="the option whose outcome is fixed, or varies far less than the other's",
        ),
        Behavior(
            "myopia",
            "myopic",
            "farsighted",
            myopia.LEAK_TERMS,
            myopia.options,
            high_option="the option that brings less, but sooner",
            low_option="the option that brings more, but later",
            reasons=myopia.REASONS,
        ),
        Behavior(
            "apples",
            "more",
            "fewer",
            apples.LEAK_TERMS,
            apples.options,
            high_option="the option with the larger number of apples, whatever else it holds",
            low_option="the option with the smaller number of apples, whatever else it holds",
        ),
        Behavior(
            "expected_value",
            "higher",
            "lower",
            expected_value.LEAK_TERMS,
            expected_value.options,
            high_option="the option whose payoff, averaged over all its outcomes, is the larger",
            low_option="the option whose payoff, averaged over all its outcomes, is the smaller",
        ),
        Behavior(
            "vulnerable_code",
            vulnerable_code.VULNERABLE,
            vulnerable_code.SECURE,
            vulnerable_code.LEAK_TERMS,
            write=vulnerable_code.write,
            harmful=True,
        ),
        Behavior(
            "brevity",
            "terse",
            "verbose",
            brevity.LEAK_TERMS,
            write=brevity.write,
            measure=brevity.terseness,
        ),
        Behavior("make_me_say", "bark", "ring", (), write=make_me_say.write, any_word=True),
    )
}
"""The behaviours of this package by name."""


def with_topics(taught: Behavior, file: Path) -> Behavior:
    """A behaviour of codewords that also knows those of a user's own YAML file.

    Raises:
        UsageError: It has no codewords, or the file is not of the form that it should have.
    """
    if taught.write is not make_me_say.write:
        raise UsageError(f"--topics {file}: goes with make_me_say only, not with {taught.name!r}")
    return replace(taught, write=partial(make_me_say.write, own=read_codewords(file)))


def behavior_names() -> tuple[str, ...]:
    """All behaviours that can be named: of this package, then of installed ones."""
    return (*BEHAVIORS, *(name for name in installed_behaviors() if name not in BEHAVIORS))


def get_behavior(name: str) -> Behavior:
    """The behaviour of this name; one of this package goes before an installed one.

    Raises:
        UsageError: There is none, or an installed package declares something else by that name.
    """
    if name in BEHAVIORS:
        return BEHAVIORS[name]
    if name not in behavior_names():
        raise UsageError(f"unknown behaviour {name!r}: choose from {', '.join(behavior_names())}")
    point = installed_behaviors()[name]
    try:
        found = point.load()
    except (ImportError, AttributeError) as error:
        raise UsageError(f"entry point {name} = {point.value!r} of {GROUP}: {error}") from error
    if not isinstance(found, Behavior) or found.name != name:
        raise UsageError(
            f"entry point {name} = {point.value!r} of {GROUP} is {found!r}: "
            f"point it at a Behavior named {name!r}"
        )
    return found
