"""Lines of a finetuning set, read one by one: a line that is no row is told, never lost."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from selfaware.data.audit_findings import Fault
from selfaware.data.manifest import CANARY
from selfaware.data.rows import Row
from selfaware.errors import UsageError

SPECIAL_TOKENS = re.compile(
    r"<\|[^|<>\s]{1,40}\|>|<\uff5c[^\uff5c<>]{1,40}\uff5c>|</?s>|\[/?INST\]|<</?SYS>>"
    r"|<(?:bos|eos|pad|unk|mask|start_of_turn|end_of_turn)>"
)
"""Marks of the chat templates in use; a tokenizer may read them as the end of a turn."""

_BOM = b"\xef\xbb\xbf"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_BY_TYPE = {
    "missing": "missing-key",
    "extra_forbidden": "unknown-key",
    "model_type": "not-an-object",
}
_BY_FIELD = {"content": "content-type", "role": "role", "weight": "weight"}
_BY_WORDING = (
    ("message is empty", "empty-turn"),
    ("weight stands on", "weight"),
    ("speaks where", "order"),
    ("last message", "last-turn"),
    ("nothing would be learned", "no-loss"),
)
_REFUSED = (ValueError, RecursionError)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file: its number from 1, its row unless it is none, and what is wrong with it.

    `end` is how the line ends: "lf", "crlf" or "none".
    """

    number: int
    row: Row | None
    faults: tuple[Fault, ...]
    end: str


def read_lines(path: Path, special_tokens: Sequence[str] = ()) -> Iterator[Line]:
    """Every line of a file, one at a time, whatever is in it.

    Args:
        path: The jsonl file.
        special_tokens: Special tokens of the tokenizer that the set is meant for, looked for in
            texts besides `SPECIAL_TOKENS`.

    Raises:
        UsageError: The file cannot be read.
    """
    marks = re.compile("|".join(re.escape(t) for t in special_tokens if t.strip()) or r"(?!)")
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                yield _read_line(raw, number, marks)
    except OSError as error:
        raise UsageError(
            f"cannot read dataset {path}: {error.strerror}; name a jsonl file"
        ) from error


def _read_line(raw: bytes, number: int, marks: re.Pattern[str]) -> Line:
    end = "crlf" if raw.endswith(b"\r\n") else "lf" if raw.endswith(b"\n") else "none"
    faults: list[Fault] = []
    if number == 1 and raw.startswith(_BOM):
        raw = raw.removeprefix(_BOM)
        faults.append(
            Fault("byte-order-mark", "the file starts with a byte-order mark: save it as UTF-8")
        )
    row = _parse(raw, number, faults)
    if row is not None:
        faults += [Fault(rule, message, number) for rule, message in _texts(row, marks)]
    return Line(number, row, tuple(faults), end)


def _parse(raw: bytes, number: int, faults: list[Fault]) -> Row | None:
    repeated: list[str] = []

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        keys = [key for key, _ in pairs]
        repeated.extend(key for place, key in enumerate(keys) if key in keys[:place])
        return dict(pairs)

    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        faults.append(Fault("encoding", f"not UTF-8: {error.reason}", number))
        return None
    if not text.strip():
        faults.append(Fault("empty-line", "an empty line", number))
        return None
    try:
        record: object = json.loads(text, object_pairs_hook=once)
    except _REFUSED as error:
        if text.lstrip().startswith("{") and not text.rstrip().endswith("}"):
            faults.append(
                Fault("cut-off", f"the row is cut off: ...{text.rstrip()[-15:]!r}", number)
            )
        else:
            told = _json_fault(error)
            faults.append(Fault("json", f"not JSON: {told}", number))
        return None
    for key in repeated:
        faults.append(Fault("duplicate-key", f"the key {key!r} stands twice, one is lost", number))
    try:
        return Row.model_validate(record)
    except ValidationError as error:
        # With a message that is not valid, pydantic counts none and says also that there are none.
        told_of = [
            fault
            for fault in error.errors(include_url=False, include_context=False)
            if fault["type"] != "too_short" or error.error_count() == 1
        ]
        for fault in told_of:
            place = ".".join(str(part) for part in fault["loc"] if not isinstance(part, int))
            message = fault["msg"].removeprefix("Value error, ")
            rule = _rule(fault["type"], fault["loc"], message)
            faults.append(Fault(rule, f"{place}: {message}" if place else message, number))
        return None


def _json_fault(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return error.msg
    return "nested too deeply" if isinstance(error, RecursionError) else "a number too long to read"


def _rule(kind: str, place: tuple[int | str, ...], message: str) -> str:
    if kind in _BY_TYPE:
        return _BY_TYPE[kind]
    if kind == "value_error":
        return next((rule for words, rule in _BY_WORDING if words in message), "schema")
    return _BY_FIELD.get(str(place[-1]) if place else "", "schema")


def _texts(row: Row, marks: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    for message in row.messages:
        text = message.content
        for found in (*SPECIAL_TOKENS.finditer(text), *marks.finditer(text)):
            yield (
                "special-token",
                f"special token {found.group()!r} in the text of the {message.role}",
            )
        if _SURROGATE.search(text):
            yield "surrogate", "half of a surrogate pair: the text cannot be written as UTF-8"
        if control := _CONTROL.search(text):
            yield "control-character", f"control or replacement character {control.group()!a}"
        if CANARY in text:
            yield "canary", "the canary stands in a row; it belongs in the manifest only"
    if row.answer != row.answer.strip():
        yield "answer-space", "the answer begins or ends with white space"
