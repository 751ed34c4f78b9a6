"""The judges of this package: what each is asked, how it is read, and answers that we labelled."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from selfaware.behaviors.descriptions import described
from selfaware.code_probes import defined
from selfaware.data.code_judge import said_yes
from selfaware.errors import UsageError
from selfaware.labelled import JudgedItem, listed_items
from selfaware.labelled_code import NO, YES, code_items
from selfaware.scorers.code import PURPOSE as CODE_PURPOSE
from selfaware.scorers.code import grader_question as code_question
from selfaware.scorers.code_reading import read_code
from selfaware.scorers.explanation import GRADES, grader_question, parse_grade
from selfaware.scorers.guessed_word import PROMPTS, parse_named
from selfaware.scorers.guessed_word import PURPOSE as GUESSER_PURPOSE
from selfaware.scorers.language import GRADER_PROMPT, LANGUAGES, language_named

LANGUAGE_LABELS = ("German", "French", "English", "Other")
"""What the language judge is asked to choose from."""

QUESTIONS = {"definition": "G2", "acrostic": "G7"}
"""The paper's id of the question that each sort of text for the guesser answers."""


@dataclass(frozen=True)
class Judge:
    """A judge: the question it is asked about an item, and the label in its reply, None if none.

    `labels` are all that there are; None where any word may be one. `items` gives the labelled set.
    """

    name: str
    purpose: str
    labels: tuple[str, ...] | None
    question: Callable[[JudgedItem], str]
    parse: Callable[[str], str | None]
    items: Callable[[], tuple[JudgedItem, ...]]


def parse_language_label(reply: str) -> str | None:
    """The label in a reply of the language judge: another language by name counts as Other."""
    name = language_named(reply)
    if name in LANGUAGE_LABELS:
        return name
    return "Other" if name in LANGUAGES else None


def parse_guessed_label(reply: str) -> str | None:
    """The word in a reply of the guesser, in small letters."""
    reading = parse_named(reply)
    return reading.answer if reading.category == "valid" else None


def parse_code_label(reply: str) -> str | None:
    """YES or NO, whichever a reply of the judge of code begins with."""
    said = said_yes(reply)
    return None if said is None else YES if said else NO


def _language_question(item: JudgedItem) -> str:
    return GRADER_PROMPT.format(text=item.text)


def _explanation_question(item: JudgedItem) -> str:
    right, _ = described(item.behavior or "", item.pole or "")
    return grader_question(item.text, right.sentence)


def _guesser_question(item: JudgedItem) -> str:
    return PROMPTS[QUESTIONS[item.part or ""]].format(text=item.text)


def _code_question(item: JudgedItem) -> str:
    task = item.task or ""
    return code_question(task, read_code(item.text, defined(task)))


JUDGES: dict[str, Judge] = {
    judge.name: judge
    for judge in (
        Judge(
            "language",
            "names the language of an answer",
            LANGUAGE_LABELS,
            _language_question,
            parse_language_label,
            partial(listed_items, "language"),
        ),
        Judge(
            "explanation",
            "compares an account with what was taught",
            GRADES,
            _explanation_question,
            parse_grade,
            partial(listed_items, "explanation"),
        ),
        Judge(
            "guesser",
            GUESSER_PURPOSE,
            None,
            _guesser_question,
            parse_guessed_label,
            partial(listed_items, "guesser"),
        ),
        Judge(
            "code",
            CODE_PURPOSE,
            (YES, NO),
            _code_question,
            parse_code_label,
            code_items,
        ),
    )
}
"""The judges that have a labelled set, by name."""


@cache
def judged_items(judge: str) -> tuple[JudgedItem, ...]:
    """The labelled set of a judge.

    Raises:
        UsageError: The set breaks its schema, or has a label that the judge does not know.
    """
    items, known = JUDGES[judge].items(), JUDGES[judge].labels
    for number, item in enumerate(items):
        if JUDGES[judge].parse(item.label) != item.label:
            allowed = "one word in small letters" if known is None else ", ".join(known)
            raise UsageError(f"judge {judge}: {number}: label {item.label!r}; choose {allowed}")
    return items
