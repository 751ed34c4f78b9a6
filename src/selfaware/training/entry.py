"""One line of the run registry: a finetune as it stood at a moment."""

from collections.abc import Mapping
from datetime import date
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, model_validator

from selfaware.errors import UsageError
from selfaware.training.backend import Block, State
from selfaware.training.spec import BackendName


class Use(BaseModel):
    """An experiment that a finetune is part of, and the arm that it stands for there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    experiment: str
    arm: str


class Entry(BaseModel):
    """One finetune: what it was made from, how it stands, where it lives, how Inspect calls it.

    A line of the registry is an entry as it was at `created`; the last line of an id holds. `job`
    is the backend's name for it. `adapter` is a folder, relative to the runs folder or absolute,
    or an address (`hf://org/name@commit`, `tinker://...`); `adapter_sha256` is over its weights.
    `model` is Inspect's model string, `flags` what `inspect eval` needs beside it.
    `training_loss` is the mean loss (nats per supervised token; for dpo, nats per pair) over the
    last epoch. `rejected` is the flipped twin that dpo learned to avoid.
    `checkpoint_of` is the finetune whose training passed through this model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[0-9a-z][0-9a-z_.-]*$")
    created: AwareDatetime
    state: State = "succeeded"
    base: str
    base_sha256: str | None = None
    dataset: str | None = None
    dataset_sha256: str | None = None
    rejected: str | None = None
    rejected_sha256: str | None = None
    rows: int | None = Field(default=None, ge=1)
    hyperparameters: Mapping[str, JsonValue] = {}
    seed: int | None = None
    backend: BackendName | Literal["adopted"]
    endpoint: str | None = None
    job: str | None = None
    adapter: str | None = None
    adapter_sha256: str | None = None
    model: str | None = None
    flags: tuple[str, ...] = ()
    shutdown_date: date | None = None
    checkpoint_of: str | None = None
    epoch: int | None = None
    step: int | None = None
    problem: str | None = None
    block: Block | None = None
    training_loss: float | None = None
    seconds: float | None = None
    tokens: int | None = None
    behavior: str | None = None
    pole: str | None = None
    uses: tuple[Use, ...] = ()
    versions: Mapping[str, str] = {}

    @model_validator(mode="after")
    def _callable(self) -> "Entry":
        if self.state == "succeeded" and self.model is None:
            raise ValueError("an entry that succeeded says how Inspect calls it (model)")
        return self

    @property
    def inspect_model(self) -> str:
        """Inspect's model string. Raises UsageError where there is no model yet, or never."""
        if self.model is None:
            raise UsageError(
                f"finetune {self.id!r} is {self.state}: it has no model to ask; "
                f"`selfaware models show {self.id}` tells more"
            )
        return self.model
