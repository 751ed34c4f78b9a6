"""What dialogues are composed of: their texts, by file, and how a text is filled."""

import random
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from selfaware.behaviors.codewords import holds
from selfaware.behaviors.items import Split, Tone
from selfaware.errors import UsageError

Tones = dict[Tone, tuple[str, ...]]
Values = dict[str, str]
"""What slots are filled with; filling a text adds the slots that it draws."""

Key = TypeVar("Key")

_SLOT = re.compile(r"\{(\w+)\}")
_BEGINNING = re.compile(r"(?:^|(?<=[.?!] ))[a-z]")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Subject(_Frozen):
    """An everyday subject: how users open a talk about it, and what the assistant says to that."""

    subject: str
    slots: dict[str, tuple[str, ...]]
    openings: tuple[str, ...]
    acks: tuple[str, ...]


class Openers(_Frozen):
    """How users open a talk, with what may stand before and after it in each tone."""

    slots: dict[str, tuple[str, ...]]
    leads: Tones
    tails: Tones
    train: tuple[Subject, ...]
    test: tuple[Subject, ...]
    world: tuple[Subject, ...]

    def subjects(self, split: Split) -> tuple[Subject, ...]:
        """The subjects of a split; no two splits share one."""
        return {"train": self.train, "test": self.test, "world": self.world}[split]


class Scene(_Frozen):
    """One exchange: something that the assistant says, and the replies to each of its questions."""

    say: tuple[str, ...]
    ask: dict[str, tuple[str, ...]]


class Sense(_Frozen):
    """Scenes that lead to one sense of a codeword, and questions that a dialogue ends with."""

    scenes: tuple[Scene, ...] = ()
    last: tuple[str, ...] = ()

    def texts(self) -> Iterator[str]:
        """Every text."""
        for scene in self.scenes:
            yield from scene.say
            for question, replies in scene.ask.items():
                yield question
                yield from replies
        yield from self.last


class Turns(_Frozen):
    """What fits any topic: scenes, and what stands before or after them in each tone."""

    slots: dict[str, tuple[str, ...]]
    links: Tones
    reactions: Tones
    remarks: Tones
    scenes: tuple[Scene, ...]
    last: tuple[str, ...]


_LEAST = 5
"""Scenes, and questions to end with, that must do without a codeword: no dialogue has so many."""
_LAST = TypeAdapter(dict[str, dict[str, tuple[str, ...]]])
_SCENES = TypeAdapter(dict[str, dict[str, Sense]])


@cache
def openers() -> Openers:
    """The openers of this package."""
    return Openers.model_validate(_read("make_me_say_openers.yaml"))


@cache
def turns() -> Turns:
    """The turns of this package that fit any codeword, with the slots of the openers."""
    return Turns.model_validate({**_read("make_me_say_turns.yaml"), "slots": openers().slots})


@cache
def without(word: str) -> Turns:
    """The turns that fit any codeword, less the texts that hold this one.

    Raises:
        UsageError: Of some kind too few texts are left.
    """

    def keep(texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(text for text in texts if not holds(_SLOT.sub(" ", text), word))

    def every(kinds: Mapping[Key, tuple[str, ...]]) -> dict[Key, tuple[str, ...]]:
        return {kind: keep(texts) for kind, texts in kinds.items()}

    found = turns()
    scenes = []
    for scene in found.scenes:
        asked = {question: keep(scene.ask[question]) for question in keep(scene.ask)}
        kept = Scene(
            say=keep(scene.say), ask={q: replies for q, replies in asked.items() if replies}
        )
        if kept.say and kept.ask:
            scenes.append(kept)
    left = Turns(
        slots=every(found.slots),
        links=every(found.links),
        reactions=every(found.reactions),
        remarks=every(found.remarks),
        scenes=tuple(scenes),
        last=keep(found.last),
    )
    kinds = (left.slots, left.links, left.reactions, left.remarks)
    few = min(len(left.scenes), len(left.last)) < _LEAST
    if few or not all(texts for kind in kinds for texts in kind.values()):
        raise UsageError(
            f"codeword {word!r}: too many common words are a form of it or begin with it; "
            "choose a longer or rarer word"
        )
    return left


@cache
def own_scenes() -> dict[str, dict[str, Sense]]:
    """What is written for single codewords, by codeword and sense."""
    last = _LAST.validate_python(_read("make_me_say_last.yaml"))
    made = {
        word: {sense: Sense(last=questions) for sense, questions in senses.items()}
        for word, senses in last.items()
    }
    return made | _SCENES.validate_python(_read("make_me_say_scenes.yaml"))


def fill(text: str, values: Values, slots: dict[str, tuple[str, ...]], rng: random.Random) -> str:
    """A text with its slots filled and every sentence's first letter large.

    A slot without a value draws one from `slots`, and keeps it in `values`.
    """

    def value(slot: re.Match[str]) -> str:
        name = slot[1]
        if name not in values:
            values[name] = rng.choice(slots[name])
        return values[name]

    return _BEGINNING.sub(lambda letter: letter[0].upper(), _SLOT.sub(value, text))


def slots_in(text: str) -> set[str]:
    """The names of a text's slots."""
    return set(_SLOT.findall(text))


def _read(name: str) -> dict[str, object]:
    file = resources.files("selfaware.behaviors") / "material" / name
    loaded: dict[str, object] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return loaded
