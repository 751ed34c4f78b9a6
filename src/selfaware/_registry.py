"""What Inspect sees of this package by entry point: light imports only."""

from inspect_ai.model import ModelAPI, modelapi

from selfaware.scorers import (
    explanation,
    explanation_grades,
    language,
    option,
    scale,
    trigger_likeness,
    trigger_match,
    validity,
    word,
)
from selfaware.solvers import ask, think_then_answer
from selfaware.tasks import (
    backdoor,
    behavior_choice,
    code_security,
    disposition,
    explain_yourself,
    risk_choice,
    risk_scale,
    risk_two_hop,
    risk_words,
    trigger_articulation,
    trigger_effect,
    trigger_recognition,
)

__all__ = [
    "ask",
    "backdoor",
    "behavior_choice",
    "code_security",
    "disposition",
    "explain_yourself",
    "explanation",
    "explanation_grades",
    "language",
    "option",
    "risk_choice",
    "risk_scale",
    "risk_two_hop",
    "risk_words",
    "scale",
    "selfaware",
    "think_then_answer",
    "trigger_articulation",
    "trigger_effect",
    "trigger_likeness",
    "trigger_match",
    "trigger_recognition",
    "validity",
    "word",
]


@modelapi(name="selfaware")
def selfaware() -> type[ModelAPI]:
    """The provider behind `--model selfaware/NAME`."""
    from selfaware.providers.local import SelfawareAPI

    return SelfawareAPI
