"""Locks on files: one writer of the registry at a time, one maker of a finetune at a time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from selfaware.errors import UsageError


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds a lock, after waiting for whoever holds it now.

    Raises:
        UsageError: The lock's file cannot be made.
    """
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot make the folder {folder}: {error.strerror}; set SELFAWARE_RUNS to another"
        ) from error
    if not os.access(folder, os.W_OK):
        raise UsageError(
            f"cannot write to the runs folder {folder}: set SELFAWARE_RUNS to a folder that you "
            "may write to"
        )
    lock = FileLock(path)
    try:
        lock.acquire()
    except OSError as error:
        raise UsageError(
            f"cannot make the lock {path}: {error.strerror}; make room there, or set "
            "SELFAWARE_RUNS to a folder with room"
        ) from error
    try:
        yield
    finally:
        lock.release()


def run_lock(runs: Path, run_id: str) -> Path:
    """The lock that whoever makes a finetune holds."""
    return runs / "locks" / f"{run_id}.lock"


def is_held(path: Path) -> bool | None:
    """Whether any process holds a lock now; None where that cannot be found out."""
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # a folder that is read-only here may be written to elsewhere
        return None
    lock.release()
    return False
