"""Asking models in this process: tasks, models, and the logs that are there already."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from selfaware.errors import UsageError
from selfaware.experiment import Probe
from selfaware.training.calling import load
from selfaware.training.openai_service import hide_key

if TYPE_CHECKING:
    from inspect_ai import Task
    from inspect_ai.util import DisplayType


class Evaluation(BaseModel):
    """Some models to be asked some tasks; `id` is its name and that of its folder in `logs`.

    `models` are Inspect's model strings, each with the flags that it needs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    probes: tuple[Probe, ...]
    models: Mapping[str, tuple[str, ...]]
    logs: Path
    runs: Path


def tasks_of(probes: Sequence[Probe]) -> "list[Task]":
    """The tasks that probes name, with their arguments."""
    from selfaware import tasks as task_package

    return [getattr(task_package, probe.task)(**probe.args) for probe in probes]


def ask(
    probes: Sequence[Probe],
    models: Mapping[str, Sequence[str]],
    logs: Path,
    display: "DisplayType",
) -> None:
    """Runs every task on every model into `logs`; samples that are there are not asked again.

    Models of one base load it once: Inspect keeps the models of a process, and all of one base
    hold the same weights.

    Args:
        probes: The tasks and their arguments.
        models: Inspect's model strings, each with the flags that it needs.
        logs: The folder of logs; no other process may be writing in it.
        display: Inspect's way of showing progress.

    Raises:
        UsageError: A task did not end in success.
    """
    from inspect_ai import eval_set

    logs.mkdir(parents=True, exist_ok=True)
    success, results = eval_set(
        tasks_of(probes),
        log_dir=str(logs),
        model=[load(name, flags) for name, flags in models.items()],
        log_dir_allow_dirty=True,
        display=display,
        max_tasks=2,
        log_level="warning",
        retry_attempts=2,
        # Samples are short and many here, and are read once they are in the log.
        log_realtime=False,
    )
    if not success:
        failed = [log for log in results if log.status != "success"]
        first = failed[0]
        cause = first.error.message.strip().splitlines()[-1] if first.error else first.status
        raise UsageError(
            f"{len(failed)} of {len(results)} evaluations failed, first {first.eval.task} on "
            f"{first.eval.model}: {hide_key(cause)}; mend the cause and run the same command again"
        )
