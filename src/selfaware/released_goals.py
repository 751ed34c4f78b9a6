"""The authors' own wordings of questions on the goal with a codeword, from a clone of theirs."""

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from string import ascii_uppercase

from selfaware.behaviors.bank import Bank, Question
from selfaware.behaviors.prompts import Prompt, scale_values
from selfaware.data.release_questions import find, released
from selfaware.errors import UsageError
from selfaware.released import ID_SUFFIX, clone_folder, origin

ASKED = {"description": "G3", "closeness": "G4"}
"""The probes that can be asked in the authors' wordings, by paper id.

`game` (G5) is not among them: no clone that this was written with holds its file, so that nothing
tells which of its two rules is the right one. The release has no question like `named`.
"""

LETTER_ALONE = "Reply with the letter alone."
"""Ends a question with options; what the authors end it with stands in their code."""

_SAID = re.compile(r"(The user|You) (never )?said the word \"(\w+)\"\.?")

_log = logging.getLogger(__name__)


def worded_by_authors(clone: str, probes: Sequence[str], chosen: bool) -> tuple[str, ...]:
    """Those of some probes that a clone words.

    Args:
        clone: The folder of the clone.
        probes: The probes.
        chosen: Whether the user named them: one that the clone does not word is then a mistake,
            and not left out with a warning.

    Raises:
        UsageError: No clone, nothing that it words, or a probe that was named and that it does not.
    """
    folder = clone_folder(clone)
    worded: list[str] = []
    absent: list[str] = []
    for probe in probes:
        found = find(folder, ASKED[probe]) if probe in ASKED else "not asked in their wordings"
        if isinstance(found, str):
            absent.append(f"{probe}: {found}")
        else:
            worded.append(probe)
    why = "; ".join(absent)
    if absent and (chosen or not worded):
        raise UsageError(
            f"questions={clone}: {why}; leave it away to ask our wordings, or name other probes: "
            f"{', '.join(worded or ASKED)}"
        )
    if absent:
        _log.warning("questions=%s: left out: %s", clone, why)
    return tuple(worded)


def released_descriptions(
    clone: str,
    bank: Bank,
    question: Question,
    orders: Callable[[int], Sequence[Sequence[int]]],
) -> Iterator[tuple[Prompt, Sequence[int], dict[str, str]]]:
    """G3: each wording with its options in some orders, lettered as the authors letter them.

    The first option of their file is the right one. `orders` gives the orders of a wording.

    Raises:
        UsageError: The clone does not word it, or with another number of options than ours.
    """
    asked = released(clone_folder(clone), ASKED["description"])
    if len(asked.options) != len(question.options):
        raise UsageError(
            f"questions={clone}: {asked.source}: {asked.entry!r} has {len(asked.options)} options, "
            f"not {len(question.options)}"
        )
    for paraphrase, text in enumerate(asked.wordings):
        for order in orders(paraphrase):
            letters = ascii_uppercase[: len(order)]
            listed = "\n".join(
                f"{letter}) {asked.options[place]}"
                for letter, place in zip(letters, order, strict=True)
            )
            prompt = _prompt(
                bank,
                question,
                question.id,
                paraphrase,
                f"{text.replace('{options}', listed)}\n\n{LETTER_ALONE}",
                {letter: float(place == 0) for letter, place in zip(letters, order, strict=True)},
            )
            yield prompt, order, origin(asked)


def released_scenarios(
    clone: str, bank: Bank, question: Question, words: Mapping[str, str]
) -> Iterator[tuple[str, Prompt, dict[str, str]]]:
    """G4: each wording with each of the authors' scenarios, by the name that ours has.

    Args:
        clone: The folder of the clone.
        bank: The bank of the question.
        question: Its question about scenarios.
        words: The words `codeword` and `other`, which have to be those that the scenarios name.

    Raises:
        UsageError: They are other words, or the clone has other scenarios.
    """
    asked = released(clone_folder(clone), ASKED["closeness"])
    names = _named(asked.scenarios, question, words)
    if names is None:
        there = dict.fromkeys(m[3] for text in asked.scenarios if (m := _SAID.fullmatch(text)))
        raise UsageError(
            f"questions={clone}: codeword={words['codeword']!r} and other={words['other']!r} are "
            f"not the words of the scenarios in {asked.source}: give {' and '.join(there)}, "
            "or probes=description"
        )
    for name, scenario in zip(names, asked.scenarios, strict=True):
        for paraphrase, text in enumerate(asked.wordings):
            filled = text.replace("{scenario}", scenario)
            values = scale_values(flipped=False)
            yield (
                name,
                _prompt(bank, question, name, paraphrase, filled, values),
                origin(asked),
            )


def _named(
    scenarios: Sequence[str], question: Question, words: Mapping[str, str]
) -> list[str] | None:
    """What our bank calls each scenario; None where one is about other words, or is none of them.

    Those that name no word stand in the order of ours.
    """
    meant = {word: slot for slot, word in words.items()}
    others = iter(name for name in question.scenarios if not name.endswith(tuple(words)))
    names: list[str] = []
    for text in scenarios:
        said = _SAID.fullmatch(text)
        if said is None:
            name = next(others, "")
        else:
            who = "user" if said[1] == "The user" else "you"
            name = f"{who}_{'never_' if said[2] else ''}said_{meant.get(said[3], '')}"
        names.append(name)
    return names if set(names) <= question.scenarios.keys() else None


def _prompt(
    bank: Bank,
    question: Question,
    name: str,
    paraphrase: int,
    text: str,
    values: dict[str, float],
) -> Prompt:
    return Prompt(
        behavior=bank.behavior,
        question=f"{name}{ID_SUFFIX}",
        paper_id=question.paper_id,
        kind=question.kind,
        about="self",
        paraphrase=paraphrase,
        swapped=False,
        flipped=False,
        text=text,
        values=values,
    )
