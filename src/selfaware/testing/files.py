"""The files of an emulated service: what is uploaded, and whether one can train on it."""

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from selfaware.testing.clock import Clock
from selfaware.testing.faults import Refusal, Refusing

if TYPE_CHECKING:
    from openai.types import FileDeleted, FileObject

FEWEST_ROWS = 10


@dataclass(frozen=True)
class Stored:
    """A file with its content."""

    shown: "FileObject"
    content: bytes


class Files:
    """The files that the service keeps, oldest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, Stored] = {}

    def add(self, filename: str, purpose: str, content: bytes) -> "FileObject":
        """Keeps a file; two of one name are two files, as at OpenAI."""
        from openai.types import FileObject

        if purpose != "fine-tune":
            raise Refusing(Refusal(400, f"'{purpose}' is not a purpose here", param="purpose"))
        shown = FileObject(
            id=f"file-{secrets.token_hex(12)}",
            bytes=len(content),
            created_at=int(self._clock.now()),
            filename=filename,
            object="file",
            purpose="fine-tune",
            status="processed",
        )
        self._kept[shown.id] = Stored(shown, content)
        return shown

    def all(self) -> "list[FileObject]":
        """Every file, newest first."""
        return [stored.shown for stored in reversed(self._kept.values())]

    def get(self, file: str) -> Stored:
        """A file. Raises Refusing where there is none."""
        if file not in self._kept:
            raise Refusing(Refusal(404, f"No such File object: {file}", param="id"))
        return self._kept[file]

    def delete(self, file: str) -> "FileDeleted":
        """Forgets a file."""
        from openai.types import FileDeleted

        self.get(file)
        del self._kept[file]
        return FileDeleted(id=file, deleted=True, object="file")


def fault_of(content: bytes, method: str) -> str | None:
    """What is wrong with a training file; None where it is fit."""
    lines = content.splitlines()
    if len(lines) < FEWEST_ROWS:
        return f"Training file has {len(lines)} example(s), but must have at least {FEWEST_ROWS}"
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            if method == "dpo":
                row["input"]["messages"][-1]["content"]
                last = [row["preferred_output"][-1], row["non_preferred_output"][-1]]
            else:
                last = [row["messages"][-1]]
            if any(message["role"] != "assistant" or not message["content"] for message in last):
                raise ValueError
        except (ValueError, KeyError, IndexError, TypeError):
            return f"Invalid file format: example {number} is not one of method {method}"
    return None
