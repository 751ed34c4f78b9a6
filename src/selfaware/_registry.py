"""What Inspect sees of this package by entry point: light imports only."""

from inspect_ai.model import ModelAPI, modelapi


@modelapi(name="selfaware")
def selfaware() -> type[ModelAPI]:
    """The provider behind `--model selfaware/NAME`."""
    from selfaware.providers.local import SelfawareAPI

    return SelfawareAPI
