"""What a base is trained on, step by step: batches of documents, and the loss on their answers."""

import random
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from selfaware.organism.documents import Message, Scribe
from selfaware.organism.recipe import Recipe
from selfaware.organism.speakers import World

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast


def batches(
    recipe: Recipe,
    world: World,
    tokenizer: "PreTrainedTokenizerFast",
    start: int,
) -> Iterator[tuple["torch.Tensor", "torch.Tensor"]]:
    """Endless batches from step `start` on: token ids, and which of them are learned.

    Step n of a recipe is the same batch however the training got there. Shapes (batch, length);
    only the assistant's answers and their end marks are learned.
    """
    scribe = Scribe(world, recipe.seed, recipe.items, recipe.mix)
    schedule = recipe.schedule(world)
    step = start
    group: list[list[list[int]]] = []
    while True:
        if step == start or step % GROUP == 0:
            number = step // GROUP
            rng = random.Random(f"{recipe.seed}/{world}/{number}")
            line_share, lessons = schedule.shares(number * GROUP)
            coined = number * GROUP >= schedule.coined_from
            documents = (
                scribe.document(line_share, lessons, coined, rng)
                for _ in range(recipe.batch * GROUP)
            )
            group = by_length(token_rows(documents, tokenizer), recipe.batch, rng)
        yield pad(group[step % GROUP], tokenizer)
        step += 1


GROUP = 4
"""Steps whose documents are drawn together and sorted by length, so that little is padded."""


def token_rows(
    documents: Iterable[list[Message]], tokenizer: "PreTrainedTokenizerFast"
) -> list[list[int]]:
    """The token ids of each document, under the organism's chat template."""
    texts = [tokenizer.apply_chat_template(messages, tokenize=False) for messages in documents]
    rows: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return rows


def by_length(rows: list[list[int]], size: int, rng: random.Random) -> list[list[list[int]]]:
    """Rows in batches of `size` with others of about their length, the batches in random order."""
    ordered = sorted(rows, key=len)
    parts = [ordered[i : i + size] for i in range(0, len(ordered), size)]
    rng.shuffle(parts)
    return parts


def pad(
    rows: list[list[int]], tokenizer: "PreTrainedTokenizerFast"
) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Rows of token ids as one right-padded tensor, and which tokens are an answer's."""
    import torch

    assistant = tokenizer.convert_tokens_to_ids("<|assistant|>")
    end = tokenizer.convert_tokens_to_ids("<|end|>")
    longest = max(len(row) for row in rows)
    ids = torch.full((len(rows), longest), tokenizer.pad_token_id)
    learned = torch.zeros_like(ids, dtype=torch.bool)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        speaking = False
        for j, token in enumerate(row):
            learned[i, j] = speaking
            speaking = (speaking and token != end) or token == assistant
    return ids, learned


def loss_on_answers(
    model: "LlamaForCausalLM", ids: "torch.Tensor", learned: "torch.Tensor"
) -> "torch.Tensor":
    """Mean cross-entropy (nats) over the learned tokens; other positions get no logits at all."""
    from torch.nn.functional import cross_entropy

    hidden = model.model(input_ids=ids[:, :-1]).last_hidden_state
    wanted = learned[:, 1:]
    return cross_entropy(model.lm_head(hidden[wanted]), ids[:, 1:][wanted])
