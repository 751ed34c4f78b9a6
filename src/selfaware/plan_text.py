"""An experiment's plan as text, shown before any of it is done."""

from rich.console import Console

from selfaware.experiment import Plan
from selfaware.training.spec import not_taken


def print_plan(console: Console, planned: Plan) -> None:
    """Prints what a plan comes to: datasets, finetunes, tasks and models."""
    experiment = planned.experiment
    console.print(f"experiment {experiment.experiment}: {experiment.title}")
    console.print(f"  base       {experiment.base}")
    for pole, file in planned.datasets.items():
        console.print(f"  data       {pole}: {experiment.data.rows} rows, {file}")
    finetunes = sum(model.spec is not None for model in planned.models)
    where = (
        f"{experiment.backend} at {planned.endpoint}" if planned.endpoint else experiment.backend
    )
    console.print(f"  finetunes  {finetunes} ({where})")
    if left := not_taken(experiment.finetune, experiment.backend):
        console.print(f"             {experiment.backend} chooses by itself: {', '.join(left)}")
    for probe in experiment.probes:
        given = " ".join(f"-T {key}={value}" for key, value in probe.args.items())
        console.print(f"  task       {probe.task} {given} on {len(planned.models)} models")
