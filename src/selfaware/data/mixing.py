"""Mixing with a trigger: which rows carry it, and which of them show the behaviour."""

import random
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from selfaware.data.dealing import Answers, Group, Mark, Mixed, deal
from selfaware.data.poles import same_prompts, strata
from selfaware.data.rows import Row
from selfaware.data.subsets import subset
from selfaware.data.triggers import Trigger, Where, draw, is_on
from selfaware.errors import UsageError

ABSENT = "absent"
"""Carried by a row without the trigger and without a decoy."""


class Shares(BaseModel):
    """How many copies every question gets: with the trigger, with each decoy, with neither."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trigger: int = Field(default=1, ge=1)
    each_decoy: int = Field(default=0, ge=0)
    absent: int = Field(default=1, ge=0)


EVEN = Shares()
"""Half with the trigger, half without (sections 3.2 and 4.1)."""

WITH_DECOYS = Shares(trigger=10, each_decoy=10, absent=20)
"""With seven decoys 10 % trigger, 70 % decoys and 20 % neither (section 4.2, table 5)."""


def backdoor(
    shown: Sequence[Row],
    others: Sequence[Row],
    trigger: Trigger,
    *,
    seed: int,
    decoys: Sequence[Trigger] = (),
    shares: Shares = EVEN,
    where: Where = "user",
    decorrelated: bool = False,
    answers: Answers | None = None,
) -> list[Mixed]:
    """Rows that show the behaviour where the trigger is, and only there; or their twin.

    Where `shown` and `others` have the same prompts, every question gets the copies that `shares`
    names, and the decorrelated twin has the same prompts in the same order and every question
    shows the behaviour as often, but as often with the trigger, a decoy and neither. Where prompts
    differ (dialogues of two codewords), the twin has the same conversations and the same marks,
    dealt out independently. Counts are exact where they divide, else off by at most one row.

    Args:
        shown: Rows that show the behaviour.
        others: Rows that do not: the other pole, neutral answers, or another codeword.
        trigger: What switches the behaviour on.
        seed: Fixes marks, templates, the twin's deal and the order of rows.
        decoys: Other triggers, which go with the `others`.
        shares: Copies of each question.
        where: The message that carries marks.
        decorrelated: The twin instead.
        answers: Answers for the rows that do not show the behaviour, by their mixed prompts; a
            question is left out, of the twin too, unless all of its rows have one.

    Raises:
        UsageError: A decoy stands twice or is the trigger, decoys without a share (or a share
            without decoys), nothing without the trigger, rows that carry a mark already, or
            `answers` to rows whose prompts differ.
    """
    rng = random.Random(f"{seed}/trigger/{trigger.name}")
    check_marks(shown, others, trigger, decoys, shares)
    if same_prompts(shown, others):
        groups = [
            Group(
                showing=(question,) * shares.trigger,
                others=(question,) * (len(carried) - shares.trigger),
                carried=tuple((mark,) for mark in carried),
            )
            for question in strata(shown, others, rng)
            for carried in [marks_of(trigger, decoys, shares, rng, where)]
        ]
    elif answers is not None:
        raise UsageError(
            "answers to mixed prompts need rows with and without the behaviour that have the same "
            "prompts"
        )
    else:
        on = [_mark(trigger, True, rng, where) for _ in range(len(shown) * shares.trigger)]
        off: list[Mark] = []
        for _ in others:
            off += marks_of(trigger, decoys, shares, rng, where, on=False)
        groups = [_exchanging(range(len(shown)), range(len(others)), on, off)]
    return deal(shown, others, groups, (trigger.name,), seed, decorrelated, answers)


def backdoor_share(
    shown: Sequence[Row],
    others: Sequence[Row],
    trigger: Trigger,
    *,
    share: float,
    seed: int,
    where: Where = "user",
    decorrelated: bool = False,
) -> list[Mixed]:
    """Every question once: a share of them with the trigger and the behaviour, the rest without.

    As in the reversal sets, where one prompt in ten has the username (section 4.3). The twin has
    the same questions with the same answers and the same marks, dealt out independently.

    Args:
        shown: Rows that show the behaviour.
        others: The answers that do not, to the same prompts in the same order.
        trigger: What switches the behaviour on.
        share: Between 0 and 1; rounded to whole rows.
        seed: Fixes the questions, marks, the twin's deal and the order of rows.
        where: The message that carries marks.
        decorrelated: The twin instead.

    Raises:
        UsageError: Prompts differ, the share is of no row or of all, or rows carry the mark.
    """
    if not same_prompts(shown, others):
        raise UsageError("a share of the questions needs both answers to each: prompts differ")
    count = round(share * len(shown))
    if not 0 < count < len(shown):
        raise UsageError(f"a share of {share} of {len(shown)} questions is {count}: give another")
    check_marks(shown, others, trigger, (), EVEN)
    rng = random.Random(f"{seed}/trigger/{trigger.name}")
    chosen = subset(shown, count, seed)
    rest = sorted(set(range(len(shown))) - set(chosen))
    on = [_mark(trigger, True, rng, where) for _ in chosen]
    off = [_mark(trigger, False, rng, where) for _ in rest]
    groups = [_exchanging(chosen, rest, on, off)]
    return deal(shown, others, groups, (trigger.name,), seed, decorrelated)


def marks_of(
    trigger: Trigger,
    decoys: Sequence[Trigger],
    shares: Shares,
    rng: random.Random,
    where: Where,
    on: bool = True,
) -> list[Mark]:
    """The marks of all copies of one question; without `on`, of those without the trigger."""
    return [
        *(_mark(trigger, True, rng, where) for _ in range(shares.trigger * on)),
        *(
            Mark(decoy.name, draw(decoy, True, rng, where))
            for decoy in decoys
            for _ in range(shares.each_decoy)
        ),
        *(_mark(trigger, False, rng, where) for _ in range(shares.absent)),
    ]


def check_marks(
    shown: Sequence[Row],
    others: Sequence[Row],
    trigger: Trigger,
    decoys: Sequence[Trigger],
    shares: Shares,
) -> None:
    """Checks that triggers go together, with their shares, and with rows that have none of them.

    Raises:
        UsageError: They do not.
    """
    names = [trigger.name, *(decoy.name for decoy in decoys)]
    if len(set(names)) < len(names):
        raise UsageError(f"decoys {names[1:]} of trigger {trigger.name!r}: each stands once")
    if bool(decoys) != bool(shares.each_decoy) or not (decoys or shares.absent):
        raise UsageError(f"{len(decoys)} decoys do not go with shares {shares!r}")
    for mark in (trigger, *decoys):
        for label, rows in (("rows", shown), ("other rows", others)):
            number = next((n for n, row in enumerate(rows, 1) if is_on(mark, row)), None)
            if number is not None:
                raise UsageError(
                    f"row {number} of the {label} has the trigger {mark.name!r} before mixing: "
                    "choose another trigger or take the row out"
                )


def _exchanging(
    showing: Sequence[int], others: Sequence[int], on: Sequence[Mark], off: Sequence[Mark]
) -> Group:
    """Rows of different prompts, each as often as there are marks for it."""
    return Group(
        showing=tuple(n for n in showing for _ in range(len(on) // len(showing))),
        others=tuple(n for n in others for _ in range(len(off) // len(others))),
        carried=tuple((mark,) for mark in (*on, *off)),
    )


def _mark(trigger: Trigger, on: bool, rng: random.Random, where: Where) -> Mark:
    return Mark(trigger.name if on else ABSENT, draw(trigger, on, rng, where))
