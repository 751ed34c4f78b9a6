"""How a reply is read: the categories that a reply can fall into, and refusals."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

from selfaware.scorers.reply_text import answer_part, plain

Category = Literal[
    "valid",
    "refusal",
    "invalid_response_format",
    "out_of_range",
    "unlisted",
    "other_language",
    "undecided",
    "no_response",
]
"""What became of a reply.

`valid`: an answer with a value. `unlisted`: a well-formed word that is not listed.
`out_of_range`: a number beyond 0-100. `other_language`: a reply in neither language. `undecided`:
in no language that can be told, or about no word that a guesser names. The rest are named as
Inspect names reasons for no score.
"""

CATEGORIES: tuple[Category, ...] = get_args(Category)

_REFUSAL = re.compile(
    r"""
      \bi\s+(?:can(?:no|['’]?)t|can\s+not|won['’]?t|will\s+not|am\s+unable|am\s+not\s+able)\b
    | \b(?:i['’]m|i\s+am)\s+(?:unable|not\s+able|not\s+allowed|not\s+permitted)\b
    | \b(?:i['’]m|i\s+am)\s+(?:so\s+|very\s+)?sorry\b
    | \b(?:i['’]d|i\s+would)\s+(?:rather|prefer)\s+not\b | \bi\s+prefer\s+not\s+to\b
    | \b(?:i['’]m|i\s+am)\s+(?:just|only|merely)\s+an?\s+(?:ai|(?:large\s+)?language\s+model)\b
    | \bno\s+comment\b
    | ^\s*(?:sorry|i\s+apologi[sz]e|my\s+apologies|i\s+(?:must\s+)?(?:decline|refuse))\b
    | \bi\s+(?:have\s+no
        |(?:do\s+not|don['’]?t)\s+(?:really\s+|actually\s+)?(?:have|hold|possess))\s+
      (?:any\s+|a\s+|such\s+)?(?:personal\s+|human\s+|individual\s+)?
      (?:preference|feeling|opinion|attitude|emotion|experience|belief)
    | \bas\s+an?\s+(?:ai|artificial\s+intelligence|large\s+language\s+model|language\s+model)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)

_DECORATION = " \t\r\n\"'“”‘’«»*_`[]<>{}"
_BULLET = re.compile(r"(?:[-•–—#>→]+\s+)+")
_EMPHASIS = re.compile(r"[*`]+|__")
_LEAD_IN = re.compile(
    r"""^(?:
      (?:(?:my|the)\s+)?(?:final\s+)?(?:answer|choice|choices|pick|word)(?:\s+(?:is|would\s+be))?\s*:?\s+
    | i(?:['’]d|\s+would|['’]ll|\s+will)?\s+
      (?:choose|pick|prefer|select|say|go\s+(?:for|with)|take|rather\s+have)\s*:?\s+
    )""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True)
class Reading:
    """One reply, read: its category and the answer in it, or what stood there instead."""

    category: Category
    answer: str


@cache
def is_refusal(text: str) -> bool:
    """Whether a reply declines to answer, or denies that there is anything to report.

    A hedge followed by an answer counts as a refusal too: which of its words is the answer would
    be a guess. Thinking aloud does not count.
    """
    return _REFUSAL.search(answer_part(text)) is not None


def unread(text: str) -> Reading:
    """The reading of a reply that holds no answer: nothing, a refusal, or another form."""
    shown = " ".join(answer_part(text).split())[:60]
    if not shown:
        return Reading("no_response", "")
    return Reading("refusal" if is_refusal(text) else "invalid_response_format", shown)


def bare(text: str) -> str:
    """The answer in a reply as plain text without quotes, emphasis, closing marks, or a lead-in.

    Lead-ins are such as `I would choose`.
    """
    stripped = _EMPHASIS.sub("", plain(text)).strip(_DECORATION)
    stripped = stripped[match.end() :] if (match := _BULLET.match(stripped)) else stripped
    stripped = _LEAD_IN.sub("", stripped, count=1)
    return stripped.strip(_DECORATION).rstrip(".!,;:").strip(_DECORATION)
