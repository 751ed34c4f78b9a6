"""An experiment's plan as text, shown before any of it is done."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from selfaware.data.build import build
from selfaware.experiment import Plan
from selfaware.training.estimate import Estimate, Job, estimate
from selfaware.training.spec import FinetuneSpec

ORDER = ("new", "made", "in progress", "failed", "cancelled", "blocked")


def estimate_plan(
    planned: Plan, runs: Path, retry: bool = False, price: float | None = None
) -> Estimate:
    """What a plan's finetunes come to; sets that are not built yet are built aside and left.

    Arguments and errors as in `selfaware.training.estimate.estimate`.
    """
    experiment = planned.experiment
    specs = [model.spec for model in planned.models if model.spec is not None]
    with tempfile.TemporaryDirectory() as scratch:
        aside: dict[Path, Path] = {}
        for pole, file in planned.datasets.items():
            if not file.exists():
                aside[file] = Path(scratch) / file.name
                rows, seed = experiment.data.rows, experiment.data.seed
                build(experiment.behavior, pole, rows, seed, aside[file])
        return estimate([_moved(spec, aside) for spec in specs], runs, retry, price)


def _moved(spec: FinetuneSpec, aside: dict[Path, Path]) -> FinetuneSpec:
    """The same finetune, which is known by what its sets hold, with the sets where they lie."""
    content = dict(spec)
    for name in ("dataset", "rejected"):
        content[name] = aside.get(content[name], content[name])
    return FinetuneSpec.model_validate(content)


def print_plan(console: Console, planned: Plan, made: Estimate | None = None) -> None:
    """Prints what a plan comes to: datasets, finetunes, tasks and models; tokens, cost and time."""
    experiment = planned.experiment
    console.print(f"experiment {experiment.experiment}: {experiment.title}")
    console.print(f"  base       {experiment.base}")
    for pole, file in planned.datasets.items():
        console.print(f"  data       {pole}: {experiment.data.rows} rows, {file}")
    finetunes = sum(model.spec is not None for model in planned.models)
    where = (
        f"{experiment.backend} at {planned.endpoint}" if planned.endpoint else experiment.backend
    )
    stand = "" if made is None else f": {_standings(made)}"
    console.print(f"  finetunes  {finetunes} ({where}){stand}")
    if made is not None and made.jobs:
        for line in _details(made):
            console.print(f"  {line}", soft_wrap=True)
    for probe in experiment.probes:
        given = " ".join(f"-T {key}={value}" for key, value in probe.args.items())
        console.print(f"  task       {probe.task} {given} on {len(planned.models)} models")


def _standings(made: Estimate) -> str:
    known = made.standings
    words = {"made": "made already"}
    shown = [f"{known[name]} {words.get(name, name)}" for name in ORDER if known.get(name)]
    return ", ".join(shown) or "none"


def _details(made: Estimate) -> Iterator[str]:
    for job in {job.spec.dataset: job for job in made.jobs}.values():
        yield f"tokens     {_tokens(job, job.spec.hyperparameters.epochs)}"
    yield f"cost       {_cost(made)}"
    if made.new:
        yield f"time       {_time(made)}"
    if made.not_taken:
        backend = made.jobs[0].spec.backend
        yield f"not taken  {', '.join(made.not_taken)}: {backend} chooses these itself"


def _tokens(job: Job, epochs: int) -> str:
    counted = job.counted
    about = "" if counted.exact else "about "
    times = "1 epoch" if epochs == 1 else f"{epochs} epochs"
    return (
        f"{about}{job.tokens:,} a finetune of {job.spec.dataset.name}: {counted.rows} rows, "
        f"{times}, loss on {counted.supervised * epochs:,}; longest row {counted.longest} "
        f"({counted.how})"
    )


def _cost(made: Estimate) -> str:
    if not made.new:
        return "0 USD: nothing is to be made"
    priced = next((job.price for job in made.new if job.price is not None), None)
    cost = made.cost
    if cost is None or priced is None:
        spec = next(job.spec for job in made.new if job.price is None)
        return f"not known: no price of {spec.base} at {spec.endpoint or spec.backend}; see --price"
    if priced.listed is None:
        if made.new[0].spec.backend == "local":
            return "0 USD: made on this machine"
        return f"{_range(cost)} USD at {priced.high:g} a million tokens, the price given"
    listed = priced.listed
    about = "" if all(job.counted.exact for job in made.new) else "about "
    each = _range((priced.low, priced.high))
    text = f"{about}{_range(cost)} USD at {each} a million tokens (read {listed.read}, {listed.by}"
    note = f"; {listed.note}" if listed.note else ""
    return f"{text}; {listed.source}{note}); asking the models is billed apart"


def _range(cost: tuple[float, float]) -> str:
    low, high = (f"{value:.2f}" for value in cost)
    return low if low == high else f"{low} to {high}"


def _time(made: Estimate) -> str:
    if made.seconds is None:
        return "not known: no finetune of this base was made here before"
    count = "1 earlier finetune" if made.earlier == 1 else f"{made.earlier} earlier finetunes"
    return f"about {_duration(made.seconds)} one after another, by {count} of this base"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
