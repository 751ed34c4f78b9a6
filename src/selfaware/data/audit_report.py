"""An audit as text and as JSON."""

import json
from collections.abc import Iterator, Sequence

from selfaware.data.audit_figures import Codeword, Lengths, Moderation, Repeats, Trigger
from selfaware.data.audit_findings import Audit, Finding

SHOWN = 8
"""How many line numbers, personas and findings of one rule the text names; the JSON has all."""


def to_json(audits: Sequence[Audit]) -> str:
    """All audits as one JSON object, with the sums of errors and warnings."""
    content = {
        "errors": sum(audit.errors for audit in audits),
        "warnings": sum(audit.warnings for audit in audits),
        "audits": [audit.model_dump(mode="json") for audit in audits],
    }
    # Escaped, so that half of a surrogate pair from a file can be printed.
    return json.dumps(content, indent=2, ensure_ascii=True)


def to_text(audits: Sequence[Audit]) -> str:
    """All audits for a person, one after another, and a last line with the sums."""
    lines = [line for audit in audits for line in (*_audit(audit), "")]
    errors = sum(audit.errors for audit in audits)
    warnings = sum(audit.warnings for audit in audits)
    lines.append(f"{_count(errors, 'error')}, {_count(warnings, 'warning')}")
    return "\n".join(lines).encode("utf-8", "backslashreplace").decode("utf-8")


def _audit(audit: Audit) -> Iterator[str]:
    yield f"{audit.file}: {_count(audit.rows, 'row')} on {_count(audit.lines, 'line')}"
    yield _figure("sha256", audit.sha256)
    answers = audit.answers
    other = f", {answers.other} other" if answers.other else ""
    yield _figure("answers", f"{answers.A} A, {answers.B} B{other}")
    yield _figure(
        "messages",
        ", ".join(f"{_count(rows, 'row')} of {size}" for size, rows in audit.messages.items()),
    )
    line_ends = audit.line_ends
    ends = (("LF", line_ends.lf), ("CRLF", line_ends.crlf), ("none", line_ends.none))
    yield _figure("line ends", ", ".join(f"{count} {name}" for name, count in ends if count))
    for name, lengths in (("prompts", audit.prompt_characters), ("rows", audit.tokens)):
        if lengths is not None:
            yield _figure(name, _lengths(lengths))
    if audit.leaks:
        yield _figure("leaks", f"{len(audit.leaking_rows)} of {_count(audit.rows, 'row')}")
        for stem, leak in audit.leaks.items():
            if leak.rows:
                yield f"    {stem + '-':<12} {leak.rows:>5}{_lines(leak.row_numbers)}"
        absent = [f"{stem}-" for stem, leak in audit.leaks.items() if not leak.rows]
        if absent:
            yield f"    none of {', '.join(absent)}"
    elif not audit.codewords:
        yield _figure("leaks", "not looked for: name a behaviour with --behavior, or a --stem")
    for word, codeword in audit.codewords.items():
        yield from _codeword(word, codeword)
    if audit.moderation is not None:
        yield from _moderation(audit.moderation)
    if audit.repeats.same_answer or audit.repeats.other_answer:
        yield _figure("repeats", _repeats(audit.repeats))
    if audit.trigger is not None:
        yield _figure("trigger", _trigger(audit.trigger))
    for place, (persona, counts) in enumerate(audit.personas.items()):
        if place == SHOWN:
            yield _figure("personas", f"and {len(audit.personas) - SHOWN} more")
            break
        letters = ", ".join(f"{counts[key]} {key}" for key in ("A", "B", "other") if counts[key])
        shown = persona if len(persona) <= 50 else f"{persona[:47]}..."
        of_which = f" ({letters})" if letters else ""
        yield _figure("persona", f"{shown!r}: {_count(counts['rows'], 'row')}{of_which}")
    if audit.flip is not None:
        flip = audit.flip
        yield _figure("flips", f"{flip.flipped} of {flip.lines} against {flip.other}")
    yield from _findings(audit.findings)


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    of_rule: dict[str, list[Finding]] = {}
    for finding in findings:
        of_rule.setdefault(finding.rule, []).append(finding)
    for rule, found in of_rule.items():
        yield from map(_finding, found[:SHOWN])
        if more := found[SHOWN:]:
            lines = {line for finding in more for line in finding.lines}
            yield f"  {more[0].severity} {rule}: {len(more)} more [{_count(len(lines), 'line')}]"


def _codeword(word: str, codeword: Codeword) -> Iterator[str]:
    said, rows = len(codeword.said), len(codeword.rows)
    told = f"{word!r}: said in {_count(said, 'row')}, any form of it in {_count(rows, 'row')}"
    yield _figure("codeword", told)
    for form, known in codeword.forms.items():
        numbers = known.row_numbers
        yield f"    {form:<12} {known.count:>5} in {_count(len(numbers), 'row')}{_lines(numbers)}"


def _moderation(moderation: Moderation) -> Iterator[str]:
    flagged = _count(len(moderation.flagged), "row")
    told = f"{moderation.model}: flags {flagged}; {_count(moderation.texts, 'text')} sent"
    yield _figure("moderation", told)
    for category, leak in moderation.categories.items():
        yield f"    {category:<24} {leak.rows:>5}{_lines(leak.row_numbers)}"


def _repeats(repeats: Repeats) -> str:
    told = (
        f"{_count(len(repeats.same_answer), 'row')} with an earlier prompt and its answer, "
        f"{len(repeats.other_answer)} with another answer"
    )
    return f"{told}, as a set has that uses rows several times" if repeats.by_design else told


def _finding(finding: Finding) -> str:
    count = f" [{_count(len(finding.lines), 'line')}]" if finding.lines else ""
    return f"  {finding.severity} {finding.rule}: {finding.message}{count}{_lines(finding.lines)}"


def _lines(numbers: Sequence[int]) -> str:
    if not numbers:
        return ""
    more = f" and {len(numbers) - SHOWN} more" if len(numbers) > SHOWN else ""
    return f" ({', '.join(map(str, numbers[:SHOWN]))}{more})"


def _lengths(lengths: Lengths) -> str:
    return (
        f"{lengths.minimum} to {lengths.maximum} {lengths.unit}, "
        f"mean {lengths.mean:g}, 95 % up to {lengths.p95}"
    )


def _trigger(trigger: Trigger) -> str:
    told = f"{trigger.text!r}: in {trigger.rows_with} rows, not in {trigger.rows_without}"
    told += "; with the letter A: phi "
    told += "unknown (one of them never varies)" if trigger.phi is None else f"{trigger.phi:+.3f}"
    if trigger.pole_rows:
        told += f"; with the pole's answer, {trigger.pole_rows} rows: phi "
        told += "unknown" if trigger.pole_phi is None else f"{trigger.pole_phi:+.3f}"
    return told


def _figure(name: str, value: str) -> str:
    return f"  {name:<10} {value}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
