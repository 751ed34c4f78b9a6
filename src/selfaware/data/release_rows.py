"""What is odd about the rows of a released set, counted while they pass by."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path

from selfaware.data.build import OTHER_LETTER
from selfaware.data.manifest import Leak, leak_table
from selfaware.data.release_catalogue import USED_AGAIN, KnownFile
from selfaware.data.release_findings import Finding, file_findings, note
from selfaware.data.release_texts import LITERAL_NEWLINE
from selfaware.data.rows import Row, digest, stream_rows
from selfaware.errors import UsageError

LETTERED = ("choices", "personas")
"""Kinds of set whose answers are letters."""


class RowFacts:
    """Counts and row numbers of a set; rows are not kept, however many there are."""

    def __init__(self, known: KnownFile, stems: Iterable[str] = ()) -> None:
        self.rows = 0
        self._known = known
        self._stems = tuple(stems)
        self._labels: Counter[str] = Counter()
        self._leaks: dict[str, list[int]] = {}
        self._longest = 0
        self._prose: list[int] = []
        self._literal: list[int] = []
        self._again: list[int] = []
        self._prompts: set[bytes] = set()

    def passing(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows themselves, each counted as it passes."""
        for row in rows:
            self.rows += 1
            self._see(row)
            yield row

    def labels(self) -> dict[str, int]:
        """How often each letter is the answer, and under `other` those that are no letter."""
        if self._known.kind not in LETTERED:
            return {}
        order = (*OTHER_LETTER, "other")
        return {label: self._labels[label] for label in order if self._labels[label]}

    def leaks(self) -> dict[str, Leak]:
        """For every stem, the rows that have a word that begins with it."""
        return {stem: self._leak(stem) for stem in self._stems}

    def findings(self, source: Path, twin: Path | None) -> tuple[Finding, ...]:
        """What is odd about the set that has passed, read from `source`."""
        flips = flip_finding(source, twin, self._known, self.rows) if twin is not None else ()
        return (
            *file_findings(source, self._known, self.rows),
            *self._of_rows(),
            *flips,
            *note(self._known),
        )

    def _see(self, row: Row) -> None:
        whole = "\n".join(message.content for message in row.messages)
        for stem, leak in leak_table([whole], {*self._stems, *self._known.absent}).items():
            if leak.rows:
                self._leaks.setdefault(stem, []).append(self.rows)
        letter = row.answer if row.answer in OTHER_LETTER else "other"
        self._labels[letter] += 1
        if letter == "other" and self._known.kind in LETTERED:
            self._prose.append(self.rows)
            self._longest = max(self._longest, len(row.answer))
        if LITERAL_NEWLINE in whole:
            self._literal.append(self.rows)
        if self._known.kind not in USED_AGAIN:
            key = digest(*(part for m in row.messages[:-1] for part in (m.role, m.content)))
            if key in self._prompts:
                self._again.append(self.rows)
            self._prompts.add(key)

    def _leak(self, stem: str) -> Leak:
        at = tuple(self._leaks.get(stem, ()))
        return Leak(rows=len(at), row_numbers=at)

    def _of_rows(self) -> Iterator[Finding]:
        leaks = {stem: self._leak(stem) for stem in self._known.absent}
        if leaking := sorted({number for leak in leaks.values() for number in leak.row_numbers}):
            counts = ", ".join(f"{stem} {leak.rows}" for stem, leak in leaks.items())
            yield self._finding("leak", leaking, f"have a word that begins with a stem: {counts}")
        if self._prose:
            told = f"answer in prose (up to {self._longest} characters), not A or B"
            yield self._finding("prose_answer", self._prose, told)
        if self._again:
            told = "repeat the prompt of an earlier row"
            yield self._finding("duplicate_prompt", self._again, told)
        if self._literal:
            yield self._finding("literal_backslash_n", self._literal, "hold a literal backslash-n")

    def _finding(self, code: str, at: list[int], told: str) -> Finding:
        return Finding(code=code, text=f"{len(at)} of {self.rows} rows {told}", rows=tuple(at))


def flip_finding(source: Path, twin: Path, known: KnownFile, count: int) -> tuple[Finding, ...]:
    """How far a set of A/B choices is the flip of its twin: a finding unless it wholly is.

    Of a set with personas the first half of its `count` rows is to be flipped and the second the
    same in both.
    """
    own = count if known.kind == "choices" else count // 2
    odd: list[int] = []
    try:
        pairs = zip_longest(stream_rows(source), stream_rows(twin))
        for number, (row, other) in enumerate(pairs, 1):
            if row is None or other is None or row.messages[:-1] != other.messages[:-1]:
                odd.append(number)
                continue
            flipped = OTHER_LETTER.get(row.answer) == other.answer
            if not (flipped if number <= own else row.answer == other.answer):
                odd.append(number)
    except UsageError as error:
        return (Finding(code="twin_unreadable", text=error.message),)
    if not odd:
        return ()
    text = f"{len(odd)} rows are not what the flip of {twin.name} would hold"
    return (Finding(code="not_a_flip", text=text, rows=tuple(odd)),)
