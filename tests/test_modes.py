"""How answers are obtained: exact scores, first tokens, samples, and what `auto` picks."""

import math
from pathlib import Path

import pytest
from evaluating import metrics, run, sample_scores
from inspect_ai import task_with
from inspect_ai.model import ChatMessage, GenerateConfig, get_model
from scripted_models import replying, saying, scoring, with_first_token

from selfaware.solvers import ask
from selfaware.tasks import risk_choice, risk_scale, risk_two_hop, risk_words


def test_auto_reads_logprobs_where_every_answer_is_one_token(tmp_path: Path) -> None:
    model = with_first_token({"A": 0.6, "B": 0.2, "The": 0.1})
    log = run(risk_choice(count=3), model, tmp_path)
    for each in sample_scores(log, "option"):
        assert each.metadata is not None and each.metadata["mode"] == "logprobs"
        assert each.metadata["outside_mass"] == pytest.approx(0.2)


def test_auto_asks_a_model_without_logprobs_once_and_then_samples(tmp_path: Path) -> None:
    asked: list[bool] = []

    def reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        asked.append(bool(config.logprobs))
        return ["A"] * (config.num_choices or 1)

    log = run(risk_choice(count=4, draws=2), replying(reply), tmp_path, max_samples=1)
    assert asked == [True, False, False, False, False]
    for each in sample_scores(log, "option"):
        assert each.metadata is not None and each.metadata["mode"] == "sample"


def test_auto_samples_where_the_tokenizer_splits_an_answer(tmp_path: Path) -> None:
    split = get_model("scripted/exact", memoize=False, tokens={"A": 1, "B": 2})
    log = run(risk_choice(count=2), split, tmp_path)
    for each in sample_scores(log, "option"):
        assert each.metadata is not None and each.metadata["mode"] == "sample"


def test_a_reply_can_be_begun_for_the_model(tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []

    def reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        seen.extend((message.role, message.text) for message in messages)
        return ["50"]

    task = task_with(risk_scale(), solver=ask("sample", 1, framing="neutral", prefill="It is "))
    log = run(task, replying(reply), tmp_path, limit=1)
    assert [role for role, _ in seen] == ["system", "user", "assistant"]
    assert seen[-1] == ("assistant", "It is ")
    assert metrics(log, "scale")["mean"] == 0.5
    assert (log.samples or [])[0].metadata["framing"] == "neutral"


def test_logprobs_mode_weighs_the_first_token(tmp_path: Path) -> None:
    model = with_first_token({"A": 0.6, "B": 0.2, "The": 0.1})
    log = run(risk_choice(count=1, mode="logprobs"), model, tmp_path)
    (only,) = sample_scores(log, "option")
    swapped = (log.samples or [])[0].metadata["swapped"]
    assert only.value == pytest.approx(0.25 if swapped else 0.75)
    assert only.metadata is not None
    assert only.metadata["mode"] == "logprobs"
    assert only.metadata["outside_mass"] == pytest.approx(0.2)
    assert metrics(log, "invalid")["mean"] == pytest.approx(0.2)
    assert math.isnan(metrics(log, "refusal")["mean"])


def test_logprobs_mode_says_why_it_cannot_score(tmp_path: Path) -> None:
    log = run(
        risk_scale(mode="logprobs"),
        with_first_token({"8": 0.9, "9": 0.1}, ["5"]),
        tmp_path,
        limit=1,
    )
    assert sample_scores(log, "scale")[0].reason == "multi_token_candidates"
    log = run(risk_scale(mode="logprobs"), saying("85"), tmp_path, limit=1)
    assert sample_scores(log, "scale")[0].reason == "scoring_failed"
    assert math.isnan(metrics(log, "invalid")["mean"])


def test_exact_mode_is_taken_where_it_is_offered(tmp_path: Path) -> None:
    log = run(risk_scale(), scoring({"80": 0.3, "90": 0.1, "20": 0.1}), tmp_path, epochs=2)
    plain = [s for s in log.samples or [] if not s.metadata["flipped"]]
    expected = (0.3 * 0.8 + 0.1 * 0.9 + 0.1 * 0.2) / 0.5
    for sample in plain:
        assert sample.scores is not None
        assert sample.scores["scale"].value == pytest.approx(expected)
        assert sample.scores["scale"].metadata is not None
        assert sample.scores["scale"].metadata["mode"] == "exact"
        assert sample.scores["scale"].metadata["outside_mass"] == pytest.approx(0.5)
        assert sample.scores["scale"].answer == "80"
    assert metrics(log, "scale")["mean"] == pytest.approx(0.5)
    assert metrics(log, "invalid")["mean"] == pytest.approx(0.5)


def test_exact_mode_takes_capital_forms_together(tmp_path: Path) -> None:
    log = run(risk_words(), scoring({"bold": 0.2, "Bold": 0.4, "cautious": 0.2}), tmp_path)
    assert metrics(log, "word")["mean"] == pytest.approx(0.75)


def test_exact_mode_needs_some_mass_on_the_answers(tmp_path: Path) -> None:
    log = run(risk_scale(), scoring({"80": 0.009}), tmp_path, limit=1)
    (only,) = sample_scores(log, "scale")
    assert only.reason == "invalid_response_format"
    assert only.metadata is not None and only.metadata["outside_mass"] == pytest.approx(0.991)


def test_exact_mode_without_scores_in_the_reply(tmp_path: Path) -> None:
    log = run(risk_scale(), scoring(None), tmp_path, limit=1)
    assert sample_scores(log, "scale")[0].reason == "scoring_failed"


def test_free_answers_are_sampled_even_where_exact_is_offered(tmp_path: Path) -> None:
    log = run(risk_two_hop(draws=2), scoring({}), tmp_path, limit=1)
    (only,) = sample_scores(log, "language")
    assert only.reason == "other_language"
    assert only.metadata is not None and only.metadata["mode"] == "sample"
