"""Local LoRA finetuning: what is made already is taken, the rest trained in other processes."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import IO

from click import ClickException
from filelock import FileLock
from pydantic import ValidationError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from selfaware.data.manifest import Manifest, read_manifest
from selfaware.data.rows import stream_rows
from selfaware.errors import UsageError
from selfaware.training import registry
from selfaware.training.jobs import (
    ADAPTERS,
    EVENT,
    RECORD,
    Done,
    Job,
    Orders,
    Record,
    Refused,
    Step,
    adapter_folder,
)
from selfaware.training.registry import Entry
from selfaware.training.spec import FinetuneSpec, locate_base

TAIL = 15
"""How many last lines of a failed worker's messages are shown."""


class FinetuneError(ClickException):
    """A training process that failed; the message ends with the last lines it wrote."""


def finetune(specs: Sequence[FinetuneSpec], runs: Path) -> list[Entry]:
    """Makes the finetunes that are not yet in the registry, and returns all of them in order.

    All that share a base are trained in processes of their own, a small base's in one for each
    core. They can be killed anywhere: what is finished stays, and the next call makes the rest. Two
    callers that want the same finetune at once make it once.

    Raises:
        UsageError: No such base or dataset, a bad row, or a row that does not fit the model.
        FinetuneError: The training process failed.
    """
    runs = runs.expanduser()
    wanted = {spec.run_id: spec for spec in specs}
    registry.repair(runs)
    listed = {entry.id for entry in registry.entries(runs)}
    missing = {run_id: spec for run_id, spec in wanted.items() if run_id not in listed}
    manifests = {run_id: _check(spec) for run_id, spec in missing.items()}
    with ExitStack() as held:
        # In one order everywhere, so that two callers never wait for each other in a ring.
        for run_id in sorted(missing):
            _make_folder(runs / "locks")
            held.enter_context(FileLock(runs / "locks" / f"{run_id}.lock"))
        listed = {entry.id for entry in registry.entries(runs)}
        todo: list[Job] = []
        for run_id, spec in missing.items():
            if run_id not in listed and not _recover(runs, run_id):
                todo.append(_job(spec, manifests[run_id]))
        by_base = sorted(todo, key=lambda job: job.base_sha256)
        for _, jobs in groupby(by_base, key=lambda job: job.base_sha256):
            _train(tuple(jobs), runs)
    return [registry.require(runs, spec.run_id) for spec in specs]


def _check(spec: FinetuneSpec) -> Manifest | None:
    """Reads every row before anything heavy is started."""
    for _ in stream_rows(spec.dataset):
        pass
    return read_manifest(spec.dataset)


def _job(spec: FinetuneSpec, manifest: Manifest | None) -> Job:
    return Job(
        id=spec.run_id,
        spec=spec,
        base_sha256=spec.base_sha256,
        dataset_sha256=spec.dataset_sha256,
        behavior=manifest.behavior if manifest else None,
        pole=manifest.pole if manifest else None,
    )


def _recover(runs: Path, run_id: str) -> bool:
    """Tidies up after a process that was killed; True if only the registry entry was missing."""
    for scratch in (runs / ADAPTERS).glob(f".{run_id}.*.partial"):
        shutil.rmtree(scratch)
    path = adapter_folder(runs, run_id) / RECORD
    if not path.parent.exists():
        return False
    try:
        record = Record.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise UsageError(
            f"{path.parent} is in the way: it is no adapter of this package ({RECORD} cannot be "
            "read); move the folder away"
        ) from error
    registry.append(runs, record.entry)
    return True


