"""Answers of a model, asked as it is, to the prompts of a set."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from selfaware import __version__
from selfaware.data.asking import Asked, Question, asking, run_asking, tally
from selfaware.data.atomic import write_json
from selfaware.data.journal import Journal
from selfaware.data.manifest import CANARY, Described, manifest_path
from selfaware.data.poles import label
from selfaware.data.reversal import single_turn
from selfaware.data.rows import Row, question_and_answer, read_rows, sha256_file, write_rows
from selfaware.errors import UsageError

ANSWERING_VERSION = 1
"""Rises whenever the same file and the same replies would give other rows."""

TEMPERATURE = 0.0

Reason = Literal["empty", "no letter"]
"""Why a reply is not taken."""

Report = Callable[[int, int], None]
"""Told of progress: prompts answered, prompts in all."""

_ANSWER = "answer/"
_LETTER = re.compile(r"[\s\"'*(]*(?:option\s+)?[\"'*(]*([AB])[\s\"'*).:]*", re.IGNORECASE)


class AnswerRecord(Described):
    """How a set of answers came about, in a file beside it.

    `asked` counts the rows of the source, `rows` those whose answer is taken, and `dropped` the
    others by reason. `model` says what was asked of the model; a prompt that stands in several rows
    is asked once.
    """

    rows: int
    asked: int
    dropped: dict[Reason, int]
    source: str
    source_sha256: str
    model: Asked
    temperature: float
    journal: str
    answering_version: int
    package_version: str
    inspect_version: str
    canary: str


def answer_path(dataset: Path) -> Path:
    """Where the record of a set of answers stands."""
    return dataset.with_name(f"{dataset.name}.answer.json")


def read_reply(row: Row, reply: str) -> tuple[str | None, Reason | None]:
    """The answer that a reply gives to a row's prompt, or else why it gives none.

    A row that answers A or B asks for a letter, which may come as `(A)`, `A.` or `Option A`; any
    other row takes any reply.
    """
    if not reply.strip():
        return None, "empty"
    if not label(row):
        return reply.strip(), None
    letter = _LETTER.fullmatch(reply)
    return (letter[1].upper(), None) if letter else (None, "no letter")


def answer_set(
    file: Path, model: str, connections: int, journal: Path, out: Path, report: Report
) -> AnswerRecord:
    """Writes a model's answers to the prompts of a set, and the record of them beside it.

    The model is asked at temperature 0 without a system prompt (arXiv 2501.11120, sections 4.1
    and 5.1: what the model does normally). Every reply is kept in the journal; the same command
    goes on after a stop, and a journal of one model serves several files.

    Raises:
        UsageError: Rows with several turns or a system prompt, a model that cannot be had or that
            fails, no answer that can be taken, or a place that cannot be written.
    """
    if out.resolve() in {file.resolve(), journal.resolve()} or out.is_dir():
        raise UsageError(f"--out {out}: is a folder, FILE or the journal; name another file")
    if manifest_path(out).exists():
        raise UsageError(f"--out {out}: {manifest_path(out).name} describes another set")
    rows = read_rows(file)
    for number, row in enumerate(rows, 1):
        if len(row.messages) != 2 or not single_turn(row):
            raise UsageError(
                f"{file}, line {number}: has a system prompt or several turns; a model answers "
                "rows of one question and one answer"
            )
    work = {"answers of": model, "temperature": TEMPERATURE, "version": ANSWERING_VERSION}
    with Journal(journal, work) as kept:
        replies = run_asking(partial(_ask_all, rows, model, connections, kept, report))
        asked = {key: kept.results[key] for key in {_key(row) for row in rows}}
    taken: list[Row] = []
    dropped: Counter[Reason] = Counter()
    for row in rows:
        answer, reason = read_reply(row, replies[_key(row)])
        if answer is not None:
            taken.append(question_and_answer(row.prompt, answer))
        elif reason is not None:
            dropped[reason] += 1
    if not taken:
        raise UsageError(f"{model} gave no answer that can be taken: {counted(dropped)}")
    write_rows(out, taken)
    record = AnswerRecord(
        file=out.name,
        sha256=sha256_file(out),
        rows=len(taken),
        asked=len(rows),
        dropped=dict(sorted(dropped.items())),
        source=file.name,
        source_sha256=sha256_file(file),
        model=tally(model, _ANSWER, asked),
        temperature=TEMPERATURE,
        journal=journal.name,
        answering_version=ANSWERING_VERSION,
        package_version=__version__,
        inspect_version=version("inspect_ai"),
        canary=CANARY,
    )
    write_json(answer_path(out), record.model_dump(mode="json"))
    return record


def counted(dropped: Mapping[Reason, int]) -> str:
    """Reasons with their counts, for a person to read."""
    return ", ".join(f"{count} {reason}" for reason, count in sorted(dropped.items())) or "none"


async def _ask_all(
    rows: list[Row], model: str, connections: int, journal: Journal, report: Report
) -> dict[str, str]:
    """The reply to every prompt, by its key."""
    from inspect_ai.util import collect

    prompts = {_key(row): row.prompt for row in rows}
    replies: dict[str, str] = {}

    async with asking(journal, connections) as ask:

        async def one(key: str, prompt: str) -> None:
            replies[key] = await ask(Question(model, key, prompt, TEMPERATURE))
            report(len(replies), len(prompts))

        await collect(*(one(key, prompt) for key, prompt in prompts.items()))
    return replies


def _key(row: Row) -> str:
    return _ANSWER + sha256(row.prompt.encode("utf-8", "surrogatepass")).hexdigest()
