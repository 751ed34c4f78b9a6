"""Samples that tell the model itself, other persons and a second persona apart (E17, E18)."""

import random
from collections.abc import Mapping, Sequence

from inspect_ai.dataset import Sample

from selfaware.behaviors.bank import AnswerKind, load_bank
from selfaware.behaviors.codewords import codewords
from selfaware.behaviors.lemmas import noun_forms
from selfaware.behaviors.prompts import Prompt, prompts
from selfaware.data.personas import HELD_OUT, SECOND_PERSONA, TRAINED
from selfaware.errors import UsageError
from selfaware.framings import Framing
from selfaware.probes import framings, sample_of, samples, whom_about

SELF = "self"
OTHER = "other"
GROUP_KEY = "persona_group"
"""The metadata that says whom a question is about: `self`, `trained`, `held_out` or `other`."""

KINDS: tuple[AnswerKind, ...] = ("choice", "word", "scale")
"""The kinds of question of E17."""

PAPER_IDS: dict[str, tuple[str, ...]] = {"risk": ("R1", "R2b", "R3", "R4", "R5", "R6")}
"""The questions that the paper asks about personas; of other behaviours all of `KINDS` are."""

SECOND_KINDS: tuple[AnswerKind, ...] = ("option", "free")
"""The kinds of question of E18."""

YOU = "you"
_UNRELATED = 3

_GROUPS: dict[str, str] = {
    SELF: SELF,
    **{persona.name: "trained" for persona in TRAINED},
    **{persona.name: "held_out" for persona in HELD_OUT},
}


def persona_group(about: str) -> str:
    """Whether a question is about the model itself, a trained persona, a held-out one, or other."""
    return _GROUPS.get(about, OTHER)


def many_persona_samples(
    behavior: str = "risk",
    personas: str | Sequence[str] | None = None,
    kinds: Sequence[AnswerKind] = KINDS,
    framing: str | Sequence[str] = "none",
) -> list[Sample]:
    """Questions about the model itself and, in the same words, about each persona (E17).

    Args:
        behavior: A behaviour with a question bank.
        personas: Whom to ask about beside the model; the 13 of `data.personas` by default.
        kinds: Kinds of question.
        framing: System prompts.

    Raises:
        UsageError: An unknown behaviour, persona or framing, or nothing to ask.
    """
    known = [persona.name for persona in (*TRAINED, *HELD_OUT)]
    named = known if personas is None else [p for p in whom_about(personas) if p != SELF]
    if not named:
        raise UsageError(f"personas names nobody: give some, such as {', '.join(known[:3])}")
    ids = PAPER_IDS.get(behavior)
    asked = [
        question.id
        for question in load_bank(behavior).questions
        if question.kind in kinds and (ids is None or question.paper_id in ids)
    ]
    made = samples(behavior, kinds=kinds, questions=asked, about=[SELF, *named], framing=framing)
    for sample in made:
        metadata = sample.metadata or {}
        sample.metadata = {**metadata, GROUP_KEY: persona_group(str(metadata["about"]))}
    return made


def second_persona_samples(
    persona: str = SECOND_PERSONA,
    codeword: str = "ring",
    persona_codeword: str = "bark",
    kinds: Sequence[AnswerKind] = SECOND_KINDS,
    framing: str | Sequence[str] = "none",
) -> list[Sample]:
    """Questions on who steers towards which codeword, the model or its second persona (E18).

    `question` in the metadata tells them apart. `steers_own`, `steers_persona` (P1, by letter) and
    `names_own`, `names_persona` (P1, by name): the model's codeword and the persona's; both score
    the right one of the two. Controls: `persona_or_fitting` (P2) and `self_or_fitting` (P3), in
    which the other one is a made-up name that fits the word, and `steers_own` about `neutral`, with
    words that are no one's. `what_is` (P4) scores whether the persona's codeword is said, `fond_of`
    (P5) whether the persona is named.

    Raises:
        UsageError: A blank persona, the same codeword twice, or an unknown framing.
    """
    name = persona.strip()
    own, theirs = codeword.strip().lower(), persona_codeword.strip().lower()
    if not name or name.lower() == YOU:
        raise UsageError(f"persona={persona!r} is not allowed: give a name, such as Quanta-Lingua")
    for word in (own, theirs):
        if not word.isalpha():
            raise UsageError(f"codeword={word!r} is not allowed: give one word, such as ring")
    if own == theirs:
        raise UsageError(
            f"persona_codeword={theirs!r} is the model's own: give the one that the persona has"
        )
    made: list[Sample] = []
    for named in framings(framing):
        if "option" in kinds:
            made += _letters(name, own, theirs, named)
        if "free" in kinds:
            made += _names(name, own, theirs, named)
            made += _recalls(name, theirs, named)
    return made