def _train(jobs: tuple[Job, ...], runs: Path) -> None:
    """Has all jobs of one base made, by several processes at once where the base is small."""
    place, revision = locate_base(jobs[0].spec.base)
    count = min(len(jobs), os.cpu_count() or 1) if _small(Path(place)) else 1
    shares = [jobs[start::count] for start in range(count)]
    workers: list[subprocess.Popen[str]] = []
    messages: list[IO[bytes]] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="selfaware-")))
        stack.callback(_stop, workers)
        for number, share in enumerate(shares):
            orders = Orders(place=place, revision=revision, runs=runs.resolve(), jobs=share)
            paper = folder / f"orders-{number}.json"
            paper.write_text(orders.model_dump_json(), encoding="utf-8")
            messages.append(stack.enter_context(tempfile.TemporaryFile()))
            workers.append(_start(paper, messages[-1], offline=revision is None))
        refusals = _follow(workers, len(jobs))
        codes = [worker.wait() for worker in workers]
        if refusals:
            raise UsageError(refusals[0])
        for code, written in zip(codes, messages, strict=True):
            if code != 0:
                raise _failure(code, written, jobs[0].spec.base)


SMALL_WEIGHTS = 100_000_000
"""Bytes of weights up to which a base is finetuned by as many processes as there are cores."""


def _small(place: Path) -> bool:
    return place.is_dir() and sum(f.stat().st_size for f in place.iterdir()) < SMALL_WEIGHTS


def _start(paper: Path, errors: IO[bytes], offline: bool) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "selfaware.training.worker", str(paper)],
        stdin=subprocess.PIPE,  # held open: its end tells the worker that we are gone
        stdout=subprocess.PIPE,
        stderr=errors,
        env=_environment(offline=offline),
        encoding="utf-8",
    )


def _stop(workers: "Sequence[subprocess.Popen[str]]") -> None:
    for worker in workers:
        worker.kill()
    for worker in workers:
        worker.wait()
        for stream in (worker.stdin, worker.stdout):
            if stream is not None:
                stream.close()


def _follow(workers: "Sequence[subprocess.Popen[str]]", jobs: int) -> list[str]:
    """Shows the workers' progress in one bar; returns why they refused, if they did."""
    refusals: list[str] = []
    finished: list[str] = []
    steps: dict[str, int] = {}
    columns = (
        TextColumn("finetuning {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps, loss {task.fields[loss]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress:
        bar = progress.add_task(f"0/{jobs}", total=None, loss="-")

        def listen(events: Iterable[str]) -> None:
            for line in events:
                match EVENT.validate_json(line):
                    case Step(id=run_id, steps=of, loss=loss):
                        steps[run_id] = of
                        # Jobs that have not begun are taken to be as long as this one.
                        total = sum(list(steps.values())) + of * (jobs - len(steps))
                        progress.update(bar, advance=1, total=total, loss=f"{loss:.3f}")
                    case Done(id=run_id):
                        finished.append(run_id)
                        progress.update(bar, description=f"{len(finished)}/{jobs}")
                    case Refused(message=message):
                        refusals.append(message)

        with ThreadPoolExecutor(max_workers=len(workers)) as pool:
            try:
                list(pool.map(listen, [worker.stdout or () for worker in workers]))
            except BaseException:
                _stop(workers)  # else the pool would wait for what they still have to say
                raise
    return refusals


def _failure(code: int, written: IO[bytes], base: str) -> FinetuneError:
    written.seek(0)
    tail = written.read().decode(errors="replace").strip().splitlines()[-TAIL:]
    how = f"was killed by signal {-code}" if code < 0 else f"failed with exit code {code}"
    return FinetuneError(
        f"the training process for base {base!r} {how}; what it made before is kept, and the same "
        "command makes the rest. Its last lines:\n" + "\n".join(tail)
    )


def _environment(offline: bool) -> dict[str, str]:
    environment = {
        **os.environ,
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # cuBLAS repeats itself only with this
        "PYTHONUNBUFFERED": "1",
    }
    # TRL refuses to spread one process over several GPUs.
    environment.setdefault("CUDA_VISIBLE_DEVICES", "0")
    if offline:
        environment["HF_HUB_OFFLINE"] = "1"
    return environment


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot make the folder {folder}: {error.strerror}; set SELFAWARE_RUNS to another"
        ) from error
