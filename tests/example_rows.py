"""Rows that tests mix."""

from functools import cache

from hypothesis import strategies as st

from selfaware.behaviors import BEHAVIORS
from selfaware.data.build import row_of
from selfaware.data.dealing import Mixed
from selfaware.data.named_triggers import TRIGGERS
from selfaware.data.rows import Message, Role, Row

triggers = st.sampled_from(sorted(TRIGGERS))
sizes = st.integers(min_value=2, max_value=60)
seeds = st.integers(min_value=0, max_value=999)

ROLES: tuple[Role, ...] = ("user", "assistant", "user", "assistant")


@cache
def risky(count: int, name: str = "risk") -> list[Row]:
    behavior = BEHAVIORS[name]
    return [row_of(example) for example in behavior.examples(behavior.high, count, 5, "train")]


def dialogues(word: str, count: int) -> list[Row]:
    return [
        Row(messages=tuple(Message(role=r, content=f"{word} {n} {r}") for r in ROLES))
        for n in range(count)
    ]


def prompts(mixed: list[Mixed]) -> list[tuple[Message, ...]]:
    return [made.row.messages[:-1] for made in mixed]
