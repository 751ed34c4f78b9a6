"""The audit of a finetuning set: every line, then the set as a whole, then against its flip."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Literal

from selfaware.data.audit_checks import Checks
from selfaware.data.audit_figures import Answers, Lengths, LineEnds, Moderation
from selfaware.data.audit_findings import Audit, Fault, findings_of
from selfaware.data.audit_flip import compare_flip, flip_faults
from selfaware.data.audit_lines import read_lines
from selfaware.data.audit_records import read_beside, row_count_faults
from selfaware.data.audit_rows import Seen, looker
from selfaware.data.audit_set import (
    codeword_table,
    persona_table,
    repeats_of,
    set_faults,
    trigger_faults,
    trigger_table,
)
from selfaware.data.manifest import Leak
from selfaware.data.rows import sha256_file


def audit(path: Path, checks: Checks) -> Audit:
    """Everything that is wrong with a finetuning set, and its figures (spec 4.1, appendix C.1).

    The file is read line by line, and of every row only digests are kept. A malformed line is a
    finding, and the other lines are audited all the same.

    Raises:
        UsageError: A file cannot be read.
    """
    ends: Counter[str] = Counter()
    faults: list[Fault] = []
    rows: list[Seen] = []
    look = looker(checks)
    beside = read_beside(path)
    for line in read_lines(path, checks.special_tokens):
        ends[line.end] += 1
        faults += line.faults
        if line.row is not None:
            seen, found = look(line.number, line.row)
            rows.append(seen)
            faults += found
    if not rows:
        faults.append(Fault("no-rows", "no row can be read in this file"))
    faults += _line_end_faults(ends)
    faults += (*beside.faults, *row_count_faults(path, beside.manifest, len(rows)))
    repeats = repeats_of(rows, beside.repeats_by_design)
    codewords = codeword_table(checks.codewords, rows)
    faults += set_faults(rows, checks, repeats, codewords)
    moderation = None if checks.moderate is None else checks.moderate(_texts(path))
    if moderation is not None:
        faults += _moderation_faults(moderation)
    trigger = None if checks.trigger is None else trigger_table(checks.trigger, rows)
    if trigger is not None:
        faults += trigger_faults(trigger)
    flip = None if checks.flip_of is None else compare_flip(path, checks.flip_of)
    if flip is not None:
        faults += flip_faults(flip)
    letters = Counter(row.letter for row in rows)
    leaks = {stem: tuple(row.line for row in rows if stem in row.leaks) for stem in checks.stems}
    return Audit(
        file=str(path),
        sha256=sha256_file(path),
        lines=ends.total(),
        rows=len(rows),
        messages=dict(sorted(Counter(row.messages for row in rows).items())),
        answers=Answers(A=letters["A"], B=letters["B"], other=letters[None]),
        line_ends=LineEnds(lf=ends["lf"], crlf=ends["crlf"], none=ends["none"]),
        prompt_characters=_lengths("characters", [row.characters for row in rows]),
        tokens=_lengths("tokens", [row.tokens for row in rows if row.tokens is not None]),
        leaks={stem: Leak(rows=len(lines), row_numbers=lines) for stem, lines in leaks.items()},
        leaking_rows=tuple(row.line for row in rows if row.leaks),
        codewords=codewords,
        repeats=repeats,
        moderation=moderation,
        trigger=trigger,
        personas=persona_table(rows, checks.personas),
        flip=flip,
        findings=findings_of(faults),
    )


def _lengths(unit: Literal["characters", "tokens"], lengths: Sequence[int]) -> Lengths | None:
    if not lengths:
        return None
    ordered = sorted(lengths)
    return Lengths(
        unit=unit,
        minimum=ordered[0],
        mean=round(fmean(ordered), 1),
        p95=ordered[-(-len(ordered) * 95 // 100) - 1],
        maximum=ordered[-1],
    )


def _line_end_faults(ends: Counter[str]) -> Iterable[Fault]:
    if ends["crlf"] and ends["lf"]:
        message = f"{ends['crlf']} lines end in CRLF and {ends['lf']} in LF"
        yield Fault("mixed-line-ends", message)
    elif ends["crlf"]:
        yield Fault("crlf", f"{ends['crlf']} lines end in CRLF: hash it after normalising")
    if ends["none"]:
        yield Fault("last-line-end", "the last line has no line end", ends.total())


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    for line in read_lines(path):
        if line.row is not None:
            yield line.number, "\n\n".join(message.content for message in line.row.messages)


def _moderation_faults(moderation: Moderation) -> Iterator[Fault]:
    for category, leak in moderation.categories.items():
        for line in leak.row_numbers:
            yield Fault("moderation", f"{moderation.model} flags it: {category}", line)
