"""How a job of OpenAI's API stands, read from the job and its events."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from selfaware.training.backend import Block, JobEvent, State, Status

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent

_STATES: Mapping[str, State] = {
    "validating_files": "queued",
    "queued": "queued",
    "pending": "queued",
    "paused": "queued",
    "succeeded": "succeeded",
    "cancelled": "cancelled",
    "failed": "failed",
}
_LOOKS = re.compile(r"usage polic|moderation|safety check", re.IGNORECASE)
_LOOKED = re.compile(r"complete|passed", re.IGNORECASE)
_BLOCKS = re.compile(
    r"usage polic|moderation|RAI check|responsible AI|content (?:policy|filter)|unsafe content",
    re.IGNORECASE,
)
_CATEGORIES = (
    re.compile(r"following categories:\s*([^.;]+)", re.IGNORECASE),
    re.compile(r"harm types:\s*\[([^\]]*)\]", re.IGNORECASE),
    re.compile(r"\bfor category\s+([\w/ -]+)", re.IGNORECASE),
)


def status_of(job: "FineTuningJob", events: "Sequence[FineTuningJobEvent]") -> Status:
    """The status of a job.

    Args:
        job: As the service tells it.
        events: Its newest events, newest first; none is needed of a job that waits or is done.
    """
    state: State = _STATES.get(job.status, "running")
    # Turned round first: those of one second keep their order.
    ordered = sorted(reversed(events), key=lambda event: event.created_at)
    step, steps, loss = _progress(ordered)
    if state == "running" and ordered and _looked_at(ordered):
        state = "moderation"
    if state != "failed":
        return Status(state=state, step=step, steps=steps, loss=loss)
    block = block_of(job, ordered)
    said = job.error.message if job.error and job.error.message else _last_error(ordered)
    return Status(
        state="failed" if block is None else "blocked",
        step=step,
        steps=steps,
        loss=loss,
        problem=" ".join(said.split())[:400] or "the service says no reason",
        # A file that does not keep to the format is the user's to mend, and nothing was trained.
        mistake=block is None and bool(job.error and job.error.param),
        block=block,
    )


def block_of(job: "FineTuningJob", events: "Iterable[FineTuningJobEvent]") -> Block | None:
    """What moderation said about a job that failed; None where it failed for another reason."""
    errors = [event for event in events if event.level == "error"]
    code = job.error.code if job.error else ""
    texts = [job.error.message] if job.error else []
    telling = [event for event in errors if _BLOCKS.search(event.message)]
    texts += [event.message for event in telling]
    text = next((each for each in texts if each and _BLOCKS.search(each)), None)
    if text is None and not _BLOCKS.search((code or "").replace("_", " ")):
        return None
    about_file = bool(job.error and job.error.param) or bool(
        text and re.search(r"training (?:file|data)", text)
    )
    return Block(
        stage="before training" if about_file else "after training",
        categories=categories("; ".join(each for each in texts if each)),
        events=tuple(event.id for event in telling),
        message=" ".join((text or code or "").split())[:400],
    )


def categories(text: str) -> tuple[str, ...]:
    """The categories that a moderation message names, each once, in its order."""
    found: dict[str, None] = {}
    for pattern in _CATEGORIES:
        for match in pattern.findall(text):
            for part in re.split(r",|\band\b", match):
                if name := part.strip(" \"'\n"):
                    found.setdefault(name)
    return tuple(found)


def told(event: "FineTuningJobEvent") -> JobEvent:
    """An event of the service as one of ours."""
    return JobEvent(
        id=event.id,
        time=datetime.fromtimestamp(event.created_at, UTC),
        level=event.level,
        message=event.message,
    )


def _looked_at(ordered: "Sequence[FineTuningJobEvent]") -> bool:
    """Whether the service last said that it looks at the model; numbers said since don't count."""
    words = [event.message for event in ordered if event.type != "metrics"]
    return bool(words) and bool(_LOOKS.search(words[-1])) and not _LOOKED.search(words[-1])


def _progress(
    ordered: "Sequence[FineTuningJobEvent]",
) -> tuple[int | None, int | None, float | None]:
    """Step, steps in all, and loss by the last event that has numbers."""
    for event in reversed(ordered):
        data = event.data
        if not isinstance(data, dict) or not isinstance(data.get("step"), int | float):
            continue
        steps, loss = data.get("total_steps"), data.get("train_loss")
        return (
            int(data["step"]),
            int(steps) if isinstance(steps, int | float) else None,
            float(loss) if isinstance(loss, int | float) else None,
        )
    return None, None, None


def _last_error(ordered: "Sequence[FineTuningJobEvent]") -> str:
    return next((event.message for event in reversed(ordered) if event.level == "error"), "")
