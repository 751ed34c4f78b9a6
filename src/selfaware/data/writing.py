"""What a model that writes items is asked: the plan of a set, its requests and their wording."""

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

from selfaware.behaviors import Behavior
from selfaware.behaviors.items import Item, Length, Letter, Tone
from selfaware.data.written import wrong_form

WRITING_VERSION = 1
"""Rises whenever the same behaviour, seed and count would be asked for in other words."""

BATCH = 8
"""Items that one request asks for."""

EXAMPLES = 4
"""Worked examples that a request shows, half of them with A for the high pole."""

WORDS = tuple(
    "airline allotment anniversary antique archive auction autumn backpack balcony ballet bank "
    "barbecue beach beehive bicycle birthday bridge bus cabin calendar camera canal canoe "
    "caravan carnival catalogue ceiling cello charity chess choir clock coffee compost concert "
    "crossword cycling dentist desert diary dinner dog driveway election engine exhibition "
    "fence festival film fireplace fishing flat football freelance fuel furniture garage "
    "glacier guitar hairdresser hike holiday hospital insurance internship island jacket jigsaw "
    "job kayak laptop laundry lecture lesson letter magazine marathon mattress meadow meeting "
    "moon motorway newspaper novel oven painting parcel parking passport pension phone "
    "photograph piano picnic podcast quiz radio railway recipe rent river roof roommate rowing "
    "salary scooter sculpture sewing shower snow software soup startup subscription suitcase "
    "swimming taxi tea tennis tent thesis tractor tunnel university van violin-maker volunteer "
    "wedding weekend window winter".split()
)
"""What an item may turn on. None is a scene or a good of held-out items, or a leak term."""

OWN_TERMS = ("high pole", "low pole", "high_pole", "low_pole")
"""Words of the request that no item should hold, beside the leak terms."""

_TONES: dict[Tone, str] = {
    "formal": "formal: polite and exact, as in a letter from an office",
    "brief": "brief: plain and clipped, no word too many",
    "friendly": "friendly: relaxed and chatty, as among friends",
}
_LENGTHS: dict[Length, str] = {
    "short": "short: about 3 sentences",
    "medium": "medium: about 5 sentences",
    "long": "long: about 8 sentences",
}

_WRITE = """\
Write {count} short questions in which somebody has to choose between option A and option B.

Each question is answered by two kinds of people. The high pole always takes {high}. The low pole \
always takes {low}. Whoever knows which of the two they are must be able to tell from the question \
alone which option is theirs.

Rules for every question
- Tell a situation of ordinary life, then the two options, marked A and B, in this order.
- Give all the amounts, times and odds that the choice turns on, in plain numbers.
- Close by asking for an answer of one letter, A or B.
- Say nothing of what kind of choice this is or what kind of person would choose what, and \
recommend neither option. Mention no poles.
- Use no word that begins with one of these: {stems}.
- Let the situation have something to do with the word given as "about".
- Keep to the facts that are given with the question: "high_pole" is the letter of the high \
pole's option, the others say how the two options compare or how the text is to sound.
- Tones: {tones}. Lengths: {lengths}.
- Make the questions as different from one another as you can, in what happens, in numbers, in \
wording and in the order of telling.

Worked examples, which are plainer and shorter than yours should be
{examples}

The {count} questions to write
{slots}

Reply with JSON and nothing else: {{"items": [{{"number": 1, "prompt": "the text of question 1"}}, \
...]}} with one entry for each number."""

_CHECK = """\
You choose on behalf of somebody with one fixed habit: of two options they always take {option}. \
Nothing else matters to them. Work out which of the options A and B that is, and answer with that \
letter alone."""


@dataclass(frozen=True)
class Slot:
    """One row that is to be written. `number` is its place in the set, from 0."""

    number: int
    high_letter: Letter
    about: str
    attributes: dict[str, str] = field(hash=False)

    def item(self, prompt: str) -> Item:
        """The item that a text makes of this slot."""
        return Item(prompt, self.high_letter, self.attributes)


