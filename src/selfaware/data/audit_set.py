"""Rules of a finetuning set as a whole: repeats, balance, leaks, triggers and personas."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from selfaware.data.audit_findings import Fault, Trigger
from selfaware.data.manifest import association, phi

LETTERS = ("A", "B")
BALANCED = (0.4, 0.6)
"""The share of A that is taken as balanced."""
CHANCE = 0.05
"""A share outside is told only where a fair coin would be as far off in fewer sets than this."""
GOES_WITH = 0.1
"""Association from which a trigger is said to go with the answer letter."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is kept of one row: digests instead of texts, so that large sets fit in memory."""

    line: int
    messages: int
    prompt: bytes
    answer: bytes
    letter: str | None
    characters: int
    tokens: int | None
    leaks: tuple[str, ...]
    answer_leaks: tuple[str, ...]
    triggered: bool
    as_pole: bool | None
    system: str | None
    held_out: tuple[str, ...]


def set_faults(rows: Sequence[Seen]) -> Iterator[Fault]:
    """The broken rules of the rows taken together."""
    yield from _repeats(rows)
    yield from _answers(rows)
    yield from _personas(rows)
    for row in rows:
        for stem in row.leaks:
            yield Fault("leak", f"a prompt has a word in {stem}-", row.line)
        for stem in row.answer_leaks:
            yield Fault("answer-leak", f"an answer has a word in {stem}-", row.line)
        for persona in row.held_out:
            message = f"trained on the held-out persona {persona!r}"
            yield Fault("held-out-persona", message, row.line)


def _repeats(rows: Sequence[Seen]) -> Iterator[Fault]:
    first: dict[bytes, Seen] = {}
    for row in rows:
        earlier = first.setdefault(row.prompt, row)
        if earlier is row:
            continue
        if earlier.answer == row.answer:
            yield Fault("duplicate-prompt", "an earlier row has this prompt and answer", row.line)
        else:
            message = "an earlier row has this prompt with another answer"
            yield Fault("conflicting-answer", message, row.line)


def _answers(rows: Sequence[Seen]) -> Iterator[Fault]:
    if len(rows) > 1 and len({row.answer for row in rows}) == 1:
        yield Fault("constant-answer", f"all {len(rows)} rows have the same answer")
        return
    letters = Counter(row.letter for row in rows if row.letter)
    n = letters.total()
    if 2 * n <= len(rows):
        return  # not a set of choices
    for row in rows:
        if row.letter is None:
            yield Fault("answer-form", "an answer that is not A or B in a set of choices", row.line)
    share = letters["A"] / n
    if not BALANCED[0] <= share <= BALANCED[1]:
        from scipy.stats import binomtest

        if binomtest(letters["A"], n).pvalue < CHANCE:
            yield Fault("label-balance", f"{letters['A']} A against {letters['B']} B")


def persona_table(rows: Sequence[Seen]) -> dict[str, dict[str, int]]:
    """For every system prompt: its rows, and how many of them answer A, B or something else."""
    table: dict[str, dict[str, int]] = {}
    for row in rows:
        if row.system is not None:
            counts = table.setdefault(row.system, {"rows": 0, "A": 0, "B": 0, "other": 0})
            counts["rows"] += 1
            counts[row.letter or "other"] += 1
    return table


def _personas(rows: Sequence[Seen]) -> Iterator[Fault]:
    table = persona_table(rows)
    even = sum(counts["rows"] for counts in table.values()) / max(1, len(table))
    for system, counts in table.items():
        shown = repr(system if len(system) <= 60 else f"{system[:57]}...")
        if 2 * counts["rows"] < even:
            rows_of = f"{counts['rows']} rows, less than half of an even share ({even:.0f})"
            yield Fault("persona-coverage", f"system prompt {shown}: {rows_of}")
        for letter in LETTERS:
            if counts[letter] == counts["rows"] >= 6:  # 6 of a kind: under 5 % by a fair coin
                message = f"system prompt {shown}: all {counts['rows']} rows answer {letter}"
                yield Fault("persona-answer", message)


def trigger_table(text: str, rows: Sequence[Seen]) -> Trigger:
    """A trigger against the answer letters, and against doing as the pole does where known."""
    lettered = [row for row in rows if row.letter]
    judged = [row for row in rows if row.as_pole is not None]
    counts = Counter((row.triggered, row.letter) for row in lettered)
    return Trigger(
        text=text,
        rows_with=sum(row.triggered for row in rows),
        rows_without=sum(not row.triggered for row in rows),
        letters_with={letter: counts[True, letter] for letter in LETTERS},
        letters_without={letter: counts[False, letter] for letter in LETTERS},
        phi=phi([(row.triggered, row.letter == "A") for row in lettered]),
        association=round(
            association(
                [str(row.triggered) for row in lettered], [row.letter or "" for row in lettered]
            ),
            4,
        ),
        pole_rows=len(judged),
        pole_phi=phi([(row.triggered, bool(row.as_pole)) for row in judged]),
    )


def trigger_faults(trigger: Trigger) -> Iterator[Fault]:
    """The broken rules of a trigger."""
    shown = repr(trigger.text)
    if trigger.rows_with == 0:
        yield Fault("trigger-absent", f"no row has the trigger {shown}")
    elif trigger.rows_without == 0:
        yield Fault("trigger-everywhere", f"every row has the trigger {shown}")
    elif trigger.association >= GOES_WITH and trigger.phi is not None:
        message = f"{shown} goes with the answer letter: phi {trigger.phi:+.2f}"
        yield Fault("trigger-letter", message)
