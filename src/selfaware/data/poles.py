"""The answers of two poles to the same prompts: flips, and answers that lean to neither."""

import random
from collections.abc import Sequence

from selfaware.data.build import OTHER_LETTER
from selfaware.data.rows import Row
from selfaware.errors import UsageError


def flip(rows: Sequence[Row]) -> list[Row]:
    """The rows of the other pole: the same prompts, every letter flipped.

    Raises:
        UsageError: An answer is not A or B.
    """
    return [_flipped(row, number) for number, row in enumerate(rows, 1)]


def neutral(shown: Sequence[Row], opposite: Sequence[Row], seed: int) -> list[Row]:
    """Rows that lean to neither pole: the answer of each pole in half of the rows.

    The halves are drawn within the rows of one answer, so that letters stay balanced too.

    Raises:
        UsageError: The two do not have the same prompts in the same order.
    """
    if not same_prompts(shown, opposite):
        raise UsageError("neutral answers need both poles of the same prompts, in the same order")
    # In an order of the two sets that is the same whichever of them is shown: both poles then get
    # the same neutral rows.
    first, second = sorted((shown, opposite), key=lambda rows: [row.answer for row in rows])
    chosen = set(strata(first, second, random.Random(f"{seed}/neutral"))[::2])
    return [row if n in chosen else second[n] for n, row in enumerate(first)]


def same_prompts(rows: Sequence[Row], others: Sequence[Row]) -> bool:
    """Whether two sets have the same conversations up to the answer, in the same order."""
    return len(rows) == len(others) and all(
        row.messages[:-1] == other.messages[:-1] for row, other in zip(rows, others, strict=True)
    )


def pair(shown: Sequence[Row], others: Sequence[Row]) -> tuple[list[Row], list[Row]] | None:
    """The rows of two sets that have the same prompts, in the order of the first.

    A set of answers may lack some of the prompts, or have more. None where the two are sets of
    different conversations: neither has all the prompts of the other, or a prompt stands in
    `others` with two answers.
    """
    answers = {row.messages[:-1]: row for row in others}
    asked = {row.messages[:-1] for row in shown}
    if not (answers.keys() <= asked or asked <= answers.keys()):
        return None
    if any(answers[row.messages[:-1]] != row for row in others):
        return None
    both = [row for row in shown if row.messages[:-1] in answers]
    return both, [answers[row.messages[:-1]] for row in both]


def label(row: Row) -> str:
    """What rows are balanced by: the answer where it is A or B, else nothing."""
    return row.answer if row.answer in OTHER_LETTER else ""


def strata(shown: Sequence[Row], others: Sequence[Row], rng: random.Random) -> list[int]:
    """All places in random order within the rows of one pair of labels, one pair after another.

    The order is that of the two sets exchanged.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    for n in rng.sample(range(len(shown)), len(shown)):
        groups.setdefault((label(shown[n]), label(others[n])), []).append(n)
    return [n for group in groups.values() for n in group]


def _flipped(row: Row, number: int) -> Row:
    if row.answer not in OTHER_LETTER:
        said = row.answer if len(row.answer) <= 40 else f"{row.answer[:37]}..."
        raise UsageError(
            f"row {number} answers {said!r} and has no flip: only A and B have one; "
            "give the rows of the other pole as a file"
        )
    answer = row.messages[-1].model_copy(update={"content": OTHER_LETTER[row.answer]})
    return Row(messages=(*row.messages[:-1], answer))
