"""A worker that is started again when it dies."""

import logging
import threading
from collections.abc import Callable, Iterator

from pydantic import BaseModel

from selfaware.training.jobs import Done, Refused, Step
from selfaware.training.workers import AnyWorker

logger = logging.getLogger(__name__)


class RetryingWorker:
    """Starts a worker when there is something to do, and another when it dies over an order.

    Args:
        start: Starts one.
        retries: How often an order is begun again before the worker counts as dead.
        told: Is told each time that an order is begun again.
    """

    def __init__(
        self, start: Callable[[], AnyWorker], retries: int, told: Callable[[str], None]
    ) -> None:
        self._start = start
        self._retries = retries
        self._told = told
        self._worker: AnyWorker | None = None
        self._stopped = False
        self._guard = threading.Lock()
        self._tries = 0

    def make(self, order: BaseModel) -> Iterator[Step | Done | Refused]:
        """Gives an order, again where the worker dies over it, and yields what is told."""
        for attempt in range(self._retries + 1):
            self._tries = attempt + 1
            worker = self._at_work()
            if worker is None:
                return
            for event in worker.make(order):
                yield event
                if not isinstance(event, Step):
                    return
            if self._stopped:
                return
            if attempt < self._retries:
                how = worker.failure("a process").splitlines()[0].partition(";")[0]
                self._told(f"{how}: its step is begun again ({attempt + 1} of {self._retries})")
                with self._guard:
                    self._worker = None
                worker.close()

    def alive(self) -> bool:
        """Whether it can be given an order."""
        with self._guard:
            return self._worker is not None and self._worker.alive() and not self._stopped

    def kill(self) -> None:
        """Stops it for good."""
        with self._guard:
            self._stopped = True
            if self._worker is not None:
                self._worker.kill()

    def failure(self, what: str) -> str:
        """How the last of the workers died, and the how manieth it was."""
        if self._worker is None:
            return f"{what} was stopped before it began"
        tried = f"{what} (tried {self._tries} times)" if self._tries > 1 else what
        return self._worker.failure(tried)

    def close(self) -> None:
        """Ends the worker that is left."""
        if self._worker is not None:
            self._worker.close()

    def _at_work(self) -> AnyWorker | None:
        with self._guard:
            if self._stopped:
                return None
            if self._worker is None:
                self._worker = self._start()
            return self._worker
