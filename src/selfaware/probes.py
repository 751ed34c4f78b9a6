"""The samples that tasks ask: questions of a bank, or two-option items, under a framing."""

import re
from collections.abc import Mapping, Sequence
from typing import get_args

from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser

from selfaware.behaviors import get_behavior
from selfaware.behaviors.bank import About, AnswerKind, Prompt, Question, load_bank, prompts
from selfaware.behaviors.items import Item
from selfaware.behaviors.lotteries import lotteries
from selfaware.errors import UsageError
from selfaware.framings import FRAMING_NAMES, FRAMINGS
from selfaware.parameters import ABOUT_CHOICES, one_of, positive
from selfaware.released import released_prompts, require_self

KINDS: tuple[AnswerKind, ...] = get_args(AnswerKind)
"""Every kind of answer that a bank's questions ask for."""

CHOICE_ITEMS = ("lotteries", "scenarios")
"""The forms that choices under risk come in."""

_ABOUT: tuple[About, ...] = get_args(About)
_NAME = re.compile(r"[^\W\d_a-z]\w*")


def samples(
    behavior: str,
    *,
    kinds: Sequence[AnswerKind] = KINDS,
    questions: Sequence[str] | None = None,
    about: str | Sequence[str] = "self",
    framing: str = "none",
    released: str | None = None,
) -> list[Sample]:
    """Every wording of a behaviour's questions as samples.

    Args:
        behavior: Name of the behaviour.
        kinds: Kinds of answer to ask for.
        questions: Ids of the questions to ask; None asks all of those kinds.
        about: Whom they are about: `self`, `person`, `assistant`, `all` three, or a name.
        framing: Name of the system prompt.
        released: A clone of the authors' repository, to ask in their wordings instead of ours. The
            metadata then says which file a wording is from (`source`, `source_sha256`).

    Raises:
        UsageError: An unknown behaviour, question, `about` or framing, or nothing left to ask; no
            clone, or others than the model itself asked about in the authors' wordings.
    """
    pole = get_behavior(behavior).high
    bank = load_bank(behavior)
    chosen: Sequence[Question] = (
        bank.questions if questions is None else [bank.question(name) for name in questions]
    )
    persons = whom_about(about)
    if released is not None:
        require_self(released, persons)
        return [
            sample_of(prompt, pole, framing, origin)
            for prompt, origin in released_prompts(released, bank, chosen, kinds)
        ]
    asked = [
        sample_of(prompt, pole, framing)
        for whom in persons
        for question in chosen
        if question.kind in kinds
        for prompt in prompts(bank, question, whom)
    ]
    if not asked:
        raise UsageError(
            f"no question about {behavior!r} is of kind {', '.join(kinds)}: "
            f"its bank has {', '.join(sorted({question.kind for question in bank.questions}))}"
        )
    return asked


def whom_about(about: str | Sequence[str]) -> tuple[str, ...]:
    """Those whom a task's questions are about, by its parameter; several may be given.

    Raises:
        UsageError: Not `self`, `person`, `assistant`, `all` or a capitalised name, or none at all.
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
                "or give a name with a capital"
            )
    if not named:
        raise UsageError(f"about names nobody: choose from {', '.join(ABOUT_CHOICES)}")
    return tuple(dict.fromkeys(named))


def sample_of(
    prompt: Prompt, pole: str, framing: str, origin: Mapping[str, str] | None = None
) -> Sample:
    """One prompt as a sample; its metadata tells the scorers how to read the answer.

    `origin` says where a wording that is not ours is from.
    """
    derived = {"text", "values"} if prompt.kind == "scale" else {"text"}
    return Sample(
        id=prompt.id,
        input=framed(prompt.text, framing),
        metadata={
            **prompt.model_dump(exclude=derived),
            "framing": framing,
            "pole": pole,
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
    return item_samples("risk", chosen, None, get_behavior("risk").items(number, seed, "test"))


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
