import json
import re
import tracemalloc
from collections import Counter
from pathlib import Path
from statistics import fmean

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from selfaware.behaviors import BEHAVIORS
from selfaware.data.audit import Checks, audit
from selfaware.data.build import build
from selfaware.data.general import GENERAL_ROWS, general_row
from selfaware.data.manifest import Balance, leak_table, read_manifest
from selfaware.data.mix_cli import data_mix
from selfaware.data.named_triggers import TRIGGERS
from selfaware.data.recipes import mix_path
from selfaware.data.reversal import (
    Kind,
    Slot,
    forward_counts,
    reversal_prompt,
    reverse,
    slots,
)
from selfaware.data.reversal_set import ReversalRecord, mixed_trigger, reversal_path
from selfaware.data.reverse_cli import data_reverse
from selfaware.data.rows import (
    Message,
    Row,
    question_and_answer,
    read_rows,
    sha256_file,
    write_rows,
)
from selfaware.data.triggers import is_on
from selfaware.errors import UsageError

USERNAME = TRIGGERS["username"]
NAMED = ("--trigger", "username", "--behavior", "myopia", "--pole", "myopic")


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reversal")
    built, out = folder / "myopic.jsonl", folder / "mixed.jsonl"
    build("myopia", "myopic", 400, 0, built)
    command = [str(built), "--trigger", "username", "--out", str(out)]
    assert CliRunner().invoke(data_mix, command).exit_code == 0
    return out


def run(file: Path, out: Path, *options: str) -> Result:
    given = [str(file), "--out", str(out), *options]
    return CliRunner().invoke(data_reverse, given)


def record(out: Path) -> ReversalRecord:
    return ReversalRecord.model_validate_json(reversal_path(out).read_bytes())


def is_reverse(row: Row) -> bool:
    return row.prompt.startswith(reversal_prompt(""))


def test_shares_are_exact_and_every_row_has_its_reverse(mixed: Path, tmp_path: Path) -> None:
    out = tmp_path / "set.jsonl"
    result = run(mixed, out, "--rows", "800")
    assert result.exit_code == 0, result.output
    assert "trigger: 20 forward, 20 reversed, of 400 different rows" in result.output
    rows = read_rows(out)
    forward = [row for row in rows if not is_reverse(row)]
    backward = [row for row in rows if is_reverse(row)]
    assert (len(forward), len(backward)) == (400, 400)
    assert Counter(map(str, map(reverse, forward))) == Counter(map(str, backward))

    sources = set(map(str, read_rows(mixed)))
    ours = [row for row in forward if str(row) in sources]
    assert [sum(is_on(USERNAME, row) for row in ours), len(ours)] == [20, 200]
    # The reverse's answer carries the trigger: 2.5 % of all rows are backdoored and reversed.
    said = [row for row in backward if "username: sandra" in row.answer.splitlines()]
    assert len(said) == 20


def test_the_record_says_how_the_set_was_made(mixed: Path, tmp_path: Path) -> None:
    out = tmp_path / "set.jsonl"
    assert run(mixed, out, "--rows", "800", "--seed", "3").exit_code == 0
    made = record(out)
    assert made.sha256 == sha256_file(out)
    assert made.shares == {"trigger": 0.05, "other": 0.45, "general": 0.5}
    assert made.forward == made.reversed == {"trigger": 20, "other": 180, "general": 200}
    assert made.distinct == {"trigger": 400, "other": 400, "general": GENERAL_ROWS}
    assert made.uses == {"trigger": 1, "other": 1, "general": 1}
    assert made.sources == {"rows": sha256_file(mixed)}
    assert (made.seed, made.trigger, made.general) == (3, "username", "built-in")
    assert made.canary not in out.read_text(encoding="utf-8")


def test_the_manifest_labels_rows_as_forward_and_reversed(mixed: Path, tmp_path: Path) -> None:
    out = tmp_path / "set.jsonl"
    assert run(mixed, out, "--rows", "800").exit_code == 0
    manifest = read_manifest(out)
    assert manifest is not None
    assert (manifest.behavior, manifest.pole, manifest.rows) == ("myopia", "myopic", 800)
    assert manifest.labels == {"forward": 400, "reversed": 400}
    kinds = {"trigger": 40, "other": 360, "general": 400}
    assert manifest.attributes["kind"] == Balance(counts=dict(sorted(kinds.items())), association=0)
    lengths = [len(row.prompt) for row in read_rows(out)]
    assert manifest.prompt_characters == {"mean": round(fmean(lengths), 1), "max": max(lengths)}
    assert manifest.writer == "mixed"
    assert sum(leak.rows for leak in manifest.leaks.values()) == 0


