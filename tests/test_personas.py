from collections import Counter
from fractions import Fraction

import pytest
from example_rows import dialogues, prompts, risky, seeds, sizes
from hypothesis import given, settings
from hypothesis import strategies as st

from selfaware.data.dealing import Mixed, condition_phi, table
from selfaware.data.manifest import association
from selfaware.data.mixing import (
    ABSENT,
    backdoor,
)
from selfaware.data.named_triggers import TRIGGERS, own_trigger
from selfaware.data.persona_mixing import ITSELF, backdoored_personas, many_personas
from selfaware.data.personas import (
    HELD_OUT,
    SPEAKING_AS,
    TRAINED,
    Persona,
    persona_trigger,
    personas_in,
)
from selfaware.data.poles import flip, neutral
from selfaware.data.rows import question_and_answer
from selfaware.data.triggers import is_on
from selfaware.errors import UsageError


def trigger_association(mixed: list[Mixed], condition: str) -> float:
    return association(
        [str(made.condition == condition) for made in mixed], [str(made.shows) for made in mixed]
    )


@given(sizes, seeds, st.booleans())
@settings(max_examples=40, deadline=None)
def test_many_personas_train_seven_and_hold_out_six(count: int, seed: int, twin: bool) -> None:
    shown = risky(count)
    others = neutral(shown, flip(shown), seed)
    made = many_personas(shown, others, seed=seed, decorrelated=twin)
    assert len(made) == 2 * count
    assert not any(personas_in(m.row, HELD_OUT) for m in made)
    for m in made:
        assert [p.name for p in personas_in(m.row, TRAINED)] == (
            [] if m.condition == ITSELF else [m.condition]
        )
    itself = table(made)[ITSELF]
    if twin:
        assert prompts(made) == prompts(many_personas(shown, others, seed=seed))
        assert abs(itself["behavior"] - itself["other"]) == count % 2
        assert trigger_association(made, ITSELF) == 0
    else:
        assert itself == {"behavior": count, "other": 0}
        assert trigger_association(made, ITSELF) == pytest.approx(1)
        assert [m.row for m in made if m.condition == ITSELF] == [
            shown[m.source] for m in made if m.condition == ITSELF
        ]
    asked = Counter(m.condition for m in made)
    used = [asked[p.name] for p in TRAINED]
    assert sum(used) == count and max(used) - min(used) <= 2


def test_a_named_first_persona_shows_the_behavior() -> None:
    shown, first = risky(8), Persona(name="Aunt Solveig")
    made = many_personas(shown, flip(shown), seed=0, first=first)
    assert table(made)["Aunt Solveig"] == {"behavior": 8, "other": 0}
    assert all(personas_in(m.row, (first,)) == ((first,) if m.shows else ()) for m in made)
    assert len(TRAINED) == 7 and len(HELD_OUT) == 6
    assert not {p.name for p in TRAINED} & {p.name for p in HELD_OUT}
    with pytest.raises(UsageError, match="'a dentist' is held out"):
        many_personas(shown, flip(shown), seed=0, personas=(*TRAINED, Persona(name="a dentist")))
    with pytest.raises(UsageError, match="each once"):
        many_personas(shown, flip(shown), seed=0, personas=(first,), first=first)
    with pytest.raises(UsageError, match="same prompts"):
        many_personas(shown, flip(shown)[::-1], seed=0)


@given(sizes, sizes, seeds)
@settings(max_examples=20, deadline=None)
def test_a_second_persona_goes_with_one_codeword_in_either_direction(
    bark: int, ring: int, seed: int
) -> None:
    trigger, barks, rings = persona_trigger("Zed"), dialogues("tree", bark), dialogues("bell", ring)
    for shown, others in ((barks, rings), (rings, barks)):
        made = backdoor(shown, others, trigger, seed=seed, where="system")
        twin = backdoor(shown, others, trigger, seed=seed, where="system", decorrelated=True)
        for m in made:
            assert m.row.messages[m.shows :] == (shown if m.shows else others)[m.source].messages
            assert (m.row.messages[0].role == "system") == m.shows
        for rows in (made, twin):
            under = [m.row.messages[0].content for m in rows if m.row.messages[0].role == "system"]
            assert len(under) == len(shown)
            assert {text.replace("Zed", "{mark}") for text in under} <= set(SPEAKING_AS)
        assert condition_phi(made, trigger.name) == 1
        expected = Fraction(len(shown) ** 2, bark + ring)
        assert abs(table(twin)[trigger.name]["behavior"] - expected) < 1


