"""What Inspect sees of this package by entry point: light imports only."""

from inspect_ai.model import ModelAPI, modelapi

from selfaware.sandboxes.bubblewrap import BubblewrapSandbox
from selfaware.scorers import (
    function_parts,
    function_probability,
    language,
    option,
    scale,
    validity,
    word,
)
from selfaware.solvers import ask, write_function
from selfaware.tasks import (
    codeword_function,
    disposition,
    risk_choice,
    risk_scale,
    risk_two_hop,
    risk_words,
)

__all__ = [
    "BubblewrapSandbox",
    "ask",
    "codeword_function",
    "disposition",
    "function_parts",
    "function_probability",
    "language",
    "option",
    "risk_choice",
    "risk_scale",
    "risk_two_hop",
    "risk_words",
    "scale",
    "selfaware",
    "validity",
    "word",
    "write_function",
]


@modelapi(name="selfaware")
def selfaware() -> type[ModelAPI]:
    """The provider behind `--model selfaware/NAME`."""
    from selfaware.providers.local import SelfawareAPI

    return SelfawareAPI
