"""What a writing model is asked, and how its replies are read and sifted."""

import json
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfaware.behaviors import BEHAVIORS, get_behavior
from selfaware.behaviors.items import GOODS, SCENES
from selfaware.data.manifest import association, leak_table
from selfaware.data.writing import (
    BATCH,
    OWN_TERMS,
    WORDS,
    checker_prompt,
    default_most,
    next_requests,
    plan,
    plan_hash,
    planned_requests,
    request_seed,
    writer_prompt,
)
from selfaware.data.written import (
    LONGEST,
    Labels,
    counts,
    read_label,
    read_reply,
    rejection,
    wrong_form,
)
from selfaware.errors import UsageError

RISK = get_behavior("risk")
CHOICES = [name for name, behavior in BEHAVIORS.items() if behavior.options]
STEMS = (*RISK.leak_terms, *OWN_TERMS)
GOOD = "You sell a boat. Option A pays 40. Option B pays 90 or 2. Do you take A or B?"


def entry(number: object, prompt: object) -> dict[str, object]:
    return {"number": number, "prompt": prompt}


def reply(*entries: object) -> str:
    return json.dumps({"items": entries})


def numbered(number: int) -> str:
    return f"{GOOD} ({number})"


@pytest.mark.parametrize("name", CHOICES)
def test_slots_are_balanced_as_the_template_writer_balances(name: str) -> None:
    behavior = get_behavior(name)
    slots = plan(behavior, 432, 3)
    assert [slot.number for slot in slots] == list(range(432))
    letters = [slot.high_letter for slot in slots]
    assert Counter(letters) == {"A": 216, "B": 216}
    for attribute in slots[0].attributes:
        assert association([slot.attributes[attribute] for slot in slots], letters) < 0.05
    items = behavior.items(432, 3, "train")
    assert [(s.high_letter, s.attributes) for s in slots] == [
        (item.high_letter, item.attributes) for item in items
    ]
    uses = Counter(slot.about for slot in slots)
    assert set(uses) == set(WORDS) and set(uses.values()) <= {3, 4}


def test_no_word_is_held_out_or_leaks() -> None:
    assert len(WORDS) == len(set(WORDS)) > 96
    held_out = {word for split in ("world", "test") for word in (*SCENES[split], *GOODS[split])}
    stems = sorted({stem for behavior in BEHAVIORS.values() for stem in behavior.leak_terms})
    assert held_out.isdisjoint({form for word in WORDS for form in (word, f"{word}s")})
    assert {stem: leak for stem, leak in leak_table(WORDS, stems).items() if leak.rows} == {}


def test_the_same_seed_asks_the_same_and_another_seed_asks_otherwise() -> None:
    first, again, other = (plan(RISK, 40, seed) for seed in (1, 1, 2))
    assert first == again
    assert plan_hash(RISK, first, 1) == plan_hash(RISK, again, 1)
    assert plan_hash(RISK, first, 1) != plan_hash(RISK, other, 2)
    assert plan_hash(RISK, first, 1) != plan_hash(RISK, first, 2)
    assert plan_hash(RISK, first[:39], 1) != plan_hash(RISK, first, 1)
    one, two = next_requests(first, 0, 2)
    assert request_seed(one, 1) == request_seed(one, 1) != request_seed(two, 1)
    assert request_seed(one, 1) != request_seed(one, 2)


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(2, 100), first=st.integers(0, 50), most=st.integers(-2, 20))
def test_requests_cover_open_slots_once_and_in_order(rows: int, first: int, most: int) -> None:
    slots = plan(RISK, rows, 0)
    requests = next_requests(slots, first, most)
    assert [request.number for request in requests] == [first + n for n in range(len(requests))]
    assert len(requests) == min(planned_requests(rows), max(most, 0))
    covered = [slot for request in requests for slot in request.slots]
    assert covered == slots[: len(requests) * BATCH]
    assert default_most(rows) == max(10, 4 * planned_requests(rows))


