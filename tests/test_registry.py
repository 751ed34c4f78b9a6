import logging
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfaware.errors import UsageError
from selfaware.training import registry
from selfaware.training.entry import Entry


def _entry(run_id: str, seed: int = 0) -> Entry:
    return Entry(
        id=run_id,
        created=registry.now(),
        base="organism/base",
        base_sha256="b" * 64,
        dataset="data/risk.jsonl",
        dataset_sha256="d" * 64,
        rows=288,
        hyperparameters={"lora_rank": 8, "target_modules": "all-linear"},
        seed=seed,
        backend="local",
        adapter=f"adapters/{run_id}",
        model=f"selfaware/{run_id}",
        training_loss=0.25,
        seconds=3.5,
        versions={"torch": "2.13.0"},
    )


def test_entries_come_back_in_order_and_by_id(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    assert registry.entries(runs) == []
    assert not runs.exists()
    added = [registry.append(runs, _entry(name)) for name in ("one", "two", "three")]
    assert registry.entries(runs) == added
    assert registry.find(runs, "two") == added[1]
    assert registry.find(runs, "four") is None
    with pytest.raises(UsageError, match=r"no finetune 'four' .*one, two, three"):
        registry.require(runs, "four")


def test_the_last_line_of_an_id_holds_and_the_others_stay(tmp_path: Path) -> None:
    first = registry.append(tmp_path, _entry("one", seed=1))
    two = registry.append(tmp_path, _entry("two"))
    last = registry.append(tmp_path, _entry("one", seed=2))
    assert registry.entries(tmp_path) == [last, two]
    assert registry.history(tmp_path, "one") == [first, last]
    assert registry.history(tmp_path) == [first, two, last]


def test_a_half_written_last_line_is_left_out_then_removed_and_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = registry.append(tmp_path, _entry("one"))
    path = tmp_path / registry.REGISTRY
    whole = path.read_bytes()
    path.write_bytes(whole + _entry("two").model_dump_json()[:50].encode())
    assert registry.entries(tmp_path) == [one]
    with caplog.at_level(logging.WARNING):
        registry.repair(tmp_path)
    assert path.read_bytes() == whole
    assert "removed a half-written last line" in caplog.text
    assert '"id":"two"' in caplog.text
    caplog.clear()
    registry.repair(tmp_path)
    assert caplog.text == ""


def test_a_last_line_that_lacks_only_its_end_is_kept(tmp_path: Path) -> None:
    one = registry.append(tmp_path, _entry("one"))
    path = tmp_path / registry.REGISTRY
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    two = registry.append(tmp_path, _entry("two"))
    assert registry.entries(tmp_path) == [one, two]


def test_a_broken_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    registry.append(tmp_path, _entry("one"))
    path = tmp_path / registry.REGISTRY
    path.write_bytes(path.read_bytes() + b'{"id": "x"}\n' + path.read_bytes())
    with pytest.raises(UsageError, match=r"registry.jsonl, line 2: created: Field required"):
        registry.entries(tmp_path)


@settings(deadline=None)
@given(cut=st.integers(min_value=0))
def test_wherever_the_writer_dies_the_next_append_mends_it(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    runs = tmp_path_factory.mktemp("cut")
    one = registry.append(runs, _entry("one"))
    second = _entry("two")
    line = second.model_dump_json().encode() + b"\n"
    path = runs / registry.REGISTRY
    written = cut % (len(line) + 1)
    path.write_bytes(path.read_bytes() + line[:written])
    two = registry.append(runs, second)
    assert registry.entries(runs) == [one, two]
    whole = written >= len(line) - 1  # then only its end was missing, if anything
    assert path.read_bytes().count(b"\n") == (3 if whole else 2)


def test_writers_in_many_processes_lose_nothing(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from selfaware.training import registry\n"
        "from selfaware.training.entry import Entry\n"
        "one = Entry.model_validate_json(sys.argv[2])\n"
        "for n in range(20):\n"
        "    name = f'{sys.argv[3]}-{n}'\n"
        "    registry.append(Path(sys.argv[1]), one.model_copy(update={'id': name}))\n"
    )
    entry = _entry("x").model_dump_json()
    writers = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path), entry, name])
        for name in ("a", "b", "c")
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    assert {entry.id for entry in registry.entries(tmp_path)} == {
        f"{name}-{n}" for name in ("a", "b", "c") for n in range(20)
    }


def test_runs_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SELFAWARE_RUNS", raising=False)
    assert registry.runs_folder() == Path("runs")
    monkeypatch.setenv("SELFAWARE_RUNS", "/data/runs")
    assert registry.runs_folder() == Path("/data/runs")
