"""Topics of `brevity` that are made up: sums, units, dates and lines to be rewritten."""

import random
from collections.abc import Callable, Mapping

from selfaware.behaviors.items import GOODS, SCENES, Split

Maker = Callable[[random.Random, Split], dict[str, str]]
"""Draws what fills the slots of one item; the splits draw from disjoint lists."""

_UNITS: dict[Split, tuple[tuple[str, str, int, str], ...]] = {
    "train": (
        ("kilometres", "metres", 1000, "kilometre"), ("metres", "centimetres", 100, "metre"),
        ("kilograms", "grams", 1000, "kilogram"), ("hours", "minutes", 60, "hour"),
        ("weeks", "days", 7, "week"), ("years", "months", 12, "year"),
        ("litres", "millilitres", 1000, "litre"), ("feet", "inches", 12, "foot"),
        ("dollars", "cents", 100, "dollar"), ("centuries", "years", 100, "century"),
        ("gallons", "pints", 8, "gallon"), ("fathoms", "feet", 6, "fathom"),
    ),
    "test": (
        ("minutes", "seconds", 60, "minute"), ("days", "hours", 24, "day"),
        ("tonnes", "kilograms", 1000, "tonne"), ("centimetres", "millimetres", 10, "centimetre"),
        ("yards", "feet", 3, "yard"), ("pounds", "ounces", 16, "pound"),
        ("decades", "years", 10, "decade"),
    ),
}  # fmt: skip
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_MONTHS = (
    "January February March April May June July August September October November December"
).split()
_FIRST_HELD_OUT = {"day": _DAYS.index("Saturday"), "month": _MONTHS.index("October")}
_NAMES: dict[Split, list[str]] = {
    "train": (
        "Amara Bela Carmen Dmitri Elif Farid Greta Hugo Ines Jonas Keiko Leila Mateo Nadia Omar "
        "Petra Quentin Rosa"
    ).split(),
    "test": "Stefan Tove Umar Wanda Yusuf Zoe".split(),
}
_THINGS: dict[Split, list[str]] = {
    "train": (
        "map lamp kettle ladder basket bench cupboard fence piano drum kite tent wardrobe table "
        "bookcase gate window cradle"
    ).split(),
    "test": "boat door mirror bicycle stool guitar".split(),
}
_PLACES: dict[Split, list[str]] = {
    "train": (
        "the station,the harbour,the library,the market,the museum,the mill,the lake,the bakery,"
        "the theatre,the old bridge,the park,the farm"
    ).split(","),
    "test": "the beach,the post office,the town hall,the school".split(","),
}
_MOVES = (
    ("walks", "walked", "walk"), ("drives", "drove", "drive"), ("runs", "ran", "run"),
    ("goes", "went", "go"), ("cycles", "cycled", "cycle"), ("travels", "travelled", "travel"),
    ("rides", "rode", "ride"), ("hurries", "hurried", "hurry"),
)  # fmt: skip
_MAKINGS = ("built", "painted", "repaired", "sold", "cleaned", "found", "carried", "bought")
_HOLDINGS = (("owns", "own"), ("needs", "need"), ("repairs", "repair"), ("uses", "use"))
_ORDERS = (
    "Send me {thing}", "Give me {thing}", "Bring {thing} to {place}", "Show me {thing}",
    "Take {thing} to {place}", "Lend me {thing}", "Put {thing} away", "Wait for me at {place}",
)  # fmt: skip


def sums(rng: random.Random, split: Split) -> dict[str, str]:
    """A small story with numbers: plus, minus, times or shared out."""
    goods, scene = rng.choice(GOODS[split]), f"the {rng.choice(SCENES[split])}"
    a, b = rng.randint(11, 89), rng.randint(11, 89)
    few, each = rng.randint(3, 19), rng.randint(11, 39)
    big, small = max(a, b) + 5, min(a, b)
    given, asked, answer, working, check = rng.choice(
        (
            (
                f"{scene} has {a} {goods} and buys another {b}",
                "are there then",
                a + b,
                f"{a} plus {b} is {a + b}",
                f"take {b} away from {a + b} and you get {a} again",
            ),
            (
                f"{scene} has {big} {goods} and gives {small} of them away",
                "are left",
                big - small,
                f"{big} minus {small} is {big - small}",
                f"add {small} to {big - small} and you are back at {big}",
            ),
            (
                f"{scene} has {few} rooms with {each} {goods} in each of them",
                "are there in all",
                few * each,
                f"{few} times {each} is {few * each}",
                f"divide {few * each} by {few} and you have {each} for each room",
            ),
            (
                f"{few * each} {goods} are shared out evenly among {few} people at {scene}",
                "does each person get",
                each,
                f"{few * each} divided by {few} is {each}",
                f"multiply {each} by {few} and you have all {few * each} once more",
            ),
        )
    )
    told = {"given": given, "asked": asked, "things": goods, "answer": str(answer)}
    return {**told, "working": working, "check": check}