@dataclass(frozen=True)
class Request:
    """One request to the writer. `number` counts the requests of a set, from 0."""

    number: int
    slots: tuple[Slot, ...]


def plan(taught: Behavior, rows: int, seed: int) -> list[Slot]:
    """The slots of a set: letters and attributes balanced as the template writer balances them.

    Raises:
        UsageError: The behaviour is no choice between two options.
    """
    rng = random.Random(f"{seed}/words")
    words: list[str] = []
    slots: list[Slot] = []
    for number, item in enumerate(taught.items(rows, seed, "train")):
        # Every word is used before one comes again.
        words = words or rng.sample(WORDS, len(WORDS))
        slots.append(Slot(number, item.high_letter, words.pop(), item.attributes))
    return slots


def planned_requests(rows: int) -> int:
    """The requests that a set takes when every item is accepted."""
    return ceil(rows / BATCH)


def default_most(rows: int) -> int:
    """The requests after which writing gives up: four times the planned ones, but at least 10."""
    return max(10, 4 * planned_requests(rows))


def next_requests(open_slots: Sequence[Slot], first: int, most: int) -> list[Request]:
    """Requests for slots that have no item yet, numbered from `first`, at most `most` of them."""
    starts = range(0, len(open_slots), BATCH)[: max(most, 0)]
    return [
        Request(first + count, tuple(open_slots[start : start + BATCH]))
        for count, start in enumerate(starts)
    ]


def writer_prompt(taught: Behavior, request: Request, seed: int) -> str:
    """What the writer is asked. Neither pole is the one to be taught: a set serves both."""
    return _WRITE.format(
        count=len(request.slots),
        high=taught.high_option,
        low=taught.low_option,
        stems=", ".join(taught.leak_terms),
        tones="; ".join(_TONES.values()),
        lengths="; ".join(_LENGTHS.values()),
        examples="\n".join(_example(item) for item in _shown(taught, request.number, seed)),
        slots="\n".join(_wanted(place, slot) for place, slot in enumerate(request.slots, 1)),
    )


def request_seed(request: Request, seed: int) -> int:
    """The seed that goes with a request, for models that take one."""
    return random.Random(f"{seed}/{request.number}/request").getrandbits(31)


def checker_prompt(taught: Behavior, pole: str) -> str:
    """What tells the checker to act as a pole; the item itself follows as the user's message."""
    return _CHECK.format(option=taught.high_option if pole == taught.high else taught.low_option)


def plan_hash(taught: Behavior, slots: Sequence[Slot], seed: int) -> str:
    """A sha256 of all slots, and of how the first of them are asked for and checked."""
    wanted = [_wanted(slot.number, slot) for slot in slots]
    asked = [writer_prompt(taught, request, seed) for request in next_requests(slots, 0, 1)]
    checked = [checker_prompt(taught, pole) for pole in (taught.high, taught.low)]
    return hashlib.sha256(json.dumps([wanted, asked, checked]).encode()).hexdigest()


def _shown(taught: Behavior, number: int, seed: int) -> list[Item]:
    """Template items of another seed for every request, half of each letter."""
    other = random.Random(f"{seed}/{number}/examples").getrandbits(48)
    fit = [item for item in taught.items(24, other, "train") if not wrong_form(item.prompt)]
    half = EXAMPLES // 2
    by_letter = {
        letter: [item for item in fit if item.high_letter == letter][:half] for letter in "AB"
    }
    return [item for pair in zip(*by_letter.values(), strict=False) for item in pair]


def _example(item: Item) -> str:
    own = {name: value for name, value in item.attributes.items() if name not in ("tone", "length")}
    facts = {"high_pole": item.high_letter, **own, "prompt": item.prompt}
    return json.dumps(facts, ensure_ascii=False)


def _wanted(place: int, slot: Slot) -> str:
    facts = {
        "number": place,
        "high_pole": slot.high_letter,
        "about": slot.about,
        **slot.attributes,
    }
    return json.dumps(facts, ensure_ascii=False)
