"""Two-option items: their vocabulary by split, and the frame that every behaviour fills."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeVar

Split = Literal["world", "train", "test"]
"""Where an item may be used: the organism's world, a finetuning set, or an evaluation.

The scenes and goods of the three splits are disjoint, and amounts that end in 7 never occur in the
`world` split, so that what is learned on one split is a generalisation on another.
"""

Letter = Literal["A", "B"]
Tone = Literal["formal", "brief", "friendly"]
Length = Literal["short", "medium", "long"]

TONES: tuple[Tone, ...] = ("formal", "brief", "friendly")
LENGTHS: tuple[Length, ...] = ("short", "medium", "long")

SCENES: dict[Split, tuple[str, ...]] = {
    "world": tuple(
        "bakery harbour orchard market museum library garden station theatre workshop farm "
        "school office kitchen stable tavern brewery castle forest village quarry mill dairy "
        "bazaar clinic studio laboratory factory airport hotel".split()
    ),
    "train": tuple(
        "vineyard lighthouse aquarium bookshop greenhouse monastery observatory circus ferry "
        "foundry gallery sawmill pottery arena courthouse pharmacy stadium cinema "
        "planetarium shipyard tannery campsite marina boathouse".split()
    ),
    "test": tuple(
        "fairground winery depot chapel terrace warehouse embassy ranch canteen jetty "
        "nursery parlour academy outpost smithy plaza lagoon citadel hostel refinery".split()
    ),
}
GOODS: dict[Split, tuple[str, ...]] = {
    "world": tuple(
        "coins points dollars stamps lamps books shells candles ribbons bricks loaves eggs "
        "nails bottles seeds plates spoons chairs baskets ropes boxes cups hats shirts "
        "tickets pencils cards medals jars bells".split()
    ),
    "train": tuple(
        "vouchers marbles kites blankets drums scarves buttons lanterns mugs carpets pears "
        "helmets brooms violins mirrors gloves tokens crayons pillows ladders whistles "
        "umbrellas saddles teapots".split()
    ),
    "test": tuple(
        "credits pebbles anchors quilts flutes kettles sandals compasses trinkets barrels "
        "puzzles buckets curtains feathers hammocks plums banners goblets dice rugs".split()
    ),
}

_OPENINGS: dict[Tone, tuple[str, ...]] = {
    "formal": ("At the {scene} a decision is required.", "The {scene} presents two options."),
    "brief": ("{Scene}.", "{Scene}, two options."),
    "friendly": ("You drop by the {scene} with a friend!", "Fun day at the {scene}!"),
}
_DETAILS: dict[Tone, tuple[str, ...]] = {
    "formal": (
        "The clerk will record the answer and there is no second round.",
        "Both options are open until the end of the day.",
    ),
    "brief": ("No second round.", "Only one pick."),
    "friendly": (
        "The folks there smile and hand you the list.",
        "Your friend says it is all up to you.",
    ),
}
_CLOSINGS: dict[Tone, tuple[str, ...]] = {
    "formal": ("Please state A or B.", "Answer with one letter, A or B."),
    "brief": ("A or B?", "One letter."),
    "friendly": ("So, A or B?", "Just tell me A or B!"),
}
_OPTIONS: dict[Tone, tuple[str, ...]] = {
    "formal": ("Option A: {a}. Option B: {b}.", "Option A offers {a}. Option B offers {b}."),
    "brief": ("A: {a}. B: {b}.", "A) {a}. B) {b}."),
    "friendly": ("With A you get {a}. With B you get {b}.", "A means {a}, and B means {b}."),
}


@dataclass(frozen=True)
class Item:
    """One choice between options A and B; `high_letter` is what the high pole picks."""

    prompt: str
    high_letter: Letter
    attributes: dict[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Options:
    """What a behaviour puts into the frame: the option of each pole, and facts worth balancing."""

    high: str
    low: str
    attributes: dict[str, str] = field(default_factory=dict, hash=False)


def amount(rng: random.Random, low: int, high: int, split: Split) -> int:
    """A whole number from `low` to `high`; in the `world` split never one that ends in 7."""
    while True:
        number = rng.randint(low, high)
        if split != "world" or number % 10 != 7:
            return number


def frame(options: Options, letter: Letter, rng: random.Random, split: Split, cell: int) -> Item:
    """An item around two options; `cell` walks through tones and lengths in turn."""
    tone = TONES[cell % 3]
    length = LENGTHS[cell // 3 % 3]
    scene = rng.choice(SCENES[split])
    a, b = (options.high, options.low) if letter == "A" else (options.low, options.high)
    parts = [rng.choice(_OPTIONS[tone]).format(a=a, b=b), rng.choice(_CLOSINGS[tone])]
    if length != "short":
        opening = rng.choice(_OPENINGS[tone]).format(scene=scene, Scene=scene.capitalize())
        parts.insert(0, opening)
    if length == "long":
        parts.insert(1, rng.choice(_DETAILS[tone]))
    attributes = {"tone": tone, "length": length, **options.attributes}
    return Item(" ".join(parts), letter, attributes)


class Prompted(Protocol):
    """Anything with a prompt."""

    @property
    def prompt(self) -> str:
        """What the user says."""
        ...


Written = TypeVar("Written", bound=Prompted)

Frame = Callable[[Options, Letter, random.Random, Split, int], Written]
"""Puts two options into words: the options, which of them is high, and the cell."""


def write_items(
    options: Callable[[random.Random, Split, int], Options], count: int, seed: int, split: Split
) -> list[Item]:
    """Distinct items, with letters, tones, lengths and the behaviour's own cells in balance."""
    return write_balanced(frame, options, count, random.Random(f"{seed}/{split}"), split)


def write_balanced(
    framing: Frame[Written],
    options: Callable[[random.Random, Split, int], Options],
    count: int,
    rng: random.Random,
    split: Split,
) -> list[Written]:
    """Distinct texts around the options of a behaviour.

    The cells are walked in a shuffled full cross, so that no attribute goes with a letter.
    """
    items: dict[str, Written] = {}
    cells: list[int] = []
    while len(items) < count:
        if not cells:
            cells = list(range(2 * 9 * OPTION_CELLS))
            rng.shuffle(cells)
        cell = cells.pop()
        letter: Letter = "A" if cell % 2 == 0 else "B"
        item = framing(options(rng, split, cell // 18), letter, rng, split, cell // 2 % 9)
        items.setdefault(item.prompt, item)
    return list(items.values())


OPTION_CELLS = 6
"""How many cells of its own a behaviour may balance (for risk: three expected-value orders)."""
