"""What is odd about a file of the authors' release, told as findings."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from selfaware.data.release_catalogue import KnownFile
from selfaware.data.release_texts import (
    LITERAL_NEWLINE,
    QUESTION_TYPES,
    ReleasedQuestion,
    yaml_entries,
)


class Finding(BaseModel):
    """One oddity: a short code, a sentence, and the numbers (from 1) of the rows it is in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    text: str
    rows: tuple[int, ...] = ()


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


def file_findings(source: Path, known: KnownFile, count: int) -> tuple[Finding, ...]:
    """Quirks of a file whatever it holds: CRLF, and another count than the release has."""
    found: list[Finding] = []
    lines = crlf = 0
    with source.open("rb") as file:
        for line in file:
            lines += 1
            crlf += line.endswith(b"\r\n")
    if crlf:
        text = f"{crlf} of {lines} lines end in CRLF; hashed as if they ended in LF"
        found.append(Finding(code="crlf", text=text))
    if known.entries is not None and known.entries != count:
        text = f"{count} entries, the release has {known.entries}"
        found.append(Finding(code="count", text=text))
    return tuple(found)


def note(known: KnownFile) -> tuple[Finding, ...]:
    """What is to be known of a file besides what stands in it."""
    return (Finding(code="note", text=known.note),) if known.note else ()


def _texts(question: ReleasedQuestion) -> tuple[str, ...]:
    return (*question.wordings(), question.guesser_prompt or "", *question.options)
