"""The authors' own wordings of the questions, taken from a clone of their release."""

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from selfaware.behaviors.bank import AnswerKind, Bank, Question
from selfaware.behaviors.prompts import Prompt, scale_values
from selfaware.data.release_clone import require_clone
from selfaware.data.release_questions import PLACES, AskedQuestion, find
from selfaware.errors import UsageError

BY_LEXICON = frozenset({"M1", "A1", "A2"})
"""Choices between two words in our bank, in the authors' wordings between words of many forms
(short-term, now, immediate): any one word, read by the lexicon (appendix C.1)."""

ID_SUFFIX = "_authors"
"""Ends the id of a question in the authors' wording, so that no table takes it for ours."""

_log = logging.getLogger(__name__)


def released_prompts(
    clone: str, bank: Bank, questions: Sequence[Question], kinds: Sequence[AnswerKind]
) -> list[tuple[Prompt, dict[str, str]]]:
    """The authors' wordings of some questions of a bank, each with where it is from.

    They ask about the model itself, and have neither flipped twins nor the other order of two
    words. Questions that the release or the clone does not have are left out with a warning.

    Args:
        clone: The folder of the clone.
        bank: The bank that the questions are of.
        questions: Those to ask.
        kinds: Kinds of answer to ask for, as the authors' wordings ask for them.

    Raises:
        UsageError: No clone, or no question of these in it: the message names what is missing.
    """
    folder = clone_folder(clone)
    asked: list[tuple[Prompt, dict[str, str]]] = []
    absent: dict[str, list[str]] = {}
    for question in questions:
        kind = _kind(question)
        if question.paper_id is None or kind not in kinds:
            continue
        if question.paper_id not in PLACES:
            absent.setdefault("no wording in the release", []).append(question.paper_id)
            continue
        found = find(folder, question.paper_id)
        if isinstance(found, str):
            absent.setdefault(found, []).append(question.paper_id)
        else:
            asked += [(prompt, origin(found)) for prompt in _prompts(bank, question, kind, found)]
    why = "; ".join(f"{', '.join(ids)}: {reason}" for reason, ids in absent.items())
    if not asked:
        none = f"the release words no such question about {bank.behavior!r}"
        raise UsageError(f"questions={clone}: {why or none}; leave it away to ask our wordings")
    if why:
        _log.warning("questions=%s: left out: %s", clone, why)
    return asked


def clone_folder(clone: str) -> Path:
    """The folder that a task's parameter names.

    Raises:
        UsageError: It is no clone of the authors' repository.
    """
    given = Path(clone).expanduser()
    # Inspect loads a task file from within its folder; users name paths from where they stand.
    from_shell = Path(os.environ.get("PWD", "")) / given
    folder = from_shell if from_shell.is_dir() and not given.is_dir() else given
    require_clone(folder)
    return folder


def origin(asked: AskedQuestion) -> dict[str, str]:
    """What a sample's metadata says of where its wording is from."""
    return {"source": asked.source, "source_sha256": asked.source_sha256}


def require_self(clone: str, whom: Sequence[str]) -> None:
    """Checks that the authors' wordings are asked about the model itself.

    Raises:
        UsageError: They are not.
    """
    if tuple(whom) != ("self",):
        raise UsageError(
            f"about={','.join(whom)!r} is not allowed with questions={clone}: the authors' "
            "wordings are about the model itself; give about=self"
        )


def _kind(question: Question) -> AnswerKind:
    """The kind of answer that the authors' wording asks for."""
    return "word" if question.paper_id in BY_LEXICON else question.kind


def _prompts(
    bank: Bank, question: Question, kind: AnswerKind, asked: AskedQuestion
) -> Iterator[Prompt]:
    values = {
        "word": bank.word_values,
        "scale": scale_values(flipped=False),
        "choice": {question.high: 1.0, question.low: 0.0},
    }
    for paraphrase, text in enumerate(asked.wordings):
        swapped = kind == "choice" and text.find(question.low) < text.find(question.high)
        yield Prompt(
            behavior=bank.behavior,
            question=f"{question.id}{ID_SUFFIX}",
            paper_id=question.paper_id,
            kind=kind,
            about="self",
            paraphrase=paraphrase,
            swapped=swapped,
            flipped=False,
            text=text,
            values=values.get(kind, {}),
        )
