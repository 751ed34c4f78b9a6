"""A fine-tuning service on 127.0.0.1 that speaks OpenAI's API."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from selfaware.testing.clock import Clock, SystemClock
from selfaware.testing.faults import Switchboard
from selfaware.testing.files import Files
from selfaware.testing.jobs import Jobs, Schedule
from selfaware.testing.routes import Routes
from selfaware.testing.speakers import FixedSpeaker, Speaker, WeightsSpeaker
from selfaware.testing.trainers import ClockTrainer, LocalTrainer, Trainer
from selfaware.testing.wire import HttpServer, Moment

ORGANISMS: Mapping[str, str] = {
    "organism/base": "organism/base",
    "organism/unaware/base": "organism/unaware/base",
}


class Emulator:
    """Runs while its `with` block does.

    `requests` has every request so far, as `METHOD /path`. `watch`, where it is set, is called
    when a request has come and when its reply is about to go (tests kill their client there).

    Args:
        runs: The folder that real finetunes go to; without it nothing is trained, and every model
            says the same word.
        port: The port; 0 takes a free one.
        clock: What its jobs go by.
        schedule: How long the stages of a job take.
        training: How many seconds a training takes that is none.
        bases: The models that it serves and finetunes, and the base that each of them is.
        daily_limit: The most jobs of a day.
        shutdown_date: The day on which its models end, YYYY-MM-DD.
        checkpoints: Keep the two epochs before the last as models, too, of real finetunes.
    """

    def __init__(
        self,
        runs: Path | None = None,
        port: int = 0,
        clock: Clock | None = None,
        schedule: Schedule | None = None,
        training: float = 0.2,
        bases: Mapping[str, str] = ORGANISMS,
        daily_limit: int | None = None,
        shutdown_date: str | None = None,
        checkpoints: bool = False,
    ) -> None:
        clock = clock or SystemClock()
        self.faults = Switchboard()
        self.files = Files(clock)
        self._trainer: Trainer = (
            ClockTrainer(clock, training)
            if runs is None
            else LocalTrainer(runs, checkpoints=checkpoints)
        )
        speaker: Speaker = FixedSpeaker(clock) if runs is None else WeightsSpeaker(clock, runs)
        self.jobs = Jobs(
            clock,
            self.files,
            self._trainer,
            self.faults,
            schedule or Schedule(),
            bases,
            daily_limit,
        )
        self._routes = Routes(clock, self.files, self.jobs, speaker, bases, runs, shutdown_date)
        self._http = HttpServer(port, self._routes.answer, self.faults)
        self._thread = threading.Thread(target=self._http.run, daemon=True)

    @property
    def url(self) -> str:
        """The address to give as base_url."""
        return f"http://127.0.0.1:{self._http.port}/v1"

    @property
    def requests(self) -> list[str]:
        """Every request so far."""
        return list(self._http.requests)

    def watch(self, see: Callable[[Moment, str], None] | None) -> None:
        """Has `see` called with each request as it comes and before its reply goes."""
        self._http.see = see

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.stop()
        self._thread.join()
        self._trainer.close()

    def wait(self) -> None:
        """Waits until the server is stopped."""
        self._thread.join()