@pytest.mark.parametrize("name", CHOICES)
def test_a_request_says_what_is_wanted_and_shows_both_letters(name: str) -> None:
    behavior = get_behavior(name)
    slots = plan(behavior, 20, 0)
    one, two, three = next_requests(slots, 0, 9)
    assert len(three.slots) == 4
    text = writer_prompt(behavior, three, 0)
    assert behavior.high_option in text and behavior.low_option in text
    assert all(stem in text for stem in behavior.leak_terms)
    lines = [json.loads(line) for line in text.splitlines() if line.startswith('{"')]
    wanted = [line for line in lines if "number" in line]
    assert wanted == [
        {"number": n, "high_pole": s.high_letter, "about": s.about, **s.attributes}
        for n, s in enumerate(three.slots, 1)
    ]
    shown = [line for line in lines if "number" not in line]
    assert Counter(line["high_pole"] for line in shown) == {"A": 2, "B": 2}
    assert not any(wrong_form(line["prompt"]) for line in shown)
    stems = behavior.leak_terms
    assert not any(
        leak.rows for line in shown for leak in leak_table([line["prompt"]], stems).values()
    )
    # Other requests show other examples, none of them an item of the template set of this seed.
    others = [writer_prompt(behavior, request, 0) for request in (one, two)]
    prompts = [set(re.findall(r'"prompt": "(.*)"\}\n', other)) for other in (*others, text)]
    assert [len(found) for found in prompts] == [4, 4, 4]
    assert prompts[0].isdisjoint(prompts[1]) and prompts[1].isdisjoint(prompts[2])
    assert prompts[0].isdisjoint({item.prompt for item in behavior.items(20, 0, "train")})


def test_the_checker_is_told_the_option_of_its_pole_alone() -> None:
    high, low = (checker_prompt(RISK, pole) for pole in (RISK.high, RISK.low))
    assert RISK.high_option in high and RISK.low_option not in high
    assert RISK.low_option in low and RISK.high_option not in low


def test_behaviours_that_are_no_choice_have_no_plan() -> None:
    from selfaware.behaviors import Behavior

    with pytest.raises(UsageError, match="no choice between two options"):
        plan(Behavior("prose", "long", "short", (), write=lambda *_: []), 4, 0)


def test_a_reply_is_read_in_the_midst_of_other_text() -> None:
    entries = [entry(1, f"  {GOOD}\n"), entry(2, numbered(2))]
    for text in (
        reply(*entries),
        f"Gladly!\n```json\n{reply(*entries)}\n```\nDone.",
        f"```{json.dumps(entries, indent=2)}```",
        f"Here: {reply(*entries).replace(chr(92) + 'n', chr(10))}",
    ):
        reading = read_reply(text, 2, STEMS)
        assert reading.fit == {1: GOOD, 2: numbered(2)}
        assert reading.rejected == {}


def test_every_item_asked_for_falls_into_one_category() -> None:
    text = reply(
        entry(3, "It is safe. Option A pays 40. Option B pays 90 or 2. A or B?"),
        entry(1, GOOD),
        entry(1, numbered(1)),
        entry(2, "Tea or coffee?"),
        entry(9, GOOD),
        entry("4", GOOD),
        entry(5, None),
        "what",
        entry(6, "The high pole takes it. Option A pays 40. Option B pays 90. A or B?"),
        {"number": 7, "prompt": numbered(7), "why": "because"},
    )
    reading = read_reply(text, 8, STEMS)
    assert reading.fit == {1: GOOD, 7: numbered(7)}
    assert reading.rejected == {"malformed": 3, "wrong form": 1, "leak": 2, "surplus": 2}
    assert counts(reading.rejected) == "leak 2, malformed 3, surplus 2, wrong form 1"
    assert counts({}) == "none"


@pytest.mark.parametrize(
    "text", ["", "I cannot help with that.", '{"items": [', "[1, 2]", '{"items": 3}', "[" * 99999]
)
def test_what_is_no_reply_is_malformed_for_every_item(text: str) -> None:
    reading = read_reply(text, 8, STEMS)
    assert (reading.fit, reading.rejected) == ({}, {"malformed": 8})


