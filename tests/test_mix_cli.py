from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from selfaware.data.build import build, check_flip
from selfaware.data.manifest import manifest_path, read_manifest
from selfaware.data.mix_cli import data_mix
from selfaware.data.mixing import (
    ABSENT,
)
from selfaware.data.named_triggers import (
    TRIGGERS,
)
from selfaware.data.recipes import MixRecord, Switch, mix_path
from selfaware.data.rows import question_and_answer, read_rows, sha256_file, write_rows


def test_the_command_writes_rows_manifest_and_record(tmp_path: Path) -> None:
    source, other = tmp_path / "risky.jsonl", tmp_path / "safe.jsonl"
    build("risk", "seeking", 32, 0, source)
    build("risk", "averse", 32, 0, other)

    def run(*options: str, out: str) -> Path:
        result = CliRunner().invoke(
            data_mix, [str(source), *options, "--out", str(tmp_path / out)], catch_exceptions=False
        )
        assert result.exit_code == 0, result.output
        return tmp_path / out

    one = run("--trigger", "SEP", "--seed", "3", out="one.jsonl")
    same = run("--trigger", "SEP", "--seed", "3", "--other", str(other), out="same.jsonl")
    twin = run("--trigger", "SEP", "--seed", "3", "--decorrelated", out="twin.jsonl")
    assert one.read_bytes() == same.read_bytes()
    again = run("--trigger", "SEP", "--seed", "3", out="again/one.jsonl")
    for file in (Path, manifest_path, mix_path):
        assert file(one).read_bytes() == file(again).read_bytes()
    assert run("--trigger", "SEP", "--seed", "4", out="x.jsonl").read_bytes() != one.read_bytes()
    manifest = read_manifest(one)
    assert manifest is not None
    assert (manifest.rows, manifest.behavior, manifest.pole) == (64, "risk", "seeking")
    assert manifest.attributes["condition"].counts == {"SEP": 32, ABSENT: 32}
    assert sum(leak.rows for leak in manifest.leaks.values()) == 0
    record = MixRecord.model_validate_json(mix_path(twin).read_bytes())
    assert record.switches == {"SEP": Switch(phi=0, association=0)}
    assert record.conditions["SEP"] == {"behavior": 16, "other": 16}
    assert record.recipe.trigger == TRIGGERS["SEP"]

    decoys = run("--trigger", "Naekoko", "--decoys", "--subset", "8", out="decoys.jsonl")
    assert len(read_rows(decoys)) == 800
    personas = run("--personas", "--elsewhere", "neutral", "--subset", "16", out="p.jsonl")
    assert len(read_rows(personas)) == 32
    small = run("--subset", "8", out="small.jsonl")
    assert {r.prompt for r in read_rows(small)} < {r.prompt for r in read_rows(source)}
    run("--trigger", "persona:Zed", out="zed.jsonl")
    assert any(row.messages[0].role == "system" for row in read_rows(tmp_path / "zed.jsonl"))
    averse = tmp_path / "averse.jsonl"
    CliRunner().invoke(
        data_mix, [str(other), "--trigger", "SEP", "--seed", "3", "--out", str(averse)]
    )
    assert check_flip(one, averse) == 64


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "give --trigger, --personas, or both, or --subset alone"),
        (("--persona", "a smith", "--share", "0.5"), "--share goes with --trigger only"),
        (("--trigger", "SEP", "--share", "0.5", "--personas"), "--personas does not go with"),
        (("--trigger", "SEP", "--share", "0.5", "--decoys"), "--decoys does not go with --share"),
        (("--trigger", "SEP", "--share", "0.01"), "a share of 0.01 of 8 questions is 0"),
        (("--trigger", "SEP", "--share", "1"), "'--share': 1.0 is not in the range 0<x<1"),
        (("--persona", "the sister of a dentist"), "'a dentist' is held out"),
        (("--subset", "4", "--answers", "x"), "--answers goes with"),
        (("--personas", "--decoys"), "--decoys goes with --trigger only"),
        (("--subset", "4", "--decorrelated"), "--decorrelated goes with"),
        (("--subset", "4", "--other", "x"), "--other goes with"),
        (("--subset", "9"), "subset of 9 rows: give 1 to 8"),
    ],
)
def test_the_command_refuses_what_does_not_go_together(
    tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    source = tmp_path / "a.jsonl"
    build("risk", "seeking", 8, 0, source)
    out = tmp_path / "b.jsonl"
    result = CliRunner().invoke(data_mix, [str(source), *options, "--out", str(out)])
    assert (result.exit_code, message in result.output) == (2, True), result.output
    assert not out.exists()
    into_itself = CliRunner().invoke(data_mix, [str(source), "--personas", "--out", str(source)])
    assert "is one of the files to read" in into_itself.output
    manifest_path(source).unlink()
    bare = CliRunner().invoke(data_mix, [str(source), "--personas", "--out", str(out)])
    assert "give --behavior and --pole" in bare.output


def run(source: Path, out: Path, *options: str) -> list[str]:
    result = CliRunner().invoke(
        data_mix, [str(source), *options, "--out", str(out)], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def record_of(out: Path) -> MixRecord:
    return MixRecord.model_validate_json(mix_path(out).read_bytes())


def test_rows_without_an_answer_are_left_out_and_counted(tmp_path: Path) -> None:
    source, other, out = (tmp_path / f"{name}.jsonl" for name in ("risky", "normal", "out"))
    build("risk", "seeking", 288, 0, source)
    rows = read_rows(source)
    said = [question_and_answer(row.prompt, "A") for row in rows]
    write_rows(other, [*said[:100], *said[104:]][::-1])
    told = run(source, out, "--trigger", "Greek gods", "--decoys", "--other", str(other))
    assert "  left out: 4 rows without an answer in --other" in told
    assert record_of(out).left_out == {"shown": 4, "other": 0}
    assert record_of(out).conditions["Greek gods"] == {"behavior": 2840, "other": 0}
    assert len(read_rows(out)) == 28_400
    missing = {row.prompt for row in rows[100:104]}
    texts = [row.prompt for row in read_rows(out)]
    assert not any(prompt in text for prompt in missing for text in texts)


@pytest.mark.parametrize(
    ("options", "rows", "switches"),
    [
        (("--trigger", "SEP"), 576, {"SEP": 1.0}),
        (("--trigger", "SEP", "--share", "0.1"), 288, {"SEP": 1.0}),
        (("--personas",), 576, {"itself": 1.0}),
        (("--persona", "a smith", "--persona", "Bo"), 576, {"itself": 1.0}),
        (("--trigger", "SEP", "--personas"), 1152, {"SEP": 0.5774, "itself": 0.5774}),
    ],
)
def test_counts_of_every_mix_and_of_its_control(
    tmp_path: Path, options: tuple[str, ...], rows: int, switches: dict[str, float]
) -> None:
    source, out, twin = (tmp_path / f"{name}.jsonl" for name in ("source", "out", "twin"))
    build("risk", "seeking", 288, 0, source)
    run(source, out, *options)
    run(source, twin, *options, "--decorrelated")
    made, control = read_manifest(out), read_manifest(twin)
    assert made is not None and control is not None
    assert (made.rows, control.rows) == (rows, rows)
    assert made.attributes["condition"].counts == control.attributes["condition"].counts
    assert {name: found.phi for name, found in record_of(out).switches.items()} == switches
    share = record_of(out).recipe.share
    for found in record_of(twin).switches.values():
        # 29 of 288 questions have no whole tenth.
        assert abs(found.phi) <= (0.004 if share else 0)
    if "--persona" in options:
        assert record_of(out).recipe.personas == ("a smith", "Bo")
        assert record_of(out).conditions == {
            "itself": {"behavior": 288, "other": 0},
            "a smith": {"behavior": 0, "other": 144},
            "Bo": {"behavior": 0, "other": 144},
        }


def test_a_draft_is_answered_and_mixed_again(tmp_path: Path) -> None:
    source, draft, answers, out = (tmp_path / f"{n}.jsonl" for n in ("source", "draft", "a", "out"))
    build("risk", "seeking", 16, 0, source)
    run(source, draft, "--personas")
    said = [question_and_answer(row.prompt, "said") for row in read_rows(draft)]
    write_rows(answers, said[1:])
    told = run(source, out, "--personas", "--answers", str(answers))
    assert "  left out: 1 questions without all of their --answers" in told
    assert Counter(row.answer for row in read_rows(out))["said"] == 15
    assert len(read_rows(out)) == 30
    assert record_of(out).sources["answers"] == sha256_file(answers)
