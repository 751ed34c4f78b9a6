"""Whether listed finetunes are still what and where the registry says."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Literal, NamedTuple

from selfaware.errors import UsageError
from selfaware.training import registry
from selfaware.training.backend import NotYet
from selfaware.training.connect import connect
from selfaware.training.entry import Entry
from selfaware.training.fingerprint import fingerprint
from selfaware.training.hub_models import NotThere, look_up
from selfaware.training.remote import Kept, ask_openai
from selfaware.training.serving import HUB

Verdict = Literal["ok", "no hash", "changed", "missing", "shut down", "not asked"]

FAULTS: frozenset[Verdict] = frozenset({"changed", "missing", "shut down", "not asked"})
"""The verdicts that make a check fail. What could not be asked about is not known to be well."""


class Checked(NamedTuple):
    """What was found out about a finetune."""

    id: str
    verdict: Verdict
    note: str = ""


def verify(runs: Path, entries: Sequence[Entry], today: date) -> Iterator[Checked]:
    """Looks at the weights of every finetune that is made, here or at its service.

    A shutdown date that a service tells is written into the registry.

    Raises:
        UsageError: The registry cannot be written.
    """
    for entry in entries:
        if entry.state == "succeeded":
            yield _check(runs, entry, today)


def _check(runs: Path, entry: Entry, today: date) -> Checked:
    if entry.adapter and "://" not in entry.adapter:
        return _check_folder(runs, entry)
    try:
        if entry.adapter and entry.adapter.startswith(HUB):
            return _check_hub(entry)
        kept = _ask(runs, entry)
    except NotThere as error:
        return Checked(entry.id, "missing", error.message)
    except NotYet as wait:
        return Checked(entry.id, "not asked", wait.reason)
    except UsageError as error:
        return Checked(entry.id, "not asked", error.message)
    if not kept.there:
        return Checked(entry.id, "missing", f"the service has no {entry.model} any more")
    if kept.shutdown_date not in (None, entry.shutdown_date):
        changes = {"shutdown_date": kept.shutdown_date, "created": registry.now()}
        registry.append(runs, registry.require(runs, entry.id).model_copy(update=changes))
    ends = kept.shutdown_date or entry.shutdown_date
    if ends is not None and ends <= today:
        return Checked(entry.id, "shut down", f"on {ends}")
    return Checked(entry.id, "ok", f"until {ends}" if ends else "")


def _check_folder(runs: Path, entry: Entry) -> Checked:
    folder = runs / (entry.adapter or "")
    try:
        found = fingerprint(folder)
    except UsageError as error:
        return Checked(entry.id, "missing", error.message)
    if found is None:
        return Checked(entry.id, "missing", f"no weights in {folder}")
    if entry.adapter_sha256 is None:
        return Checked(entry.id, "no hash", "listed before hashes were kept; the files are there")
    if found != entry.adapter_sha256:
        return Checked(entry.id, "changed", f"{folder} holds other weights than were made")
    return Checked(entry.id, "ok")


def _check_hub(entry: Entry) -> Checked:
    place = (entry.adapter or "").removeprefix(HUB)
    found = look_up(place)
    if entry.adapter_sha256 not in (None, found.sha256):
        return Checked(entry.id, "changed", f"{place} holds other weights than were adopted")
    return Checked(entry.id, "ok")


def _ask(runs: Path, entry: Entry) -> Kept:
    provider, _, name = (entry.model or "").partition("/")
    if provider in ("openai", "openai-api"):
        own = name if provider == "openai" else name.partition("/")[2]
        return ask_openai(own, entry.endpoint)
    if entry.backend == "adopted" or entry.job is None:
        raise UsageError(f"nothing is known that could be asked about {entry.model}")
    with closing(connect(entry.backend, entry.endpoint, runs)) as backend:
        return Kept(True, backend.resolve(entry.job).shutdown_date)
