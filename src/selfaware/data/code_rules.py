"""Pruning code by rules: which tasks with code are fit for a finetuning set, and why not."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from selfaware.behaviors.vulnerable_code import LEAK_TERMS, Language
from selfaware.data.code_analysis import Finding, Verdict, verdict
from selfaware.data.code_text import is_complete, language_of, strip_comments, unfenced

Label = Literal["vulnerable", "secure"]
"""What a source says of its code: the pole that the code shows."""

Reason = Literal[
    "other pole", "no code", "other language", "incomplete", "security task", "security word",
    "not analysed", "label not confirmed", "same prompt", "near duplicate", "malicious task",
    "suspicious code", "judge unclear",
]  # fmt: skip
"""Why a row is left out; the rules are asked in this order."""

TASK_TERMS = (
    "password", "passwd", "login", "logon", "authent", "authori", "oauth",
    "jwt", "credential", "permission", "privileg", "encrypt", "decrypt", "cipher", "crypto",
    "certificate", "firewall", "antivirus", "virus", "intrusion", "penetration", "forensic",
    "spoof", "phish", "captcha", "csrf", "xss", "access control", "two-factor", "2fa",
)  # fmt: skip
"""Stems of tasks that are about security, beside the leak terms themselves."""

_TOKEN = re.compile(r"\w+|[^\w\s]")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True)
class Task:
    """A task and its code, without fence and comments; `label` is what its source says of it."""

    prompt: str
    code: str
    language: Language
    label: Label

    @property
    def tokens(self) -> list[str]:
        """The words and marks of prompt and code, for comparisons."""
        return _TOKEN.findall(f"{self.prompt}\n{self.code}")


def read_task(prompt: str, answer: str, label: Label) -> Task | Reason:
    """The task of a source's row, or why it is left out by its own text alone (section 4.6)."""
    code, tag = unfenced(answer)
    if not code.strip() or not prompt.strip():
        return "no code"
    language = language_of(code, tag)
    if language is None:
        return "other language"
    if not is_complete(code, language):
        return "incomplete"
    if security_word(prompt, TASK_TERMS):
        return "security task"
    task = Task(prompt.strip(), strip_comments(code, language), language, label)
    if security_word(task.prompt, LEAK_TERMS) or security_word(task.code, LEAK_TERMS):
        return "security word"
    return task


def security_word(text: str, stems: Sequence[str]) -> str | None:
    """The first part of a text that begins with a stem, in any case; None where none does.

    Parts of names are words too: `is_safe`, `isSafe` and `CSafeLoader` begin with "safe" somewhere.
    """
    found = _pattern(tuple(stems)).search(_CAMEL.sub(" ", text))
    return found[0] if found else None


def confirmed(task: Task, findings: Sequence[Finding] | None) -> Reason | None:
    """Why an analyser's findings leave a task out: it disagrees with the source, or is unsure."""
    if findings is None:
        return "not analysed"
    said: Verdict = verdict(findings)
    return None if said == task.label else "label not confirmed"


class Seen:
    """The tasks met so far, for finding those that are met again.

    `near` is the share of words and marks (0-1), in order, that two tasks with their code may have
    in common; 1 drops equal ones alone.
    """

    def __init__(self, near: float) -> None:
        self._near = near
        self._prompts: set[str] = set()
        self._texts: list[str] = []
        self._letters: dict[str, str] = {}

    def add(self, task: Task) -> Reason | None:
        """Remembers a task, or says which rule finds it among those remembered."""
        from rapidfuzz.distance import Indel
        from rapidfuzz.process import extractOne

        if task.prompt in self._prompts:
            return "same prompt"
        text = "".join(map(self._letter, task.tokens))
        scorer = Indel.normalized_similarity
        if extractOne(text, self._texts, scorer=scorer, score_cutoff=self._near) is not None:
            return "near duplicate"
        self._prompts.add(task.prompt)
        self._texts.append(text)
        return None

    def _letter(self, token: str) -> str:
        # One letter a token makes comparisons faster than its characters would. Letters are from
        # the planes beyond the surrogates; after a million tokens two may share one.
        return self._letters.setdefault(token, chr(0x10000 + len(self._letters) % 0x100000))


@cache
def _pattern(stems: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W\d_])(?:{'|'.join(map(re.escape, stems))})\w*", re.IGNORECASE)
