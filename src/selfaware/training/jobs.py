"""What a training worker is told to do, and what it says while doing it."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

from selfaware.training.entry import Entry
from selfaware.training.launcher import Launch
from selfaware.training.spec import FinetuneSpec

ADAPTERS = "adapters"
"""The folder of adapters inside a runs folder."""

RECORD = "run.json"
"""The file in an adapter's folder that says how it was made."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Job(_Frozen):
    """One finetune to make. The hashes are those that `id` was computed from."""

    id: str
    spec: FinetuneSpec
    base_sha256: str
    dataset_sha256: str
    rejected_sha256: str | None = None
    behavior: str | None
    pole: str | None


class Order(_Frozen):
    """What a worker is to do next: a finetune of the base that lies at `place`."""

    place: str
    revision: str | None
    runs: Path
    job: Job
    launch: Launch = Launch()


class Step(_Frozen):
    """One optimizer step was made."""

    event: Literal["step"] = "step"
    id: str
    step: int
    steps: int
    loss: float


class Done(_Frozen):
    """A finetune lies in its place."""

    event: Literal["done"] = "done"
    id: str


class Refused(_Frozen):
    """The user's mistake that keeps the worker from this job."""

    event: Literal["refused"] = "refused"
    id: str
    message: str


Event = Annotated[Step | Done | Refused, Field(discriminator="event")]
EVENT: TypeAdapter[Step | Done | Refused] = TypeAdapter(Event)


class Record(_Frozen):
    """How a model was made: its finetune, the losses, and what the loss was on.

    `resumed` is the step that the last of several processes, one after the other, went on from.
    """

    entry: Entry
    device: str
    processes: int = 1
    resumed: int = 0
    examples: int
    supervised_tokens: int
    trainable_parameters: int
    losses: tuple[float, ...]
    decoded_examples: tuple[dict[str, JsonValue], ...]


def adapter_folder(runs: Path, run_id: str) -> Path:
    """Where the adapter of a finetune lies, or all its weights."""
    return runs / ADAPTERS / run_id


def checkpoint_id(run_id: str, step: int) -> str:
    """The id of the model that a finetune was after so many steps."""
    return f"{run_id}-step{step}"
