"""What a clone of the authors' release holds, and which known files it lacks."""

from collections import deque
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from selfaware.data.release_catalogue import Kind, KnownFile
from selfaware.data.release_clone import (
    expected_files,
    is_as_released,
    is_there,
    opened_source,
    require_clone,
    set_name,
    twin_of,
)
from selfaware.data.release_findings import (
    Finding,
    file_findings,
    note,
    question_findings,
    repeated_prompts,
    word_findings,
)
from selfaware.data.release_python import (
    behavior_prompts,
    listed_variants,
    named_strings,
    parse_python,
)
from selfaware.data.release_rows import RowFacts
from selfaware.data.release_texts import read_questions, read_text, read_words
from selfaware.data.rows import sha256_file, stream_rows
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
        findings = (Finding(code=code, text=error.message), *note(known))
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
            found = question_findings(source, questions)
            return len(questions), {}, (*found, *file_findings(source, known, len(questions)))
        case "words":
            words = read_words(source)
            found = word_findings(words)
            return len(words), {}, (*found, *file_findings(source, known, len(words)))
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
            facts = RowFacts(known)
            deque(facts.passing(stream_rows(source)), maxlen=0)
            return facts.rows, facts.labels(), facts.findings(source, twin_of(clone, known))
