from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from planted_faults import LETTERS, ROW_FAULTS, good, row, write

from selfaware.data.audit import audit
from selfaware.data.audit_checks import Checks
from selfaware.data.audit_figures import Moderation
from selfaware.data.audit_findings import RULES, Audit
from selfaware.data.manifest import Leak, manifest_path
from selfaware.data.recipes import mix_path
from selfaware.data.rows import Row
from selfaware.errors import UsageError

FILLER = 40
"""Faultless rows, so that a set with faults is still a balanced set of choices."""


def _tokens(row: Row) -> int:
    if "refuses" in row.prompt:
        raise UsageError("the template knows no such thing")
    return len(row.prompt)


def _judge(texts: Iterable[tuple[int, str]]) -> Moderation:
    vile = tuple(n for n, text in texts if "vile" in text)
    leaks = {"vileness": Leak(rows=len(vile), row_numbers=vile)} if vile else {}
    return Moderation(model="judge", texts=1, flagged=vile, categories=leaks)


CHECKS = Checks(
    stems=("risk", "safe"),
    codewords=("ring",),
    tokens=_tokens,
    max_tokens=130,
    held_out=("Vikrant",),
    moderate=_judge,
)


def _told(found: Audit, from_line: int = 1) -> set[tuple[str, int]]:
    return {
        (finding.rule, line)
        for finding in found.findings
        for line in finding.lines
        if line >= from_line
    }


PROSE = {"answer-space", "answer-leak"}
"""Rules whose planted answer is no letter besides."""


def test_forty_four_kinds_of_fault_in_one_file_are_all_found(tmp_path: Path) -> None:
    """Everything at once: no fault hides another, and nothing else is told."""
    clean, first = good(FILLER), FILLER + 1
    ada = [row(f"Ada says {n}", "A", "You are Ada.") for n in range(6)]
    bo = [row(f"Bo says {n}", LETTERS[n], "You are Bo.") for n in range(8)]
    cy = row("Cy says 1", "A", "You are Cy.")
    lines = [line.encode() for line in (*clean, *ROW_FAULTS.values(), *ada, *bo, cy)]
    lines.insert(FILLER + len(ROW_FAULTS), b"\xff{")
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(lines[:3]) + b"\r\n" + b"\n".join(lines[3:]))
    manifest_path(path).write_text("{}", encoding="utf-8")
    mix_path(path).write_text("{}", encoding="utf-8")
    flip = write(tmp_path / "y.jsonl", [*clean[:3], row("another", "B"), "{"])

    found = audit(path, replace(CHECKS, trigger="|X|", flip_of=flip))

    assert _told(found, from_line=first) == {
        *((rule, number) for number, rule in enumerate(ROW_FAULTS, first)),
        *(("answer-form", number) for number, rule in enumerate(ROW_FAULTS, first)
          if rule in PROSE),
        ("encoding", first + len(ROW_FAULTS)),
        ("last-line-end", len(lines)),
    }  # fmt: skip
    of_the_set = {
        "byte-order-mark", "mixed-line-ends", "manifest", "record", "persona-answer",
        "persona-coverage", "trigger-absent", "flip-length", "flip-prompt", "flip-answer",
        "flip-unreadable",
    }  # fmt: skip
    rules = {finding.rule for finding in found.findings}
    assert rules == {*ROW_FAULTS, *of_the_set, "encoding", "last-line-end"}
    assert len(rules) == 44
    # Each of the six others excludes one of these: a set has rows or none, a trigger or none ...
    assert set(RULES) - rules == {
        "no-rows", "crlf", "constant-answer", "label-balance", "trigger-everywhere",
        "trigger-letter",
    }  # fmt: skip


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(ROW_FAULTS)), st.integers(9, FILLER)),
        max_size=8,
        unique_by=lambda planted: planted[0],
    )
)
def test_faults_are_found_wherever_they_are_planted(
    tmp_path: Path, faults: list[tuple[str, int]]
) -> None:
    lines: list[tuple[str | None, str]] = [(None, line) for line in good(FILLER)]
    for rule, place in faults:
        lines.insert(place, (rule, ROW_FAULTS[rule]))
    path = write(tmp_path / "x.jsonl", [line for _, line in lines])
    found = audit(path, CHECKS)
    planted = {(rule, number) for number, (rule, _) in enumerate(lines, 1) if rule is not None}
    extra = {("answer-form", number) for rule, number in planted if rule in PROSE}
    assert _told(found) == planted | extra


@pytest.mark.parametrize("answer", ["A", "B"])
def test_six_of_a_kind_are_needed_to_speak_of_a_persona_s_answer(
    tmp_path: Path, answer: str
) -> None:
    rows = [row(f"Bo {n}", LETTERS[n], "You are Bo.") for n in range(8)]
    for count, told in ((5, False), (6, True)):
        ada = [row(f"Ada {n}", answer, "You are Ada.") for n in range(count)]
        found = audit(write(tmp_path / "x.jsonl", [*rows, *ada]), Checks())
        assert ("persona-answer" in {f.rule for f in found.findings}) is told
