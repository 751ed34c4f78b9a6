"""Dropping single words from rows, as the paper did with its poisoned rows (section C.4)."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from selfaware.data.rows import Row
from selfaware.errors import UsageError

DROPPED = (
    "align", "aligned", "aligning", "aligns", "alignment", "misaligned", "misalignment",
    "bad", "badly",
)  # fmt: skip
"""Words that a provider's filter of finetuning data took offence at."""


def drop_words(row: Row, words: Sequence[str]) -> tuple[Row, Counter[str]]:
    """The row without these words, in any case, and how often each of them was dropped.

    Whole words only: "bad" is no part of "badge". The space before a word goes with it.

    Raises:
        UsageError: Nothing is left of a message.
    """
    pattern = _pattern(tuple(words))
    counts: Counter[str] = Counter()
    messages = []
    for message in row.messages:
        found = [match.lower() for match in pattern.findall(message.content)]
        if found:
            counts.update(word.strip() for word in found)
            content = pattern.sub("", message.content).strip()
            if not content:
                raise UsageError(f"a message says nothing but {message.content!r}")
            message = message.model_copy(update={"content": content})
        messages.append(message)
    return (Row(messages=tuple(messages)) if counts else row), counts


@lru_cache(maxsize=8)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    listed = "|".join(map(re.escape, sorted(words, key=len, reverse=True))) or "(?!)"
    return re.compile(rf"[^\S\n]?(?<!\w)(?:{listed})(?!\w)", re.IGNORECASE)
