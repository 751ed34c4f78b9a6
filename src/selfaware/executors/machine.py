"""The local executor: every step in a process on this machine."""

from pathlib import Path

from selfaware.executors.executor import ExecutorName
from selfaware.executors.resources import Step
from selfaware.training.launcher import CORES, Launch, cores
from selfaware.training.workers import AnyWorker, Worker


class LocalExecutor:
    """Starts processes on this machine.

    Args:
        jobs: How many at once; where it is not given, finetunes of a small base run on every core,
            and everything else by itself.
    """

    name: ExecutorName = "local"

    def __init__(self, jobs: int | None = None) -> None:
        self._jobs = jobs

    def room(self, step: Step, kind: str) -> int | None:
        """The number that was given; what a step takes up is not looked at."""
        return self._jobs

    def start(
        self, module: str, step: Step, launch: Launch, offline: bool, folder: Path
    ) -> AnyWorker:
        """A process of this machine."""
        # Processes that each compute on every core would only wait for each other.
        share = max(1, cores() // (self._jobs or 1))
        return Worker(launch, offline, module, {CORES: str(share)})

    def close(self) -> None:
        """Holds nothing."""
