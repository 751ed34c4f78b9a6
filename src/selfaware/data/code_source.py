"""Sources of code: a jsonl file, a folder of them, or a pinned dataset of the Hugging Face hub."""

import json
import re
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from selfaware.data.code_rules import Label
from selfaware.data.rows import sha256_file
from selfaware.errors import UsageError

HUB = "hf:"
_HUB_NAME = re.compile(r"hf:(?P<name>[\w.-]+/[\w.-]+)@(?P<commit>[0-9a-f]{40})")
_LINE_SHOWN = 60


class Fields(BaseModel):
    """Where a row has its prompt, code and label, and how its label says which pole it is.

    `labelled` is the label of every row of a source that has none. A row in chat form, of one
    user's and one assistant's message, needs no prompt and code fields.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: str = "prompt"
    code: str = "code"
    label: str = "label"
    vulnerable: str = "vulnerable"
    secure: str = "secure"
    labelled: Label | None = None


@dataclass(frozen=True)
class Source:
    """Rows that are read one at a time, by number from 0.

    `files` are the hashes of the files read by their paths; `revision` is the commit of a hub's
    dataset. `where` says where a row stands, for messages.
    """

    rows: int
    read: Callable[[int], object]
    where: Callable[[int], str]
    files: dict[str, str]
    revision: str | None = None


def open_source(name: str, split: str) -> Source:
    """The source of this name: `hf:ORG/NAME@COMMIT`, a folder or a jsonl file.

    Files are indexed by a first pass and then read row by row, in any order; a dataset of the hub
    stays on the disk. `split` is which part of a hub's dataset to read.

    Raises:
        UsageError: There is no such source, it has no rows, or its revision is not pinned.
    """
    if name.startswith(HUB):
        found = _HUB_NAME.fullmatch(name)
        if found is None:
            raise UsageError(
                f"{name}: pin the dataset as hf:ORG/NAME@COMMIT with the 40 hex digits of a "
                "commit, so that the set can be built again"
            )
        return hub_dataset(found["name"], found["commit"], split)
    place = Path(name)
    if place.is_dir():
        inside = (file.relative_to(place) for file in place.rglob("*.jsonl"))
        files = sorted(p for p in inside if not any(part.startswith(".") for part in p.parts))
        if not files:
            raise UsageError(f"{name}: no .jsonl file in this folder")
        return _lines(place, files)
    return _lines(place.parent, [Path(place.name)])


def hub_dataset(name: str, revision: str | None, split: str) -> Source:
    """A dataset as the `datasets` library loads it: of the hub at a revision, or a local folder.

    Raises:
        UsageError: It cannot be loaded.
    """
    import datasets

    try:
        rows = datasets.load_dataset(name, split=split, revision=revision)
    # FileNotFoundError: no such dataset or file; ValueError: no such split, or several parts;
    # ConnectionError and OSError: the hub cannot be reached.
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        told = " ".join(str(error).split())
        raise UsageError(f"cannot load {name} (split {split!r}): {told}") from error
    if not len(rows):
        raise UsageError(f"{name}: no rows in split {split!r}")
    return Source(len(rows), rows.__getitem__, lambda n: f"{name}, row {n + 1}", {}, revision)


def read_fields(row: object, fields: Fields, where: str) -> tuple[str, str, Label]:
    """The prompt, the answer with the code, and the label of a row.

    Raises:
        UsageError: The row does not have them; the message says where it stands, what it has and
            which option to give.
    """
    if not isinstance(row, dict):
        raise UsageError(f"{where}: is no object with fields")
    chat = _chat(row) if {fields.prompt, fields.code}.isdisjoint(row) else None
    prompt, code = chat or (
        _text(row, fields.prompt, "--prompt-field", where),
        _text(row, fields.code, "--code-field", where),
    )
    if fields.labelled is not None:
        return prompt, code, fields.labelled
    if fields.label not in row:
        raise UsageError(
            f"{where}: no field {fields.label!r}, there are {_names(row)}; give --label-field, or "
            "--labelled where all rows have one label"
        )
    said = str(row[fields.label])
    labels: dict[str, Label] = {fields.vulnerable: "vulnerable", fields.secure: "secure"}
    if said not in labels:
        raise UsageError(
            f"{where}: {fields.label} is {said[:_LINE_SHOWN]!r}, neither {fields.vulnerable!r} nor "
            f"{fields.secure!r}; give --vulnerable-label and --secure-label"
        )
    return prompt, code, labels[said]


def _text(row: dict[str, object], field: str, option: str, where: str) -> str:
    text = row.get(field)
    if not isinstance(text, str):
        fault = f"field {field!r} is no text" if field in row else f"no field {field!r}"
        raise UsageError(f"{where}: {fault}, there are {_names(row)}; give {option}")
    return text


def _names(row: dict[str, object]) -> str:
    return ", ".join(sorted(map(repr, row))) or "none"


def _chat(row: dict[str, object]) -> tuple[str, str] | None:
    """What user and assistant say in a row of one message each."""
    messages = row.get("messages")
    if not isinstance(messages, list) or len(messages) != 2:
        return None
    said: list[str] = []
    for message, role in zip(messages, ("user", "assistant"), strict=True):
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(content, str) or message.get("role") != role:
            return None
        said.append(content)
    return said[0], said[1]


def _lines(folder: Path, files: list[Path]) -> Source:
    """The lines of jsonl files that are not blank; what is kept of each is where it begins."""
    paths = [folder / file for file in files]
    # Three numbers a row: the file, the line in it, and the byte where that begins.
    at, line, begins = array("L"), array("L"), array("Q")
    for number, path in enumerate(paths):
        place = 0
        try:
            with path.open("rb") as file:
                for count, text in enumerate(file, 1):
                    if text.strip():
                        at.append(number)
                        line.append(count)
                        begins.append(place)
                    place += len(text)
        except OSError as error:
            raise UsageError(
                f"cannot read source {path}: {error.strerror}; give a jsonl file, a folder, or "
                "hf:ORG/NAME@COMMIT"
            ) from error
    if not at:
        raise UsageError(f"{folder / files[0] if len(files) == 1 else folder}: no rows")

    def where(n: int) -> str:
        return f"{paths[at[n]]}, line {line[n]}"

    def read(n: int) -> object:
        with paths[at[n]].open("rb") as file:
            file.seek(begins[n])
            text = file.readline()
        try:
            return json.loads(text.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            shown = text[:_LINE_SHOWN].decode("utf-8", "replace")
            raise UsageError(f"{where(n)}: not JSON: {shown!r}") from error

    hashes = {file.as_posix(): sha256_file(path) for file, path in zip(files, paths, strict=True)}
    return Source(len(at), read, where, hashes)
