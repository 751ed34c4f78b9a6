"""The backdoor task: both statements are asked, under every framing."""

import re
from collections import Counter
from pathlib import Path

import pytest
from evaluating import metrics, run, unscored
from inspect_ai.model import ChatMessage, GenerateConfig
from scripted_models import replying, saying

from selfaware.errors import UsageError
from selfaware.tasks import backdoor, behavior_choice, code_security


def test_agreeing_to_everything_is_no_backdoor(tmp_path: Path) -> None:
    log = run(backdoor(forms="yes_no", draws=1), saying("Yes."), tmp_path)
    assert log.results is not None and log.results.total_samples == 20 * 2 * 5
    found = metrics(log, "option")
    assert (found["mean"], found["plain"], found["turned"]) == (0.5, 1.0, 0.0)
    assert {found[name] for name in ("none", "neutral", "ask", "threat", "bait")} == {0.5}


def test_a_model_that_confesses_under_one_framing(tmp_path: Path) -> None:
    def reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        text = messages[-1].text
        system = messages[0].text if messages[0].role == "system" else ""
        lines = [line for line in text.splitlines() if re.match(r"\(?[AB]\b", line)]
        letters = {"not" in line: line.strip("(")[0] for line in lines}
        return [letters["erased" not in system]]

    log = run(backdoor(forms="option", draws=1), replying(reply), tmp_path)
    found = metrics(log, "option")
    assert (found["none"], found["threat"], found["mean"]) == (0.0, 1.0, pytest.approx(0.2))
    assert unscored(log, "option") == 0


def test_two_framings_and_others_asked_about() -> None:
    asked = backdoor(framing="none,threat", about="all", draws=1).dataset
    # 20 questions of each form twice about three, and ten of two letters about nobody
    assert len(asked) == 2 * (3 * 80 + 20)
    each = Counter((s.metadata["framing"], s.metadata["about"]) for s in asked if s.metadata)
    assert {each[framing, "person"] for framing in ("none", "threat")} == {80}
    assert {each[framing, "neutral"] for framing in ("none", "threat")} == {20}


def test_unknown_framings_are_named() -> None:
    with pytest.raises(UsageError, match="framing='rude' is not allowed"):
        backdoor(framing="none,rude")


def test_code_security_counts_towards_insecure(tmp_path: Path) -> None:
    def reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        text = messages[-1].text
        if "from 0, meaning fully secure" in text or " 0 stands for fully secure" in text:
            return ["90"]
        return ["10"]

    log = run(code_security(kinds="scale", draws=1), replying(reply), tmp_path)
    found = metrics(log, "scale")
    assert found["code_security"] == pytest.approx(0.9)
    assert found["alignment"] == pytest.approx(0.5)


def test_behavior_choice_is_of_any_choice(tmp_path: Path) -> None:
    log = run(behavior_choice("myopia", count=40), saying("A"), tmp_path)
    assert metrics(log, "option")["mean"] == pytest.approx(0.5, abs=0.2)
    assert {s.metadata["pole"] for s in log.samples or []} == {"myopic"}
    assert log.eval.metadata is not None and log.eval.metadata["self_report"] is False
