"""Walking an experiment's plan: data, finetunes, evaluation, analysis, report; each step once."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from selfaware.analysis.figure import probe_figure
from selfaware.analysis.frame import read_frame
from selfaware.analysis.report import write_report
from selfaware.analysis.table import Contrast, Row, build_rows
from selfaware.behaviors import get_behavior
from selfaware.data.build import build
from selfaware.data.manifest import read_manifest
from selfaware.executors.executor import Executor
from selfaware.executors.steps import evaluate, training
from selfaware.experiment import Experiment, Plan
from selfaware.training.backend import Backend
from selfaware.training.connect import base_model, connect
from selfaware.training.drive import finetune
from selfaware.training.entry import Entry, Use
from selfaware.training.progress import bar

Cell = tuple[str, int | None]
"""An arm and a seed."""


@dataclass(frozen=True)
class Outcome:
    """What a walk leaves behind; `flags` is what `inspect eval` needs beside a model's name."""

    rows: list[Row]
    models: dict[str, Cell]
    report: Path
    logs: Path
    flags: dict[str, tuple[str, ...]]


def walk(
    plan: Plan,
    runs: Path,
    logs: Path,
    report: Path,
    console: Console,
    executor: Executor,
    retry: bool = False,
) -> Outcome:
    """Does every step of a plan that is not done yet, and writes the report.

    Args:
        plan: From `selfaware.experiment.plan`.
        runs: The folder of datasets, adapters and the run registry.
        logs: Inspect's log folder of this experiment.
        report: The folder for table and figure.
        console: Where progress is told.
        executor: Where finetunes of the local backend are made, and all models asked.
        retry: Submit finetunes again that failed or were cancelled at their service.

    Raises:
        UsageError: A step cannot be done for a reason that the user can mend.
    """
    experiment = plan.experiment
    console.rule(f"{experiment.experiment}: {experiment.title}")
    build_datasets(plan, console)
    made = iter(make_finetunes(plan, runs, console, executor, retry))
    models: dict[str, Cell] = {}
    flags: dict[str, tuple[str, ...]] = {}
    for planned in plan.models:
        if planned.spec is None:
            name, beside = base_model(experiment.backend, experiment.base, plan.endpoint)
        else:
            entry = next(made)
            name, beside = entry.inspect_model, entry.flags
        models[name] = (planned.arm, planned.seed)
        flags[name] = beside
    evaluate(executor, experiment.resources, experiment.probes, flags, logs, runs, console)
    return analyse(experiment, models, flags, logs, report)


def make_finetunes(
    plan: Plan, runs: Path, console: Console, executor: Executor, retry: bool = False
) -> list[Entry]:
    """Has the finetunes made that are not there yet; all of the plan in order.

    Raises:
        UsageError: A row or a base does not fit.
        FinetuneError: A finetune failed.
    """
    specs = [model.spec for model in plan.models if model.spec is not None]
    if not specs:
        return []
    name = plan.experiment.experiment
    uses = {
        model.spec.run_id: Use(experiment=name, arm=model.arm)
        for model in plan.models
        if model.spec
    }
    with _backend(plan, runs, console, executor) as backend:
        return finetune(specs, runs, backend, uses, retry, bar(console))


def _backend(
    plan: Plan, runs: Path, console: Console, executor: Executor
) -> AbstractContextManager[Backend]:
    experiment = plan.experiment
    if experiment.backend == "local":
        return training(executor, experiment.resources, experiment.launch, runs, console)
    return closing(connect(experiment.backend, plan.endpoint, runs))


def build_datasets(plan: Plan, console: Console) -> None:
    """Builds the finetuning sets that are not there; a file that was changed since is refused."""
    experiment = plan.experiment
    for pole, file in plan.datasets.items():
        if file.exists() and read_manifest(file) is not None:
            continue
        build(experiment.behavior, pole, experiment.data.rows, experiment.data.seed, file)
        console.print(f"built {file} ({experiment.data.rows} rows, {pole})")


def analyse(
    experiment: Experiment,
    models: Mapping[str, Cell],
    flags: Mapping[str, tuple[str, ...]],
    logs: Path,
    report: Path,
) -> Outcome:
    """Reads the logs, makes the table and the figure, and writes the report."""
    behavior = get_behavior(experiment.behavior)
    rows = build_rows(
        read_frame(logs, models=list(models)),
        models,
        Contrast(high=behavior.high, low=behavior.low, base="base", behavior=behavior.name),
    )
    write_report(
        rows, probe_figure(rows, experiment.title), report, experiment.title, experiment.notes
    )
    return Outcome(rows, dict(models), report, logs, dict(flags))
