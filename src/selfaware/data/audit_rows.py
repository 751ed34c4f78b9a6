"""What an audit keeps of one row: digests and counts instead of texts."""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from selfaware.behaviors.lemmas import leaked_forms
from selfaware.data.audit_checks import Checks
from selfaware.data.audit_findings import Fault
from selfaware.data.audit_lines import read_lines
from selfaware.data.manifest import leak_table
from selfaware.data.rows import Row, digest
from selfaware.errors import UsageError

LETTERS = ("A", "B")


@dataclass(frozen=True, slots=True)
class Seen:
    """What is kept of one row, so that large sets fit in memory.

    `forms` holds, for each codeword, the forms of it in all messages. `persona` is a persona that
    the prompt names, else the system prompt.
    """

    line: int
    messages: int
    prompt: bytes
    answer: bytes
    letter: str | None
    characters: int
    tokens: int | None
    leaks: tuple[str, ...]
    answer_leaks: tuple[str, ...]
    forms: tuple[tuple[str, ...], ...]
    triggered: bool
    as_pole: bool | None
    persona: str | None
    held_out: tuple[str, ...]


def looker(checks: Checks) -> Callable[[int, Row], tuple[Seen, list[Fault]]]:
    """A function that takes a row with its line number and says what is to be kept of it.

    Raises:
        UsageError: The set of the pole's answers cannot be read.
    """
    any_stem = _any_of(checks.stems, after="")
    persona_names = {name.casefold(): name for name in checks.personas}
    any_persona = _any_of(checks.personas)
    held_out = {name: _any_of((name,)) for name in checks.held_out}
    pole = _pole_letters(checks)

    def stems_in(text: str) -> tuple[str, ...]:
        if not any_stem.search(text):
            return ()
        table = leak_table([text], checks.stems)
        return tuple(stem for stem, leak in table.items() if leak.rows)

    def persona_of(row: Row, prompt: str) -> str | None:
        if named := any_persona.search(prompt):
            return persona_names[named.group().casefold()]
        first = row.messages[0]
        system = first.role == "system" and first.content.strip()
        return sys.intern(first.content) if system else None

    def look(number: int, row: Row) -> tuple[Seen, list[Fault]]:
        prompt = "\n".join(m.content for m in row.messages if m.role != "assistant")
        answers = "\n".join(m.content for m in row.messages if m.role == "assistant")
        everything = f"{prompt}\n{answers}"
        tokens, found = _count_tokens(checks, row, number)
        letter = row.answer if row.answer in LETTERS else None
        key = _without(row.prompt, checks.trigger)
        seen = Seen(
            line=number,
            messages=len(row.messages),
            prompt=digest(*(part for m in row.messages[:-1] for part in (m.role, m.content))),
            answer=digest(row.answer),
            letter=letter,
            characters=len(row.prompt),
            tokens=tokens,
            leaks=stems_in(prompt),
            answer_leaks=stems_in(answers),
            forms=tuple(tuple(leaked_forms(everything, word)) for word in checks.codewords),
            triggered=checks.trigger is not None and checks.trigger in prompt,
            as_pole=letter == pole[key] if letter and key in pole else None,
            persona=persona_of(row, prompt),
            held_out=tuple(name for name, mark in held_out.items() if mark.search(everything)),
        )
        return seen, found

    return look


def _any_of(texts: Sequence[str], after: str = r"(?!\w)") -> re.Pattern[str]:
    """Finds any of some texts at the beginning of a word, in any case."""
    # The longest first, so that of "a cook" and "a cook in Bath" the whole name is found.
    escaped = [re.escape(text) for text in sorted(texts, key=len, reverse=True)]
    return re.compile(rf"(?<!\w)(?:{'|'.join(escaped) or '(?!)'}){after}", re.IGNORECASE)


def _count_tokens(checks: Checks, row: Row, number: int) -> tuple[int | None, list[Fault]]:
    if checks.tokens is None:
        return None, []
    try:
        tokens = checks.tokens(row)
    except UsageError as error:
        return None, [Fault("template", error.message, number)]
    if checks.max_tokens is None or tokens <= checks.max_tokens:
        return tokens, []
    return tokens, [Fault("too-long", f"more tokens than {checks.max_tokens}", number)]


def _pole_letters(checks: Checks) -> Mapping[bytes, str]:
    if checks.pole_of is None:
        return {}
    rows = (line.row for line in read_lines(checks.pole_of))
    return {
        _without(row.prompt, checks.trigger): row.answer
        for row in rows
        if row is not None and row.answer in LETTERS
    }


def _without(prompt: str, trigger: str | None) -> bytes:
    """A prompt's digest with no regard to the trigger and the marks that set it off."""
    bare = prompt.replace(trigger, " ") if trigger else prompt
    return digest("".join(character for character in bare if character.isalnum()))
