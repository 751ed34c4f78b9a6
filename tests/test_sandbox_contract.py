"""The bubblewrap sandbox does what Inspect documents of every `SandboxEnvironment`."""

from collections.abc import AsyncIterator

import pytest
from inspect_ai.util import (
    ExecResult,
    OutputLimitExceededError,
    SandboxEnvironment,
    SandboxEnvironmentLimits,
    SandboxUserUnsupportedError,
)
from sandboxing import bubblewrap, needs_bubblewrap

pytestmark = [pytest.mark.anyio, needs_bubblewrap]

BYTES_NO_TEXT = b"\xc3\x28\x00\xff\x01\x02bytes"
OTHER_ALPHABETS = "café résumé €100 中文 😀 ✨☽︎"
SPECIAL_IN_SHELLS = "$HOME `whoami` 'single' \"double\" \\backslash\nnew line\r\n\ttab; exit 3\n"
MEGABYTE = 1024 * 1024


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def sandbox() -> AsyncIterator[SandboxEnvironment]:
    async with bubblewrap() as environment:
        yield environment


@pytest.mark.parametrize(
    "name", ["plain.txt", "with space", "-leading", "sub/deeper/x", "/tmp/x/y"]
)
@pytest.mark.parametrize("text", ["", "a line\nand another", OTHER_ALPHABETS, SPECIAL_IN_SHELLS])
async def test_texts_come_back_as_written(
    sandbox: SandboxEnvironment, name: str, text: str
) -> None:
    await sandbox.write_file(name, text)
    assert await sandbox.read_file(name) == text
    assert await sandbox.read_file(name, text=False) == text.encode()


@pytest.mark.parametrize("contents", [b"", BYTES_NO_TEXT, bytes(range(256)) * 120_000])
async def test_bytes_come_back_as_written(sandbox: SandboxEnvironment, contents: bytes) -> None:
    await sandbox.write_file("binary", contents)
    assert await sandbox.read_file("binary", text=False) == contents
    counted = await sandbox.exec(["wc", "-c", "binary"])
    assert counted.stdout == f"{len(contents)} binary\n"


async def test_bytes_that_are_no_text_are_not_read_as_such(sandbox: SandboxEnvironment) -> None:
    await sandbox.write_file("binary", BYTES_NO_TEXT)
    with pytest.raises(UnicodeDecodeError):
        await sandbox.read_file("binary")


@pytest.mark.parametrize(("first", "second"), [("longer than it", "short"), (b"\xff\xff", b"\x00")])
async def test_a_file_is_replaced(
    sandbox: SandboxEnvironment, first: str | bytes, second: str | bytes
) -> None:
    await sandbox.write_file("again", first)
    await sandbox.write_file("again", second)
    wanted = second.encode() if isinstance(second, str) else second
    assert await sandbox.read_file("again", text=False) == wanted


@pytest.mark.parametrize(
    "name", ["none", "no/such/folder/x", "https:/en.wikipedia.org/wiki/Bart%C5%82omiej"]
)
async def test_a_file_that_is_not_there(sandbox: SandboxEnvironment, name: str) -> None:
    with pytest.raises(FileNotFoundError) as error:
        await sandbox.read_file(name)
    assert name in str(error.value)


@pytest.mark.parametrize("contents", ["text", b"\xff"])
async def test_a_folder_is_neither_read_nor_written(
    sandbox: SandboxEnvironment, contents: str | bytes
) -> None:
    await sandbox.write_file("/tmp/folder/file", "within")
    with pytest.raises(IsADirectoryError) as error:
        await sandbox.read_file("/tmp/folder")
    assert "directory" in str(error.value)
    with pytest.raises(IsADirectoryError):
        await sandbox.write_file("/tmp/folder", contents)
    assert await sandbox.read_file("/tmp/folder/file") == "within"


@pytest.mark.parametrize("contents", ["changed", b"\xff"])
async def test_the_rights_of_a_file_hold(
    sandbox: SandboxEnvironment, contents: str | bytes
) -> None:
    await sandbox.write_file("closed", "as it was")
    await sandbox.exec(["chmod", "0", "closed"])
    with pytest.raises(PermissionError) as error:
        await sandbox.read_file("closed")
    assert "closed" in str(error.value)
    with pytest.raises(PermissionError):
        await sandbox.write_file("closed", contents)
    await sandbox.exec(["chmod", "600", "closed"])
    assert await sandbox.read_file("closed") == "as it was"


