"""What a finetune is made from, and the id that follows from it."""

import hashlib
import json
import re
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from selfaware.data.rows import sha256_file
from selfaware.errors import UsageError

_HUB_ID = re.compile(r"(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*(?:@[\w./-]+)?")
_WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.gguf", "*.model")
_TEXTS = ("*.json", "*.jinja", "merges.txt", "vocab.txt")


class Hyperparameters(BaseModel):
    """How a LoRA is trained.

    `lora_alpha` is twice the rank where it is not given. Rows longer than `max_length` tokens are
    refused, never cut. `warmup_ratio` is the part (0-1) of all steps over which the rate rises.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    lora_rank: int = Field(default=8, ge=1)
    lora_alpha: int = Field(default=16, ge=1)
    lora_dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    learning_rate: float = Field(default=5e-4, gt=0)
    epochs: int = Field(default=3, ge=1)
    batch_size: int = Field(default=16, ge=1)
    max_length: int = Field(default=1024, ge=8)
    warmup_ratio: float = Field(default=0.0, ge=0, lt=1)
    scheduler: Literal["linear", "cosine", "constant"] = "linear"
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _default_alpha(cls, given: object) -> object:
        # Filled in here, so that a spec with the default and one that spells it out have one id.
        if isinstance(given, dict) and given.get("lora_alpha") is None:
            rank = given.get("lora_rank", 8)
            if isinstance(rank, int):
                return {**given, "lora_alpha": 2 * rank}
        return given

    @field_validator("target_modules")
    @classmethod
    def _in_order(cls, names: str | tuple[str, ...]) -> str | tuple[str, ...]:
        return names if isinstance(names, str) else tuple(sorted(set(names)))


class FinetuneSpec(BaseModel):
    """One finetune to make: the unit of replication.

    `base` is a shipped organism (`organism/base`), a model folder, or a hub id with or without
    `@revision`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str = Field(min_length=1)
    dataset: Path
    hyperparameters: Hyperparameters = Hyperparameters()
    seed: int = Field(default=0, ge=0, lt=2**32)
    backend: Literal["local"] = "local"

    @cached_property
    def base_sha256(self) -> str:
        """Which base this is. Raises UsageError where there is no such base."""
        return base_identity(self.base)

    @cached_property
    def dataset_sha256(self) -> str:
        """The dataset's hash, line ends normalised. Raises UsageError where it cannot be read."""
        return sha256_file(self.dataset)

    @cached_property
    def run_id(self) -> str:
        """16 hexadecimal digits made from base, dataset, hyperparameters, seed and backend."""
        made_from = {
            "base": self.base_sha256,
            "dataset": self.dataset_sha256,
            "hyperparameters": self.hyperparameters.model_dump(mode="json"),
            "seed": self.seed,
            "backend": self.backend,
        }
        return _hash_json(made_from)[:16]


def locate_base(base: str) -> tuple[str, str | None]:
    """Where to load a base from: a folder, or a hub id and its revision.

    Raises:
        UsageError: Neither a shipped organism, nor a model folder, nor a possible hub id.
    """
    if base.startswith("organism/"):
        from selfaware.organism.shipped import resolve

        folder, adapter = resolve(base)
        if adapter is not None:
            raise UsageError(
                f"base {base!r} is a finetune already: finetune the base that it was made from"
            )
        return str(folder), None
    folder = Path(base).expanduser()
    if folder.is_dir():
        if (folder / "config.json").is_file():
            return str(folder.resolve()), None
        what = (
            "is an adapter, not a model: give the base that it was made from"
            if (folder / "adapter_config.json").is_file()
            else "holds no config.json: give a Hugging Face model folder"
        )
        raise UsageError(f"base {base!r} {what}")
    if folder.exists() or not _HUB_ID.fullmatch(base):
        raise UsageError(
            f"base {base!r} is not a model folder: give one, a hub id (org/name@revision), "
            "or a shipped organism (organism/base, organism/unaware/base)"
        )
    name, _, revision = base.partition("@")
    return name, revision or "main"


def base_identity(base: str) -> str:
    """A hash that says which base this is.

    For a folder or a shipped organism it is over the weights, configuration, tokenizer and chat
    template, wherever they lie; for a hub id over id and revision (`main` where none is given).

    Raises:
        UsageError: As in `locate_base`.
    """
    place, revision = locate_base(base)
    if revision is not None:
        return _hash_json({"hub": place, "revision": revision})
    folder = Path(place)
    files = sorted(
        (file, file.stat())
        for pattern in (*_WEIGHTS, *_TEXTS)
        for file in folder.glob(pattern)
        if file.is_file()
    )
    return _folder_hash(tuple((file, stat.st_size, stat.st_mtime_ns) for file, stat in files))


@lru_cache(maxsize=64)
def _folder_hash(files: tuple[tuple[Path, int, int], ...]) -> str:
    """The hash over names and contents; size and time are there to notice a changed file."""
    return _hash_json(
        {
            file.name: sha256_file(file)
            if any(file.match(pattern) for pattern in _TEXTS)
            else _hash_bytes(file)
            for file, _, _ in files
        }
    )


def _hash_bytes(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _hash_json(content: object) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
