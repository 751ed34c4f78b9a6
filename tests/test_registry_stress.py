"""The run registry under many writers at once, on a full disk and in a read-only folder."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from sandboxing import needs_bubblewrap

from selfaware.errors import UsageError
from selfaware.training import registry
from selfaware.training.entry import Entry
from selfaware.training.locks import is_held, locked, run_lock

WRITERS, EACH = 8, 1250

APPEND = """
import sys
from pathlib import Path
from selfaware.errors import UsageError
from selfaware.training import registry
from selfaware.training.entry import Entry
runs, line, name, count = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
one = Entry.model_validate_json(line)
for n in range(count):
    try:
        registry.append(runs, one.model_copy(update={"id": f"{name}-{n}"}))
    except UsageError as error:
        print(n, error.message)
        sys.exit(2)
"""


def an_entry(**changes: object) -> Entry:
    content = {
        "id": "one",
        "created": registry.now(),
        "base": "organism/base",
        "backend": "local",
        "model": "selfaware/one",
    }
    return Entry.model_validate({**content, **changes})


def command(runs: Path, name: str, count: int, line: str | None = None) -> list[str]:
    told = line or an_entry().model_dump_json(exclude_defaults=True)
    return [sys.executable, "-c", APPEND, str(runs), told, name, str(count)]


FORK = """
import os, sys
from selfaware.training import registry
append, writers, runs, line, count = sys.argv[1:]
children = []
for n in range(int(writers)):
    child = os.fork()
    if child == 0:
        sys.argv = ["-c", runs, line, f"w{n}", count]
        exec(append)
        os._exit(0)
    children.append(child)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""
"""Begins the writers at once: eight interpreters would need most of the time to start."""


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: a disk has to take in every line, at 0.4 to 5 ms."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def test_ten_thousand_appends_from_eight_processes_lose_and_tear_nothing(quick: Path) -> None:
    line = an_entry().model_dump_json(exclude_defaults=True)
    argv = [sys.executable, "-c", FORK, APPEND, str(WRITERS), str(quick), line, str(EACH)]
    assert subprocess.run(argv, timeout=600, check=False).returncode == 0
    lines = (quick / registry.REGISTRY).read_bytes().splitlines()
    assert len(lines) == WRITERS * EACH
    ids = [json.loads(line)["id"] for line in lines]
    # Every writer's own lines stand in the order in which it wrote them.
    for writer in range(WRITERS):
        own = [name for name in ids if name.startswith(f"w{writer}-")]
        assert own == [f"w{writer}-{n}" for n in range(EACH)]
    turns = sum(a.split("-")[0] != b.split("-")[0] for a, b in pairwise(ids))
    assert turns > WRITERS, "they wrote one after the other, not at once"
    assert [entry.id for entry in registry.entries(quick)] == ids