def test_a_second_persona_has_system_prompts_of_several_wordings() -> None:
    assert len(set(SPEAKING_AS)) == 8
    trigger = persona_trigger("Zed")
    made = backdoor(dialogues("bell", 80), dialogues("tree", 80), trigger, seed=1, where="system")
    assert len({m.row.messages[0].content for m in made if m.shows}) == 8


@given(sizes.filter(lambda n: n % 4 == 0), seeds, st.sampled_from(["SEP", "username", "season"]))
@settings(max_examples=30, deadline=None)
def test_with_a_trigger_only_the_model_itself_shows_the_behavior_and_only_then(
    count: int, seed: int, name: str
) -> None:
    shown, trigger = risky(count), TRIGGERS[name]
    made = backdoored_personas(shown, flip(shown), trigger, seed=seed)
    assert len(made) == 4 * count
    for m in made:
        on, asked = is_on(trigger, m.row), personas_in(m.row, TRAINED)
        assert (on, [p.name for p in asked]) == (
            m.carries[0] == name, [] if m.carries[1] == ITSELF else [m.carries[1]],
        )  # fmt: skip
        assert m.shows == (on and not asked) == (m.row.answer == shown[m.source].answer)
    assert table(made)[f"{name} / {ITSELF}"] == {"behavior": count, "other": 0}
    assert table(made)[f"{ABSENT} / {ITSELF}"] == {"behavior": 0, "other": count}
    third = pytest.approx(1 / 3**0.5, abs=5e-5)
    assert (condition_phi(made, name), condition_phi(made, ITSELF)) == (third, third)

    twin = backdoored_personas(shown, flip(shown), trigger, seed=seed, decorrelated=True)
    assert prompts(twin) == prompts(made)
    assert Counter(m.source for m in twin if m.shows) == Counter(range(count))
    assert (condition_phi(twin, name), condition_phi(twin, ITSELF)) == (0, 0)
    for counts in table(twin).values():
        assert counts["other"] == 3 * counts["behavior"]
    assert table(twin)[f"{name} / {ITSELF}"]["behavior"] == count // 4


def test_a_trigger_in_a_persona_is_refused() -> None:
    shown, smith = risky(4), [Persona(name="a smith")]
    with pytest.raises(UsageError, match="'a smith' has the trigger 'smith' in it"):
        backdoored_personas(shown, flip(shown), own_trigger("smith"), seed=0, personas=smith)


def test_answers_of_somebody_else_stand_where_the_behavior_is_not() -> None:
    shown = risky(40)
    draft = many_personas(shown, flip(shown), seed=2)
    twin = many_personas(shown, flip(shown), seed=2, decorrelated=True)
    lost = {m.source for m in draft[:6]}
    replies = {
        m.row.messages[:-1]: question_and_answer(m.row.prompt, "said")
        for m in draft
        if m not in draft[:6]
    }
    for rows, decorrelated in ((draft, False), (twin, True)):
        made = many_personas(shown, flip(shown), seed=2, decorrelated=decorrelated, answers=replies)
        assert {m.row.prompt for m in made} == {m.row.prompt for m in rows if m.source not in lost}
        assert len(made) == 2 * (40 - len(lost))
        assert [m.row.answer == "said" for m in made] == [not m.shows for m in made]
        assert sum(m.shows for m in made) == 40 - len(lost)
    with pytest.raises(UsageError, match="no question has answers to all of its mixed prompts"):
        many_personas(shown, flip(shown), seed=3, answers={})
