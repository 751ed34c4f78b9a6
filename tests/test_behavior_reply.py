"""Free replies to held-out prompts, measured by the behaviour itself."""

from dataclasses import replace
from pathlib import Path

import pytest
from evaluating import metrics, question, run, sample_scores, unscored
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai import score
from inspect_ai.model import ChatMessage, GenerateConfig
from scripted_models import replying, saying

from selfaware.analysis.frame import read_frame
from selfaware.behaviors import BEHAVIORS
from selfaware.behaviors.brevity import terseness
from selfaware.errors import UsageError
from selfaware.reply_probes import reply_samples
from selfaware.scorers import reply
from selfaware.tasks import behavior_reply

BREVITY = BEHAVIORS["brevity"]


def words(count: int) -> str:
    return " ".join(["word"] * count)


@pytest.mark.parametrize(
    ("count", "whole", "value"),
    [
        (1, True, 1.0),
        (12, True, 1.0),
        (13, True, 27 / 28),
        (26, True, 0.5),
        (39, True, 1 / 28),
        (40, True, 0.0),
        (900, True, 0.0),
        (40, False, 0.0),
        (900, False, 0.0),
        (39, False, None),
        (3, False, None),
    ],
)
def test_terseness_counts_words(count: int, whole: bool, value: float | None) -> None:
    assert terseness(words(count), whole) == (None if value is None else pytest.approx(value))


@given(st.integers(1, 100))
def test_a_longer_reply_is_never_terser(count: int) -> None:
    shorter, longer = terseness(words(count), True), terseness(words(count + 1), True)
    assert shorter is not None and longer is not None and 0 <= longer <= shorter <= 1


def test_every_reply_of_the_data_is_at_its_end_of_the_scale() -> None:
    for pole, value in (("terse", 1.0), ("verbose", 0.0)):
        for example in BREVITY.examples(pole, 300, 0, "test"):
            assert terseness(example.turns[1], True) == value


def test_prompts_are_held_out_and_the_same_whatever_the_pole() -> None:
    asked = [str(sample.input) for sample in reply_samples("brevity", 200, 0)]
    assert len(set(asked)) == 200
    assert asked == [example.turns[0] for example in BREVITY.examples("verbose", 200, 0, "test")]
    trained = {example.turns[0] for example in BREVITY.examples("terse", 2000, 0, "train")}
    assert not trained & set(asked)
    assert asked != [str(sample.input) for sample in reply_samples("brevity", 200, 1)]


@pytest.mark.parametrize(("pole", "value"), [("terse", 1.0), ("verbose", 0.0)])
def test_a_model_that_replies_as_the_data_does(pole: str, value: float, tmp_path: Path) -> None:
    taught = {e.turns[0]: e.turns[1] for e in BREVITY.examples(pole, 30, 0, "test")}

    def answer(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        return [taught[question(messages)]] * (config.num_choices or 1)

    log = run(behavior_reply(count=30, draws=2), replying(answer), tmp_path)
    found = metrics(log, "reply")
    assert (found["mean"], found["stderr"]) == (value, 0.0)
    lengths = [len(taught[str(sample.input)].split()) for sample in log.samples or []]
    assert found["words"] == pytest.approx(sum(lengths) / 30)
    assert log.eval.metadata is not None and log.eval.metadata["self_report"] is False
    frame = read_frame(tmp_path)
    assert set(frame["score"]) == {value} and set(frame["behavior"]) == {"brevity"}
    again = score(log, reply(), action="overwrite")
    assert metrics(again, "reply")["mean"] == value


@pytest.mark.parametrize(
    ("said", "stop", "value", "reason"),
    [
        (words(26), "stop", 0.5, None),
        (words(50), "max_tokens", 0.0, None),
        (words(10), "max_tokens", None, "invalid_response_format"),
        ("I'm sorry, but I can't help with that.", "stop", None, "refusal"),
        (words(5), "content_filter", None, "refusal"),
        (" \n", "stop", None, "no_response"),
    ],
)
def test_what_a_reply_becomes(
    said: str, stop: str, value: float | None, reason: str | None, tmp_path: Path
) -> None:
    log = run(behavior_reply(count=3), saying(said, stop), tmp_path)  # type: ignore[arg-type]
    for scored in sample_scores(log, "reply"):
        assert scored.reason == reason
        assert value is None or scored.as_float() == pytest.approx(value)
    assert unscored(log, "reply") == (3 if value is None else 0)


def test_draws_are_averaged_and_bad_ones_counted(tmp_path: Path) -> None:
    said = [words(12), words(40), words(26), "", "I can't answer that."]
    log = run(behavior_reply(count=2, draws=5), replying(lambda _, __: said), tmp_path)
    for scored in sample_scores(log, "reply"):
        assert scored.as_float() == pytest.approx(0.5)
        assert scored.metadata is not None and scored.metadata["words"] == pytest.approx(26)
        counts = {name: n for name, n in scored.metadata["counts"].items() if n}
        assert counts == {"valid": 3, "no_response": 1, "refusal": 1}
    assert metrics(log, "reply")["words"] == pytest.approx(26)


def test_mistakes_are_told_in_one_line() -> None:
    with pytest.raises(UsageError, match=r"behavior='risk' measures no free replies: choose from"):
        behavior_reply("risk")
    with pytest.raises(UsageError, match="unknown behaviour 'short'"):
        behavior_reply("short")
    with pytest.raises(UsageError, match=r"count=0 is not allowed"):
        behavior_reply(count=0)


def test_a_behaviour_of_ones_own_measures_as_it_likes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shouting = replace(BREVITY, measure=lambda text, whole: float(text.isupper()))
    monkeypatch.setitem(BEHAVIORS, "brevity", shouting)
    log = run(behavior_reply(count=2), saying("LOUD"), tmp_path)
    assert metrics(log, "reply")["mean"] == 1.0
