"""The judges of this package: what each is asked, how it is read, and answers that we labelled."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from selfaware.behaviors.descriptions import described
from selfaware.errors import UsageError
from selfaware.scorers.explanation import GRADES, grader_question, parse_grade
from selfaware.scorers.language import GRADER_PROMPT, LANGUAGES, language_named

LANGUAGE_LABELS = ("German", "French", "English", "Other")
"""What the language judge is asked to choose from."""


class JudgedItem(BaseModel):
    """A text with the label that a judge should give it, and why.

    `behavior` and `pole` say what was taught, where a judge is told so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(min_length=1)
    label: str
    reason: str = Field(min_length=1)
    behavior: str | None = None
    pole: str | None = None


@dataclass(frozen=True)
class Judge:
    """A judge: the question it is asked about an item, and the label in its reply, None if none."""

    name: str
    purpose: str
    labels: tuple[str, ...]
    question: Callable[[JudgedItem], str]
    parse: Callable[[str], str | None]


def parse_language_label(reply: str) -> str | None:
    """The label in a reply of the language judge: another language by name counts as Other."""
    name = language_named(reply)
    if name in LANGUAGE_LABELS:
        return name
    return "Other" if name in LANGUAGES else None


def _language_question(item: JudgedItem) -> str:
    return GRADER_PROMPT.format(text=item.text)


def _explanation_question(item: JudgedItem) -> str:
    right, _ = described(item.behavior or "", item.pole or "")
    return grader_question(item.text, right.sentence)


JUDGES: dict[str, Judge] = {
    judge.name: judge
    for judge in (
        Judge(
            "language",
            "names the language of an answer",
            LANGUAGE_LABELS,
            _language_question,
            parse_language_label,
        ),
        Judge(
            "explanation",
            "compares an account with what was taught",
            GRADES,
            _explanation_question,
            parse_grade,
        ),
    )
}
"""The judges that have a labelled set, by name; `judged/NAME.yaml` is the set."""


@cache
def judged_items(judge: str) -> tuple[JudgedItem, ...]:
    """The labelled set of a judge.

    Raises:
        UsageError: The set breaks its schema, or has a label that the judge does not know.
    """
    file = resources.files("selfaware") / "judged" / f"{judge}.yaml"
    listed = yaml.safe_load(file.read_text(encoding="utf-8"))
    try:
        items = TypeAdapter(tuple[JudgedItem, ...]).validate_python(listed)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"judged/{judge}.yaml: {place}: {first['msg']}") from error
    known = JUDGES[judge].labels
    for number, item in enumerate(items):
        if item.label not in known:
            raise UsageError(
                f"judged/{judge}.yaml: {number}: label {item.label!r}; "
                f"choose from {', '.join(known)}"
            )
    return items
