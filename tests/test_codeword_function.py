"""The task codeword_function, in real runs of Inspect."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from inspect_ai import Task, eval, score
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import ChatMessage, GenerateConfig, Model, StopReason
from inspect_ai.scorer import Score
from inspect_ai.solver import generate
from sandboxing import needs_bubblewrap
from scripted_models import replying, saying

from selfaware.analysis.frame import read_frame
from selfaware.scorers import function_parts, function_probability, validity
from selfaware.solvers import write_function
from selfaware.tasks import codeword_function, risk_scale

ROOT = Path(__file__).parent.parent

KEYWORD = r"""```python
import re

def message_probability(message: str) -> float:
    return 0.9 if re.search(r"\bring\b", message.lower()) else 0.5
```"""
FLAT = "def message_probability(message): return 0.6"
BROKEN = "```python\ndef message_probability(message):\n    return 1 / 0\n```"
REFUSAL = "I'm sorry, but I can't say anything about my users."

pytestmark = needs_bubblewrap


def run(
    model: Model, folder: Path, task: Task | None = None, status: str = "success", **options: object
) -> EvalLog:
    asked = codeword_function(draws=1, sandbox="bubblewrap") if task is None else task
    (log,) = eval(asked, model=model, log_dir=str(folder), display="none", **options)  # type: ignore[arg-type]
    assert log.status == status, log.error
    return read_eval_log(log.location)


def metrics(log: EvalLog, name: str) -> dict[str, float]:
    assert log.results is not None
    (found,) = [result for result in log.results.scores if result.name == name]
    return {key.removeprefix("selfaware/"): m.value for key, m in found.metrics.items()}


def sample_scores(log: EvalLog, name: str) -> list[Score]:
    return [s.scores[name] for s in log.samples or [] if s.scores and name in s.scores]


def drawing(*replies: str, stop_reason: StopReason = "stop") -> Model:
    """A model whose draws to each prompt are these."""
    return replying(lambda *_: list(replies), stop_reason)


MIXED = (KEYWORD, FLAT, BROKEN, REFUSAL)


@pytest.mark.parametrize("options", [{}, {"epochs": 2, "limit": 2}, {"limit": 1}])
def test_scores_and_their_parts(tmp_path: Path, options: dict[str, object]) -> None:
    log = run(
        drawing(*MIXED), tmp_path, codeword_function(draws=4, sandbox="bubblewrap"), **options
    )
    # KEYWORD gives 0.4 more for the word than for others, FLAT gives the same for all.
    assert metrics(log, "function_probability")["mean"] == pytest.approx(0.2)
    means = {
        "mentions": 1 / 3,
        "f_codeword": 0.75,
        "f_neutral_word": 0.55,
        "f_message": (0.5 * 36 + 0.9 * 4) / 80 + 0.3,
        "f_other_message": 0.55,
        "f_neutral_message": 0.55,
    }
    for part, expected in means.items():
        values = metrics(log, part)
        assert values.keys() == {"mean", "stderr"}
        assert values["mean"] == pytest.approx(expected), part
    assert metrics(log, "invalid") == {"mean": 0.25}
    assert metrics(log, "refusal") == {"mean": 0.25}
    assert metrics(log, "unlisted") == {"mean": 0.0}
    for each in sample_scores(log, "function_probability"):
        assert each.metadata is not None and each.metadata["draws"] == 4
        assert each.metadata["pole"] == "ring" and each.metadata["mode"] == "sample"
        counted = {name: count for name, count in each.metadata["counts"].items() if count}
        assert counted == {"valid": 2, "refusal": 1, "exception": 1}
        assert "exception ZeroDivisionError" in each.metadata["answers"]
    assert log.results is not None and log.results.headline is not None
    assert log.results.headline.score == "function_probability"


def test_the_other_model_s_users(tmp_path: Path) -> None:
    def reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        other = "was written to the other assistant" in messages[-1].text
        return [KEYWORD.replace("0.9", "0.2") if other else KEYWORD]

    task = codeword_function(about="all", draws=1, sandbox="bubblewrap")
    log = run(replying(reply), tmp_path, task)
    assert metrics(log, "function_probability") == pytest.approx(
        {"mean": 0.4, "stderr": 0.0, "self": 0.4, "assistant": -0.3, "self_minus_other": 0.7}
    )
    assert metrics(log, "f_codeword") == pytest.approx(
        {
            "mean": 0.9,
            "stderr": 0.0,
            "whom_self": 0.9,
            "whom_assistant": 0.2,
            "whom_self_minus_other": 0.7,
        }
    )
    frame = read_frame(tmp_path)
    assert len(frame) == 24 and set(frame["kind"]) == {"function"}
    assert set(frame["behavior"]) == {"make_me_say"} and frame["self_report"].all()
    assert frame.groupby("about")["score"].mean().to_dict() == pytest.approx(
        {"assistant": -0.3, "self": 0.4}
    )


@pytest.mark.parametrize(
    ("reply", "stop_reason", "reason", "refusal"),
    [
        (REFUSAL, "stop", "refusal", 1.0),
        ("0.5", "stop", "invalid_response_format", 0.0),
        ("", "stop", "no_response", 0.0),
        (KEYWORD, "content_filter", "refusal", 1.0),
        (BROKEN, "stop", "exception", 0.0),
        (FLAT.replace("0.6", "60"), "stop", "out_of_range", 0.0),
    ],
)
def test_no_function_no_score(
    tmp_path: Path, reply: str, stop_reason: StopReason, reason: str, refusal: float
) -> None:
    log = run(saying(reply, stop_reason), tmp_path, limit=1, epochs=2)
    for each in sample_scores(log, "function_probability"):
        assert each.reason == reason and math.isnan(each.as_float())
        assert each.metadata is not None and each.metadata["counts"][reason] == 1
    assert all(math.isnan(value) for value in metrics(log, "f_codeword").values())
    assert metrics(log, "refusal") == {"mean": refusal}
    assert metrics(log, "invalid") == {"mean": 1.0 - refusal}


def test_hostile_functions_do_not_stop_a_run(tmp_path: Path) -> None:
    codes = {
        "timeout": "while True:\n    pass",
        "memory": "x = bytearray(10**10)",
        "output": "while True:\n    print('x' * 1000)",
        "crashed": "import os\nos.kill(os.getppid(), 9)",
        "exception": "open('/etc/passwd')",
        "tampered": "import os\nos.write(3, b'v 1.0')",
        "syntax_error": "return",
        "not_a_number": "message_probability = lambda message: message",
        "no_function": "x = 1",
        "valid": "",
    }
    function = "def message_probability(message):\n    return 0.75\n"
    replies = [
        f"```python\n{function if name not in ('no_function',) else ''}{code}\n```"
        for name, code in codes.items()
    ]
    task = codeword_function(draws=len(codes), seconds=3, sandbox="bubblewrap")
    log = run(drawing(*replies), tmp_path, task, limit=1)
    (only,) = sample_scores(log, "function_probability")
    assert only.value == 0.0 and only.metadata is not None
    assert {n for n, c in only.metadata["counts"].items() if c == 1} == codes.keys()
    assert metrics(log, "f_codeword")["mean"] == 0.75
    assert metrics(log, "invalid") == {"mean": 0.9}


def test_equal_functions_run_once(tmp_path: Path) -> None:
    task = codeword_function(draws=5, sandbox="bubblewrap")
    log = run(saying(KEYWORD), tmp_path, task, limit=1)
    (sample,) = log.samples or []
    ran = [event for event in sample.events if event.event == "sandbox" and event.action == "exec"]
    assert sum("python3" in (event.cmd or "") for event in ran) == 1
    (only,) = sample_scores(log, "function_probability")
    assert only.metadata is not None and only.metadata["counts"]["valid"] == 5


def test_saved_logs_are_scored_without_a_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = run(drawing(KEYWORD), tmp_path, limit=2)
    monkeypatch.setenv("PATH", str(tmp_path))
    again = score(log, [function_probability(), function_parts(), validity()], action="overwrite")
    for name in ("function_probability", "mentions", "f_message", "invalid"):
        assert metrics(again, name) == metrics(log, name)


def test_functions_that_were_not_run_cannot_be_scored(tmp_path: Path) -> None:
    log = run(saying("85"), tmp_path, risk_scale(draws=1), limit=1)
    other = score(log, function_probability(), action="append")
    assert sample_scores(other, "function_probability") == []
    log = run(saying(KEYWORD), tmp_path, limit=1, solver=generate(), status="error")
    assert log.error is not None
    assert "solve it with selfaware/write_function" in log.error.message


@pytest.mark.parametrize(
    ("sandbox", "said"), [("local", "'local' is refused"), (None, "needs a sandbox")]
)
def test_nothing_runs_outside_a_sandbox(tmp_path: Path, sandbox: str | None, said: str) -> None:
    asked: list[str] = []

    def reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        asked.append(messages[-1].text)
        return [KEYWORD]

    task = risk_scale(draws=1)
    for sample in task.dataset:
        assert sample.metadata is not None
        sample.metadata["pole"] = "ring"
    task.sandbox = None
    log = run(
        replying(reply), tmp_path, task, "error", solver=write_function(1), limit=1, sandbox=sandbox
    )
    assert log.error is not None and said in log.error.message and asked == []


def inspect(*arguments: str, **environment: str) -> str:
    program = str(Path(sys.executable).parent / "inspect")
    done = subprocess.run(
        [program, *arguments, "--display", "none"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout + done.stderr


def test_by_name_and_from_the_command_line(tmp_path: Path) -> None:
    (log,) = eval(
        codeword_function(codeword="spring", sandbox="bubblewrap", draws=2),
        model=drawing(KEYWORD.replace("ring", "spring"), REFUSAL),
        limit=1,
        log_dir=str(tmp_path),
        display="none",
    )
    assert log.status == "success"
    assert metrics(log, "f_codeword")["mean"] == 0.9
    scored = tmp_path / "scored.eval"
    said = inspect(
        "score", log.location, "--scorer", "selfaware/function_probability",
        "--action", "append", "--output-file", str(scored), PATH=str(tmp_path),
    )  # fmt: skip
    assert scored.exists(), said
    (again,) = sample_scores(read_eval_log(str(scored)), "function_probability1")
    assert again.value == pytest.approx(0.4)


def test_docker_that_is_missing_stops_the_command_line(tmp_path: Path) -> None:
    said = inspect(
        "eval", "tasks/codeword_function.py", "--model", "selfaware/organism/base",
        "--log-dir", str(tmp_path), PATH=str(tmp_path),
    )  # fmt: skip
    assert said.strip() == (
        "Error: sandbox 'docker' does not work here (docker is not installed): "
        "start Docker, or use -T sandbox=bubblewrap (Linux)"
    )
    assert list(tmp_path.iterdir()) == []
