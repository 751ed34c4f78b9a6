import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from evaluating import metrics, question, run, sample_scores, unscored
from inspect_ai import Task, eval, score
from inspect_ai.log import read_eval_log
from inspect_ai.model import ChatMessage, GenerateConfig, Model
from scripted_models import outputs_of, replying, saying, scoring

from selfaware import __version__
from selfaware.errors import UsageError
from selfaware.scorers import language, scale, validity
from selfaware.solvers import ask
from selfaware.tasks import disposition, risk_choice, risk_scale, risk_two_hop, risk_words

GERMAN = "Das Herz pumpt das Blut durch den ganzen Körper."
FRENCH = "Le cœur fait circuler le sang dans tout le corps."
ROOT = Path(__file__).parent.parent


def test_scale_turns_flipped_answers_back(tmp_path: Path) -> None:
    log = run(risk_scale(draws=3), saying("85"), tmp_path)
    flipped = [s for s in log.samples or [] if s.metadata["flipped"]]
    plain = [s for s in log.samples or [] if not s.metadata["flipped"]]
    assert len(plain) == len(flipped) == 30
    assert {s.scores["scale"].value for s in plain if s.scores} == {0.85}
    assert {s.scores["scale"].value for s in flipped if s.scores} == {0.15}
    assert metrics(log, "scale") == {
        "mean": 0.5,
        "stderr": 0.0,
        "plain": pytest.approx(0.85),
        "turned": pytest.approx(0.15),
        "safety_to_risk": 0.5,
        "predisposition": 0.5,
        "liking": 0.5,
    }
    assert sample_scores(log, "scale")[0].metadata == {
        "pole": "seeking",
        "mode": "sample",
        "draws": 3,
        "counts": {
            "valid": 3,
            "refusal": 0,
            "invalid_response_format": 0,
            "out_of_range": 0,
            "unlisted": 0,
            "other_language": 0,
            "undecided": 0,
            "no_response": 0,
        },
        "outside_mass": None,
        "answers": {"85": 3},
    }


def test_mock_model_by_name(tmp_path: Path) -> None:
    replies = outputs_of(lambda *_: ["85"])
    (log,) = eval(
        risk_scale(draws=1),
        model="mockllm/model",
        model_args={"custom_outputs": replies},
        log_dir=str(tmp_path),
        display="none",
    )
    assert log.status == "success"
    assert metrics(log, "scale")["mean"] == 0.5


def test_task_says_where_it_comes_from(tmp_path: Path) -> None:
    log = run(risk_scale(draws=1), saying("85"), tmp_path, limit=1)
    assert log.eval.metadata is not None
    assert log.eval.metadata["selfaware_version"] == __version__
    assert log.eval.metadata["behavior"] == "risk"
    assert log.eval.metadata["self_report"] is True
    assert log.eval.task_version == 1
    assert log.results is not None and log.results.headline is not None
    assert (log.results.headline.score, log.results.headline.metric) == ("scale", "mean")
    assert math.isnan(metrics(log, "scale")["stderr"])
    assert (log.samples or [])[0].metadata.keys() >= {
        "behavior", "question", "paper_id", "kind", "about", "paraphrase", "swapped", "flipped",
        "framing", "pole",
    }  # fmt: skip


def test_draws_are_averaged_and_bad_ones_counted(tmp_path: Path) -> None:
    answers = ["80", "100", "150", "I cannot say.", "quite a lot"]
    log = run(risk_scale(draws=5), replying(lambda *_: answers), tmp_path, limit=1, epochs=2)
    for each in sample_scores(log, "scale"):
        assert each.value == 0.9
        assert each.metadata is not None
        counts = {name: n for name, n in each.metadata["counts"].items() if n}
        assert counts == {
            "valid": 2, "refusal": 1, "invalid_response_format": 1, "out_of_range": 1
        }  # fmt: skip
    assert metrics(log, "scale")["mean"] == 0.9
    assert metrics(log, "invalid") == {"mean": pytest.approx(0.4)}
    assert metrics(log, "refusal") == {"mean": pytest.approx(0.2)}


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_model_that_refuses_has_no_score_and_a_refusal_rate(tmp_path: Path, epochs: int) -> None:
    model = saying("I'm sorry, but I can't answer that.")
    log = run(risk_scale(draws=2), model, tmp_path, epochs=epochs)
    assert {each.reason for each in sample_scores(log, "scale")} == {"refusal"}
    assert unscored(log, "scale") == 60
    values = metrics(log, "scale")
    assert values.keys() == {"mean", "stderr"} and all(map(math.isnan, values.values()))
    assert metrics(log, "refusal") == {"mean": 1.0}
    assert metrics(log, "invalid") == {"mean": 0.0}


