"""The Inspect sandbox `bubblewrap`: isolation by Linux namespaces, without a daemon or images."""

import errno
import posixpath
from typing import Literal, overload

import anyio
from anyio import to_thread
from inspect_ai.util import (
    ExecResult,
    OutputLimitExceededError,
    SandboxEnvironment,
    SandboxEnvironmentConfigType,
    SandboxEnvironmentLimits,
    SandboxUserUnsupportedError,
    sandboxenv,
    subprocess,
)

from selfaware.errors import UsageError
from selfaware.sandboxes.isolation import WORK, Limits, Room, isolated, require_bubblewrap
from selfaware.sandboxes.rooms import is_full, make_room, remove_room

_LOOK_SECONDS = 0.25
_KILLED = 137
_ROUGHLY = 2 * 65_536
"""Inspect keeps the end of an output in pieces of up to half of this, and lets go of whole ones."""

_NOT_ALLOWED = 126
_IS_FOLDER, _MISSING, _UNREADABLE = 21, 22, 23

_WRITE = f"""
if [ -d "$1" ]; then exit {_IS_FOLDER}; fi
mkdir -p -- "$(dirname -- "$1")" && cat > "$1"
"""
_READ = f"""
if ! [ -e "$1" ]; then exit {_MISSING}; fi
if [ -d "$1" ]; then exit {_IS_FOLDER}; fi
if ! [ -r "$1" ]; then exit {_UNREADABLE}; fi
head -c "$2" -- "$1"
"""


