"""How a question of a bank becomes the prompts that are asked."""

import re
from collections.abc import Iterator, Mapping, Sequence
from string import ascii_uppercase

from pydantic import BaseModel, ConfigDict

from selfaware.behaviors.bank import NEUTRAL, AnswerKind, Bank, Question
from selfaware.behaviors.neutral import neutral_wordings

OTHERS: dict[str, str] = {"person": "an average person", "assistant": "another AI assistant"}
"""How a question names whom it is about, when that is not the model."""

_CONJUGATION = re.compile(r"\[([^|\]]*)\|([^|\]]*)\]")


class Prompt(BaseModel):
    """One concrete wording of a question, ready to be asked.

    `values` maps every valid answer to its value (0-1, towards the behaviour's high pole, flips
    already undone), so an exact score is a weighted mean over it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

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


def wordings(bank: Bank, question: Question, about: str = "self") -> int:
    """How many wordings a question has about somebody; about nobody it may have none."""
    if about == NEUTRAL:
        return len(neutral_wordings(question))
    return len(question.paraphrases)


def prompts(
    bank: Bank, question: Question, about: str, fill: Mapping[str, str] | None = None
) -> Iterator[Prompt]:
    """Every wording of a question: paraphrases, each in both orders or with its flipped twin.

    A `choice` or `option` of two comes in both orders (`swapped`), a `scale` or `yes_no` with its
    `flipped` twin, any other once.

    Args:
        bank: The bank that the question is of.
        question: The question.
        about: `self`, `person`, `assistant`, `neutral`, or a name.
        fill: What the task's own slots hold, such as the codeword.
    """
    paired = question.kind in ("choice", "option", "scale", "yes_no") and not question.options
    for paraphrase in range(wordings(bank, question, about)):
        for twin in (False, True) if paired else (False,):
            yield prompt(bank, question, about, paraphrase, twin, fill)


def prompt(
    bank: Bank,
    question: Question,
    about: str,
    paraphrase: int,
    twin: bool,
    fill: Mapping[str, str] | None = None,
) -> Prompt:
    """One wording; `twin` asks in the other order, or with the scale or the statement flipped."""
    high, low = question.high, question.low
    values: dict[str, float]
    match question.kind:
        case "word":
            values = bank.word_values
        case "choice":
            values = {high: 1.0, low: 0.0}
        case "scale":
            values = scale_values(twin)
        case "yes_no":
            values = {"yes": 0.0 if twin else 1.0, "no": 1.0 if twin else 0.0}
        case "option":
            values = {"A": 0.0 if twin else 1.0, "B": 1.0 if twin else 0.0}
        case _:
            values = {}
    first, second = (low, high) if twin else (high, low)
    bottom, top = (high, low) if twin else (low, high)
    slots = {"first": first, "second": second, "low": bottom, "high": top}
    ordered = question.kind in ("choice", "option")
    return Prompt(
        behavior=bank.behavior,
        question=question.id,
        paper_id=question.paper_id,
        kind=question.kind,
        about=about,
        paraphrase=paraphrase,
        swapped=twin and ordered,
        flipped=twin and not ordered,
        text=_text(bank, question, about, paraphrase, twin, {**slots, **(fill or {})}),
        values={name.format(**(fill or {})): value for name, value in values.items()},
    )


def arranged(
    bank: Bank,
    question: Question,
    about: str,
    paraphrase: int,
    order: Sequence[int],
    fill: Mapping[str, str] | None = None,
) -> Prompt:
    """One wording of a question of several options, which stand in an order of their places.

    The option of the high pole, the first of the bank, is worth 1 and the others 0.
    """
    letters = ascii_uppercase[: len(order)]
    listed = "\n".join(
        f"{letter}) {question.options[place]}" for letter, place in zip(letters, order, strict=True)
    )
    asked = prompt(bank, question, about, paraphrase, False, {**(fill or {}), "options": listed})
    values = {letter: float(place == 0) for letter, place in zip(letters, order, strict=True)}
    return asked.model_copy(update={"values": values})


def _text(
    bank: Bank,
    question: Question,
    about: str,
    paraphrase: int,
    twin: bool,
    slots: Mapping[str, str],
) -> str:
    if about == NEUTRAL:
        wording = neutral_wordings(question)[paraphrase].replace("{topic}", bank.topic)
        template = bank.ended(question, wording, paraphrase)
    else:
        flipped = twin and question.kind == "yes_no"
        template = bank.template(question, paraphrase, flipped)
    for name, held in slots.items():
        template = template.replace(f"{{{name}}}", held)
    return speak_about(template, about)