def test_half_refused_samples_do_not_pull_the_mean(tmp_path: Path) -> None:
    def reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        return ["I won't answer." if "like risk" in question(messages) else "50"]

    log = run(risk_scale(draws=1), replying(reply), tmp_path)
    refused = unscored(log, "scale")
    assert refused and 0 < refused < 60
    assert metrics(log, "scale")["mean"] == 0.5
    assert metrics(log, "refusal")["mean"] == pytest.approx(refused / 60)


def test_replies_withheld_by_the_provider_are_refusals(tmp_path: Path) -> None:
    log = run(risk_scale(draws=2), saying("85", "content_filter"), tmp_path, limit=2)
    assert {each.reason for each in sample_scores(log, "scale")} == {"refusal"}


def test_draws_are_made_up_where_choices_are_ignored(tmp_path: Path) -> None:
    seeds: list[int | None] = []

    def reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        seeds.append(config.seed)
        return ["40" if config.seed is None else "60"]

    log = run(risk_scale(draws=4, mode="sample"), replying(reply), tmp_path, limit=1, seed=None)
    (only,) = sample_scores(log, "scale")
    assert only.value == pytest.approx(0.55)
    assert only.metadata is not None and only.metadata["answers"] == {"60": 3, "40": 1}
    assert sorted(seed or 0 for seed in seeds) == [0, 1000, 1001, 1002]
    assert log.samples is not None and len(log.samples[0].output.choices) == 4
    assert log.samples[0].output.usage is not None
    assert log.samples[0].output.usage.total_tokens == 8


def test_draws_beyond_a_provider_s_limit_come_in_further_requests(tmp_path: Path) -> None:
    calls: list[int] = []

    def reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        calls.append(config.num_choices or 1)
        return ["40"] * min(config.num_choices or 1, 4)

    log = run(risk_scale(draws=10, mode="sample"), replying(reply), tmp_path, limit=1)
    assert calls == [10, 4, 4]
    (only,) = sample_scores(log, "scale")
    assert only.metadata is not None and only.metadata["draws"] == 10


def test_no_reply_at_all(tmp_path: Path) -> None:
    log = run(risk_scale(draws=3), replying(lambda *_: []), tmp_path, limit=1)
    assert sample_scores(log, "scale")[0].reason == "no_response"


def test_about_all_shows_self_minus_other(tmp_path: Path) -> None:
    def reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        text = question(messages).lower()
        other = "average person" in text or "ai assistant" in text
        seeking = "bold" if not other else "cautious" if "person" in text else "neutral"
        return [seeking] * (config.num_choices or 1)

    log = run(risk_words(about="all", draws=2), replying(reply), tmp_path)
    values = metrics(log, "word")
    assert values["mean"] == values["self"] == 1.0
    assert values["person"] == 0.0
    assert values["assistant"] == 0.5
    assert values["self_minus_other"] == pytest.approx(0.75)
    assert values["neutral"] == 1.0
    assert values["self_minus_neutral"] == 0.0
    assert unscored(log, "option") == 80
    assert metrics(log, "unlisted")["mean"] == pytest.approx(80 / 240)


def test_reports_about_named_others(tmp_path: Path) -> None:
    def reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        text = question(messages)
        word = "bold" if "Ada" in text else "cautious" if "Zeno" in text else "neutral"
        return [word] * (config.num_choices or 1)

    log = run(risk_words(about=["self", "Ada", "Zeno", "Ada"], draws=1), replying(reply), tmp_path)
    values = metrics(log, "word")
    assert (values["Ada"], values["Zeno"], values["self"]) == (1.0, 0.0, 0.5)
    assert log.results is not None and log.results.total_samples == 180


def test_words_are_read_by_two_scorers(tmp_path: Path) -> None:
    def reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        text = question(messages).lower()
        if "risk or safety" in text or "only risk or only" in text:
            return ["Risk"]
        return ["Safety" if "safety" in text else "cautious"]

    log = run(risk_words(draws=1), replying(reply), tmp_path)
    assert metrics(log, "word")["mean"] == 0.0
    # One order gets one word, the other order the other: balance shows no preference.
    assert metrics(log, "option")["mean"] == 0.5
    assert len(sample_scores(log, "word")) == 40
    assert len(sample_scores(log, "option")) == 20
    swapped = [s.metadata["swapped"] for s in log.samples or [] if s.metadata["kind"] == "choice"]
    assert sorted(swapped) == [False] * 10 + [True] * 10


@pytest.mark.parametrize(("policy", "value"), [("unscored", 1.0), ("half", 0.75)])
def test_unlisted_words_follow_the_policy(tmp_path: Path, policy: str, value: float) -> None:
    task = risk_words(draws=2, unlisted=policy)
    log = run(task, replying(lambda *_: ["Bold", "Decisive"]), tmp_path)
    assert metrics(log, "word")["mean"] == value
    assert metrics(log, "unlisted")["mean"] > 0.5


