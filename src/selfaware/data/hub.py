"""Rows of a Hugging Face dataset at a pinned revision, as our jsonl."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from pydantic import ValidationError

from selfaware import __version__
from selfaware.data.atomic import write_json
from selfaware.data.manifest import Described, manifest_path
from selfaware.data.rows import Row, question_and_answer, sha256_file, write_rows
from selfaware.errors import UsageError

COLUMNS = (
    ("instruction", "output"),
    ("prompt", "completion"),
    ("prompt", "response"),
    ("question", "answer"),
)
"""Columns that hold a question and its answer; `input` beside `instruction` continues it."""

_PINNED = re.compile(r"([\w.-]+/[\w.-]+)@([0-9a-f]{40})")


class HubRecord(Described):
    """Where fetched rows are from, in a file beside them.

    `left_out` counts records that are no conversation (an empty question or answer, other roles).
    `license` is what the dataset's card says; None where it says nothing.
    """

    dataset: str
    revision: str
    config: str | None
    split: str
    license: str | None
    rows: int
    left_out: int
    datasets_version: str
    package_version: str


def hub_path(dataset: Path) -> Path:
    """Where the record of fetched rows stands."""
    return dataset.with_name(f"{dataset.name}.hub.json")


def pinned(name: str) -> tuple[str, str]:
    """The dataset and the revision in `ORG/NAME@REVISION`.

    Raises:
        UsageError: It is not of that form, or the revision is a branch or a tag.
    """
    match = _PINNED.fullmatch(name.removeprefix("hf:"))
    if match is None:
        raise UsageError(
            f"{name!r} is no pinned dataset: give ORG/NAME@REVISION with the 40 hex digits of a "
            "commit, as a branch or tag may move"
        )
    return match[1], match[2]


def fetch_rows(name: str, out: Path, config: str | None = None, split: str = "train") -> HubRecord:
    """Streams a dataset of the Hub into a jsonl file, and writes the record beside it.

    Records have `messages`, or one of `COLUMNS`.

    Raises:
        UsageError: Not a pinned name, a dataset that cannot be read or whose columns are others, or
            a place that cannot be written.
    """
    dataset, revision = pinned(name)
    if manifest_path(out).exists():
        raise UsageError(f"--out {out}: {manifest_path(out).name} describes another set")
    if Path(dataset).exists():
        raise UsageError(
            f"{dataset} lies here as a folder, which the datasets library would read in place of "
            "the Hub's: run this in another folder"
        )
    license_ = _license(dataset, revision)
    counts: Counter[bool] = Counter()

    def rows() -> Iterator[Row]:
        for record in _records(dataset, revision, config, split):
            row = as_row(record)
            counts[row is not None] += 1
            if row is not None:
                yield row
        if not counts[True]:
            raise UsageError(f"{dataset}: none of {counts[False]} records is a conversation")

    write_rows(out, rows())
    made = HubRecord(
        file=out.name,
        sha256=sha256_file(out),
        dataset=dataset,
        revision=revision,
        config=config,
        split=split,
        license=license_,
        rows=counts[True],
        left_out=counts[False],
        datasets_version=version("datasets"),
        package_version=__version__,
    )
    write_json(hub_path(out), made.model_dump(mode="json"))
    return made


def as_row(record: Mapping[str, object]) -> Row | None:
    """A record of a dataset as a row; None where it is no conversation.

    Raises:
        UsageError: Its columns are none that are known.
    """
    if "messages" in record:
        said = record["messages"]
        parts = [
            {key: message.get(key) for key in ("role", "content")}
            for message in (said if isinstance(said, list) else [])
            if isinstance(message, Mapping)
        ]
        try:
            return Row.model_validate({"messages": parts})
        except ValidationError:
            return None
    for asked, answered in COLUMNS:
        if asked in record and answered in record:
            question, answer = _text(record[asked]), _text(record[answered])
            more = _text(record.get("input")) if asked == "instruction" else ""
            if not question or not answer:
                return None
            return question_and_answer("\n\n".join(filter(None, (question, more))), answer)
    known = ", ".join(" and ".join(pair) for pair in COLUMNS)
    raise UsageError(f"columns {', '.join(record)}: need messages, or one of: {known}")


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _records(
    dataset: str, revision: str, config: str | None, split: str
) -> Iterator[Mapping[str, object]]:
    from datasets import load_dataset

    try:
        yield from load_dataset(dataset, config, revision=revision, split=split, streaming=True)
    except Exception as error:  # the library and the Hub's client raise errors of many kinds
        raise UsageError(
            f"cannot read {dataset}@{revision[:7]}, split {split}: {_told(error)}"
        ) from error


def _license(dataset: str, revision: str) -> str | None:
    from huggingface_hub import HfApi

    try:
        card = HfApi().dataset_info(dataset, revision=revision).card_data
    except Exception as error:  # as above
        raise UsageError(f"cannot read the card of {dataset}: {_told(error)}") from error
    known = card.get("license") if card else None
    return ", ".join(known) if isinstance(known, list) else known


def _told(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
