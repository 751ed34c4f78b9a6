"""Asking a model about the labelled answers of a judge."""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from selfaware.data.asking import Question, asking, run_asking
from selfaware.data.journal import Journal
from selfaware.judges import Judge
from selfaware.labelled import JudgedItem
from selfaware.roles import JUDGE_TOKENS

Report = Callable[[], None]
"""Told that one more item is labelled."""


def questions_hash(judge: Judge, items: Sequence[JudgedItem]) -> str:
    """A hash of all that a model is asked about some items: it tells apart prompts and sets."""
    asked = json.dumps([judge.question(item) for item in items], ensure_ascii=False)
    return hashlib.sha256(asked.encode()).hexdigest()


def journal_path(folder: Path, judge: Judge, model: str, items: Sequence[JudgedItem]) -> Path:
    """Where a model's replies are kept: a file for every model and every form of the questions."""
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", model).strip("-")
    return folder / "judges" / f"{judge.name}-{name}-{questions_hash(judge, items)[:12]}.journal"


def labels_given(
    judge: Judge,
    model: str,
    items: Sequence[JudgedItem],
    journal: Path,
    connections: int,
    report: Report,
) -> list[str | None]:
    """The label that a model gives each item, None where its reply names none.

    Replies are kept in the journal as they come, and no question is asked twice.

    Raises:
        UsageError: A model that cannot be had or that fails, or a journal of other work.
    """
    work = {"judge": judge.name, "model": model, "questions": questions_hash(judge, items)}
    with Journal(journal, work) as kept:
        replies = run_asking(partial(_replies, judge, model, items, kept, connections, report))
    return [judge.parse(reply) for reply in replies]


async def _replies(
    judge: Judge,
    model: str,
    items: Sequence[JudgedItem],
    journal: Journal,
    connections: int,
    report: Report,
) -> list[str]:
    from inspect_ai.util import collect

    async with asking(journal, connections) as ask:

        async def reply(number: int, item: JudgedItem) -> str:
            # As the scorers ask it.
            question = Question(
                model, str(number), judge.question(item), 0.0, max_tokens=JUDGE_TOKENS
            )
            said = await ask(question)
            report()
            return said

        return await collect(*(reply(number, item) for number, item in enumerate(items)))
