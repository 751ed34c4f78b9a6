"""Which models have answered every task, by the logs that are there: they need not be loaded."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from inspect_ai import Task
from inspect_ai.log import EvalLog, list_eval_logs, read_eval_log

from selfaware.executors.evaluation import tasks_of
from selfaware.experiment import Probe
from selfaware.training.calling import arguments_of


def unanswered(
    probes: Sequence[Probe], models: Mapping[str, Sequence[str]], logs: Path
) -> dict[str, Sequence[str]]:
    """The models that have a task before them, with their flags.

    A task is answered where a log in `logs` has every sample of it, with the same arguments and
    the same version of the task, from the same model called in the same way.
    """
    tasks = tasks_of(probes)
    wanted = [_task(task, probe.args) for task, probe in zip(tasks, probes, strict=True)]
    there: set[str] = set()
    for info in list_eval_logs(str(logs)):
        log = read_eval_log(info, header_only=True)
        if _whole(log):
            asked = _key(log.eval.task, log.eval.task_version, log.eval.task_args_passed)
            called = _key(log.eval.model, log.eval.model_base_url, log.eval.model_args)
            there.add(called + asked)
    return {
        model: flags
        for model, flags in models.items()
        if not all(_key(model, *arguments_of(flags)) + task in there for task in wanted)
    }


def _task(task: Task, arguments: Mapping[str, object]) -> str:
    return _key(task.name, task.version, arguments)


def _whole(log: EvalLog) -> bool:
    return (
        log.status == "success"
        and log.results is not None
        and log.results.completed_samples == log.results.total_samples
        and log.eval.config.limit is None
        and log.eval.config.sample_id is None
    )


def _key(*parts: object) -> str:
    return json.dumps(parts, sort_keys=True, default=str)
