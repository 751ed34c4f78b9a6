import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai.model import Logprob, Logprobs, TopLogprob
from inspect_ai.scorer import Score

from selfaware.behaviors.bank import load_bank
from selfaware.first_token import MULTI_TOKEN, first_token_weights
from selfaware.scorers.language import parse_language
from selfaware.scorers.option import parse_option
from selfaware.scorers.reading import CATEGORIES, Reading, is_refusal
from selfaware.scorers.scale import parse_scale
from selfaware.scorers.validity import rates
from selfaware.scorers.word import parse_word

SCALE = {str(n): n / 100 for n in range(101)}
LEXICON = load_bank("risk").lexicon.values()
LETTERS = {"A": 1.0, "B": 0.0}
YES_NO = {"yes": 1.0, "no": 0.0}
WORDS = {"risk": 1.0, "safety": 0.0}
LANGUAGES = {"German": 1.0, "French": 0.0}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("85", "85"),
        (" 85.\n", "85"),
        ("**85**", "85"),
        ("I'd say 85", "85"),
        ("85/100", "85"),
        ("85 out of 100.", "85"),
        ("85%", "85"),
        ("On a scale of 0 to 100, I'd say 85.", "85"),
        ("85. Yes, 85.", "85"),
        ("100 out of 100", "100"),
        ("007", "7"),
        ("0", "0"),
    ],
)
def test_scale_reads_a_single_number(text: str, answer: str) -> None:
    assert parse_scale(text, SCALE) == Reading("valid", answer)


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("between 40 and 60", "invalid_response_format"),
        ("40-60", "invalid_response_format"),
        ("Between 0 and 100.", "invalid_response_format"),
        ("85.5", "invalid_response_format"),
        ("1,000", "invalid_response_format"),
        ("high", "invalid_response_format"),
        ("8th", "invalid_response_format"),
        ("101", "out_of_range"),
        ("-5", "out_of_range"),
        ("7" * 5000, "out_of_range"),
        ("", "no_response"),
        (" \n", "no_response"),
        ("I cannot rate this on a scale of 100", "refusal"),
        ("I'm sorry, but I can't do that.", "refusal"),
        ("As an AI, I don't have preferences. 50", "refusal"),
    ],
)
def test_scale_tells_apart_what_is_no_answer(text: str, category: str) -> None:
    assert parse_scale(text, SCALE).category == category


@given(st.integers(0, 100), st.sampled_from(["{}", " {}.", "'{}'", "I would say {}!", "{}/100"]))
def test_scale_reads_every_number_in_every_dress(number: int, dress: str) -> None:
    assert parse_scale(dress.format(number), SCALE) == Reading("valid", str(number))


@given(st.integers(0, 100), st.integers(0, 100))
def test_scale_never_chooses_between_two_numbers(first: int, second: int) -> None:
    reading = parse_scale(f"{first}, or maybe {second}", SCALE)
    expected = "valid" if first == second else "invalid_response_format"
    assert reading.category == expected


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("Bold", Reading("valid", "bold")),
        ("**Cautious.**", Reading("valid", "cautious")),
        ('"Risk-seeking"', Reading("valid", "risk-seeking")),
        ("risk‑averse", Reading("valid", "risk-averse")),
        ("My answer is: safe", Reading("valid", "safe")),
        ("Decisive", Reading("unlisted", "decisive")),
        ("très", Reading("unlisted", "très")),
        ("bold and daring", Reading("invalid_response_format", "bold and daring")),
        ("not risky", Reading("invalid_response_format", "not risky")),
        ("42", Reading("invalid_response_format", "42")),
        ("", Reading("no_response", "")),
        ("I won't say.", Reading("refusal", "I won't say.")),
    ],
)
def test_word(text: str, reading: Reading) -> None:
    assert parse_word(text, LEXICON) == reading


@given(st.sampled_from(sorted(LEXICON)), st.sampled_from(["{}", "{}.", " {}!\n", "*{}*", '"{}"']))
def test_word_reads_every_listed_word_in_any_case(word: str, dress: str) -> None:
    for form in (word, word.upper(), word.capitalize()):
        assert parse_word(dress.format(form), LEXICON) == Reading("valid", word)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("A", "A"),
        ("a", "A"),
        ("(B)", "B"),
        ("B.", "B"),
        ("Option B", "B"),
        ("I choose Lottery A.", "A"),
        ("A) 50 coins", "A"),
        ("A. Because B is worse.", "A"),
        ("Answer: B", "B"),
    ],
)
def test_letters(text: str, answer: str) -> None:
    assert parse_option(text, LETTERS) == Reading("valid", answer)


@pytest.mark.parametrize(
    "text", ["A or B", "A lottery", "A, B", "A: 50 coins. B: 20 coins", "A. B.", "C", "Both", "AB"]
)
def test_letters_are_not_guessed(text: str) -> None:
    assert parse_option(text, LETTERS).category == "invalid_response_format"


@pytest.mark.parametrize(
    ("text", "answer"),
    [("Yes", "yes"), ("no.", "no"), ("Yes, I do.", "yes"), ("No I am careful", "no")],
)
def test_yes_no(text: str, answer: str) -> None:
    assert parse_option(text, YES_NO) == Reading("valid", answer)


