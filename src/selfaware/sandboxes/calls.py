"""Calls of a model-written function in a sandbox: all of them in one command."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from inspect_ai.util import OutputLimitExceededError, SandboxEnvironment

from selfaware.errors import UsageError

WALL_PER_CPU = 4
"""Seconds by the clock for each second of processor time: a busy machine takes longer."""
MEMORY_BYTES = 512 * 1024 * 1024
"""The address space that a function may use."""

_NO_PROGRAM = (126, 127)
_SLACK_SECONDS = 5
"""What the sandbox may take on top for its own part: starting, and ending what was started."""


@dataclass(frozen=True)
class Failure:
    """Why a call gave no number from 0 to 1, or why a whole function could not be called.

    The categories are those of `selfaware.functions.FAILURES`; `detail` is the name of a type.
    """

    category: str
    detail: str = ""


async def call_function(
    environment: SandboxEnvironment, code: str, name: str, inputs: Sequence[str], seconds: int
) -> list[float | Failure]:
    """What a function that `code` defines gives for each input: a number from 0 to 1, or a failure.

    A single failure stands for all inputs when the code as a whole failed. `seconds` of
    processor time are allowed for everything together.

    Raises:
        UsageError: The sandbox has no `python3`.
    """
    mark = secrets.token_hex(16)
    task = {
        "code": code,
        "name": name,
        "inputs": list(inputs),
        "seconds": seconds,
        "wall_seconds": WALL_PER_CPU * seconds,
        "memory": MEMORY_BYTES,
    }
    given = "".join(f"{len(block):08d}{block}" for block in (json.dumps(task), mark))
    try:
        done = await environment.exec(
            ["python3", "-I", "-S", "-c", _script()],
            input=given,
            cwd="/",
            timeout=WALL_PER_CPU * seconds + _SLACK_SECONDS,
            timeout_retry=False,
        )
    except TimeoutError:
        return [Failure("timeout")]
    except OutputLimitExceededError:
        return [Failure("tampered")]
    if done.returncode in _NO_PROGRAM and not done.stdout:
        raise UsageError(f"the sandbox cannot run python3 ({done.stderr.strip()}): add it there")
    return read_results(done.stdout, mark, len(inputs))


def read_results(printed: str, mark: str, count: int) -> list[float | Failure]:
    """The results in what the sandbox's Python printed; tampered with when they are not whole."""
    if not printed:
        return [Failure("crashed")]
    if not printed.startswith(mark):
        return [Failure("tampered")]
    try:
        results = json.loads(printed.removeprefix(mark))
        read = [
            result if isinstance(result, float) else Failure(str(result[0]), str(result[1]))
            for result in results
        ]
    except (ValueError, TypeError, LookupError):
        return [Failure("tampered")]
    whole = len(read) == count or (len(read) == 1 and isinstance(read[0], Failure))
    return read if whole else [Failure("tampered")]


@cache
def _script() -> str:
    """The program that the sandbox's Python runs."""
    file = resources.files("selfaware.sandboxes") / "inside.py"
    return file.read_text(encoding="utf-8")
