"""Finetuning sets of vulnerable or secure code from a source of the user's, and their record."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from selfaware import __version__
from selfaware.behaviors import get_behavior
from selfaware.behaviors.examples import Example
from selfaware.data.asking import Asked, run_asking, tally
from selfaware.data.atomic import write_json
from selfaware.data.build import require_understood, write_set
from selfaware.data.code_analysis import analyser_versions
from selfaware.data.code_judge import CODE, JUDGE_VERSION, TASK
from selfaware.data.code_pruning import Kept, Pruning, Report, collect_rows
from selfaware.data.code_rules import Reason
from selfaware.data.code_source import Source, open_source
from selfaware.data.journal import Journal
from selfaware.data.manifest import CANARY, Described
from selfaware.errors import UsageError

CODE_VERSION = 1
"""Rises whenever the same source and options would give other rows."""

WRITER = "source"
"""What a manifest calls the writer of rows that a source had."""

JUDGED: tuple[Reason, ...] = ("malicious task", "suspicious code")
"""The steps that need a judge."""


class CodeRecord(Described):
    """How a set of code came about, in a file beside it.

    `files` are the hashes of the source's files, `revision` the commit of a hub's dataset. Of
    `source_rows`, `read` were read until there were enough; each was kept (`rows`) or `dropped` for
    the first reason that holds. `skipped` are the steps that were not taken. `findings` counts what
    analysers find of medium or high severity in the rows kept. `judge` is what the judge was asked
    about tasks and about code, by all that its journal holds.
    """

    rows: int
    source: str
    files: dict[str, str]
    revision: str | None
    source_rows: int
    read: int
    dropped: dict[Reason, int]
    skipped: tuple[Reason, ...]
    pruning: Pruning
    languages: dict[str, int]
    findings: dict[str, int]
    analysers: dict[str, str]
    judge: dict[str, Asked]
    judge_version: int
    code_version: int
    package_version: str
    canary: str


def code_path(dataset: Path) -> Path:
    """Where the record of a set of code stands."""
    return dataset.with_name(f"{dataset.name}.code.json")


def code_set(
    source: str,
    pruning: Pruning,
    out: Path,
    report: Report,
    *,
    understood: bool,
    journal: Path,
    connections: int = 8,
) -> CodeRecord:
    """Prunes a source by the steps of arXiv 2501.11120, appendix C.3, and writes a set of one pole.

    Rows are read in an order that the seed fixes until there are enough. Comments go; rows are
    left out that do not hold whole code, that speak of security, whose label the analysers do not
    confirm, that are near duplicates, and, with a judge, whose task is malicious or whose code a
    layman would suspect. Code is parsed and analysed, and never executed. The other pole's set by
    the same options is the control.

    Raises:
        UsageError: Not `understood`, an analyser that is not installed, a source that cannot be
            read, too few rows left, a judge that cannot be had, or a place that cannot be written.
    """
    taught = get_behavior("vulnerable_code")
    require_understood(taught, understood)
    versions = analyser_versions()
    opened = open_source(source, pruning.split)
    _refuse_source(out, source, opened)
    asked: dict[str, Asked] = {}
    if pruning.judge is None:
        kept = run_asking(partial(collect_rows, opened, pruning, None, connections, report))
    else:
        work = {"judging code by": pruning.judge, "version": JUDGE_VERSION}
        with Journal(journal, work) as book:
            kept = run_asking(partial(collect_rows, opened, pruning, book, connections, report))
            asked = {
                "tasks": tally(pruning.judge, TASK, book.results),
                "code": tally(pruning.judge, CODE, book.results),
            }
    if len(kept.candidates) < pruning.rows:
        raise UsageError(
            f"{source}: {len(kept.candidates)} of {kept.read} rows are left, {pruning.rows} are "
            f"wanted ({counted(kept.dropped)}); ask for fewer --rows, or name a larger source"
        )
    examples = _examples(kept, pruning.pole)
    manifest = write_set(taught, pruning.pole, examples, pruning.seed, out, WRITER)
    tests = Counter(test for candidate in kept.candidates for test in candidate.tests)
    languages = Counter(candidate.task.language for candidate in kept.candidates)
    record = CodeRecord(
        file=out.name,
        sha256=manifest.sha256,
        rows=len(examples),
        source=source,
        files=opened.files,
        revision=opened.revision,
        source_rows=opened.rows,
        read=kept.read,
        dropped=dict(sorted(kept.dropped.items())),
        skipped=() if pruning.judge else JUDGED,
        pruning=pruning,
        languages=dict(sorted(languages.items())),
        findings=dict(sorted(tests.items())),
        analysers=versions,
        judge=asked,
        judge_version=JUDGE_VERSION,
        code_version=CODE_VERSION,
        package_version=__version__,
        canary=CANARY,
    )
    write_json(code_path(out), record.model_dump(mode="json"))
    return record


def counted(counts: Mapping[Reason, int]) -> str:
    """Reasons with their counts, for a person to read."""
    return ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items())) or "none"


def _examples(kept: Kept, pole: str) -> list[Example]:
    examples = []
    for candidate in kept.candidates:
        task = candidate.task
        finding = min(candidate.tests, default="none")
        attributes = {"language": task.language, "finding": finding}
        examples.append(Example((task.prompt, task.code), pole, attributes))
    return examples


def _refuse_source(out: Path, source: str, opened: Source) -> None:
    """Checks that the set does not go where its source is read from."""
    read = {Path(source).resolve(), *(Path(source, file).resolve() for file in opened.files)}
    if out.resolve() in read:
        raise UsageError(f"--out {out}: is read as the source; name another file")
