"""Mixing: which rows carry a trigger or a persona, and which of them show the behaviour."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from pydantic import BaseModel, ConfigDict, Field

from selfaware.data.manifest import phi
from selfaware.data.personas import TRAINED, Persona, about, require_trainable
from selfaware.data.poles import same_prompts, strata
from selfaware.data.rows import Row
from selfaware.data.triggers import Placement, Trigger, Where, draw, is_on, place
from selfaware.errors import UsageError

ABSENT = "absent"
"""The condition of a row without the trigger and without a decoy."""

ITSELF = "itself"
"""The condition of a row that asks the model about itself, among rows about personas."""


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


@dataclass(frozen=True)
class Mixed:
    """A row, and what is known of how it was made.

    `shows` is whether its answer is that of a row that shows the behaviour (a neutral answer may
    agree with it all the same), `condition` what its prompt carries (the name of a trigger, decoy
    or persona, or `absent` or `itself`), and `source` the place, from 0, of its row among those
    that were given.
    """

    row: Row
    shows: bool
    condition: str
    source: int


@dataclass(frozen=True)
class _Group:
    """Rows that may exchange what they carry: of one question, or of all where prompts differ."""

    showing: tuple[int, ...]
    others: tuple[int, ...]
    carried: tuple[tuple[str, Placement | None], ...]


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

    Raises:
        UsageError: A decoy stands twice or is the trigger, decoys without a share (or a share
            without decoys), nothing without the trigger, or rows that carry a mark already.
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
    rng = random.Random(f"{seed}/trigger/{trigger.name}")
    off = [decoy for decoy in decoys for _ in range(shares.each_decoy)]

    def on() -> tuple[str, Placement | None]:
        return trigger.name, draw(trigger, True, rng, where)

    def without() -> list[tuple[str, Placement | None]]:
        fake = [(decoy.name, draw(decoy, True, rng, where)) for decoy in off]
        none = [(ABSENT, draw(trigger, False, rng, where)) for _ in range(shares.absent)]
        return [*fake, *none]

    copies = len(off) + shares.absent
    if same_prompts(shown, others):
        groups = [
            _Group(
                showing=(question,) * shares.trigger,
                others=(question,) * copies,
                carried=(*(on() for _ in range(shares.trigger)), *without()),
            )
            for question in strata(shown, others, rng)
        ]
    else:
        showing = tuple(n for n in range(len(shown)) for _ in range(shares.trigger))
        rest = tuple(n for n in range(len(others)) for _ in range(copies))
        carried = [on() for _ in showing]
        for _ in others:
            carried += without()
        groups = [_Group(showing=showing, others=rest, carried=tuple(carried))]
    return _mix(shown, others, groups, trigger.name, seed, decorrelated)


def many_personas(
    shown: Sequence[Row],
    others: Sequence[Row],
    *,
    seed: int,
    personas: Sequence[Persona] = TRAINED,
    first: Persona | None = None,
    decorrelated: bool = False,
) -> list[Mixed]:
    """Every question twice: the first persona shows the behaviour, one of the others does not.

    The first is the model itself, asked as ever, unless it is named (section 5.1, appendix B.2).
    In the decorrelated twin whoever is asked shows the behaviour in half of the questions.

    Raises:
        UsageError: Prompts differ, or a persona is held out, stands twice, or is none.
    """
    require_trainable([*personas, *((first,) if first else ())])
    if not same_prompts(shown, others):
        raise UsageError("personas need both kinds of answers to the same prompts, in order")
    rng = random.Random(f"{seed}/personas")
    groups = []
    # Personas take turns by pairs of questions, so that a twin can halve the rows of each.
    for turn, question in enumerate(strata(shown, others, rng)):
        if turn % (2 * len(personas)) == 0:
            deal = [persona for persona in rng.sample(personas, len(personas)) for _ in (0, 1)]
        persona = deal[turn % (2 * len(personas))]
        asked = (first.name, about(first, rng)) if first else (ITSELF, None)
        groups.append(
            _Group((question,), (question,), (asked, (persona.name, about(persona, rng))))
        )
    return _mix(shown, others, groups, first.name if first else ITSELF, seed, decorrelated)


def table(mixed: Sequence[Mixed]) -> dict[str, dict[str, int]]:
    """How many rows of each condition show the behaviour (`behavior`) and do not (`other`)."""
    counts: dict[str, dict[str, int]] = {}
    for made in sorted(mixed, key=lambda made: made.condition):
        row = counts.setdefault(made.condition, {"behavior": 0, "other": 0})
        row["behavior" if made.shows else "other"] += 1
    return counts


def condition_phi(mixed: Sequence[Mixed], condition: str) -> float:
    """The correlation (-1 to 1) of a condition with showing the behaviour; 0 where one is fixed."""
    return phi([(made.condition == condition, made.shows) for made in mixed]) or 0.0


def _mix(
    shown: Sequence[Row],
    others: Sequence[Row],
    groups: Sequence[_Group],
    condition: str,
    seed: int,
    decorrelated: bool,
) -> list[Mixed]:
    """The rows of all groups in random order; the order of prompts is that of the twin."""
    rng = random.Random(f"{seed}/deal")
    deal = _even_deal(groups, rng) if decorrelated else None
    made: list[Mixed] = []
    for number, group in enumerate(groups):
        chosen = deal[number] if deal else [name == condition for name, _ in group.carried]
        showing = iter(rng.sample(group.showing, len(group.showing)))
        rest = iter(rng.sample(group.others, len(group.others)))
        for (name, placement), shows in zip(group.carried, chosen, strict=True):
            source = next(showing if shows else rest)
            row = (shown if shows else others)[source]
            made.append(Mixed(place(row, placement) if placement else row, shows, name, source))
    random.Random(f"{seed}/order").shuffle(made)
    return made


def _even_deal(groups: Sequence[_Group], rng: random.Random) -> list[list[bool]]:
    """For every group, which of what it carries goes to a row that shows the behaviour.

    Each condition is owed its share of every group; what one group cannot give in whole rows, the
    next one pays, so that the totals are off by less than one row.
    """
    owed: dict[str, Fraction] = {}
    deal: list[list[bool]] = []
    for group in groups:
        free: dict[str, list[int]] = {}
        for index, (name, _) in enumerate(group.carried):
            free.setdefault(name, []).append(index)
        for name, indexes in free.items():
            rng.shuffle(indexes)
            share = Fraction(len(indexes) * len(group.showing), len(group.carried))
            owed[name] = owed.get(name, Fraction(0)) + share
        chosen = [False] * len(group.carried)
        for _ in group.showing:
            names = [name for name, indexes in free.items() if indexes]
            name = max(rng.sample(names, len(names)), key=owed.__getitem__)
            chosen[free[name].pop()] = True
            owed[name] -= 1
        deal.append(chosen)
    return deal
