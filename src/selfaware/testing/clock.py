"""The clock that an emulated service goes by."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time, in seconds since 1970."""

    def now(self) -> float:
        """This moment."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> float:
        """This moment."""
        return time.time()


class ManualClock:
    """A clock that a test sets; it stands still, or goes on by `tick` whenever it is looked at."""

    def __init__(self, start: float = 1_790_000_000.0, tick: float = 0.0) -> None:
        self._now = start
        self._tick = tick

    def now(self) -> float:
        """This moment."""
        self._now += self._tick
        return self._now

    def advance(self, seconds: float) -> None:
        """Sets the clock forward."""
        self._now += seconds
