"""The tinker backend: finetunes made through the Tinker API, by a loop in this process."""

import logging
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from selfaware.data.rows import read_rows, sha256_file
from selfaware.errors import UsageError
from selfaware.training import registry
from selfaware.training.backend import FINAL, Checkpoint, JobEvent, Made, Status
from selfaware.training.examples import Example, encode_rows
from selfaware.training.schedule import steps_of
from selfaware.training.spec import BackendName, FinetuneSpec
from selfaware.training.tinker_loop import Place, Stopped, train
from selfaware.training.tinker_points import (
    Point,
    TinkerRecord,
    last,
    merge,
    points_at,
    read_record,
    training_runs,
)
from selfaware.training.tinker_requests import check
from selfaware.training.tinker_service import (
    OFFICIAL,
    ask,
    describe,
    refusal,
    require_sdk,
    service,
    tokenizer_of,
)

if TYPE_CHECKING:
    from tinker import RestClient, ServiceClient
    from transformers import PreTrainedTokenizerBase

AT_ONCE = 8
"""How many finetunes are made at the same time."""

logger = logging.getLogger(__name__)


class TinkerBackend:
    """Makes finetunes at a service that speaks the Tinker API.

    The loop over the batches runs in this process, a thread a finetune; it ends with the process,
    and the same command goes on from the last point that the service keeps. A job's name is the
    run id, which the service's training runs carry in their metadata.

    Args:
        runs: The folder of runs; what is known of each finetune is kept in it, too.
        endpoint: The address of the service, the official one where it is not given.

    Raises:
        UsageError: The SDK is not installed.
    """

    name: BackendName = "tinker"
    pause = 0.1
    outlives = False

    def __init__(self, runs: Path, endpoint: str | None = None) -> None:
        require_sdk()
        self._runs = runs.expanduser().resolve()
        self._endpoint = endpoint
        self._tokenizers: dict[str, PreTrainedTokenizerBase] = {}
        self._examples: dict[str, tuple[PreTrainedTokenizerBase, list[Example]]] = {}
        self._points: dict[str, tuple[Point, ...]] = {}
        self._status: dict[str, Status] = {}
        self._messages: dict[str, list[JobEvent]] = {}
        self._stops: dict[str, threading.Event] = {}
        self._threads: list[threading.Thread] = []
        self._slots = threading.Semaphore(AT_ONCE)
        self._guard = threading.Lock()

    def find(self, spec: FinetuneSpec) -> str | None:
        """The run id, where the service has the finished model already."""
        if last(self._known(spec.run_id)) is None:
            return None
        self._status[spec.run_id] = Status(state="succeeded")
        return spec.run_id

    def prepare(self, spec: FinetuneSpec) -> str:
        """Encodes the rows with the base's own tokenizer; nothing is uploaded before training."""
        check(spec.hyperparameters)
        key = f"{spec.base} {spec.hyperparameters.max_length} {spec.dataset_sha256}"
        if key not in self._examples:
            if sha256_file(spec.dataset) != spec.dataset_sha256:
                raise UsageError(f"{spec.dataset} was changed meanwhile: start again")
            if spec.base not in self._tokenizers:
                self._tokenizers[spec.base] = tokenizer_of(self._service, spec.base)
            tokenizer = self._tokenizers[spec.base]
            limit = spec.hyperparameters.max_length
            rows = read_rows(spec.dataset)
            self._examples[key] = (
                tokenizer,
                encode_rows(tokenizer, rows, limit, str(spec.dataset)),
            )
        return key

    def submit(self, spec: FinetuneSpec, prepared: str) -> str:
        """Starts a thread that makes the finetune, from where an earlier one was cut off."""
        job = spec.run_id
        tokenizer, examples = self._examples[prepared]
        before = read_record(self._runs, job)
        record = TinkerRecord(
            spec=spec,
            run_id=job,
            examples=len(examples),
            supervised_tokens=sum(example.supervised for example in examples),
            steps=steps_of(len(examples), spec.hyperparameters)[1],
            decoded_examples=tuple(example.decoded(tokenizer) for example in examples[:3]),
            training_runs=before.training_runs if before else (),
            points=merge(self._known(job), before.points if before else ()),
            losses=before.losses if before else {},
        )
        place = Place(self._service, self._rest, self._runs, threading.Event())
        with self._guard:
            self._status[job] = Status(state="queued")
            self._messages[job] = []
            self._stops[job] = place.stop
        thread = threading.Thread(target=self._make, args=(place, record, examples), daemon=True)
        self._threads.append(thread)
        thread.start()
        return job

    def poll(self, job: str) -> Status:
        """How the job stands; one that this process does not make is done or was cut off."""
        if job in self._status:
            return self._status[job]
        if last(self._known(job)) is not None:
            return Status(state="succeeded")
        return Status(state="failed", problem="it was cut off; the same command goes on with it")

    def events(self, job: str) -> Sequence[JobEvent]:
        """The steps that the job has made in this process."""
        return tuple(self._messages.get(job, ()))

    def cancel(self, job: str) -> None:
        """Stops the job; the points that it has passed stay at the service.

        Raises:
            UsageError: Another process makes it, if any.
        """
        with self._guard:
            if job not in self._stops:
                raise UsageError(
                    f"finetune {job} is not made by this process: stop the process that makes it"
                )
            if self._status[job].state not in FINAL:
                self._status[job] = Status(state="cancelled")
                self._stops[job].set()

    def checkpoints(self, job: str) -> Sequence[Checkpoint]:
        """The epochs that were kept, less the last one, which is the finetune itself."""
        return tuple(
            point.as_checkpoint(self._endpoint)
            for point in self._known(job)
            if point.sampler and not point.last
        )

    def resolve(self, job: str) -> Made:
        """The model that a job has made."""
        point = last(self._known(job))
        if point is None:
            raise UsageError(f"finetune {job} is not done: the service has no weights of it")
        return point.as_made(self._endpoint)

    def close(self) -> None:
        """Stops all jobs of this process at the next step; the same command goes on with them."""
        for stop in self._stops.values():
            stop.set()
        for thread in self._threads:
            thread.join()

    @cached_property
    def _service(self) -> "ServiceClient":
        return service(self._endpoint)

    @cached_property
    def _rest(self) -> "RestClient":
        import tinker

        self._service  # noqa: B018  # tells at once where nothing answers
        return tinker.RestClient(base_url=self._endpoint or OFFICIAL)

    @cached_property
    def _listed(self) -> dict[str, list[str]]:
        return training_runs(self._rest)

    def _known(self, run_id: str) -> tuple[Point, ...]:
        """The points of a finetune that the service or its record knows of."""
        if run_id not in self._points:
            record = read_record(self._runs, run_id)
            there = ask(lambda: points_at(self._rest, self._listed.get(run_id, [])))
            self._points[run_id] = merge(record.points if record else (), there)
        return self._points[run_id]

    def _make(self, place: Place, record: TinkerRecord, examples: Sequence[Example]) -> None:
        """What the thread of a job does."""
        job = record.run_id

        def tell(step: int, steps: int, loss: float) -> None:
            self._now(job, Status(state="running", step=step, steps=steps, loss=loss))

        with self._slots:
            try:
                done = train(place, record, examples, tell)
            except Stopped:
                self._now(job, Status(state="cancelled", problem="it was stopped"))
            except UsageError as error:
                self._now(job, Status(state="failed", problem=error.message, mistake=True))
            except Exception as error:
                logger.debug("finetune %s", job, exc_info=True)
                refused = refusal(error)
                problem = refused.message if refused else describe(error)
                problem += "; the same command goes on from the last point that was kept"
                self._now(job, Status(state="failed", problem=problem, mistake=bool(refused)))
            else:
                self._points[job] = done.points
                end = self._status[job].model_copy(update={"state": "succeeded"})
                self._now(job, end)

    def _now(self, job: str, status: Status) -> None:
        with self._guard:
            if self._status[job].state in FINAL:
                return
            self._status[job] = status
            if status.step is not None and status.loss is not None and status.state == "running":
                told = self._messages[job]
                message = f"step {status.step} of {status.steps}, loss {status.loss:.4f}"
                told.append(
                    JobEvent(
                        id=str(len(told) + 1), time=registry.now(), level="info", message=message
                    )
                )
