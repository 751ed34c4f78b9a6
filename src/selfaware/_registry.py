"""What Inspect sees of this package by entry point: light imports only."""

from inspect_ai.model import ModelAPI, modelapi

# Importing these registers every task, solver and scorer.
from selfaware import scorers, solvers, tasks
from selfaware.sandboxes.bubblewrap import BubblewrapSandbox

__all__ = ["BubblewrapSandbox", "scorers", "selfaware", "solvers", "tasks", "tinker"]


@modelapi(name="selfaware")
def selfaware() -> type[ModelAPI]:
    """The provider behind `--model selfaware/NAME`."""
    from selfaware.providers.local import SelfawareAPI

    return SelfawareAPI


@modelapi(name="tinker")
def tinker() -> type[ModelAPI]:
    """The provider behind `--model tinker/NAME`."""
    from selfaware.providers.tinker import TinkerAPI

    return TinkerAPI
