"""The fine-tuning jobs of an emulated service, and how they go on with time."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from selfaware.testing.clock import Clock
from selfaware.testing.faults import Refusal, Refusing, Switchboard, daily
from selfaware.testing.files import Files, fault_of
from selfaware.testing.orders import model_name, ordered
from selfaware.testing.trainers import Order, Progress, Trainer

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent
    from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint

DAY = 86_400.0

_ENDS = {
    "job_expired": ("expired", "The job expired before it could be finished"),
    "job_failed": ("server_error", "The job failed due to an internal error"),
}

Phase = Literal["validating_files", "queued", "running", "moderation", "ended"]


@dataclass(frozen=True)
class Schedule:
    """How many seconds the stages take beside the training itself."""

    validating: float = 0.2
    queued: float = 0.2
    moderation: float = 0.2


@dataclass
class Running:
    """A job: what is shown of it, what was said of it, and at what stage it is since when."""

    shown: "FineTuningJob"
    order: Order
    suffix: str | None
    phase: Phase
    since: float
    events: "list[FineTuningJobEvent]" = field(default_factory=list)
    checkpoints: "list[FineTuningJobCheckpoint]" = field(default_factory=list)
    step: int = 0


class Jobs:
    """All jobs, oldest first; they go on whenever somebody looks."""

    def __init__(
        self,
        clock: Clock,
        files: Files,
        trainer: Trainer,
        faults: Switchboard,
        schedule: Schedule,
        bases: Mapping[str, str],
        daily_limit: int | None = None,
    ) -> None:
        self._clock = clock
        self._files = files
        self._trainer = trainer
        self._faults = faults
        self._schedule = schedule
        self._bases = bases
        self._daily_limit = daily_limit
        self._all: dict[str, Running] = {}

    def create(self, body: Mapping[str, object]) -> "FineTuningJob":
        """Makes a job of a request. Raises Refusing where the service would not have it."""
        now = self._clock.now()
        today = [each for each in self._all.values() if each.shown.created_at > now - DAY]
        if self._daily_limit is not None and len(today) >= self._daily_limit:
            raise Refusing(daily(self._daily_limit))
        shown, order = ordered(body, self._bases, self._files, int(now))
        suffix = body.get("suffix")
        made = Running(shown, order, str(suffix) if suffix else None, "validating_files", now)
        self._say(made, "Created fine-tuning job")
        self._say(made, f"Validating training file: {shown.training_file}")
        self._all[shown.id] = made
        return shown

    def all(self, metadata: Mapping[str, str]) -> "list[FineTuningJob]":
        """The jobs that have all of these metadata, newest first."""
        return [
            self.get(job).shown
            for job, running in reversed(self._all.items())
            if metadata.items() <= (running.shown.metadata or {}).items()
        ]

    def get(self, job: str) -> Running:
        """A job as it stands now. Raises Refusing where there is none."""
        if job not in self._all:
            raise Refusing(Refusal(404, f"Could not find fine tune: {job}", param="id"))
        running = self._all[job]
        while self._go_on(running):
            pass
        return running

    def cancel(self, job: str) -> "FineTuningJob":
        """Stops a job."""
        running = self.get(job)
        if running.phase == "ended":
            raise Refusing(Refusal(400, f"Job has already completed: {job}"))
        self._trainer.cancel(job)
        self._end(running, "cancelled", "The job was cancelled")
        return running.shown

    def made(self) -> "Sequence[FineTuningJob]":
        """The jobs that have made a model."""
        return [each.shown for each in self._all.values() if each.shown.fine_tuned_model]

    def _go_on(self, job: Running) -> bool:
        """One stage further, where it is time; tells whether the job moved."""
        waited = self._clock.now() - job.since
        if job.phase == "validating_files" and waited >= self._schedule.validating:
            self._validate(job)
        elif job.phase == "queued" and waited >= self._schedule.queued:
            self._enter(job, "running", "Fine-tuning job started")
            self._trainer.start(job.order)
        elif job.phase == "running":
            return self._train(job)
        elif job.phase == "moderation" and waited >= self._schedule.moderation:
            self._finish(job)
        else:
            return False
        return True

    def _validate(self, job: Running) -> None:
        if self._faults.fate("moderation_before"):
            self._fail(
                job,
                "invalid_training_file",
                "The job failed due to an invalid training file. This training file was blocked "
                "because too many examples were flagged by our moderation API for containing "
                "content that violates our usage policies in the following categories: hate, "
                "self-harm. Use the free moderation endpoint to look at your data.",
                "training_file",
            )
        elif fault := fault_of(job.order.rows, job.order.method):
            text = f"The job failed due to an invalid training file. {fault}"
            self._fail(job, "invalid_training_file", text, "training_file")
        else:
            self._enter(job, "queued", "Files validated, moving job to queued state")

    def _train(self, job: Running) -> bool:
        if fate := self._faults.fate("job_expired", "job_failed"):
            self._trainer.cancel(job.shown.id)
            self._fail(job, *_ENDS[fate.kind])
            return True
        far = self._trainer.progress(job.shown.id)
        if far.problem is not None:
            self._fail(job, "training_failed", far.problem)
            return True
        self._tell_step(job, far)
        if not far.done:
            return False
        self._keep(job, far)
        self._enter(job, "moderation", "Evaluating model against our usage policies")
        return True

    def _finish(self, job: Running) -> None:
        far = self._trainer.progress(job.shown.id)
        name = model_name(job.shown.model, job.suffix, far.model)
        if self._faults.fate("moderation_after"):
            self._fail(
                job,
                "moderation_failed",
                f"Error while running moderation eval refusals_v3 for snapshot {name}; "
                "Error while running eval for category hate/threatening",
            )
            return
        job.shown.fine_tuned_model = name
        job.shown.trained_tokens = job.order.epochs * len(job.order.rows) // 4
        self._say(job, f"New fine-tuned model created: {name}")
        self._end(job, "succeeded", "The job has successfully completed")

    def _tell_step(self, job: Running, far: Progress) -> None:
        if far.step <= job.step:
            return
        job.step = far.step
        numbers = {"step": far.step, "total_steps": far.steps, "train_loss": far.loss}
        text = f"Step {far.step}/{far.steps}: training loss={far.loss}"
        self._say(job, text, numbers=numbers)

    def _keep(self, job: Running, far: Progress) -> None:
        from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint
        from openai.types.fine_tuning.jobs.fine_tuning_job_checkpoint import Metrics

        for kept in far.kept:
            name = model_name(job.shown.model, job.suffix, kept.model)
            job.checkpoints.append(
                FineTuningJobCheckpoint(
                    id=f"ftckpt-{secrets.token_hex(12)}",
                    created_at=int(self._clock.now()),
                    fine_tuned_model_checkpoint=name,
                    fine_tuning_job_id=job.shown.id,
                    metrics=Metrics(step=kept.step, train_loss=kept.loss),
                    object="fine_tuning.job.checkpoint",
                    step_number=kept.step,
                )
            )

    def _enter(self, job: Running, phase: Phase, message: str) -> None:
        job.phase, job.since = phase, self._clock.now()
        if phase in ("queued", "running"):
            job.shown.status = phase
        self._say(job, message)

    def _fail(self, job: Running, code: str, message: str, param: str | None = None) -> None:
        from openai.types.fine_tuning.fine_tuning_job import Error

        job.shown.error = Error(code=code, message=message, param=param)
        self._end(job, "failed", message, "error")

    def _end(
        self,
        job: Running,
        status: Literal["succeeded", "failed", "cancelled"],
        message: str,
        level: Literal["info", "error"] = "info",
    ) -> None:
        job.phase = "ended"
        job.shown.status = status
        job.shown.finished_at = int(self._clock.now())
        self._say(job, message, level)

    def _say(
        self,
        job: Running,
        message: str,
        level: Literal["info", "error"] = "info",
        numbers: Mapping[str, object] | None = None,
    ) -> None:
        from openai.types.fine_tuning import FineTuningJobEvent

        job.events.append(
            FineTuningJobEvent(
                id=f"ftevent-{secrets.token_hex(12)}",
                created_at=int(self._clock.now()),
                level=level,
                message=message,
                object="fine_tuning.job.event",
                data=numbers or {},
                type="metrics" if numbers else "message",
            )
        )
