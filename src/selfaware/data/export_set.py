"""A finetuning set with the records beside it, read and checked for export."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from selfaware.behaviors import BEHAVIORS
from selfaware.data.answering import AnswerRecord, answer_path
from selfaware.data.build import OTHER_LETTER, TEMPLATE
from selfaware.data.code_set import CodeRecord, code_path
from selfaware.data.manifest import Leak, Manifest, manifest_path, read_manifest, read_record
from selfaware.data.recipes import MixRecord, mix_path
from selfaware.data.release import ImportRecord, license_path, record_path
from selfaware.data.reversal_set import ReversalRecord, reversal_path
from selfaware.data.rows import Row, read_rows, sha256_file
from selfaware.data.writer_record import WriterRecord, read_writer_record, writer_path
from selfaware.errors import UsageError


@dataclass(frozen=True)
class ExportSet:
    """One jsonl file with what is known of it. `name` is fit for a file and a configuration."""

    path: Path
    name: str
    rows: tuple[Row, ...]
    sha256: str
    manifest: Manifest | None
    mix: MixRecord | None
    reversal: ReversalRecord | None
    imported: ImportRecord | None
    answers: AnswerRecord | None
    written: WriterRecord | None
    code: CodeRecord | None

    @property
    def records(self) -> tuple[Path, ...]:
        """The files beside the set that say what it is."""
        beside = (
            (manifest_path(self.path), self.manifest),
            (mix_path(self.path), self.mix),
            (reversal_path(self.path), self.reversal),
            (record_path(self.path), self.imported),
            (answer_path(self.path), self.answers),
            (writer_path(self.path), self.written),
            (code_path(self.path), self.code),
        )
        records = tuple(path for path, record in beside if record is not None)
        licensed = self.imported is not None and self.imported.license_file is not None
        return (*records, license_path(self.path)) if licensed else records

    @property
    def leaks(self) -> dict[str, Leak] | None:
        """The leak table of the manifest or of the import; None where nobody looked."""
        known = self.manifest or self.imported
        return known.leaks if known else None

    @property
    def license(self) -> str | None:
        """`mit` for rows of our templates and of the authors' release; None where not known."""
        if self.imported is not None:
            return "mit"
        # What a model wrote is under its provider's terms.
        if self.manifest is not None and self.manifest.writer != TEMPLATE:
            return None
        # A mix may hold rows of any file: its record has their hashes, not where they are from.
        mixed = self.mix is not None or self.reversal is not None
        if self.manifest is None or mixed or self.manifest.writer != TEMPLATE:
            return None
        return "mit" if self.manifest.behavior in BEHAVIORS else None

    @property
    def weighted(self) -> bool:
        """Whether a message has a weight."""
        return any(said.weight is not None for row in self.rows for said in row.messages)

    def letters(self) -> dict[str, int] | None:
        """How many rows answer each letter; None where an answer is no letter."""
        answers = Counter(row.answer for row in self.rows)
        return dict(sorted(answers.items())) if set(answers) <= set(OTHER_LETTER) else None


def read_set(path: Path) -> ExportSet:
    """Reads a jsonl file, its manifest and its other records, where it has them.

    Raises:
        UsageError: A row or a record is not valid, or a record is of another version of the file.
    """
    rows = tuple(read_rows(path))
    digest = sha256_file(path)
    return ExportSet(
        path=path,
        name=re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("._-") or "set",
        rows=rows,
        sha256=digest,
        manifest=read_manifest(path),
        mix=read_record(mix_path(path), MixRecord, path),
        imported=_imported(path),
        reversal=read_record(reversal_path(path), ReversalRecord, path),
        answers=read_record(answer_path(path), AnswerRecord, path),
        written=read_writer_record(path),
        code=read_record(code_path(path), CodeRecord, path),
    )


def _imported(path: Path) -> ImportRecord | None:
    record = read_record(record_path(path), ImportRecord, path)
    if record is not None and record.license_file and not license_path(path).is_file():
        raise UsageError(
            f"{path}: {record.license_file} is missing, and copies carry it: import the set again"
        )
    return record


def read_sets(files: list[Path]) -> list[ExportSet]:
    """Reads every file, in order.

    Raises:
        UsageError: No file, two that would have the same name, or as in `read_set`.
    """
    if not files:
        raise UsageError("no file to export: give one or more jsonl files")
    sets: dict[str, ExportSet] = {}
    for file in files:
        found = read_set(file)
        first = sets.setdefault(found.name.lower(), found)
        if first is not found:
            raise UsageError(
                f"{first.path} and {file} would both be {found.name}.parquet: "
                "give each file once, or rename one"
            )
    return list(sets.values())
