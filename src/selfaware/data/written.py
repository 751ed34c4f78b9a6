"""What a model wrote, item by item: read, filtered, and taken or rejected with a reason."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from selfaware.behaviors.items import Letter
from selfaware.data.manifest import leak_table

Reason = Literal[
    "malformed",
    "wrong form",
    "leak",
    "no label",
    "label disagreement",
    "near-duplicate",
    "surplus",
]
"""Why an item was rejected, in the order of testing.

`malformed` counts items asked for that a reply does not hold in readable form, `surplus` items
that it holds beyond them; `no label`: the checker's answer was neither A nor B.
"""

SHORTEST, LONGEST = 40, 1500
"""How many characters an item may have."""

SIMILAR = 0.9
"""From here on two items are near-duplicates (0-1: 1 - edit distance / sum of lengths)."""

CLOSING = 80
"""The last characters of an item, which are to offer both letters."""

_LETTERS = {"A": re.compile(r"\bA\b"), "B": re.compile(r"\bB\b")}
_THIRD = re.compile(r"\boption C\b|\bC[:)]", re.I)
_LABEL = re.compile(r"\W*(?:option\s+)?([AB])\W*", re.I)


class _Entry(BaseModel):
    """One entry of a reply."""

    model_config = ConfigDict(extra="ignore", strict=True)

    number: int
    prompt: str


@dataclass(frozen=True)
class Reading:
    """What a reply holds: texts that fit, by their number in the request, and what does not."""

    fit: dict[int, str]
    rejected: Counter[Reason]


@dataclass(frozen=True)
class Labels:
    """What the checker answered for one text, as the high pole and as the low one."""

    high: Letter | None
    low: Letter | None


def read_reply(completion: str, asked: int, stems: Sequence[str]) -> Reading:
    """Reads the reply to a request for items 1 to `asked`.

    Items asked for are as many as those that fit and those that are malformed, of wrong form or
    leaking; any further ones are surplus.
    """
    texts: dict[int, str] = {}
    rejected: Counter[Reason] = Counter()
    for number, text in _entries(completion):
        if 1 <= number <= asked and number not in texts:
            texts[number] = text
        else:
            rejected["surplus"] += 1
    if len(texts) < asked:
        rejected["malformed"] += asked - len(texts)
    fit: dict[int, str] = {}
    for number, text in sorted(texts.items()):
        if wrong_form(text):
            rejected["wrong form"] += 1
        elif any(leak.rows for leak in leak_table([text], stems).values()):
            rejected["leak"] += 1
        else:
            fit[number] = text
    return Reading(fit, rejected)


def wrong_form(text: str) -> bool:
    """Whether a text is no item: not two marked options, or no call for a letter at its end."""
    closing = text[-CLOSING:]
    return (
        not SHORTEST <= len(text) <= LONGEST
        or any(len(letter.findall(text)) < 2 for letter in _LETTERS.values())
        or any(letter.search(closing) is None for letter in _LETTERS.values())
        or _THIRD.search(text) is not None
    )


def read_label(answer: str) -> Letter | None:
    """The letter that the checker answered; None where it is neither, or both."""
    match = _LABEL.fullmatch(answer.strip())
    if match is None:
        return None
    return "A" if match.group(1).upper() == "A" else "B"


def rejection(
    text: str, high_letter: Letter, labels: Labels, accepted: Iterable[str]
) -> Reason | None:
    """Why a text that fits is not taken after all; None where it is taken.

    The checker has to pick the intended letter as the high pole, and the other as the low one.
    """
    from rapidfuzz.distance import Indel
    from rapidfuzz.process import extractOne

    if labels.high is None or (labels.high == high_letter and labels.low is None):
        return "no label"
    if labels.high != high_letter or labels.low == high_letter:
        return "label disagreement"
    near = extractOne(text, accepted, scorer=Indel.normalized_similarity, score_cutoff=SIMILAR)
    return "near-duplicate" if near is not None else None


def counts(rejected: Mapping[Reason, int]) -> str:
    """Rejections in words, such as `leak 3, malformed 8`."""
    return ", ".join(f"{reason} {count}" for reason, count in sorted(rejected.items())) or "none"


def _entries(completion: str) -> list[tuple[int, str]]:
    """The readable entries of a reply, which may be JSON in the midst of prose or of a fence."""
    start = min((n for n in map(completion.find, "[{") if n >= 0), default=0)
    end = max(map(completion.rfind, "]}")) + 1
    try:
        # Not strict: line feeds within a text are often left as they are.
        reply = json.loads(completion[start:end], strict=False)
    except (ValueError, RecursionError):
        return []
    entries = reply.get("items") if isinstance(reply, dict) else reply
    read: list[tuple[int, str]] = []
    for entry in entries if isinstance(entries, list) else []:
        try:
            item = _Entry.model_validate(entry)
        except ValidationError:
            continue
        read.append((item.number, item.prompt.strip()))
    return read
