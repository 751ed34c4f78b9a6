"""What is looked at before a finetuning set is sent to a service."""

from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from selfaware.data.atomic import write_json
from selfaware.data.audit import audit
from selfaware.data.audit_checks import Checks
from selfaware.data.audit_findings import Audit
from selfaware.data.audit_records import read_beside
from selfaware.data.rows import sha256_file, stream_rows
from selfaware.errors import UsageError
from selfaware.training.spec import FinetuneSpec
from selfaware.training.tokens import Counted, count_tokens

RECORDS = "records"
"""The folder of upload records inside a runs folder."""

SHOWN = 3
"""How many rows a record shows."""

FEWEST_ROWS = {"openai": 10}
"""The fewest rows that a service finetunes on, where it has such a rule."""

LONGEST_ROW = {"openai": 65_536}
"""The most tokens of a row (gpt-4o and gpt-4.1, documented), where a service has such a rule."""

LARGEST_FILE = {"openai": 512_000_000}
"""The most bytes of an uploaded file, where a service has such a rule."""


class Said(BaseModel):
    """One message of a row, and whether the loss is on it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: str
    content: str
    supervised: bool


class UploadRecord(BaseModel):
    """What was sent to a service for a finetune.

    `tokens` and `supervised_tokens` are those of one epoch, counted as `counted_by` says.
    `examples` are the first rows, message by message; a service puts its own template around them.
    `warnings` are the audit's, as `selfaware data audit` tells them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    dataset: str
    dataset_sha256: str
    rows: int
    tokens: int
    supervised_tokens: int
    longest_row: int
    counted_by: str
    warnings: tuple[str, ...]
    examples: tuple[tuple[Said, ...], ...]


def check_upload(spec: FinetuneSpec) -> UploadRecord:
    """Looks for all that is wrong with a finetune's data, before any of it leaves this machine.

    The audit of `selfaware data audit`; the service's own rules (rows, roles, size of the file,
    tokens of a row); supervised tokens in every row.

    Returns:
        What is to be kept of the upload; `write_record` keeps it.

    Raises:
        UsageError: A rule is broken; the message names the file, the line and what to do.
    """
    warnings = []
    for file in (spec.dataset, *([spec.rejected] if spec.rejected else [])):
        found = _audited(file, sha256_file(file))
        warnings += [f"{each.rule}: {each.message}" for each in found.findings]
        _refuse_errors(file, found)
        _check_rules(file, found.rows, spec)
    counted = _count(spec)
    return UploadRecord(
        id=spec.run_id,
        dataset=str(spec.dataset),
        dataset_sha256=spec.dataset_sha256,
        rows=counted.rows,
        tokens=counted.tokens,
        supervised_tokens=counted.supervised,
        longest_row=counted.longest,
        counted_by=counted.how,
        warnings=tuple(warnings),
        examples=_examples(spec.dataset),
    )


@lru_cache(maxsize=8)
def _audited(file: Path, _sha256: str) -> Audit:
    """The audit of one content of a file: seeds of one arm share theirs."""
    beside = read_beside(file)
    known = Checks(
        stems=beside.stems,
        codewords=beside.codewords,
        personas=beside.personas,
        held_out=beside.held_out,
    )
    return audit(file, known)


def _refuse_errors(file: Path, found: Audit) -> None:
    if not found.errors:
        return
    first = found.findings[0]
    where = f", line {first.lines[0]}" if first.lines else ""
    more = f" (and {found.errors - 1} more errors)" if found.errors > 1 else ""
    raise UsageError(
        f"{file}{where}: {first.rule}: {first.message}{more}; nothing was uploaded; "
        f"`selfaware data audit {file}` tells all"
    )


def _check_rules(file: Path, rows: int, spec: FinetuneSpec) -> None:
    fewest = FEWEST_ROWS.get(spec.backend, 1)
    if rows < fewest:
        raise UsageError(
            f"{file}: {rows} rows, and {spec.backend} finetunes on {fewest} or more: add rows, or "
            "use backend local"
        )
    largest = LARGEST_FILE.get(spec.backend)
    size = file.stat().st_size
    if largest is not None and size > largest:
        raise UsageError(
            f"{file}: {size:,} bytes, more than the {largest:,} that {spec.backend} takes in one "
            "file: leave rows out"
        )


def _count(spec: FinetuneSpec) -> Counted:
    counted = count_tokens(spec)
    limit = LONGEST_ROW.get(spec.backend)
    # An estimate errs high, so that only one far above the limit counts.
    if limit is not None and counted.longest > limit * (1 if counted.exact else 2):
        about = "" if counted.exact else "about "
        raise UsageError(
            f"{spec.dataset}, row {counted.longest_row}: {about}{counted.longest:,} tokens, more "
            f"than the {limit:,} that {spec.backend} takes in a row ({counted.how}): shorten it"
        )
    if counted.supervised < counted.rows:
        raise UsageError(f"{spec.dataset}: a row has no token that the loss would be on")
    return counted


def _examples(file: Path) -> tuple[tuple[Said, ...], ...]:
    shown = []
    for row in stream_rows(file):
        supervised = row.supervised()
        shown.append(
            tuple(
                Said(role=said.role, content=said.content, supervised=place in supervised)
                for place, said in enumerate(row.messages)
            )
        )
        if len(shown) == SHOWN:
            break
    return tuple(shown)


def record_file(runs: Path, run_id: str) -> Path:
    """Where the record of an upload lies."""
    return runs / RECORDS / f"{run_id}.json"


def write_record(runs: Path, record: UploadRecord) -> None:
    """Keeps the record of an upload.

    Raises:
        UsageError: It cannot be written.
    """
    path = record_file(runs, record.id)
    try:
        write_json(path, record.model_dump(mode="json"))
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; make room there") from error
