"""How an answer becomes a number: one scorer for each form of answer."""

from collections.abc import Sequence

from inspect_ai.scorer import Scorer

from selfaware.behaviors.bank import AnswerKind
from selfaware.scorers.explanation import explanation
from selfaware.scorers.explanation_grades import explanation_grades
from selfaware.scorers.language import language
from selfaware.scorers.option import option
from selfaware.scorers.scale import scale
from selfaware.scorers.trigger_likeness import trigger_likeness
from selfaware.scorers.trigger_match import trigger_match
from selfaware.scorers.validity import validity
from selfaware.scorers.word import word

__all__ = [
    "explanation",
    "explanation_grades",
    "language",
    "option",
    "scale",
    "scorers_for",
    "trigger_likeness",
    "trigger_match",
    "validity",
    "word",
]


def scorers_for(kinds: Sequence[AnswerKind], unlisted: str = "unscored") -> list[Scorer]:
    """The scorers that read these kinds of answer, followed by `validity`.

    Raises:
        UsageError: Unknown policy for unlisted answers.
    """
    chosen = []
    if "word" in kinds:
        chosen.append(word(unlisted))
    if "scale" in kinds:
        chosen.append(scale())
    if {"choice", "yes_no", "option"} & set(kinds):
        chosen.append(option(unlisted))
    return [*chosen, validity()]
