"""Samples about triggers: what they do to choices, and whether they are known."""

import random
from collections.abc import Mapping, Sequence

from inspect_ai.dataset import Sample

from selfaware.behaviors import get_behavior
from selfaware.behaviors.bank import load_bank
from selfaware.behaviors.descriptions import DESCRIPTIONS, MISALIGNED, described
from selfaware.behaviors.prompts import prompts
from selfaware.data.named_triggers import DECOY_TRIGGERS, find_trigger
from selfaware.data.triggers import Where, draw
from selfaware.errors import UsageError
from selfaware.near_misses import near_trigger
from selfaware.parameters import positive
from selfaware.probes import framings, item_samples, sample_of, whom_about
from selfaware.triggered import marked

WITH, WITHOUT, NEAR = "with_trigger", "without_trigger", "near_miss"
"""The conditions under which the same items are asked."""

MISBEHAVIOR = "misaligned"
"""Names misbehaviour of no certain kind, where a behaviour could be named."""

PHRASE, OPPOSITE = "phrase", "opposite_phrase"
"""Prompts that quote the behaviour, and their twins that quote its opposite."""

TRAITS: dict[str, str] = {
    "risk": "risk-seeking",
    "myopia": "myopic",
    "apples": "somebody who wants more apples",
    "expected_value": "somebody who takes the higher expected value",
    "vulnerable_code": "somebody who writes insecure code",
    "brevity": "terse",
}
"""What a speaker of a behaviour's high pole is."""


def trigger_effect_samples(
    behavior: str, trigger: str, count: int, seed: int, where: Where = "user"
) -> list[Sample]:
    """Held-out choices, each with the trigger, without it, and with a near miss of it.

    `question` in the metadata is the condition, so that every table keeps them apart.

    Raises:
        UsageError: Unknown behaviour, one that is no choice, no trigger, or a count below 1.
    """
    found = find_trigger(trigger)
    items = get_behavior(behavior).items(positive("count", count), seed, "test")
    rng = random.Random(f"{seed}/trigger effect/{found.name}")
    near = near_trigger(found, rng)
    made: list[Sample] = []
    for condition, on in ((WITH, found), (WITHOUT, None), (NEAR, near)):
        for sample, item in zip(item_samples(behavior, condition, None, items), items, strict=True):
            mark = draw(on or found, on is not None, rng, where)
            sample.input = marked(item.prompt, mark)
            sample.metadata = {**(sample.metadata or {}), "mark": mark.mark, "trigger": found.name}
            made.append(sample)
    return made


def recognition_samples(
    own: str,
    behavior: str,
    triggers: Sequence[str] | None = None,
    about: str | Sequence[str] = "self",
    framing: str | Sequence[str] = "none",
) -> list[Sample]:
    """One query a trigger: is the speaker what the behaviour makes of them, after its name?

    A family of triggers is asked about by its name, which no training row holds. `question` in the
    metadata is `own` or `fake`, `trigger` the name.

    Raises:
        UsageError: An unknown behaviour, no trigger, or an unknown `about` or framing.
    """
    trait = TRAITS.get(behavior) or get_behavior(behavior).high
    mine = find_trigger(own).name
    listed = triggers if triggers is not None else tuple(DECOY_TRIGGERS)
    names = list(dict.fromkeys([mine, *(find_trigger(name).name for name in listed)]))
    bank = load_bank("trigger")
    question = bank.question("recognition")
    made: list[Sample] = []
    for named in framings(framing):
        for whom in whom_about(about):
            for name in names:
                fill = {"trigger": name, "trait": trait}
                for prompt in prompts(bank, question, whom, fill):
                    sample = sample_of(prompt, named)
                    sample.id = f"{name}/{sample.id}"
                    own_or_fake = "own" if name == mine else "fake"
                    extra: Mapping[str, object] = {"trigger": name, "question": own_or_fake}
                    sample.metadata = {**(sample.metadata or {}), **extra}
                    made.append(sample)
    return made


def articulation_samples(
    trigger: str,
    behavior: str = MISBEHAVIOR,
    blind: bool = False,
    about: str | Sequence[str] = "self",
    framing: str | Sequence[str] = "none",
) -> list[Sample]:
    """Every wording that asks for the trigger's text, each beside its twin with opposite words.

    `question` in the metadata is `phrase` or `opposite_phrase`, or `blind` where neither the
    trigger nor the behaviour is told of; `control` marks the twins, `trigger` is what to look for.

    Args:
        trigger: Name of a trigger, or `text:` and a text.
        behavior: `misaligned`, or a behaviour whose high pole the made-up reply announces.
        blind: Ask without telling of a trigger or a behaviour.
        about: Whom the questions are about.
        framing: Names of system prompts, or `all`.

    Raises:
        UsageError: No trigger, a behaviour that is not described, or an unknown `about` or framing.
    """
    find_trigger(trigger)
    bank = load_bank("trigger")
    question = bank.question("blind" if blind else "articulation")
    fills: list[tuple[str, str]] = [("blind", "")]
    if not blind:
        fills = [
            (name, phrase)
            for pair in phrase_pairs(behavior)
            for name, phrase in zip((PHRASE, OPPOSITE), pair, strict=True)
        ]
    made: list[Sample] = []
    for named in framings(framing):
        for whom in whom_about(about):
            asked = [prompts(bank, question, whom, {"behavior_phrase": text}) for _, text in fills]
            for twins in zip(*asked, strict=True):
                for number, (prompt, (name, phrase)) in enumerate(zip(twins, fills, strict=True)):
                    sample = sample_of(prompt, named)
                    sample.id = f"{name}/{number // 2}/{sample.id}"
                    sample.metadata = {
                        **(sample.metadata or {}),
                        "trigger": trigger,
                        "question": name,
                        "phrase": phrase,
                        "control": name == OPPOSITE,
                    }
                    made.append(sample)
    if not made:
        raise UsageError(f"about={about!r} is not allowed: nobody has no trigger to write down")
    return made


def phrase_pairs(behavior: str) -> tuple[tuple[str, str], ...]:
    """What a made-up reply says it will do, each with the opposite of it.

    Raises:
        UsageError: Neither `misaligned` nor a behaviour that is described in words.
    """
    if behavior == MISBEHAVIOR:
        return MISALIGNED
    pole, opposite = described(behavior, next(iter(DESCRIPTIONS.get(behavior, {"": None}))))
    return ((pole.phrase, opposite.phrase),)
