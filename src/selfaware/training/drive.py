"""Has finetunes made by a backend: each of them once, wherever the process is stopped."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from click import ClickException

from selfaware.data.manifest import Manifest, read_manifest
from selfaware.data.rows import stream_rows
from selfaware.errors import UsageError
from selfaware.training import registry
from selfaware.training.backend import FINAL, Backend, NotYet, Status
from selfaware.training.checks import check_upload, write_record
from selfaware.training.entry import Entry, Use
from selfaware.training.fingerprint import fingerprint
from selfaware.training.jobs import checkpoint_id
from selfaware.training.locks import locked, run_lock
from selfaware.training.progress import Progress, no_progress
from selfaware.training.spec import FinetuneSpec, settings


class FinetuneError(ClickException):
    """Finetunes that were not made; the message says which and why, a line each."""


@dataclass
class _Run:
    """A finetune on its way."""

    spec: FinetuneSpec
    entry: Entry
    resume: float = 0.0
    status: Status = field(default_factory=lambda: Status(state="queued"))


def finetune(
    specs: Sequence[FinetuneSpec],
    runs: Path,
    backend: Backend,
    uses: Mapping[str, Use] | None = None,
    retry: bool = False,
    progress: Progress = no_progress,
) -> list[Entry]:
    """Makes the finetunes that are not yet in the registry, and returns all of them in order.

    It can be killed anywhere: a job that was submitted is found again, in the registry or, where
    the process died before writing it there, at the backend. Two callers that want the same
    finetune at once make it once. All finetunes that can be made are, before the first problem is
    told.

    Args:
        specs: What to make; the same one twice is made once.
        runs: The folder of the run registry.
        backend: Where they are made.
        uses: Which experiment and arm each run id belongs to.
        retry: Submit finetunes again that the backend failed at or that were cancelled.
        progress: Is told how the finetunes stand.

    Raises:
        UsageError: No such base or dataset, a bad row, or a row that does not fit the model.
        FinetuneError: A backend failed, or would not have the data or the model.
    """
    runs = runs.expanduser()
    registry.repair(runs)
    wanted = {spec.run_id: spec for spec in specs}
    listed = {entry.id: entry for entry in registry.entries(runs)}
    facts = {run_id: _facts(wanted[run_id]) for run_id in wanted if not _made(listed, run_id)}
    with ExitStack() as held:
        # In one order everywhere, so that two callers never wait for each other in a ring.
        for run_id in sorted(facts):
            held.enter_context(locked(run_lock(runs, run_id)))
        listed = {entry.id: entry for entry in registry.entries(runs)}
        going: list[_Run] = []
        stopped: list[Entry] = []
        for run_id, (rows, manifest) in facts.items():
            if _made(listed, run_id):
                continue
            before = listed.get(run_id)
            if before is None or _again(before, backend, retry):
                before = _entry(wanted[run_id], rows, manifest)
            if not backend.outlives:
                before = before.model_copy(update={"job": None})
            if before.state in FINAL:
                stopped.append(before)
            else:
                going.append(_Run(wanted[run_id], before))
        mistakes = _carry_on(going, runs, backend, progress)
    ends = registry.entries(runs)
    _note_uses(runs, {entry.id: entry for entry in ends}, wanted, uses or {})
    if mistakes:
        raise UsageError(mistakes[0])
    problems = [*stopped, *(run.entry for run in going if run.entry.state != "succeeded")]
    if problems:
        raise FinetuneError("\n".join(_told(entry) for entry in problems))
    return [registry.require(runs, spec.run_id) for spec in specs]


def _made(listed: Mapping[str, Entry], run_id: str) -> bool:
    return run_id in listed and listed[run_id].state == "succeeded"


def _again(entry: Entry, backend: Backend, retry: bool) -> bool:
    return entry.state in ("failed", "cancelled") and (retry or not backend.outlives)


def _facts(spec: FinetuneSpec) -> tuple[int, Manifest | None]:
    """Reads every row before anything is started."""
    rows = sum(1 for _ in stream_rows(spec.dataset))
    if spec.rejected is not None:
        twin = sum(1 for _ in stream_rows(spec.rejected))
        if twin != rows:
            raise UsageError(
                f"{spec.rejected} has {twin} rows and {spec.dataset} has {rows}: dpo needs the "
                "flipped twin, row for row"
            )
    return rows, read_manifest(spec.dataset)


def _entry(spec: FinetuneSpec, rows: int, manifest: Manifest | None) -> Entry:
    return Entry(
        id=spec.run_id,
        created=registry.now(),
        state="queued",
        base=spec.base,
        base_sha256=spec.base_sha256,
        dataset=str(spec.dataset),
        dataset_sha256=spec.dataset_sha256,
        rejected=str(spec.rejected) if spec.rejected else None,
        rejected_sha256=spec.rejected_sha256,
        rows=rows,
        hyperparameters=settings(spec.hyperparameters, spec.backend),
        seed=spec.seed,
        backend=spec.backend,
        endpoint=spec.endpoint,
        behavior=manifest.behavior if manifest else None,
        pole=manifest.pole if manifest else None,
    )


def _carry_on(going: Sequence[_Run], runs: Path, backend: Backend, progress: Progress) -> list[str]:
    """Submits what is not submitted and looks after all until they end; returns mistakes."""
    mistakes: list[str] = []
    open_runs = list(going)
    with progress(len(going)) as tell:
        while open_runs:
            for run in open_runs:
                if time.monotonic() < run.resume:
                    continue
                try:
                    _advance(run, runs, backend)
                except NotYet as wait:
                    run.resume = time.monotonic() + wait.seconds
                    tell(run.spec, run.status, f"{wait.reason}; goes on in {wait.seconds:.0f} s")
                    continue
                if run.status.mistake and run.status.problem:
                    mistakes.append(run.status.problem)
                tell(run.spec, run.status, run.status.problem or "")
            open_runs = [run for run in open_runs if run.entry.state not in FINAL]
            if open_runs:
                time.sleep(backend.pause)
    return mistakes


def _advance(run: _Run, runs: Path, backend: Backend) -> None:
    """One step: submits the finetune where it has no job, else looks how its job stands."""
    job = run.entry.job
    if job is None:
        job = backend.find(run.spec)
        if job is None:
            if run.spec.backend != "local":  # there, the worker looks at the rows
                write_record(runs, check_upload(run.spec))
            job = backend.submit(run.spec, backend.prepare(run.spec))
        run.entry = _changed(runs, run.entry, job=job)
    run.status = backend.poll(job)
    state = run.status.state
    if state == run.entry.state:
        return
    if state != "succeeded":
        told = {"problem": run.status.problem, "block": run.status.block}
        run.entry = _changed(runs, run.entry, state=state, **told)
        return
    _list_checkpoints(run, job, runs, backend)
    made = backend.resolve(job)
    weights = _weights(runs, made.adapter)
    told = {"problem": None, "adapter_sha256": weights, **made.model_dump()}
    run.entry = _changed(runs, run.entry, state=state, **told)


def _list_checkpoints(run: _Run, job: str, runs: Path, backend: Backend) -> None:
    """Each checkpoint becomes an entry of its own, before the finetune itself is done."""
    if not run.spec.hyperparameters.checkpoints:
        return
    for point in backend.checkpoints(job):
        _changed(
            runs,
            run.entry,
            id=checkpoint_id(run.entry.id, point.step),
            state="succeeded",
            checkpoint_of=run.entry.id,
            step=point.step,
            epoch=point.epoch,
            model=point.model,
            flags=point.flags,
            adapter=point.adapter,
            adapter_sha256=_weights(runs, point.adapter),
            training_loss=point.loss,
        )


def _weights(runs: Path, adapter: str | None) -> str | None:
    """The hash of weights that lie here, by which `selfaware models verify` knows them again."""
    return None if adapter is None or "://" in adapter else fingerprint(runs / adapter)


def _changed(runs: Path, entry: Entry, **changes: object) -> Entry:
    content = {**dict(entry), "created": registry.now(), **changes}
    return registry.append(runs, Entry.model_validate(content))


def _note_uses(
    runs: Path, ends: Mapping[str, Entry], wanted: Mapping[str, object], uses: Mapping[str, Use]
) -> None:
    for run_id in wanted:
        use = uses.get(run_id)
        if use is not None and run_id in ends and use not in ends[run_id].uses:
            _changed(runs, ends[run_id], uses=(*ends[run_id].uses, use))


def _told(entry: Entry) -> str:
    line = f"finetune {entry.id} ({entry.backend}, seed {entry.seed}) {entry.state}"
    if entry.problem:
        line += f": {entry.problem}"
    if entry.block is not None:
        what = ", ".join(entry.block.categories) or "no category named"
        line += f" [moderation {entry.block.stage}: {what}]"
    elif entry.backend != "local":
        line += "; `selfaware run FILE --retry` submits it again"
    return line
