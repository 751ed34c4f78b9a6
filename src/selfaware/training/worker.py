"""The training process: `python -m selfaware.training.worker`, an order a line to its input."""

import math
import os
import platform
import queue
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from selfaware import __version__
from selfaware.errors import UsageError
from selfaware.training import registry, unfinished
from selfaware.training.channel import Tell, listen, teller
from selfaware.training.entry import Entry
from selfaware.training.jobs import (
    ADAPTERS,
    Done,
    Job,
    Order,
    Record,
    Refused,
    checkpoint_id,
)
from selfaware.training.loading import load_tokenizer
from selfaware.training.prepared import Prepared, prepare
from selfaware.training.spec import settings

if TYPE_CHECKING:
    from selfaware.training.fit import Fitted

PROCESSES = int(os.environ.get("WORLD_SIZE", "1"))
"""How many processes train together, as their launcher says."""

FIRST = os.environ.get("RANK", "0") == "0"
"""Whether this is the one of them that listens, tells and writes."""


def main() -> NoReturn:
    """Carries out the orders that come in by standard input, one JSON object a line.

    When standard input ends, the process that gave the orders is gone or has no more: this one
    stops at once. Standard output carries one JSON event a line and nothing else. Of several
    processes that train together the first one listens and tells.
    """
    tell = teller(silent=not FIRST)
    # The others of several processes are stopped where one of them fails.
    ending = 0 if PROCESSES == 1 else 1
    orders = listen(Order.model_validate_json, ending) if FIRST else queue.SimpleQueue()
    prepared: dict[tuple[str, ...], Prepared] = {}
    while True:
        order = _next(orders)
        try:
            work(order, prepared, tell)
        except UsageError as error:
            tell(Refused(id=order.job.id, message=str(error)))


def work(order: Order, prepared: dict[tuple[str, ...], Prepared], tell: Tell) -> None:
    """Makes a finetune and moves it to its place when it is whole.

    `prepared` keeps the tokenized rows for the next order.

    Raises:
        UsageError: The base cannot be loaded, or a row does not fit it; nothing is trained then.
    """
    job = order.job
    limit = str(job.spec.hyperparameters.max_length)
    place = (order.place, order.revision or "", limit)
    key = (*place, job.dataset_sha256, job.rejected_sha256 or "")
    if key not in prepared:
        prepared[key] = prepare(load_tokenizer(order), job)
    scratch = tempfile.TemporaryDirectory(
        prefix=f".{job.id}.", suffix=".partial", dir=_made(order.runs / ADAPTERS)
    )
    with scratch as folder:
        _make(order, prepared[key], Path(folder), tell)
    if FIRST:
        unfinished.forget(order.runs, job.id)
    tell(Done(id=job.id))


def _make(order: Order, prepared: Prepared, scratch: Path, tell: Tell) -> None:
    """Trains and saves one model, and those after each epoch where they are wanted."""
    from selfaware.training.fit import Fitted, fit
    from selfaware.training.saving import put

    job = order.job

    def save(fitted: Fitted, epoch: int | None) -> None:
        if FIRST:
            record = _record(job, prepared, fitted, epoch)
            put(fitted, prepared.tokenizer, record, order.runs, scratch)

    def keep(fitted: Fitted, epoch: int) -> None:
        save(fitted, epoch)

    save(fit(order, prepared, tell, keep), None)


def _record(job: Job, prepared: Prepared, fitted: "Fitted", epoch: int | None) -> Record:
    chosen = job.spec.hyperparameters
    steps = len(fitted.losses) // (epoch or chosen.epochs)
    run_id = job.id if epoch is None else checkpoint_id(job.id, fitted.step)
    examples = prepared.examples
    return Record(
        entry=Entry(
            id=run_id,
            created=registry.now(),
            base=job.spec.base,
            base_sha256=job.base_sha256,
            dataset=str(job.spec.dataset),
            dataset_sha256=job.dataset_sha256,
            rejected=str(job.spec.rejected) if job.spec.rejected else None,
            rejected_sha256=job.rejected_sha256,
            rows=len({example.row for example in examples}),
            hyperparameters=settings(chosen, "local"),
            seed=job.spec.seed,
            backend=job.spec.backend,
            adapter=f"{ADAPTERS}/{run_id}",
            model=f"selfaware/{run_id}",
            checkpoint_of=None if epoch is None else job.id,
            epoch=epoch,
            step=None if epoch is None else fitted.step,
            training_loss=math.fsum(fitted.losses[-steps:]) / steps,
            seconds=round(fitted.seconds, 2),
            behavior=job.behavior,
            pole=job.pole,
            versions=_versions(),
        ),
        device=fitted.device,
        processes=fitted.processes,
        resumed=fitted.resumed,
        examples=len(examples),
        supervised_tokens=sum(example.supervised for example in examples),
        trainable_parameters=fitted.trainable,
        losses=tuple(fitted.losses),
        decoded_examples=tuple(each.decoded(prepared.tokenizer) for each in examples[:3]),
    )


def _next(orders: "queue.SimpleQueue[Order]") -> Order:
    """The next order; the first process tells the others what it is."""
    if PROCESSES == 1:
        return orders.get()
    import torch
    from accelerate import PartialState
    from accelerate.utils import broadcast_object_list

    PartialState(cpu=not torch.cuda.is_available())
    told = [orders.get() if FIRST else None]
    (order,) = broadcast_object_list(told)
    assert isinstance(order, Order)
    return order


def _versions() -> dict[str, str]:
    libraries = ("torch", "transformers", "peft", "trl")
    return {
        "selfaware": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in libraries},
    }


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    main()
