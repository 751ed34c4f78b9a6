"""Writing a finetuning set with a model, and checking every item with another."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from selfaware import __version__
from selfaware.behaviors import Behavior
from selfaware.behaviors.items import Letter
from selfaware.data.asking import Ask, Question, asking, run_asking, tally
from selfaware.data.atomic import write_json
from selfaware.data.build import write_set
from selfaware.data.journal import Journal
from selfaware.data.writer_record import WriterRecord, writer_path
from selfaware.data.writing import (
    OWN_TERMS,
    WRITING_VERSION,
    Request,
    Slot,
    checker_prompt,
    next_requests,
    plan,
    plan_hash,
    request_seed,
    writer_prompt,
)
from selfaware.data.written import (
    Labels,
    Reading,
    Reason,
    counts,
    read_label,
    read_reply,
    rejection,
)
from selfaware.errors import UsageError

WRITER_TEMPERATURE = 1.0
CHECKER_TEMPERATURE = 0.0

WRITE, CHECK = "write/", "check/"
"""What the keys of writing and of checking begin with in a journal."""

Report = Callable[[int, int, int], None]
"""Told of progress: requests answered, requests sent so far, rows that have their item."""


@dataclass(frozen=True)
class Writers:
    """The two models, by their names in Inspect, and how they are used.

    `connections` bounds the requests that are open at once to each model, `most` the requests to
    the writer in all. Everything that is answered is kept in `journal`.
    """

    writer: str
    checker: str
    connections: int
    most: int
    journal: Path


@dataclass(frozen=True)
class _Answered:
    """One request with what the writer replied and how the checker labelled what fits."""

    request: Request
    reading: Reading
    labels: Mapping[int, Labels]


def require_writable(taught: Behavior) -> None:
    """Checks that a model can be told what to write.

    Raises:
        UsageError: The behaviour is no choice, or does not say what its options are.
    """
    if taught.options is None:
        play = "`selfaware data play` has models play it" if taught.any_word else ""
        template = "leave --writer-model away for the writer of its own"
        raise UsageError(
            f"behaviour {taught.name!r} is no choice between two options, and a model writes only "
            f"such: {play or template}"
        )
    if not (taught.high_option and taught.low_option):
        raise UsageError(
            f"behaviour {taught.name!r} does not say what its options are, so no model can write "
            "them: give its Behavior a high_option and a low_option"
        )


def write_by_model(
    taught: Behavior,
    pole: str,
    rows: int,
    seed: int,
    out: Path,
    writers: Writers,
    report: Report,
) -> WriterRecord:
    """Writes a set, its manifest and its record, each whole or not at all; returns the record.

    Slots without an accepted item are asked for in rounds: all open ones at once, in requests of
    8, and again those whose item was rejected. What is accepted depends on the replies by number
    of request and never on which came first, so that the same journal gives the same bytes, for
    either pole.

    Raises:
        UsageError: A model that cannot be had or that fails, a journal of other work, or fewer
            accepted items than rows once `most` requests are spent.
    """
    require_writable(taught)
    taught.require_pole(pole)
    if out.is_dir() or out.resolve() == writers.journal.resolve():
        what = "is a folder" if out.is_dir() else "is the journal too"
        raise UsageError(f"--out {out}: {what}; name another file")
    slots = plan(taught, rows, seed)
    work = {
        "behavior": taught.name,
        "rows": rows,
        "seed": seed,
        "writer": writers.writer,
        "checker": writers.checker,
        "writing_version": WRITING_VERSION,
        "plan": plan_hash(taught, slots, seed),
    }
    with Journal(writers.journal, work) as journal:
        accepted, rejected = run_asking(
            partial(_write, taught, slots, seed, writers, journal, report)
        )
        kept = dict(journal.results)
    items = [slot.item(accepted[slot.number]) for slot in slots]
    examples = [taught.answered(item, pole) for item in items]
    manifest = write_set(taught, pole, examples, seed, out, writers.writer)
    record = WriterRecord(
        file=out.name,
        sha256=manifest.sha256,
        behavior=taught.name,
        pole=pole,
        rows=rows,
        seed=seed,
        writer=tally(writers.writer, WRITE, kept),
        checker=tally(writers.checker, CHECK, kept),
        asked=len(accepted) + sum(rejected.values()) - rejected["surplus"],
        accepted=len(accepted),
        rejected=dict(sorted(rejected.items())),
        journal=writers.journal.name,
        writing_version=WRITING_VERSION,
        package_version=__version__,
        inspect_version=version("inspect_ai"),
    )
    write_json(writer_path(out), record.model_dump(mode="json"))
    return record


async def _write(
    taught: Behavior,
    slots: list[Slot],
    seed: int,
    writers: Writers,
    journal: Journal,
    report: Report,
) -> tuple[dict[int, str], Counter[Reason]]:
    """The accepted text of every slot by its number, and the rejections."""
    from inspect_ai.util import collect

    accepted: dict[int, str] = {}
    rejected: Counter[Reason] = Counter()
    sent = done = 0

    async def answered(ask: Ask, request: Request) -> _Answered:
        nonlocal done
        answer = await _answer(ask, taught, request, seed, writers)
        done += 1
        report(done, sent, len(accepted))
        return answer

    async with asking(journal, writers.connections) as ask:
        while open_slots := [slot for slot in slots if slot.number not in accepted]:
            requests = next_requests(open_slots, sent, writers.most - sent)
            if not requests:
                raise UsageError(
                    f"only {len(accepted)} of {len(slots)} items accepted after {sent} requests; "
                    f"rejected: {counts(rejected)}; all is kept in {writers.journal}: "
                    "go on with a larger --max-requests, or give another model"
                )
            sent += len(requests)
            for answer in await collect(*(answered(ask, request) for request in requests)):
                _take(answer, accepted, rejected)
            report(done, sent, len(accepted))
    return accepted, rejected


async def _answer(
    ask: Ask, taught: Behavior, request: Request, seed: int, writers: Writers
) -> _Answered:
    """Has one request written, and what fits of the reply labelled."""
    from inspect_ai.util import collect

    written = Question(
        model=writers.writer,
        key=f"{WRITE}{request.number}",
        prompt=writer_prompt(taught, request, seed),
        temperature=WRITER_TEMPERATURE,
        seed=request_seed(request, seed),
    )
    stems = (*taught.leak_terms, *OWN_TERMS)
    reading = read_reply(await ask(written), len(request.slots), stems)

    async def label(place: int, pole: str) -> Letter | None:
        question = Question(
            model=writers.checker,
            key=f"{CHECK}{request.number}/{place}/{pole}",
            system=checker_prompt(taught, pole),
            prompt=reading.fit[place],
            temperature=CHECKER_TEMPERATURE,
        )
        return read_label(await ask(question))

    poles = (taught.high, taught.low)
    letters = iter(await collect(*(label(place, pole) for place in reading.fit for pole in poles)))
    labels = {place: Labels(next(letters), next(letters)) for place in reading.fit}
    return _Answered(request, reading, labels)


def _take(answered: _Answered, accepted: dict[int, str], rejected: Counter[Reason]) -> None:
    """Adds what one request gave to what is accepted and rejected so far."""
    rejected.update(answered.reading.rejected)
    for place, text in answered.reading.fit.items():
        slot = answered.request.slots[place - 1]
        reason = rejection(text, slot.high_letter, answered.labels[place], accepted.values())
        if reason is None:
            accepted[slot.number] = text
        else:
            rejected[reason] += 1