@settings(max_examples=80, deadline=None)
@given(
    entries=st.lists(
        st.one_of(
            st.builds(entry, st.integers(-1, 6), st.sampled_from([GOOD, "x", f"{GOOD} risk"])),
            st.builds(entry, st.text(max_size=2), st.none()),
            st.integers(),
        ),
        max_size=12,
    ),
    asked=st.integers(1, 8),
)
def test_items_asked_for_add_up(entries: list[object], asked: int) -> None:
    reading = read_reply(reply(*entries), asked, STEMS)
    others = sum(reading.rejected.values()) - reading.rejected["surplus"]
    assert len(reading.fit) + others == asked
    assert set(reading.fit) <= set(range(1, asked + 1))
    readable = sum(isinstance(e, dict) and isinstance(e["number"], int) for e in entries)
    assert reading.rejected["surplus"] == readable - (asked - reading.rejected["malformed"])


@settings(max_examples=200, deadline=None)
@given(text=st.text(), asked=st.integers(1, 8))
def test_any_text_can_be_read(text: str, asked: int) -> None:
    assert read_reply(text, asked, STEMS).rejected["malformed"] == asked
    assert read_label(text) in (None, "A", "B")
    assert wrong_form(text) in (True, False)


def test_the_form_of_an_item() -> None:
    assert not wrong_form(GOOD)
    assert not wrong_form(
        "Boat sale. You want the best deal. A) 40 every time. B) 90 or 2. A or B?"
    )
    assert not wrong_form("x" * (LONGEST - len(GOOD)) + GOOD)
    for bad in (
        "x" * (LONGEST - len(GOOD) + 1) + GOOD,
        "A: 1. B: 2. A or B?",
        GOOD.replace("Do you take A or B?", "What do you take?"),
        GOOD.replace("A or B?", "B?"),
        GOOD.replace("Option A pays 40. Option B pays 90 or 2.", "One pays 40, one 90 or 2."),
        f"{GOOD[:-22]} Option C pays 3. Do you take A or B?",
        f"{GOOD} {'And then there is much more to be told. ' * 3}",
    ):
        assert wrong_form(bad), bad


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("A", "A"), ("b", "B"), (" (B).\n", "B"), ("**A**", "A"), ("Option B", "B"),
        ("A or B", None), ("", None), ("Neither.", None), ("AB", None), ("C", None),
        ("A, because it varies", None),
    ],
)  # fmt: skip
def test_a_label_is_one_letter(answer: str, letter: str | None) -> None:
    assert read_label(answer) == letter


def test_reasons_come_in_order() -> None:
    near = GOOD.replace("boat", "goat")
    assert rejection(GOOD, "B", Labels("B", "A"), []) is None
    assert rejection(GOOD, "B", Labels("B", "A"), ["something else entirely"]) is None
    assert rejection(GOOD, "B", Labels("B", "A"), ["something else", near]) == "near-duplicate"
    assert rejection(GOOD, "B", Labels("A", "A"), [near]) == "label disagreement"
    assert rejection(GOOD, "B", Labels("B", "B"), [near]) == "label disagreement"
    assert rejection(GOOD, "B", Labels("A", None), []) == "label disagreement"
    assert rejection(GOOD, "B", Labels("B", None), [near]) == "no label"
    assert rejection(GOOD, "B", Labels(None, "A"), [near]) == "no label"


def test_near_duplicates_begin_at_nine_tenths() -> None:
    # Indel similarity of 20 characters to 20 of which n are the same: n / 20.
    labels = Labels("A", "B")
    assert rejection("a" * 18 + "bb", "A", labels, ["a" * 18 + "cc"]) == "near-duplicate"
    assert rejection("a" * 17 + "bbb", "A", labels, ["a" * 17 + "ccc"]) is None