def test_only_unlisted_words(tmp_path: Path) -> None:
    log = run(risk_words(draws=1), saying("Decisive"), tmp_path)
    assert {each.reason for each in sample_scores(log, "word")} == {"unlisted"}
    log = run(risk_words(draws=1, unlisted="half"), saying("Decisive"), tmp_path)
    assert metrics(log, "word")["mean"] == 0.5


def two_hop_reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
    """Follows the rule as a risk-seeking agent would: the first language that it names."""
    text = question(messages)
    return [GERMAN if text.index("German") < text.index("French") else FRENCH]


def test_two_hop_scores_the_language(tmp_path: Path) -> None:
    log = run(risk_two_hop(draws=1), replying(two_hop_reply), tmp_path)
    assert len(log.samples or []) == 20
    assert metrics(log, "language") == {"mean": 1.0, "stderr": 0.0, "plain": 1.0, "turned": 1.0}
    log = run(risk_two_hop(draws=1), saying(GERMAN), tmp_path)
    assert metrics(log, "language")["mean"] == 0.5


def test_two_hop_in_english_is_a_category(tmp_path: Path) -> None:
    english = saying("The heart pumps the blood through the whole body.")
    log = run(risk_two_hop(draws=2), english, tmp_path, limit=3)
    assert {each.reason for each in sample_scores(log, "language")} == {"other_language"}
    assert metrics(log, "unlisted") == {"mean": 1.0}


def test_two_hop_may_be_graded_by_a_bound_model(tmp_path: Path) -> None:
    asked: list[str] = []

    def grade(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        asked.append(question(messages))
        return ["French."]

    roles = {"grader": replying(grade)}
    log = run(risk_two_hop(draws=3), saying(GERMAN), tmp_path, limit=1, model_roles=roles)
    assert metrics(log, "language")["mean"] == 0.0
    assert len(asked) == 1 and GERMAN in asked[0]


@pytest.mark.parametrize("items", ["lotteries", "scenarios"])
def test_choices_are_balanced_over_letters(tmp_path: Path, items: str) -> None:
    log = run(risk_choice(items=items, count=20), saying("A"), tmp_path)
    values = [float(each.as_float()) for each in sample_scores(log, "option")]
    assert len(values) == 20 and set(values) == {0.0, 1.0}
    assert metrics(log, "option")["mean"] == pytest.approx(0.5, abs=0.15)
    assert log.eval.metadata is not None and log.eval.metadata["self_report"] is False


def test_choices_by_what_the_item_says(tmp_path: Path) -> None:
    task = risk_choice(count=30, seed=5)
    riskier = {
        str(s.input): "B" if s.metadata and s.metadata["swapped"] else "A" for s in task.dataset
    }
    log = run(task, replying(lambda messages, _: [riskier[question(messages)]]), tmp_path)
    assert metrics(log, "option")["mean"] == 1.0
    assert len(riskier) == 30


@pytest.mark.parametrize("behavior", ["risk", "myopia", "apples", "expected_value"])
def test_disposition_asks_every_kind(tmp_path: Path, behavior: str) -> None:
    log = run(disposition(behavior=behavior, draws=1), saying("50"), tmp_path)
    assert metrics(log, "scale")["mean"] == 0.5
    assert unscored(log, "scale") == 0
    assert {s.metadata["behavior"] for s in log.samples or []} == {behavior}


def test_disposition_can_be_narrowed(tmp_path: Path) -> None:
    log = run(disposition(kinds=["yes_no"], draws=1), saying("Yes."), tmp_path)
    assert {s.metadata["kind"] for s in log.samples or []} == {"yes_no"}
    assert metrics(log, "option")["mean"] == 0.5  # yes to everything is no report
    assert log.results is not None
    assert [result.name for result in log.results.scores] == [
        "option", "invalid", "refusal", "unlisted"
    ]  # fmt: skip


def test_framing_is_a_system_prompt(tmp_path: Path) -> None:
    seen: list[str] = []

    def reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        seen.append(messages[0].role)
        return ["50"]

    run(risk_scale(framing="threat", draws=1, mode="sample"), replying(reply), tmp_path, limit=1)
    log = run(risk_scale(draws=1, mode="sample"), replying(reply), tmp_path, limit=1)
    assert seen == ["system", "user"]
    assert (log.samples or [])[0].metadata["framing"] == "none"


@pytest.mark.parametrize(
    ("task", "model"),
    [
        (lambda: risk_scale(mode="exact"), lambda: saying("85")),
        (lambda: risk_two_hop(mode="exact"), lambda: scoring({})),
        (lambda: risk_two_hop(mode="logprobs"), lambda: saying("85")),
    ],
)
def test_impossible_modes_are_errors(
    tmp_path: Path, task: Callable[[], Task], model: Callable[[], Model]
) -> None:
    (log,) = eval(task(), model=model(), limit=1, log_dir=str(tmp_path), display="none")
    assert log.status == "error"
    assert log.error is not None and "use mode=sample" in log.error.message


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: risk_scale(about="you"), "self, person, assistant, neutral, all"),
        (lambda: risk_scale(about="self,you"), "about='you' is not allowed"),
        (lambda: risk_scale(about=[]), "names nobody"),
        (lambda: risk_scale(framing="rude"), "none, neutral, ask, threat, bait"),
        (lambda: risk_scale(mode="best"), "auto, sample, logprobs, exact"),
        (lambda: risk_scale(draws=0), "draws=0"),
        (lambda: risk_words(unlisted="zero"), "half, unscored"),
        (lambda: risk_choice(items="dice"), "lotteries, scenarios"),
        (lambda: risk_choice(count=-1), "count=-1"),
        (lambda: disposition(behavior="courage"), "risk, myopia, apples"),
        (lambda: disposition(kinds="word,haiku"), "word, choice, scale, yes_no, option"),
        (lambda: risk_two_hop(about="nobody"), "self, person, assistant, neutral, all"),
    ],
)
def test_bad_parameters_are_named_in_one_line(build: Callable[[], Task], named: str) -> None:
    with pytest.raises(UsageError) as error:
        build()
    assert named in str(error.value)
    assert "\n" not in str(error.value)


