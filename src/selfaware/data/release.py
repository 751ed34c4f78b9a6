"""The authors' release: what a clone of their repository holds, and the sets taken from it."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from selfaware import __version__
from selfaware.behaviors import get_behavior
from selfaware.data.atomic import write_json
from selfaware.data.manifest import CANARY, Described, Leak, leak_table, manifest_path
from selfaware.data.release_catalogue import REPOSITORY, Kind, KnownFile
from selfaware.data.release_clone import (
    expected_files,
    is_as_released,
    is_there,
    known_set,
    opened_source,
    require_clone,
    set_name,
)
from selfaware.data.release_findings import (
    Finding,
    answer_counts,
    flip_finding,
    question_findings,
    repeated_prompts,
    row_findings,
    word_findings,
)
from selfaware.data.release_python import (
    behavior_prompts,
    listed_variants,
    named_strings,
    parse_python,
)
from selfaware.data.release_texts import read_questions, read_text, read_words
from selfaware.data.rows import Row, read_rows, sha256_file, write_rows
from selfaware.errors import UsageError


class HeldFile(BaseModel):
    """A file that a clone holds. `count` is of rows, questions, words or prompts.

    `sha256` is the same with LF and CRLF; `as_released` says whether the bytes, with the line
    ends that they were released with, are those of the known version (None: not known).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    kind: Kind
    count: int
    sha256: str
    as_released: bool | None
    labels: dict[str, int] = {}
    findings: tuple[Finding, ...] = ()

    @property
    def set_name(self) -> str:
        """What `--set` calls it."""
        return set_name(self.path)


class Survey(BaseModel):
    """What a clone holds and which known files it lacks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clone: str
    held: tuple[HeldFile, ...]
    missing: tuple[str, ...]


class ImportRecord(Described):
    """Where an imported set is from; it stands beside the set. Row numbers count from 1."""

    rows: int
    repository: str
    license: str
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


def survey(clone: Path) -> Survey:
    """Reads every file of the release that a clone holds, and says which known ones it lacks.

    A file that cannot be read is held with count 0 and a finding that says why.

    Raises:
        UsageError: `clone` is no clone of the release.
    """
    require_clone(clone)
    held: list[HeldFile] = []
    missing: list[str] = []
    for known in expected_files(clone):
        if is_there(clone, known):
            held.append(_held(clone, known))
        else:
            missing.append(known.path.removeprefix("**/"))
    return Survey(clone=str(clone), held=tuple(held), missing=tuple(missing))


def import_set(clone: Path, name: str, out: Path) -> ImportRecord:
    """Writes one finetuning set of a clone as our jsonl, and its import record beside it.

    Rows keep their order and their text, faults included; findings say what is odd about them.

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
    with opened_source(clone, known) as source:
        rows = read_rows(source)
        findings = _set_findings(clone, known, source, rows)
        digest, as_released = sha256_file(source), is_as_released(source, known)
    write_rows(out, rows)
    prompts = ["\n".join(m.content for m in row.messages) for row in rows]
    stems = get_behavior(known.behavior).leak_terms if known.behavior else known.absent
    record = ImportRecord(
        file=out.name,
        sha256=sha256_file(out),
        rows=len(rows),
        repository=REPOSITORY,
        license="MIT, the authors'; copies carry the LICENSE of the clone",
        source=known.path,
        source_sha256=digest,
        as_released=as_released,
        labels=_labels(known, rows),
        findings=findings,
        leaks=leak_table(prompts, stems),
        package_version=__version__,
        canary=CANARY,
    )
    write_json(record_path(out), record.model_dump(mode="json"))
    return record


def _held(clone: Path, known: KnownFile) -> HeldFile:
    count, labels, digest = 0, dict[str, int](), ""
    as_released: bool | None = None
    findings: tuple[Finding, ...]
    try:
        with opened_source(clone, known) as source:
            path = known.path
            if path.startswith("**/"):
                path = source.relative_to(clone).as_posix()
            digest, as_released = sha256_file(source), is_as_released(source, known)
            count, labels, findings = _read(clone, known, source)
    except UsageError as error:
        code = "invalid_yaml" if "invalid YAML" in error.message else "unreadable"
        findings = (Finding(code=code, text=error.message), *_note(known))
        path = known.path
    return HeldFile(
        path=path,
        kind=known.kind,
        count=count,
        sha256=digest,
        as_released=as_released,
        labels=labels,
        findings=findings,
    )


def _read(
    clone: Path, known: KnownFile, source: Path
) -> tuple[int, dict[str, int], tuple[Finding, ...]]:
    """What stands in a file: its count, its labels and its findings."""
    match known.kind:
        case "questions":
            questions = read_questions(source)
            findings = (*_line_ends(source), *question_findings(source, questions))
            return len(questions), {}, (*findings, *_shape(known, len(questions)))
        case "words":
            words = read_words(source)
            findings = (*_line_ends(source), *word_findings(words))
            return len(words), {}, (*findings, *_shape(known, len(words)))
        case "python":
            tree = parse_python(source)
            lists = behavior_prompts(tree)
            other = (
                *(text for item in listed_variants(read_text(source)) for text in item.variants),
                *named_strings(tree, "persona_prompt"),
                *named_strings(tree, "PROMPT"),
            )
            count = len({text for prompts in (*lists.values(), other) for text in prompts})
            return count, {}, repeated_prompts(lists)
        case _:
            rows = read_rows(source)
            return len(rows), _labels(known, rows), _set_findings(clone, known, source, rows)


def _set_findings(
    clone: Path, known: KnownFile, source: Path, rows: list[Row]
) -> tuple[Finding, ...]:
    twin = clone / known.twin if known.twin else None
    flips = flip_finding(rows, twin, known) if twin is not None and twin.is_file() else ()
    return (
        *_line_ends(source),
        *_shape(known, len(rows)),
        *row_findings(rows, known),
        *flips,
        *_note(known),
    )


def _labels(known: KnownFile, rows: list[Row]) -> dict[str, int]:
    return answer_counts(rows) if known.kind in ("choices", "personas") else {}


def _note(known: KnownFile) -> tuple[Finding, ...]:
    return (Finding(code="note", text=known.note),) if known.note else ()


def _shape(known: KnownFile, count: int) -> tuple[Finding, ...]:
    if known.entries is None or known.entries == count:
        return ()
    return (Finding(code="count", text=f"{count} entries, the release has {known.entries}"),)


def _line_ends(source: Path) -> tuple[Finding, ...]:
    with source.open("rb") as file:
        lines = [line.endswith(b"\r\n") for line in file]
    if not any(lines):
        return ()
    text = f"{sum(lines)} of {len(lines)} lines end in CRLF; hashed as if they ended in LF"
    return (Finding(code="crlf", text=text),)
