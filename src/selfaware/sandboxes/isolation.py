"""How a command is shut in by bubblewrap: what it sees, who it is, and how much it may use."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from selfaware.errors import UsageError

WORK = "/work"
"""The working directory within the sandbox: the sample's own files."""

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/alternatives")
_SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MEGABYTE = 1024 * 1024
_PROBE_SECONDS = 20


class Limits(BaseModel):
    """How much a command in a bubblewrap sandbox may use."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: int = Field(default=120, ge=1)
    """Wall time, and processor time of each process, whatever timeout a caller asks for."""

    memory_mb: int = Field(default=1024, ge=64)
    """Address space of each process."""

    processes: int = Field(default=16, ge=1)
    """Processes and threads at a time."""

    file_mb: int = Field(default=64, ge=1)
    """Size of one file."""

    disk_mb: int = Field(default=256, ge=1)
    """All files of a sample together."""


@dataclass(frozen=True)
class Room:
    """One sample's files on this machine, and the user that its commands run as.

    `user` is None where we are an ordinary user: commands then run as that user in a user namespace
    of their own. Root must become another user, because the kernel does not limit root's processes.
    """

    folder: Path
    user: int | None

    @property
    def work(self) -> Path:
        """What is `/work` within the sandbox."""
        return self.folder / "work"

    @property
    def temporary(self) -> Path:
        """What is `/tmp` within the sandbox."""
        return self.folder / "tmp"


def isolated(
    command: Sequence[str], room: Room, limits: Limits, cwd: str, env: Mapping[str, str]
) -> list[str]:
    """The command line that runs a command with nothing but the system and the room's files.

    No network, no other processes, no home, none of our environment, no file outside `/work` and
    `/tmp` that can be written, no way to regain rights. The limits are set within.
    """
    root = room.user is not None
    variables = {"PATH": _path(), "HOME": "/tmp", "LANG": "C.UTF-8", **env}
    return [
        # The sandbox's first process keeps the environment it was started with readable in /proc.
        *(_program("env"), "-i"),
        _program("bwrap"),
        *(_SHARE_NOTHING if root else ("--unshare-all", "--unshare-user", *_no_namespaces())),
        *("--die-with-parent", "--new-session", "--clearenv"),
        *(_MAY_CHANGE_USER if root else ()),
        *_system(),
        *("--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"),
        *("--bind", str(room.work), WORK, "--bind", str(room.temporary), "/tmp"),
        *("--remount-ro", "/", "--chdir", cwd),
        *(part for name, value in variables.items() for part in ("--setenv", name, value)),
        "--",
        *(_as_user(room.user) if room.user is not None else ()),
        *_limited(limits),
        *command,
    ]


_SHARE_NOTHING = (
    *("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"),
    "--unshare-cgroup-try",
)
_MAY_CHANGE_USER = ("--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")


def _limited(limits: Limits) -> list[str]:
    return [
        _program("prlimit"),
        f"--as={limits.memory_mb * _MEGABYTE}",
        f"--cpu={limits.seconds}",
        f"--nproc={limits.processes}",
        f"--fsize={limits.file_mb * _MEGABYTE}",
        "--core=0",
        "--",
    ]


def _as_user(user: int) -> list[str]:
    """Becomes a user without groups or capabilities, for whom there are no user namespaces."""
    return [
        *(_program("setpriv"), "--reuid", str(user), "--regid", str(user), "--clear-groups"),
        *("--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs", "--"),
        *(_program("bwrap"), "--unshare-user", *_no_namespaces(), "--die-with-parent"),
        *("--dev-bind", "/", "/", "--"),
    ]


@cache
def _no_namespaces() -> tuple[str, ...]:
    """Keeps code from making user namespaces, where this bubblewrap can (0.8 and later).

    In one of its own, code could mount memory as a disk, which no limit counts.
    """
    options = subprocess.run(
        [_program("bwrap"), "--help"], capture_output=True, text=True, check=False
    )
    return ("--disable-userns",) if "--disable-userns" in options.stdout else ()


def _system() -> list[str]:
    """The folders that programs need, read-only; Python's own too where it lies elsewhere."""
    arguments: list[str] = []
    for folder in map(Path, _SYSTEM):
        if folder.is_symlink():
            arguments += ["--symlink", os.readlink(folder), str(folder)]
        elif folder.is_dir():
            arguments += ["--ro-bind", str(folder), str(folder)]
    arguments += _open_folder(Path("/etc"))
    for file in _SYSTEM_FILES:
        arguments += ["--ro-bind-try", file, file]
    python = Path(sys.base_prefix)
    if not python.is_relative_to("/usr"):
        for folder in reversed(python.parents[:-1]):
            arguments += _open_folder(folder)
        arguments += ["--ro-bind", str(python), str(python)]
    return arguments


def _open_folder(folder: Path) -> list[str]:
    """An empty folder that every user may pass; bubblewrap would make it for its own user only."""
    return ["--perms", "0755", "--dir", str(folder)]


def _path() -> str:
    """Where programs are looked for: this Python first, so that there always is one."""
    python = Path(sys.base_prefix)
    return _SEARCH if python.is_relative_to("/usr") else f"{python}/bin:{_SEARCH}"


@cache
def _program(name: str) -> str:
    """The absolute path of a program that isolation needs.

    Raises:
        UsageError: It is not installed.
    """
    found = shutil.which(name, path=_SEARCH) or shutil.which(name)
    if found is None:
        package = "bubblewrap" if name == "bwrap" else "util-linux"
        raise UsageError(
            f"sandbox 'bubblewrap' needs the program {name}, which is not installed: "
            f"run `apt-get install {package}`"
        )
    return str(Path(found).absolute())


def require_bubblewrap(room: Room) -> None:
    """Make sure that commands can be isolated here, by isolating one.

    Raises:
        UsageError: They cannot; the line says what to do.
    """
    if not sys.platform.startswith("linux"):
        raise UsageError(
            f"sandbox 'bubblewrap' needs Linux, and this is {sys.platform}: use sandbox=docker"
        )
    tried = subprocess.run(
        isolated(["true"], room, Limits(), "/", {}),
        capture_output=True,
        text=True,
        timeout=_PROBE_SECONDS,
        check=False,
    )
    if tried.returncode != 0:
        said = (tried.stderr.strip().splitlines() or [f"exit status {tried.returncode}"])[0]
        raise UsageError(
            f"sandbox 'bubblewrap' cannot isolate anything here ({said}): "
            "allow unprivileged user namespaces on this machine, or use sandbox=docker"
        )
