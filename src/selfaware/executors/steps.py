"""The steps of an experiment as an executor carries them out: finetunes and evaluations."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from filelock import FileLock
from rich.console import Console

from selfaware.errors import UsageError
from selfaware.executors.answered import unanswered
from selfaware.executors.evaluation import Evaluation, ask
from selfaware.executors.executor import Executor
from selfaware.executors.parts import gather, parts
from selfaware.executors.resources import Resources, Step
from selfaware.executors.retrying import RetryingWorker
from selfaware.executors.spread import spread
from selfaware.experiment import Probe
from selfaware.training.launcher import TRAINING, Launch
from selfaware.training.local import LocalBackend
from selfaware.training.workers import AnyWorker

EVALUATING = "selfaware.executors.evaluator"
"""The module that an evaluating process runs."""


@contextmanager
def training(
    executor: Executor, resources: Resources, launch: Launch, runs: Path, console: Console
) -> Iterator[LocalBackend]:
    """The backend whose finetunes are made by an executor, each started as `launch` says.

    Raises:
        UsageError: No finetune has room there.
    """
    step = resources.finetune
    room = executor.room(step, "finetune")
    runs = runs.expanduser().resolve()
    start = partial(_worker, executor, TRAINING, step, runs, console)
    with closing(LocalBackend(runs, room, launch, start)) as backend:
        yield backend


def evaluate(
    executor: Executor,
    resources: Resources,
    probes: Sequence[Probe],
    models: Mapping[str, Sequence[str]],
    logs: Path,
    runs: Path,
    console: Console,
) -> None:
    """Runs every task on every model into `logs`; samples that are there are not asked again.

    Two callers wait for each other. Where the executor carries out one step at a time, this
    process asks everything.

    Raises:
        UsageError: A task did not end in success, or no evaluation has room.
    """
    logs.mkdir(parents=True, exist_ok=True)
    with FileLock(logs / ".lock"):
        models = unanswered(probes, models, logs)
        console.print(f"evaluating {len(models)} models on {len(probes)} tasks into {logs}")
        if not models:
            return
        room = executor.room(resources.evaluate, "evaluate")
        if executor.name == "local" and room in (None, 1):
            ask(probes, models, logs, "plain" if not console.is_terminal else "rich")
        else:
            _spread(executor, resources.evaluate, room or 1, probes, models, logs, runs, console)


def _spread(
    executor: Executor,
    step: Step,
    room: int,
    probes: Sequence[Probe],
    models: Mapping[str, Sequence[str]],
    logs: Path,
    runs: Path,
    console: Console,
) -> None:
    wanted = parts(models)
    gather(logs, wanted)
    orders = [
        Evaluation(
            id=name,
            probes=tuple(probes),
            models={model: tuple(models[model]) for model in members},
            logs=logs.resolve(),
            runs=runs.resolve(),
        )
        for name, members in wanted.items()
    ]
    wrong: list[str] = []
    told = 0

    def ended(order: Evaluation, problem: str | None) -> None:
        nonlocal told
        told += 1
        how = "evaluated" if problem is None else "failed:"
        console.print(f"  {told}/{len(orders)} {how} {', '.join(order.models)}", soft_wrap=True)
        if problem is not None:
            wrong.append(problem)

    start = partial(_worker, executor, EVALUATING, step, logs.resolve(), console, Launch(), False)
    spread(orders, room, start, ended)
    if wrong:
        raise UsageError(f"{len(wrong)} of {len(orders)} models: {wrong[0]}")


def _worker(
    executor: Executor,
    module: str,
    step: Step,
    folder: Path,
    console: Console,
    launch: Launch,
    offline: bool,
) -> AnyWorker:
    return RetryingWorker(
        lambda: executor.start(module, step, launch, offline, folder),
        step.retries,
        lambda message: console.print(f"  {message}", soft_wrap=True),
    )
