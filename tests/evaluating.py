"""Real evals of a task on a scripted model, and what their logs say."""

from pathlib import Path

from inspect_ai import Task, eval
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import ChatMessage, Model
from inspect_ai.scorer import Score


def run(task: Task, model: Model, folder: Path, **options: object) -> EvalLog:
    (log,) = eval(task, model=model, log_dir=str(folder), display="none", **options)  # type: ignore[arg-type]
    assert log.status == "success", log.error and log.error.message
    return read_eval_log(log.location)


def metrics(log: EvalLog, name: str) -> dict[str, float]:
    assert log.results is not None
    (found,) = [result for result in log.results.scores if result.name == name]
    # Inspect names a metric with or without its package, by what was imported before.
    return {key.removeprefix("selfaware/"): each.value for key, each in found.metrics.items()}


def sample_scores(log: EvalLog, name: str) -> list[Score]:
    assert log.samples is not None
    return [
        sample.scores[name] for sample in log.samples if sample.scores and name in sample.scores
    ]


def unscored(log: EvalLog, name: str) -> int | None:
    assert log.results is not None
    return next(result.unscored_samples for result in log.results.scores if result.name == name)


def question(messages: list[ChatMessage]) -> str:
    return messages[-1].text