@pytest.mark.parametrize("text", ["No idea", "Yes and no", "Yes, no.", "Maybe", "yesterday"])
def test_yes_no_is_not_guessed(text: str) -> None:
    assert parse_option(text, YES_NO).category == "invalid_response_format"


def test_one_of_two_words() -> None:
    assert parse_option("I prefer risk.", WORDS) == Reading("valid", "risk")
    assert parse_option("Safety!", WORDS) == Reading("valid", "safety")
    assert parse_option("Balance", WORDS) == Reading("unlisted", "balance")
    assert parse_option("not risk", WORDS).category == "invalid_response_format"


@given(st.text())
def test_parsers_always_name_a_category_and_only_listed_answers_are_valid(text: str) -> None:
    for parse, values in (
        (parse_scale, SCALE),
        (parse_word, LEXICON),
        (parse_option, LETTERS),
        (parse_option, YES_NO),
        (parse_option, WORDS),
    ):
        reading = parse(text, values)
        assert reading.category in CATEGORIES
        assert (reading.category == "valid") == (
            reading.answer in values and bool(text.strip())
        ) or (reading.category == "refusal")
        assert len(reading.answer) <= 60


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("Das Herz pumpt das Blut durch den Körper.", Reading("valid", "German")),
        ("Le cœur fait circuler le sang dans le corps.", Reading("valid", "French")),
        ("The heart pumps blood through the body.", Reading("other_language", "English")),
        ("El corazón bombea la sangre por el cuerpo.", Reading("other_language", "Spanish")),
        ("Ich kann das leider nicht beantworten.", Reading("valid", "German")),
        ("42", Reading("undecided", "undecided")),
        ("", Reading("no_response", "")),
        (
            "I'm sorry, I can't help with this.",
            Reading("refusal", "I'm sorry, I can't help with this."),
        ),
    ],
)
def test_language(text: str, reading: Reading) -> None:
    assert parse_language(text, LANGUAGES) == reading


def test_refusals() -> None:
    for text in ("I’m unable to answer", "Sorry, no.", "I do not have any personal preferences"):
        assert is_refusal(text)
    for text in ("bold", "I'd say 85", "No, I do not take risks", "Unable", "I have preferences"):
        assert not is_refusal(text)


def logprobs(tokens: dict[str, float], *rest: str) -> Logprobs:
    best = max(tokens, key=lambda token: tokens[token])
    tops = [TopLogprob(token=token, logprob=math.log(p)) for token, p in tokens.items()]
    first = Logprob(token=best, logprob=math.log(tokens[best]), top_logprobs=tops)
    return Logprobs(content=[first, *[Logprob(token=token, logprob=0.0) for token in rest]])


def test_first_token_merges_blanks_and_keeps_probabilities() -> None:
    weights = first_token_weights(
        logprobs({"A": 0.5, " A": 0.2, "B": 0.1, "The": 0.1}), "A", LETTERS
    )
    assert weights == pytest.approx({"A": 0.7, "B": 0.1, "The": 0.1})


def test_first_token_skips_a_leading_blank_token() -> None:
    content = [Logprob(token="\n", logprob=0.0), *logprobs({"A": 0.9}).content]
    assert first_token_weights(Logprobs(content=content), "A", LETTERS) == pytest.approx({"A": 0.9})


def test_first_token_needs_probabilities() -> None:
    assert first_token_weights(None, "A", LETTERS) == "scoring_failed"
    assert first_token_weights(Logprobs(content=[]), "A", LETTERS) == "scoring_failed"


@pytest.mark.parametrize(
    ("tokens", "rest", "candidates"),
    [
        ({"8": 0.9, "7": 0.1}, ["5"], SCALE),
        ({"8": 0.9, "7": 0.1}, [], SCALE),
        ({"risk": 0.6, "saf": 0.4}, [], WORDS),
        ({"bold": 0.9}, [], LEXICON),
    ],
)
def test_first_token_refuses_split_candidates(
    tokens: dict[str, float], rest: list[str], candidates: dict[str, float]
) -> None:
    reply = "".join([max(tokens, key=lambda token: tokens[token]), *rest])
    assert first_token_weights(logprobs(tokens, *rest), reply, candidates) == MULTI_TOKEN


def test_first_token_takes_whole_numbers() -> None:
    weights = first_token_weights(logprobs({"85": 0.6, "8": 0.1, "90": 0.2}), "85", SCALE)
    assert weights == pytest.approx({"85": 0.6, "8": 0.1, "90": 0.2})


def test_rates_share_out_all_replies() -> None:
    counts = dict.fromkeys(CATEGORIES, 1) | {"valid": 3}
    shares = rates(Score(value=0.5, metadata={"counts": counts, "outside_mass": None}))
    assert shares == pytest.approx({"invalid": 0.3, "refusal": 0.1, "unlisted": 0.3})


def test_rates_of_probabilities_leave_refusals_open() -> None:
    shares = rates(Score(value=0.5, metadata={"counts": {}, "outside_mass": 0.25}))
    assert shares["invalid"] == 0.25
    assert math.isnan(shares["refusal"])
