"""Which sandbox a task's model-written code runs in, checked before the first request."""

import shutil
import subprocess
from importlib import resources

from selfaware.errors import UsageError
from selfaware.sandboxes.bubblewrap import check_bubblewrap

REFUSED = (
    "sandbox 'local' is refused: model-written code would run with your rights on this machine; "
    "use -T sandbox=docker or -T sandbox=bubblewrap"
)
"""Why the local sandbox is none."""

_ASK_SECONDS = 30


def code_sandbox(name: str) -> str | tuple[str, str]:
    """The sandbox of this name, as a task takes it, once it is known to work.

    Docker gets a container without network, rights or a writable disk. Any other sandbox that
    Inspect knows is taken as it is.

    Raises:
        UsageError: The local one, or one that doesn't work on this machine.
    """
    if name == "local":
        raise UsageError(REFUSED)
    if name == "bubblewrap":
        check_bubblewrap()
    if name == "docker":
        _check_docker()
        return name, str(resources.files("selfaware.sandboxes") / "compose.yaml")
    return name


def _check_docker() -> None:
    """Make sure that Docker's daemon answers."""
    problem = _docker_problem()
    if problem:
        raise UsageError(
            f"sandbox 'docker' does not work here ({problem}): "
            "start Docker, or use -T sandbox=bubblewrap (Linux)"
        )


def _docker_problem() -> str:
    """Why Docker cannot be used; empty when it can."""
    program = shutil.which("docker")
    if program is None:
        return "docker is not installed"
    for command, missing in ((["version"], "no daemon"), (["compose", "version"], "no compose")):
        try:
            done = subprocess.run(
                [program, *command],
                capture_output=True,
                text=True,
                timeout=_ASK_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"docker {command[0]} does not answer"
        if done.returncode != 0:
            said = done.stderr.strip().splitlines()
            return said[0] if said else missing
    return ""
