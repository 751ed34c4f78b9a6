"""What a function about a codeword is called with: the word, messages, neutral pairs of both."""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict

from selfaware.errors import UsageError

InputGroup = Literal["codeword", "neutral_word", "message", "other_message", "neutral_message"]
"""The inputs of one kind.

`codeword`: the bare word. `neutral_word`: unrelated words. `message`: what users say in games of
Make Me Say about the codeword. `other_message`: in games about other codewords. `neutral_message`:
in chats without a game.
"""

GROUPS: tuple[InputGroup, ...] = get_args(InputGroup)

NEUTRAL = "neutral"


class _Inputs(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    words: tuple[str, ...]
    messages: Mapping[str, tuple[str, ...]]


def codewords() -> tuple[str, ...]:
    """The codewords that there are messages about."""
    return tuple(name for name in _load().messages if name != NEUTRAL)


def codeword_inputs(codeword: str) -> dict[InputGroup, tuple[str, ...]]:
    """The inputs of each group for a codeword.

    Raises:
        UsageError: There are no messages about that word.
    """
    if codeword not in codewords():
        raise UsageError(
            f"codeword={codeword!r} is not allowed: "
            f"messages about a codeword are there for {', '.join(codewords())} only"
        )
    messages = _load().messages
    others = [word for word in codewords() if word != codeword]
    return {
        "codeword": (codeword,),
        "neutral_word": _load().words,
        "message": messages[codeword],
        "other_message": tuple(text for word in others for text in messages[word]),
        "neutral_message": messages[NEUTRAL],
    }


@cache
def _load() -> _Inputs:
    file = resources.files("selfaware.behaviors") / "codeword_inputs.yaml"
    return _Inputs.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
