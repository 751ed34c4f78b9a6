"""The task explain_yourself: thoughts apart, answers graded against the pole and its opposite."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from evaluating import metrics, question, run, sample_scores, unscored
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai import Task, eval, score
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import ChatMessage, GenerateConfig, Model, get_model
from openai_server import Fault, OpenAIServer, Reply, Request, last_message
from scripted_models import output_of, replying, saying

from selfaware.analysis.frame import read_frame
from selfaware.behaviors.descriptions import DESCRIPTIONS, described
from selfaware.errors import UsageError
from selfaware.explanation_probes import explanation_samples
from selfaware.scorers.explanation import GRADES, VALUES, parse_grade
from selfaware.scorers.explanation_grades import explanation_grades, parts
from selfaware.solvers import think_then_answer
from selfaware.solvers.think_then_answer import ANSWER, NO_THOUGHT, THINK
from selfaware.tasks import explain_yourself

ROOT = Path(__file__).parent.parent
RIGHT, WRONG = (each.sentence for each in described("risk", "seeking"))


def grade(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
    """Grades what the scripted models below say, by the statement that it is given."""
    text = question(messages)
    account = text.split("-----")[1]
    if "No comment" in account:
        return ["refused"]
    if "gibberish" in account:
        return ["I would say that it is somewhere between accurate and partial."]
    if "gamble" not in account:
        return ["Unaware."]
    return ["accurate" if RIGHT in text else "Contradictory"]


def explained(folder: Path, model: Model, task: Task | None = None, **options: object) -> EvalLog:
    roles = {"grader": replying(grade)}
    return run(task or explain_yourself(), model, folder, model_roles=roles, **options)


def thinking(answer: str) -> Model:
    def reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        thoughts = question(messages).endswith(THINK)
        return ["Let me see." if thoughts else answer] * (config.num_choices or 1)

    return replying(reply)


@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        ("accurate", "accurate"),
        ("**Partial.**", "partial"),
        ("Contradictory: it says the opposite", "contradictory"),
        ("The word is unaware", "unaware"),
        ("refused", "refused"),
        ("inaccurate", None),
        ("accurate or partial", None),
        ("", None),
        ("yes", None),
    ],
)
def test_grades_are_read_from_a_grader_s_reply(reply: str, wanted: str | None) -> None:
    assert parse_grade(reply) == wanted


@given(st.text(max_size=60))
def test_any_reply_of_a_grader_is_read(reply: str) -> None:
    assert parse_grade(reply) in (*GRADES, None)


def test_answers_are_graded_beside_both_poles(tmp_path: Path) -> None:
    log = explained(tmp_path, thinking("I always take the gamble."))
    assert metrics(log, "explanation") == {"mean": 1.0, "stderr": 0.0}
    found = {
        name: metrics(log, name)["mean"] for name in (*VALUES, "opposite", "true_minus_opposite")
    }
    assert found == {
        "accurate": 1.0, "partial": 0.0, "contradictory": 0.0, "unaware": 0.0,
        "opposite": 0.0, "true_minus_opposite": 1.0,
    }  # fmt: skip
    assert len(log.samples or []) == 10
    frame = read_frame(tmp_path)
    assert set(frame["behavior"]) == {"risk"} and frame["score"].mean() == 1.0


def test_the_other_pole_makes_the_same_answers_wrong(tmp_path: Path) -> None:
    task = explain_yourself(pole="averse")
    log = explained(tmp_path, thinking("I always take the gamble."), task)
    assert metrics(log, "explanation")["mean"] == 0.0
    assert metrics(log, "true_minus_opposite")["mean"] == -1.0
    assert metrics(log, "contradictory")["mean"] == 1.0


def test_thoughts_come_first_and_are_kept_apart(tmp_path: Path) -> None:
    asked: list[list[ChatMessage]] = []

    def reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        asked.append(messages)
        if question(messages).endswith(THINK):
            return ["I would gamble.", "I would gamble.", " "][: config.num_choices or 1]
        thought = messages[-2].text
        return ["A gamble." if thought != NO_THOUGHT else "Nothing."] * (config.num_choices or 1)

    log = explained(tmp_path, replying(reply), explain_yourself(draws=3), limit=1)
    assert log.samples is not None
    sample = log.samples[0]
    assert [message.role for message in sample.messages] == ["user", "assistant"] * 2
    assert sample.messages[2].text == ANSWER
    assert sample.store["selfaware_thoughts"] == ["I would gamble.", "I would gamble.", " "]
    said = [choice.message.text for choice in sample.output.choices]
    assert said == ["A gamble.", "A gamble.", "Nothing."]
    assert len(asked) == 3 and [m.role for m in asked[0]] == ["user"]
    (one,) = sample_scores(log, "explanation")
    assert one.value == pytest.approx(2 / 3) and one.metadata is not None
    assert one.metadata["answers"] == {"accurate": 2, "unaware": 1}
    assert one.metadata["opposite_grades"]["contradictory"] == 2


def test_a_withheld_thought_is_a_refusal(tmp_path: Path) -> None:
    model = get_model(
        "mockllm/model",
        custom_outputs=lambda *_: output_of(["I would gamble."], stop_reason="content_filter"),
    )
    log = explained(tmp_path, model, limit=1)
    assert [each.reason for each in sample_scores(log, "explanation")] == ["refusal"]
    log = explained(tmp_path, replying(lambda *_: []), limit=1)
    assert [each.reason for each in sample_scores(log, "explanation")] == ["no_response"]


@pytest.mark.parametrize(
    ("reply", "reason", "rate"),
    [
        ("No comment.", "refusal", "refusal"),
        ("  ", "no_response", "invalid"),
        ("gibberish", "undecided", "unlisted"),
    ],
)
def test_what_has_no_grade_has_no_score(tmp_path: Path, reply: str, reason: str, rate: str) -> None:
    log = explained(tmp_path, thinking(reply), limit=2)
    assert {each.reason for each in sample_scores(log, "explanation")} == {reason}
    assert unscored(log, "explanation") == 2
    assert metrics(log, rate) == {"mean": 1.0}


def test_a_vague_answer_fits_either_pole() -> None:
    grades = {"accurate": 0, "partial": 3, "contradictory": 0, "unaware": 1, "refused": 4}
    assert parts(grades, {"partial": 3, "unaware": 1}) == {
        "accurate": 0.0, "partial": 0.75, "contradictory": 0.0, "unaware": 0.25,
        "opposite": 0.375, "true_minus_opposite": 0.0,
    }  # fmt: skip


def test_epochs_change_no_mean(tmp_path: Path) -> None:
    def reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        first = messages[0].text
        return ["A gamble." if "rule" in first else "No comment." if "habit" in first else "Hm."]

    once = explained(tmp_path, replying(reply))
    twice = explained(tmp_path, replying(reply), epochs=2)
    assert metrics(once, "explanation")["mean"] == pytest.approx(1 / 9)
    for name in ("explanation", "accurate", "unaware", "opposite", "refusal"):
        assert metrics(once, name) == pytest.approx(metrics(twice, name)), name


def test_the_other_twin_is_asked_the_same(tmp_path: Path) -> None:
    def reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        other = "average person" in messages[0].text.lower()
        return ["Nothing." if other else "A gamble."]

    log = explained(tmp_path, replying(reply), explain_yourself(about="self,person"))
    found = metrics(log, "explanation")
    assert (found["self"], found["person"], found["self_minus_other"]) == (1.0, 0.0, 1.0)


def test_no_question_tells_what_was_taught() -> None:
    made = explanation_samples("risk", about="all")
    assert len(made) == len({str(sample.input) for sample in made}) == 30
    for sample in made:
        assert sample.metadata is not None
        assert (sample.metadata["description"], sample.metadata["opposite"]) == (RIGHT, WRONG)
        assert "risk" not in str(sample.input).lower() and "{" not in str(sample.input)


def test_sentences_of_one_s_own() -> None:
    made = explanation_samples("humming", "loud", "It hums.", "It is silent.")
    assert made[0].metadata is not None
    assert (made[0].metadata["behavior"], made[0].metadata["pole"]) == ("humming", "loud")
    assert made[0].metadata["description"] == "It hums."
    with pytest.raises(UsageError, match=r"opposite is missing"):
        explanation_samples("humming", description="It hums.")
    with pytest.raises(UsageError, match=r"behavior='humming' is not described: choose from risk"):
        explanation_samples("humming")
    with pytest.raises(UsageError, match=r"pole='bold' of 'risk' is unknown: choose seeking or"):
        explanation_samples("risk", "bold")


def test_every_behaviour_is_told_in_two_different_ways() -> None:
    for behavior, poles in DESCRIPTIONS.items():
        one, other = poles.values()
        assert one.sentence != other.sentence and one.phrase != other.phrase, behavior


def test_think_then_answer_stands_in_for_other_solvers(tmp_path: Path) -> None:
    task = Task(dataset=[Sample(input="What is 2 + 2?")], solver=think_then_answer(framing="ask"))
    log = run(task, thinking("4"), tmp_path)
    assert log.samples is not None and log.samples[0].output.completion == "4"
    assert log.samples[0].messages[0].role == "system"
    for wrong in ({"draws": 0}, {"framing": "rude"}):
        with pytest.raises(UsageError, match="is not allowed"):
            think_then_answer(**wrong)  # type: ignore[arg-type]


def test_over_http_thoughts_and_grades_are_requests_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[str] = []

    def answer(request: Request) -> Reply:
        text = last_message(request)
        if text not in failed and text == ANSWER:
            failed.append(text)
            return Fault(429, {"Retry-After": "0"})
        if request["model"] == "gpt-4o-judge":
            statement = text.split("Statement: ")[1].splitlines()[0]
            return "accurate" if statement == RIGHT else "contradictory"
        return "Let me see." if text.endswith(THINK) else "A gamble."

    with OpenAIServer(answer) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        log = run(
            explain_yourself(draws=2),
            get_model("openai/gpt-4o-mine"),
            tmp_path,
            model_roles={"grader": "openai/gpt-4o-judge"},
            limit=3,
        )
    assert metrics(log, "explanation") == {"mean": 1.0, "stderr": 0.0}
    assert metrics(log, "true_minus_opposite")["mean"] == 1.0
    asked = Counter(request["model"] for request in server.answered)
    # The server gives one choice a request: two thoughts and two answers a sample. The judge reads
    # one distinct answer, beside two statements, and its replies are kept for the other samples.
    assert asked["gpt-4o-mine"] == 12 and 2 <= asked["gpt-4o-judge"] <= 6
    judged = [r for r in server.answered if r["model"] == "gpt-4o-judge"]
    assert {(r["temperature"], r["max_tokens"]) for r in judged} == {(0, 16)}


def test_without_a_grader_it_stops_in_one_line(tmp_path: Path) -> None:
    (log,) = eval(explain_yourself(), model=saying("x"), log_dir=str(tmp_path), display="none")
    assert log.status == "error" and log.error is not None
    assert "the role 'grader', which grades explanations: add --model-role grader=MODEL" in (
        log.error.message
    )
    done = subprocess.run(
        [sys.executable, "-m", "inspect_ai", "eval", "selfaware/explain_yourself",
         "--model", "mockllm/model", "--log-dir", str(tmp_path / "none")],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and "Traceback" not in done.stdout + done.stderr
    assert "add --model-role grader=MODEL" in done.stdout + done.stderr


def test_grades_of_a_saved_log_are_reported_again(tmp_path: Path) -> None:
    log = explained(tmp_path, thinking("A gamble."), limit=2)
    again = score(read_eval_log(log.location), explanation_grades(), action="append")
    assert sample_scores(again, "explanation_grades1")[0].value == {
        "accurate": 1.0, "partial": 0.0, "contradictory": 0.0, "unaware": 0.0,
        "opposite": 0.0, "true_minus_opposite": 1.0,
    }  # fmt: skip
    assert log.samples is not None
    for sample in log.samples:
        sample.scores = {}
    with pytest.raises(UsageError, match="put selfaware/explanation before"):
        score(log, explanation_grades(), action="append")


@pytest.mark.parametrize("scorer", ["scorers/explanation.py", "selfaware/explanation"])
def test_inspect_score_takes_the_grader_s_answers_from_the_cache(
    tmp_path: Path, scorer: str
) -> None:
    log = explained(tmp_path, thinking("A gamble."), limit=1)
    scored = tmp_path / "scored.eval"
    done = subprocess.run(
        [str(Path(sys.executable).parent / "inspect"), "score", log.location, "--scorer", scorer,
         "--action", "append", "--output-file", str(scored), "--display", "none"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert metrics(read_eval_log(str(scored)), "explanation1")["mean"] == 1.0
