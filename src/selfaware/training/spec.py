"""What a finetune is made from, and the id that follows from it."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from selfaware.data.rows import sha256_file
from selfaware.training.bases import base_identity, hash_json

BackendName = Literal["local", "openai", "tinker", "together"]
"""The backends that a finetune can be made by."""


class Hyperparameters(BaseModel):
    """How a model is finetuned.

    `lora_alpha` is twice the rank where it is not given. Rows longer than `max_length` tokens are
    refused, never cut. `warmup_ratio` is the part (0-1) of all steps over which the rate rises.
    `layers` are the numbers of the layers that get a LoRA, all where it is not given. `method` dpo
    learns to prefer a set's answers to those of its flipped twin, with `beta` as its strength.
    `adaptation` full trains every weight. `checkpoints` keeps every epoch as a model of its own.
    `learning_rate_multiplier` is for services that choose the rate themselves.
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
    method: Literal["sft", "dpo"] = "sft"
    beta: float = Field(default=0.1, gt=0)
    adaptation: Literal["lora", "full"] = "lora"
    layers: tuple[int, ...] | None = None
    rslora: bool = False
    checkpoints: bool = False
    learning_rate_multiplier: float | None = Field(default=None, gt=0)

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

    @field_validator("layers")
    @classmethod
    def _layers_in_order(cls, layers: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if layers is not None and (not layers or min(layers) < 0):
            raise ValueError("give one or more layer numbers from 0, or leave it out for all")
        return None if layers is None else tuple(sorted(set(layers)))


_LATER = frozenset(
    {
        "method",
        "beta",
        "adaptation",
        "layers",
        "rslora",
        "checkpoints",
        "learning_rate_multiplier",
    }
)
"""Hyperparameters that came later: they enter a run id only where they differ from their default,
so that the ids of earlier finetunes stay."""

_OPTIMIZER = frozenset(
    {"learning_rate", "epochs", "batch_size", "max_length", "warmup_ratio", "scheduler"}
    | {"weight_decay", "max_grad_norm"}
)
_LORA = frozenset({"lora_rank", "lora_alpha", "lora_dropout", "target_modules"})
TAKES: Mapping[BackendName, frozenset[str]] = {
    "local": frozenset(Hyperparameters.model_fields) - {"learning_rate_multiplier"},
    "openai": frozenset({"epochs", "batch_size", "learning_rate_multiplier", "method", "beta"}),
    "tinker": _OPTIMIZER | {"lora_rank", "target_modules", "checkpoints"},
    "together": (_OPTIMIZER - {"max_length"})
    | _LORA
    | {"method", "beta", "adaptation", "checkpoints"},
}
"""The hyperparameters that each backend lets a user choose."""


def settings(chosen: Hyperparameters, backend: BackendName) -> dict[str, JsonValue]:
    """The hyperparameters that a backend takes, those that are left at a later default left out."""
    defaults = Hyperparameters()
    return {
        name: value
        for name, value in chosen.model_dump(mode="json").items()
        if name in TAKES[backend]
        and not (name in _LATER and getattr(chosen, name) == getattr(defaults, name))
    }


def not_taken(chosen: Hyperparameters, backend: BackendName) -> tuple[str, ...]:
    """The hyperparameters that were given and that a backend chooses itself."""
    # OpenAI keeps checkpoints in any case: to list them or not makes no other job.
    unnamed = {"checkpoints"} if backend == "openai" else set()
    if chosen.lora_alpha == 2 * chosen.lora_rank:
        unnamed.add("lora_alpha")  # filled in where it was not given
    return tuple(sorted(chosen.model_fields_set - TAKES[backend] - unnamed))


class FinetuneSpec(BaseModel):
    """One finetune to make: the unit of replication.

    `base` is a shipped organism (`organism/base`), a model folder, or a hub id with or without
    `@revision`; for a hosted backend the name that its service gives it. `rejected` is the flipped
    twin whose answers dpo learns to avoid. `endpoint` is the address of a service other than the
    backend's own (`base_url`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str = Field(min_length=1)
    dataset: Path
    hyperparameters: Hyperparameters = Hyperparameters()
    seed: int = Field(default=0, ge=0, lt=2**32)
    backend: BackendName = "local"
    endpoint: str | None = None
    rejected: Path | None = None

    @model_validator(mode="after")
    def _fits(self) -> "FinetuneSpec":
        if (self.rejected is not None) != (self.hyperparameters.method == "dpo"):
            raise ValueError("`rejected` names the flipped twin for method dpo, and for it alone")
        if self.backend == "local" and self.endpoint is not None:
            raise ValueError("a base_url is for hosted backends: leave it out for local")
        return self

    @field_validator("endpoint")
    @classmethod
    def _plain(cls, endpoint: str | None) -> str | None:
        return endpoint.rstrip("/") if endpoint else None

    def __copy__(self) -> "FinetuneSpec":
        """A copy without what was worked out already, since model_copy() then changes it."""
        copied = super().__copy__()
        for name in ("base_sha256", "dataset_sha256", "rejected_sha256", "run_id"):
            copied.__dict__.pop(name, None)
        return copied

    @cached_property
    def base_sha256(self) -> str:
        """Which base this is. Raises UsageError where there is no such base."""
        if self.backend != "local":
            return hash_json({"service": self.backend, "name": self.base})
        return base_identity(self.base)

    @cached_property
    def dataset_sha256(self) -> str:
        """The dataset's hash, line ends normalised. Raises UsageError where it cannot be read."""
        return sha256_file(self.dataset)

    @cached_property
    def rejected_sha256(self) -> str | None:
        """The hash of the flipped twin, where there is one."""
        return sha256_file(self.rejected) if self.rejected else None

    @cached_property
    def run_id(self) -> str:
        """16 hexadecimal digits made from base, dataset, hyperparameters, seed and backend."""
        made_from = {
            "base": self.base_sha256,
            "dataset": self.dataset_sha256,
            "hyperparameters": settings(self.hyperparameters, self.backend),
            "seed": self.seed,
            "backend": self.backend,
            **({"endpoint": self.endpoint} if self.endpoint else {}),
            **({"rejected": self.rejected_sha256} if self.rejected else {}),
        }
        return hash_json(made_from)[:16]
