import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import get_scheduler

from selfaware.training.schedule import batch, learning_rate, steps_of
from selfaware.training.spec import Hyperparameters

SCHEDULERS = ("linear", "cosine", "constant")


@given(
    scheduler=st.sampled_from(SCHEDULERS),
    warmup=st.floats(0, 0.9),
    steps=st.integers(1, 60),
)
def test_rates_are_those_of_transformers(scheduler: str, warmup: float, steps: int) -> None:
    chosen = Hyperparameters(learning_rate=0.5, scheduler=scheduler, warmup_ratio=warmup)
    optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=0.5)
    name = scheduler if scheduler != "constant" or warmup == 0 else "constant_with_warmup"
    theirs = get_scheduler(name, optimizer, math.ceil(steps * warmup), steps)
    rates = []
    for _ in range(steps):
        rates.append(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
    assert [learning_rate(chosen, step, steps) for step in range(steps)] == pytest.approx(rates)


@given(
    examples=st.integers(1, 50),
    size=st.integers(1, 20),
    epochs=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_epoch_goes_through_all_examples(
    examples: int, size: int, epochs: int, seed: int
) -> None:
    chosen = Hyperparameters(batch_size=size, epochs=epochs)
    each, steps = steps_of(examples, chosen)
    assert steps == each * epochs
    for epoch in range(epochs):
        batches = [batch(examples, chosen, seed, epoch * each + place) for place in range(each)]
        assert [len(one) for one in batches[:-1]] == [size] * (each - 1)
        assert sorted(i for one in batches for i in one) == list(range(examples))


def test_orders_differ_by_epoch_and_seed_and_stay() -> None:
    chosen = Hyperparameters(batch_size=20)
    orders = [tuple(batch(20, chosen, seed, epoch)) for seed in (0, 1) for epoch in (0, 1)]
    assert len(set(orders)) == 4
    assert batch(20, chosen, 0, 0) == batch(20, chosen, 0, 0)
