"""A fine-tuning service on this machine, for tests and rehearsals."""

from selfaware.testing.clock import ManualClock
from selfaware.testing.emulator import Emulator
from selfaware.testing.faults import Fault

__all__ = ["Emulator", "Fault", "ManualClock"]
