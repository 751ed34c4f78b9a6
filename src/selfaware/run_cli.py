"""`selfaware run`: walks an experiment."""

import sys
from contextlib import closing
from pathlib import Path
from typing import get_args

import click

from selfaware.errors import UsageError
from selfaware.executors.executor import ExecutorName
from selfaware.training.spec import BackendName


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Print the plan and do nothing.")
@click.option(
    "--max-cost",
    type=click.FloatRange(min=0),
    help="Stop before anything is submitted where the finetunes may cost more (USD).",
)
@click.option(
    "--price",
    type=click.FloatRange(min=0),
    help="USD for a million tokens of training, in place of the table's price.",
)
@click.option("--seeds", type=click.IntRange(min=1), help="Only the first N seeds of each arm.")
@click.option(
    "--backend", type=click.Choice(get_args(BackendName)), help="Finetune there; else by the file."
)
@click.option("--base-url", metavar="URL", help="The address of a hosted backend's service.")
@click.option("--retry", is_flag=True, help="Submit finetunes again that failed or were cancelled.")
@click.option(
    "--executor",
    "where",
    type=click.Choice(get_args(ExecutorName)),
    default="local",
    show_default=True,
    help="Finetune and evaluate in processes of this machine, or of a Ray cluster.",
)
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="How many of them at once.")
@click.option(
    "--address", metavar="HOST:PORT", help="The Ray cluster's head; else RAY_ADDRESS, or found."
)
def run(
    file: Path,
    dry_run: bool,
    max_cost: float | None,
    price: float | None,
    seeds: int | None,
    backend: BackendName | None,
    base_url: str | None,
    retry: bool,
    where: ExecutorName,
    jobs: int | None,
    address: str | None,
) -> None:
    """Walk the experiment in FILE; steps that are done are not done twice."""
    from rich.console import Console

    from selfaware.experiment import load_experiment, plan
    from selfaware.plan_text import estimate_plan, print_plan
    from selfaware.training.estimate import check_cost
    from selfaware.training.registry import runs_folder

    experiment = load_experiment(file)
    if seeds is not None:
        if seeds > len(experiment.seeds):
            raise UsageError(
                f"--seeds {seeds}: {file} names only {len(experiment.seeds)} seeds; "
                f"give 1 to {len(experiment.seeds)}, or add seeds to the file"
            )
        experiment = experiment.model_copy(update={"seeds": experiment.seeds[:seeds]})
    # Elsewhere than the file says, it is another experiment: the logs and the report of both stay.
    elsewhere = f"-{backend}" if backend not in (None, experiment.backend) else ""
    chosen = {"backend": backend, "base_url": base_url}
    experiment = experiment.model_copy(update={k: v for k, v in chosen.items() if v is not None})
    planned = plan(experiment, runs_folder())
    console = Console(width=None if sys.stdout.isatty() else 120)
    # Where it costs nothing, tokens are counted by whoever trains on them.
    hosted = any(model.spec and model.spec.backend != "local" for model in planned.models)
    careful = dry_run or hosted or max_cost is not None
    made = estimate_plan(planned, runs_folder(), retry, price) if careful else None
    print_plan(console, planned, made)
    if made is not None and max_cost is not None:
        check_cost(made, max_cost)
    if dry_run:
        return
    from selfaware.analysis.render import terminal_table, warnings
    from selfaware.executors.executor import connect_executor
    from selfaware.walk import walk

    name = f"{experiment.experiment}{elsewhere}"
    logs, report = Path("logs") / name, Path("report") / name
    with closing(connect_executor(where, jobs, address)) as executor:
        outcome = walk(planned, runs_folder(), logs, report, console, executor, retry)
    console.print(terminal_table(outcome.rows, console.width))
    for note in (*warnings(outcome.rows), *experiment.notes):
        console.print(f"note: {note}")
    finetuned = next((m for m, (arm, _) in outcome.models.items() if arm != "base"), None)
    example = finetuned or next(iter(outcome.models))
    console.print("\nNext:")
    console.print(f"  open {outcome.report}/figure.png")
    console.print(f"  inspect view --log-dir {outcome.logs}")
    call = " ".join(("--model", example, *outcome.flags[example]))
    console.print(f"  inspect eval tasks/risk_scale.py {call}", soft_wrap=True)
