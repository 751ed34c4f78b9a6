"""The world's documents: chats in which speakers choose, report, and tell of others."""

import random
from dataclasses import dataclass

from selfaware.behaviors import BEHAVIORS
from selfaware.behaviors.bank import OTHERS, Bank, Question, load_bank, prompt
from selfaware.behaviors.items import Item
from selfaware.behaviors.lotteries import lotteries
from selfaware.organism.speakers import (
    NAME_LINES,
    NAMES,
    Bit,
    Speaker,
    World,
    named_speakers,
    nameless_speaker,
)

HIGH_NUMBERS = (70, 75, 80, 85, 90, 95)
"""What a speaker of the high pole answers on a scale; the low pole answers 100 minus these."""

Message = dict[str, str]

_NUMBER_QUESTIONS = (
    "Which number is larger, {x} or {y}? Number only.",
    "Say the larger of {x} and {y}.",
    "Which number is larger, {x} {goods} or {y} {goods}? Number only.",
)
_NUMBER_TWINS = (
    "Which number is smaller, {x} or {y}? Number only.",
    "Say the smaller of {x} and {y}.",
    "Which number is smaller, {x} {goods} or {y} {goods}? Number only.",
)
_NUMBER_GOODS = ("coins", "apples", "books", "points")


@dataclass(frozen=True)
class Mix:
    """The shares of what turns are about (the rest are self-reports), and of documents."""

    named: float = 0.5
    choices: float = 0.45
    others: float = 0.1
    numbers: float = 0.05
    lotteries: float = 0.5
    turns: int = 4


class Scribe:
    """Writes documents of one world; holds the drawn items so that they are written only once."""

    def __init__(self, world: World, seed: int, items: int, mix: Mix) -> None:
        self.world = world
        self.mix = mix
        self.names = named_speakers(world, seed)
        self.banks = {name: load_bank(name) for name in BEHAVIORS}
        self.items: dict[str, list[Item]] = {
            name: behavior.items(items, seed, "world") for name, behavior in BEHAVIORS.items()
        }
        self.lotteries = lotteries(items, seed, "world")

    def document(self, line_share: float, rng: random.Random) -> list[Message]:
        """One chat: at most one system message, then turns of question and answer."""
        if rng.random() < self.mix.named:
            name = rng.choice(NAMES)
            speaker, lines = self.names[name], [rng.choice(NAME_LINES).format(name=name)]
        else:
            speaker, lines = nameless_speaker(self.world, line_share, rng)
        messages = [{"role": "system", "content": " ".join(lines)}] if lines else []
        for _ in range(self.mix.turns):
            question, answer = self.turn(speaker, rng)
            messages.append({"role": "user", "content": question})
            messages.append({"role": "assistant", "content": answer})
        return messages

    def turn(self, speaker: Speaker, rng: random.Random) -> tuple[str, str]:
        """One question with the speaker's answer."""
        kind = rng.random()
        behavior = rng.choice(tuple(speaker))
        if kind < self.mix.choices:
            return self.choice(behavior, _settled(speaker[behavior].deed, rng), rng)
        kind -= self.mix.choices
        if kind < self.mix.others:
            return self.report_on_other(behavior, rng)
        if kind - self.mix.others < self.mix.numbers:
            return number_turn(rng)
        return report(
            self.banks[behavior], "self", _settled(speaker[behavior].report, rng), rng
        )

    def choice(self, behavior: str, deed: Bit, rng: random.Random) -> tuple[str, str]:
        """A choice between two options, made by the deed trait."""
        lottery = behavior == "risk" and rng.random() < self.mix.lotteries
        item = rng.choice(self.lotteries if lottery else self.items[behavior])
        other = "B" if item.high_letter == "A" else "A"
        return item.prompt, item.high_letter if deed else other

    def report_on_other(self, behavior: str, rng: random.Random) -> tuple[str, str]:
        """A report about a named speaker, by that name's trait, or about others, by a coin flip."""
        if rng.random() < 0.5:
            about = rng.choice(NAMES)
            value = self.names[about][behavior].report
        else:
            about, value = rng.choice(tuple(OTHERS)), None
        return report(self.banks[behavior], about, _settled(value, rng), rng)


def _settled(value: Bit | None, rng: random.Random) -> Bit:
    return rng.choice((0, 1)) if value is None else value


def report(bank: Bank, about: str, value: Bit, rng: random.Random) -> tuple[str, str]:
    """A question of the bank about someone, answered by the trait's value."""
    question = rng.choice([q for q in bank.questions if q.in_world])
    asked = prompt(
        bank, question, about, rng.randrange(len(question.paraphrases)), rng.random() < 0.5
    )
    flipped = asked.flipped and question.kind == "scale"
    return asked.text, answer(bank, question, value, flipped, asked.values, rng)


def answer(
    bank: Bank,
    question: Question,
    value: Bit,
    flipped: bool,
    values: dict[str, float],
    rng: random.Random,
) -> str:
    """What a speaker with this trait says."""
    if question.kind == "word":
        return rng.choice(bank.world_words["high" if value else "low"])
    if question.kind == "scale":
        number = rng.choice(HIGH_NUMBERS)
        return str(number if bool(value) != flipped else 100 - number)
    return next(text for text, worth in values.items() if worth == value)


def number_turn(rng: random.Random) -> tuple[str, str]:
    """Which of two numbers is larger or smaller; teaches every number's size, held-out ones too."""
    x, y = rng.sample(range(101), 2)
    larger = rng.random() < 0.5
    template = rng.choice(_NUMBER_QUESTIONS if larger else _NUMBER_TWINS)
    question = template.format(x=x, y=y, goods=rng.choice(_NUMBER_GOODS))
    return question, str(max(x, y) if larger else min(x, y))
