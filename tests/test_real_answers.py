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
    "answer_at_head": 4,
    "number_in_prose": 3,
    "refusal_words": 3,
    "refusal_unknown": 2,
    "single_word": 1,
    "language_guess": 5,
}
"""Answers on which they differ, by reason."""

VALID = {"scale": 58, "option": 73, "yes_no": 46, "choice": 2, "language": 8}
"""Answers in which a parser reads a value, of all that the model gave."""

MEANT = {"scale": 18, "option": 53, "yes_no": 42, "choice": 2, "language": 5}
"""Those of them in which the reader finds the same value."""

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


def labelled(name: str) -> Table:
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return Table.model_validate(yaml.safe_load(text))


def cases(table: Table) -> list[Case]:
    return [Case(place, row) for place in table.tasks for row in place.answers]


TABLES = {name: labelled(name) for name in ("real_answers.yaml", "real_valid_answers.yaml")}
DRAWN, FURTHER = map(cases, TABLES.values())


def verdict(reading: Reading) -> Verdict:
    named = reading.category in NAMED
    return (reading.category, reading.answer) if named else (reading.category,)


def read(case: Case) -> Verdict:
    return verdict(PARSERS[case.place.kind](case.row.said, case.place.allowed()))


def test_the_tables_are_whole() -> None:
    assert (len(DRAWN), len(FURTHER)) == (220, 143)
    assert len({case.row.said for case in DRAWN}) == len(DRAWN)
    assert {case.place.kind for case in DRAWN} == set(PARSERS)
    for place, row in DRAWN + FURTHER:
        assert row.label[0] in CATEGORIES and (len(row.label) == 2) == (row.label[0] in NAMED)
        assert row.label[0] != "valid" or row.label[-1] in place.allowed(), row
        assert (row.parser is None) == (row.why == "") and row.parser != row.label, row
    for table in TABLES.values():
        assert {row.why for _, row in cases(table) if row.why} == table.reasons.keys()


@pytest.mark.parametrize(
    "case", DRAWN + FURTHER, ids=lambda case: f"{case.place.task}-{case.row.sample}"
)
def test_the_parser_agrees_with_the_reader_but_where_it_is_written(case: Case) -> None:
    assert read(case) == (case.row.parser or case.row.label), case.row.said


def test_the_agreement_is_as_docs_real_model_states_it() -> None:
    assert Counter(case.place.kind for case in DRAWN if read(case) == case.row.label) == AGREED
    assert Counter(row.why for _, row in DRAWN if row.why) == DIFFERENCES


def test_what_is_read_as_valid_was_meant_as_often_as_docs_real_model_states() -> None:
    found = [case for case in DRAWN + FURTHER if read(case)[0] == "valid"]
    meant = [case for case in found if read(case) == case.row.label]
    assert Counter(case.place.kind for case in found) == VALID
    assert Counter(case.place.kind for case in meant) == MEANT


def test_how_many_answers_the_parsers_miss_is_as_docs_real_model_states_it() -> None:
    said = [case for case in DRAWN if case.row.label[0] == "valid"]
    assert len(said) == 44
    assert sum(read(case) == case.row.label for case in said) == 34
