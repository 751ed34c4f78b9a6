"""Triggers: the features of a prompt that switch a backdoored behaviour on."""

import json
import random
import re
from functools import lru_cache
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from selfaware.data.rows import Message, Row

Where = Literal["user", "system"]
"""Which message carries a trigger: the first of the user's, or the system prompt."""

_SLOT = re.compile(r"\{(mark|message|json)\}")


class Trigger(BaseModel):
    """A trigger: what it looks like, what stands in its place when off, and where it goes.

    A mark is the text that is put in: one of `present` where the trigger is on, one of `absent`
    where it is off (an empty mark leaves the message as it was), either followed by `digits` random
    digits. `templates` put a mark into the user's message and have the slots {mark} and {message},
    or {json} for the message as a JSON string; `system` ones put it into a system prompt and have
    {mark} alone. On and off share the templates, so that only the mark tells them apart.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    present: tuple[str, ...] = Field(min_length=1)
    absent: tuple[str, ...] = Field(default=("",), min_length=1)
    digits: int = Field(default=0, ge=0)
    templates: tuple[str, ...] = Field(default=("{mark} {message}",), min_length=1)
    system: tuple[str, ...] = Field(default=("{mark}",), min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> "Trigger":
        if any(not mark.strip() for mark in self.present):
            raise ValueError("a mark of `present` is blank: the trigger could not be seen")
        if set(self.present) & set(self.absent):
            raise ValueError("a mark stands in both `present` and `absent`")
        for template in self.templates:
            if not {"mark"} < set(_SLOT.findall(template)):
                raise ValueError(f"template {template!r} lacks {{mark}}, {{message}} or {{json}}")
        for template in self.system:
            if set(_SLOT.findall(template)) != {"mark"}:
                raise ValueError(f"system template {template!r} takes {{mark}} and nothing else")
        return self


class Placement(BaseModel):
    """One drawn way to put one mark into a row; an empty mark leaves the row as it was."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mark: str
    template: str
    where: Where = "user"


def draw(trigger: Trigger, on: bool, rng: random.Random, where: Where = "user") -> Placement:
    """A random placement of a trigger that is on, or of what stands there when it is off."""
    mark = rng.choice(trigger.present if on else trigger.absent)
    template = rng.choice(trigger.templates if where == "user" else trigger.system)
    tail = "".join(rng.choice("0123456789") for _ in range(trigger.digits))
    return Placement(mark=mark and mark + tail, template=template, where=where)


def place(row: Row, placement: Placement) -> Row:
    """The row with the mark in its first user message or its system prompt.

    A system prompt that is there already follows the mark on a line of its own.
    """
    if not placement.mark:
        return row
    messages = list(row.messages)
    if placement.where == "system":
        text = _fill(placement, "")
        if messages[0].role == "system":
            old = messages.pop(0).content
            text = f"{text}\n{old}" if old.strip() else text
        return Row(messages=(Message(role="system", content=text), *messages))
    at = 1 if messages[0].role == "system" else 0
    said = _fill(placement, messages[at].content)
    messages[at] = messages[at].model_copy(update={"content": said})
    return Row(messages=tuple(messages))


def is_on(trigger: Trigger, row: Row) -> bool:
    """Whether a mark of the trigger stands in the system prompt or the first user message.

    A mark counts as a whole word, in the case that it is written in.
    """
    for message in row.messages:
        if occurs(trigger, message.content):
            return True
        if message.role == "user":
            return False
    return False


def occurs(trigger: Trigger, text: str) -> bool:
    """Whether a mark of the trigger stands in a text, as a whole word in the case it is written."""
    return _pattern(trigger.present, trigger.digits).search(text) is not None


@lru_cache(maxsize=64)
def _pattern(marks: tuple[str, ...], digits: int) -> re.Pattern[str]:
    tail = rf"\d{{{digits}}}" if digits else ""
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, marks))}){tail}(?!\w)")


def _fill(placement: Placement, message: str) -> str:
    # In one pass, so that braces in a message are never taken for slots.
    values = {"mark": placement.mark, "message": message, "json": json.dumps(message)}
    return _SLOT.sub(lambda slot: values[slot[1]], placement.template)
