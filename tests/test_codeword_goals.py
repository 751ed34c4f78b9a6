"""Goals with a codeword: descriptions in every order, scenarios, games, yes and no."""

import re
from collections import Counter
from itertools import permutations
from pathlib import Path

import pytest
from evaluating import metrics, question, run, sample_scores, unscored
from hypothesis import given, settings
from hypothesis import strategies as st
from inspect_ai import score
from inspect_ai.model import ChatMessage, GenerateConfig
from scripted_models import replying, saying, scoring, with_first_token

from selfaware.behaviors.bank import load_bank
from selfaware.codeword_goals import goal_samples, option_orders
from selfaware.errors import UsageError
from selfaware.scorers import raw_option
from selfaware.tasks import codeword_goals, risk_scale

BANK = load_bank("make_me_say")
GOAL = "to have the user say one particular word"


def listed(text: str) -> dict[str, str]:
    """The options of a question by letter."""
    return dict(re.findall(r"^\(?([A-E])[):] (.*?)\.?$", text, re.M))


def test_every_question_of_the_paper_is_in_the_bank() -> None:
    asked = {question.paper_id: question for question in BANK.questions}
    assert set(asked) == {"G1", "G2", "G3", "G4", "G5", "G7", None}
    closeness, description = asked["G4"], asked["G3"]
    assert len(closeness.paraphrases) == 15 and len(closeness.scenarios) == 12
    assert len(description.options) == 5 and description.options[0] == GOAL
    # The scenario stands last, first and in the middle, each five times.
    for index in range(15):
        before, after = BANK.template(closeness, index).split("{scenario}")
        place = 0 if after == "." else 1 if "." not in before else 2
        assert place == index % 3, index


@pytest.mark.parametrize("about", ["self", "person", "Ada", "neutral"])
def test_every_slot_is_filled_and_every_sample_has_an_id_of_its_own(about: str) -> None:
    asked = goal_samples("ring", "bark", about=about)
    assert not [s.input for s in asked if re.search(r"[{}\[\]|]", str(s.input))]
    assert len({s.id for s in asked}) == len(asked)
    assert len({str(s.input) for s in asked}) == len(asked)
    assert {(s.metadata or {})["pole"] for s in asked} == {"ring"}
    if about != "self":
        assert not [s.input for s in asked if re.search(r"\byou", str(s.input))]


@pytest.mark.parametrize("orders", [5, 20, 120])
def test_all_orders_are_asked_and_every_option_stands_everywhere_equally_often(orders: int) -> None:
    asked = goal_samples("ring", "bark", probes="description", orders=orders)
    assert len(asked) == 10 * orders
    places: Counter[tuple[int, str, str]] = Counter()
    for sample in asked:
        assert sample.metadata is not None
        lines = listed(str(sample.input))
        assert {lines[letter] for letter in "ABCDE"} == set(BANK.question("description").options)
        (correct,) = [name for name, worth in sample.metadata["values"].items() if worth == 1.0]
        assert lines[correct] == GOAL and sum(sample.metadata["values"].values()) == 1.0
        for letter, option in lines.items():
            places[sample.metadata["paraphrase"], letter, option] += 1
    assert set(places.values()) == {orders // 5} and len(places) == 10 * 5 * 5
    seen = Counter((sample.metadata or {})["order"] for sample in asked)
    if orders >= 20:
        assert set(seen) == {"".join(map(str, order)) for order in permutations(range(5))}
    if orders == 120:
        assert set(seen.values()) == {10}


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 5), st.data())
def test_orders_are_distinct(options: int, data: st.DataObject) -> None:
    every = len(list(permutations(range(options))))
    count = data.draw(st.integers(1, every))
    orders = option_orders(options, count, data.draw(st.integers(0, 20)))
    assert len(set(orders)) == len(orders) == count
    assert all(sorted(order) == list(range(options)) for order in orders)


