"""The local backend: finetunes made by processes on this machine."""

import queue
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError

from selfaware.data.manifest import read_manifest
from selfaware.errors import UsageError
from selfaware.training import registry
from selfaware.training.backend import FINAL, Checkpoint, JobEvent, Made, Status
from selfaware.training.bases import locate_base
from selfaware.training.jobs import (
    ADAPTERS,
    RECORD,
    Done,
    Job,
    Order,
    Record,
    Refused,
    Step,
    adapter_folder,
    checkpoint_id,
)
from selfaware.training.launcher import Launch, check, cores
from selfaware.training.spec import BackendName, FinetuneSpec
from selfaware.training.unfinished import forget
from selfaware.training.workers import AnyWorker, Worker

SMALL_WEIGHTS = 100_000_000
"""Bytes of weights up to which a base is finetuned by as many processes as there are cores."""


class LocalBackend:
    """Makes finetunes in processes of their own, several at once where the base is small.

    A worker makes one finetune after the other and dies with this process. What is finished stays.

    Args:
        runs: The folder that adapters go to.
        workers: How many at most; where it is not given, one for each core if the base is small
            and trained by one process, else one.
        launch: How a worker is started.
        start: Starts one; with True no model hub is asked.
    """

    name: BackendName = "local"
    pause = 0.05
    outlives = False

    def __init__(
        self,
        runs: Path,
        workers: int | None = None,
        launch: Launch | None = None,
        start: Callable[[Launch, bool], AnyWorker] = Worker,
    ) -> None:
        self._runs = runs.expanduser().resolve()
        self._launch = launch or Launch()
        self._workers = workers
        self._start = start
        self._waiting: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self._status: dict[str, Status] = {}
        self._messages: dict[str, list[JobEvent]] = {}
        self._making: dict[str, AnyWorker] = {}
        self._threads: list[threading.Thread] = []
        self._serving = 0
        self._guard = threading.Lock()
        self._broken: str | None = None

    def find(self, spec: FinetuneSpec) -> str | None:
        """The run id, where the adapter lies in its place already."""
        self._clear(spec.run_id)
        if not adapter_folder(self._runs, spec.run_id).exists():
            return None
        self._read(spec.run_id)
        forget(self._runs, spec.run_id)
        self._status[spec.run_id] = Status(state="succeeded")
        return spec.run_id

    def prepare(self, spec: FinetuneSpec) -> str:
        """Where the base lies; the worker looks at the rows, with the base's own tokenizer."""
        check(self._launch, spec.hyperparameters)
        return locate_base(spec.base)[0]

    def submit(self, spec: FinetuneSpec, prepared: str) -> str:
        """Puts the finetune in line, and starts a worker for it where another may be started."""
        manifest = read_manifest(spec.dataset)
        job = Job(
            id=spec.run_id,
            spec=spec,
            base_sha256=spec.base_sha256,
            dataset_sha256=spec.dataset_sha256,
            rejected_sha256=spec.rejected_sha256,
            behavior=manifest.behavior if manifest else None,
            pole=manifest.pole if manifest else None,
        )
        order = Order(
            place=prepared,
            revision=locate_base(spec.base)[1],
            runs=self._runs,
            job=job,
            launch=self._launch,
        )
        with self._guard:
            self._status[job.id] = Status(state="queued")
            self._messages[job.id] = []
            self._waiting.put(order)
            alone = self._launch.processes > 1 or not _small(Path(prepared))
            if self._serving < (self._workers or (1 if alone else cores())):
                self._serving += 1
                self._threads.append(threading.Thread(target=self._serve, daemon=True))
                self._threads[-1].start()
        return job.id

    def poll(self, job: str) -> Status:
        """How the job stands."""
        return self._status[job]

    def events(self, job: str) -> Sequence[JobEvent]:
        """The steps that the job has made in this process."""
        return tuple(self._messages.get(job, ()))

    def cancel(self, job: str) -> None:
        """Stops the job, whether it is being made or in line."""
        with self._guard:
            if self._status[job].state in FINAL:
                return
            self._status[job] = Status(state="cancelled")
            if job in self._making:
                self._making[job].kill()

    def checkpoints(self, job: str) -> Sequence[Checkpoint]:
        """The epochs that were kept."""
        found = []
        for folder in (self._runs / ADAPTERS).glob(checkpoint_id(job, 0)[:-1] + "*"):
            entry = self._read(folder.name).entry
            assert entry.step is not None
            found.append(
                Checkpoint(
                    step=entry.step,
                    epoch=entry.epoch,
                    model=entry.inspect_model,
                    adapter=entry.adapter,
                    loss=entry.training_loss,
                )
            )
        return sorted(found, key=lambda each: each.step)

    def resolve(self, job: str) -> Made:
        """The adapter of a finetune that is made."""
        self._clear(job)
        entry = self._read(job).entry
        return Made(
            model=entry.inspect_model,
            adapter=entry.adapter,
            training_loss=entry.training_loss,
            seconds=entry.seconds,
            versions=entry.versions,
        )

    def close(self) -> None:
        """Stops all workers at once."""
        with self._guard:
            self._broken = self._broken or "it was stopped"
            for worker in self._making.values():
                worker.kill()
        for thread in self._threads:
            thread.join()

    def _clear(self, run_id: str) -> None:
        """Removes what workers that died over this finetune have left half saved."""
        for scratch in (self._runs / ADAPTERS).glob(f".{run_id}.*.partial"):
            shutil.rmtree(scratch, ignore_errors=True)

    def _read(self, run_id: str) -> Record:
        path = adapter_folder(self._runs, run_id) / RECORD
        try:
            return Record.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise UsageError(
                f"{path.parent} is in the way: it is no adapter of this package ({RECORD} cannot "
                "be read); move the folder away"
            ) from error

    def _serve(self) -> None:
        """Has one order after the other carried out by a worker, until there are none."""
        worker: AnyWorker | None = None
        while (order := self._next()) is not None:
            if worker is None:
                worker = self._start(self._launch, order.revision is None)
            with self._guard:
                self._making[order.job.id] = worker
            for event in worker.make(order):
                self._heard(order.job, event)
            with self._guard:
                del self._making[order.job.id]
                status = self._status[order.job.id]
                if status.state not in FINAL:  # the worker died without a word
                    problem = self._broken or worker.failure(_process_for(order.job.spec.base))
                    self._broken = problem
                    self._status[order.job.id] = Status(state="failed", problem=problem)
            if not worker.alive():
                worker.close()
                worker = None
        if worker is not None:
            worker.close()

    def _next(self) -> Order | None:
        """The next order to carry out; None where there is none, and this thread ends."""
        with self._guard:
            while True:
                try:
                    order = self._waiting.get_nowait()
                except queue.Empty:
                    self._serving -= 1
                    return None
                if self._status[order.job.id].state in FINAL:
                    continue
                if self._broken is None:
                    self._status[order.job.id] = Status(state="running")
                    return order
                problem = f"not begun after another failed: {self._broken.splitlines()[0]}"
                self._status[order.job.id] = Status(state="failed", problem=problem)

    def _heard(self, job: Job, event: Step | Done | Refused) -> None:
        with self._guard:
            if self._status[job.id].state in FINAL:
                return
            match event:
                case Step(step=step, steps=steps, loss=loss):
                    now = Status(state="running", step=step, steps=steps, loss=loss)
                    self._tell(job.id, f"step {step} of {steps}, loss {loss:.4f}")
                case Done():
                    now = self._status[job.id].model_copy(update={"state": "succeeded"})
                case Refused(message=message):
                    now = Status(state="failed", problem=message, mistake=True)
            self._status[job.id] = now

    def _tell(self, job: str, message: str) -> None:
        told = self._messages[job]
        told.append(
            JobEvent(id=str(len(told) + 1), time=registry.now(), level="info", message=message)
        )


def _process_for(base: str) -> str:
    return f"the training process for base {base!r}"


def _small(place: Path) -> bool:
    return place.is_dir() and sum(f.stat().st_size for f in place.iterdir()) < SMALL_WEIGHTS
