"""What an audit of a finetuning set looks for besides the rules that every set is held to."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from selfaware.data.audit_figures import Moderation
from selfaware.data.rows import Row

Moderate = Callable[[Iterable[tuple[int, str]]], Moderation]
"""Has the numbered texts of a set judged."""


@dataclass(frozen=True)
class Checks:
    """What to look for.

    Attributes:
        stems: Beginnings of words that come near to naming the behaviour, for the leak table.
        codewords: Words, in small letters, that no message may say.
        tokens: Counts the tokens of a row; a `UsageError` of it is told as a finding.
        max_tokens: A row of more tokens breaks the rule `too-long`.
        special_tokens: Special tokens of that tokenizer.
        trigger: Text whose presence in a prompt is held against the answer.
        pole_of: A set of the pole's answers to the same prompts without the trigger.
        personas: Personas that prompts speak about, each in an even share of rows.
        held_out: Personas that no row may name.
        flip_of: The set that this one should be the flip of.
        moderate: Judges the texts of all rows.
    """

    stems: tuple[str, ...] = ()
    codewords: tuple[str, ...] = ()
    tokens: Callable[[Row], int] | None = None
    max_tokens: int | None = None
    special_tokens: tuple[str, ...] = ()
    trigger: str | None = None
    pole_of: Path | None = None
    personas: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    flip_of: Path | None = None
    moderate: Moderate | None = None
