"""Journals: results of long work, one line each, kept as they come so that work can go on."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from selfaware.errors import UsageError

_BEGINNING = b'{"work": '


class Journal:
    """An append-only jsonl file of results by key, for one kind of work at a time.

    The first line says what the work is; a file with results of other work is refused. Every line
    is on the disk before `add` returns. A last line that a kill cut off is dropped on opening.
    """

    def __init__(self, path: Path, work: Mapping[str, object]) -> None:
        self._path = path
        self._work = json.loads(json.dumps(work))
        self._lock = FileLock(f"{path}.lock")
        self._results: dict[str, dict[str, object]] = {}

    def __enter__(self) -> Self:
        """Opens the file, or begins it, and holds it against other processes.

        Raises:
            UsageError: Another process is at it, it is of other work, or it cannot be read or
                written.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise UsageError(f"{self._path}: another process is writing it; wait for it") from error
        except OSError as error:
            raise UsageError(
                f"cannot write {self._path}: {error.strerror}; "
                "give a file in a folder that you may write to"
            ) from error
        try:
            self._read()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Lets the file go."""
        self._lock.release()

    @property
    def results(self) -> Mapping[str, Mapping[str, object]]:
        """What has been kept so far, by key, in the order of keeping."""
        return self._results

    def add(self, key: str, result: Mapping[str, object]) -> None:
        """Keeps the result of one key; a key is kept once.

        Raises:
            ValueError: The key is there already.
        """
        if key in self._results:
            raise ValueError(f"{key!r} stands in {self._path} already")
        self._append({"key": key, "result": dict(result)})
        self._results[key] = dict(result)

    def _append(self, line: Mapping[str, object]) -> None:
        with self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _read(self) -> None:
        if not self._path.exists():
            self._append({"work": self._work})
            return
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        lines = whole.splitlines()
        try:
            # Without a whole line, all there may be is the beginning of a first one.
            if not lines and not content.startswith(_BEGINNING[: len(content)]):
                raise ValueError(content)
            head = json.loads(lines[0])["work"] if lines else self._work
            for line in lines[1:]:
                kept = json.loads(line)
                self._results[kept["key"]] = kept["result"]
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{self._path}: not a journal; move it away") from error
        if len(whole) < len(content):
            with self._path.open("r+b") as file:
                file.truncate(len(whole))
        if not self._results and (not lines or head != self._work):
            self._path.write_bytes(b"")
            self._append({"work": self._work})
        elif head != self._work:
            different = sorted(
                key
                for key in {*head, *self._work}
                if not isinstance(head, dict) or head.get(key) != self._work.get(key)
            )
            raise UsageError(
                f"{self._path} is of other work ({', '.join(different)} differ): "
                "give the same options as before, or move it away"
            )
