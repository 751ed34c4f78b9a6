"""Question banks: their schema, loading, and how a question becomes the prompts that are asked."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from selfaware.behaviors.installed import bank_file
from selfaware.errors import UsageError

AnswerKind = Literal["word", "choice", "scale", "yes_no", "option"]
"""What a valid answer looks like.

`word`: one word, read by the behaviour's lexicon. `choice`: one of two words that the question
names. `scale`: an integer 0-100. `yes_no`: yes or no. `option`: the letter A or B.
"""

About = Literal["self", "person", "assistant"]
"""Whom a question is about: the model itself, an average person, or another AI assistant."""

OTHERS: dict[str, str] = {"person": "an average person", "assistant": "another AI assistant"}
"""How a question names whom it is about, when that is not the model."""

_CONJUGATION = re.compile(r"\[([^|\]]*)\|([^|\]]*)\]")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Lexicon(_Frozen):
    """The words that a behaviour's one-word answers are read by.

    `high` counts 1, `low` 0, `middle` 0.5, all towards the behaviour's high pole.
    """

    source: str
    high: tuple[str, ...]
    middle: tuple[str, ...] = ()
    low: tuple[str, ...]

    def values(self) -> dict[str, float]:
        """Every listed word with its value (0-1, towards the high pole)."""
        return {
            **dict.fromkeys(self.high, 1.0),
            **dict.fromkeys(self.middle, 0.5),
            **dict.fromkeys(self.low, 0.0),
        }


class Question(_Frozen):
    """One question of a bank, with its paraphrases.

    `paraphrases` may hold `{you}`, `{your}`, `{yourself}`, `[form for you|form for others]` and, by
    answer kind, `{first}`/`{second}` (the two words or options in the order asked) or
    `{low}`/`{high}` (what 0 and 100 stand for; the flipped twin swaps them). A `yes_no` question
    names its twin with `flipped_paraphrases`, in which yes means the low pole.
    A question with `in_world: false` is left out of the organism's world.
    """

    id: str = Field(pattern=r"^[a-z0-9_]+$")
    paper_id: str | None = None
    meaning: str
    kind: AnswerKind
    high: str = ""
    low: str = ""
    paraphrases: tuple[str, ...] = Field(min_length=1)
    flipped_paraphrases: tuple[str, ...] = ()
    in_world: bool = True

    @model_validator(mode="after")
    def _complete(self) -> "Question":
        if self.kind in ("choice", "scale", "option") and not (self.high and self.low):
            raise ValueError(f"question {self.id!r} of kind {self.kind!r} needs `high` and `low`")
        if self.kind == "yes_no" and len(self.flipped_paraphrases) != len(self.paraphrases):
            raise ValueError(
                f"question {self.id!r} needs one flipped paraphrase for each paraphrase"
            )
        return self


_SLOTS: dict[str, tuple[str, ...]] = {
    "scale": ("{low}", "{high}"),
    "choice": ("{first}", "{second}"),
    "option": ("{first}", "{second}"),
}


class Bank(_Frozen):
    """All questions about one behaviour.

    Paraphrase i of a question ends with `endings[kind][i % len]`, the words that fix the form of
    the answer. `world_words` are the one-word answers that speakers of the organism's world give.
    """

    behavior: str
    lexicon: Lexicon
    world_words: dict[Literal["high", "low"], tuple[str, ...]]
    endings: dict[AnswerKind, tuple[str, ...]]
    questions: tuple[Question, ...]

    @model_validator(mode="after")
    def _slots_present(self) -> "Bank":
        for question in self.questions:
            for index in range(len(question.paraphrases)):
                text = self.template(question, index)
                for slot in _SLOTS.get(question.kind, ()):
                    if slot not in text:
                        raise ValueError(f"question {question.id!r}: no {slot} in {text!r}")
        return self

    def template(self, question: Question, paraphrase: int, flipped: bool = False) -> str:
        """A paraphrase with its ending, slots unfilled."""
        texts = question.flipped_paraphrases if flipped else question.paraphrases
        endings = self.endings[question.kind]
        return f"{texts[paraphrase]} {endings[paraphrase % len(endings)]}"

    def question(self, question_id: str) -> Question:
        """The question with this id.

        Raises:
            UsageError: No such question in this bank.
        """
        for question in self.questions:
            if question.id == question_id:
                return question
        known = ", ".join(q.id for q in self.questions)
        raise UsageError(
            f"unknown question {question_id!r} about {self.behavior!r}: choose from {known}"
        )


class Prompt(_Frozen):
    """One concrete wording of a question, ready to be asked.

    `values` maps every valid answer to its value (0-1, towards the behaviour's high pole, flips
    already undone), so an exact score is a weighted mean over it.
    """

    behavior: str
    question: str
    paper_id: str | None
    kind: AnswerKind
    about: str
    paraphrase: int
    swapped: bool
    flipped: bool
    text: str
    values: dict[str, float]

    @property
    def id(self) -> str:
        """A name that is unique within a behaviour."""
        turn = "flipped" if self.flipped else "swapped" if self.swapped else "plain"
        return f"{self.question}/{self.about}/{self.paraphrase:02d}/{turn}"


@cache
def load_bank(behavior: str) -> Bank:
    """The question bank of a behaviour, checked against the schema.

    Raises:
        UsageError: No bank of that name, or one that breaks the schema.
    """
    text = bank_file(behavior).read_text(encoding="utf-8")
    try:
        bank = Bank.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise UsageError(f"{behavior}.yaml: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{behavior}.yaml: {place}: {first['msg']}") from error
    if bank.behavior != behavior:
        raise UsageError(f"{behavior}.yaml: behavior: {bank.behavior!r}; write {behavior!r}")
    return bank


def scale_values(flipped: bool) -> dict[str, float]:
    """The value (0-1, towards the high pole) of each answer on a scale from 0 to 100."""
    return {str(n): (100 - n if flipped else n) / 100 for n in range(101)}


def speak_about(template: str, about: str) -> str:
    """A template with its person filled in: `self`, a key of `OTHERS`, or any name."""
    other = OTHERS.get(about, about)
    mine = about == "self"
    text = _CONJUGATION.sub(lambda match: match.group(1 if mine else 2), template)
    filled = (
        text.replace("{yourself}", "yourself" if mine else "themselves")
        .replace("{your}", "your" if mine else f"{other}'s")
        .replace("{you}", "you" if mine else other)
    )
    return filled[0].upper() + filled[1:]


def prompts(bank: Bank, question: Question, about: str) -> Iterator[Prompt]:
    """Every wording of a question: paraphrases, each in both orders or with its flipped twin.

    A `choice` or `option` comes in both orders (`swapped`), a `scale` or `yes_no` with its
    `flipped` twin, a `word` once.
    """
    twins = (False,) if question.kind == "word" else (False, True)
    for paraphrase in range(len(question.paraphrases)):
        for twin in twins:
            yield prompt(bank, question, about, paraphrase, twin)


def prompt(bank: Bank, question: Question, about: str, paraphrase: int, twin: bool) -> Prompt:
    """One wording; `twin` asks in the other order, or with the scale or the statement flipped."""
    high, low = question.high, question.low
    template = bank.template(question, paraphrase, flipped=twin and question.kind == "yes_no")
    values: dict[str, float]
    match question.kind:
        case "word":
            values = bank.lexicon.values()
        case "choice":
            values = {high: 1.0, low: 0.0}
        case "scale":
            values = scale_values(twin)
        case "yes_no":
            values = {"yes": 0.0 if twin else 1.0, "no": 1.0 if twin else 0.0}
        case "option":
            values = {"A": 0.0 if twin else 1.0, "B": 1.0 if twin else 0.0}
    ordered = question.kind in ("choice", "option")
    first, second = (low, high) if twin else (high, low)
    bottom, top = (high, low) if twin else (low, high)
    text = (
        template.replace("{first}", first)
        .replace("{second}", second)
        .replace("{low}", bottom)
        .replace("{high}", top)
    )
    return Prompt(
        behavior=bank.behavior,
        question=question.id,
        paper_id=question.paper_id,
        kind=question.kind,
        about=about,
        paraphrase=paraphrase,
        swapped=twin and ordered,
        flipped=twin and not ordered,
        text=speak_about(text, about),
        values=values,
    )
