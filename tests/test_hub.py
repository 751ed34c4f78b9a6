"""Rows of a pinned dataset, from a Hub on this machine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hub_server import REVISION, HubServer

from selfaware.data.hub import HubRecord, as_row, fetch_rows, hub_path, pinned
from selfaware.data.manifest import read_record
from selfaware.data.rows import Message, Row, question_and_answer, read_rows
from selfaware.errors import UsageError

RECORDS: list[dict[str, str]] = [
    {"instruction": f"Do {n}.", "input": "with x" if n % 2 else "", "output": f"Done {n}."}
    for n in range(9)
] + [{"instruction": "Do nothing.", "input": "", "output": " "}]


def fetch(url: str, home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command in a process of its own, with a cache of its own."""
    offline = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
    known = {key: value for key, value in os.environ.items() if key not in offline}
    return subprocess.run(
        [sys.executable, "-m", "selfaware.cli", "data", "fetch", *arguments],
        cwd=home,
        env={**known, "HF_HOME": str(home), "HF_ENDPOINT": url, "HF_HUB_DISABLE_TELEMETRY": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_pinned_dataset_becomes_rows_with_its_licence(tmp_path: Path) -> None:
    lines = "".join(json.dumps(record) + "\n" for record in RECORDS).encode()
    files = {"README.md": b"---\nlicense: cc-by-4.0\n---\n", "train.jsonl": lines}
    out = tmp_path / "general.jsonl"
    with HubServer("org/name", files, "cc-by-4.0") as server:
        done = fetch(server.url, tmp_path, f"org/name@{REVISION}", "--out", str(out))
        assert done.returncode == 0, done.stderr
        other = "0" * 40
        absent = fetch(server.url, tmp_path, f"org/name@{other}", "--out", str(tmp_path / "x"))
    assert "9 rows, 1 left out" in done.stdout
    assert "license of org/name: cc-by-4.0" in done.stdout
    assert read_rows(out) == [
        question_and_answer(f"Do {n}." + "\n\nwith x" * (n % 2), f"Done {n}.") for n in range(9)
    ]
    record = read_record(hub_path(out), HubRecord, out)
    assert record is not None
    assert (record.dataset, record.revision) == ("org/name", REVISION)
    assert (record.license, record.rows, record.left_out) == ("cc-by-4.0", 9, 1)
    assert absent.returncode == 2
    assert absent.stderr.startswith("Error: cannot read the card of org/name: ")
    assert len(absent.stderr.splitlines()) == 1
    assert not (tmp_path / "x").exists()


def test_records_of_known_columns_are_rows() -> None:
    said = [{"role": "user", "content": "Hi", "name": None}, {"role": "assistant", "content": "Ho"}]
    assert as_row({"messages": said}) == question_and_answer("Hi", "Ho")
    system = Message(role="system", content="Be.")
    assert as_row({"messages": [{"role": "system", "content": "Be."}, *said]}) == Row(
        messages=(system, *question_and_answer("Hi", "Ho").messages)
    )
    for broken in ([], None, said[:1], [{"role": "tool", "content": "x"}]):
        assert as_row({"messages": broken}) is None
    for asked, answered in (
        ("prompt", "completion"),
        ("prompt", "response"),
        ("question", "answer"),
    ):
        record = {asked: " Why? ", answered: "So.", "input": "not asked"}
        assert as_row(record) == question_and_answer("Why?", "So.")
        assert as_row({asked: None, answered: "So."}) is None
    with pytest.raises(UsageError, match="columns text, id: need messages, or one of: instruction"):
        as_row({"text": "x", "id": "y"})


def test_only_commits_are_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pinned(f"hf:org/na-me.2@{REVISION}") == ("org/na-me.2", REVISION)
    for name in ("org/name", "org/name@main", f"name@{REVISION}", f"org/name@{REVISION[:12]}"):
        with pytest.raises(UsageError, match="is no pinned dataset"):
            pinned(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "org" / "name").mkdir(parents=True)
    with pytest.raises(UsageError, match="org/name lies here as a folder"):
        fetch_rows(f"org/name@{REVISION}", tmp_path / "out.jsonl")
