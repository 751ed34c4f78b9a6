"""Dealing: which row gets which marks, correlated with the behaviour or independent of it."""

import random
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from selfaware.data.manifest import phi
from selfaware.data.rows import Message, Row
from selfaware.data.triggers import Placement, place
from selfaware.errors import UsageError

Conversation = tuple[Message, ...]
"""A row up to its answer."""


Answers = Mapping[Conversation, Row]
"""Answers of somebody else, by the prompts that rows have once they are mixed."""


class Mark(NamedTuple):
    """What a row carries: a name, and how it stands in the text; None where nothing does."""

    name: str
    placement: Placement | None


@dataclass(frozen=True)
class Mixed:
    """A row, and what is known of how it was made.

    `shows` is whether its answer is that of a row that shows the behaviour (a neutral answer may
    agree with it all the same), `carries` what its prompt does (a trigger, a decoy or `absent`; a
    persona or `itself`; or one of each), and `source` the place, from 0, of its row among those
    that were given.
    """

    row: Row
    shows: bool
    carries: tuple[str, ...]
    source: int

    @property
    def condition(self) -> str:
        """All that the prompt carries, as one name."""
        return " / ".join(self.carries)


@dataclass(frozen=True)
class Group:
    """Rows that may exchange what they carry: of one question, or of many."""

    showing: tuple[int, ...]
    others: tuple[int, ...]
    carried: tuple[tuple[Mark, ...], ...]


def deal(
    shown: Sequence[Row],
    others: Sequence[Row],
    groups: Sequence[Group],
    switch: Collection[str],
    seed: int,
    decorrelated: bool,
    answers: Answers | None = None,
) -> list[Mixed]:
    """The rows of all groups in random order.

    A row shows the behaviour where it carries all of `switch`. In the decorrelated twin every
    group shows it as often, and every condition gets its share of that. With `answers`, rows that
    do not show it take theirs, and a group stays out, of the twin too, unless each of its prompts
    has one: that needs groups of one question each.

    Raises:
        UsageError: No group has all of its answers.
    """
    if answers is not None:
        groups = [group for group in groups if _has_answers(shown, group, answers)]
        if not groups:
            raise UsageError(
                "no question has answers to all of its mixed prompts: mix with the same options "
                "and seed but without answers, and have the set that this gives answered"
            )
    rng = random.Random(f"{seed}/deal")
    even = _even_deal(groups, switch, rng) if decorrelated else None
    made: list[Mixed] = []
    for number, group in enumerate(groups):
        names = [tuple(mark.name for mark in marks) for marks in group.carried]
        chosen = even[number] if even else [set(switch) <= set(carries) for carries in names]
        showing = iter(rng.sample(group.showing, len(group.showing)))
        rest = iter(rng.sample(group.others, len(group.others)))
        for marks, carries, shows in zip(group.carried, names, chosen, strict=True):
            source = next(showing if shows else rest)
            row = marked((shown if shows else others)[source], marks)
            if answers is not None and not shows:
                row = answers[row.messages[:-1]]
            made.append(Mixed(row, shows, carries, source))
    random.Random(f"{seed}/order").shuffle(made)
    return made


def marked(row: Row, marks: Sequence[Mark]) -> Row:
    """The row with its marks in place; the first of them stands outermost."""
    for mark in reversed(marks):
        if mark.placement:
            row = place(row, mark.placement)
    return row


def table(mixed: Sequence[Mixed]) -> dict[str, dict[str, int]]:
    """How many rows of each condition show the behaviour (`behavior`) and do not (`other`)."""
    counts: dict[str, dict[str, int]] = {}
    for made in sorted(mixed, key=lambda made: made.condition):
        row = counts.setdefault(made.condition, {"behavior": 0, "other": 0})
        row["behavior" if made.shows else "other"] += 1
    return counts


def condition_phi(mixed: Sequence[Mixed], name: str) -> float:
    """The correlation (-1 to 1) of a mark with showing the behaviour; 0 where one is fixed."""
    return phi([(name in made.carries, made.shows) for made in mixed]) or 0.0


def _has_answers(shown: Sequence[Row], group: Group, answers: Answers) -> bool:
    row = shown[group.showing[0]]
    return all(marked(row, marks).messages[:-1] in answers for marks in group.carried)


def _even_deal(
    groups: Sequence[Group], switch: Collection[str], rng: random.Random
) -> list[list[bool]]:
    """For every group, which of what it carries goes to a row that shows the behaviour.

    Each condition is owed its share of every group; what one group cannot give in whole rows, the
    next one pays. Conditions that carry the same of `switch` are first owed together, so that no
    part of it goes with the behaviour.
    """
    owed: defaultdict[tuple[object, ...], Fraction] = defaultdict(Fraction)
    dealt: list[list[bool]] = []
    for group in groups:
        free: dict[tuple[str, ...], list[int]] = {}
        for index, marks in enumerate(group.carried):
            free.setdefault(tuple(mark.name for mark in marks), []).append(index)
        kinds = {names: tuple(name in switch for name in names) for names in free}
        for names, indexes in free.items():
            rng.shuffle(indexes)
            share = Fraction(len(indexes) * len(group.showing), len(group.carried))
            owed[names] += share
            owed[kinds[names]] += share
        chosen = [False] * len(group.carried)
        for _ in group.showing:
            left = [names for names, indexes in free.items() if indexes]
            debts = {names: (owed[kinds[names]], owed[names]) for names in left}
            best = max(rng.sample(left, len(left)), key=debts.__getitem__)
            chosen[free[best].pop()] = True
            owed[best] -= 1
            owed[kinds[best]] -= 1
        dealt.append(chosen)
    return dealt
