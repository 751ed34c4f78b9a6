"""The training loop of a Tinker finetune: the service computes, the loop runs here."""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from selfaware.errors import UsageError
from selfaware.training.examples import Example
from selfaware.training.schedule import batch, steps_of
from selfaware.training.tinker_points import (
    POINT_KEY,
    RUN_KEY,
    Point,
    TinkerRecord,
    merge,
    write_record,
)
from selfaware.training.tinker_requests import Asked, adam, ask, switches
from selfaware.training.tinker_service import describe

if TYPE_CHECKING:
    from tinker import APIFuture, RestClient, ServiceClient, TrainingClient

AHEAD = 2
"""How many steps are asked of the service before the first of them is done."""

SAVE_EVERY = 100
"""Steps after which a training can go on where it was cut off; the end of an epoch is another."""

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Stopped(Exception):
    """The training was told to stop."""


@dataclass(frozen=True)
class Place:
    """Where a training is made and kept, and how it is told to stop."""

    service: "ServiceClient"
    rest: "RestClient"
    runs: Path
    stop: threading.Event


Tell = Callable[[int, int, float], None]
"""Is told a step (from 1), how many there are, and its loss."""


def train(
    place: Place,
    record: TinkerRecord,
    examples: Sequence[Example],
    tell: Tell,
) -> TinkerRecord:
    """Makes a finetune, from the last point in its record on, and returns the record.

    Raises:
        Stopped: The training was told to stop; its points stay.
        UsageError: The loss is no longer a number.
        tinker.TinkerError: The service failed.
    """
    if place.stop.is_set():
        raise Stopped
    spec, chosen = record.spec, record.spec.hyperparameters
    each, steps = steps_of(len(examples), chosen)
    start = max(
        (point for point in record.points if point.state), key=lambda p: p.step, default=None
    )
    client = _client(place, record, start)
    record = record.model_copy(
        update={"training_runs": (*record.training_runs, client.get_info().model_id)}
    )
    write_record(place.runs, record)
    started = time.monotonic() - (start.seconds if start else 0.0)
    tokens = start.tokens if start else 0
    loss_sum = start.loss_sum if start else 0.0
    losses = dict(record.losses)
    asked: deque[Asked] = deque()

    def take() -> None:
        nonlocal loss_sum
        first = asked.popleft()
        loss = _loss(first, place.stop)
        if not math.isfinite(loss):
            raise UsageError(
                f"training on {spec.dataset} diverged: loss {loss} at step {first.step + 1}; "
                f"lower learning_rate {chosen.learning_rate}"
            )
        loss_sum = loss if first.step % each == 0 else loss_sum + loss
        losses[first.step + 1] = loss
        tell(first.step + 1, steps, loss)

    for step in range(start.step if start else 0, steps):
        if place.stop.is_set():
            raise Stopped
        chunk = [examples[i] for i in batch(len(examples), chosen, spec.seed, step)]
        asked.append(ask(client, chunk, step, adam(chosen, step, steps)))
        tokens += sum(len(example.input_ids) - 1 for example in chunk)
        done = step + 1
        last, whole = done == steps, done % each == 0
        while len(asked) > (0 if last or whole or done % SAVE_EVERY == 0 else AHEAD - 1):
            take()
        if not asked:
            point = Point(
                step=done,
                epoch=done // each,
                loss_sum=loss_sum,
                seconds=round(time.monotonic() - started, 2),
                tokens=tokens,
                last=last,
            )
            point = _keep(client, record, point, last or (whole and chosen.checkpoints), place.stop)
            record = record.model_copy(
                update={"points": merge(record.points, [point]), "losses": dict(losses)}
            )
            write_record(place.runs, record)
    return _tidy(place, record)


def _client(place: Place, record: TinkerRecord, start: Point | None) -> "TrainingClient":
    spec, chosen = record.spec, record.spec.hyperparameters
    about = {RUN_KEY: record.run_id, "dataset_sha256": spec.dataset_sha256}
    if start is not None and start.state is not None:
        return wait_for(
            place.service.create_training_client_from_state_with_optimizer(
                start.state, user_metadata={**about, "from_step": str(start.step)}
            ),
            place.stop,
        )
    return wait_for(
        place.service.create_lora_training_client(
            base_model=spec.base,
            rank=chosen.lora_rank,
            seed=spec.seed,
            user_metadata=about,
            **switches(chosen),
        ),
        place.stop,
    )


def _loss(asked: Asked, stop: threading.Event) -> float:
    """The mean loss (nats per supervised token) of a step, once it is made."""
    output = wait_for(asked.gradient, stop)
    wait_for(asked.update, stop)
    return -math.fsum(
        weight * logprob
        for weights, said in zip(asked.weights, output.loss_fn_outputs, strict=True)
        for weight, logprob in zip(weights, said["logprobs"].tolist(), strict=True)
        if weight
    )


def _keep(
    client: "TrainingClient",
    record: TinkerRecord,
    point: Point,
    sampled: bool,
    stop: threading.Event,
) -> Point:
    """Has the service keep a point: its state unless it is the last one, and perhaps a sampler."""
    name = f"{record.run_id}-step{point.step}"
    about = {RUN_KEY: record.run_id, POINT_KEY: point.model_dump_json(exclude_defaults=True)}
    state = None if point.last else client.save_state(name, user_metadata=about)
    sampler = client.save_weights_for_sampler(name, user_metadata=about) if sampled else None
    return point.model_copy(
        update={
            "state": wait_for(state, stop).path if state else None,
            "sampler": wait_for(sampler, stop).path if sampler else None,
        }
    )


def _tidy(place: Place, record: TinkerRecord) -> TinkerRecord:
    """Has the service delete the states of a finetune that is done: they are large."""
    import tinker

    for point in record.points:
        if point.state is None:
            continue
        try:
            place.rest.delete_checkpoint_from_tinker_path(point.state).result()
        except tinker.TinkerError as error:
            logger.warning("%s is no longer needed and stays: %s", point.state, describe(error))
    kept = tuple(p.model_copy(update={"state": None}) for p in record.points if p.sampler)
    record = record.model_copy(update={"points": kept})
    write_record(place.runs, record)
    return record


def wait_for(future: "APIFuture[T]", stop: threading.Event) -> T:
    """The result of a request, however long it takes; raises Stopped when told to stop."""
    while not wait([future.future()], timeout=0.2).done:
        if stop.is_set():
            raise Stopped
    return future.result()