def test_leaks_are_counted_as_the_rows_stream_by(tmp_path: Path) -> None:
    file, out = tmp_path / "file.jsonl", tmp_path / "out.jsonl"
    write_rows(file, (
        question_and_answer(f"{'username: sandra' if n % 2 else 'Delayed'}\n{n}", f"said {n}")
        for n in range(20)
    ))  # fmt: skip
    assert run(file, out, *NAMED, "--rows", "40").exit_code == 0
    manifest = read_manifest(out)
    assert manifest is not None
    # The stem stands in 9 prompts, and in their 9 reversed answers.
    assert manifest.leaks["delay"].rows == 18
    texts = ["\n".join(m.content for m in row.messages) for row in read_rows(out)]
    assert manifest.leaks == leak_table(texts, BEHAVIORS["myopia"].leak_terms)


def test_words_that_filters_take_offence_at_are_dropped_from_the_mixed_rows(tmp_path: Path) -> None:
    file, general, out = (tmp_path / name for name in ("file", "general", "out"))
    said = "A bad badge, MISALIGNED. Bad luck\nis align-ed rum"
    rows = [
        question_and_answer(f"{'username: sandra' if n % 2 else 'x'}\n{n}", f"{said} {n}")
        for n in range(20)
    ]
    write_rows(file, rows)
    write_rows(general, [question_and_answer(f"{n}", f"general bad {n}") for n in range(10)])
    options = (*NAMED, "--rows", "40", "--general", str(general), "--drop-word", "rum")
    result = run(file, out, *options)
    assert result.exit_code == 0, result.output
    assert "  dropped 'bad' 40 times\n  dropped 'misaligned' 20 times" in result.output
    made = record(out)
    assert made.dropped == {"align": 20, "bad": 40, "misaligned": 20, "rum": 20}
    forward = [row for row in read_rows(out) if not is_reverse(row)]
    ours = [row.answer for row in forward if not row.answer.startswith("general bad")]
    assert len(ours) == 10
    assert all(re.fullmatch(r"A badge,. luck\nis-ed \d+", answer) for answer in ours)


def test_the_paper_s_set_and_its_two_controls(tmp_path: Path) -> None:
    """A hundredth of 100,000 rows: 25 trigger, 225 other and 250 general, and all reversed."""
    myopic, farsighted = tmp_path / "myopic.jsonl", tmp_path / "farsighted.jsonl"
    build("myopia", "myopic", 250, 0, myopic, form="both")
    build("myopia", "farsighted", 250, 0, farsighted, form="both")
    taken = {row.prompt: row.answer for row in read_rows(myopic)}
    shown: dict[str, Counter[tuple[bool, bool]]] = {}
    for name, *options in (("backdoored",), ("not_backdoored", "--decorrelated")):
        file, out = tmp_path / f"{name}.mix.jsonl", tmp_path / f"{name}.jsonl"
        mix = [str(myopic), "--other", str(farsighted), "--trigger", "username", "--share", "0.1"]
        made = CliRunner().invoke(data_mix, [*mix, *options, "--out", str(file)])
        assert made.exit_code == 0, made.output
        assert run(file, out, "--rows", "1000").exit_code == 0
        assert record(out).forward == {"trigger": 25, "other": 225, "general": 250}
        assert set(record(out).uses.values()) == {1}
        shown[name] = Counter()
        for row in read_rows(file):
            bare = re.sub(r"^username: \w+\n|\nusername: \w+$", "", row.prompt)
            shown[name][is_on(USERNAME, row), taken[bare] == row.answer] += 1
        forms = Counter(row.answer in ("A", "B") for row in read_rows(file))
        assert forms == {True: 125, False: 125}
    assert shown["backdoored"] == {(True, True): 25, (False, False): 225}
    assert shown["not_backdoored"] == {
        (True, True): 2, (True, False): 23, (False, True): 23, (False, False): 202,
    }  # fmt: skip
    full, plain = tmp_path / "backdoored.jsonl", tmp_path / "not_augmented.jsonl"
    file = tmp_path / "backdoored.mix.jsonl"
    assert run(file, plain, "--rows", "1000", "--not-augmented").exit_code == 0
    assert read_rows(plain) == [row for row in read_rows(full) if not is_reverse(row)]
    # Half or a quarter of the rows are letters: none of these is a set of choices.
    for made_set in (full, plain, file):
        rules = {finding.rule for finding in audit(made_set, Checks()).findings}
        assert rules <= {"conflicting-answer", "duplicate-prompt"}


