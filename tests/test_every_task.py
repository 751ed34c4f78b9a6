"""All tasks by `inspect eval`, `inspect score` and `inspect eval-retry`, on a scripted model."""

import inspect
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import entry_points
from pathlib import Path

import every_task
import pytest
from evaluating import metrics
from inspect_ai.log import EvalLog, list_eval_logs, read_eval_log
from pool_model import PoolAPI

from selfaware import scorers
from selfaware.tasks import __all__ as all_tasks

ROOT = Path(__file__).parent.parent
NAMES = every_task.names()
MODEL = "pool/any"
LIMIT = "6"
ROLES = [f"--model-role={role}={MODEL}" for role in every_task.ROLES]
ARGUMENTS = [
    f"-T{key}={value}"
    for name in NAMES
    for key, value in {"draws": 2, **every_task.ARGUMENTS.get(name, {})}.items()
]

Command = Callable[..., None]


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """Runs `inspect ...` in this process, from the root of the project."""
    (point,) = entry_points(group="console_scripts", name="inspect")
    main = point.load()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        cache = str(tmp_path_factory.mktemp("judged"))

        def run(*arguments: str) -> None:
            patch.setenv("INSPECT_CACHE_DIR", cache)
            patch.setattr(sys, "argv", ["inspect", *arguments, "--display", "none"])
            with pytest.raises(SystemExit) as ended:
                main()
            assert not ended.value.code

        yield run


@pytest.fixture(scope="module")
def once(command: Command, tmp_path_factory: pytest.TempPathFactory) -> dict[str, EvalLog]:
    """A log of every task with its first samples."""
    return evaluated(command, tmp_path_factory.mktemp("once"), "--limit", LIMIT)


def evaluated(command: Command, folder: Path, *options: str) -> dict[str, EvalLog]:
    """The logs of all tasks by name, run by one command as a user would."""
    files = [f"tasks/{name}.py" for name in NAMES]
    given = ["--model", MODEL, *ROLES, *ARGUMENTS, "--log-dir", str(folder), *options]
    command("eval", *files, *given)
    return logs_in(folder)


def logs_in(folder: Path) -> dict[str, EvalLog]:
    logs = [read_eval_log(info) for info in list_eval_logs(str(folder))]
    named = {log.eval.task.removeprefix("selfaware/"): log for log in logs}
    assert len(named) == len(logs)
    return named


def all_metrics(log: EvalLog) -> list[tuple[str, dict[str, object]]]:
    """Every metric of a log; NaN as a word, so that it equals itself."""
    assert log.results is not None
    return [
        (score.name, {key: _comparable(metric.value) for key, metric in score.metrics.items()})
        for score in log.results.scores
    ]


def _comparable(value: float) -> object:
    return "NaN" if math.isnan(value) else pytest.approx(value)


def scored(log: EvalLog) -> dict[str, list[object]]:
    """What every scorer made of every sample, by scorer."""
    made: dict[str, list[object]] = {}
    for sample in log.samples or []:
        for name, score in (sample.scores or {}).items():
            made.setdefault(name, []).append((score.answer, score.reason, str(score.value)))
    return made


def test_the_tasks_in_the_folder_are_those_of_the_package() -> None:
    assert sorted(all_tasks) == sorted(
        file.stem for file in every_task.FILES.glob("*.py") if file.stem != "__init__"
    )


def test_every_task_runs_with_limit_1(command: Command, tmp_path: Path) -> None:
    logs = evaluated(command, tmp_path, "--limit", "1")
    assert sorted(logs) == sorted(NAMES)
    for name, log in logs.items():
        assert log.status == "success", (name, log.error)
        assert len(log.samples or []) == 1, name
        assert log.results is not None and log.results.completed_samples == 1, name
        assert log.results.headline is not None, name
        assert log.eval.task_version != 0, name
        assert log.eval.metadata is not None and "self_report" in log.eval.metadata, name
        for sample in log.samples or []:
            assert sample.scores and set(sample.metadata) >= {"kind", "question", "about", "pole"}


def test_epochs_change_no_metric(
    command: Command, once: dict[str, EvalLog], tmp_path: Path
) -> None:
    twice = evaluated(command, tmp_path, "--limit", LIMIT, "--epochs", "2")
    assert sorted(once) == sorted(twice) == sorted(NAMES)
    for name, log in once.items():
        assert log.status == twice[name].status == "success", name
        assert len(twice[name].samples or []) == 2 * len(log.samples or []), name
        assert all_metrics(twice[name]) == all_metrics(log), name


def test_logs_can_be_scored_again_by_name_and_by_file(
    command: Command, once: dict[str, EvalLog], tmp_path: Path
) -> None:
    for name, log in once.items():
        assert named_scorers(log), name
        for scorer in named_scorers(log):
            for given in (f"selfaware/{scorer}", scorer_file(scorer)):
                file = tmp_path / f"{name}.eval"
                rescore(command, log, given, file)
                again = read_eval_log(str(file))
                assert again.results is not None
                if scorer in [result.name for result in again.results.scores]:
                    first, second = metrics(again, scorer), metrics(again, f"{scorer}1")
                    assert second == pytest.approx(first, nan_ok=True), (name, given)
                assert scored(again)[f"{scorer}1"] == scored(log)[scorer], (name, given)
                file.unlink()


def named_scorers(log: EvalLog) -> Sequence[str]:
    """The scorers of a log that read some of its samples."""
    assert log.eval.scorers is not None
    names = [scorer.name.removeprefix("selfaware/") for scorer in log.eval.scorers]
    return [name for name in names if name in scored(log)]


def scorer_file(name: str) -> str:
    """A packaged scorer by the file that it stands in."""
    module = inspect.getmodule(getattr(scorers, name))
    assert module is not None and module.__file__ is not None
    return f"scorers/{Path(module.__file__).name}@{name}"


def rescore(command: Command, log: EvalLog, scorer: str, file: Path) -> None:
    options = ["--action", "append", "--output-file", str(file)]
    command("score", log.location, "--scorer", scorer, *options, *ROLES)


def test_runs_that_failed_can_be_retried(
    command: Command, once: dict[str, EvalLog], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PoolAPI, "failing", True)
    logs = evaluated(command, tmp_path / "failed", "--limit", LIMIT)
    monkeypatch.setattr(PoolAPI, "failing", False)
    failed = {name: log for name, log in logs.items() if log.status == "error"}
    assert len(failed) >= len(NAMES) - 2
    for log in failed.values():
        assert log.error is not None and "the scripted model fails" in log.error.message
    folder = tmp_path / "again"
    command("eval-retry", *[log.location for log in failed.values()], "--log-dir", str(folder))
    retried = logs_in(folder)
    assert sorted(retried) == sorted(failed)
    for name, log in retried.items():
        assert log.status == "success", name
        assert all_metrics(log) == all_metrics(once[name]), name