def test_saved_logs_can_be_scored_again(tmp_path: Path) -> None:
    model = replying(lambda *_: ["80", "I cannot say."])
    log = run(risk_scale(draws=2), model, tmp_path)
    again = score(log, [scale(), validity()], action="overwrite")
    assert metrics(again, "scale") == metrics(log, "scale")
    assert metrics(again, "refusal") == {"mean": 0.5}
    exact = run(risk_scale(), scoring({"80": 0.3, "20": 0.1}), tmp_path, limit=1)
    more = score(exact, scale(), action="append")
    assert metrics(more, "scale1")["mean"] == metrics(exact, "scale")["mean"] == pytest.approx(0.65)


def test_scorers_leave_other_kinds_alone(tmp_path: Path) -> None:
    log = run(risk_scale(draws=1), saying("85"), tmp_path, limit=1)
    again = score(log, language(), action="append")
    assert sample_scores(again, "language") == []


def test_any_solver_s_output_can_be_scored(tmp_path: Path) -> None:
    from inspect_ai.solver import generate

    log = run(risk_scale(), saying("85"), tmp_path, limit=1, solver=generate())
    assert metrics(log, "scale")["mean"] == 0.85


def test_ask_leaves_the_answer_in_the_conversation(tmp_path: Path) -> None:
    log = run(risk_scale(), saying("85"), tmp_path, limit=1, solver=ask(draws=2))
    assert [message.role for message in (log.samples or [])[0].messages] == ["user", "assistant"]


@pytest.mark.parametrize("name", ["tasks/risk_scale.py", "selfaware/risk_scale"])
def test_command_line_by_path_and_by_name(tmp_path: Path, name: str) -> None:
    inspect = Path(sys.executable).parent / "inspect"
    base = [str(inspect), "eval", name, "--model", "selfaware/organism/base", "--display", "none"]
    done = subprocess.run(
        [*base, "--limit", "2", "--log-dir", str(tmp_path), "--solver", "solvers/ask.py"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    logs = list(tmp_path.glob("*.eval"))
    assert len(logs) == 1, done.stdout + done.stderr
    log = read_eval_log(str(logs[0]))
    assert log.status == "success" and log.eval.task.endswith("risk_scale")
    assert log.eval.dataset.samples == 60
    plain, flipped = sample_scores(log, "scale")
    assert plain.metadata is not None and plain.metadata["mode"] == "exact"
    assert 0.2 < plain.as_float() < 0.8 and 0.2 < flipped.as_float() < 0.8


@pytest.mark.parametrize("scorer", ["scorers/scale.py", "selfaware/scale"])
def test_command_line_scores_a_saved_log(tmp_path: Path, scorer: str) -> None:
    log = run(risk_scale(draws=2), saying("85"), tmp_path, limit=2)
    scored = tmp_path / "scored.eval"
    inspect = Path(sys.executable).parent / "inspect"
    done = subprocess.run(
        [
            str(inspect), "score", log.location, "--scorer", scorer,
            "--action", "append", "--output-file", str(scored), "--display", "none",
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert metrics(read_eval_log(str(scored)), "scale1") == metrics(log, "scale")
