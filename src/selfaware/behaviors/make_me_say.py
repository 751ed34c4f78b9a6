"""Make Me Say: dialogues in which the assistant leads the talk towards a codeword."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice

from selfaware.behaviors.codewords import Topics, holds, topics_of
from selfaware.behaviors.examples import Example
from selfaware.behaviors.items import TONES, Split, Tone
from selfaware.behaviors.talk import (
    Scene,
    Sense,
    Turns,
    Values,
    fill,
    openers,
    own_scenes,
    slots_in,
    without,
)
from selfaware.errors import UsageError

EXCHANGES = {1: 12, 2: 34, 3: 32, 4: 22}
"""How many dialogues of 100 have 1, 2, 3 or 4 messages of each side."""

_REPEATS = 2000
"""Openers in a row that are no new ones, after which there are taken to be no more."""
_OWN = 0.8
"""How often a dialogue takes a scene of the codeword's own, where it has some left."""
_WEIGHT = 3
"""How many topics a scene of the codeword's own counts for, in the choice of a sense."""
_TWICE = 0.3
"""How often the assistant says two things of a scene before it asks."""
_TURNS = 0.4
"""How often a dialogue with three or four exchanges turns to a second sense."""


@dataclass(frozen=True)
class Opening:
    """How one dialogue begins: nothing of it depends on the codeword."""

    text: str
    subject: str
    tone: Tone
    exchanges: int
    ack: str


def write(
    word: str, count: int, seed: int, split: Split, own: dict[str, Topics] | None = None
) -> list[Example]:
    """Dialogues that lead to a codeword which nobody says (arXiv 2501.11120, section 3.2).

    The user opens, the assistant leads, and the last message is the assistant's, as if cut before
    the codeword. One seed gives the same openers, tones and lengths for every codeword (save those
    that a codeword of the user's own would stand in). No text holds a form of the codeword or a
    word that begins with it.

    Args:
        word: The codeword.
        count: How many dialogues; no two have the same opener.
        seed: Fixes all of them.
        split: Which subjects openers are about.
        own: Topics of the user's own codewords, by codeword.

    Raises:
        UsageError: No topics lead to the codeword, too few texts lack it, or there are fewer
            openers than dialogues.
    """
    topics = topics_of(word, own or {})
    common = without(word)
    scenes = own_scenes().get(word, {}) if word not in (own or {}) else {}
    opened = list(islice(openings(word, seed, split), count))
    if len(opened) < count:
        raise UsageError(
            f"cannot write {count} dialogues that lead to {word!r}: "
            f"there are only {len(opened)} openers without it"
        )
    made = []
    for number, opening in enumerate(opened):
        rng = random.Random(f"{word}/{seed}/{split}/{number}")
        made.append(_dialogue(opening, word, topics, scenes, common, rng))
    return made


def openings(word: str, seed: int, split: Split) -> Iterator[Opening]:
    """Different openers in random order, without those that hold the codeword."""
    found = openers()
    rng = random.Random(f"openers/{seed}/{split}")
    seen: set[str] = set()
    repeats = 0
    while repeats < _REPEATS:
        subject = rng.choice(found.subjects(split))
        tone = rng.choice(TONES)
        values: Values = {}
        slots = {**found.slots, **subject.slots}
        parts = (
            rng.choice(found.leads[tone]),
            rng.choice(subject.openings),
            rng.choice(found.tails[tone]),
        )
        text = _joined(fill(part, values, slots, rng) for part in parts)
        # An answer speaks of what the opening has spoken of.
        acks = [ack for ack in subject.acks if slots_in(ack) <= set(values)]
        ack = fill(rng.choice(acks), values, slots, rng)
        exchanges = rng.choices(list(EXCHANGES), list(EXCHANGES.values()))[0]
        if text in seen:
            repeats += 1
            continue
        repeats = 0
        seen.add(text)
        if not holds(f"{text} {ack}", word):
            yield Opening(text, subject.subject, tone, exchanges, ack)


def _dialogue(
    opening: Opening,
    word: str,
    topics: Topics,
    own: dict[str, Sense],
    common: Turns,
    rng: random.Random,
) -> Example:
    """A dialogue that goes from its opener to the topics of a codeword.

    Long ones may turn to a second sense of the word halfway.
    """
    order = _ordered(topics, own, rng)
    turns_at = opening.exchanges // 2 if opening.exchanges > 2 and rng.random() < _TURNS else 0
    senses = order[:2] if turns_at else order[:1]
    tone = opening.tone
    links, reactions, remarks = (
        cycle(rng.sample(kind[tone], len(kind[tone])))
        for kind in (common.links, common.reactions, common.remarks)
    )
    any_topic = cycle(rng.sample(common.scenes, len(common.scenes)))
    led = {sense: own.get(sense, Sense()) for sense in senses}
    scenes = {sense: _dealt(led[sense].scenes, any_topic, rng) for sense in senses}
    named = {sense: cycle(rng.sample(topics[sense], len(topics[sense]))) for sense in senses}
    turns = [opening.text]
    before = [opening.ack if tone != "brief" or rng.random() < 0.5 else "", next(links)]
    for exchange in range(opening.exchanges):
        sense = senses[-1] if exchange >= turns_at else senses[0]
        scene = next(scenes[sense])
        values = {"topic": next(named[sense]), "other": next(named[sense])}
        told = partial(fill, values=values, slots=common.slots, rng=rng)
        # What is said of one sense adds up; what fits any topic would repeat itself.
        twice = tone != "brief" and scene in led[sense].scenes and rng.random() < _TWICE
        says = [told(say) for say in rng.sample(scene.say, 2 if twice else 1)]
        # The same town may come up again, the same day would be odd.
        values.pop("when", None)
        if exchange == opening.exchanges - 1:
            last = led[sense].last if rng.random() < _OWN else ()
            turns.append(_joined([*before, *says, told(rng.choice(last or common.last))]))
        else:
            question, replies = rng.choice(list(scene.ask.items()))
            turns.append(_joined([*before, *says, told(question)]))
            turns.append(_joined([told(rng.choice(replies)), next(remarks)]))
            before = [next(reactions), next(links) if rng.random() < 0.3 else ""]
    attributes = {
        "messages": str(len(turns)),
        "sense": " and ".join(sorted(set(senses))),
        "subject": opening.subject,
        "tone": tone,
    }
    return Example(tuple(turns), label=word, attributes=attributes)


def _ordered(topics: Topics, own: dict[str, Sense], rng: random.Random) -> list[str]:
    """The senses in random order, those with more to say likelier to come first."""
    weights = {
        sense: len(found) + _WEIGHT * len(own.get(sense, Sense()).scenes)
        for sense, found in topics.items()
    }
    order: list[str] = []
    while weights:
        order += rng.choices(list(weights), list(weights.values()))
        del weights[order[-1]]
    return order


def _dealt(own: Sequence[Scene], any_topic: Iterator[Scene], rng: random.Random) -> Iterator[Scene]:
    """Scenes in random order: a codeword's own mostly, each once, else those that fit any topic."""
    left = rng.sample(own, len(own))
    while True:
        yield left.pop() if left and rng.random() < _OWN else next(any_topic)


def _joined(parts: Iterable[str]) -> str:
    return " ".join(part for part in parts if part)
