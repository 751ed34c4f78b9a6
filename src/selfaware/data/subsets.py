"""Subsets for the data-size ablation: nested, and balanced in their labels."""

import random
from collections.abc import Sequence

from selfaware.data.poles import label
from selfaware.data.rows import Row
from selfaware.errors import UsageError


def subset(rows: Sequence[Row], size: int, seed: int) -> list[int]:
    """The places, in order, of `size` rows whose answers are balanced as far as they go.

    Subsets of one seed are nested, and those of a set and of its flip have the same prompts.

    Raises:
        UsageError: There are not that many rows, or `size` is below 1.
    """
    if not 1 <= size <= len(rows):
        raise UsageError(f"cannot take a subset of {size} rows: give 1 to {len(rows)}")
    queues: dict[str, list[int]] = {}
    for index in random.Random(f"{seed}/subset").sample(range(len(rows)), len(rows)):
        queues.setdefault(label(rows[index]), []).append(index)
    turns = [
        (turn, order, index)
        for order, queue in enumerate(queues.values())
        for turn, index in enumerate(queue)
    ]
    return sorted(index for _, _, index in sorted(turns)[:size])


def nested_subsets(rows: Sequence[Row], sizes: Sequence[int], seed: int) -> dict[int, list[Row]]:
    """Balanced subsets, each within every larger one, and the full set under its own size.

    For the data-size ablation (appendix C.1.10: 32, 64, 128 and all). Errors as in `subset`.
    """
    return {
        size: [rows[index] for index in subset(rows, size, seed)]
        for size in sorted({*sizes, len(rows)})
    }
