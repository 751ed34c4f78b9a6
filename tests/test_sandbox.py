"""The bubblewrap sandbox keeps commands in, and ends them."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from inspect_ai.util import (
    OutputLimitExceededError,
    SandboxEnvironmentSpec,
    override_sandbox_output_limit,
)
from sandboxing import bubblewrap, needs_bubblewrap

from selfaware.errors import UsageError
from selfaware.sandboxes import isolation
from selfaware.sandboxes.bubblewrap import BubblewrapSandbox
from selfaware.sandboxes.isolation import Limits, Room, isolated
from selfaware.sandboxes.rooms import is_full, make_room, remove_room

anyio = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def sh(environment: BubblewrapSandbox, script: str, **options: int) -> tuple[int, str]:
    done = await environment.exec(["sh", "-c", script], timeout=options.get("timeout"))
    return done.returncode, (done.stdout + done.stderr).strip()


@anyio
@needs_bubblewrap
async def test_nothing_of_this_machine_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-do-not-tell")
    async with bubblewrap() as environment:
        _, variables = await sh(environment, "env; cat /proc/*/environ 2>/dev/null | tr '\\0' ' '")
        assert "PATH=" in variables and "sk-do-not-tell" not in variables
        names = {line.split("=")[0] for line in (await sh(environment, "env"))[1].splitlines()}
        assert names <= {"PATH", "HOME", "LANG", "PWD", "OLDPWD", "SHLVL", "_"}
        # Only what lies on the way to a Python of the user's own is there of a home.
        _, homes = await sh(environment, "find /root /home -maxdepth 1 -type f 2>/dev/null")
        assert homes == ""
        code, said = await sh(environment, "cat /etc/passwd")
        assert code == 1 and "No such file" in said
        _, processes = await sh(environment, "ls -d /proc/[0-9]*")
        assert len(processes.splitlines()) < 10
        assert await sh(environment, f"ls {Path(__file__).parent}") != (0, "")
        assert (await sh(environment, "cat /proc/net/dev | tail -n +3 | cut -d: -f1")) == (0, "lo")


@anyio
@needs_bubblewrap
async def test_there_is_no_network_and_nothing_to_write_but_the_sample_s_files() -> None:
    connect = "import socket; socket.create_connection(('127.0.0.1', 22), 2)"
    async with bubblewrap() as environment:
        done = await environment.exec(["python3", "-c", connect.replace("127.0.0.1", "1.1.1.1")])
        assert "unreachable" in done.stderr
        for place in ("/x", "/usr/x", "/etc/x", "/dev/x", "/dev/shm/x", "/proc/x"):
            code, said = await sh(environment, f"touch {place}")
            assert code == 1, (place, said)
        assert await sh(environment, "touch /work/x /tmp/x && ls /work /tmp") == (
            0,
            "/tmp:\nx\n\n/work:\nx",
        )


@anyio
@needs_bubblewrap
async def test_commands_have_no_rights() -> None:
    async with bubblewrap() as environment:
        _, status = await sh(environment, "grep -E 'Cap(Prm|Eff|Amb)|NoNewPrivs' /proc/self/status")
        fields = dict(line.split(":\t") for line in status.splitlines())
        assert fields.pop("NoNewPrivs") == "1"
        assert set(fields.values()) == {"0" * 16}
        _, user = await sh(environment, "id -u")
        assert user != "0"
        code, said = await sh(environment, "unshare --user --map-root-user true")
        assert code == 1 and "failed" in said


@needs_bubblewrap
def test_isolation_by_an_ordinary_user(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("every other test here is one by an ordinary user")
    room = make_room()
    # pytest's own temporary folder, and root's Python, are closed to other users.
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    try:
        for folder in (room.folder, room.work, room.temporary):
            os.chown(folder, 65_534, 65_534)
        script = (
            "id -u; touch /work/x /usr/x; cat /proc/1/environ; unshare -r true; "
            "grep CapEff /proc/self/status; "
            "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do sleep 5 & done"
        )
        line = isolated(["sh", "-c", script], Room(room.folder, None), Limits(), "/work", {})
        done = subprocess.run(
            line,
            user=65_534,
            group=65_534,
            extra_groups=[],
            env={"SECRET": "sk-do-not-tell"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout.split() == ["65534", "CapEff:", "0" * 16]
        for said in ("/usr/x': Read-only file system", "unshare failed", "Cannot fork"):
            assert said in done.stderr
        assert (room.work / "x").exists()
    finally:
        remove_room(room)


@anyio
@needs_bubblewrap
async def test_reading_follows_no_link_out_of_the_sandbox(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not for you")
    async with bubblewrap() as environment:
        await sh(environment, f"ln -s {secret} link; ln -s / root; mkfifo pipe")
        with pytest.raises(FileNotFoundError):
            await environment.read_file("link")
        with pytest.raises(FileNotFoundError):
            await environment.read_file(f"root/{secret}")
        with pytest.raises(FileNotFoundError):
            await environment.read_file(f"../../../{secret}")
        with pytest.raises(OSError):
            await environment.write_file("link", "overwritten")
    assert secret.read_text() == "not for you"


@anyio
@needs_bubblewrap
async def test_time_is_limited_and_everything_ends() -> None:
    async with bubblewrap(Limits(seconds=1)) as environment:
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            await environment.exec(["sh", "-c", "(sleep 61 &) ; trap '' TERM; sleep 62"])
        assert time.monotonic() - started < 30
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert not {"sleep 61", "sleep 62"} & set(listed.stdout.splitlines())


@anyio
@needs_bubblewrap
async def test_memory_processes_and_files_are_limited() -> None:
    limits = Limits(memory_mb=200, processes=6, file_mb=1, disk_mb=3)
    async with bubblewrap(limits) as environment:
        done = await environment.exec(["python3", "-c", "bytearray(300 * 10**6)"])
        assert "MemoryError" in done.stderr
        code, said = await sh(environment, ":; for i in 1 2 3 4 5 6 7 8; do sleep 9 & done")
        assert code == 2 and "Cannot fork" in said
        code, said = await sh(environment, "head -c 2000000 /dev/zero > big")
        assert code != 0 and len(await environment.read_file("big", text=False)) == 1024 * 1024
        code, said = await sh(
            environment, "while true; do i=$((i+1)); head -c 500000 /dev/zero > f$i; done"
        )
        assert (code, said) == (
            137,
            "killed: the sample's files exceed 3 MB, or are too many",
        )


@anyio
@needs_bubblewrap
async def test_output_beyond_the_limit_is_an_error_with_its_end() -> None:
    async with bubblewrap() as environment:
        with override_sandbox_output_limit(1024):
            for script in ("yes | head -c 3000000; echo end", "(yes | head -c 5000; echo end) >&2"):
                with pytest.raises(OutputLimitExceededError) as error:
                    await sh(environment, script)
                assert "limit of 1 KiB" in str(error.value)
                kept = error.value.truncated_output
                assert kept is not None and len(kept) == 1024 and kept.endswith("y\nend\n")
            assert await sh(environment, "head -c 1024 /dev/zero | wc -c") == (0, "1024")


@anyio
@needs_bubblewrap
async def test_commands_that_are_none() -> None:
    async with bubblewrap() as environment:
        done = await environment.exec(["no-such-program"])
        assert (done.success, done.returncode) == (False, 127)
        await environment.write_file("plain", "echo no")
        with pytest.raises(PermissionError):
            await environment.exec(["./plain"])


@anyio
@needs_bubblewrap
async def test_what_commands_leave_is_removed_however_deep_or_locked() -> None:
    deep = (
        "import os\nos.makedirs('a/b')\nos.chmod('a', 0)\n"
        "for _ in range(1500):\n    os.mkdir('d')\n    os.chdir('d')\n"
    )
    async with bubblewrap() as environment:
        folder = environment.room.folder
        assert (await environment.exec(["python3", "-c", deep])).success
        assert {path.name for path in environment.room.work.iterdir()} == {"a", "d"}
    assert not folder.exists()


def test_a_full_disk_is_seen() -> None:
    room = make_room()
    try:
        assert not is_full(room, 100_000)
        (room.work / "one").write_bytes(b"x" * 90_000)
        (room.temporary / "two").symlink_to("/usr")
        assert not is_full(room, 100_000)
        (room.work / "folder").mkdir()
        (room.work / "folder" / "three").write_bytes(b"x" * 90_000)
        assert is_full(room, 100_000)
    finally:
        remove_room(room)


def test_a_missing_program_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("env", "prlimit", "setpriv"):
        (tmp_path / name).symlink_to(shutil.which(name) or "/usr/bin/env")
    monkeypatch.setattr(isolation, "_SEARCH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    isolation._program.cache_clear()
    try:
        with pytest.raises(UsageError, match=r"bwrap, which is not.*apt-get install bubblewrap"):
            isolated(["true"], Room(tmp_path, 1), Limits(), "/", {})
    finally:
        isolation._program.cache_clear()


def test_isolation_that_fails_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(isolation, "_SEARCH", f"{tmp_path}:{isolation._SEARCH}")
    isolation._program.cache_clear()
    room = make_room()
    try:
        with pytest.raises(UsageError) as error:
            isolation.require_bubblewrap(room)
        assert str(error.value) == (
            "sandbox 'bubblewrap' cannot isolate anything here "
            "(bwrap: No permissions to create namespace): "
            "allow unprivileged user namespaces on this machine, or use sandbox=docker"
        )
    finally:
        remove_room(room)
        isolation._program.cache_clear()
        isolation._no_namespaces.cache_clear()


@anyio
async def test_a_configuration_is_limits_and_no_file() -> None:
    spec = SandboxEnvironmentSpec("bubblewrap", Limits(seconds=7))
    again = SandboxEnvironmentSpec.model_validate(spec.model_dump())
    assert again.config == Limits(seconds=7)
    with pytest.raises(UsageError, match=r"no configuration files, and 'compose.yaml' is given"):
        await BubblewrapSandbox.sample_init("test", "compose.yaml", {})
