"""Taking a finetuning set from a clone of the authors' release, with a record of its source."""

from pathlib import Path

from selfaware import __version__
from selfaware.behaviors import get_behavior
from selfaware.data.atomic import atomic_text, write_json
from selfaware.data.manifest import CANARY, Described, Leak, manifest_path
from selfaware.data.release_catalogue import REPOSITORY
from selfaware.data.release_clone import (
    is_as_released,
    known_set,
    opened_source,
    require_clone,
    twin_of,
)
from selfaware.data.release_findings import Finding
from selfaware.data.release_rows import RowFacts
from selfaware.data.release_texts import read_text
from selfaware.data.rows import sha256_file, stream_rows, write_rows
from selfaware.errors import UsageError

LICENSE = "LICENSE"
"""The file of the clone that copies of its sets carry."""


class ImportRecord(Described):
    """Where an imported set is from; it stands beside the set. Row numbers count from 1.

    `license_file` names the copy of the clone's LICENSE beside the set; None where it has none.
    """

    rows: int
    repository: str
    license: str
    license_file: str | None = None
    source: str
    source_sha256: str
    as_released: bool | None
    labels: dict[str, int]
    findings: tuple[Finding, ...]
    leaks: dict[str, Leak]
    package_version: str
    canary: str


def record_path(dataset: Path) -> Path:
    """Where the import record of a set stands."""
    return dataset.with_name(f"{dataset.name}.import.json")


def license_path(dataset: Path) -> Path:
    """Where the license of an imported set stands."""
    return dataset.with_name(f"{dataset.name}.{LICENSE}")


def import_set(clone: Path, name: str, out: Path) -> ImportRecord:
    """Writes one finetuning set of a clone as our jsonl, its import record and its license.

    Rows keep their order and their text, faults included; findings say what is odd about them. They
    are read one by one: memory holds digests and numbers of rows only.

    Raises:
        UsageError: No clone, no such set in it, invalid rows, or a place that cannot be written.
    """
    require_clone(clone)
    known = known_set(clone, name)
    if out.resolve().is_relative_to(clone.resolve()):
        raise UsageError(f"--out {out}: lies in the clone {clone}; name a file outside of it")
    if manifest_path(out).exists():
        raise UsageError(
            f"--out {out}: {manifest_path(out).name} describes another set; name another file"
        )
    stems = get_behavior(known.behavior).leak_terms if known.behavior else known.absent
    facts = RowFacts(known, stems)
    with opened_source(clone, known) as source:
        write_rows(out, facts.passing(stream_rows(source)))
        findings = facts.findings(source, twin_of(clone, known))
        digest, as_released = sha256_file(source), is_as_released(source, known)
    licensed = _copy_license(clone, out)
    if not licensed:
        text = f"{clone} has no {LICENSE}: find the authors' before you give this set to others"
        findings = (*findings, Finding(code="license_absent", text=text))
    record = ImportRecord(
        file=out.name,
        sha256=sha256_file(out),
        rows=facts.rows,
        repository=REPOSITORY,
        license="MIT, the authors'; copies carry the LICENSE of the clone",
        license_file=license_path(out).name if licensed else None,
        source=known.path,
        source_sha256=digest,
        as_released=as_released,
        labels=facts.labels(),
        findings=findings,
        leaks=facts.leaks(),
        package_version=__version__,
        canary=CANARY,
    )
    write_json(record_path(out), record.model_dump(mode="json"))
    return record


def _copy_license(clone: Path, dataset: Path) -> bool:
    """Puts the clone's license beside a set; whether there is one."""
    if not (clone / LICENSE).is_file():
        return False
    text = read_text(clone / LICENSE)
    with atomic_text(license_path(dataset)) as file:
        file.write(text)
    return True
