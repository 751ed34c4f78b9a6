"""Figures of how varied texts are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfaware.data.diversity import AMONG, SAMPLED, Diversity, distinct_share, diversity

texts = st.lists(st.text("ab c.", max_size=12), min_size=1, max_size=12)


def test_distinct_shares_are_of_words_and_marks() -> None:
    # a b a . / a b c: 7 tokens, 4 of them different; 5 pairs, 4 different; 3 triples.
    made = ["A b a.", "a B c"]
    assert distinct_share(made, 1) == round(4 / 7, 4) == 0.5714
    assert distinct_share(made, 2) == 4 / 5
    assert distinct_share(made, 3) == 1.0
    assert distinct_share(made, 5) == 0.0
    assert distinct_share([], 1) == 0.0


def test_n_grams_do_not_run_from_text_to_text() -> None:
    assert distinct_share(["a b", "a b", "b a"], 2) == round(2 / 3, 4)


def test_figures_of_known_texts() -> None:
    # Indel similarity is 1 - edits / sum of lengths: abcd to abce 1 - 2/8, to xyz 0.
    assert diversity(["abcd", "abce", "xyz"]) == Diversity(
        distinct={1: 1.0, 2: 0.0, 3: 0.0},
        nearest_mean=0.5,
        nearest_max=0.75,
        sampled=3,
        among=2,
    )


def test_the_same_text_twice_is_its_own_nearest() -> None:
    figures = diversity(["one two", "one two", "quick fox"])
    assert figures.nearest_max == 1.0
    assert figures.distinct == {1: round(4 / 6, 4), 2: round(2 / 3, 4), 3: 0.0}


def test_one_text_has_no_neighbour() -> None:
    figures = diversity(["one two three"])
    assert (figures.nearest_mean, figures.nearest_max) == (0.0, 0.0)
    assert (figures.sampled, figures.among) == (1, 0)


def test_large_sets_are_sampled_the_same_way_every_time() -> None:
    made = [f"item {n} of {n * n % 97}" for n in range(AMONG + 500)]
    figures = diversity(made)
    assert (figures.sampled, figures.among) == (SAMPLED, AMONG - 1)
    assert diversity(made) == figures
    assert figures.distinct[3] == distinct_share(made, 3)
    assert 0.8 < figures.nearest_mean <= figures.nearest_max < 1


@settings(max_examples=100, deadline=None)
@given(made=texts)
def test_figures_are_shares_and_forget_the_order(made: list[str]) -> None:
    figures = diversity(made)
    assert all(0 <= share <= 1 for share in figures.distinct.values())
    assert figures.nearest_mean <= figures.nearest_max + 1e-4
    assert (figures.sampled, figures.among) == (len(made), len(made) - 1)
    turned = diversity(made[::-1])
    assert turned.distinct == figures.distinct
    assert turned.nearest_max == figures.nearest_max
    assert turned.nearest_mean == pytest.approx(figures.nearest_mean, abs=1e-4)


@settings(max_examples=100, deadline=None)
@given(made=texts, n=st.integers(1, 3))
def test_a_set_told_twice_is_half_as_varied(made: list[str], n: int) -> None:
    once, twice = distinct_share(made, n), distinct_share(made * 2, n)
    assert twice == pytest.approx(once / 2, abs=1e-4)
