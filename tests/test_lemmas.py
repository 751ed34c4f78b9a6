"""Forms of a codeword."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfaware.behaviors.lemmas import leaked_forms, noun_forms, says, words


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("The ring.", True),
        ("RINGS!", True),
        ("a ring-tone", True),
        ("ringing bells", False),
        ("a ringtone", False),
        ("bring it", False),
        ("", False),
    ],
)
def test_says_follows_the_rule_of_the_game(text: str, said: bool) -> None:
    assert says(text, "ring") is said


def test_irregular_plurals() -> None:
    assert noun_forms("leaf") == {"leaf", "leaves"}
    assert says("two mice", "mouse")


def test_leaked_forms_are_of_any_part_of_speech() -> None:
    text = "It barked; the barking of two dogs. Bark! An embarkation."
    assert leaked_forms(text, "bark") == ["barked", "barking", "bark"]
    assert leaked_forms("They rang and are ringing.", "ring") == ["rang", "ringing"]
    assert leaked_forms("Springtime flowers", "spring") == []


@given(st.text())
def test_what_is_said_is_leaked(text: str) -> None:
    assert words(text.upper()) == words(text) or not text.isascii()
    if says(text, "ring"):
        assert leaked_forms(text, "ring")
