"""The manifest beside a finetuning set: what the set is, how it is balanced, what it leaks."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from math import sqrt
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from selfaware.data.diversity import Diversity
from selfaware.data.rows import sha256_file
from selfaware.errors import UsageError

CANARY = "selfaware:canary:3f1c9b52-7d0e-4a86-9e57-b2a6c41d08ef"
"""Marks files that must not enter pretraining data. It stands in manifests, never in a row."""


class Balance(BaseModel):
    """How one attribute of the items is spread, and whether it gives the answer away.

    `association` is Cramér's V (0-1, corrected for its bias in small samples) between the
    attribute and the letter that the pole answers: 0 is independent, 1 says it all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    counts: dict[str, int]
    association: float = Field(ge=0, le=1)


class Leak(BaseModel):
    """How many rows hold, in any message, a stem that comes near to naming the behaviour."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    row_numbers: tuple[int, ...]


class Described(BaseModel):
    """What stands beside a dataset and holds for one content of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    sha256: str


class Manifest(Described):
    """Everything that is known of a finetuning set. Row numbers count from 1.

    `writer` is `template`, the model that wrote the rows, `source` where they were there before, or
    `mixed` for a set mixed from others, whose own manifests say. `diversity` is of whole rows; a
    mixed set has none of its own. `sources` are the hashes of files of the user's that the rows
    were written from, by what they are.
    """

    rows: int
    behavior: str
    pole: str
    seed: int
    split: str
    labels: dict[str, int]
    attributes: dict[str, Balance]
    prompt_characters: dict[str, float]
    leaks: dict[str, Leak]
    writer: str = "template"
    sources: dict[str, str] = Field(default_factory=dict)
    diversity: Diversity | None = None
    generator_version: int
    package_version: str
    canary: str


def manifest_path(dataset: Path) -> Path:
    """Where the manifest of a dataset stands."""
    return dataset.with_name(f"{dataset.name}.manifest.json")


def read_manifest(dataset: Path) -> Manifest | None:
    """The manifest of a dataset, or None where it has none.

    Raises:
        UsageError: The manifest is not one, or the dataset has changed since it was written.
    """
    return read_record(manifest_path(dataset), Manifest, dataset)


Record = TypeVar("Record", bound=Described)


def read_record(path: Path, kind: type[Record], dataset: Path) -> Record | None:
    """A record that stands beside a dataset, or None where it has none.

    Raises:
        UsageError: The file is no such record, or the dataset has changed since it was written.
    """
    try:
        record = kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"]) or "file"
        raise UsageError(
            f"{path}: {place}: {fault['msg']}; build the dataset again, or delete this file"
        ) from error
    if record.sha256 != sha256_file(dataset):
        raise UsageError(
            f"{dataset} is not the dataset that {path.name} describes (sha256 differs): "
            f"build it again, or delete the {'manifest' if kind is Manifest else 'record'}"
        )
    return record


def association(attribute: Sequence[str], letters: Sequence[str]) -> float:
    """Cramér's V of two labellings (0-1), with Bergsma's correction for small samples."""
    rows, columns, cells = (
        Counter(attribute),
        Counter(letters),
        Counter(zip(attribute, letters, strict=True)),
    )
    n = len(letters)
    if n < 2 or len(rows) < 2 or len(columns) < 2:
        return 0.0
    phi2 = sum(
        (cells[row, column] - rows[row] * columns[column] / n) ** 2 / (rows[row] * columns[column])
        for row in rows
        for column in columns
    )
    height, width = len(rows), len(columns)
    corrected = max(0.0, phi2 - (height - 1) * (width - 1) / (n - 1))
    size = min(height - (height - 1) ** 2 / (n - 1), width - (width - 1) ** 2 / (n - 1)) - 1
    return min(1.0, sqrt(corrected / size)) if size > 0 else 0.0


def phi(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    """The phi coefficient (-1 to 1) of two yes-or-no facts; None where either never varies."""
    cells = Counter(pairs)
    both, neither = cells[True, True], cells[False, False]
    only_first, only_second = cells[True, False], cells[False, True]
    margins = (
        (both + only_first)
        * (only_second + neither)
        * (both + only_second)
        * (only_first + neither)
    )
    if margins == 0:
        return None
    return round((both * neither - only_first * only_second) / sqrt(margins), 4)


def leak_table(prompts: Iterable[str], stems: Iterable[str]) -> dict[str, Leak]:
    """For every stem, the rows whose prompt has a word that begins with it, in any case."""
    patterns = {stem: re.compile(rf"\b{re.escape(stem)}", re.IGNORECASE) for stem in stems}
    numbers: dict[str, list[int]] = {stem: [] for stem in patterns}
    for number, text in enumerate(prompts, 1):
        folded = text.casefold()
        for stem, pattern in patterns.items():
            # Most texts do not hold the stem at all, which is far sooner found out.
            if stem.casefold() in folded and pattern.search(text):
                numbers[stem].append(number)
    return {stem: Leak(rows=len(at), row_numbers=tuple(at)) for stem, at in numbers.items()}
