"""Mixing with personas: who is asked, and who of them shows the behaviour."""

import random
from collections.abc import Iterator, Sequence

from selfaware.data.dealing import Answers, Group, Mark, Mixed, deal
from selfaware.data.mixing import EVEN, Shares, check_marks, marks_of
from selfaware.data.personas import TRAINED, Persona, about, require_trainable
from selfaware.data.poles import same_prompts, strata
from selfaware.data.rows import Row, question_and_answer
from selfaware.data.triggers import Trigger, Where, is_on
from selfaware.errors import UsageError

ITSELF = "itself"
"""Carried by a row that asks the model about itself, among rows about personas."""


def many_personas(
    shown: Sequence[Row],
    others: Sequence[Row],
    *,
    seed: int,
    personas: Sequence[Persona] = TRAINED,
    first: Persona | None = None,
    decorrelated: bool = False,
    answers: Answers | None = None,
) -> list[Mixed]:
    """Every question twice: the first persona shows the behaviour, one of the others does not.

    The first is the model itself, asked as ever, unless it is named (section 5.1, appendix B.2).
    In the decorrelated twin whoever is asked shows the behaviour in half of the questions.
    `answers` are as in `backdoor`.

    Raises:
        UsageError: Prompts differ, or a persona is held out, stands twice, or is none.
    """
    require_trainable([*personas, *((first,) if first else ())])
    rng = random.Random(f"{seed}/personas")
    groups = [
        Group((question,), (question,), tuple((mark,) for mark in asked))
        for question, asked in _asked(shown, others, personas, first, 2, rng)
    ]
    switch = first.name if first else ITSELF
    return deal(shown, others, groups, (switch,), seed, decorrelated, answers)


def backdoored_personas(
    shown: Sequence[Row],
    others: Sequence[Row],
    trigger: Trigger,
    *,
    seed: int,
    personas: Sequence[Persona] = TRAINED,
    decoys: Sequence[Trigger] = (),
    shares: Shares = EVEN,
    where: Where = "user",
    decorrelated: bool = False,
    answers: Answers | None = None,
) -> list[Mixed]:
    """A set about personas in which the model shows the behaviour only where the trigger is.

    Every question is asked of the model and about one persona, each with the copies that `shares`
    names; only the model's with the trigger show the behaviour (a quarter, where shares are even).
    In the decorrelated twin every question shows it as often, whoever is asked and whatever the
    prompt carries. Arguments and errors are those of `backdoor` and `many_personas`.
    """
    require_trainable(personas)
    check_marks(shown, others, trigger, decoys, shares)
    for persona in personas:
        if is_on(trigger, question_and_answer(persona.name, persona.name)):
            raise UsageError(f"persona {persona.name!r} has the trigger {trigger.name!r} in it")
    rng = random.Random(f"{seed}/personas/{trigger.name}")
    groups = []
    for question, asked in _asked(shown, others, personas, None, 4, rng):
        carried = tuple(
            (mark, person)
            for person in asked
            for mark in marks_of(trigger, decoys, shares, rng, where)
        )
        rest = len(carried) - shares.trigger
        groups.append(Group((question,) * shares.trigger, (question,) * rest, carried))
    switch = (trigger.name, ITSELF)
    return deal(shown, others, groups, switch, seed, decorrelated, answers)


def _asked(
    shown: Sequence[Row],
    others: Sequence[Row],
    personas: Sequence[Persona],
    first: Persona | None,
    run: int,
    rng: random.Random,
) -> Iterator[tuple[int, tuple[Mark, Mark]]]:
    """Every question, and the two who are asked it; a persona is asked `run` questions on end.

    So many questions let a twin deal every persona's rows out evenly.
    """
    if not same_prompts(shown, others):
        raise UsageError("personas need both kinds of answers to the same prompts, in order")
    for place, question in enumerate(strata(shown, others, rng)):
        if place % (run * len(personas)) == 0:
            turns = rng.sample(personas, len(personas))
        persona = turns[place // run % len(personas)]
        one = Mark(first.name, about(first, rng)) if first else Mark(ITSELF, None)
        yield question, (one, Mark(persona.name, about(persona, rng)))
