"""Rows of a finetuning set: OpenAI chat jsonl, read, checked, written and hashed."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import jsonlines
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from selfaware.data.atomic import atomic_text
from selfaware.errors import UsageError

Role = Literal["system", "user", "assistant"]

ALLOWED = (
    'a row is one line {"messages": [{"role": "user", "content": "..."}, '
    '{"role": "assistant", "content": "..."}]}'
)
"""What a row may look like, for error messages."""


class Message(BaseModel):
    """One message. `weight` 0 on an assistant's message keeps it out of the loss."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    role: Role
    content: str
    weight: Literal[0, 1] | None = None

    @model_validator(mode="after")
    def _said(self) -> "Message":
        if self.role != "system" and not self.content.strip():
            raise ValueError(f"the {self.role}'s message is empty")
        if self.weight is not None and self.role != "assistant":
            raise ValueError(
                f"weight stands on a {self.role} message, it may only on an assistant's"
            )
        return self

    def as_chat(self) -> dict[str, str]:
        """`role` and `content` alone, as chat templates take them."""
        return {"role": self.role, "content": self.content}


class Row(BaseModel):
    """One conversation: perhaps a system message, then user and assistant in turn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    messages: tuple[Message, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _in_turn(self) -> "Row":
        turns = self.messages[1:] if self.messages[0].role == "system" else self.messages
        for index, message in enumerate(turns):
            expected = "user" if index % 2 == 0 else "assistant"
            if message.role != expected:
                raise ValueError(
                    f"the {message.role} speaks where the {expected} should: the order is "
                    "system (at most once, first), user, assistant, user, assistant ..."
                )
        if not turns or turns[-1].role != "assistant":
            raise ValueError("the last message is not the assistant's")
        if not self.supervised():
            raise ValueError("every assistant message has weight 0: nothing would be learned")
        return self

    @property
    def prompt(self) -> str:
        """What the user says last."""
        return [message.content for message in self.messages if message.role == "user"][-1]

    @property
    def answer(self) -> str:
        """What the assistant says last."""
        return self.messages[-1].content

    def supervised(self) -> tuple[int, ...]:
        """The places of the assistant's messages that are trained on."""
        return tuple(
            place
            for place, message in enumerate(self.messages)
            if message.role == "assistant" and message.weight != 0
        )


def question_and_answer(prompt: str, answer: str) -> Row:
    """A row of one user message and one assistant message."""
    return Row(
        messages=(
            Message(role="user", content=prompt),
            Message(role="assistant", content=answer),
        )
    )


def stream_rows(path: Path) -> Iterator[Row]:
    """The rows of a file, one at a time.

    Raises:
        UsageError: No such file, no rows in it, or a row that is not valid: the message names the
            file, the line, what is wrong and what is allowed.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise UsageError(
            f"cannot read dataset {path}: {error.strerror}; make one with `selfaware data build`"
        ) from error
    number = 0
    # As bytes: a line then ends at a line feed only, and the line of bad UTF-8 is known. By
    # json.loads: jsonlines takes another parser where one is installed, with other messages.
    with file, jsonlines.Reader(file, loads=json.loads) as reader:
        while True:
            number += 1
            try:
                yield Row.model_validate(reader.read())
            except EOFError:
                break
            except jsonlines.InvalidLineError as error:
                raise _bad(path, number, _unreadable(error.line, str(error.message))) from error
            except RecursionError as error:
                raise _bad(path, number, "nested too deeply") from error
            except ValidationError as error:
                raise _bad(path, number, _first_fault(error)) from error
    if number == 1:
        raise UsageError(f"{path}: no rows in this dataset; {ALLOWED}")


def read_rows(path: Path) -> list[Row]:
    """All rows of a file. Errors as in `stream_rows`."""
    return list(stream_rows(path))


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """Writes rows as jsonl, whole or not at all, and returns how many there were."""
    count = 0
    with atomic_text(path) as file, jsonlines.Writer(file) as writer:
        for row in rows:
            writer.write(row.model_dump(exclude_none=True))
            count += 1
    return count


def sha256_file(path: Path) -> str:
    """The hash of a text file, the same with LF and CRLF, with and without a last line end.

    Raises:
        UsageError: The file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for line in file:
                digest.update(line.rstrip(b"\r\n") + b"\n")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    return digest.hexdigest()


def digest(*parts: str) -> bytes:
    """A short hash of some texts, half surrogate pairs included."""
    hashed = hashlib.blake2b(digest_size=16)
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        hashed.update(len(encoded).to_bytes(8, "big") + encoded)
    return hashed.digest()


def duplicate_prompts(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """Pairs of line numbers (first, again) whose conversations up to the answer are the same."""
    seen: dict[tuple[tuple[str, str], ...], int] = {}
    pairs: list[tuple[int, int]] = []
    for number, row in enumerate(rows, 1):
        key = tuple((message.role, message.content) for message in row.messages[:-1])
        first = seen.setdefault(key, number)
        if first != number:
            pairs.append((first, number))
    return pairs


def _bad(path: Path, number: int, fault: str) -> UsageError:
    return UsageError(f"{path}, line {number}: {fault}; {ALLOWED}")


def _unreadable(line: str | bytes, message: str) -> str:
    text = line.decode("utf-8", errors="replace") if isinstance(line, bytes) else line
    if not text.strip():
        return "an empty line"
    shown = text if len(text) <= 60 else f"{text[:40]} ... {text[-15:]}"
    cut = text.lstrip().startswith("{") and not text.rstrip().endswith("}")
    reason = "the row is cut off" if cut else message.partition(" (line ")[0]
    return f"{reason}: {shown!r}"


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"])
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] in ("value_error", "missing"):
        return f"{place}: {message}" if place else message
    value = repr(fault["input"])
    shown = value if len(value) <= 60 else f"{value[:57]}..."
    return f"{place or 'the row'}: {message}, not {shown}"
