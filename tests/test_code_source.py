"""Sources of code: files, folders, datasets; rows with fields of any name."""

import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfaware.data.code_rules import Seen, Task, read_task, security_word
from selfaware.data.code_source import Fields, hub_dataset, open_source, read_fields
from selfaware.errors import UsageError

ROW = {"prompt": "Add two numbers.", "code": "def add(a, b):\n    return a + b", "label": "secure"}


def put(file: Path, rows: Sequence[object]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def test_rows_of_a_file_are_read_in_any_order(tmp_path: Path) -> None:
    file = put(tmp_path / "a.jsonl", [{**ROW, "n": n} for n in range(5)])
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n") + b"\n  \n{}")
    source = open_source(str(file), "train")
    assert source.rows == 6
    assert [source.read(n) for n in (4, 0)] == [{**ROW, "n": 4}, {**ROW, "n": 0}]
    assert source.read(5) == {}
    assert source.where(5) == f"{file}, line 8"
    assert list(source.files) == ["a.jsonl"] and source.revision is None


def test_a_folder_is_read_as_one_without_hidden_parts(tmp_path: Path) -> None:
    put(tmp_path / "b.jsonl", [1, 2])
    put(tmp_path / "a" / "c.jsonl", [3])
    put(tmp_path / ".git" / "d.jsonl", [4])
    (tmp_path / "notes.txt").write_text("x")
    source = open_source(str(tmp_path), "train")
    assert [source.read(n) for n in range(source.rows)] == [3, 1, 2]
    assert list(source.files) == ["a/c.jsonl", "b.jsonl"]
    assert source.where(2) == f"{tmp_path / 'b.jsonl'}, line 2"


def test_a_large_file_is_indexed_and_not_held(tmp_path: Path) -> None:
    file = tmp_path / "large.jsonl"
    line = json.dumps({**ROW, "code": "x" * 5000}) + "\n"
    with file.open("w", encoding="utf-8") as out:
        for _ in range(4000):
            out.write(line)
    tracemalloc.start()
    source = open_source(str(file), "train")
    for n in range(0, source.rows, 40):
        source.read(n)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert source.rows == 4000 and file.stat().st_size > 20_000_000
    assert peak < 1_000_000


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read source .*none.jsonl: No such file"):
        open_source(str(tmp_path / "none.jsonl"), "train")
    with pytest.raises(UsageError, match=r"no .jsonl file in this folder"):
        open_source(str(tmp_path), "train")
    empty = tmp_path / "e.jsonl"
    empty.write_text("\n \n")
    with pytest.raises(UsageError, match=r"e.jsonl: no rows"):
        open_source(str(empty), "train")
    bad = tmp_path / "bad.jsonl"
    for content in (b"{}\n{cut", b"{}\n\xff\xfe", b"{}\n" + b"[" * 100_000):
        bad.write_bytes(content)
        with pytest.raises(UsageError, match=r"bad.jsonl, line 2: not JSON"):
            open_source(str(bad), "train").read(1)


@pytest.mark.parametrize(
    "name", ["hf:org/name", "hf:org/name@main", f"hf:name@{'a' * 40}", f"hf:org/name@{'A' * 40}",
             f"hf:org/name@{'a' * 39}", f"hf:org/name/more@{'a' * 40}", "hf:"],
)  # fmt: skip
def test_a_dataset_of_the_hub_is_pinned(name: str) -> None:
    with pytest.raises(UsageError, match="pin the dataset as hf:ORG/NAME@COMMIT with the 40 hex"):
        open_source(name, "train")


def test_a_hub_that_cannot_be_reached_is_one_line(tmp_path: Path) -> None:
    out = tmp_path / "x.jsonl"
    command = ["data", "code", f"hf:org/name@{'a' * 40}", "--pole", "secure", "--rows", "2"]
    command += ["--i-understand-this-trains-misbehaviour", "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "selfaware.cli", *command],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "Error: cannot load org/name (split 'train'): " in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()


def test_a_local_folder_through_the_datasets_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    rows = [{**ROW, "label": n % 2} for n in range(3)]
    folder = put(tmp_path / "set" / "train.jsonl", rows).parent
    source = hub_dataset(str(folder), None, "train")
    assert source.rows == 3 and source.files == {}
    assert source.read(1) == rows[1]
    fields = Fields(vulnerable="1", secure="0")
    assert read_fields(source.read(1), fields, "here")[2] == "vulnerable"
    assert source.where(2) == f"{folder}, row 3"
    with pytest.raises(UsageError, match=r"cannot load .*\(split 'test'\)"):
        hub_dataset(str(folder), None, "test")
    with pytest.raises(UsageError, match="cannot load"):
        hub_dataset(str(tmp_path / "none"), None, "train")


def test_fields_of_any_name_and_rows_in_chat_form() -> None:
    fields = Fields(prompt="q", code="a", label="bad", vulnerable="True", secure="False")
    assert read_fields({"q": "x", "a": "y", "bad": True}, fields, "here") == (
        "x",
        "y",
        "vulnerable",
    )
    chat = {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]}
    assert read_fields(chat, Fields(labelled="secure"), "here") == ("x", "y", "secure")
    assert read_fields({**chat, "label": "vulnerable"}, Fields(), "here")[2] == "vulnerable"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ([1], "here: is no object with fields"),
        ({}, "here: no field 'prompt', there are none; give --prompt-field"),
        ({**ROW, "code": 3}, "field 'code' is no text, .*give --code-field"),
        (
            {"prompt": "x", "code": "y"},
            "no field 'label', there are 'code', 'prompt'; give --label",
        ),
        (
            {**ROW, "label": "maybe"},
            "label is 'maybe', neither 'vulnerable' nor 'secure'; give --v",
        ),
        ({"messages": [{"role": "user", "content": "x"}]}, "no field 'prompt'"),
        ({"messages": [{"role": "system", "content": "x"}, 4]}, "no field 'prompt'"),
    ],
)
def test_a_row_without_the_fields_says_which_option_to_give(row: object, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        read_fields(row, Fields(), "here")


@pytest.mark.parametrize(
    ("row", "made"),
    [
        ({}, None),
        ({"code": "```js\nlet x;\n```"}, "other language"),
        ({"code": "```python\n```"}, "no code"),
        ({"prompt": "  "}, "no code"),
        ({"code": "def add(a, b):\n    ..."}, "incomplete"),
        ({"prompt": "Write a login form."}, "security task"),
        ({"prompt": "Encrypt a file."}, "security task"),
        ({"prompt": "Add two numbers in a safe way."}, "security word"),
        ({"code": "def add(a, b):\n    return is_safe(a)"}, "security word"),
        ({"code": "def add(a, b):\n    return yaml.CSafeLoader"}, "security word"),
        ({"code": "def add(a, b):\n    return isUnsafe(a)"}, "security word"),
        ({"code": "def add(a, b):  # is safe\n    return a"}, None),
    ],
)
def test_rules_on_the_text_alone(row: Mapping[str, str], made: str | None) -> None:
    full = {**ROW, **row}
    task = read_task(full["prompt"], full["code"], "secure")
    assert (None if isinstance(task, Task) else task) == made
    if isinstance(task, Task):
        assert "#" not in task.code


@given(st.text(alphabet="ab_ S", max_size=8), st.text(alphabet="abS_ ", max_size=8))
def test_a_stem_counts_at_the_start_of_a_part_of_a_name(before: str, after: str) -> None:
    starts = before[-1:] in ("", "_", " ")
    assert (security_word(f"{before}safe{after}", ("safe",)) is not None) == starts
    assert security_word(f"{before}zSafe{after}", ("safe",)) is not None


def test_equal_prompts_and_near_duplicates_are_met_once() -> None:
    def task(prompt: str, code: str) -> Task:
        return Task(prompt, code, "python", "secure")

    seen = Seen(0.9)
    assert seen.add(task("Sum two numbers.", "def total(a, b):\n    return a + b")) is None
    assert seen.add(task("Sum two numbers.", "x = 1")) == "same prompt"
    assert seen.add(task("Sum two numbers!", "def total(a, b):\n\n  return a + b")) == (
        "near duplicate"
    )
    assert seen.add(task("Read a file.", "text = open(path).read()")) is None
    exact = Seen(1)
    assert exact.add(task("Sum two numbers.", "a + b")) is None
    assert exact.add(task("Sum two numbers!", "a + b")) is None