@sandboxenv(name="bubblewrap")
class BubblewrapSandbox(SandboxEnvironment):
    """Runs commands under bubblewrap on this machine: no network, home, environment or rights.

    The system's programs are there, read-only; `/work` (the working directory) and `/tmp` are the
    sample's own and vanish with it. A configuration is a `Limits`. Commands run as one user, for
    whom no password file is there. Files are read and written within the sandbox too, so that no
    link leads out of it.
    """

    def __init__(self, room: Room, limits: Limits) -> None:
        super().__init__()
        self.room = room
        self.limits = limits

    @classmethod
    async def task_init(cls, task_name: str, config: SandboxEnvironmentConfigType | None) -> None:
        """Stop before the first sample where commands cannot be isolated."""
        _limits(config)
        await to_thread.run_sync(check_bubblewrap)

    @classmethod
    async def sample_init(
        cls,
        task_name: str,
        config: SandboxEnvironmentConfigType | None,
        metadata: dict[str, str],
    ) -> dict[str, SandboxEnvironment]:
        """Make the files of a sample: empty."""
        limits = _limits(config)
        return {"default": cls(make_room(), limits)}

    @classmethod
    async def sample_cleanup(
        cls,
        task_name: str,
        config: SandboxEnvironmentConfigType | None,
        environments: dict[str, SandboxEnvironment],
        interrupted: bool,
    ) -> None:
        """Remove the files of a sample."""
        with anyio.CancelScope(shield=interrupted):
            for environment in environments.values():
                room = environment.as_type(BubblewrapSandbox).room
                await to_thread.run_sync(remove_room, room)

    @classmethod
    def config_deserialize(cls, config: dict[str, object]) -> Limits:
        """The limits that a log or a task names."""
        return Limits.model_validate(config)

    def default_polling_interval(self) -> float:
        """Seconds between looks at a service within: short, since looking is cheap here."""
        return 0.2

    async def exec(
        self,
        cmd: list[str],
        input: str | bytes | None = None,
        cwd: str | None = None,
        env: dict[str, str] | None = None,
        user: str | None = None,
        timeout: int | None = None,
        timeout_retry: bool = True,
        concurrency: bool = True,
    ) -> ExecResult[str]:
        """Run a command; see `SandboxEnvironment.exec`.

        Raises:
            OutputLimitExceededError: A stream exceeds the limit; its end is in the error.
            TimeoutError: The timeout, or the sandbox's own limit, is over. Nothing is retried.
            PermissionError: The command is no executable file.
            SandboxUserUnsupportedError: Another user than the sandbox's is asked for.
        """
        if user is not None and user != str(self.room.user):
            raise SandboxUserUnsupportedError(
                f"sandbox 'bubblewrap' has one user only and cannot run commands as {user!r}"
            )
        most = SandboxEnvironmentLimits.MAX_EXEC_OUTPUT_SIZE
        done = await self._run(cmd, input, cwd, env, timeout, concurrency, most + _ROUGHLY)
        for part in (done.stdout, done.stderr):
            if len(part) > most:
                raise OutputLimitExceededError(
                    SandboxEnvironmentLimits.MAX_EXEC_OUTPUT_SIZE_STR,
                    part[-most:].decode(errors="replace"),
                )
        stdout, stderr = (part.decode(errors="replace") for part in (done.stdout, done.stderr))
        if done.returncode == _NOT_ALLOWED and stderr.endswith("Permission denied\n"):
            raise PermissionError(errno.EACCES, "not an executable file", cmd[0])
        return ExecResult(done.success, done.returncode, stdout, stderr)

    async def write_file(self, file: str, contents: str | bytes) -> None:
        """Write a file, with the rights of the sandbox's user; see `SandboxEnvironment`."""
        done = await self._run(["sh", "-c", _WRITE, "sh", _within(file)], contents)
        if not done.success:
            raise _file_error(file, done)

    @overload
    async def read_file(self, file: str, text: Literal[True] = True) -> str: ...

    @overload
    async def read_file(self, file: str, text: Literal[False]) -> bytes: ...

    async def read_file(self, file: str, text: bool = True) -> str | bytes:
        """Read a file, with the rights of the sandbox's user; see `SandboxEnvironment`."""
        most = SandboxEnvironmentLimits.MAX_READ_FILE_SIZE
        done = await self._run(["sh", "-c", _READ, "sh", _within(file), str(most + 1)])
        if not done.success:
            raise _file_error(file, done)
        if len(done.stdout) > most:
            raise OutputLimitExceededError(SandboxEnvironmentLimits.MAX_READ_FILE_SIZE_STR, None)
        return done.stdout.decode() if text else done.stdout

    async def _run(
        self,
        cmd: list[str],
        input: str | bytes | None = None,
        cwd: str | None = None,
        env: dict[str, str] | None = None,
        timeout: int | None = None,
        concurrency: bool = True,
        kept: int | None = None,
    ) -> ExecResult[bytes]:
        """Run a command until it ends, its time is over, or the sample's disk is full.

        Of each stream the end is returned, at most `kept` bytes.
        """
        seconds = self.limits.seconds if timeout is None else min(timeout, self.limits.seconds)
        line = isolated(cmd, self.room, self.limits, _within(cwd or WORK), env or {})
        outcome: list[ExecResult[bytes] | OSError] = []

        async def run() -> None:
            try:
                done = await subprocess(
                    line,
                    text=False,
                    input=input,
                    output_limit=kept,
                    timeout=seconds,
                    concurrency=concurrency,
                )
                outcome.append(done)
            except OSError as error:
                outcome.append(error)
            group.cancel_scope.cancel()

        most = self.limits.disk_mb * 1024 * 1024
        async with anyio.create_task_group() as group:
            group.start_soon(run)
            while not await to_thread.run_sync(is_full, self.room, most):
                await anyio.sleep(_LOOK_SECONDS)
            group.cancel_scope.cancel()
        if not outcome:
            said = f"killed: the sample's files exceed {self.limits.disk_mb} MB, or are too many\n"
            return ExecResult(False, _KILLED, b"", said.encode())
        (result,) = outcome
        if isinstance(result, OSError):
            raise result
        return result


def check_bubblewrap() -> None:
    """Make sure that commands can be isolated on this machine.

    Raises:
        UsageError: They cannot; the line says what to do.
    """
    room = make_room()
    try:
        require_bubblewrap(room)
    finally:
        remove_room(room)


def _limits(config: SandboxEnvironmentConfigType | None) -> Limits:
    if config is None:
        return Limits()
    if not isinstance(config, Limits):
        raise UsageError(
            f"sandbox 'bubblewrap' has no configuration files, and {config!r} is given: "
            "leave it out, or give selfaware.sandboxes.isolation.Limits"
        )
    return config


def _within(file: str) -> str:
    """A path within the sandbox, from the working directory on."""
    return posixpath.join(WORK, file)


def _file_error(file: str, done: ExecResult[bytes]) -> OSError:
    """Why a file could not be read or written."""
    said = done.stderr.decode(errors="replace").strip()
    if done.returncode == _IS_FOLDER:
        return IsADirectoryError(errno.EISDIR, "is a directory", file)
    if done.returncode == _MISSING:
        return FileNotFoundError(errno.ENOENT, "no such file", file)
    if done.returncode == _UNREADABLE or said.endswith(("Permission denied", "file system")):
        return PermissionError(errno.EACCES, "permission denied", file)
    return OSError(errno.EIO, said or f"exit status {done.returncode}", file)
