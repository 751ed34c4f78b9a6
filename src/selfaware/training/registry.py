"""The run registry: the append-only list of every finetune that was made."""

import logging
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from filelock import FileLock
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from selfaware.data.atomic import sync_folder
from selfaware.errors import UsageError

REGISTRY = "registry.jsonl"
"""The registry's file name inside a runs folder."""

logger = logging.getLogger(__name__)


class Entry(BaseModel):
    """One finetune: what it was made from, where it lives, how Inspect calls it.

    `adapter` is a folder relative to the runs folder. `training_loss` is the mean loss (nats per
    supervised token) over the last epoch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[0-9a-z][0-9a-z_.-]*$")
    created: AwareDatetime
    base: str
    base_sha256: str
    dataset: str
    dataset_sha256: str
    rows: int = Field(ge=1)
    hyperparameters: Mapping[str, JsonValue]
    seed: int
    backend: str
    adapter: str
    model: str
    training_loss: float
    seconds: float
    behavior: str | None = None
    pole: str | None = None
    versions: Mapping[str, str]


def runs_folder() -> Path:
    """The folder of runs: the environment's `SELFAWARE_RUNS`, or `runs` in the current folder."""
    return Path(os.environ.get("SELFAWARE_RUNS") or "runs")


def now() -> datetime:
    """This moment, with its time zone, to the second."""
    return datetime.now().astimezone().replace(microsecond=0)


def entries(runs: Path) -> list[Entry]:
    """Every entry in the order of making, the first of any that share an id.

    A last line that was being written when its writer died is left out; the next `append` or
    `repair` removes it.

    Raises:
        UsageError: A line in the middle is not an entry.
    """
    found: dict[str, Entry] = {}
    for number, line in enumerate(_whole_lines(_read(runs))[0], 1):
        entry = _parse(runs, number, line)
        found.setdefault(entry.id, entry)
    return list(found.values())


def find(runs: Path, run_id: str) -> Entry | None:
    """The entry of this id, or None."""
    return next((entry for entry in entries(runs) if entry.id == run_id), None)


def require(runs: Path, run_id: str) -> Entry:
    """The entry of this id.

    Raises:
        UsageError: There is none.
    """
    entry = find(runs, run_id)
    if entry is None:
        known = ", ".join(entry.id for entry in entries(runs)) or "none yet"
        raise UsageError(f"no finetune {run_id!r} in {runs / REGISTRY}: it lists {known}")
    return entry


def append(runs: Path, entry: Entry) -> Entry:
    """Adds an entry and returns it; an id that is already listed is left as it is and returned.

    When this returns, the entry is on the disk. Writers in other processes wait for each other.
    """
    with _lock(runs):
        _repair(runs)
        present = find(runs, entry.id)
        if present is not None:
            return present
        path = runs / REGISTRY
        new = not path.exists()
        with path.open("ab") as file:
            file.write(entry.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if new:
            sync_folder(runs)
    return entry


def repair(runs: Path) -> None:
    """Removes a half-written last line, with a warning that shows it; else does nothing."""
    if _whole_lines(_read(runs))[1]:
        with _lock(runs):
            _repair(runs)


def _repair(runs: Path) -> None:
    content = _read(runs)
    rest = _whole_lines(content)[1]
    if not rest:
        return
    path = runs / REGISTRY
    try:
        Entry.model_validate_json(rest)
    except ValidationError:
        logger.warning(
            "%s: removed a half-written last line: %r", path, rest.decode(errors="replace")
        )
        with path.open("r+b") as file:
            file.truncate(len(content) - len(rest))
            os.fsync(file.fileno())
    else:
        logger.warning("%s: the last line lacked its line end; added it", path)
        with path.open("ab") as file:
            file.write(b"\n")
            file.flush()
            os.fsync(file.fileno())


def _lock(runs: Path) -> FileLock:
    try:
        runs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot make the runs folder {runs}: {error.strerror}; set SELFAWARE_RUNS to another"
        ) from error
    return FileLock(runs / f".{REGISTRY}.lock")


def _read(runs: Path) -> bytes:
    try:
        return (runs / REGISTRY).read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise UsageError(
            f"cannot read the run registry {runs / REGISTRY}: {error.strerror}; "
            "set SELFAWARE_RUNS to a folder of runs"
        ) from error


def _whole_lines(content: bytes) -> tuple[list[bytes], bytes]:
    *whole, rest = content.split(b"\n")
    return whole, rest


def _parse(runs: Path, number: int, line: bytes) -> Entry:
    try:
        return Entry.model_validate_json(line)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"]) or "line"
        raise UsageError(
            f"{runs / REGISTRY}, line {number}: {place}: {fault['msg']}; mend or remove this line"
        ) from error
