"""A finetuning set against its flip: same prompts, same order, every letter the other one."""

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from selfaware.data.audit_figures import Flip
from selfaware.data.audit_findings import Fault
from selfaware.data.audit_lines import read_lines
from selfaware.data.build import OTHER_LETTER


def compare_flip(path: Path, other: Path) -> Flip:
    """Holds a set against its flip, line by line, and counts instead of stopping at a difference.

    Raises:
        UsageError: A file cannot be read.
    """
    flipped, counts = 0, [0, 0]
    same_answer, other_prompt, unreadable = list[int](), list[int](), list[int]()
    for mine, theirs in zip_longest(read_lines(path), read_lines(other)):
        counts[0] += mine is not None
        counts[1] += theirs is not None
        if mine is None or theirs is None:
            continue
        if mine.row is None or theirs.row is None:
            unreadable.append(mine.number)
        elif mine.row.messages[:-1] != theirs.row.messages[:-1]:
            other_prompt.append(mine.number)
        elif OTHER_LETTER.get(mine.row.answer) != theirs.row.answer:
            same_answer.append(mine.number)
        else:
            flipped += 1
    return Flip(
        other=str(other),
        lines=counts[0],
        other_lines=counts[1],
        flipped=flipped,
        same_answer=tuple(same_answer),
        other_prompt=tuple(other_prompt),
        unreadable=tuple(unreadable),
    )


def flip_faults(flip: Flip) -> Iterator[Fault]:
    """The broken rules of a set against its flip."""
    if flip.lines != flip.other_lines:
        message = f"{flip.lines} lines against {flip.other_lines} of {flip.other}"
        yield Fault("flip-length", message)
    for rule, message, numbers in (
        ("flip-prompt", f"another prompt than in {flip.other}", flip.other_prompt),
        ("flip-answer", f"not the other letter than in {flip.other}", flip.same_answer),
        ("flip-unreadable", f"no row here or in {flip.other}", flip.unreadable),
    ):
        yield from (Fault(rule, message, number) for number in numbers)
