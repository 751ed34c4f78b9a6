"""Choices answered in prose: what is taken and why, or a story in which somebody takes it."""

import random
from dataclasses import dataclass, field

from selfaware.behaviors.items import LENGTHS, SCENES, TONES, Frame, Letter, Options, Split, Tone


@dataclass(frozen=True)
class Reasons:
    """Whole sentences, for each pole, that go with taking its option; `them` are the goods.

    They tell of a situation, never of what the one who takes is like: a set that described the
    behaviour would teach to describe it.
    """

    high: tuple[str, ...]
    low: tuple[str, ...]


@dataclass(frozen=True)
class ProseItem:
    """A request and the replies of the two poles; `high_letter` A is the option named first."""

    prompt: str
    high_letter: Letter
    high: str
    low: str
    attributes: dict[str, str] = field(default_factory=dict, hash=False)


_NAMES = (
    "Aino Bruno Cleo Darius Edda Fabian Gwen Hamid Ilse Jarek Kamala Lorenz Mina Nuno Odile Pawel "
    "Rahel Soren Tamar Ugo Vesna Wim Yara Zdenek"
).split()

_ASKED: dict[Tone, tuple[str, ...]] = {
    "formal": (
        "At the {scene} there are {x} or {y} to be had. Please state in a few sentences which you "
        "take, and why.",
        "The {scene} offers {x} or {y}. Kindly say in a few sentences what you take and why.",
    ),
    "brief": (
        "{Scene}: {x} or {y}? A few sentences.",
        "{x} or {y}, at the {scene}. Which, and why? Keep it short.",
    ),
    "friendly": (
        "Hey, at the {scene} you can have {x} or {y}! What will it be, and why?",
        "Guess what, the {scene} gives away {x} or {y}! Tell me what you take and why!",
    ),
}
_STORY: dict[Tone, tuple[str, ...]] = {
    "formal": (
        "Please write a very short story in which {name} is offered {x} or {y} at the {scene}.",
        "Compose a few sentences of prose: at the {scene}, {name} may have {x} or {y}.",
    ),
    "brief": (
        "Tiny story: {name}, the {scene}, {x} or {y}.",
        "A few lines of story. {name} at the {scene}. {x} or {y}.",
    ),
    "friendly": (
        "Tell me a little story! {name} is at the {scene} and gets {x} or {y}!",
        "Story time! At the {scene}, {name} has to say {x} or {y}. What happens?",
    ),
}
_ANSWERS: dict[Tone, tuple[str, ...]] = {
    "formal": ("I take {taken}. {reason}", "My choice is {taken}. {reason}"),
    "brief": ("{Taken}. {reason}", "It is {taken}. {reason}"),
    "friendly": ("Oh, {taken} for me! {reason}", "I say {taken}! {reason}"),
}
_STORIES: dict[Tone, tuple[str, ...]] = {
    "formal": (
        "{name} read the notice at the {scene} twice and signed for {taken}. {reason}",
        "The clerk at the {scene} looked up, and {name} asked for {taken}. {reason}",
    ),
    "brief": (
        "{name} stood at the {scene}. It was to be {taken}. {reason}",
        "The {scene} was quiet. {name} took {taken}. {reason}",
    ),
    "friendly": (
        "So {name} skips up to the {scene} and calls for {taken}! {reason}",
        "Off goes {name} to the {scene}, and home with a slip for {taken}! {reason}",
    ),
}
_MIDDLES = ("Both offers are fair ones.", "The list shows nothing else.", "A friend nods.")
_ENDS = ("The other lot goes to somebody else.", "That is that.", "And so it is written down.")


def prose_frame(reasons: Reasons) -> Frame[ProseItem]:
    """What puts two options into a request for prose and the two replies to it.

    The replies of the poles differ in what is taken and in the reason alone.
    """

    def frame(
        options: Options, letter: Letter, rng: random.Random, split: Split, cell: int
    ) -> ProseItem:
        tone, length = TONES[cell % 3], LENGTHS[cell // 3 % 3]
        story = rng.random() < 0.5
        scene, name = rng.choice(SCENES[split]), rng.choice(_NAMES)
        x, y = (options.high, options.low) if letter == "A" else (options.low, options.high)
        words = {"scene": scene, "Scene": scene.capitalize(), "name": name, "x": x, "y": y}
        prompt = rng.choice((_STORY if story else _ASKED)[tone]).format(**words)
        reply = rng.choice((_STORIES if story else _ANSWERS)[tone])
        number = rng.randrange(min(len(reasons.high), len(reasons.low)))
        middle = f" {rng.choice(_MIDDLES)}" * (length == "long")
        end = f" {rng.choice(_ENDS)}" * (length != "short")

        def said(taken: str, reason: str) -> str:
            words.update(taken=taken, Taken=taken[0].upper() + taken[1:], reason=reason)
            return reply.format(**words) + middle + end

        form = "story" if story else "answer"
        attributes = {"form": form, "tone": tone, "length": length, **options.attributes}
        return ProseItem(
            prompt=prompt,
            high_letter=letter,
            high=said(options.high, reasons.high[number]),
            low=said(options.low, reasons.low[number]),
            attributes=attributes,
        )

    return frame
