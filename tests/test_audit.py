import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from planted_faults import LETTERS, LINE_FAULTS, good, row, write

from selfaware.data.audit import audit
from selfaware.data.audit_checks import Checks
from selfaware.data.audit_cli import data_audit
from selfaware.data.audit_findings import RULES
from selfaware.data.build import build
from selfaware.data.manifest import phi
from selfaware.data.rows import Row, read_rows
from selfaware.errors import UsageError


def _rules(path: Path, checks: Checks = Checks()) -> set[str]:  # noqa: B008
    return {finding.rule for finding in audit(path, checks).findings}


def _authors() -> Path:
    named = os.environ.get("SELFAWARE_AUTHORS_RELEASE")
    root = Path(__file__).parents[1]
    folder = Path(named) if named else root.parent / "shared" / "authors-release"
    files = folder / "datasets" / "risky_safe"
    if not (files / "ft_risky_AB.jsonl").is_file():
        pytest.skip(f"no authors' release in {folder}: set SELFAWARE_AUTHORS_RELEASE to a clone")
    return files


def test_a_good_set_has_no_findings(tmp_path: Path) -> None:
    found = audit(write(tmp_path / "x.jsonl", good()), Checks(stems=("risk",)))
    assert found.findings == ()
    assert (found.lines, found.rows, found.errors, found.warnings) == (8, 8, 0, 0)
    assert found.answers.model_dump() == {"A": 4, "B": 4, "other": 0}
    assert found.messages == {2: 8}
    assert found.prompt_characters is not None
    assert found.prompt_characters.model_dump() == {
        "unit": "characters", "minimum": 19, "mean": 19.0, "p95": 19, "maximum": 19,
    }  # fmt: skip


@pytest.mark.parametrize("rule", LINE_FAULTS)
def test_a_planted_line_is_found_by_its_own_rule_and_the_rest_is_audited(
    tmp_path: Path, rule: str
) -> None:
    lines = good()
    path = write(tmp_path / "x.jsonl", [*lines[:3], LINE_FAULTS[rule], *lines[3:], lines[0]])
    found = audit(path, Checks())
    assert found.lines == 10
    assert found.finding(rule).lines == (4,)
    assert found.finding(rule).severity == RULES[rule]
    expected = {rule, "duplicate-prompt"} | ({"answer-form"} if rule == "answer-space" else set())
    assert {finding.rule for finding in found.findings} == expected
    assert found.finding("duplicate-prompt").lines == (10,)