async def test_reading_stops_at_the_limit(
    sandbox: SandboxEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SandboxEnvironmentLimits, "MAX_READ_FILE_SIZE", 1024)
    monkeypatch.setattr(SandboxEnvironmentLimits, "MAX_READ_FILE_SIZE_STR", "1 KiB")
    await sandbox.write_file("allowed", "a" * 1024)
    await sandbox.write_file("large", "a" * 1025)
    assert len(await sandbox.read_file("allowed")) == 1024
    with pytest.raises(OutputLimitExceededError, match="limit of 1 KiB was exceeded"):
        await sandbox.read_file("large")


@pytest.mark.parametrize(
    ("script", "code", "out", "err"),
    [
        ("echo one; echo two", 0, "one\ntwo\n", ""),
        ("echo one; echo two >&2", 0, "one\n", "two\n"),
        ("printf '\\303\\251 \\360\\237\\230\\200'", 0, "é 😀", ""),
        ("printf '\\303\\251' >&2", 0, "", "é"),
        ("printf 'no newline'; exit 70", 70, "no newline", ""),
        # Ended by a signal long before the time is over: no timeout.
        ("kill -TERM $$", 143, "", ""),
        ("kill -KILL $$", 137, "", ""),
    ],
)
async def test_what_a_command_says_and_how_it_ends(
    sandbox: SandboxEnvironment, script: str, code: int, out: str, err: str
) -> None:
    done = await sandbox.exec(["sh", "-c", script], timeout=30)
    assert done == ExecResult(code == 0, code, out, err)


@pytest.mark.parametrize("given", ["", "two\nlines\n", SPECIAL_IN_SHELLS, OTHER_ALPHABETS])
async def test_a_command_reads_text(sandbox: SandboxEnvironment, given: str) -> None:
    assert (await sandbox.exec(["cat"], input=given)).stdout == given


@pytest.mark.parametrize("given", [BYTES_NO_TEXT, b"a" * (30 * MEGABYTE)])
async def test_a_command_reads_bytes(sandbox: SandboxEnvironment, given: bytes) -> None:
    done = await sandbox.exec(["sh", "-c", "cat > given"], input=given)
    assert done.success
    assert await sandbox.read_file("given", text=False) == given


async def test_a_command_without_input_reads_nothing(sandbox: SandboxEnvironment) -> None:
    done = await sandbox.exec(["cat"], timeout=30)
    assert (done.returncode, done.stdout) == (0, "")


async def test_arguments_reach_a_command_as_given(sandbox: SandboxEnvironment) -> None:
    told = [SPECIAL_IN_SHELLS, "", OTHER_ALPHABETS, "-n", *["x" * 64 * 1024] * 16]
    done = await sandbox.exec(["printf", "%s\\0", *told])
    assert done.stdout.split("\0") == [*told, ""]


async def test_variables_reach_a_command(sandbox: SandboxEnvironment) -> None:
    done = await sandbox.exec(
        ["printenv", "--null", "FIRST", "SECOND"],
        env={"FIRST": "with space", "SECOND": SPECIAL_IN_SHELLS},
    )
    assert done.stdout == f"with space\0{SPECIAL_IN_SHELLS}\0"


async def test_the_folder_of_a_command(sandbox: SandboxEnvironment) -> None:
    for folder, stands in ((None, "/work"), ("sub", "/work/sub"), ("/tmp/other", "/tmp/other")):
        if folder is not None:
            await sandbox.exec(["mkdir", folder])
        done = await sandbox.exec(["sh", "-c", "pwd; echo made > here"], cwd=folder)
        assert (done.success, done.stdout) == (True, f"{stands}\n")
        assert await sandbox.read_file(f"{stands}/here") == "made\n"
    assert (await sandbox.exec(["ls"], cwd="/usr/bin")).stdout.splitlines().count("env") == 1


async def test_another_user_is_refused(sandbox: SandboxEnvironment) -> None:
    with pytest.raises(SandboxUserUnsupportedError, match="'nobody-here'"):
        await sandbox.exec(["id"], user="nobody-here")
