"""Roles: a task that needs one says so before the first request."""

import subprocess
import sys
from pathlib import Path

import pytest
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessage, GenerateConfig
from inspect_ai.solver import Generate, Solver, TaskState, solver
from scripted_models import replying, saying

from selfaware.errors import UsageError
from selfaware.roles import ask_judge, bound, needs_role

TASK = """
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from selfaware.roles import needs_role

@task
def judged() -> Task:
    return Task(dataset=[Sample(input="Hi", id="1")], setup=needs_role("grader", "judges it"))
"""


def test_needs_role_stops_before_the_first_request(tmp_path: Path) -> None:
    asked: list[str] = []

    def reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        asked.append(messages[-1].text)
        return ["Hi"]

    task = Task(dataset=[Sample(input="Hi", id="1")], setup=needs_role("grader", "judges it"))
    (log,) = eval(task, model=replying(reply), log_dir=str(tmp_path), display="none")
    assert log.status == "error" and log.error is not None
    assert "--model-role grader=MODEL" in log.error.message
    assert asked == []


def test_inspect_eval_says_it_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "judged.py").write_text(TASK, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "inspect_ai", "eval", "judged.py", "--model", "mockllm/model"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    said = done.stderr + done.stdout
    assert "no model is bound to the role 'grader', which judges it" in said
    assert "Traceback" not in said
    assert not list(tmp_path.rglob("*.eval"))


def test_a_judge_is_asked_once_about_the_same_thing(tmp_path: Path) -> None:
    asked: list[str] = []

    def reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        asked.append(messages[-1].text)
        assert config.temperature == 0
        return ["YES"]

    @solver
    def judged() -> Solver:
        async def solve(state: TaskState, generate: Generate) -> TaskState:
            state.output = await ask_judge(bound("grader", "judges"), "Is it?")
            return state

        return solve

    samples = [Sample(input="Hi", id=str(n)) for n in range(3)]
    (log,) = eval(
        Task(dataset=samples, solver=judged(), setup=needs_role("grader", "judges")),
        model=saying("never asked"),
        model_roles={"grader": replying(reply)},
        log_dir=str(tmp_path),
        display="none",
        max_samples=1,
    )
    assert log.status == "success"
    assert asked == ["Is it?"]
    assert [s.output.completion for s in log.samples or []] == ["YES"] * 3


def test_bound_outside_of_an_eval() -> None:
    with pytest.raises(UsageError, match="add --model-role guesser=MODEL"):
        bound("guesser", "names the word")