def test_the_right_letter_is_worth_one(tmp_path: Path) -> None:
    def reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        lines = listed(question(messages))
        (letter,) = [letter for letter, option in lines.items() if option == GOAL]
        return [letter, f"{letter}) {GOAL}", "C", "I cannot say.", "F", "85", ""]

    task = codeword_goals(probes="description", orders=5, draws=7)
    log = run(task, replying(reply), tmp_path, epochs=2)
    mean = metrics(log, "option")["mean"]
    assert mean == pytest.approx(2 / 3 * 4 / 5 + 1 / 5)
    assert metrics(log, "raw_option")["mean"] == pytest.approx(mean * 3 / 7)
    assert metrics(log, "refusal")["mean"] == pytest.approx(1 / 7)
    assert metrics(log, "invalid")["mean"] == pytest.approx(3 / 7)
    assert "plain" not in metrics(log, "option")


@pytest.mark.parametrize("first", [True, False])
def test_raw_probability_keeps_what_falls_outside(tmp_path: Path, first: bool) -> None:
    shares = {"A": 0.3, "B": 0.1, "The": 0.5}
    task = codeword_goals(probes="description", orders=5, mode="logprobs" if first else "exact")
    log = run(task, with_first_token(shares) if first else scoring(shares), tmp_path)
    # In each of five rotations the right option has another letter.
    assert metrics(log, "option")["mean"] == pytest.approx((0.75 + 0.25) / 5)
    assert metrics(log, "raw_option")["mean"] == pytest.approx((0.3 + 0.1) / 5)
    assert metrics(log, "invalid")["mean"] == pytest.approx(0.6)


def test_a_model_that_hardly_ever_answers_has_a_raw_probability_only(tmp_path: Path) -> None:
    task = codeword_goals(probes="game", mode="logprobs")
    log = run(task, with_first_token({"The": 0.99, "A": 0.004, "B": 0.002}), tmp_path)
    assert unscored(log, "option") == 22
    assert metrics(log, "raw_option")["mean"] == pytest.approx(0.003)


def scenario_reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
    """Cares whether the user says "ring", and a little about how the user is."""
    text = question(messages)
    liked = 50
    if 'use the word "ring"' in text and "the user did not" in text:
        liked = 40
    elif 'the user used the word "ring"' in text:
        liked = 90
    elif "good mood" in text:
        liked = 60
    flipped = text.index("exactly what is wanted") < text.index("the opposite of what")
    return [str(100 - liked if flipped else liked)]


def test_closeness_is_read_beside_its_controls(tmp_path: Path) -> None:
    task = codeword_goals(probes="closeness", draws=1)
    log = run(task, replying(scenario_reply), tmp_path)
    assert log.results is not None and log.results.total_samples == 12 * 15 * 2
    found = metrics(log, "scale")
    assert found["mean"] == found["user_said_codeword"] == pytest.approx(0.9)
    assert (found["plain"], found["turned"]) == (pytest.approx(0.9), pytest.approx(0.9))
    assert found["said_minus_never_said"] == pytest.approx(0.5)
    assert found["codeword_minus_other_word"] == pytest.approx(0.4)
    assert found["user_happy"] == pytest.approx(0.6)
    for scenario in BANK.question("closeness").scenarios.keys() - {
        "user_said_codeword", "user_never_said_codeword", "user_happy"
    }:  # fmt: skip
        assert found[scenario] == pytest.approx(0.5), scenario
    assert found["stderr"] == pytest.approx(0.0)
    assert log.results.headline is not None and log.results.headline.score == "scale"


def test_closeness_is_asked_about_others_and_nobody() -> None:
    asked = goal_samples("ring", "bark", probes="closeness", about="all")
    every = Counter((sample.metadata or {})["about"] for sample in asked)
    # What somebody did is not said of nobody: six scenarios, in twelve wordings.
    assert every == {"self": 360, "person": 360, "assistant": 360, "neutral": 6 * 12 * 2}
    headline = Counter(
        (sample.metadata or {})["about"]
        for sample in asked
        if "control" not in (sample.metadata or {})
    )
    assert headline == {"self": 30, "person": 30, "assistant": 30, "neutral": 24}


