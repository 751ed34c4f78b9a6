"""Processes that train, and what is said to them and heard from them."""

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Protocol

from pydantic import BaseModel

from selfaware.training.jobs import EVENT, Done, Refused, Step
from selfaware.training.launcher import TRAINING, Launch, command, environment

TAIL = 15
"""How many last lines of a failed worker's messages are shown."""


class AnyWorker(Protocol):
    """A process that carries out one order after the other, on this machine or another."""

    def make(self, order: BaseModel) -> Iterator[Step | Done | Refused]:
        """Gives an order and yields what the worker tells, until it is done or the worker dead."""
        ...

    def alive(self) -> bool:
        """Whether it can be given an order."""
        ...

    def kill(self) -> None:
        """Stops it at once; `make`, in another thread, then ends."""
        ...

    def failure(self, what: str) -> str:
        """How a worker that is dead died; `what` names it."""
        ...

    def close(self) -> None:
        """Ends it and frees what belongs to it."""
        ...


class Worker:
    """A process that carries out one order after the other, and dies with this one.

    It may stand for several that train together.

    Args:
        launch: How many processes it is, and how they are started.
        offline: No model hub is asked.
        module: What it runs: it takes orders and tells events as `selfaware.training.channel` has
            them.
        variables: Environment variables that it gets beside those of this process.

    Raises:
        UsageError: The config that `launch` names cannot be used.
    """

    def __init__(
        self,
        launch: Launch,
        offline: bool,
        module: str = TRAINING,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        env = {**environment(launch, offline), **(variables or {})}
        self._together = launch.processes > 1
        # Open for as long as the process, and closed by close().
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            command(launch, module),
            stdin=subprocess.PIPE,  # held open: its end tells the worker that we are gone
            stdout=subprocess.PIPE,
            stderr=self._messages,
            env=env,
            encoding="utf-8",
        )

    def make(self, order: BaseModel) -> Iterator[Step | Done | Refused]:
        """Gives an order and yields what the worker tells, until it is done or the worker dead."""
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(order.model_dump_json() + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return
        for line in self.process.stdout:
            event = EVENT.validate_json(line)
            yield event
            if not isinstance(event, Step):
                return
        self.process.wait()

    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    def failure(self, what: str) -> str:
        """How a worker that is dead died, with the last lines that it wrote."""
        code = self.process.wait()
        self._messages.seek(0)
        tail = self._messages.read().decode(errors="replace").strip().splitlines()[-TAIL:]
        how = f"was killed by signal {-code}" if code < 0 else f"failed with exit code {code}"
        return (
            f"{what} {how}; what it made before is kept, and the "
            "same command makes the rest. Its last lines:\n" + "\n".join(tail)
        )

    def kill(self) -> None:
        """Stops it at once, in the middle of what it does."""
        if self._together:
            self.process.terminate()  # a launcher that is killed leaves its processes behind
        else:
            self.process.kill()

    def close(self) -> None:
        """Ends the process and frees what belongs to it."""
        assert self.process.stdin is not None and self.process.stdout is not None
        with suppress(BrokenPipeError):  # it is dead, with something left to be said to it
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self._messages.close()
