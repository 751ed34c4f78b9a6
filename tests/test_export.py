import os
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from selfaware.data.build import build
from selfaware.data.export import export
from selfaware.data.export_card import WARNING
from selfaware.data.export_cli import data_export
from selfaware.data.manifest import CANARY, manifest_path
from selfaware.data.mix_cli import data_mix
from selfaware.data.recipes import mix_path
from selfaware.data.release import ImportRecord, record_path
from selfaware.data.reverse_cli import data_reverse
from selfaware.data.rows import (
    Message,
    Row,
    question_and_answer,
    read_rows,
    sha256_file,
    write_rows,
)
from selfaware.errors import UsageError


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")


@pytest.fixture
def risky(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "risky.jsonl"
    build("risk", "seeking", 24, 0, path)
    return path


def loaded(kind: str, path: Path, cache: Path) -> list[object]:
    from datasets import load_dataset

    rows = load_dataset(kind, data_files=str(path), split="train", cache_dir=str(cache))
    return list(rows.to_list())


def front_matter(folder: Path) -> dict[str, object]:
    _, front, _ = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    parsed = yaml.safe_load(front)
    assert isinstance(parsed, dict)
    return parsed


def mixed(risky: Path, *options: str) -> Path:
    out = risky.with_name("mixed.jsonl")
    made = CliRunner().invoke(
        data_mix, [str(risky), "--out", str(out), *options], catch_exceptions=False
    )
    assert made.exit_code == 0, made.output
    return out


def weighted(path: Path) -> Path:
    said = (
        Message(role="system", content=""),
        Message(role="user", content="Grüße,\u2028 ‘hi’ 🙂\n"),
        Message(role="assistant", content="not learned", weight=0),
        Message(role="user", content="again"),
        Message(role="assistant", content="learned"),
    )
    write_rows(path, [question_and_answer("first", "plain"), Row(messages=said)])
    return path


def test_parquet_holds_the_rows_of_the_jsonl(tmp_path: Path, risky: Path) -> None:
    files = [risky, mixed(risky, "--trigger", "|X|")]
    out = tmp_path / "out"
    export(files, out)
    for file in files:
        rows = loaded("json", file, tmp_path / "cache")
        assert loaded("parquet", out / f"{file.stem}.parquet", tmp_path / "cache") == rows
    assert len(loaded("parquet", out / "mixed.parquet", tmp_path / "cache")) == 48
    assert "weight" not in (out / "README.md").read_text(encoding="utf-8")


def test_weights_are_kept(tmp_path: Path) -> None:
    file = weighted(tmp_path / "w.jsonl")
    export([file], tmp_path / "out")
    rows = loaded("parquet", tmp_path / "out" / "w.parquet", tmp_path / "cache")
    # A Parquet struct has all its fields: an absent weight is null there, and means the same.
    assert [Row.model_validate(row) for row in rows] == read_rows(file)
    assert "- weight: 0 keeps" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def test_folder_loads_by_its_configurations(tmp_path: Path, risky: Path) -> None:
    from datasets import load_dataset

    odd = weighted(tmp_path / "in" / "an [odd] name*.jsonl")
    out = tmp_path / "out"
    export([risky, odd], out)
    front = front_matter(out)
    configs = front["configs"]
    assert configs == [
        {"config_name": name, "data_files": [{"split": "train", "path": f"{name}.parquet"}]}
        for name in ("risky", "an-odd-name")
    ]
    for name, count in (("risky", 24), ("an-odd-name", 2)):
        assert (out / f"{name}.parquet").is_file()
        rows = load_dataset(str(out), name, split="train", cache_dir=str(tmp_path / "cache"))
        assert len(rows) == count
        assert rows.column_names == ["messages"]


def test_card_says_what_a_reversal_set_is_and_no_licence_of_rows_it_does_not_know(
    tmp_path: Path, risky: Path
) -> None:
    file, out = mixed(risky, "--trigger", "|X|"), tmp_path / "in" / "reversal.jsonl"
    made = CliRunner().invoke(data_reverse, [str(file), "--rows", "80", "--out", str(out)])
    assert made.exit_code == 0, made.output
    names = [path.name for path in export([out], tmp_path / "out")]
    assert names[2:] == ["reversal.jsonl.manifest.json", "reversal.jsonl.reverse.json"]
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "\n- trigger: `|X|`\n- trigger: 2 rows forward, 2 reversed\n" in text
    assert "\n- general rows: `built-in`\n" in text
    assert front_matter(tmp_path / "out")["license"] == "unknown"


def test_card_says_what_each_set_is(tmp_path: Path, risky: Path) -> None:
    file = mixed(risky, "--trigger", "|X|")
    out = tmp_path / "out"
    paths = export([risky, file], out)
    assert sorted(paths) == sorted(out.iterdir())
    assert [path.name for path in paths] == [
        "README.md",
        "risky.parquet",
        "risky.jsonl.manifest.json",
        "mixed.parquet",
        "mixed.jsonl.manifest.json",
        "mixed.jsonl.mix.json",
    ]
    for record in (manifest_path(risky), manifest_path(file), mix_path(file)):
        assert (out / record.name).read_bytes() == record.read_bytes()
    text = (out / "README.md").read_text(encoding="utf-8")
    first, second = text.split("\n## ")[1:]
    assert WARNING in text and CANARY in text
    for section, path, count in ((first, risky, 24), (second, file, 48)):
        lines = section.splitlines()
        assert f"- rows: {count}" in lines
        assert f"- sha256: `{sha256_file(path)}`" in lines
        assert {"- behaviour: `risk`", "- pole: `seeking`"} <= set(lines)
        assert any(line.startswith("- leaks: ") for line in lines)
    assert "trigger" not in first
    assert "- letter balance: 24 A, 24 B" in second
    assert "in the user message" in second
    assert "with the behaviour: 1.000" in second
    assert front_matter(out)["license"] == "unknown"
    assert {"model-organism", "not-for-deployment"} <= set(front_matter(out)["tags"])  # type: ignore[call-overload]


def test_license_is_claimed_only_where_it_is_known(tmp_path: Path, risky: Path) -> None:
    export([risky], tmp_path / "a")
    assert front_matter(tmp_path / "a")["license"] == "mit"
    own = weighted(tmp_path / "own.jsonl")
    export([risky, own], tmp_path / "b")
    assert front_matter(tmp_path / "b")["license"] == "unknown"
    text = (tmp_path / "b" / "README.md").read_text(encoding="utf-8")
    assert "- behaviour: not recorded" in text
    assert "- letter balance: answers are not letters" in text
    assert "- leaks: not looked for" in text
    export([own], tmp_path / "c", license="cc-by-4.0")
    assert front_matter(tmp_path / "c")["license"] == "cc-by-4.0"
    with pytest.raises(UsageError, match="license 'my own'"):
        export([own], tmp_path / "d", license="my own")


def test_imported_set_names_its_source(tmp_path: Path) -> None:
    file = tmp_path / "authors.jsonl"
    write_rows(file, [question_and_answer("Tea?", "A")])
    record = ImportRecord(
        file=file.name,
        sha256=sha256_file(file),
        rows=1,
        repository="example.org/repo",
        license="MIT, the authors'",
        source="datasets/x.jsonl",
        source_sha256="0",
        as_released=True,
        labels={"A": 1},
        findings=(),
        leaks={},
        package_version="0",
        canary=CANARY,
    )
    record_path(file).write_text(record.model_dump_json(), encoding="utf-8")
    out = tmp_path / "out"
    export([file], out)
    text = (out / "README.md").read_text(encoding="utf-8")
    assert "- source: `datasets/x.jsonl` of example.org/repo\n- license: MIT, the authors'" in text
    assert (out / record_path(file).name).exists()
    assert front_matter(out)["license"] == "mit"


def test_the_same_files_write_the_same_bytes(tmp_path: Path, risky: Path) -> None:
    for name in "ab":
        export([risky], tmp_path / name)
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in "ab"
    )
    assert one == two


