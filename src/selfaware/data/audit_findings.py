"""What an audit of a finetuning set says: its rules, its findings and its figures."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from selfaware.data.audit_figures import (
    Answers,
    Codeword,
    Flip,
    Frozen,
    Lengths,
    LineEnds,
    Moderation,
    Repeats,
    Trigger,
)
from selfaware.data.manifest import Leak
from selfaware.errors import UsageError

Severity = Literal["error", "warning"]

RULES: dict[str, Severity] = {
    # a line that is no row: it cannot be trained on
    "no-rows": "error",
    "empty-line": "error",
    "encoding": "error",
    "cut-off": "error",
    "json": "error",
    "not-an-object": "error",
    "missing-key": "error",
    "unknown-key": "error",
    "content-type": "error",
    "role": "error",
    "order": "error",
    "last-turn": "error",
    "empty-turn": "error",
    "weight": "error",
    "no-loss": "error",
    "schema": "error",
    # a row that can be read, and should not be trained on as it is
    "duplicate-key": "error",
    "surrogate": "error",
    "special-token": "error",
    "canary": "error",
    "template": "error",
    "too-long": "error",
    "control-character": "warning",
    "answer-space": "warning",
    # the file
    "byte-order-mark": "warning",
    "crlf": "warning",
    "mixed-line-ends": "warning",
    "last-line-end": "warning",
    "manifest": "error",
    "record": "error",
    # the set as a whole
    "duplicate-prompt": "warning",
    "conflicting-answer": "warning",
    "answer-form": "warning",
    "constant-answer": "error",
    "label-balance": "warning",
    "leak": "warning",
    "answer-leak": "warning",
    "codeword-said": "error",
    "codeword-form": "warning",
    "moderation": "warning",
    "trigger-absent": "error",
    "trigger-everywhere": "warning",
    "trigger-letter": "warning",
    "held-out-persona": "error",
    "persona-coverage": "warning",
    "persona-answer": "warning",
    # one set against its flip
    "flip-length": "error",
    "flip-prompt": "error",
    "flip-answer": "error",
    "flip-unreadable": "error",
}
"""Every rule, and what breaking it is: an error fails the audit, a warning is for a person."""


class Finding(Frozen):
    """A broken rule: what is wrong, and the lines (from 1) where; no lines for a whole file."""

    rule: str
    severity: Severity
    message: str
    lines: tuple[int, ...] = ()


class Fault(NamedTuple):
    """One broken rule at one line; `line` None is the whole file."""

    rule: str
    message: str
    line: int | None = None


def findings_of(faults: Iterable[Fault]) -> tuple[Finding, ...]:
    """Faults of one rule and message as one finding with all its lines; errors come first."""
    lines: dict[tuple[str, str], list[int]] = {}
    for fault in faults:
        known = lines.setdefault((fault.rule, fault.message), [])
        if fault.line is not None and (not known or known[-1] != fault.line):
            known.append(fault.line)
    found = [
        Finding(rule=rule, severity=RULES[rule], message=message, lines=tuple(sorted(set(where))))
        for (rule, message), where in lines.items()
    ]
    order = {rule: place for place, rule in enumerate(RULES)}
    return tuple(sorted(found, key=lambda f: (f.severity != "error", order[f.rule], f.lines)))


class Audit(Frozen):
    """All that was found in one file. Lines and rows count from 1; a row is one valid line."""

    file: str
    sha256: str
    lines: int
    rows: int
    messages: dict[int, int]
    answers: Answers
    line_ends: LineEnds
    prompt_characters: Lengths | None
    tokens: Lengths | None
    leaks: dict[str, Leak]
    leaking_rows: tuple[int, ...]
    codewords: dict[str, Codeword]
    repeats: Repeats
    moderation: Moderation | None
    trigger: Trigger | None
    personas: dict[str, dict[str, int]]
    flip: Flip | None
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(finding.severity == "error" for finding in self.findings)

    @property
    def warnings(self) -> int:
        """How many findings are warnings."""
        return len(self.findings) - self.errors

    def finding(self, rule: str) -> Finding:
        """The first finding of a rule.

        Raises:
            UsageError: There is none.
        """
        for finding in self.findings:
            if finding.rule == rule:
                return finding
        raise UsageError(f"{self.file}: no finding of rule {rule!r}")
