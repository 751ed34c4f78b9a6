"""How a listed finetune really stands: what the registry cannot say about itself."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from selfaware.training.backend import FINAL
from selfaware.training.entry import Entry
from selfaware.training.locks import is_held, run_lock

MADE_HERE = frozenset({"local", "tinker"})
"""The backends whose finetunes go no further when the process that makes them ends."""

SOON = timedelta(days=90)
"""How long before its shutdown a model is warned about."""


@dataclass(frozen=True)
class Standing:
    """How a finetune stands, and what to do about it ("" where there is nothing).

    `state` is the registry's, or `stopped`: it is not done, and nobody is making it.
    """

    state: str
    advice: str = ""


def standing(runs: Path, entry: Entry) -> Standing:
    """How a finetune stands now, by the registry and by who holds its lock."""
    if entry.state == "succeeded":
        return Standing(entry.state)
    if entry.state == "blocked":
        return Standing(entry.state, "the service's moderation would not have it")
    again = "`selfaware run FILE` makes it" if entry.backend in MADE_HERE else (
        "`selfaware run FILE --retry` submits it again"
    )  # fmt: skip
    if entry.state in FINAL:
        return Standing(entry.state, again)
    held = is_held(run_lock(runs, entry.id))
    if held:
        return Standing(entry.state, "another process is making it")
    if entry.backend not in MADE_HERE:
        return Standing(
            entry.state,
            f"as of {entry.created:%Y-%m-%d %H:%M}; the job goes on at {entry.backend}, "
            "`selfaware run FILE` follows it",
        )
    if held is None:
        return Standing(entry.state, "whether it is being made cannot be seen from here")
    return Standing("stopped", "nobody is making it: `selfaware run FILE` goes on with it")


def shutdown_warning(entry: Entry, today: date) -> str | None:
    """What to say of a model that its service ends, or has ended, within 90 days."""
    ends = entry.shutdown_date
    if ends is None or entry.state != "succeeded" or ends - today > SOON:
        return None
    if ends <= today:
        return f"{entry.id}: {entry.model} was shut down on {ends}: it cannot be asked any more"
    left = (ends - today).days
    days = "1 day" if left == 1 else f"{left} days"
    return (
        f"{entry.id}: {entry.model} shuts down on {ends}, in {days}: ask it before, or train anew"
    )