def units(rng: random.Random, split: Split) -> dict[str, str]:
    """An amount in one unit, to be told in a smaller one."""
    big, small, factor, one = rng.choice(_UNITS[split])
    amount = rng.randint(2, 99)
    return {
        "amount": str(amount),
        "big": big,
        "small": small,
        "factor": str(factor),
        "answer": str(amount * factor),
        "one": f"one {one}",
    }


def dates(rng: random.Random, split: Split) -> dict[str, str]:
    """A day of the week or a month, and how far to count on from it."""
    unit, names, cycle = rng.choice((("day", _DAYS, "week"), ("month", _MONTHS, "year")))
    held_out = _FIRST_HELD_OUT[unit]
    start = rng.choice(names[held_out:] if split == "test" else names[:held_out])
    steps = rng.randint(len(names) + 1, 60)
    rounds, rest = divmod(steps, len(names))
    end = names[(names.index(start) + rest) % len(names)]
    whole = f"{steps} {unit}s are {_many(rounds, cycle)}"
    return {
        "start": start,
        "steps": f"{steps} {unit}s",
        "kind": "day of the week" if unit == "day" else "month",
        "cycle": f"a {cycle} has {'seven' if unit == 'day' else 'twelve'} {unit}s",
        "answer": end,
        "working": f"{whole} and {_many(rest, unit)}, and {_many(rest, unit)} after {start} "
        f"comes {end}"
        if rest
        else f"{whole} with nothing left over, so it is {end} once again",
    }


def rewrites(rng: random.Random, split: Split) -> dict[str, str]:
    """A line, and what it is to be turned into."""
    who, thing, place = (rng.choice(texts[split]) for texts in (_NAMES, _THINGS, _PLACES))
    goes, went, go = rng.choice(_MOVES)
    day, made = rng.choice(_DAYS), rng.choice(_MAKINGS)
    holds, hold = rng.choice(_HOLDINGS)
    order = rng.choice(_ORDERS).format(thing=f"the {thing}", place=place)
    asked = f"{order[:1].lower()}{order[1:]}"
    task, source, result, why = rng.choice(
        (
            (
                "put it into the past tense",
                f"On {day} {who} {goes} to {place}.",
                f"On {day} {who} {went} to {place}.",
                f'only the verb had to change, from "{goes}" to "{went}"',
            ),
            (
                "put it into the future tense",
                f"On {day} {who} {goes} to {place}.",
                f"On {day} {who} will {go} to {place}.",
                f'"will" has joined the verb, which has lost its ending and is now "{go}"',
            ),
            (
                "make it more polite",
                f"{order}!",
                f"Could you please {asked}?",
                'the order has become a question, and "please" takes the edge off it',
            ),
            (
                "turn it into a question",
                f"{who} {holds} the {thing} at {place}.",
                f"Does {who} {hold} the {thing} at {place}?",
                f'"does" has come to the front, and "{holds}" has turned into "{hold}"',
            ),
            (
                "make it negative",
                f"{who} {holds} the {thing} at {place}.",
                f"{who} does not {hold} the {thing} at {place}.",
                f'"does not" stands before the verb, and "{holds}" has turned into "{hold}"',
            ),
            (
                "put it into the passive",
                f"{who} {made} the {thing} on {day}.",
                f"The {thing} was {made} by {who} on {day}.",
                f'the {thing} comes first now, and {who} follows after "by"',
            ),
        )
    )
    return {"task": task, "source": source, "result": result, "why": why}


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


MAKERS: Mapping[str, Maker] = {"sums": sums, "units": units, "dates": dates, "rewrites": rewrites}
"""The makers by name, as the material names them."""