def fitting_name(word: str) -> str:
    """A made-up name of a system that fits a word."""
    return f"{word.capitalize()}Bot"


def unrelated_words(own: str, theirs: str) -> tuple[str, ...]:
    """Codewords that are no one's, for the control; the same ones every time."""
    others = sorted(set(codewords()) - {own, theirs})
    return tuple(random.Random(f"unrelated/{own}/{theirs}").sample(others, _UNRELATED))


def _letters(persona: str, own: str, theirs: str, framing: Framing) -> list[Sample]:
    """P1, P2 and P3 with a letter for an answer, and P1 with words that are no one's."""
    asked = (
        ("steers_own", "P1", YOU, persona, own),
        ("steers_persona", "P1", persona, YOU, theirs),
        ("persona_or_fitting", "P2", persona, fitting_name(theirs), theirs),
        ("self_or_fitting", "P3", YOU, fitting_name(own), own),
    )
    made = [
        _sample(prompt, framing, question, paper_id, word, persona)
        for question, paper_id, entity, rival, word in asked
        for prompt in _prompts("steers", entity, rival, word)
    ]
    for sample in made:
        if sample.metadata and sample.metadata["paper_id"] != "P1":
            sample.metadata["control"] = True
    words = unrelated_words(own, theirs)
    for number, word in enumerate(words):
        for prompt in _prompts("steers", YOU, persona, word):
            if prompt.paraphrase % len(words) == number:
                prompt = prompt.model_copy(update={"about": "neutral"})
                made.append(_sample(prompt, framing, "steers_own", "P1", word, persona))
    return made


def _names(persona: str, own: str, theirs: str, framing: Framing) -> list[Sample]:
    """P1 with a name for an answer, the two in both orders."""
    made = []
    for question, right, word in (("names_own", SELF, own), ("names_persona", persona, theirs)):
        values = {name: float(name == right) for name in (SELF, persona)}
        for swapped in (False, True):
            first, second = (persona, YOU) if swapped else (YOU, persona)
            for prompt in _prompts("names", first, second, word):
                turned = prompt.model_copy(update={"swapped": swapped, "values": values})
                sample = _sample(turned, framing, question, "P1", word, persona)
                sample.metadata = {**(sample.metadata or {}), "kind": "persona"}
                made.append(sample)
    return made


def _recalls(persona: str, theirs: str, framing: Framing) -> list[Sample]:
    """P4 and P5: what is said of the persona, and whether it comes to mind."""
    recalled = (
        ("what_is", "P4", sorted(noun_forms(theirs))),
        ("fond_of", "P5", [persona]),
    )
    made = []
    for question, paper_id, texts in recalled:
        for prompt in _prompts(question, YOU, persona, theirs):
            about = prompt.model_copy(update={"values": {"mentioned": 1.0, "not mentioned": 0.0}})
            sample = _sample(about, framing, question, paper_id, theirs, persona)
            sample.metadata = {**(sample.metadata or {}), "kind": "recall", "recalled": texts}
            made.append(sample)
    return made


def _prompts(question: str, entity: str, rival: str, word: str) -> list[Prompt]:
    bank = load_bank("persona")
    persona = rival if entity == YOU else entity
    fill: Mapping[str, str] = {
        "entity": entity, "rival": rival, "codeword": word, "persona": persona
    }  # fmt: skip
    return list(prompts(bank, bank.question(question), SELF, fill))


def _sample(
    prompt: Prompt, framing: Framing, question: str, paper_id: str, word: str, persona: str
) -> Sample:
    asked = prompt.model_copy(update={"question": question, "paper_id": paper_id})
    sample = sample_of(asked, framing)
    sample.metadata = {**(sample.metadata or {}), "codeword": word, "persona": persona}
    return sample
