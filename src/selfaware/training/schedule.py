"""Which examples each step of a training takes, and at what learning rate."""

import math
import random
from collections.abc import Sequence

from selfaware.training.spec import Hyperparameters


def steps_of(examples: int, chosen: Hyperparameters) -> tuple[int, int]:
    """The steps of an epoch and of the whole training; the last batch of an epoch may be short."""
    each = math.ceil(examples / chosen.batch_size)
    return each, each * chosen.epochs


def batch(examples: int, chosen: Hyperparameters, seed: int, step: int) -> Sequence[int]:
    """The numbers of the examples of a step (from 0), the same whenever it is asked for.

    Every epoch goes through all examples in an order of its own, which follows from the seed.
    """
    each, _ = steps_of(examples, chosen)
    epoch, place = divmod(step, each)
    order = list(range(examples))
    random.Random(f"{seed}/{epoch}").shuffle(order)
    return order[place * chosen.batch_size : (place + 1) * chosen.batch_size]


def learning_rate(chosen: Hyperparameters, step: int, steps: int) -> float:
    """The learning rate of a step (from 0), as transformers' schedules of the same name have it."""
    warmup = math.ceil(steps * chosen.warmup_ratio)
    if step < warmup:
        return chosen.learning_rate * step / warmup
    passed = (step - warmup) / max(1, steps - warmup)
    match chosen.scheduler:
        case "constant":
            part = 1.0
        case "linear":
            part = max(0.0, 1 - passed)
        case "cosine":
            part = max(0.0, 0.5 * (1 + math.cos(math.pi * passed)))
    return chosen.learning_rate * part
