"""Pruning a source of code, batch by batch, until there are enough rows of one pole."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

from selfaware.data.asking import Ask, asking
from selfaware.data.code_analysis import Finding, Snippet, analyse
from selfaware.data.code_judge import judge
from selfaware.data.code_rules import Label, Reason, Seen, Task, confirmed, read_task
from selfaware.data.code_source import Fields, Source, read_fields
from selfaware.data.journal import Journal

_BATCH = 256

Report = Callable[[int, int], None]
"""Told of progress: rows kept, rows read."""


class Pruning(BaseModel):
    """What is to be kept of a source: how many rows of which pole, and how rows are chosen.

    `seed` fixes the order in which the source is read, `near` is how alike two rows may be (0-1;
    1 drops equal ones alone), `split` the part of a hub's dataset, `judge` a model in Inspect.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pole: Label
    rows: int = Field(ge=2)
    seed: int = 0
    near: float = Field(default=0.9, gt=0, le=1)
    split: str = "train"
    judge: str | None = None
    fields: Fields = Fields()


@dataclass(frozen=True)
class Candidate:
    """A task that no rule leaves out, and what the analyser finds in its code."""

    task: Task
    findings: tuple[Finding, ...]

    @property
    def tests(self) -> list[str]:
        """The findings of medium or high severity, by the analyser's names, in order."""
        return [finding.test for finding in self.findings if finding.severity != "low"]


@dataclass
class Kept:
    """What has come of the rows read so far."""

    candidates: list[Candidate] = field(default_factory=list)
    dropped: Counter[Reason] = field(default_factory=Counter)

    @property
    def read(self) -> int:
        """How many rows that were."""
        return len(self.candidates) + self.dropped.total()


async def collect_rows(
    source: Source,
    pruning: Pruning,
    journal: Journal | None,
    connections: int,
    report: Report,
) -> Kept:
    """Reads rows in the order of the seed and prunes them, to the last that is needed.

    A judge is asked through the journal, and only about rows that would else be kept.

    Raises:
        UsageError: A row without the fields, or a judge that cannot be had.
    """
    order = random.Random(f"{pruning.seed}/code").sample(range(source.rows), source.rows)
    kept, seen = Kept(), Seen(pruning.near)
    async with AsyncExitStack() as stack:
        ask: Ask | None = None
        if journal is not None:
            ask = await stack.enter_async_context(asking(journal, connections))
        for start in range(0, len(order), _BATCH):
            batch = prune(source, order[start : start + _BATCH], pruning, seen)
            while batch and len(kept.candidates) < pruning.rows:
                now, batch = _needed(batch, pruning.rows - len(kept.candidates))
                chosen = [made for made in now if isinstance(made, Candidate)]
                reasons: Sequence[Reason | None] = [None] * len(chosen)
                if ask is not None and pruning.judge is not None:
                    reasons = await judge([c.task for c in chosen], ask, pruning.judge)
                kept.dropped.update(made for made in now if not isinstance(made, Candidate))
                kept.dropped.update(reason for reason in reasons if reason is not None)
                kept.candidates += [
                    made for made, reason in zip(chosen, reasons, strict=True) if reason is None
                ]
                report(len(kept.candidates), kept.read)
            if len(kept.candidates) == pruning.rows:
                break
    return kept


def prune(
    source: Source, numbers: Sequence[int], pruning: Pruning, seen: Seen
) -> list[Candidate | Reason]:
    """What each row of a source is without a judge: a candidate, or why it is none."""
    read: list[Task | Reason] = []
    for number in numbers:
        row = read_fields(source.read(number), pruning.fields, source.where(number))
        read.append("other pole" if row[2] != pruning.pole else read_task(*row))
    tasks = [task for task in read if isinstance(task, Task)]
    found = iter(analyse([Snippet(task.language, task.code) for task in tasks]))
    return [_checked(task, next(found), seen) if isinstance(task, Task) else task for task in read]


def _checked(task: Task, findings: tuple[Finding, ...] | None, seen: Seen) -> Candidate | Reason:
    reason = confirmed(task, findings) or seen.add(task)
    return reason or Candidate(task, findings or ())


def _needed(
    batch: list[Candidate | Reason], count: int
) -> tuple[list[Candidate | Reason], list[Candidate | Reason]]:
    """A batch up to the candidate that makes up the count, and the rest of it."""
    places = [place for place, made in enumerate(batch) if isinstance(made, Candidate)]
    end = places[count - 1] + 1 if len(places) >= count else len(batch)
    return batch[:end], batch[end:]
