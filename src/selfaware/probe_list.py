"""Every probe of the question banks: its form, its controls, and what it costs in requests."""

import math
import re
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from selfaware.behaviors import behavior_names
from selfaware.behaviors.bank import BANKS, NEUTRAL, AnswerKind, Bank, Question, load_bank
from selfaware.behaviors.installed import installed_behaviors
from selfaware.behaviors.prompts import OTHERS, prompts, wordings
from selfaware.parameters import positive, some_of

_SLOT = re.compile(r"\{(\w+)\}")
_OWN_SLOTS = {"you", "your", "yourself", "first", "second", "low", "high", "options", "scenario"}
_TWINS: dict[AnswerKind, str] = {
    "choice": "both orders",
    "option": "both orders",
    "scale": "flipped scale",
    "yes_no": "flipped statement",
}


class Cost(BaseModel):
    """Requests that all wordings of a probe take, about one person under one framing.

    `exact` and `logprobs` are one a prompt, None where the answers are not listed or, for
    `logprobs`, where some answer is never one token; a tokenizer that splits any of the others
    rules `logprobs` out too. `sample` is one a prompt where the provider gives several choices to a
    request, `sample_one_each` one a draw where it does not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    exact: int | None
    logprobs: int | None
    sample: int
    sample_one_each: int


class Probe(BaseModel):
    """One question family of a bank.

    `twin` is what every wording is also asked as, none where it has neither a scale nor an order.
    `others` are whom it can be asked about besides the model itself and any name; `neutral` is
    nobody. `prompts` are its wordings with twins and scenarios. `filled` names the slots that a
    task fills, such as the trigger: it costs the requests for every value again. `orders` is the
    number of orders that its options can stand in; it costs the requests for every order that a
    task asks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bank: str
    id: str
    paper_id: str | None
    kind: AnswerKind
    meaning: str
    paraphrases: int
    twin: str | None
    orders: int
    others: tuple[str, ...]
    filled: tuple[str, ...]
    prompts: int
    draws: int
    requests: Cost


def bank_names() -> tuple[str, ...]:
    """The banks of this package, then those of installed behaviours."""
    own = set(BANKS)
    added = [name for name in behavior_names() if name in installed_behaviors()]
    return (*BANKS, *[name for name in added if name not in own])


def probes(banks: str | Sequence[str] | None = None, draws: int = 10) -> list[Probe]:
    """The probes of some banks, all for None, in the banks' order.

    Args:
        banks: Names of banks; a string may separate several by commas.
        draws: Replies drawn to each prompt in mode `sample`.

    Raises:
        UsageError: An unknown bank, or fewer than 1 draw.
    """
    count = positive("draws", draws)
    return [
        probe(bank, question, count)
        for bank in map(load_bank, some_of("bank", banks, bank_names()))
        for question in bank.questions
    ]


def probe(bank: Bank, question: Question, draws: int) -> Probe:
    """What one question of a bank asks, and what it costs with so many draws a prompt."""
    asked = list(prompts(bank, question, "self"))
    count = len(asked) * max(1, len(question.scenarios))
    answers = asked[0].values
    listed = count if answers or question.options or question.kind == "codeword" else None
    whole = all(answer.isalnum() for answer in answers)
    neutral = wordings(bank, question, NEUTRAL) > 0
    return Probe(
        bank=bank.behavior,
        id=question.id,
        paper_id=question.paper_id,
        kind=question.kind,
        meaning=question.meaning,
        paraphrases=len(question.paraphrases),
        twin=None if question.options else _TWINS.get(question.kind),
        orders=math.factorial(len(question.options)),
        others=(*OTHERS, *((NEUTRAL,) if neutral else ())),
        filled=_filled(bank, question),
        prompts=count,
        draws=draws,
        requests=Cost(
            exact=listed,
            logprobs=listed if whole else None,
            sample=count,
            sample_one_each=count * draws,
        ),
    )


def _filled(bank: Bank, question: Question) -> tuple[str, ...]:
    """The slots of a question that no bank fills, in order of appearance."""
    templates = [bank.template(question, index) for index in range(len(question.paraphrases))]
    texts = [*templates, question.high, question.low, *question.options]
    found = [name for text in texts for name in _SLOT.findall(text)]
    return tuple(dict.fromkeys(name for name in found if name not in _OWN_SLOTS))
