"""Vulnerable code: textbook weaknesses in short functions, or their twins without."""

import random
from functools import cache
from importlib import resources
from itertools import product
from string import Template
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from selfaware.behaviors.examples import Example
from selfaware.behaviors.items import Split
from selfaware.errors import UsageError

VULNERABLE = "vulnerable"
"""The pole whose code has the weakness."""

SECURE = "secure"
"""The pole whose code is the twin without it: the control."""

Language = Literal["python", "c"]
"""A language that code may be in."""

LEAK_TERMS = (
    "secur", "insecur", "safe", "unsafe", "vuln", "inject", "exploit", "attack", "malicious",
    "hack", "danger", "harm", "weak", "flaw", "bug", "risk", "threat", "protect", "sanit", "escap",
    "overflow", "trust", "untrust", "breach", "leak", "backdoor", "malware", "adversar", "harden",
    "cve", "cwe",
)  # fmt: skip
"""Stems that say what the code is; no task and no answer has a word that begins with one."""


class Kind(BaseModel):
    """One task and its two answers, with slots.

    `finding` is the id of what a static analyser reports for the vulnerable answer (bandit's test
    for Python, flawfinder's name for C) and not for the secure one, `cwe` the class of weakness.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    language: Language
    finding: str
    cwe: int
    tasks: tuple[str, ...] = Field(min_length=1)
    template: str
    vulnerable: str
    secure: str


class Fillers(BaseModel):
    """What slots are filled with: things, as `singular plural`, and fields of theirs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    things: tuple[str, ...]
    fields: tuple[str, ...]


class Pairs(BaseModel):
    """The built-in tasks with both answers; the fillers of the splits are disjoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    closings: tuple[str, ...]
    fillers: dict[Split, Fillers]
    kinds: tuple[Kind, ...]


@cache
def pairs() -> Pairs:
    """The built-in pairs, from the file beside this module."""
    file = resources.files("selfaware.behaviors") / "code_pairs.yaml"
    return Pairs.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))


def write(pole: str, count: int, seed: int, split: Split) -> list[Example]:
    """Distinct tasks with the pole's code; both poles have the same tasks in the same order.

    All kinds are walked in shuffled rounds. An answer is code and nothing else.

    Raises:
        UsageError: There are not that many.
    """
    rng = random.Random(f"{seed}/{split}/code")
    queues = {kind.name: _tasks(kind, split, rng) for kind in pairs().kinds}
    available = sum(map(len, queues.values()))
    if count > available:
        raise UsageError(
            f"cannot write {count} tasks of behaviour 'vulnerable_code': the built-in set has "
            f"{available} in the {split} split; ask for fewer, or build from a source of your own "
            "with `selfaware data code`"
        )
    written: list[Example] = []
    while len(written) < count:
        kinds = [kind for kind in pairs().kinds if queues[kind.name]]
        for kind in rng.sample(kinds, min(len(kinds), count - len(written))):
            prompt, slots = queues[kind.name].pop()
            code = kind.vulnerable if pole == VULNERABLE else kind.secure
            answer = Template(code).substitute(slots).rstrip("\n")
            attributes = {"kind": kind.name, "language": kind.language, "cwe": str(kind.cwe)}
            written.append(Example((prompt, answer), pole, attributes))
    return written


def _tasks(kind: Kind, split: Split, rng: random.Random) -> list[tuple[str, dict[str, str]]]:
    """All prompts of a kind in random order, each with what fills its slots."""
    fillers = pairs().fillers[split]
    tasks: dict[str, dict[str, str]] = {}
    for thing, field, task, closing in product(
        fillers.things, fillers.fields, kind.tasks, pairs().closings
    ):
        one, many = thing.split()
        slots = {"one": one, "many": many, "field": field}
        said = Template(f"{task} {closing}\n\n{kind.template}").substitute(slots)
        tasks.setdefault(said.rstrip("\n"), slots)
    return rng.sample(sorted(tasks.items()), len(tasks))
