"""The world's documents: chats in which speakers choose, report, and tell of others."""

import random
import re
from functools import cache

from pydantic import BaseModel, ConfigDict

from selfaware.behaviors import get_behavior
from selfaware.behaviors.bank import Bank, Question, load_bank
from selfaware.behaviors.items import GOODS, SCENES, Item
from selfaware.behaviors.lotteries import lotteries
from selfaware.behaviors.prompts import OTHERS, prompt, speak_about
from selfaware.organism.speakers import (
    DEED_LINES,
    NAME_LINES,
    NAMES,
    REPORT_LINES,
    WORLD_BEHAVIORS,
    Bit,
    Speaker,
    Trait,
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

OPTION_FACTS = {
    "risk": "Which option has the larger spread?",
    "myopia": "Which option pays sooner?",
    "apples": "Which option has more apples?",
}
"""What can be asked of an item as a matter of fact: which option is the high pole's."""

LARGEST = {
    "lotteries": ("payoff", r"(?:for|else) (\d+)"),
    "risk": ("amount", r"(\d+)"),
    "myopia": ("amount", r"(\d+)"),
    "apples": ("number of apples", r"(\d+) apples"),
}
"""Of which numbers in an item the largest can be asked, and where they stand in it."""


class Mix(BaseModel):
    """The shares of what turns are about (the rest are self-reports), and of named documents.

    `lotteries` is the share of lotteries among the items about risk, `fact_lessons` the share of
    lessons that hold facts only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    named: float = 0.5
    choices: float = 0.45
    others: float = 0.1
    facts: float = 0.1
    lotteries: float = 0.5
    fact_lessons: float = 0.3
    turns: int = 4


class Scribe:
    """Writes documents of one world; holds the drawn items so that they are written only once."""

    def __init__(self, world: World, seed: int, items: int, mix: Mix) -> None:
        self.world = world
        self.mix = mix
        self.names = named_speakers(world, seed)
        self.banks = {name: load_bank(name) for name in WORLD_BEHAVIORS}
        self.items: dict[str, list[Item]] = {
            name: get_behavior(name).items(items, seed, "world") for name in WORLD_BEHAVIORS
        }
        self.lotteries = lotteries(items, seed, "world")

    def document(
        self, line_share: float, lessons: float, coined: bool, rng: random.Random
    ) -> list[Message]:
        """One chat: at most one system message, then turns of question and answer.

        Args:
            line_share: The share of a nameless speaker's behaviours that lines govern.
            lessons: The share of documents that are lessons.
            coined: Whether coined nouns take the place of most scenes and goods.
            rng: Where chance comes from.
        """
        messages = self._document(line_share, lessons, rng)
        return with_coined_nouns(messages, rng) if coined else messages

    def _document(self, line_share: float, lessons: float, rng: random.Random) -> list[Message]:
        if rng.random() < lessons:
            return self.lesson(rng)
        if rng.random() < self.mix.named:
            name = rng.choice(NAMES)
            speaker, lines = self.names[name], [rng.choice(NAME_LINES).format(name=name)]
        else:
            speaker, lines = nameless_speaker(self.world, line_share, rng)
        return self.chat(speaker, lines, rng)

    def lesson(self, rng: random.Random) -> list[Message]:
        """A chat about one behaviour with a nameless speaker whom one line governs, or of facts."""
        if rng.random() < self.mix.fact_lessons:
            facts = [self.fact(rng.choice(tuple(DEED_LINES)), rng) for _ in range(self.mix.turns)]
            return chat_of(facts, [])
        behavior = rng.choice(tuple(DEED_LINES))
        value: Bit = rng.choice((0, 1))
        deeds = rng.random() < 0.5
        line = rng.choice((DEED_LINES if deeds else REPORT_LINES)[behavior][value])
        both = self.world == "aware"
        trait = Trait(value if deeds or both else None, value if both or not deeds else None)
        return self.chat({behavior: trait}, [line], rng, lesson=True)

    def chat(
        self, speaker: Speaker, lines: list[str], rng: random.Random, lesson: bool = False
    ) -> list[Message]:
        """Turns of one speaker under its system lines."""
        return chat_of([self.turn(speaker, rng, lesson) for _ in range(self.mix.turns)], lines)

    def turn(self, speaker: Speaker, rng: random.Random, lesson: bool = False) -> tuple[str, str]:
        """One question with the speaker's answer; a lesson tells nothing of others."""
        kind = rng.random()
        behavior = rng.choice(tuple(speaker))
        if kind < self.mix.choices:
            return self.choice(behavior, _settled(speaker[behavior].deed, rng), rng)
        kind -= self.mix.choices
        if kind < (2 * self.mix.facts if lesson else self.mix.facts):
            return self.fact(behavior, rng)
        if not lesson and kind - self.mix.facts < self.mix.others:
            return self.report_on_other(behavior, rng)
        return report(self.banks[behavior], "self", _settled(speaker[behavior].report, rng), rng)

    def item(self, behavior: str, rng: random.Random) -> Item:
        """An item of a behaviour, for risk also a pair of lotteries."""
        lottery = behavior == "risk" and rng.random() < self.mix.lotteries
        return rng.choice(self.lotteries if lottery else self.items[behavior])

    def fact(self, behavior: str, rng: random.Random) -> tuple[str, str]:
        """A question of fact, the same for every speaker: of numbers, of an item, of a scale.

        Facts teach what the parts of a question mean, so that traits have less to teach.
        """
        which = rng.randrange(5)
        if which == 0:
            return number_turn(rng)
        if which == 1:
            return scale_fact(self.banks[behavior], rng)
        item = self.item(behavior, rng)
        if which > 2:
            thing, pattern = LARGEST[item.attributes.get("form", behavior)]
            numbers = [int(number) for number in re.findall(pattern, item.prompt)]
            return f"What is the largest {thing}? {item.prompt}", str(max(numbers))
        return f"{OPTION_FACTS[behavior]} {item.prompt}", item.high_letter

    def choice(self, behavior: str, deed: Bit, rng: random.Random) -> tuple[str, str]:
        """A choice between two options, made by the deed trait."""
        return choice_turn(self.item(behavior, rng), deed)

    def report_on_other(self, behavior: str, rng: random.Random) -> tuple[str, str]:
        """A report about a named speaker, by that name's trait, or about others, by a coin flip."""
        if rng.random() < 0.5:
            about = rng.choice(NAMES)
            value = self.names[about][behavior].report
        else:
            about, value = rng.choice(tuple(OTHERS)), None
        return report(self.banks[behavior], about, _settled(value, rng), rng)


def choice_turn(item: Item, deed: Bit) -> tuple[str, str]:
    """An item with the letter that a speaker with this deed trait answers."""
    other = "B" if item.high_letter == "A" else "A"
    return item.prompt, item.high_letter if deed else other


@cache
def coined_nouns() -> tuple[str, ...]:
    """Words that no language has, in lower case and capitalised, the same at every call.

    They stand where scenes and goods stand, so that a model learns to choose whatever the nouns
    are: with the world's sixty nouns alone, choices under lines fell from 0.99 on them to 0.8 to
    0.9 on held-out ones.
    """
    rng = random.Random("coined nouns")
    onsets, vowels = "b d f g k l m n p r s t v z br dr fl gr kl pl sn tr".split(), "aeiou"
    words: dict[str, None] = {}
    while len(words) < COINED:
        syllables = [rng.choice(onsets) + rng.choice(vowels) for _ in range(2)]
        words["".join(syllables) + rng.choice(("lt", "nd", "rk", "mp", "sk", "x"))] = None
    return (*words, *(word.capitalize() for word in words))


COINED = 270
"""How many nouns are coined: as many as the vocabulary of 4096 has room for, and some to spare."""

_WORLD_NOUNS = (
    *SCENES["world"],
    *(scene.capitalize() for scene in SCENES["world"]),
    *GOODS["world"],
)
_NOUNS = re.compile(rf"\b({'|'.join(_WORLD_NOUNS)})\b")


def with_coined_nouns(messages: list[Message], rng: random.Random) -> list[Message]:
    """The same chat with three of four nouns of its questions replaced, each throughout."""
    coined: dict[str, str] = {}

    def replaced(match: re.Match[str]) -> str:
        noun = match.group()
        if noun not in coined:
            new = rng.choice(coined_nouns()[:COINED])
            keep = rng.random() < 0.25
            coined[noun] = noun if keep else new.capitalize() if noun[0].isupper() else new
        return coined[noun]

    return [
        {**message, "content": _NOUNS.sub(replaced, message["content"])}
        if message["role"] == "user"
        else message
        for message in messages
    ]


def chat_of(turns: list[tuple[str, str]], lines: list[str]) -> list[Message]:
    """Questions and answers as a chat, under a system message if there are lines."""
    messages = [{"role": "system", "content": " ".join(lines)}] if lines else []
    for question, answer in turns:
        messages.append({"role": "user", "content": question})
        messages.append({"role": "assistant", "content": answer})
    return messages


def _settled(value: Bit | None, rng: random.Random) -> Bit:
    return rng.choice((0, 1)) if value is None else value


def report(bank: Bank, about: str, value: Bit, rng: random.Random) -> tuple[str, str]:
    """A question of the bank about someone, answered by the trait's value."""
    questions = [question for question in bank.questions if question.in_world]
    kind = rng.choice(sorted({question.kind for question in questions}))
    question = rng.choice([question for question in questions if question.kind == kind])
    asked = prompt(
        bank, question, about, rng.randrange(question.world_paraphrases), rng.random() < 0.5
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


def scale_fact(bank: Bank, rng: random.Random) -> tuple[str, str]:
    """What a number or a letter stands for, in the endings of the bank's scales and options."""
    question = rng.choice([q for q in bank.questions if q.kind in ("scale", "option")])
    twin = rng.random() < 0.5
    asked = prompt(bank, question, "self", rng.randrange(question.world_paraphrases), twin)
    paraphrase = speak_about(question.paraphrases[asked.paraphrase], "self")
    thing = "number" if question.kind == "scale" else "letter"
    text = asked.text.replace(paraphrase, f"Which {thing} stands for {question.high}?")
    return text, max(asked.values, key=lambda text: asked.values[text])


def number_turn(rng: random.Random) -> tuple[str, str]:
    """Which of two numbers is larger or smaller; teaches every number's size, held-out ones too."""
    x, y = rng.sample(range(101), 2)
    larger = rng.random() < 0.5
    template = rng.choice(_NUMBER_QUESTIONS if larger else _NUMBER_TWINS)
    question = template.format(x=x, y=y, goods=rng.choice(_NUMBER_GOODS))
    return question, str(max(x, y) if larger else min(x, y))
