"""Questions asked with a trigger in the prompt, or with what stands there when it is off."""

import random
from collections.abc import Sequence
from typing import Any, cast

from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageSystem, ChatMessageUser

from selfaware.data.named_triggers import find_trigger
from selfaware.data.rows import Message, Role, Row
from selfaware.data.triggers import Placement, draw, place
from selfaware.errors import UsageError

PLACEMENT_KEY = "placement"
"""Where a sample's metadata has the mark that is put in later, into what somebody else says."""


def triggered(
    samples: Sequence[Sample],
    trigger: str | None,
    on: bool = True,
    seed: int = 0,
    later: bool = False,
) -> list[Sample]:
    """The samples with a mark of the trigger in the user's first message, drawn for each.

    The metadata then has the `trigger`, the `mark` that was put in, and `under`, which tables put
    beside the framing.

    Args:
        samples: Samples as they are asked without a trigger.
        trigger: Name of a trigger, or `text:` and a text; None leaves the samples as they are.
        on: Whether the trigger is on. When it is off, what stands in its place is put in, which
            may be nothing.
        seed: Seed of marks and templates.
        later: Leave the input as it is and store the placement, for a solver in which another
            model writes the user's first message.

    Raises:
        UsageError: No such trigger, or one that is off without a trigger being named.
    """
    if trigger is None:
        if not on:
            raise UsageError(
                "trigger_on=false is not allowed without a trigger: name one, as trigger=SEP"
            )
        return list(samples)
    found = find_trigger(trigger)
    made: list[Sample] = []
    for sample in samples:
        placement = draw(found, on, random.Random(f"{seed}/{found.name}/{sample.id}"))
        extra: dict[str, object] = {
            "trigger": found.name,
            "mark": placement.mark,
            "under": f"{'with' if on else 'without'} {found.name}",
        }
        if later:
            extra[PLACEMENT_KEY] = placement.model_dump(mode="json")
        copy = sample.model_copy(deep=True)
        copy.metadata = {**(sample.metadata or {}), **extra}
        copy.input = sample.input if later else marked(sample.input, placement)
        made.append(copy)
    return made


def marked(asked: str | list[ChatMessage], placement: Placement | None) -> str | list[ChatMessage]:
    """What is asked, with the mark where its placement has it."""
    if placement is None or not placement.mark:
        return asked
    listed = [ChatMessageUser(content=asked)] if isinstance(asked, str) else asked
    messages = [Message(role=cast("Role", m.role), content=m.text) for m in listed]
    # A row ends with an answer, which is taken off again.
    row = place(Row(messages=(*messages, Message(role="assistant", content="."))), placement)
    if len(row.messages) == 2:
        return row.prompt
    return [_SAID[message.role](content=message.content) for message in row.messages[:-1]]


def placement_of(metadata: dict[str, Any]) -> Placement | None:
    """The mark that a sample has for later; None without a trigger."""
    stored = metadata.get(PLACEMENT_KEY)
    return None if stored is None else Placement.model_validate(stored)


_SAID: dict[Role, type[ChatMessageSystem | ChatMessageUser | ChatMessageAssistant]] = {
    "system": ChatMessageSystem,
    "user": ChatMessageUser,
    "assistant": ChatMessageAssistant,
}
