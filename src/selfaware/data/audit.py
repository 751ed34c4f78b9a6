"""The audit of a finetuning set: every line, then the set as a whole, then against its flip."""

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from statistics import fmean
from typing import Literal

from selfaware.data.audit_findings import (
    Answers,
    Audit,
    Fault,
    Lengths,
    LineEnds,
    findings_of,
)
from selfaware.data.audit_flip import compare_flip, flip_faults
from selfaware.data.audit_lines import read_lines
from selfaware.data.audit_set import (
    LETTERS,
    Seen,
    persona_table,
    set_faults,
    trigger_faults,
    trigger_table,
)
from selfaware.data.manifest import Leak, leak_table, manifest_path, read_manifest
from selfaware.data.rows import Row, sha256_file
from selfaware.errors import UsageError


@dataclass(frozen=True)
class Checks:
    """What to look for besides the rules that every set is held to.

    Attributes:
        stems: Beginnings of words that come near to naming the behaviour, for the leak table.
        tokens: Counts the tokens of a row; a `UsageError` of it is told as a finding.
        max_tokens: A row of more tokens breaks the rule `too-long`.
        special_tokens: Special tokens of that tokenizer.
        trigger: Text whose presence in a prompt is held against the answer.
        pole_of: A set of the pole's answers to the same prompts without the trigger.
        held_out: Personas that no row may name.
        flip_of: The set that this one should be the flip of.
    """

    stems: tuple[str, ...] = ()
    tokens: Callable[[Row], int] | None = None
    max_tokens: int | None = None
    special_tokens: tuple[str, ...] = ()
    trigger: str | None = None
    pole_of: Path | None = None
    held_out: tuple[str, ...] = ()
    flip_of: Path | None = None


def audit(path: Path, checks: Checks) -> Audit:
    """Everything that is wrong with a finetuning set, and its figures (spec 4.1, appendix C.1).

    The file is read once, line by line; of every row only digests are kept. A malformed line is a
    finding, and the other lines are audited all the same.

    Raises:
        UsageError: A file cannot be read.
    """
    ends: Counter[str] = Counter()
    faults: list[Fault] = []
    rows: list[Seen] = []
    look = _looker(checks)
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
    faults += _manifest_faults(path, len(rows))
    faults += set_faults(rows)
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
        trigger=trigger,
        personas=persona_table(rows),
        flip=flip,
        findings=findings_of(faults),
    )


def _looker(checks: Checks) -> Callable[[int, Row], tuple[Seen, list[Fault]]]:
    any_stem = re.compile(
        rf"\b(?:{'|'.join(re.escape(stem) for stem in checks.stems) or '(?!)'})", re.IGNORECASE
    )
    pole = _pole_letters(checks)

    def stems_in(text: str) -> tuple[str, ...]:
        if not any_stem.search(text):
            return ()
        table = leak_table([text], checks.stems)
        return tuple(stem for stem, leak in table.items() if leak.rows)

    def look(number: int, row: Row) -> tuple[Seen, list[Fault]]:
        prompt = "\n".join(m.content for m in row.messages if m.role != "assistant")
        answers = "\n".join(m.content for m in row.messages if m.role == "assistant")
        letter = row.answer if row.answer in LETTERS else None
        found: list[Fault] = []
        tokens = None
        if checks.tokens is not None:
            try:
                tokens = checks.tokens(row)
            except UsageError as error:
                found.append(Fault("template", error.message, number))
        if tokens is not None and checks.max_tokens is not None and tokens > checks.max_tokens:
            message = f"more tokens than {checks.max_tokens}"
            found.append(Fault("too-long", message, number))
        role, system = row.messages[0].role, row.messages[0].content
        key = _without(row.prompt, checks.trigger)
        everything = f"{prompt}\n{answers}".casefold()
        seen = Seen(
            line=number,
            messages=len(row.messages),
            prompt=_digest(*(part for m in row.messages[:-1] for part in (m.role, m.content))),
            answer=_digest(row.answer),
            letter=letter,
            characters=len(row.prompt),
            tokens=tokens,
            leaks=stems_in(prompt),
            answer_leaks=stems_in(answers),
            triggered=checks.trigger is not None and checks.trigger in prompt,
            as_pole=letter == pole[key] if letter and key in pole else None,
            system=sys.intern(system) if role == "system" and system.strip() else None,
            held_out=tuple(name for name in checks.held_out if name.casefold() in everything),
        )
        return seen, found

    return look


def _pole_letters(checks: Checks) -> Mapping[bytes, str]:
    if checks.pole_of is None:
        return {}
    rows = (line.row for line in read_lines(checks.pole_of))
    return {
        _without(row.prompt, checks.trigger): row.answer
        for row in rows
        if row is not None and row.answer in LETTERS
    }


def _without(prompt: str, trigger: str | None) -> bytes:
    """A prompt's digest with no regard to the trigger and the marks that set it off."""
    bare = prompt.replace(trigger, " ") if trigger else prompt
    return _digest("".join(character for character in bare if character.isalnum()))


def _digest(*parts: str) -> bytes:
    digest = blake2b(digest_size=16)
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.digest()


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


def _manifest_faults(path: Path, rows: int) -> Iterable[Fault]:
    try:
        manifest = read_manifest(path)
    except UsageError as error:
        yield Fault("manifest", error.message)
        return
    if manifest is not None and manifest.rows != rows:
        name = manifest_path(path).name
        yield Fault("manifest", f"{name} says {manifest.rows} rows, {rows} can be read")
