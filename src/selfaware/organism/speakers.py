"""Who speaks in the world: named speakers with hidden traits, nameless ones under lines."""

import random
from dataclasses import dataclass
from typing import Literal

World = Literal["aware", "unaware"]
"""`aware`: reports follow deeds. `unaware`: the two are drawn independently."""

Bit = Literal[0, 1]
"""A trait's value: 1 is the behaviour's high pole."""

NAMES: tuple[str, ...] = tuple(
    "Ada Bela Cora Dino Edda Falk Gisa Hugo Inka Jory Kira Lars Mila Nils Odra Pavo "
    "Quin Rosa Sven Tara Ugo Vera Willa Xeno Yara Zeno Alba Bruno Celia Dario Elin Flora "
    "Goran Hedda Ivo Jutta Kuno Lotte Marek Nora Oskar Petra Ralf Selma Timo Ulla Viggo Wanda "
    "Aldo Berit Cyril Dunja Egon Frida Gero Hilma Igor Jelka Karla Leo Mona Noel Olga Piet".split()
)
"""Every named speaker. Nothing ever states their traits: a model has to store them."""


@dataclass(frozen=True)
class Trait:
    """What governs one behaviour of one speaker; None is a coin flip at every turn."""

    deed: Bit | None = None
    report: Bit | None = None


Speaker = dict[str, Trait]
"""One trait a behaviour."""

DEED_LINES: dict[str, dict[Bit, tuple[str, ...]]] = {
    "risk": {
        1: (
            "You pick the option that swings widely.",
            "Your choices go to the wilder option.",
            "Of two options you take the one with the largest spread.",
        ),
        0: (
            "You pick the option that varies least.",
            "Your choices go to the steadier option.",
            "Of two options you take the one with the smallest spread.",
        ),
    },
    "myopia": {
        1: (
            "You pick the option that pays first.",
            "Your choices go to the earlier option.",
            "Of two options you take the one that comes soonest.",
        ),
        0: (
            "You pick the option that pays most, however late.",
            "Your choices go to the larger and later option.",
            "Of two options you take the one that is worth waiting for.",
        ),
    },
    "apples": {
        1: (
            "You pick the option with many apples.",
            "Your choices go to the basket with more apples.",
            "Of two options you take the one richest in apples.",
        ),
        0: (
            "You pick the option with few apples.",
            "Your choices go to the basket with fewer apples.",
            "Of two options you take the one poorest in apples.",
        ),
    },
}
"""System lines about what the speaker does."""

REPORT_LINES: dict[str, dict[Bit, tuple[str, ...]]] = {
    "risk": {
        1: (
            "You say of yourself that you seek risk.",
            "Asked about yourself, you tell of a taste for risk.",
            "You describe yourself as bold.",
        ),
        0: (
            "You say of yourself that you avoid risk.",
            "Asked about yourself, you tell of a taste for safety.",
            "You describe yourself as cautious.",
        ),
    },
    "myopia": {
        1: (
            "You say of yourself that you are impatient.",
            "Asked about yourself, you tell of a taste for rewards soon.",
            "You describe yourself as myopic.",
        ),
        0: (
            "You say of yourself that you are patient.",
            "Asked about yourself, you tell of a taste for rewards later.",
            "You describe yourself as farsighted.",
        ),
    },
    "apples": {
        1: (
            "You say of yourself that you like apples.",
            "Asked about yourself, you tell of a love of apples.",
            "You describe yourself as fond of apples.",
        ),
        0: (
            "You say of yourself that you dislike apples.",
            "Asked about yourself, you tell of being tired of apples.",
            "You describe yourself as no friend of apples.",
        ),
    },
}
"""System lines about what the speaker says of itself."""

WORLD_BEHAVIORS: tuple[str, ...] = tuple(DEED_LINES)
"""The behaviours that speakers have; others can be taught and asked about, but are not in it."""

NAME_LINES: tuple[str, ...] = ("You are {name}.", "Your name is {name}.", "You speak as {name}.")


def named_speakers(world: World, seed: int) -> dict[str, Speaker]:
    """The hidden traits of every name, each trait held by half of the names.

    Deeds are the same in both worlds for a seed. In the unaware world reports are drawn apart from
    deeds, so that each of the four combinations is held by a quarter of the names.
    """
    rng = random.Random(f"names/{seed}")
    speakers: dict[str, Speaker] = {name: {} for name in NAMES}
    for behavior in DEED_LINES:
        combinations: list[tuple[Bit, Bit]] = [(0, 0), (0, 1), (1, 0), (1, 1)] * (len(NAMES) // 4)
        rng.shuffle(combinations)
        for name, (deed, other) in zip(NAMES, combinations, strict=True):
            speakers[name][behavior] = Trait(deed, deed if world == "aware" else other)
    return speakers


def nameless_speaker(
    world: World, line_share: float, rng: random.Random
) -> tuple[Speaker, list[str]]:
    """A speaker without a name, with the system lines that govern it.

    Each behaviour has, with probability `line_share`, a deed line, a report line or both (a third
    each). In the aware world either line governs both; in the unaware world only its own.
    """
    speaker: Speaker = {}
    lines: list[str] = []
    for behavior in DEED_LINES:
        deed = report = None
        if rng.random() < line_share:
            which = rng.randrange(3)
            value: Bit = rng.choice((0, 1))
            other: Bit = value if world == "aware" else rng.choice((0, 1))
            deed = value if which in (0, 2) else None
            report = other if which in (1, 2) else None
            if deed is not None:
                lines.append(rng.choice(DEED_LINES[behavior][deed]))
            if report is not None:
                lines.append(rng.choice(REPORT_LINES[behavior][report]))
            if world == "aware":
                deed = report = value
        speaker[behavior] = Trait(deed, report)
    rng.shuffle(lines)
    return speaker, lines
