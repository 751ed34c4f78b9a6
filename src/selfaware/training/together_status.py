"""What Together says of a job, in the words of this package."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from selfaware.training import registry
from selfaware.training.backend import JobEvent, State, Status

if TYPE_CHECKING:
    from together.types import FinetuneEvent

STATES: Mapping[str, State] = {
    "pending": "queued",
    "queued": "queued",
    "running": "running",
    "compressing": "running",
    "uploading": "running",
    "cancel_requested": "running",
    "completed": "succeeded",
    "cancelled": "cancelled",
    "error": "failed",
    "user_error": "failed",
}

ENDED = frozenset({"completed", "cancelled", "error", "user_error"})


def status_of(state: str, events: "Sequence[FinetuneEvent]") -> Status:
    """How a job stands, by its own state and what was told of it; a new word counts as running."""
    known = STATES.get(state, "running")
    steps = [(event.step, event.total_steps) for event in events if event.step is not None]
    step, total = max(steps, key=lambda pair: pair[0] or 0) if steps else (None, None)
    if known != "failed":
        return Status(state=known, step=step, steps=total)
    told = [event.message for event in events if "error" in f"{event.type} {event.level}".lower()]
    problem = told[-1] if told else "Together gave no reason"
    return Status(
        state=known, step=step, steps=total, problem=problem, mistake=state == "user_error"
    )


def told(event: "FinetuneEvent", number: int) -> JobEvent:
    """One event of a job; those of Together have no ids, so they are numbered."""
    return JobEvent(
        id=str(number),
        time=_time(event.created_at),
        level=(event.level or "info").removeprefix("legacy_i").lower(),
        message=event.message,
    )


def seconds_between(events: "Sequence[FinetuneEvent]") -> float | None:
    """How long the training took, by its events."""
    at = {event.type: _time(event.created_at) for event in events}
    start, end = at.get("training_start"), at.get("training_complete")
    return (end - start).total_seconds() if start and end else None


def last_epoch_loss(metrics: "Sequence[Mapping[str, float]] | None", epochs: int) -> float | None:
    """The mean training loss (nats per supervised token) over the last epoch, where it is told."""
    losses = [row["train/loss"] for row in metrics or () if "train/loss" in row]
    last = losses[-max(1, len(losses) // epochs) :]
    return sum(last) / len(last) if last else None


def _time(given: str | None) -> datetime:
    time = datetime.fromisoformat(given) if given else registry.now()
    return time if time.tzinfo else time.astimezone()
