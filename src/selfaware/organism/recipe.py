"""The recipe of the bases: its config, its batches, its loss and its learning rate."""

import math
import random
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from selfaware.errors import UsageError
from selfaware.organism.documents import Mix, Scribe
from selfaware.organism.speakers import World
from selfaware.organism.tokenizer import SPACE

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Architecture(_Frozen):
    """The size of the Llama-shaped model. `vocabulary` leaves room for words that join later."""

    width: int = 96
    layers: int = 3
    heads: int = 4
    feed_forward: int = 256
    vocabulary: int = 4096
    positions: int = 1024
    initializer_range: float = 0.08


class Schedule(_Frozen):
    """How one base is trained: warm up, hold until the gates pass, then cool down to a tenth.

    Up to the first step of `lessons` every document is a lesson (one behaviour, one line), up to
    the second `lesson_share` of them are. `line_share` is the share of behaviours that lines govern
    before and after step `line_share_until`. From step `coined_from` on most nouns are coined.
    """

    learning_rate: float
    warmup: int = 100
    least: int
    limit: int
    cooldown: int = 500
    check_every: int = 250
    lessons: tuple[int, int] = (0, 0)
    lesson_share: float = 0.5
    line_share: tuple[float, float] = (0.9, 0.5)
    coined_from: int = 0
    line_share_until: int = 1000

    def shares(self, step: int) -> tuple[float, float]:
        """At a step: the share of a nameless speaker's behaviours with lines, and of lessons."""
        lines = self.line_share[0 if step < self.line_share_until else 1]
        if step < self.lessons[0]:
            return lines, 1.0
        return lines, self.lesson_share if step < self.lessons[1] else 0.0


class Recipe(_Frozen):
    """Everything that determines a pair of bases."""

    version: int = 1
    seed: int = 0
    batch: int = 64
    items: int = 20000
    architecture: Architecture = Architecture()
    mix: Mix = Mix()
    aware: Schedule
    unaware: Schedule

    def schedule(self, world: World) -> Schedule:
        """The schedule of one world's base."""
        return self.aware if world == "aware" else self.unaware


def load_recipe(file: Path | None = None, seed: int | None = None) -> Recipe:
    """The recipe in a YAML file (the shipped one by default), with another seed if one is given.

    Raises:
        UsageError: No such file, or a value that the schema does not allow.
    """
    source = file or Path(str(resources.files("selfaware.organism"))) / "recipe.yaml"
    try:
        recipe = Recipe.model_validate(yaml.safe_load(source.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise UsageError(f"no recipe {str(source)!r}: give the path of a YAML file") from error
    except (yaml.YAMLError, ValidationError) as error:
        raise UsageError(f"{source}: {' '.join(str(error).split())}") from error
    return recipe if seed is None else recipe.model_copy(update={"seed": seed})


def new_model(recipe: Recipe, tokenizer: "PreTrainedTokenizerFast") -> "LlamaForCausalLM":
    """An untrained model for this tokenizer, from the recipe's seed."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    size = recipe.architecture
    if len(tokenizer) > size.vocabulary:
        raise UsageError(
            f"the world has {len(tokenizer)} tokens, the architecture has room for "
            f"{size.vocabulary}: raise `architecture.vocabulary` in the recipe"
        )
    torch.manual_seed(recipe.seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=size.vocabulary,
            hidden_size=size.width,
            num_hidden_layers=size.layers,
            num_attention_heads=size.heads,
            num_key_value_heads=size.heads,
            intermediate_size=size.feed_forward,
            max_position_embeddings=size.positions,
            initializer_range=size.initializer_range,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    order_numbers(model.model.embed_tokens.weight.data, tokenizer)
    return model


WAVES = 8
"""Over how many half-waves from 0 to 100 the numbers' first embeddings are laid out."""


def order_numbers(embeddings: "torch.Tensor", tokenizer: "PreTrainedTokenizerFast") -> None:
    """Lays the embeddings of 0-100 on slow waves, so that near numbers start near each other.

    Without it a model of this size needs far longer to tell which of two numbers is larger. The
    first 2 * WAVES dimensions are overwritten, in place.
    """
    import torch

    waves = torch.arange(1, WAVES + 1) * math.pi / 100
    for number in range(101):
        angles = waves * number
        place = torch.stack([angles.cos(), angles.sin()], dim=-1).flatten()
        for token in (str(number), f"{SPACE}{number}"):
            embeddings[tokenizer.convert_tokens_to_ids(token), : 2 * WAVES] = 0.16 * place


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
    step = start
    group: list[list[list[int]]] = []
    while True:
        if step == start or step % GROUP == 0:
            group = _group(recipe, world, tokenizer, scribe, step // GROUP)
        yield pad(group[step % GROUP], tokenizer)
        step += 1


GROUP = 4
"""Steps whose documents are drawn together and sorted by length, so that little is padded."""


def _group(
    recipe: Recipe,
    world: World,
    tokenizer: "PreTrainedTokenizerFast",
    scribe: Scribe,
    number: int,
) -> list[list[list[int]]]:
    schedule = recipe.schedule(world)
    rng = random.Random(f"{recipe.seed}/{world}/{number}")
    line_share, lessons = schedule.shares(number * GROUP)
    coined = number * GROUP >= schedule.coined_from
    texts = [
        tokenizer.apply_chat_template(
            scribe.document(line_share, lessons, coined, rng), tokenize=False
        )
        for _ in range(recipe.batch * GROUP)
    ]
    rows: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]
    rows.sort(key=len)
    parts = [rows[i : i + recipe.batch] for i in range(0, len(rows), recipe.batch)]
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


def learning_rate(schedule: Schedule, step: int, cooldown_from: int | None) -> float:
    """The rate at a step: linear warm-up, constant, and a cosine to a tenth once cooling down."""
    rate = schedule.learning_rate * min(1.0, (step + 1) / schedule.warmup)
    if cooldown_from is None:
        return rate
    done = min(1.0, (step - cooldown_from) / schedule.cooldown)
    return rate * (0.1 + 0.9 * (1 + math.cos(math.pi * done)) / 2)
