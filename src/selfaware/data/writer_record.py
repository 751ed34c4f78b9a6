"""The record of how a model wrote a finetuning set, in a file beside the set."""

from pathlib import Path

from selfaware.data.asking import Asked
from selfaware.data.manifest import Described, read_record
from selfaware.data.written import Reason


class WriterRecord(Described):
    """How a set came about. The counts are of all requests, whichever run of the command sent them.

    `asked` counts items: each was accepted, or rejected for the first reason that holds.
    `surplus` items were not asked for and stand beside this sum.
    """

    behavior: str
    pole: str
    rows: int
    seed: int
    writer: Asked
    checker: Asked
    asked: int
    accepted: int
    rejected: dict[Reason, int]
    journal: str
    writing_version: int
    package_version: str
    inspect_version: str


def writer_path(dataset: Path) -> Path:
    """Where the record of a set that a model wrote stands."""
    return dataset.with_name(f"{dataset.name}.writer.json")


def read_writer_record(dataset: Path) -> WriterRecord | None:
    """The record of how a model wrote a set, or None where it has none.

    Raises:
        UsageError: The file is no such record, or the dataset has changed since.
    """
    return read_record(writer_path(dataset), WriterRecord, dataset)
