"""The backend for OpenAI's fine-tuning API, at OpenAI or at any server that speaks it."""

import logging
import time
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from selfaware import __version__
from selfaware.errors import UsageError
from selfaware.training import registry
from selfaware.training.backend import Checkpoint, JobEvent, Made, NotYet, Status
from selfaware.training.calling import hosted_model
from selfaware.training.openai_files import file_name, training_file
from selfaware.training.openai_jobs import RUN_KEY, is_of, metadata_of, method_of, suffix_of
from selfaware.training.openai_service import Doubt, Missing, Refused, Service
from selfaware.training.openai_status import status_of, told
from selfaware.training.spec import BackendName, FinetuneSpec

if TYPE_CHECKING:
    from openai.types import FileObject
    from openai.types.fine_tuning import FineTuningJob

logger = logging.getLogger(__name__)

_LARGEST_SEED = 2**31 - 1
_NEWEST = 50
"""How many of the newest events are looked at to see how a job stands."""


class OpenAIBackend:
    """Has finetunes made by a service; what it has begun goes on when this process ends.

    Args:
        runs: The folder of the run registry.
        endpoint: The address of the service (`base_url`), or None for OpenAI's own.
        patience: What all waits are multiplied by that the service does not name itself.
        timeout: How many seconds a request may stay unanswered.
    """

    name: BackendName = "openai"
    outlives = True

    def __init__(
        self,
        runs: Path,
        endpoint: str | None = None,
        patience: float = 1.0,
        timeout: float = 120.0,
    ) -> None:
        self.pause = patience
        self._patience = patience
        self._runs = runs.expanduser()
        self._endpoint = endpoint
        self._service = Service(endpoint, patience, timeout)
        self._started = time.monotonic()
        self._doubts: dict[str, float] = {}
        self._alone: set[str] = set()
        self._uploaded: set[str] = set()
        self._expired: set[str] = set()

    def find(self, spec: FinetuneSpec) -> str | None:
        """The job whose metadata, or else whose suffix, name this run.

        One that failed or was cancelled is left out only where the registry knows of it already:
        a job that ended while nobody looked was this run's job nonetheless. While a request for the
        job may still be under way, there is no answer yet.
        """
        known = {entry.job for entry in registry.history(self._runs, spec.run_id)}
        ours = [
            job
            for job in self._jobs(spec.run_id)
            if job.status not in ("failed", "cancelled") or job.id not in known
        ]
        ours.sort(key=lambda job: (job.status in ("failed", "cancelled"), job.created_at))
        wait = self._doubts.get(spec.run_id, 0.0) - time.monotonic()
        if not ours and wait > 0:
            reason = "it is looked for whether the job was made after all"
            raise NotYet(reason, min(wait, 10 * self._patience))
        return ours[0].id if ours else None

    def prepare(self, spec: FinetuneSpec) -> str:
        """The id of the finetune's file; it is uploaded unless it is there already."""
        if spec.seed > _LARGEST_SEED:
            raise UsageError(f"seed {spec.seed}: OpenAI takes seeds from 0 to {_LARGEST_SEED}")
        name = file_name(spec)
        with training_file(spec) as file:
            size = file.seek(0, 2)
            file.seek(0)
            for there in self._files():
                if there.filename == name and there.bytes == size and self._usable(there):
                    return there.id
            try:
                made = self._service.ask(
                    lambda client: client.files.create(
                        file=(name, file, "application/jsonl"), purpose="fine-tune"
                    )
                )
            except (Missing, Refused) as error:
                raise self._unwanted(f"the file of {spec.dataset}", error) from None
        self._uploaded.add(made.id)
        return made.id

    def submit(self, spec: FinetuneSpec, prepared: str) -> str:
        """Makes the job; one that may have been made or not is looked for before another try."""
        try:
            job = self._service.ask(
                lambda client: client.fine_tuning.jobs.create(
                    model=spec.base,
                    training_file=prepared,
                    method=method_of(spec),
                    seed=spec.seed,
                    suffix=suffix_of(spec.run_id),
                    metadata=metadata_of(spec),
                )
            )
        except Doubt as doubt:
            self._doubts[spec.run_id] = time.monotonic() + doubt.settles
            raise
        except (Missing, Refused) as error:
            about_file = prepared in str(error) or getattr(error, "param", "") == "training_file"
            if about_file and prepared not in self._uploaded:
                self._expired.add(prepared)
                raise NotYet(f"{error}; the file is uploaded again", 0) from None
            raise self._unwanted(f"a finetune of {spec.base}", error) from None
        return job.id

    def poll(self, job: str) -> Status:
        """How the job stands."""
        # A twentieth of the time that all has taken so far: short jobs are soon seen to be ready,
        # and long ones seldom asked about.
        waited = (time.monotonic() - self._started) / 20
        self.pause = min(max(self._patience, waited), 30.0)
        try:
            found = self._job(job)
        except Missing:
            return Status(
                state="failed", problem=f"{self._service.address} knows no job {job} any more"
            )
        if found.status in ("running", "succeeded") and job not in self._alone:
            self._cancel_twins(found)
            self._alone.add(job)
        looking = found.status not in ("validating_files", "queued", "succeeded", "cancelled")
        newest = (
            self._service.ask(
                lambda client: client.fine_tuning.jobs.list_events(job, limit=_NEWEST)
            ).data
            if looking
            else []
        )
        status = status_of(found, newest)
        if status.problem is None:
            return status
        block = status.block
        if block is not None:
            block = block.model_copy(update={"message": self._service.clean(block.message)})
        told = {"problem": self._service.clean(status.problem), "block": block}
        return status.model_copy(update=told)

    def events(self, job: str) -> Sequence[JobEvent]:
        """What the service tells of the job, oldest first."""
        found = self._service.ask(lambda client: list(client.fine_tuning.jobs.list_events(job)))
        found.reverse()  # they come newest first; those of one second keep their order
        return tuple(
            told(event).model_copy(update={"message": self._service.clean(event.message)})
            for event in sorted(found, key=lambda event: event.created_at)
        )

    def cancel(self, job: str) -> None:
        """Stops the job; one that has ended is left as it is."""
        if self._job(job).status in ("succeeded", "failed", "cancelled"):
            return
        try:
            self._service.ask(lambda client: client.fine_tuning.jobs.cancel(job))
        except Refused:
            if self._job(job).status not in ("succeeded", "failed", "cancelled"):
                raise

    def checkpoints(self, job: str) -> Sequence[Checkpoint]:
        """The checkpoints that the service kept (the last three epochs, at OpenAI)."""
        found = self._service.ask(
            lambda client: list(client.fine_tuning.jobs.checkpoints.list(job))
        )
        made = []
        for point in sorted(found, key=lambda point: point.step_number):
            model, flags = hosted_model(point.fine_tuned_model_checkpoint, self._endpoint)
            loss = point.metrics.train_loss if point.metrics else None
            made.append(Checkpoint(step=point.step_number, model=model, flags=flags, loss=loss))
        return made

    def resolve(self, job: str) -> Made:
        """The model that a job has made, and the day on which the service ends it."""
        done = self._job(job)
        if done.fine_tuned_model is None:
            raise NotYet(f"job {job} succeeded but names no model yet", 10 * self._patience)
        newest = self._service.ask(
            lambda client: client.fine_tuning.jobs.list_events(job, limit=_NEWEST)
        ).data
        model, flags = hosted_model(done.fine_tuned_model, self._endpoint)
        ended = done.finished_at
        return Made(
            model=model,
            flags=flags,
            shutdown_date=self._shutdown(done.fine_tuned_model) or self._shutdown(done.model),
            training_loss=status_of(done, newest).loss,
            seconds=float(ended - done.created_at) if ended else None,
            tokens=done.trained_tokens,
            versions={"selfaware": __version__, "openai": version("openai")},
        )

    def close(self) -> None:
        """Closes the connections; jobs go on."""
        self._service.close()

    def _cancel_twins(self, job: "FineTuningJob") -> None:
        """Cancels jobs of the same run that a service made of a request long thought to be lost."""
        run_id = (job.metadata or {}).get(RUN_KEY)
        for twin in self._jobs(run_id) if run_id else ():
            if twin.id != job.id and twin.status not in ("succeeded", "failed", "cancelled"):
                self.cancel(twin.id)
                logger.warning("cancelled job %s: job %s is the same finetune", twin.id, job.id)

    def _job(self, job: str) -> "FineTuningJob":
        return self._service.ask(lambda client: client.fine_tuning.jobs.retrieve(job))

    def _jobs(self, run_id: str) -> "list[FineTuningJob]":
        """The jobs of a run; the service is asked for those alone, and may give others too."""
        try:
            found = self._service.ask(
                lambda client: list(
                    client.fine_tuning.jobs.list(limit=100, metadata={RUN_KEY: run_id})
                )
            )
        except (Missing, Refused) as error:
            raise self._unwanted("the list of fine-tuning jobs", error) from None
        return [job for job in found if is_of(job, run_id)]

    def _files(self) -> "list[FileObject]":
        return self._service.ask(lambda client: list(client.files.list(purpose="fine-tune")))

    def _usable(self, file: "FileObject") -> bool:
        ends = file.expires_at
        gone = file.id in self._expired or (ends is not None and ends < time.time())
        return not gone and file.status != "error"

    def _shutdown(self, model: str) -> date | None:
        try:
            known = self._service.ask(lambda client: client.models.retrieve(model))
        except (Missing, Refused):
            return None
        try:
            return date.fromisoformat((known.shutdown_date or "")[:10])
        except ValueError:
            return None

    def _unwanted(self, what: str, error: Exception) -> UsageError:
        return UsageError(
            f"{self._service.address} would not have {what}: {error}; mend the experiment or "
            "base_url (it mostly ends in /v1)"
        )
