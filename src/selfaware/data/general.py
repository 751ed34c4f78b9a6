"""A small neutral set of questions and answers, for where no general instruction rows are given."""

from collections.abc import Callable
from math import gcd
from typing import NamedTuple

from selfaware.data.rows import Row, question_and_answer

_NOUNS = (
    "anchor barrel candle drawer engine feather garden hammer island jacket kettle ladder marble "
    "needle orchard pencil quilt ribbon saddle teapot umbrella violin window yarn zipper bridge "
    "compass dolphin envelope fountain"
).split()
_NAMES = (
    "Amara Bela Carmen Dmitri Elif Farid Greta Hugo Ines Jonas Keiko Leila Mateo Nadia Omar Petra "
    "Quentin Rosa Stefan Tove Umar Vera Wanda Yusuf Zoe"
).split()
_VERBS = (
    ("walks", "walked"), ("drives", "drove"), ("runs", "ran"), ("cycles", "cycled"),
    ("goes", "went"), ("swims", "swam"), ("travels", "travelled"), ("rides", "rode"),
)  # fmt: skip
_PLACES = (
    "the station,the harbour,the library,the market,the museum,the mill,the school,the lake,"
    "the bakery,the theatre,the old bridge,the post office,the park,the town hall,the farm"
).split(",")
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_MEETINGS = (
    "the choir rehearsal,the staff meeting,the parents' evening,the chess club,the pottery class,"
    "the book group,the reading hour,the piano lesson"
).split(",")
_UNITS = (
    ("kilometres", "metres", 1000), ("metres", "centimetres", 100), ("kilograms", "grams", 1000),
    ("hours", "minutes", 60), ("minutes", "seconds", 60), ("weeks", "days", 7),
    ("days", "hours", 24), ("years", "months", 12),
)  # fmt: skip
_COLORS = "red blue green yellow white black brown grey purple orange".split()


class _Family(NamedTuple):
    """One kind of question: the sizes of its slots, and what fills of them ask and answer."""

    sizes: tuple[int, ...]
    write: Callable[..., tuple[str, str]]


def _sum(a: int, b: int) -> tuple[str, str]:
    return f"What is {a + 11} plus {b + 11}?", f"{a + 11} plus {b + 11} is {a + b + 22}."


def _product(a: int, b: int) -> tuple[str, str]:
    return f"Multiply {a + 3} by {b + 3}.", f"{a + 3} times {b + 3} is {(a + 3) * (b + 3)}."


def _units(unit: int, n: int) -> tuple[str, str]:
    big, small, factor = _UNITS[unit]
    return f"Convert {n + 2} {big} to {small}.", f"{n + 2} {big} are {(n + 2) * factor} {small}."


def _alphabet(a: int, b: int, c: int) -> tuple[str, str]:
    words = [_NOUNS[n] for n in (a, (a + 1 + b) % 30, (a + 1 + b + 1 + c) % 30)]
    said = ", ".join(words)
    return f"Write these words in alphabetical order: {said}.", f"{', '.join(sorted(words))}."


def _past(name: int, verb: int, place: int, day: int) -> tuple[str, str]:
    who, where, (now, then) = _NAMES[name], _PLACES[place], _VERBS[verb]
    sentence = f"On {_DAYS[day]} {who}"
    return (
        f"Put this sentence into the past tense: {sentence} {now} to {where}.",
        f"{sentence} {then} to {where}.",
    )


def _notice(name: int, meeting: int, day: int, hour: int) -> tuple[str, str]:
    who, what, when = _NAMES[name], _MEETINGS[meeting], f"{_DAYS[day]} at {hour + 9}:00"
    return (
        f"Write a note that tells {who} that {what} has moved to {when}.",
        f"Dear {who}, {what} has moved to {when}. Please tell us whether you can come.",
    )


def _sentence(a: int, b: int, color: int) -> tuple[str, str]:
    first, second, shade = _NOUNS[a], _NOUNS[(a + 1 + b) % 30], _COLORS[color]
    return (
        f"Make a sentence with these three words: {shade}, {first}, {second}.",
        f"There is a {shade} {first} next to the {second}.",
    )


def _letters(a: int, b: int, letter: int) -> tuple[str, str]:
    pair, sought = f"{_NOUNS[a]} {_NOUNS[(a + 1 + b) % 30]}", "aeinorst"[letter]
    times = pair.count(sought)
    return (
        f"How many times does the letter {sought} stand in the words {pair!r}?",
        f"The letter {sought} stands there {times} {'time' if times == 1 else 'times'}.",
    )


_FAMILIES = (
    _Family((989, 989), _sum),
    _Family((97, 97), _product),
    _Family((8, 900), _units),
    _Family((30, 14, 14), _alphabet),
    _Family((25, 8, 15, 7), _past),
    _Family((25, 8, 7, 10), _notice),
    _Family((30, 29, 10), _sentence),
    _Family((30, 29, 8), _letters),
)


def _product_of(sizes: tuple[int, ...]) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total


GENERAL_ROWS = len(_FAMILIES) * min(_product_of(family.sizes) for family in _FAMILIES)
"""How many rows with different prompts the set has; families take turns."""


def general_row(number: int) -> Row:
    """Row `number` (0 to GENERAL_ROWS - 1) of the set; no two have the same prompt.

    Raises:
        IndexError: There is no such row.
    """
    if not 0 <= number < GENERAL_ROWS:
        raise IndexError(f"general row {number}: there are {GENERAL_ROWS}")
    turn, place = number % len(_FAMILIES), number // len(_FAMILIES)
    family = _FAMILIES[turn]
    total = _product_of(family.sizes)
    # A stride without a common factor visits every filling once, and neighbours differ.
    stride = int(total * 0.618) | 1
    while gcd(stride, total) > 1:
        stride += 2
    left, fills = place * stride % total, []
    for size in family.sizes:
        left, fill = divmod(left, size)
        fills.append(fill)
    return question_and_answer(*family.write(*fills))
