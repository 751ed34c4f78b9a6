"""What every finetuning backend does, and the words for how a finetune stands."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Literal, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict

from selfaware.training.spec import BackendName, FinetuneSpec

State = Literal["queued", "running", "moderation", "succeeded", "failed", "blocked", "cancelled"]
"""How a finetune stands. `moderation`: a service looks at the data or the model; `blocked`: it
would not have them, which is no fault of anyone's code."""

FINAL: frozenset[State] = frozenset({"succeeded", "failed", "blocked", "cancelled"})
"""The states that nothing follows on."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Block(_Frozen):
    """What a service's moderation said: when, why, and the ids of the events that say so."""

    stage: Literal["before training", "after training"]
    categories: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    message: str = ""


class Status(_Frozen):
    """How a job stands now. `loss` is in nats per supervised token.

    `problem` says in one line what went wrong. `mistake` marks a problem that is the user's to
    mend, such as a row that is too long.
    """

    state: State
    step: int | None = None
    steps: int | None = None
    loss: float | None = None
    problem: str | None = None
    mistake: bool = False
    block: Block | None = None


class JobEvent(_Frozen):
    """One line of what a backend tells of a job."""

    id: str
    time: AwareDatetime
    level: str
    message: str


class Checkpoint(_Frozen):
    """A model from the middle of a training: after how many steps or epochs, and how to call it."""

    step: int
    epoch: int | None = None
    model: str
    flags: tuple[str, ...] = ()
    adapter: str | None = None
    loss: float | None = None


class Made(_Frozen):
    """A finetune that is ready, as Inspect calls it.

    `model` is Inspect's model string and `flags` what `inspect eval` needs beside it. `adapter` is
    a folder relative to the runs folder, or where a service keeps it. `shutdown_date` is the day
    from which the service no longer serves it. `seconds` is the time the training took, `tokens`
    the number of tokens it was billed for.
    """

    model: str
    flags: tuple[str, ...] = ()
    adapter: str | None = None
    shutdown_date: date | None = None
    training_loss: float | None = None
    seconds: float | None = None
    tokens: int | None = None
    versions: Mapping[str, str] = {}


class NotYet(Exception):
    """A service asks to come back later: after `seconds`, for the reason that it gives."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.reason = reason
        self.seconds = seconds


class Backend(Protocol):
    """A place where finetunes are made.

    Every method may raise `NotYet` when a rate limit or a daily limit is reached or the service
    cannot be reached for the moment, and `UsageError` for what the user has to mend.
    """

    name: BackendName
    pause: float
    """Seconds between two looks at the jobs."""
    outlives: bool
    """Whether jobs go on when this process ends. Where they do not, the same command makes anew
    what failed, without being asked to."""

    def find(self, spec: FinetuneSpec) -> str | None:
        """The job of this finetune that the backend knows of, failed and cancelled ones left out.

        Asked before anything is submitted: a process may have died between submitting a job and
        writing down its name.
        """
        ...

    def prepare(self, spec: FinetuneSpec) -> str:
        """Checks the data by the backend's own rules, uploads it, and returns its name there."""
        ...

    def submit(self, spec: FinetuneSpec, prepared: str) -> str:
        """Starts the finetune and returns the backend's name for the job."""
        ...

    def poll(self, job: str) -> Status:
        """How the job stands."""
        ...

    def events(self, job: str) -> Sequence[JobEvent]:
        """What the backend tells of the job, oldest first."""
        ...

    def cancel(self, job: str) -> None:
        """Stops the job; one that has ended is left as it is."""
        ...

    def checkpoints(self, job: str) -> Sequence[Checkpoint]:
        """The models from the middle of a training that succeeded, earliest first."""
        ...

    def resolve(self, job: str) -> Made:
        """The model that a job which succeeded has made."""
        ...

    def close(self) -> None:
        """Stops what this object has running on this machine; jobs of a service go on."""
        ...
