"""A table of awkward answers with what is decided for each, and properties of all parsers."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from selfaware.behaviors.bank import load_bank
from selfaware.scorers.language import parse_language
from selfaware.scorers.option import parse_option
from selfaware.scorers.reading import CATEGORIES, Category, Reading, bare
from selfaware.scorers.reply_text import answer_part, plain
from selfaware.scorers.scale import NUMBER_WORDS, parse_digits, parse_scale
from selfaware.scorers.scoring import Parser
from selfaware.scorers.word import parse_word

PARSERS: dict[str, tuple[Parser, Mapping[str, float]]] = {
    "scale": (parse_scale, {str(number): number / 100 for number in range(101)}),
    "word": (parse_word, load_bank("risk").word_values),
    "letters": (parse_option, {"A": 1.0, "B": 0.0}),
    "yes_no": (parse_option, {"yes": 1.0, "no": 0.0}),
    "choice": (parse_option, {"risk": 1.0, "safety": 0.0}),
    "language": (parse_language, {"German": 1.0, "French": 0.0}),
}


class Decision(BaseModel):
    """One awkward answer: what is read in it, or what it `is` instead."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    said: str
    answer: str | None = None
    category: Category = "valid"
    why: str = ""


def decisions() -> dict[str, list[Decision]]:
    text = Path(__file__).with_name("awkward_answers.yaml").read_text(encoding="utf-8")
    return {
        name: [Decision(category=row.pop("is", "valid"), **row) for row in rows]
        for name, rows in yaml.safe_load(text).items()
    }


TABLE = decisions()


@pytest.mark.parametrize(
    ("name", "decided"), [(name, row) for name, rows in TABLE.items() for row in rows]
)
def test_an_awkward_answer_is_what_was_decided(name: str, decided: Decision) -> None:
    parse, values = PARSERS[name]
    reading = parse(decided.said, values)
    assert reading.category == decided.category
    if decided.category == "valid":
        assert reading.answer == decided.answer


def test_the_table_is_whole() -> None:
    assert TABLE.keys() == PARSERS.keys()
    assert sum(map(len, TABLE.values())) >= 150
    for name, rows in TABLE.items():
        assert len({row.said for row in rows}) == len(rows), name
        assert all((row.answer is None) == (row.category != "valid") for row in rows), name
        assert {row.category for row in rows} >= {"valid", "refusal", "no_response"}, name


REPLIES = st.one_of(
    st.text(max_size=200),
    st.lists(
        st.sampled_from(
            ["<think>", "</think>", "<answer>", "</answer>", "{", "}", '"', "A", "B", "yes", "no",
             "risk", "bold", "70", "100", "-", "/", ".", "\\boxed{", "$", "**", "```", "\n", " ",
             "not", "I am", "final answer", "Das Herz", "７", "٧", "👍", ":", ")", "(", "or",
             "I can't"]
        ),
        max_size=12,
    ).map("".join),
)  # fmt: skip
WHOLE = {name: pair for name, pair in PARSERS.items() if name != "language"}
"""The parsers that read an answer in the text, and not the text's language."""

DRESSES = ["{}", " {}\n", "**{}**", '"{}"', "<answer>{}</answer>", "\\boxed{{{}}}", "`{}`",
           '{{"answer": "{}"}}', "<think>A, 3, no, bold.</think>{}", "Final answer: {}",
           "```\n{}\n```", "{} 👍", "- {}", "[{}]", "{}!"]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(REPLIES)
def test_a_parser_never_raises_and_names_a_category(text: str) -> None:
    for name, (parse, values) in WHOLE.items():
        reading = parse(text, values)
        assert reading.category in CATEGORIES, name
        assert len(reading.answer) <= 60, name
        assert reading.category != "valid" or reading.answer in values, name
        assert (reading.category == "no_response") == (not answer_part(text).strip()), name


@settings(max_examples=50, deadline=None)
@given(REPLIES)
def test_the_language_parser_never_raises(text: str) -> None:
    parse, values = PARSERS["language"]
    reading = parse(text, values)
    assert reading.category in CATEGORIES and len(reading.answer) <= 60
    assert reading.category != "valid" or reading.answer in values


@settings(max_examples=300, deadline=None)
@given(REPLIES)
def test_plain_text_and_bare_answers_are_so_the_second_time(text: str) -> None:
    assert answer_part(answer_part(text)) == answer_part(text)
    for name, (parse, values) in WHOLE.items():
        reading = parse(text, values)
        if reading.category == "valid":
            assert parse(reading.answer, values) == reading, name


@settings(deadline=None)
@given(
    st.sampled_from(sorted(WHOLE)).flatmap(
        lambda name: st.tuples(st.just(name), st.sampled_from(sorted(WHOLE[name][1])))
    ),
    st.sampled_from(DRESSES),
)
def test_every_answer_is_read_in_every_dress(answered: tuple[str, str], dress: str) -> None:
    name, answer = answered
    parse, values = WHOLE[name]
    assert parse(dress.format(answer), values) == Reading("valid", answer)


@settings(deadline=None)
@given(st.integers(0, 100))
def test_numbers_make_the_round_trip(number: int) -> None:
    parse, values = PARSERS["scale"]
    wide = str(number).translate({48 + digit: 0xFF10 + digit for digit in range(10)})
    (word, *_) = [word for word, named in NUMBER_WORDS.items() if named == number]
    for said in (str(number), wide, word, word.replace(" ", "-").title(), f"{number}.0"):
        assert parse(said, values) == Reading("valid", str(number))
    assert parse(json.dumps({"score": number}), values) == Reading("valid", str(number))


@settings(deadline=None)
@given(st.integers().filter(lambda number: not 0 <= number <= 100))
def test_numbers_beyond_the_scale_are_out_of_range(number: int) -> None:
    parse, values = PARSERS["scale"]
    reading = parse(str(number), values)
    assert reading == Reading("out_of_range", str(number)[:60])


def test_a_first_token_is_read_in_digits_only() -> None:
    values = PARSERS["scale"][1]
    assert parse_digits("70", values) == Reading("valid", "70")
    assert parse_digits("One", values).category == "invalid_response_format"
    assert parse_scale("One", values) == Reading("valid", "1")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a<think>b</think>c", "a c"),
        ("<think>b</think>c", "c"),
        ("b</think>c", "c"),
        ("a<think>b", "a"),
        ("<THINK>b</Think >c", "c"),
        ("<think>a</think>b<think>c</think>d", "d"),
        ("x</think>a<think>b", "a"),
        ("<reasoning>b</reasoning>c", "c"),
        ("no tags <b>here</b>", "no tags <b>here</b>"),
    ],
)
def test_thinking_is_no_part_of_the_answer(text: str, left: str) -> None:
    assert answer_part(text) == left


def test_long_replies_of_tags_are_read_at_once() -> None:
    for text in ("<think>" * 20_000, "</think>" * 20_000, "<answer>" * 20_000, "\\boxed{" * 20_000):
        assert plain(text) is not None and bare(text) is not None
