"""Stopping finetunes that are on their way."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from selfaware.errors import UsageError
from selfaware.training import registry
from selfaware.training.backend import FINAL, NotYet
from selfaware.training.connect import connect
from selfaware.training.entry import Entry
from selfaware.training.locks import is_held, run_lock
from selfaware.training.standing import MADE_HERE


class Outcome(NamedTuple):
    """What became of a wish to stop a finetune."""

    id: str
    stopped: bool
    note: str


def unfinished(entries: Sequence[Entry]) -> list[Entry]:
    """The finetunes that can be stopped."""
    return [entry for entry in entries if entry.state not in FINAL]


def cancel(runs: Path, entry: Entry) -> Outcome:
    """Stops a finetune at its backend, and writes down that it was stopped.

    Where another process follows the job, that process writes it down. One that another process
    of this machine makes is left alone: only that process can stop it.

    Raises:
        UsageError: The backend cannot be asked, or the registry cannot be written.
    """
    if entry.state in FINAL:
        return Outcome(entry.id, False, f"it has {entry.state} already")
    held = is_held(run_lock(runs, entry.id))
    if entry.backend in MADE_HERE:
        if held:
            return Outcome(
                entry.id,
                False,
                "another process is making it: stop that one (Ctrl-C where `selfaware run` runs); "
                "what it has made stays",
            )
        return _write(runs, entry, "cancelled", "nobody was making it; it is marked as cancelled")
    if entry.job is None or entry.backend == "adopted":
        return _write(runs, entry, "cancelled", "nothing was submitted; it is marked as cancelled")
    with closing(connect(entry.backend, entry.endpoint, runs)) as backend:
        try:
            backend.cancel(entry.job)
            state = backend.poll(entry.job).state
        except NotYet as wait:
            raise UsageError(
                f"{entry.id} was not cancelled: {wait.reason}; try again in {wait.seconds:.0f} s"
            ) from None
    if held:
        return Outcome(
            entry.id, True, f"{entry.backend} was told; the process that follows it ends"
        )
    if state == "cancelled":
        return _write(runs, entry, "cancelled", f"cancelled at {entry.backend}")
    if state in FINAL:
        note = f"it had {state} before; `selfaware run FILE` takes it in"
        return Outcome(entry.id, False, note)
    return Outcome(entry.id, True, f"{entry.backend} was told, and says that it is {state}")


def _write(runs: Path, entry: Entry, state: str, note: str) -> Outcome:
    now = registry.require(runs, entry.id)
    changes = {"state": state, "created": registry.now(), "problem": "cancelled by the user"}
    registry.append(runs, Entry.model_validate({**dict(now), **changes}))
    return Outcome(entry.id, True, note)