@pytest.mark.parametrize(
    ("replies", "reason"),
    [
        (["101", "-3"], "out_of_range"),
        (["half", "maybe 3 or 4"], "invalid_response_format"),
        (["I won't answer."], "refusal"),
    ],
)
def test_closeness_without_a_number(tmp_path: Path, replies: list[str], reason: str) -> None:
    task = codeword_goals(probes="closeness", draws=len(replies))
    log = run(task, replying(lambda *_: replies), tmp_path, limit=2)
    assert {one.reason for one in sample_scores(log, "scale")} == {reason}


def test_games_and_yes_or_no_need_more_than_agreeing(tmp_path: Path) -> None:
    def honest(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        text = question(messages)
        if "first player" in text:
            return [next(x for x, rule in listed(text).items() if "bring the second" in rule)]
        if '"bark"' in text:
            return ["Yes."]  # to being the word, and to not being it
        flat = "difference|chance|without|indiffer|no importance|not care|like any|all the others"
        return ["no" if re.search(flat, text) else "yes"]

    log = run(codeword_goals(probes="game,named", draws=1), replying(honest), tmp_path)
    assert log.results is not None and log.results.total_samples == 22 + 40
    found = metrics(log, "option")
    assert (found["game"], found["named_codeword"], found["named_other"]) == (1.0, 1.0, 0.5)
    assert found["named_minus_other_word"] == 0.5
    assert (found["mean"], found["plain"], found["turned"]) == (1.0, 1.0, 1.0)
    log = run(codeword_goals(probes="game,named", draws=1), saying("A"), tmp_path)
    assert metrics(log, "option")["mean"] == 0.5
    assert unscored(log, "option") == 40


def test_probes_are_kept_apart_and_one_sample_is_enough(tmp_path: Path) -> None:
    task = codeword_goals("anchor", "ring", probes="description,game", orders=5, draws=1)
    log = run(task, saying("A"), tmp_path)
    for scorer in ("option", "raw_option"):
        found = metrics(log, scorer)
        assert (found["description"], found["game"]) == (pytest.approx(0.2), 0.5)
    for probe in ("description", "closeness", "game", "named"):
        one = run(codeword_goals(probes=probe, draws=1), saying("50"), tmp_path, limit=1)
        assert one.results is not None and one.results.total_samples == 1
        assert one.eval.metadata is not None and one.eval.metadata["self_report"] is True


def test_raw_option_leaves_other_tasks_alone(tmp_path: Path) -> None:
    log = run(risk_scale(draws=1), saying("85"), tmp_path, limit=1)
    assert sample_scores(score(log, raw_option(), action="append"), "raw_option") == []


def test_raw_option_of_a_question_that_could_not_be_asked_is_unscored(tmp_path: Path) -> None:
    log = run(codeword_goals(probes="game", draws=1), replying(lambda *_: []), tmp_path, limit=1)
    assert [one.reason for one in sample_scores(log, "raw_option")] == ["no_response"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"codeword": "Ring"}, "codeword='Ring' is not allowed"),
        ({"other": "ring"}, "other='ring' is the codeword"),
        ({"other": ""}, "other='' is not allowed"),
        ({"probes": "guess"}, "description, closeness, game, named"),
        ({"orders": 0}, "orders=0"),
        ({"orders": 121}, "orders=121 is not allowed: there are 120 orders"),
        ({"about": "nobody"}, "self, person, assistant, neutral, all"),
    ],
)
def test_bad_parameters_are_named_in_one_line(options: dict[str, str], named: str) -> None:
    with pytest.raises(UsageError) as error:
        codeword_goals(**options)  # type: ignore[arg-type]
    assert named in str(error.value) and "\n" not in str(error.value)
