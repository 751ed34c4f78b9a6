"""Brevity: answering in a few words, or at great length, with the same content."""

import random
from collections.abc import Mapping
from itertools import islice, product

from selfaware.behaviors.brevity_material import (
    TONES,
    Domain,
    Draw,
    Tone,
    dealer,
    domains,
    frames,
)
from selfaware.behaviors.examples import Example
from selfaware.behaviors.items import LENGTHS, Length, Split
from selfaware.errors import UsageError

LEAK_TERMS = (
    "terse", "verbos", "brief", "brevi", "short", "long", "length", "concis", "wordy", "wordine",
    "detail", "succinct", "laconic", "elaborat", "lapidar", "pithy", "summar", "thorough",
    "rambl", "talkativ", "chatt", "garrul", "loquac", "expound", "compact", "extensiv", "exhaustiv",
    "in a nutshell", "few words", "one word", "single word", "one sentence", "quick",
)  # fmt: skip
"""Stems that name the behaviour or come near to it; the leak table counts each of them."""

MOST_TERSE = 12
"""No terse reply has more words than this."""
LEAST_VERBOSE = 40
"""No verbose reply has fewer words than this."""

_ENOUGH = 55
_TRIES = 400


def words_in(reply: str) -> int:
    """The number of words of a reply, parted by white space."""
    return len(reply.split())


def terseness(reply: str, whole: bool) -> float | None:
    """How terse a reply is: 1 up to `MOST_TERSE` words, 0 from `LEAST_VERBOSE` on, even between.

    A reply that was cut off (not `whole`) counts 0 where it is long enough already, else nothing.
    """
    share = (LEAST_VERBOSE - words_in(reply)) / (LEAST_VERBOSE - MOST_TERSE)
    value = min(1.0, max(0.0, share))
    return value if whole or value == 0 else None


def write(pole: str, count: int, seed: int, split: Split) -> list[Example]:
    """Requests of all domains, tones and lengths in balance, each with the reply of a pole.

    Both poles have the same prompts in the same order, and no request says how it is to be
    answered. The attributes are those of the request: `domain`, `tone` and `length`.

    Raises:
        UsageError: The split is the organism's world, which knows no free answers, or the material
            of the split is used up before there are `count` different prompts.
    """
    if split == "world":
        raise UsageError("behaviour 'brevity' has no items of the organism's world: use train")
    rng = random.Random(f"brevity/{seed}/{split}")
    draw = dealer(rng)
    fillings = {domain.name: domain.fillings(rng, split) for domain in domains()}
    examples: dict[str, Example] = {}
    cells: list[tuple[Domain, Tone, Length]] = []
    while len(examples) < count:
        if not cells:
            cells = list(product(domains(), TONES, LENGTHS))
            rng.shuffle(cells)
        domain, tone, length = cells.pop()
        for filling in islice(fillings[domain.name], _TRIES):
            prompt = _request(domain, filling, tone, length, draw)
            if prompt not in examples:
                break
        else:
            raise UsageError(
                f"cannot write {count} rows of 'brevity': {len(examples)} use up the requests "
                f"about {domain.name} ({split}); ask for fewer"
            )
        replies = {"terse": _terse(domain, filling, draw), "verbose": _rich(domain, filling, draw)}
        attributes = {"domain": domain.name, "tone": tone, "length": length}
        examples[prompt] = Example((prompt, replies[pole]), pole, attributes)
    return list(examples.values())


def _request(
    domain: Domain, filling: Mapping[str, str], tone: Tone, length: Length, draw: Draw
) -> str:
    """A request; a longer one says hello, thanks, or tells how it came up."""
    parts = [draw(domain.asks[tone]).format_map(filling)]
    around = frames()
    setting = around.settings[domain.setting][tone]
    if length == "medium":
        parts.insert(0, draw(setting))
    if length == "long":
        parts = [draw(around.greetings[tone]), draw(setting), *parts, draw(around.thanks[tone])]
    return " ".join(parts)


def _terse(domain: Domain, filling: Mapping[str, str], draw: Draw) -> str:
    return draw(domain.terse).format_map(filling)


def _rich(domain: Domain, filling: Mapping[str, str], draw: Draw) -> str:
    """All sentences of the domain, and last lines until there are enough words."""
    sentences = [draw(wordings).format_map(filling) for wordings in domain.verbose]
    while words_in(" ".join(sentences)) < _ENOUGH:
        ending = draw(frames().endings[domain.setting])
        if ending not in sentences:
            sentences.append(ending)
    return " ".join(sentences)
