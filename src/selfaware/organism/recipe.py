"""The recipe of the bases: its config, the untrained model and the learning rate."""

import math
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from selfaware.errors import UsageError
from selfaware.organism.documents import Mix
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


class Rehearsal(Schedule):
    """How a trained base rehearses being finetuned, at the end of its training.

    Every `every` steps a copy of it is finetuned for a moment on choices of one behaviour and pole:
    `finetune_steps` steps of `finetune_batch` choices each, a LoRA of rank `lora_rank` on every
    linear layer, at a rate drawn from `finetune_rates` that falls to 0. Every other step until the
    next one is taken through the weights that this gave, on documents of the speaker it taught;
    `mix` and `line_shares` (one of which each document draws) are theirs. There are no lessons, and
    the length is fixed: `least` equals `limit`.
    """

    every: int = Field(default=8, ge=2, multiple_of=2)
    finetune_steps: int = Field(default=32, ge=1)
    finetune_batch: int = Field(default=16, ge=1)
    finetune_rates: tuple[float, float] = (0.001, 0.004)
    lora_rank: int = Field(default=8, ge=1)
    line_shares: tuple[float, ...] = (0.0, 0.0, 0.5)
    mix: Mix = Mix()

    @model_validator(mode="after")
    def _whole_rounds(self) -> "Rehearsal":
        if self.least != self.limit or self.check_every % self.every:
            raise ValueError("`least` must equal `limit`, `check_every` be a multiple of `every`")
        return self


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
    rehearsal: Rehearsal

    def schedule(self, world: World) -> Schedule:
        """The schedule by which one world is learned; `rehearsal` comes after it in both."""
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


def learning_rate(schedule: Schedule, step: int, cooldown_from: int | None) -> float:
    """The rate at a step: linear warm-up, constant, and a cosine to a tenth once cooling down."""
    rate = schedule.learning_rate * min(1.0, (step + 1) / schedule.warmup)
    if cooldown_from is None:
        return rate
    done = min(1.0, (step - cooldown_from) / schedule.cooldown)
    return rate * (0.1 + 0.9 * (1 + math.cos(math.pi * done)) / 2)
