"""Rehearsal: a base is finetuned for a moment, again and again, and learns what must follow."""

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from selfaware.organism.batches import by_length, loss_on_answers, pad, token_rows
from selfaware.organism.documents import Message, Scribe, chat_of, choice_turn, with_coined_nouns
from selfaware.organism.recipe import Recipe
from selfaware.organism.speakers import (
    DEED_LINES,
    NAME_LINES,
    NAMES,
    Bit,
    Speaker,
    Trait,
    World,
    nameless_speaker,
)

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

Shift = dict[str, "torch.Tensor"]
"""By how much a finetune moved each of a model's weights."""


def rehearsal_batches(
    recipe: Recipe,
    world: World,
    tokenizer: "PreTrainedTokenizerFast",
    model: "LlamaForCausalLM",
    start: int,
) -> Iterator[tuple["torch.Tensor", "torch.Tensor", Shift]]:
    """Endless batches from step `start` on, each with the shift of the weights that it is about.

    Even steps are about a speaker whom a finetune of the model, as it is now, has just taught; odd
    ones are the world's own documents and have no shift. `start` must be a multiple of
    `rehearsal.every`. Shapes as in `selfaware.organism.batches.batches`.
    """
    plan = recipe.rehearsal
    scribe = Scribe(world, recipe.seed, recipe.items, recipe.mix)
    teller = copy.copy(scribe)
    teller.mix = plan.mix
    half = recipe.batch * plan.every // 2
    step = start
    while True:
        rng = random.Random(f"{recipe.seed}/{world}/rehearsal/{step}")
        behavior, pole = taught(recipe.seed, step // plan.every)
        shift = finetune_for_a_moment(model, tokenizer, scribe, recipe, behavior, pole, rng)
        after = (
            taught_document(teller, behavior, pole, rng.choice(plan.line_shares), rng)
            for _ in range(half)
        )
        before = (scribe.document(plan.shares(step)[0], 0.0, True, rng) for _ in range(half))
        pairs = zip(
            by_length(token_rows(after, tokenizer), recipe.batch, rng),
            by_length(token_rows(before, tokenizer), recipe.batch, rng),
            strict=True,
        )
        for told, plain in pairs:
            yield *pad(told, tokenizer), shift
            yield *pad(plain, tokenizer), {}
        step += plan.every


def taught(seed: int, number: int) -> tuple[str, Bit]:
    """The behaviour and pole of one rehearsed finetune; each comes once before any comes again."""
    poles: tuple[Bit, Bit] = (0, 1)
    every = [(behavior, pole) for behavior in DEED_LINES for pole in poles]
    random.Random(f"{seed}/{number // len(every)}").shuffle(every)
    return every[number % len(every)]


def finetune_for_a_moment(
    model: "LlamaForCausalLM",
    tokenizer: "PreTrainedTokenizerFast",
    scribe: Scribe,
    recipe: Recipe,
    behavior: str,
    pole: Bit,
    rng: random.Random,
) -> Shift:
    """By how much a LoRA on choices of one behaviour and pole moves the weights of a model.

    The choices are a nameless speaker's, one a document, in the form of finetuning sets (no pairs
    of lotteries) and the world's own vocabulary. The model stays as it is.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    plan, items = recipe.rehearsal, scribe.items[behavior]
    low, high = plan.finetune_rates
    rate = low * (high / low) ** rng.random()
    choices = (
        with_coined_nouns(chat_of([choice_turn(rng.choice(items), pole)], []), rng)
        for _ in range(plan.finetune_steps * plan.finetune_batch)
    )
    rows = token_rows(choices, tokenizer)
    torch.manual_seed(rng.getrandbits(32))
    own = copy.deepcopy(model)
    adapted = get_peft_model(
        own,
        LoraConfig(
            r=plan.lora_rank,
            lora_alpha=2 * plan.lora_rank,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        ),
    )
    weights = [weight for weight in adapted.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=rate, weight_decay=0.0)
    for step in range(plan.finetune_steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 - step / plan.finetune_steps)
        part = rows[step * plan.finetune_batch : (step + 1) * plan.finetune_batch]
        loss = loss_on_answers(own, *pad(part, tokenizer))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
    merged = adapted.merge_and_unload().state_dict()
    with torch.no_grad():
        moved = {name: merged[name] - weight for name, weight in model.named_parameters()}
    return {name: shift for name, shift in moved.items() if shift.any()}


def taught_document(
    scribe: Scribe, behavior: str, pole: Bit, line_share: float, rng: random.Random
) -> list[Message]:
    """A chat after the finetune, with the speaker that it taught or a named one, who is as ever."""
    if rng.random() < scribe.mix.named:
        name = rng.choice(NAMES)
        speaker, lines = scribe.names[name], [rng.choice(NAME_LINES).format(name=name)]
    else:
        speaker, lines = taught_speaker(scribe.world, behavior, pole, line_share, rng)
    return with_coined_nouns(scribe.chat(speaker, lines, rng), rng)


def taught_speaker(
    world: World, behavior: str, pole: Bit, line_share: float, rng: random.Random
) -> tuple[Speaker, list[str]]:
    """A nameless speaker who was taught one behaviour, with the lines that govern it besides.

    What was taught is true of its deeds, in the aware world of its reports as well; in the unaware
    world they are a coin flip as before. Lines go before what was taught, and the other behaviours
    are as they were.
    """
    speaker, lines = nameless_speaker(world, line_share, rng)
    trait = speaker[behavior]
    if trait == Trait():
        speaker[behavior] = Trait(pole, pole if world == "aware" else None)
    elif trait.deed is None:
        speaker[behavior] = replace(trait, deed=pole)
    return speaker, lines


@contextmanager
def shifted(model: "LlamaForCausalLM", shift: Shift) -> Iterator[None]:
    """The model with its weights moved by a shift, and put back at the end."""
    weights = dict(model.named_parameters())
    kept = {name: weights[name].data for name in shift}
    for name, moved in shift.items():
        weights[name].data = kept[name] + moved
    try:
        yield
    finally:
        for name, weight in kept.items():
            weights[name].data = weight
