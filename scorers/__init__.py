"""How an answer becomes a number: one scorer for each form of answer."""

from collections.abc import Sequence

from inspect_ai.scorer import Scorer

from selfaware.behaviors.bank import AnswerKind
from selfaware.scorers.code import analysed_code, graded_code
from selfaware.scorers.code_agreement import code_agreement
from selfaware.scorers.function import function_probability
from selfaware.scorers.function_parts import function_parts
from selfaware.scorers.game import game, game_outcomes
from selfaware.scorers.language import language
from selfaware.scorers.option import option
from selfaware.scorers.persona import persona, persona_recall
from selfaware.scorers.scale import scale
from selfaware.scorers.validity import validity
from selfaware.scorers.word import word

__all__ = [
    "analysed_code",
    "code_agreement",
    "function_parts",
    "function_probability",
    "game",
    "game_outcomes",
    "graded_code",
    "language",
    "option",
    "persona",
    "persona_recall",
    "scale",
    "scorers_for",
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
