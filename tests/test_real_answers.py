"""What the parsers make of answers of a real model, against labels set by reading them."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from pydantic import BaseModel, ConfigDict

from selfaware.behaviors.bank import load_bank
from selfaware.scorers.language import parse_language
from selfaware.scorers.option import parse_option
from selfaware.scorers.reading import CATEGORIES, Category, Reading
from selfaware.scorers.scale import parse_scale
from selfaware.scorers.scoring import Parser
from selfaware.scorers.word import parse_word

PARSERS: dict[str, Parser] = {
    "scale": parse_scale,
    "word": parse_word,
    "option": parse_option,
    "yes_no": parse_option,
    "choice": parse_option,
    "language": parse_language,
}
NAMED = ("valid", "unlisted")
"""The categories of which a label names the answer too."""

AGREED = {"scale": 38, "word": 31, "option": 41, "yes_no": 39, "choice": 29, "language": 12}
"""Answers of each kind on which parser and label agree."""

DIFFERENCES = {
    "answer_in_sentence": 12,
    "letter_at_head": 4,
    "number_in_prose": 3,
    "refusal_words": 3,
    "refusal_unknown": 2,
    "single_word": 1,
    "language_guess": 5,
}
"""Answers on which they differ, by reason."""

Verdict = tuple[Category] | tuple[Category, str]


class Labelled(BaseModel):
    """One answer, its label, and the parser's verdict where that is another, with the reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample: str
    asked: str
    said: str
    label: Verdict
    remark: str = ""
    parser: Verdict | None = None
    why: str = ""


class Asked(BaseModel):
    """Labelled answers to the questions of one kind in one task."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    args: dict[str, str] = {}
    kind: str
    values: list[str] = []
    words: str = ""
    answers: list[Labelled]

    def allowed(self) -> Mapping[str, float]:
        """The answers with a value, as the parser gets them."""
        if self.kind == "scale":
            return {str(number): number / 100 for number in range(101)}
        return load_bank(self.words).word_values if self.words else dict.fromkeys(self.values, 0.5)


class Table(BaseModel):
    """All labelled answers, and the reasons for which parsers and reader differ."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reasons: dict[str, str]
    tasks: list[Asked]


class Case(NamedTuple):
    """One labelled answer in its place."""

    place: Asked
    row: Labelled


TABLE = Table.model_validate(
    yaml.safe_load(Path(__file__).with_name("real_answers.yaml").read_text(encoding="utf-8"))
)
CASES = [Case(place, row) for place in TABLE.tasks for row in place.answers]


def verdict(reading: Reading) -> Verdict:
    named = reading.category in NAMED
    return (reading.category, reading.answer) if named else (reading.category,)


def read(case: Case) -> Verdict:
    return verdict(PARSERS[case.place.kind](case.row.said, case.place.allowed()))


def test_the_table_is_whole() -> None:
    assert len(CASES) == 220
    assert len({row.said for _, row in CASES}) == len(CASES)
    assert {place.kind for place in TABLE.tasks} == set(PARSERS)
    for place, row in CASES:
        assert row.label[0] in CATEGORIES and (len(row.label) == 2) == (row.label[0] in NAMED)
        assert row.label[0] != "valid" or row.label[-1] in place.allowed(), row
        assert (row.parser is None) == (row.why == ""), row
        assert row.parser != row.label, row
    assert {row.why for _, row in CASES if row.why} == TABLE.reasons.keys()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.place.task}-{case.row.sample}")
def test_the_parser_agrees_with_the_reader_but_where_it_is_written(case: Case) -> None:
    assert read(case) == (case.row.parser or case.row.label), case.row.said


def test_the_agreement_is_as_docs_real_model_states_it() -> None:
    agreed = Counter(case.place.kind for case in CASES if read(case) == case.row.label)
    assert agreed == AGREED
    assert Counter(row.why for _, row in CASES if row.why) == DIFFERENCES


def test_valid_answers_are_as_docs_real_model_states_them() -> None:
    read_valid = [case for case in CASES if read(case)[0] == "valid"]
    said_valid = [case for case in CASES if case.row.label[0] == "valid"]
    both = [case for case in said_valid if read(case) == case.row.label]
    assert (len(read_valid), len(said_valid), len(both)) == (44, 44, 34)