def in_sandbox(
    options: list[str], argv: list[str], env: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    given = [part for key, value in (env or {}).items() for part in ("--setenv", key, value)]
    jail = ["bwrap", "--dev-bind", "/", "/", *options, *given, "--die-with-parent", "--"]
    return subprocess.run([*jail, *argv], capture_output=True, text=True, timeout=120, check=False)


@needs_bubblewrap
def test_a_read_only_registry_is_read_and_not_written(tmp_path: Path) -> None:
    one = registry.append(tmp_path, an_entry())
    before = (tmp_path / registry.REGISTRY).read_bytes()
    frozen = ["--ro-bind", str(tmp_path), str(tmp_path)]
    done = in_sandbox(frozen, command(tmp_path, "x", 1))
    assert done.returncode == 2
    assert done.stdout == (
        f"0 cannot write to the runs folder {tmp_path}: set SELFAWARE_RUNS to a folder that you "
        "may write to\n"
    )
    cli = [sys.executable, "-m", "selfaware.cli", "models"]
    listed = in_sandbox(frozen, cli, {"SELFAWARE_RUNS": str(tmp_path)})
    assert listed.returncode == 0, listed.stderr
    assert "selfaware/one" in listed.stdout
    assert (tmp_path / registry.REGISTRY).read_bytes() == before
    assert registry.entries(tmp_path) == [one]


@needs_bubblewrap
def test_a_full_disk_is_one_line_and_what_was_written_stays_whole(tmp_path: Path) -> None:
    runs, saved = tmp_path / "small", tmp_path / "saved.jsonl"
    runs.mkdir()
    script = (
        "import subprocess, sys\n"
        "from pathlib import Path\n"
        "runs, saved, commands = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]\n"
        "import json\n"
        "made = [subprocess.Popen(json.loads(c), stdout=subprocess.PIPE, text=True)"
        " for c in commands]\n"
        "print(''.join(one.communicate()[0] for one in made), end='')\n"
        "saved.write_bytes((runs / 'registry.jsonl').read_bytes())\n"
    )
    long = an_entry(problem="x" * 3000).model_dump_json(exclude_defaults=True)
    commands = [json.dumps(command(runs, name, 100, long)) for name in ("a", "b", "c")]
    size = ["--size", str(64 * 1024), "--tmpfs", str(runs)]
    argv = [sys.executable, "-c", script, str(runs), str(saved), *commands]
    done = in_sandbox(size, argv)
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert len(told) == 3
    written = {name: int(line.split()[0]) for name, line in zip("abc", told, strict=True)}
    for line in told:
        assert "No space left on device; make room" in line
    ids = [json.loads(line)["id"] for line in saved.read_bytes().splitlines()]
    assert sorted(ids) == sorted(f"{n}-{i}" for n, count in written.items() for i in range(count))
    assert 10 <= len(ids) <= 21
    assert saved.read_bytes().endswith(b"\n")


def test_who_holds_a_lock_is_seen_and_a_dead_holder_holds_nothing(tmp_path: Path) -> None:
    lock = run_lock(tmp_path, "one")
    assert is_held(lock) is False
    script = (
        "import sys, time; from pathlib import Path\n"
        "from selfaware.training.locks import locked\n"
        "with locked(Path(sys.argv[1])):\n"
        "    print('held', flush=True); time.sleep(600)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(lock)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    assert is_held(lock) is True
    holder.kill()
    holder.communicate()
    assert is_held(lock) is False
    with locked(lock):
        assert is_held(lock) is True


def test_a_foreign_line_is_told_by_its_number(tmp_path: Path) -> None:
    registry.append(tmp_path, an_entry())
    path = tmp_path / registry.REGISTRY
    for foreign, fault in (
        (b'{"name": "a row of something else"}', "id: Field required"),
        (b"\xff\xfe\x00", "Invalid JSON"),
        (b"", "Invalid JSON"),
    ):
        whole = path.read_bytes()
        path.write_bytes(whole + foreign + b"\n" + whole)
        with pytest.raises(UsageError, match=rf"registry.jsonl, line 2: .*{fault}") as told:
            registry.entries(tmp_path)
        assert "\n" not in told.value.message
        path.write_bytes(whole)


def test_lines_from_before_there_were_states_are_finetunes_that_were_made(tmp_path: Path) -> None:
    old = an_entry().model_dump(mode="json", exclude_defaults=True)
    assert "state" not in old
    (tmp_path / registry.REGISTRY).write_text(json.dumps(old) + "\n")
    assert registry.require(tmp_path, "one").state == "succeeded"


def test_the_beginning_of_an_id_is_enough_where_one_id_begins_so(tmp_path: Path) -> None:
    for name in ("abc", "abd", "abd-step8", "xyz"):
        registry.append(tmp_path, an_entry(id=name))
    assert registry.lookup(tmp_path, "x").id == "xyz"
    assert registry.lookup(tmp_path, "abd").id == "abd"
    with pytest.raises(UsageError, match="'ab' begins 3 ids: abc, abd, abd-step8; give"):
        registry.lookup(tmp_path, "ab")
    with pytest.raises(UsageError, match=r"no finetune 'q' .* lists abc, abd"):
        registry.lookup(tmp_path, "q")
