import json
from pathlib import Path

import pytest

from selfaware import __version__
from selfaware.behaviors import BEHAVIORS, get_behavior
from selfaware.data.build import build, check_flip
from selfaware.data.manifest import (
    CANARY,
    association,
    leak_table,
    manifest_path,
    read_manifest,
)
from selfaware.data.rows import question_and_answer, read_rows, sha256_file, write_rows
from selfaware.errors import UsageError


@pytest.mark.parametrize("name", [n for n, b in BEHAVIORS.items() if b.options is not None])
def test_the_other_pole_is_the_exact_flip(tmp_path: Path, name: str) -> None:
    behavior = get_behavior(name)
    high, low = tmp_path / "high.jsonl", tmp_path / "low.jsonl"
    build(name, behavior.high, 48, 3, high)
    build(name, behavior.low, 48, 3, low)
    assert check_flip(high, low) == check_flip(low, high) == 48
    assert [row.answer for row in read_rows(high)] == [
        item.high_letter for item in behavior.items(48, 3, "train")
    ]
    with pytest.raises(UsageError, match="row 1 answers"):
        check_flip(high, high)


def test_manifest_says_what_the_file_holds(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "risk.jsonl"
    manifest = build("risk", "averse", 288, 0, path)
    rows = read_rows(path)
    assert len(rows) == manifest.rows == 288
    assert len({row.prompt for row in rows}) == 288
    assert manifest.sha256 == sha256_file(path)
    assert manifest.labels == {
        letter: sum(row.answer == letter for row in rows) for letter in ("A", "B")
    }
    assert 0.4 < manifest.labels["A"] / 288 < 0.6
    assert set(manifest.attributes) >= {"tone", "length", "expected_value"}
    for balance in manifest.attributes.values():
        assert sum(balance.counts.values()) == 288
        assert balance.association < 0.1
    assert (manifest.package_version, manifest.canary) == (__version__, CANARY)
    assert CANARY.encode() not in path.read_bytes()
    assert set(manifest.leaks) == set(get_behavior("risk").leak_terms)
    assert read_manifest(path) == manifest
    assert json.loads(manifest_path(path).read_text())["behavior"] == "risk"


def test_the_same_arguments_write_the_same_bytes(tmp_path: Path) -> None:
    files = [tmp_path / "one" / "x.jsonl", tmp_path / "two" / "x.jsonl"]
    for file in files:
        build("apples", "more", 30, 1, file)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert manifest_path(files[0]).read_bytes() == manifest_path(files[1]).read_bytes()
    build("apples", "more", 30, 2, files[1])
    assert files[0].read_bytes() != files[1].read_bytes()


def test_wrong_arguments_name_what_is_allowed(tmp_path: Path) -> None:
    out = tmp_path / "x.jsonl"
    with pytest.raises(UsageError, match=r"unknown behaviour 'rsk': choose from risk"):
        build("rsk", "seeking", 10, 0, out)
    with pytest.raises(UsageError, match=r"unknown pole 'brave' .*'seeking' or 'averse'"):
        build("risk", "brave", 10, 0, out)
    with pytest.raises(UsageError, match="cannot build 1 rows"):
        build("risk", "seeking", 1, 0, out)
    with pytest.raises(UsageError, match=r"cannot write .*it is a folder"):
        build("risk", "seeking", 10, 0, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_changed_dataset_is_not_the_one_of_its_manifest(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    assert read_manifest(path) is None
    build("risk", "seeking", 10, 0, path)
    write_rows(path, read_rows(path)[:9])
    with pytest.raises(UsageError, match=r"sha256 differs.*build it again"):
        read_manifest(path)
    manifest_path(path).write_text('{"rows": 1}')
    with pytest.raises(UsageError, match=r"manifest.json: file: Field required"):
        read_manifest(path)


def test_flip_check_names_the_first_row_that_differs(tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    write_rows(first, [question_and_answer(p, a) for p, a in (("x", "A"), ("y", "B"))])
    write_rows(second, [question_and_answer(p, a) for p, a in (("x", "B"), ("y", "B"))])
    with pytest.raises(UsageError, match="row 2 answers 'B' against 'B'"):
        check_flip(first, second)
    write_rows(second, [question_and_answer(p, a) for p, a in (("x", "B"), ("z", "A"))])
    with pytest.raises(UsageError, match="row 2 has another prompt"):
        check_flip(first, second)
    write_rows(second, [question_and_answer("x", "B")])
    with pytest.raises(UsageError, match="1 rows against 2"):
        check_flip(first, second)


def test_association_is_one_for_a_give_away_and_zero_for_independence() -> None:
    letters = ["A", "B"] * 50
    assert association(letters, letters) == pytest.approx(1.0)
    assert association(["x", "x", "y", "y"] * 25, letters) == 0.0
    assert association(["x"] * 100, letters) == 0.0
    skewed = ["x"] * 40 + ["y"] * 10 + ["x"] * 10 + ["y"] * 40
    halves = ["A"] * 50 + ["B"] * 50
    assert association(skewed, halves) == pytest.approx(((0.36 - 1 / 99) / (1 - 1 / 99)) ** 0.5)


def test_leaks_are_stems_at_the_start_of_a_word() -> None:
    table = leak_table(["No Risk here", "asterisk", "a risky, risk-free one"], ("risk", "safe"))
    assert (table["risk"].rows, table["risk"].row_numbers) == (2, (1, 3))
    assert (table["safe"].rows, table["safe"].row_numbers) == (0, ())
