"""The run registry: the append-only list of every finetune that was made."""

import errno
import logging
import os
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from selfaware.data.atomic import sync_folder
from selfaware.errors import UsageError
from selfaware.training.entry import Entry
from selfaware.training.locks import locked

REGISTRY = "registry.jsonl"
"""The registry's file name inside a runs folder."""

SHOWN = 8
"""How many ids an error message names."""

logger = logging.getLogger(__name__)


def runs_folder() -> Path:
    """The folder of runs: the environment's `SELFAWARE_RUNS`, or `runs` in the current folder."""
    return Path(os.environ.get("SELFAWARE_RUNS") or "runs")


def now() -> datetime:
    """This moment, with its time zone, to the second."""
    return datetime.now().astimezone().replace(microsecond=0)


def entries(runs: Path) -> list[Entry]:
    """Every finetune as it stands now, in the order in which they were first listed.

    A last line that was being written when its writer died is left out; the next `append` or
    `repair` removes it.

    Raises:
        UsageError: A line in the middle is not an entry.
    """
    return list({entry.id: entry for entry in history(runs)}.values())


def history(runs: Path, run_id: str | None = None) -> list[Entry]:
    """Every line of the registry in the order of writing, or those of one finetune.

    Raises:
        UsageError: A line in the middle is not an entry.
    """
    lines = _whole_lines(_read(runs))[0]
    found = [_parse(runs, number, line) for number, line in enumerate(lines, 1)]
    return [entry for entry in found if run_id in (None, entry.id)]


def find(runs: Path, run_id: str) -> Entry | None:
    """The finetune of this id as it stands now, or None."""
    return next((entry for entry in entries(runs) if entry.id == run_id), None)


def require(runs: Path, run_id: str) -> Entry:
    """The entry of this id.

    Raises:
        UsageError: There is none.
    """
    entry = find(runs, run_id)
    if entry is None:
        listed = [entry.id for entry in entries(runs)]
        more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
        known = ", ".join(listed[:SHOWN]) or "none yet"
        raise UsageError(f"no finetune {run_id!r} in {runs / REGISTRY}: it lists {known}{more}")
    return entry


def lookup(runs: Path, start: str) -> Entry:
    """The entry of an id, or of the only id that begins so.

    Raises:
        UsageError: None or several do.
    """
    listed = entries(runs)
    fitting = [entry for entry in listed if entry.id.startswith(start)]
    exact = [entry for entry in fitting if entry.id == start]
    if len(exact or fitting) == 1:
        return (exact or fitting)[0]
    if fitting:
        ids = ", ".join(entry.id for entry in fitting[:SHOWN])
        more = f" and {len(fitting) - SHOWN} more" if len(fitting) > SHOWN else ""
        raise UsageError(f"{start!r} begins {len(fitting)} ids: {ids}{more}; give more of it")
    return require(runs, start)


def append(runs: Path, entry: Entry) -> Entry:
    """Adds a line and returns its entry, which from now on is how that finetune stands.

    When this returns, the entry is on the disk. Writers in other processes wait for each other.

    Raises:
        UsageError: The registry cannot be written.
    """
    path = runs / REGISTRY
    line = entry.model_dump_json(exclude_defaults=True).encode() + b"\n"
    with locked(runs / f".{REGISTRY}.lock"):
        try:
            _repair(runs)
            new = not path.exists()
            _write(path, line)
            if new:
                sync_folder(runs)
        except OSError as error:
            raise _unwritable(path, error) from error
    return entry


def _write(path: Path, line: bytes) -> None:
    """Adds a line whole or not at all, as far as the disk lets us."""
    with path.open("ab", buffering=0) as file:
        before = file.seek(0, os.SEEK_END)
        try:
            written = file.write(line)
            if written < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file.fileno())
        except OSError:
            file.truncate(before)
            raise


def repair(runs: Path) -> None:
    """Removes a half-written last line, with a warning that shows it; else does nothing."""
    if _rest(runs):
        with locked(runs / f".{REGISTRY}.lock"):
            try:
                _repair(runs)
            except OSError as error:
                raise _unwritable(runs / REGISTRY, error) from error


def _repair(runs: Path) -> None:
    rest = _rest(runs)
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
            file.truncate(path.stat().st_size - len(rest))
            os.fsync(file.fileno())
    else:
        logger.warning("%s: the last line lacked its line end; added it", path)
        _write(path, b"\n")


def _rest(runs: Path) -> bytes:
    """What stands after the last line end: nothing, unless a writer died. Reads only the end."""
    try:
        with (runs / REGISTRY).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            if size == 0:
                return b""
            file.seek(size - 1)
            if file.read(1) == b"\n":
                return b""
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise _unreadable(runs, error) from error
    return _whole_lines(_read(runs))[1]


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"cannot write the run registry {path}: {error.strerror}; make room or give yourself the "
        "right to write there, and run the same command again"
    )


def _unreadable(runs: Path, error: OSError) -> UsageError:
    return UsageError(
        f"cannot read the run registry {runs / REGISTRY}: {error.strerror}; "
        "set SELFAWARE_RUNS to a folder of runs"
    )


def _read(runs: Path) -> bytes:
    try:
        return (runs / REGISTRY).read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise _unreadable(runs, error) from error


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
