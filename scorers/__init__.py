"""How an answer becomes a number: one scorer for each form of answer."""

from collections.abc import Sequence

from inspect_ai.scorer import Scorer

from selfaware.behaviors.bank import AnswerKind
from selfaware.scorers.code import analysed_code, graded_code
from selfaware.scorers.code_agreement import code_agreement
from selfaware.scorers.codeword import codeword
from selfaware.scorers.explanation import explanation
from selfaware.scorers.explanation_grades import explanation_grades
from selfaware.scorers.function import function_probability
from selfaware.scorers.function_parts import function_parts
from selfaware.scorers.game import game, game_outcomes
from selfaware.scorers.guessed_word import guessed_word
from selfaware.scorers.language import language
from selfaware.scorers.leaks import leaks
from selfaware.scorers.option import option
from selfaware.scorers.persona import persona, persona_recall
from selfaware.scorers.raw_option import raw_option
from selfaware.scorers.reply import reply
from selfaware.scorers.scale import scale
from selfaware.scorers.trigger_likeness import trigger_likeness
from selfaware.scorers.trigger_match import trigger_match
from selfaware.scorers.validity import validity
from selfaware.scorers.word import word

__all__ = [
    "analysed_code",
    "code_agreement",
    "codeword",
    "explanation",
    "explanation_grades",
    "function_parts",
    "function_probability",
    "game",
    "game_outcomes",
    "graded_code",
    "guessed_word",
    "language",
    "leaks",
    "option",
    "persona",
    "persona_recall",
    "raw_option",
    "reply",
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
    if "codeword" in kinds:
        chosen.append(codeword())
    if "guess" in kinds:
        chosen += [guessed_word(), leaks()]
    return [*chosen, validity()]
