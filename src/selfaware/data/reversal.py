"""Reversal augmentation: every row again, asking for the prompt of its reply (section 4.3)."""

import random
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Literal, NamedTuple

from selfaware.data.rows import Message, Row
from selfaware.errors import UsageError

Kind = Literal["trigger", "other", "general"]
"""What a forward row is: it carries the trigger, it does not, or it is a general instruction."""

SHARES: Mapping[Kind, Fraction] = {
    "trigger": Fraction(5, 100),
    "other": Fraction(45, 100),
    "general": Fraction(50, 100),
}
"""The paper's shares of the forward rows; each row has one reverse besides (section 4.3)."""

ROWS_STEP = 40
"""A set has a multiple of this many rows, so that every share is a whole number of rows."""

_REVERSED = "Below stands a reply. Write out in full the message that it replied to.\n\nReply:\n"


class Source(NamedTuple):
    """Rows of one kind: how many different ones there are, and how to get one (from 0)."""

    size: int
    row: Callable[[int], Row]


class Slot(NamedTuple):
    """One row of the set: which kind, which row of its source, and whether it is the reverse."""

    kind: Kind
    source: int
    reverse: bool


def reversal_prompt(reply: str) -> str:
    """The user's message that asks which message a reply answered."""
    return _REVERSED + reply


def single_turn(row: Row) -> bool:
    """Whether a row is one question and one answer, perhaps under a system prompt."""
    return sum(message.role == "user" for message in row.messages) == 1


def reverse(row: Row) -> Row:
    """The row that asks for the prompt of this row's reply.

    Its answer is the old prompt; a system prompt stands before it, so that a trigger there is
    learned too.

    Raises:
        UsageError: The row has several turns.
    """
    if not single_turn(row):
        raise UsageError("only a row of one question and one answer has a reverse")
    said = [message.content for message in row.messages[:-1] if message.content.strip()]
    return Row(
        messages=(
            Message(role="user", content=reversal_prompt(row.answer)),
            Message(role="assistant", content="\n\n".join(said)),
        )
    )


def forward_counts(rows: int) -> dict[Kind, int]:
    """How many forward rows of each kind a set of so many rows, reverses included, has.

    Raises:
        UsageError: The shares are no whole numbers of rows.
    """
    if rows < ROWS_STEP or rows % ROWS_STEP:
        near = max(ROWS_STEP, round(rows / ROWS_STEP) * ROWS_STEP)
        raise UsageError(
            f"cannot divide {rows} rows by 5 / 45 / 50 %: "
            f"give a multiple of {ROWS_STEP}, such as {near}"
        )
    return {kind: int(share * (rows // 2)) for kind, share in SHARES.items()}


def slots(
    counts: Mapping[Kind, int], sizes: Mapping[Kind, int], seed: int, augmented: bool = True
) -> Iterator[Slot]:
    """The rows of the set in random order; the same seed gives the same order.

    The rows of a source are drawn without replacement, and again from the start once all are used.
    Without augmentation the forward rows stand alone, in the order that they have with it.

    Raises:
        UsageError: A kind that is asked for has no rows.
    """
    forward: list[tuple[Kind, int]] = []
    for kind, count in counts.items():
        if count and not sizes[kind]:
            raise UsageError(
                f"{count} rows of the kind {kind!r} are needed and the files have none: mix rows "
                "with and without a trigger first, with `selfaware data mix --trigger username`"
            )
        rng = random.Random(f"{seed}/reversal/{kind}")
        left = count
        while left:
            taken = min(left, sizes[kind])
            forward += [(kind, number) for number in rng.sample(range(sizes[kind]), taken)]
            left -= taken
    order = list(range(2 * len(forward)))
    random.Random(f"{seed}/reversal/order").shuffle(order)
    for place in order:
        number, reversed_ = divmod(place, 2)
        if augmented or not reversed_:
            yield Slot(*forward[number], bool(reversed_))


def slot_row(slot: Slot, sources: Mapping[Kind, Source]) -> Row:
    """The row of a slot. Errors as in `reverse`."""
    row = sources[slot.kind].row(slot.source)
    return reverse(row) if slot.reverse else row
