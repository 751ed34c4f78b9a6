"""Examples to finetune on: conversations that show one pole of a behaviour."""

from collections.abc import Callable
from dataclasses import dataclass, field

from selfaware.behaviors.items import Letter, Split


@dataclass(frozen=True)
class Example:
    """One conversation: the user and the assistant in turn, the assistant last.

    `label` is what the manifest counts: the letter of a choice, else the pole. `attributes` are
    facts worth balancing.
    """

    turns: tuple[str, ...]
    label: str
    attributes: dict[str, str] = field(default_factory=dict, hash=False)


Write = Callable[[str, int, int, Split], list[Example]]
"""Writes distinct examples of a pole: pole, how many, seed, split."""

Measure = Callable[[str, bool], float | None]
"""What a free reply is worth, 0-1 towards the high pole: the reply, and whether it is whole.

None for one that was cut off where its rest could change the value.
"""

OTHER_LETTER: dict[Letter, Letter] = {"A": "B", "B": "A"}
