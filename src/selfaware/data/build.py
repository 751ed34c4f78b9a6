"""Building a finetuning set of two-option choices for one pole of a behaviour."""

from pathlib import Path
from statistics import fmean
from typing import Literal

from selfaware import __version__
from selfaware.behaviors import get_behavior
from selfaware.data.atomic import write_json
from selfaware.data.manifest import (
    CANARY,
    Balance,
    Manifest,
    association,
    leak_table,
    manifest_path,
)
from selfaware.data.rows import (
    Row,
    duplicate_prompts,
    question_and_answer,
    read_rows,
    sha256_file,
    write_rows,
)
from selfaware.errors import UsageError

GENERATOR_VERSION = 1
"""Rises whenever the same behaviour, seed and count would give other items."""

SPLIT: Literal["train"] = "train"
OTHER_LETTER = {"A": "B", "B": "A"}


def build(behavior: str, pole: str, rows: int, seed: int, out: Path) -> Manifest:
    """Writes a finetuning set and its manifest, and returns the manifest.

    A row is one choice: the user's prompt and the letter that the pole picks (the paper's A/B
    sets, appendix C.1). The same arguments write the same bytes; the other pole's set has the same
    prompts in the same order and every letter flipped.

    Raises:
        UsageError: Unknown behaviour or pole, fewer than 2 rows, or a place that cannot be written.
    """
    taught = get_behavior(behavior)
    taught.require_pole(pole)
    if rows < 2:
        raise UsageError(f"cannot build {rows} rows: a dataset has 2 or more")
    items = taught.items(rows, seed, SPLIT)
    letters = [
        item.high_letter if pole == taught.high else OTHER_LETTER[item.high_letter]
        for item in items
    ]
    made = [
        question_and_answer(item.prompt, letter)
        for item, letter in zip(items, letters, strict=True)
    ]
    _refuse_duplicates(made, out)
    write_rows(out, made)

    prompts = [item.prompt for item in items]
    attributes = {
        name: [item.attributes[name] for item in items] for name in sorted(items[0].attributes)
    }
    lengths = [len(prompt) for prompt in prompts]
    manifest = Manifest(
        file=out.name,
        sha256=sha256_file(out),
        rows=len(made),
        behavior=behavior,
        pole=pole,
        seed=seed,
        split=SPLIT,
        labels={letter: letters.count(letter) for letter in sorted(OTHER_LETTER)},
        attributes={
            name: Balance(
                counts={value: values.count(value) for value in sorted(set(values))},
                association=round(association(values, letters), 4),
            )
            for name, values in attributes.items()
        },
        prompt_characters={"mean": round(fmean(lengths), 1), "max": max(lengths)},
        leaks=leak_table(prompts, taught.leak_terms),
        generator_version=GENERATOR_VERSION,
        package_version=__version__,
        canary=CANARY,
    )
    write_json(manifest_path(out), manifest.model_dump(mode="json"))
    return manifest


def check_flip(file_a: Path, file_b: Path) -> int:
    """Checks that two sets have the same prompts in the same order and every letter flipped.

    Returns:
        The number of rows.

    Raises:
        UsageError: They do not; the message names the first row that differs.
    """
    rows_a, rows_b = read_rows(file_a), read_rows(file_b)
    if len(rows_a) != len(rows_b):
        raise UsageError(
            f"{file_b} is not the flip of {file_a}: {len(rows_b)} rows against {len(rows_a)}"
        )
    for number, (row_a, row_b) in enumerate(zip(rows_a, rows_b, strict=True), 1):
        if row_a.messages[:-1] != row_b.messages[:-1]:
            raise UsageError(
                f"{file_b} is not the flip of {file_a}: row {number} has another prompt"
            )
        if OTHER_LETTER.get(row_a.answer) != row_b.answer:
            raise UsageError(
                f"{file_b} is not the flip of {file_a}: row {number} answers {row_b.answer!r} "
                f"against {row_a.answer!r}; a flip turns A into B and B into A"
            )
    return len(rows_a)


def _refuse_duplicates(rows: list[Row], out: Path) -> None:
    pairs = duplicate_prompts(rows)
    if pairs:
        first, again = pairs[0]
        raise UsageError(
            f"{out}: rows {first} and {again} have the same prompt; ask for fewer rows"
        )
