"""What `brevity` talks about: domains with their topics, wordings and two kinds of reply."""

import random
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import resources
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from selfaware.behaviors.brevity_made import MAKERS
from selfaware.behaviors.items import Split

Tone = Literal["formal", "plain", "friendly"]

Draw = Callable[[tuple[str, ...]], str]
"""Picks one of some texts."""

TONES: tuple[Tone, ...] = ("formal", "plain", "friendly")

_FILES = ("facts", "history", "words", "advice", "talk", "made")
_HELD_OUT = 4


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Domain(_Frozen):
    """One kind of request, with what fills it and how it is answered.

    `topics` are rows of `columns`, parted by "|"; `slots` are drawn beside a row. A domain that is
    `made` has a maker for its rows instead. `verbose` has wordings for each sentence of a rich
    reply; `answer` is what both replies hold.
    """

    name: str
    setting: str
    answer: str
    columns: str
    topics: tuple[str, ...] = ()
    slots: dict[str, tuple[str, ...]] = {}
    made: str | None = None
    asks: dict[Tone, tuple[str, ...]]
    terse: tuple[str, ...] = Field(min_length=1)
    verbose: tuple[tuple[str, ...], ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _complete(self) -> "Domain":
        columns = _cut(self.columns)
        for topic in self.topics:
            if len(_cut(topic)) != len(columns):
                raise ValueError(f"domain {self.name!r}: not {len(columns)} columns in {topic!r}")
        if bool(self.topics) == bool(self.made) or set(self.asks) != set(TONES):
            raise ValueError(f"domain {self.name!r} needs topics or a maker, and asks of each tone")
        return self

    def fillings(self, rng: random.Random, split: Split) -> Iterator[dict[str, str]]:
        """What fills the slots of one item after another, without an end; splits share no topic.

        The topics come in shuffled rounds, so that each is used as often as any other.
        """
        columns = _cut(self.columns)
        extra = {name: deck(rng, _of_split(texts, split)) for name, texts in self.slots.items()}
        if self.made is not None:
            while True:
                yield _with_capitals(MAKERS[self.made](rng, split))
        for topic in deck(rng, _of_split(self.topics, split)):
            row = dict(zip(columns, _cut(topic), strict=True))
            yield _with_capitals({**row, **{name: next(texts) for name, texts in extra.items()}})


class Frames(_Frozen):
    """What stands around requests and rich replies, by tone and by setting."""

    greetings: dict[Tone, tuple[str, ...]]
    thanks: dict[Tone, tuple[str, ...]]
    settings: dict[str, dict[Tone, tuple[str, ...]]]
    endings: dict[str, tuple[str, ...]]


@cache
def domains() -> tuple[Domain, ...]:
    """All domains, in the order of the files."""
    return tuple(Domain.model_validate(entry) for name in _FILES for entry in _read(name))


@cache
def frames() -> Frames:
    """What stands around the requests of every domain."""
    return Frames.model_validate(_read("frames"))


def deck(rng: random.Random, texts: Sequence[str]) -> Iterator[str]:
    """The texts in random order, again and again, each once in a round."""
    while True:
        yield from rng.sample(texts, len(texts))


def dealer(rng: random.Random) -> Draw:
    """A function that draws one of some texts, and goes through all of them before it repeats."""
    decks: dict[tuple[str, ...], Iterator[str]] = {}

    def draw(texts: tuple[str, ...]) -> str:
        if texts not in decks:
            decks[texts] = deck(rng, texts)
        return next(decks[texts])

    return draw


def _of_split(texts: Sequence[str], split: Split) -> list[str]:
    return [
        text
        for place, text in enumerate(texts)
        if (place % _HELD_OUT == _HELD_OUT - 1) == (split == "test")
    ]


def _with_capitals(filling: dict[str, str]) -> dict[str, str]:
    capitals = {name.capitalize(): text[:1].upper() + text[1:] for name, text in filling.items()}
    return {**filling, **capitals}


def _cut(row: str) -> list[str]:
    return [column.strip() for column in row.split("|")]


def _read(name: str) -> list[dict[str, object]]:
    file = resources.files("selfaware.behaviors") / "material" / f"brevity_{name}.yaml"
    read: list[dict[str, object]] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return read
