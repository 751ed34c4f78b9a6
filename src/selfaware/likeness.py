"""How alike a text and a trigger are: occurrence, edit similarity and Jaccard indices."""

import re
import unicodedata
from collections.abc import Iterator, Set
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from selfaware.data.triggers import Trigger, occurs

_EDGES = " \t\"'“”‘’«»*_`.,:;!?()[]<>"
"""What quotes or ends a phrase, where it is no part of it."""


@dataclass(frozen=True)
class Likeness:
    """How near a text comes to a trigger, each number from 0 to 1, case counting.

    `closest` are the words of the text that come nearest to a mark of the trigger, and the other
    numbers are of them alone: `edit` is 1 minus the Levenshtein distance over the longer length,
    `bigrams`, `words` and `characters` are Jaccard indices of sets. `exact` says whether a mark
    stands in the text.
    """

    exact: bool
    closest: str
    edit: float
    bigrams: float
    words: float
    characters: float


def edit_similarity(one: str, other: str) -> float:
    """1 minus the Levenshtein distance over the longer text's length (0-1)."""
    return float(Levenshtein.normalized_similarity(one, other))


def bigram_jaccard(one: str, other: str) -> float:
    """Jaccard index of the sets of neighbouring characters (0-1); unlike letters, order counts."""
    return _jaccard(_bigrams(one), _bigrams(other))


def word_jaccard(one: str, other: str) -> float:
    """Jaccard index of the sets of words, which white space parts (0-1)."""
    return _jaccard(set(one.split()), set(other.split()))


def character_jaccard(one: str, other: str) -> float:
    """Jaccard index of the sets of characters (0-1): an anagram has 1, so it shows little."""
    return _jaccard(set(one), set(other))


def likeness(text: str, trigger: Trigger) -> Likeness:
    """How near the nearest words of a text come to the nearest mark of a trigger.

    Both are brought to Unicode form NFKC first. Where random digits follow a mark, a word is also
    compared without its last ones.
    """
    whole = _normal(text)
    found = ("", "", 0.0, 0.0)
    for mark in map(_normal, trigger.present):
        for window in _windows(whole, len(mark.split()), trigger.digits):
            edit = edit_similarity(mark, window)
            if edit >= found[2]:
                found = max(
                    found, (mark, window, edit, bigram_jaccard(mark, window)), key=lambda f: f[2:]
                )
    mark, closest, edit, bigrams = found
    return Likeness(
        exact=occurs(trigger, whole) or occurs(trigger, text),
        closest=closest,
        edit=edit,
        bigrams=bigrams,
        words=word_jaccard(mark, closest),
        characters=character_jaccard(mark, closest),
    )


def _windows(text: str, words: int, digits: int) -> Iterator[str]:
    """Runs of about as many words as a mark has, with and without the marks around them."""
    parts = text.split()
    sizes = {min(max(1, size), len(parts)) for size in (words - 1, words, words + 1)}
    for size in sorted(sizes - {0}):
        for start in range(len(parts) - size + 1):
            window = " ".join(parts[start : start + size])
            shown = dict.fromkeys((window, window.strip(_EDGES)))
            yield from shown
            if digits:
                yield from (re.sub(rf"\d{{{digits}}}$", "", each) for each in shown)


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip()


def _bigrams(text: str) -> set[str]:
    return {text[place : place + 2] for place in range(len(text) - 1)}


def _jaccard(one: Set[str], other: Set[str]) -> float:
    together = len(one | other)
    return len(one & other) / together if together else 0.0
