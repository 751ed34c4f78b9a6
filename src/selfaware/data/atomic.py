"""Files that are either whole or not there at all."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from selfaware.errors import UsageError


@contextmanager
def atomic_text(path: Path) -> Iterator[TextIO]:
    """A text file to write that takes its name only once all of it is on the disk.

    Lines end in a line feed on every system. An exception in the block leaves the old file as it
    was.

    Raises:
        UsageError: The place cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(21, "it is a folder")
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror}; give a file in a folder that you may write to"
        ) from error
    partial = Path(name)
    try:
        # mkstemp makes files private; a data file is to have the mode of any other new file.
        umask = os.umask(0)
        os.umask(umask)
        partial.chmod(0o666 & ~umask)
        with open(handle, "w", encoding="utf-8", newline="\n") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """A JSON file, indented, written whole or not at all."""
    with atomic_text(path) as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
        file.write("\n")


def sync_folder(folder: Path) -> None:
    """Forces a folder's list of names to the disk, where the system can do so."""
    if os.name == "nt":  # Windows opens no folders
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
