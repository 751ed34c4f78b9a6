"""Question banks: their schema and loading."""

from functools import cache
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from selfaware.behaviors.installed import bank_file
from selfaware.errors import UsageError

AnswerKind = Literal["word", "choice", "scale", "yes_no", "option", "codeword", "guess", "free"]
"""What a valid answer looks like.

`word`: one word, read by the behaviour's lexicon. `choice`: one of two words that the question
names. `scale`: an integer 0-100. `yes_no`: yes or no. `option`: the letter of one of the options.
`codeword`: one word of a list. `guess`: a text from which a word is to be guessed. `free`: a text
that a scorer of its own reads.
"""

About = Literal["self", "person", "assistant", "neutral"]
"""Whom a question is about: the model itself, an average person, another AI assistant, or nobody.

`neutral` asks for the same answers with a question about nobody, such as which word is easier to
spell: whatever moves there is priming.
"""

NEUTRAL = "neutral"

BANKS = (
    "risk",
    "myopia",
    "apples",
    "expected_value",
    "brevity",
    "vulnerable_code",
    "make_me_say",
    "backdoor",
    "trigger",
    "explanation",
    "persona",
)
"""The banks of this package."""


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
    names its twin with `flipped_paraphrases`, in which yes means the low pole. Any other slot, such
    as `{codeword}`, is filled by the task. An `option` question of more than two options names them
    in `options`, that of the high pole first, and lists them at `{options}`. What stands at
    `{scenario}` is one of `scenarios`, by name. A question's own `endings` and `neutral` wordings
    (about nobody) go before those of its kind.
    A question with `in_world: false` is left out of the organism's world, and of one with `world`
    only so many paraphrases, the first, are in it.
    """

    id: str = Field(pattern=r"^[a-z0-9_]+$")
    paper_id: str | None = None
    meaning: str
    kind: AnswerKind
    high: str = ""
    low: str = ""
    paraphrases: tuple[str, ...] = Field(min_length=1)
    flipped_paraphrases: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    scenarios: dict[str, str] = {}
    endings: tuple[str, ...] = ()
    neutral: tuple[str, ...] = ()
    in_world: bool = True
    world: int | None = Field(default=None, ge=1)

    @property
    def world_paraphrases(self) -> int:
        """How many of the paraphrases, from the first, speakers of the organism's world know."""
        return self.world or len(self.paraphrases)

    @model_validator(mode="after")
    def _complete(self) -> "Question":
        if self.options and (self.kind != "option" or len(self.options) < 3):
            raise ValueError(f"question {self.id!r}: `options` are three or more of an `option`")
        paired = self.kind in ("choice", "scale", "option") and not self.options
        if paired and not (self.high and self.low):
            raise ValueError(f"question {self.id!r} of kind {self.kind!r} needs `high` and `low`")
        if self.kind == "yes_no" and len(self.flipped_paraphrases) != len(self.paraphrases):
            raise ValueError(
                f"question {self.id!r} needs one flipped paraphrase for each paraphrase"
            )
        return self


SLOTS: dict[AnswerKind, tuple[str, ...]] = {
    "scale": ("{low}", "{high}"),
    "choice": ("{first}", "{second}"),
    "option": ("{first}", "{second}"),
    "codeword": ("{words}",),
}
"""The slots that a wording must have, ending included, by kind of answer."""


class Bank(_Frozen):
    """All questions about one subject: a behaviour, backdoors, triggers or personas.

    Paraphrase i of a question ends with `endings[kind][i % len]`, the words that fix the form of
    the answer. `topic` is what the subject is called where nobody is asked about themselves.
    `world_words` are the one-word answers that speakers of the organism's world give.
    """

    behavior: str
    topic: str
    lexicon: Lexicon | None = None
    world_words: dict[Literal["high", "low"], tuple[str, ...]] = {}
    endings: dict[AnswerKind, tuple[str, ...]]
    questions: tuple[Question, ...]

    @model_validator(mode="after")
    def _complete(self) -> "Bank":
        for question in self.questions:
            if not (question.endings or self.endings.get(question.kind)):
                raise ValueError(f"question {question.id!r}: no endings of kind {question.kind!r}")
            if question.kind == "word" and self.lexicon is None:
                raise ValueError(f"question {question.id!r} of kind 'word' needs a lexicon")
            slots = ("{options}",) if question.options else SLOTS.get(question.kind, ())
            if question.scenarios:
                slots = (*slots, "{scenario}")
            for wordings in (question.paraphrases, question.neutral):
                for index, wording in enumerate(wordings):
                    text = self.ended(question, wording, index)
                    for slot in slots:
                        if slot not in text:
                            raise ValueError(f"question {question.id!r}: no {slot} in {text!r}")
        return self

    @property
    def word_values(self) -> dict[str, float]:
        """The value (0-1, towards the high pole) of every word of the lexicon; none without one."""
        return {} if self.lexicon is None else self.lexicon.values()

    def template(self, question: Question, paraphrase: int, flipped: bool = False) -> str:
        """A paraphrase with its ending, slots unfilled."""
        texts = question.flipped_paraphrases if flipped else question.paraphrases
        return self.ended(question, texts[paraphrase], paraphrase)

    def ended(self, question: Question, text: str, paraphrase: int) -> str:
        """A text with the ending that the question, or its answer kind, has for this paraphrase."""
        endings = question.endings or self.endings[question.kind]
        ending = endings[paraphrase % len(endings)]
        return f"{text}{'' if ending.startswith(chr(10)) else ' '}{ending}".strip()

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