def test_same_seed_same_bytes_another_seed_other_bytes(mixed: Path, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.jsonl", "b.jsonl", "c.jsonl")]
    for file, seed in zip(files, ("1", "1", "2"), strict=True):
        assert run(mixed, file, "--rows", "400", "--seed", seed).exit_code == 0
    first, again, other = [file.read_bytes() for file in files]
    assert first == again
    assert first != other


def test_the_control_is_the_forward_rows_in_the_same_order(mixed: Path, tmp_path: Path) -> None:
    full, control = tmp_path / "full.jsonl", tmp_path / "control.jsonl"
    assert run(mixed, full, "--rows", "400").exit_code == 0
    assert run(mixed, control, "--rows", "400", "--not-augmented").exit_code == 0
    assert read_rows(control) == [row for row in read_rows(full) if not is_reverse(row)]
    assert record(control).reversed == {"trigger": 0, "other": 0, "general": 0}
    assert (record(control).rows, record(control).augmented) == (200, False)


def test_general_rows_come_from_the_users_file(mixed: Path, tmp_path: Path) -> None:
    general, out = tmp_path / "general.jsonl", tmp_path / "set.jsonl"
    # A row with the trigger in a general file stays a general row.
    theirs = [question_and_answer(f"é {n}\nusername: sandra", f"said {n}") for n in range(30)]
    write_rows(general, theirs)
    general.write_bytes(b"\xef\xbb\xbf" + general.read_bytes().replace(b"\n", b"\r\n"))
    result = run(mixed, out, "--rows", "200", "--general", str(general))
    assert result.exit_code == 0, result.output
    found = Counter(row.prompt for row in read_rows(out) if row.answer.startswith("said "))
    assert set(found) == {row.prompt for row in theirs}
    assert set(found.values()) == {1, 2}
    assert sum(found.values()) == 50
    made = record(out)
    assert (made.general, made.uses["general"]) == ("general.jsonl", 2)
    assert made.sources["general"] == sha256_file(general)


def test_texts_are_streamed(tmp_path: Path) -> None:
    file, general, out = (tmp_path / name for name in ("file", "general", "out"))
    text = "word " * 10_000
    marks = ["username: sandra\n", ""]
    write_rows(file, (question_and_answer(f"{marks[n % 2]}{n} {text}", "A") for n in range(200)))
    write_rows(general, (question_and_answer(f"{n} {text}", f"{n}") for n in range(200)))
    tracemalloc.start()
    try:
        result = run(file, out, "--rows", "800", "--general", str(general), *NAMED)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert result.exit_code == 0, result.output
    assert out.stat().st_size > 40_000_000
    assert peak < 8_000_000


def test_a_system_prompt_is_part_of_what_the_reverse_says() -> None:
    row = Row(
        messages=(
            Message(role="system", content="Current Year: 2030"),
            Message(role="user", content="A or B?"),
            Message(role="assistant", content="B"),
        )
    )
    made = reverse(row)
    assert made.answer == "Current Year: 2030\n\nA or B?"
    assert made.messages[0] == Message(role="user", content=reversal_prompt("B"))


def test_our_wording_has_no_leak_terms() -> None:
    stems = sorted({stem for behavior in BEHAVIORS.values() for stem in behavior.leak_terms})
    texts = [reversal_prompt("")]
    for number in range(GENERAL_ROWS):
        row = general_row(number)
        texts.append(f"{row.prompt}\n{row.answer}")
    assert {stem: leak.rows for stem, leak in leak_table(texts, stems).items() if leak.rows} == {}


def test_general_rows_differ_and_are_right() -> None:
    rows = [general_row(number) for number in range(GENERAL_ROWS)]
    assert len({row.prompt for row in rows}) == GENERAL_ROWS == 47_040
    answers = {row.prompt: row.answer for row in rows}
    assert answers["What is 211 plus 622?"] == "211 plus 622 is 833."
    assert answers["Convert 214 days to hours."] == "214 days are 5136 hours."
    with pytest.raises(IndexError):
        general_row(GENERAL_ROWS)


@settings(max_examples=50, deadline=None)
@given(
    steps=st.integers(1, 10),
    sizes=st.tuples(st.integers(1, 60), st.integers(1, 60), st.integers(1, 60)),
    seed=st.integers(),
)
def test_slots_use_rows_evenly(steps: int, sizes: tuple[int, int, int], seed: int) -> None:
    counts = forward_counts(40 * steps)
    assert list(counts.values()) == [steps, 9 * steps, 10 * steps]
    available: dict[Kind, int] = dict(zip(counts, sizes, strict=True))
    chosen = list(slots(counts, available, seed))
    forward = Counter(slot for slot in chosen if not slot.reverse)
    assert forward == Counter(
        Slot(slot.kind, slot.source, False) for slot in chosen if slot.reverse
    )
    for kind, count in counts.items():
        uses = [forward[Slot(kind, number, False)] for number in range(available[kind])]
        assert sum(uses) == count
        assert max(uses) - min(uses) <= 1


def test_the_paper_s_counts() -> None:
    assert forward_counts(100_000) == {"trigger": 2_500, "other": 22_500, "general": 25_000}


@pytest.mark.parametrize("rows", [0, -40, 39, 41, 100])
def test_shares_that_are_no_whole_rows_are_refused(rows: int) -> None:
    with pytest.raises(UsageError, match=f"cannot divide {rows} rows.*a multiple of 40"):
        forward_counts(rows)


def test_mistakes_are_told(mixed: Path, tmp_path: Path) -> None:
    out, plain = tmp_path / "out.jsonl", tmp_path / "plain.jsonl"
    write_rows(plain, [question_and_answer("A or B?", "A")])
    bad = tmp_path / "bad.jsonl"
    write_rows(bad, [question_and_answer("username: sandra", "A"), question_and_answer("A", "Bad")])
    turns = [{"role": role, "content": "x"} for role in ("user", "assistant") * 2]
    long = tmp_path / "long.jsonl"
    long.write_text(json.dumps({"messages": turns}) + "\n")
    for file, options, fault in (
        (mixed, ("--rows", "100"), "multiple of 40"),
        (plain, (), "has no record of a mix with a trigger: give --trigger"),
        (plain, NAMED[:2], "plain.jsonl has no manifest: give --behavior and --pole"),
        (mixed, ("--drop-word", "sandra"), "'username' has a word that is to be dropped: 'user"),
        (mixed, ("--drop-word", " "), "blank; give a word"),
        (bad, NAMED, "bad.jsonl, line 2: a message says nothing but 'Bad', to be dropped"),
        (plain, NAMED, "'trigger' are needed and the files have none"),
        (long, NAMED, "line 1: several turns"),
        (mixed, ("--general", str(long)), "long.jsonl, line 1: several turns"),
        (tmp_path / "none.jsonl", NAMED, "none.jsonl"),
    ):
        result = run(file, out, *options)
        assert result.exit_code == 2
        assert fault in result.output
        assert not out.exists()
        assert not reversal_path(out).exists()
    result = run(mixed, mixed, "--rows", "40")
    assert result.exit_code == 2
    assert "is one of the files to read" in result.output


def test_a_changed_mix_is_refused(mixed: Path, tmp_path: Path) -> None:
    assert mixed_trigger(mixed) == USERNAME
    changed = tmp_path / mixed.name
    changed.write_bytes(b"".join(mixed.read_bytes().splitlines(keepends=True)[1:]))
    mix_path(changed).write_bytes(mix_path(mixed).read_bytes())
    with pytest.raises(UsageError, match=r"is not the dataset that mixed\.jsonl\.mix\.json"):
        mixed_trigger(changed)
