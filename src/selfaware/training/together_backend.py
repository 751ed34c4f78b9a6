"""The together backend: finetunes made by Together, adapters fetched to be served with vLLM."""

import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from selfaware import __version__
from selfaware.data.atomic import atomic_text
from selfaware.data.rows import sha256_file
from selfaware.errors import UsageError
from selfaware.training import registry
from selfaware.training.backend import Checkpoint, JobEvent, Made, NotYet, Status
from selfaware.training.jobs import ADAPTERS
from selfaware.training.openai_files import file_name, lines
from selfaware.training.spec import BackendName, FinetuneSpec
from selfaware.training.together_adapter import fetch_adapter, vllm_model
from selfaware.training.together_job import create, suffix
from selfaware.training.together_service import Missing, TogetherService
from selfaware.training.together_status import (
    ENDED,
    last_epoch_loss,
    seconds_between,
    status_of,
    told,
)

if TYPE_CHECKING:
    from together import Together
    from together.types import FileResponse, FinetuneEvent, FinetuneResponse
    from together.types.fine_tuning_list_response import Data

_CHECKED = (None, "COMPLETED")
"""How a file stands that can be trained on: the service has looked at it, or looks at none."""

_LARGEST_SEED = 2**31 - 1


class TogetherBackend:
    """Has finetunes made by Together; what it has begun goes on when this process ends.

    A job's suffix is its run id, by which it is found again. The loss is on the supervised answers
    alone, and rows are not packed.

    Args:
        runs: The folder of runs, which adapters are fetched to.
        endpoint: The address of the service (`base_url`), or None for Together's own.
        patience: What all waits are multiplied by that the service does not name itself.

    Raises:
        UsageError: The SDK is not installed, or no key is set.
    """

    name: BackendName = "together"
    outlives = True

    def __init__(self, runs: Path, endpoint: str | None = None, patience: float = 1.0) -> None:
        self.pause = patience
        self._runs = runs.expanduser()
        self._service = TogetherService(endpoint, patience)
        self._started = time.monotonic()
        self._files: dict[str, str] = {}

    def find(self, spec: FinetuneSpec) -> str | None:
        """The job whose suffix is this run.

        One that failed or was cancelled is left out only where the registry knows of it already:
        a job that ended while nobody looked was this run's job nonetheless.
        """
        known = {entry.job for entry in registry.history(self._runs, spec.run_id)}
        lost = ("error", "user_error", "cancelled", "cancel_requested")
        ours = [
            job
            for job in self._jobs()
            if job.suffix == suffix(spec.run_id) and (job.status not in lost or job.id not in known)
        ]
        ours.sort(key=lambda job: (job.status in lost, job.created_at))
        return ours[0].id if ours else None

    def prepare(self, spec: FinetuneSpec) -> str:
        """The id of the finetune's file; it is uploaded unless it is there already."""
        if spec.seed > _LARGEST_SEED:
            raise UsageError(f"seed {spec.seed}: Together takes seeds from 0 to {_LARGEST_SEED}")
        name = file_name(spec)
        if name not in self._files:
            self._files[name] = self._there(name) or self._upload(spec, name)
        try:
            file = self._service.ask(lambda client: client.files.retrieve(self._files[name]))
        except Missing:
            del self._files[name]
            raise NotYet("Together has lost the file; it is uploaded again", 0) from None
        if file.processing_status in ("FAILED", "INVALID_FORMAT"):
            report = file.validation_report
            why = self._service.clean(report.error) if report and report.error else "no reason told"
            raise UsageError(f"Together would not have the file of {spec.dataset}: {why}")
        if file.processing_status not in _CHECKED:
            raise NotYet("Together looks at the file", 5 * self._service.patience)
        return file.id

    def submit(self, spec: FinetuneSpec, prepared: str) -> str:
        """Makes the job; one that may have been made or not is looked for before another try."""
        try:
            limits = self._service.ask(
                lambda client: client.fine_tuning.model_limits(model_name=spec.base)
            )
            return self._service.ask(lambda client: create(client, spec, prepared, limits))
        except Missing as error:
            raise UsageError(
                f"Together finetunes no {spec.base!r}: {error.message}; docs.together.ai lists "
                "what it finetunes"
            ) from None

    def poll(self, job: str) -> Status:
        """How the job stands."""
        # A twentieth of the time that all has taken so far: short jobs are soon seen to be ready,
        # and long ones seldom asked about.
        waited = (time.monotonic() - self._started) / 20
        self.pause = min(max(self._service.patience, waited), 30.0)
        try:
            found = self._job(job)
        except Missing:
            return Status(state="failed", problem=f"Together knows no job {job} any more")
        status = status_of(found.status, self._events(job))
        if status.problem is None:
            return status
        return status.model_copy(update={"problem": self._service.clean(status.problem)})

    def events(self, job: str) -> Sequence[JobEvent]:
        """What the service tells of the job, oldest first."""
        every = [told(event, number) for number, event in enumerate(self._events(job), 1)]
        return tuple(
            event.model_copy(update={"message": self._service.clean(event.message)})
            for event in sorted(every, key=lambda event: event.time)
        )

    def cancel(self, job: str) -> None:
        """Stops the job; one that has ended is left as it is."""
        if self._job(job).status in ENDED:
            return
        try:
            self._service.ask(lambda client: client.fine_tuning.cancel(job))
        except UsageError:
            if self._job(job).status not in ENDED:
                raise

    def checkpoints(self, job: str) -> Sequence[Checkpoint]:
        """The adapters of the epochs before the last, fetched."""
        done, run_id = self._job(job), self._run_id(job)
        kept = self._service.ask(lambda client: client.fine_tuning.list_checkpoints(job)).data
        adapters = [point for point in kept if point.checkpoint in (None, "adapter")]
        steps = sorted({point.step for point in adapters})
        made = []
        for epoch, step in enumerate(steps[:-1], 1):
            folder = self._adapter(done, f"{run_id}-step{step}", step)
            model, flags = vllm_model(folder)
            place = f"{ADAPTERS}/{folder.name}"
            made.append(Checkpoint(step=step, epoch=epoch, model=model, flags=flags, adapter=place))
        return made

    def resolve(self, job: str) -> Made:
        """The model that a job has made: its adapter, fetched; a full one stays at Together."""
        done = self._job(job)
        name = done.x_model_output_name
        if name is None:
            raise NotYet(f"job {job} succeeded but names no model yet", 10 * self._service.patience)
        lora = done.training_type is None or done.training_type.type == "Lora"
        model, place = f"together/{name}", None
        flags: tuple[str, ...] = ()
        if lora:
            folder = self._adapter(done, self._run_id(job))
            model, flags = vllm_model(folder)
            place = f"{ADAPTERS}/{folder.name}"
        metrics = self._service.ask(lambda client: client.fine_tuning.list_metrics(job)).metrics
        return Made(
            model=model,
            flags=flags,
            adapter=place,
            training_loss=last_epoch_loss(metrics, done.n_epochs or 1),
            seconds=seconds_between(self._events(job)),
            tokens=done.token_count,
            versions={"selfaware": __version__, "together": version("together")},
        )

    def close(self) -> None:
        """Closes the connections; jobs go on."""
        self._service.close()

    def _job(self, job: str) -> "FinetuneResponse":
        return self._service.ask(lambda client: client.fine_tuning.retrieve(job))

    def _jobs(self) -> "list[Data]":
        return self._service.ask(lambda client: client.fine_tuning.list()).data

    def _events(self, job: str) -> "list[FinetuneEvent]":
        return self._service.ask(lambda client: client.fine_tuning.list_events(job)).data

    def _run_id(self, job: str) -> str:
        """The run id that stands in a job's suffix, which only the list of jobs has."""
        named = next((each.suffix for each in self._jobs() if each.id == job), None)
        return (named or job).removeprefix(suffix(""))

    def _there(self, name: str) -> str | None:
        files: list[FileResponse] = self._service.ask(lambda client: client.files.list()).data
        refused = ("FAILED", "INVALID_FORMAT")
        return next(
            (f.id for f in files if f.filename == name and f.processing_status not in refused),
            None,
        )

    def _upload(self, spec: FinetuneSpec, name: str) -> str:
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / name
            with atomic_text(path) as file:
                file.writelines(f"{line}\n" for line in lines(spec))
            if sha256_file(spec.dataset) != spec.dataset_sha256 or file_name(spec) != name:
                raise UsageError(
                    f"{spec.dataset} was changed while the finetune was starting: start it again"
                )
            return self._service.ask(
                lambda client: client.files.upload(path, purpose="fine-tune")
            ).id

    def _adapter(self, job: "FinetuneResponse", name: str, step: int | None = None) -> Path:
        def download(path: Path) -> None:
            from together import omit

            def stream(client: "Together") -> None:
                with client.fine_tuning.with_streaming_response.content(
                    ft_id=job.id,
                    checkpoint="adapter",
                    checkpoint_step=omit if step is None else step,
                ) as response:
                    response.stream_to_file(path)

            self._service.ask(stream)

        origin = {"job": job.id, "base": job.model or "", "model": job.x_model_output_name or ""}
        return fetch_adapter(self._runs, name, download, origin)