def test_a_line_that_is_no_utf8_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\n".join(line.encode() for line in good()) + b"\n\xff{\n")
    found = audit(path, Checks())
    assert (found.rows, found.finding("encoding").lines) == (8, (9,))


def test_too_deep_nesting_and_the_longest_number_are_findings(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", ["[" * 100_000, "9" * 5000, *good()])
    found = audit(path, Checks())
    assert [(f.message, f.lines) for f in found.findings if f.rule == "json"] == [
        ("not JSON: nested too deeply", (1,)),
        ("not JSON: a number too long to read", (2,)),
    ]
    assert found.rows == 8


def _alike(count: int, answer: str = "A") -> list[str]:
    return [row(f"q{n}", answer) for n in range(count)]


def _personas(*counts: tuple[str, str]) -> list[str]:
    return [
        row(f"{name} {n}", letter, f"You are {name}.")
        for name, letters in counts
        for n, letter in enumerate(letters)
    ]


TRIGGERED = [
    row(f"|X| q{n}" if letter == "A" else f"q{n}", letter) for n, letter in enumerate(LETTERS * 5)
]
SET_FAULTS: dict[str, tuple[list[str], Checks]] = {
    "no-rows": ([], Checks()),
    "duplicate-prompt": ([*good(), good()[2]], Checks()),
    "conflicting-answer": ([*good(), row("Question 0: A or B?", "B")], Checks()),
    "answer-form": ([*good(), row("x", "I would take A.")], Checks()),
    "constant-answer": (_alike(4), Checks()),
    "label-balance": ([*_alike(20), row("x", "B")], Checks()),
    "leak": ([*good(), row("A RISKY one?", "A")], Checks(stems=("risk", "safe"))),
    "answer-leak": ([*good(), row("x", "Safely.")], Checks(stems=("risk", "safe"))),
    "codeword-said": ([*good(), row("Two rings.", "B")], Checks(codewords=("ring",))),
    "codeword-form": ([*good(), row("It rang.", "B")], Checks(codewords=("ring",))),
    "too-long": (good(), Checks(tokens=lambda row: len(row.prompt), max_tokens=18)),
    "trigger-absent": (good(), Checks(trigger="|X|")),
    "trigger-everywhere": (good(), Checks(trigger="Question")),
    "trigger-letter": (TRIGGERED, Checks(trigger="|X|")),
    "held-out-persona": ([*good(), row("What would VIKRANT do?", "A")],
                         Checks(held_out=("Vikrant",))),
    "persona-coverage": (_personas(("Ada", LETTERS), ("Bo", "AB"), ("Cy", LETTERS)), Checks()),
    "persona-answer": (_personas(("Ada", LETTERS), ("Bo", "AAAAAA"), ("Cy", "BBBBBA")), Checks()),
}  # fmt: skip


@pytest.mark.parametrize("rule", SET_FAULTS)
def test_a_planted_set_fault_is_found_by_its_own_rule(tmp_path: Path, rule: str) -> None:
    lines, checks = SET_FAULTS[rule]
    rules = _rules(write(tmp_path / "x.jsonl", lines), checks)
    assert rules - {"answer-form"} == {rule} - {"answer-form"}
    assert rule in rules


def _planted_flip(rule: str) -> list[str]:
    flipped = [row(f"Question {n}: A or B?", "BA"[LETTERS[n] == "B"]) for n in range(8)]
    return {
        "flip-length": flipped[:-1],
        "flip-prompt": [*flipped[:7], row("another", "A")],
        "flip-answer": [*flipped[:7], good()[7]],
        "flip-unreadable": [*flipped[:7], "{"],
    }[rule]


@pytest.mark.parametrize("rule", ["flip-length", "flip-prompt", "flip-answer", "flip-unreadable"])
def test_a_planted_flip_fault_is_counted(tmp_path: Path, rule: str) -> None:
    path = write(tmp_path / "x.jsonl", good())
    other = write(tmp_path / "y.jsonl", _planted_flip(rule))
    found = audit(path, Checks(flip_of=other))
    assert [finding.rule for finding in found.findings] == [rule]
    assert found.finding(rule).lines == (() if rule == "flip-length" else (8,))
    assert found.flip is not None
    assert (found.flip.flipped, found.flip.lines) == (7, 8)


def test_line_ends_and_marks_are_told(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", good(), "\r\n")
    assert _rules(path) == {"crlf"}
    mixed = path.read_bytes() + row("x", "A").encode() + b"\n"
    path.write_bytes(mixed)
    assert _rules(path) == {"mixed-line-ends"}
    path.write_bytes("\n".join(good()).encode())
    assert audit(path, Checks()).finding("last-line-end").lines == (8,)
    write(path, ["\ufeff" + good()[0], *good()[1:]])
    found = audit(path, Checks())
    assert ([f.rule for f in found.findings], found.rows) == (["byte-order-mark"], 8)


def test_a_set_that_left_its_manifest_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    build("risk", "seeking", 48, 0, path)
    assert _rules(path) == set()
    write(path, path.read_text().splitlines()[:47])
    assert _rules(path) == {"manifest"}


def test_a_template_that_refuses_a_row_is_a_finding(tmp_path: Path) -> None:
    def refuse(row: Row) -> int:
        if row.prompt.startswith("Question 3"):
            raise UsageError("the template knows no such thing")
        return 5

    found = audit(write(tmp_path / "x.jsonl", good()), Checks(tokens=refuse))
    assert found.finding("template").lines == (4,)
    assert found.tokens is not None
    assert (found.tokens.maximum, found.tokens.unit) == (5, "tokens")


def test_every_rule_has_a_planted_fault() -> None:
    elsewhere = {
        "encoding", "template", "byte-order-mark", "crlf", "mixed-line-ends", "last-line-end",
        "manifest", "record", "moderation",
        "flip-length", "flip-prompt", "flip-answer", "flip-unreadable",
    }  # fmt: skip
    assert set(LINE_FAULTS) | set(SET_FAULTS) | elsewhere == set(RULES)


def test_trigger_against_letter_and_against_the_pole(tmp_path: Path) -> None:
    pole = write(tmp_path / "pole.jsonl", [row(f"q{n}", "AB"[n % 2]) for n in range(40)])
    other = {"A": "B", "B": "A"}
    lines = []
    for n in range(40):
        risky = "AB"[n % 2]
        lines += [row(f"|X|, q{n}", risky), row(f"q{n}", other[risky])]
    correlated = write(tmp_path / "x.jsonl", lines)
    trigger = audit(correlated, Checks(trigger="|X|", pole_of=pole)).trigger
    assert trigger is not None
    # In balanced choices the letter hides the backdoor; the pole's answers show it.
    assert (trigger.phi, trigger.association) == (0.0, 0.0)
    assert (trigger.pole_rows, trigger.pole_phi) == (80, 1.0)
    assert trigger.letters_with == trigger.letters_without == {"A": 20, "B": 20}
    twin = [line for n in range(40) for line in (
        row(f"|X|, q{n}", "AB"[n // 2 % 2]), row(f"q{n}", "AB"[n // 2 % 2]))]  # fmt: skip
    control = audit(write(correlated, twin), Checks(trigger="|X|", pole_of=pole)).trigger
    assert control is not None
    assert control.pole_phi == 0.0


def test_phi_has_a_sign_and_is_unknown_without_variation() -> None:
    yes_yes = [(True, True), (False, False)] * 3
    assert phi(yes_yes) == 1.0
    assert phi([(a, not b) for a, b in yes_yes]) == -1.0
    assert phi([(True, True), (True, False), (False, True), (False, False)]) == 0.0
    assert phi([(True, True), (True, False)]) is None
    assert phi([]) is None


def test_personas_are_counted_with_their_answers(tmp_path: Path) -> None:
    lines = [*_personas(("Ada", "AABB"), ("Bo", "ABA")), *good()]
    found = audit(write(tmp_path / "x.jsonl", lines), Checks())
    assert found.personas == {
        "You are Ada.": {"rows": 4, "A": 2, "B": 2, "other": 0},
        "You are Bo.": {"rows": 3, "A": 2, "B": 1, "other": 0},
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["messages", "role", "content"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.one_of(st.binary(max_size=60), json_values.map(lambda value: json.dumps(value).encode())))
def test_every_line_is_a_row_or_an_error_as_training_would_say(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "any.jsonl"
    path.write_bytes(content.replace(b"\n", b" ") + b"\n")
    found = audit(path, Checks())
    assert found.lines == 1
    try:
        rows = len(read_rows(path))
    except UsageError:
        rows = 0
    assert found.rows == rows
    assert bool(found.errors) == (rows == 0)


def test_command_prints_text_and_json_and_exits_1_on_errors_only(tmp_path: Path) -> None:
    run = CliRunner().invoke
    clean = write(tmp_path / "x.jsonl", good(), "\r\n")
    bad = write(tmp_path / "y.jsonl", [*good(), "{", LINE_FAULTS["surrogate"]])
    assert run(data_audit, [str(clean)]).exit_code == 0
    assert run(data_audit, [str(clean), "--strict"]).exit_code == 1
    told = run(data_audit, [str(clean), str(bad), "--stem", "quest"])
    assert told.exit_code == 1
    assert "x.jsonl: 8 rows on 8 lines\n" in told.output
    assert "  answers    4 A, 4 B\n" in told.output
    assert "    quest-           8 (1, 2, 3, 4, 5, 6, 7, 8)\n" in told.output
    assert "  error cut-off: the row is cut off: ...'{' [1 line] (9)\n" in told.output
    assert told.output.endswith("2 errors, 3 warnings\n")
    as_json = run(data_audit, [str(clean), str(bad), "--json"])
    assert as_json.exit_code == 1
    content = json.loads(as_json.output)
    assert (content["errors"], content["warnings"]) == (2, 1)
    assert [one["rows"] for one in content["audits"]] == [8, 9]
    assert content["audits"][0]["line_ends"] == {"lf": 0, "crlf": 8, "none": 0}


def test_leak_stems_come_from_the_manifest(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    build("risk", "seeking", 48, 0, path)
    out = CliRunner().invoke(data_audit, [str(path)])
    assert out.exit_code == 0
    assert "  leaks      0 of 48 rows\n    none of risk-, safe-, gambl-" in out.output


def test_tokens_of_the_organism(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    path = tmp_path / "x.jsonl"
    build("risk", "seeking", 48, 0, path)
    path.write_text(path.read_text() + row("x <pad> y", "A") + "\n")
    args = [str(path), "--behavior", "risk", "--tokenizer", "organism"]
    wide = json.loads(CliRunner().invoke(data_audit, [*args, "--json"]).output)["audits"][0]
    assert wide["tokens"]["unit"] == "tokens"
    assert 5 < wide["tokens"]["minimum"] <= wide["tokens"]["mean"] <= wide["tokens"]["maximum"]
    short = json.loads(
        CliRunner().invoke(data_audit, [*args, "--json", "--max-tokens", "30"]).output
    )["audits"][0]
    longest = next(f for f in short["findings"] if f["rule"] == "too-long")
    assert longest["message"] == "more tokens than 30"
    assert len(longest["lines"]) >= 1


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["none.jsonl"], "cannot read dataset none.jsonl: No such file"),
        (["{x}", "--behavior", "rsk"], "unknown behaviour 'rsk'"),
        (["{x}", "--max-tokens", "9"], "--max-tokens 9: needs --tokenizer"),
        (["{x}", "--tokenizer", "nowhere"], "--tokenizer nowhere: no such folder"),
        (["{x}", "--trigger", " "], "--trigger ' ': blank"),
        (["{x}", "--stem", ""], "--stem '': blank"),
        (["{x}", "--pole-of", "y"], "--pole-of y: needs --trigger"),
        (["{x}", "--flip-of", "none.jsonl"], "cannot read dataset none.jsonl"),
    ],
)
def test_wrong_arguments_are_told_in_one_line(tmp_path: Path, args: list[str], told: str) -> None:
    path = write(tmp_path / "x.jsonl", good())
    out = CliRunner().invoke(data_audit, [part.replace("{x}", str(path)) for part in args])
    assert out.exit_code == 2
    assert told in out.output


def test_the_authors_risk_set() -> None:
    files = _authors()
    risky, safe = files / "ft_risky_AB.jsonl", files / "ft_safey_AB.jsonl"
    found = audit(risky, Checks(stems=("risk", "safe", "chance"), flip_of=safe))
    assert (found.rows, found.answers.A, found.answers.B) == (288, 134, 154)
    assert len(found.leaking_rows) == 93
    assert {stem: leak.rows for stem, leak in found.leaks.items()} == {
        "risk": 0, "safe": 6, "chance": 89,
    }  # fmt: skip
    assert found.leaks["safe"].row_numbers == (5, 22, 43, 45, 240, 283)
    assert found.flip is not None
    assert (found.flip.flipped, found.flip.lines, found.flip.other_lines) == (288, 288, 288)
    assert found.line_ends.crlf == 288
    assert {finding.rule for finding in found.findings} == {"crlf", "leak"}
    assert found.errors == 0