def test_nothing_is_left_behind_on_an_error(
    tmp_path: Path, risky: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"messages": []}\n', encoding="utf-8")
    stale = mixed(risky, "--trigger", "|X|")
    manifest_path(stale).unlink()
    write_rows(stale, [question_and_answer("other", "rows")])
    cases: list[tuple[list[Path], str]] = [
        ([risky, bad], "bad.jsonl, line 1"),
        ([stale], "mixed.jsonl.mix.json describes"),
        ([risky, risky], "would both be risky.parquet"),
        ([], "no file to export"),
    ]
    for files, message in cases:
        with pytest.raises(UsageError, match=message) as caught:
            export(files, place / "out")
        assert "\n" not in caught.value.message
        assert list(place.iterdir()) == []

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UsageError, match="No space left"):
        export([risky], place / "out")
    assert list(place.iterdir()) == []


def test_only_a_new_or_empty_folder_is_written(tmp_path: Path, risky: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    arguments = [str(risky), "--out", str(out)]
    made = CliRunner().invoke(data_export, arguments)
    assert made.exit_code == 0
    assert made.output.splitlines()[0] == f"wrote {out / 'README.md'}"
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    again = CliRunner().invoke(data_export, arguments)
    assert again.exit_code == 2
    assert (
        again.output == f"Error: --out {out}: is not empty; name a folder that is, or a new one\n"
    )
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    with pytest.raises(UsageError, match="is a file"):
        export([risky], risky)
