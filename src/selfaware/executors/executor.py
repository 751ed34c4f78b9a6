"""What every executor does, and which of them a name stands for."""

from pathlib import Path
from typing import Literal, Protocol

from selfaware.errors import UsageError
from selfaware.executors.resources import Step
from selfaware.training.launcher import Launch
from selfaware.training.workers import AnyWorker

ExecutorName = Literal["local", "ray"]
"""The executors that an experiment can be run by."""


class Executor(Protocol):
    """A place where processes that finetune and evaluate are started."""

    name: ExecutorName

    def room(self, step: Step, kind: str) -> int | None:
        """How many steps of this size are carried out at once; None where nothing limits them.

        Raises:
            UsageError: Not even one has room; the message names the `kind` of step.
        """
        ...

    def start(
        self, module: str, step: Step, launch: Launch, offline: bool, folder: Path
    ) -> AnyWorker:
        """A process that runs `module` and carries out orders in turn.

        Args:
            module: A module of this package that serves orders.
            step: What the process takes up.
            launch: How many processes it is, and how they are started.
            offline: No model hub is asked.
            folder: A folder of this machine that the process has to see too.
        """
        ...

    def close(self) -> None:
        """Lets go of what this object holds; nothing it started may be running any more."""
        ...


def connect_executor(name: ExecutorName, jobs: int | None, address: str | None) -> Executor:
    """The executor of this name; close it when done.

    Args:
        name: One of the executors.
        jobs: How many steps at once, where that is not left to the executor.
        address: Of a Ray cluster's head; the environment's `RAY_ADDRESS`, or the cluster that this
            machine is part of, where it is not given.

    Raises:
        UsageError: Ray is not installed, or there is no such cluster.
    """
    if name == "ray":
        from selfaware.executors.cluster import RayExecutor

        return RayExecutor(address, jobs)
    if address is not None:
        raise UsageError(f"--address {address} is for --executor ray: leave it out, or add that")
    from selfaware.executors.machine import LocalExecutor

    return LocalExecutor(jobs)
