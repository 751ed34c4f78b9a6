"""What is odd about a file of the authors' release, told as findings."""

from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from selfaware.data.manifest import leak_table
from selfaware.data.release_catalogue import KnownFile
from selfaware.data.release_texts import (
    LITERAL_NEWLINE,
    QUESTION_TYPES,
    ReleasedQuestion,
    yaml_entries,
)
from selfaware.data.rows import Row, duplicate_prompts, read_rows
from selfaware.errors import UsageError

LETTERS = ("A", "B")


class Finding(BaseModel):
    """One oddity: a short code, a sentence, and the numbers (from 1) of the rows it is in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    text: str
    rows: tuple[int, ...] = ()


def row_findings(rows: Sequence[Row], known: KnownFile) -> tuple[Finding, ...]:
    """Quirks of a finetuning set: leaking rows, prose answers, duplicates, literal backslash-n."""
    found: list[Finding] = []
    whole = ["\n".join(message.content for message in row.messages) for row in rows]
    leaks = leak_table(whole, known.absent)
    leaking = sorted({number for leak in leaks.values() for number in leak.row_numbers})
    if leaking:
        counts = ", ".join(f"{stem} {leak.rows}" for stem, leak in leaks.items())
        text = f"{_rows(len(leaking), len(rows))} have a word that begins with a stem: {counts}"
        found.append(Finding(code="leak", text=text, rows=tuple(leaking)))
    if known.kind in ("choices", "personas"):
        prose = [n for n, row in enumerate(rows, 1) if row.answer not in LETTERS]
        if prose:
            longest = max(len(rows[n - 1].answer) for n in prose)
            text = (
                f"{_rows(len(prose), len(rows))} answer in prose (up to {longest} characters), "
                "not A or B"
            )
            found.append(Finding(code="prose_answer", text=text, rows=tuple(prose)))
    if known.kind in ("choices", "personas", "dialogues"):  # the others hold copies by design
        again = tuple(second for _, second in duplicate_prompts(rows))
        if again:
            text = f"{_rows(len(again), len(rows))} repeat the prompt of an earlier row"
            found.append(Finding(code="duplicate_prompt", text=text, rows=again))
    literal = tuple(n for n, text in enumerate(whole, 1) if LITERAL_NEWLINE in text)
    if literal:
        text = f"{_rows(len(literal), len(rows))} hold a literal backslash-n"
        found.append(Finding(code="literal_backslash_n", text=text, rows=literal))
    return tuple(found)


def flip_finding(rows: Sequence[Row], twin: Path, known: KnownFile) -> tuple[Finding, ...]:
    """How far a set of A/B choices is the flip of its twin: a finding unless it wholly is.

    Of a set with personas the first half is to be flipped and the second the same in both.
    """
    own = len(rows) if known.kind == "choices" else len(rows) // 2
    odd: list[int] = []
    try:
        others = read_rows(twin)
    except UsageError as error:
        return (Finding(code="twin_unreadable", text=error.message),)
    for number, (row, other) in enumerate(zip_longest(rows, others), 1):
        if row is None or other is None or row.messages[:-1] != other.messages[:-1]:
            odd.append(number)
            continue
        answers = (row.answer, other.answer)
        flipped = answers in (("A", "B"), ("B", "A"))
        if not (flipped if number <= own else answers[0] == answers[1]):
            odd.append(number)
    if not odd:
        return ()
    text = f"{len(odd)} rows are not what the flip of {twin.name} would hold"
    return (Finding(code="not_a_flip", text=text, rows=tuple(odd)),)


def question_findings(path: Path, questions: Sequence[ReleasedQuestion]) -> tuple[Finding, ...]:
    """Quirks of a question file; numbers count its questions."""
    found: list[Finding] = []
    literal = tuple(
        number
        for number, question in enumerate(questions, 1)
        if any(LITERAL_NEWLINE in text for text in _texts(question))
    )
    if literal:
        text = (
            f"{len(literal)} of {len(questions)} questions hold a literal backslash-n where a "
            "line end was meant: models saw the two characters"
        )
        found.append(Finding(code="literal_backslash_n", text=text, rows=literal))
    fields = ReleasedQuestion.model_fields
    for number, (entry, question) in enumerate(zip(yaml_entries(path), questions, strict=True), 1):
        faults: list[str] = []
        if not question.name:
            faults.append("has no name")
        if (question.question is None) == (not question.question_paraphrases):
            faults.append("needs one of question and question_paraphrases")
        if question.question_type is not None and question.question_type not in QUESTION_TYPES:
            faults.append(f"is of the unknown type {question.question_type!r}")
        faults += [f"has the unknown field {key!r}" for key in entry if key not in fields]
        found += [
            Finding(code="question", text=f"question {number} {fault}", rows=(number,))
            for fault in faults
        ]
    return tuple(found)


def word_findings(words: Sequence[str]) -> tuple[Finding, ...]:
    """Quirks of the word list: repeats, and codewords of the paper that it lacks."""
    found: list[Finding] = []
    repeats = [word for word, count in Counter(words).items() if count > 1]
    if repeats:
        text = f"{len(repeats)} words stand there more than once: {', '.join(sorted(repeats))}"
        found.append(Finding(code="duplicate_word", text=text))
    lacking = [word for word in ("bark", "ring", "spring") if word not in words]
    if lacking:
        text = f"lacks the codewords {', '.join(lacking)}: a list that is asked about must add them"
        found.append(Finding(code="codeword_absent", text=text))
    return tuple(found)


def repeated_prompts(lists: dict[str, tuple[str, ...]]) -> tuple[Finding, ...]:
    """Lists of prompts in which some stand more than once."""
    return tuple(
        Finding(
            code="duplicate_prompt",
            text=f"{name}: {len(prompts)} prompts, {len(set(prompts))} distinct",
        )
        for name, prompts in lists.items()
        if len(set(prompts)) < len(prompts)
    )


def shown_rows(rows: Sequence[int]) -> str:
    """The first ten row numbers, for a line of text."""
    first = ", ".join(str(number) for number in rows[:10])
    return f"{first} ..." if len(rows) > 10 else first


def answer_counts(rows: Sequence[Row]) -> dict[str, int]:
    """How often each letter is the answer, and under `other` the answers that are no letter."""
    counts = Counter(row.answer if row.answer in LETTERS else "other" for row in rows)
    return {label: counts[label] for label in (*LETTERS, "other") if counts[label]}


def _texts(question: ReleasedQuestion) -> tuple[str, ...]:
    return (*question.wordings(), question.guesser_prompt or "", *question.options)


def _rows(count: int, total: int) -> str:
    return f"{count} of {total} rows"
