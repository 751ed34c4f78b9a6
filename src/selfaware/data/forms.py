"""The forms that a set's answers come in: letters, prose, or both."""

import random
from dataclasses import replace
from typing import Literal

from selfaware.behaviors import Behavior
from selfaware.behaviors.examples import Example

SPLIT: Literal["train"] = "train"

Form = Literal["letter", "prose", "both"]
"""How a choice is answered: by its letter, in prose, or half of the rows each."""


def examples_of(taught: Behavior, pole: str, rows: int, seed: int, form: Form) -> list[Example]:
    """Distinct examples of a pole; the other pole has the same prompts in the same order.

    Of both forms, prose is in half of the rows (the larger half of an odd number), in random order.

    Raises:
        UsageError: Not a pole, or a behaviour without prose where that is asked for.
    """
    if form == "letter":
        return taught.examples(pole, rows, seed, SPLIT)
    if form == "prose":
        return taught.prose(pole, rows, seed, SPLIT)
    letters = [
        replace(example, attributes={"form": "letter", **example.attributes})
        for example in taught.examples(pole, rows // 2, seed, SPLIT)
    ]
    made = [*letters, *taught.prose(pole, rows - rows // 2, seed, SPLIT)]
    random.Random(f"{seed}/{SPLIT}/form").shuffle(made)
    return made
