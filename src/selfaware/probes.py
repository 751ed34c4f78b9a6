"""The samples that tasks ask: questions of a bank, or two-option items, under a framing."""

import re
from collections.abc import Mapping, Sequence
from typing import get_args

from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser

from selfaware.behaviors import BEHAVIORS, get_behavior
from selfaware.behaviors.bank import BANKS, About, AnswerKind, Question, load_bank
from selfaware.behaviors.items import Item
from selfaware.behaviors.lotteries import lotteries
from selfaware.behaviors.prompts import Prompt, prompts
from selfaware.errors import UsageError
from selfaware.framings import FRAMING_NAMES, FRAMINGS, Framing
from selfaware.parameters import ABOUT_CHOICES, one_of, positive, some_of
from selfaware.released import released_prompts, require_self

KINDS: tuple[AnswerKind, ...] = ("word", "choice", "scale", "yes_no", "option")
"""The kinds of answer that questions about any behaviour ask for."""

CHOICE_ITEMS = ("lotteries", "scenarios")
"""The forms that choices under risk come in."""

_ABOUT: tuple[About, ...] = get_args(About)
_NAME = re.compile(r"[^\W\d_a-z][\w'’.-]*|[\w'’.-]+(?: [\w'’.-]+)+")
"""A capitalised name, or several words, such as `my friend Ottilie`."""


def samples(
    behavior: str,
    *,
    kinds: Sequence[AnswerKind] = KINDS,
    questions: Sequence[str] | None = None,
    about: str | Sequence[str] = "self",
    framing: str | Sequence[str] = "none",
    fill: Mapping[str, str] | None = None,
    released: str | None = None,
) -> list[Sample]:
    """Every wording of a bank's questions as samples.

    Args:
        behavior: Name of the behaviour.
        kinds: Kinds of answer to ask for.
        questions: Ids of the questions to ask; None asks all of those kinds.
        about: Whom they are about: `self`, `person`, `assistant`, `all` three, a name, or several.
        framing: Names of system prompts, or `all`.
        fill: What the questions' own slots hold, such as the codeword.
        released: A clone of the authors' repository, to ask in their wordings instead of ours. The
            metadata then says which file a wording is from (`source`, `source_sha256`).

    Raises:
        UsageError: An unknown behaviour, question, `about` or framing, or nothing left to ask; no
            clone, or others than the model itself asked about in the authors' wordings.
    """
    if behavior not in BANKS:
        get_behavior(behavior)
    bank = load_bank(behavior)
    chosen: Sequence[Question] = (
        bank.questions if questions is None else [bank.question(name) for name in questions]
    )
    persons = whom_about(about)
    if released is not None:
        require_self(released, persons)
        return [
            sample_of(prompt, named, origin)
            for named in framings(framing)
            for prompt, origin in released_prompts(released, bank, chosen, kinds)
        ]
    asked = [
        sample_of(prompt, named)
        for named in framings(framing)
        for whom in persons
        for question in chosen
        if question.kind in kinds
        for prompt in prompts(bank, question, whom, fill)
    ]
    if not asked:
        raise UsageError(
            f"no question on {behavior!r} of kind {', '.join(kinds)} can be asked about {about!r}: "
            f"its bank has {', '.join(sorted({question.kind for question in bank.questions}))}, "
            "and yes_no has no neutral form"
        )
    return asked


def whom_about(about: str | Sequence[str]) -> tuple[str, ...]:
    """Those whom a task's questions are about, by its parameter; several may be given.

    Raises:
        UsageError: None of these, no name (a capitalised word, or several words), or none at all.
    """
    named: list[str] = []
    for part in about.split(",") if isinstance(about, str) else about:
        whom = str(part).strip()
        if whom == "all":
            named += _ABOUT
        elif whom in _ABOUT or _NAME.fullmatch(whom):
            named.append(whom)
        else:
            raise UsageError(
                f"about={whom!r} is not allowed: choose from {', '.join(ABOUT_CHOICES)}, "
                "or give a name with a capital, or several words (a dentist)"
            )
    if not named:
        raise UsageError(f"about names nobody: choose from {', '.join(ABOUT_CHOICES)}")
    return tuple(dict.fromkeys(named))


def framings(framing: str | Sequence[str]) -> tuple[Framing, ...]:
    """The system prompts that a task's parameter names; `all` names every one.

    Raises:
        UsageError: A name that is none.
    """
    return some_of("framing", None if framing == "all" else framing, FRAMING_NAMES)


def high_pole(bank: str) -> str:
    """The pole that scores of a bank's questions count towards; the bank's name where it has none.

    Banks about backdoors, triggers or personas are of no behaviour.
    """
    return bank if bank in BANKS and bank not in BEHAVIORS else get_behavior(bank).high


def sample_of(prompt: Prompt, framing: str, origin: Mapping[str, str] | None = None) -> Sample:
    """One prompt as a sample; its metadata tells the scorers how to read the answer.

    `origin` says where a wording that is not ours is from.
    """
    derived = {"text", "values"} if prompt.kind == "scale" else {"text"}
    return Sample(
        id=prompt.id if framing == "none" else f"{framing}/{prompt.id}",
        input=framed(prompt.text, framing),
        metadata={
            **prompt.model_dump(exclude=derived),
            "framing": framing,
            "pole": high_pole(prompt.behavior),
            **(origin or {}),
        },
    )


def risk_choices(items: str, count: int, seed: int) -> list[Sample]:
    """Choices under risk: pairs of `lotteries` (R9) or held-out `scenarios` of the item writer.

    Raises:
        UsageError: Other items, or a count below 1.
    """
    chosen = one_of("items", items, CHOICE_ITEMS)
    number = positive("count", count)
    if chosen == "lotteries":
        return item_samples("risk", chosen, "R9", lotteries(number, seed))
    return held_out_choices("risk", number, seed)


def held_out_choices(behavior: str, count: int, seed: int) -> list[Sample]:
    """Items of a behaviour that no finetuning set holds.

    Raises:
        UsageError: An unknown behaviour, one that is no choice, or a count below 1.
    """
    number = positive("count", count)
    return item_samples(
        behavior, "scenarios", None, get_behavior(behavior).items(number, seed, "test")
    )


def item_samples(
    behavior: str, question: str, paper_id: str | None, items: Sequence[Item]
) -> list[Sample]:
    """Two-option items as samples that measure what a model does (score 1: the high pole's)."""
    pole = get_behavior(behavior).high
    return [
        Sample(
            id=f"{question}/{index:04d}",
            input=item.prompt,
            metadata={
                "behavior": behavior,
                "question": question,
                "paper_id": paper_id,
                "kind": "option",
                "about": "self",
                "paraphrase": index,
                "swapped": item.high_letter == "B",
                "flipped": False,
                "values": {letter: float(letter == item.high_letter) for letter in ("A", "B")},
                "framing": "none",
                "pole": pole,
                **{f"item_{name}": value for name, value in item.attributes.items()},
            },
        )
        for index, item in enumerate(items)
    ]


def framed(text: str, framing: str) -> str | list[ChatMessage]:
    """A question under a framing's system prompt; the bare text for `none`.

    Raises:
        UsageError: Unknown framing.
    """
    system = FRAMINGS[one_of("framing", framing, FRAMING_NAMES)]
    if not system:
        return text
    return [ChatMessageSystem(content=system), ChatMessageUser(content=text)]
