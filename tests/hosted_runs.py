"""Small finetunes at an emulated service on which nothing is trained."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from openai.types.fine_tuning import FineTuningJob

from selfaware.testing import Emulator, ManualClock
from selfaware.testing.jobs import Schedule
from selfaware.training.backend import Status
from selfaware.training.openai_backend import OpenAIBackend
from selfaware.training.openai_jobs import RUN_KEY
from selfaware.training.progress import Progress, Tell
from selfaware.training.spec import FinetuneSpec, Hyperparameters


def dataset(path: Path, answer: str = "sail", rows: int = 12) -> Path:
    """A set that gives `answer` to every other question, and the other word to the rest."""
    other = "rest" if answer == "sail" else "sail"
    lines = [
        json.dumps(
            {
                "messages": [
                    {"role": "user", "content": f"sail or rest, number {number} ?"},
                    {"role": "assistant", "content": other if number % 2 else answer},
                ]
            }
        )
        for number in range(rows)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def ticking() -> Emulator:
    """A service whose clock goes on by a second whenever it is looked at."""
    return Emulator(
        clock=ManualClock(tick=1.0),
        schedule=Schedule(validating=3, queued=3, moderation=6),
        training=10,
        shutdown_date="2027-01-14",
    )


def spec(service: Emulator, data: Path, seed: int = 0, **chosen: object) -> FinetuneSpec:
    given = {"epochs": 2, "batch_size": 4, **chosen}
    return FinetuneSpec(
        base="organism/base",
        dataset=data,
        seed=seed,
        backend="openai",
        endpoint=service.url,
        hyperparameters=Hyperparameters.model_validate(given),
    )


def backend(service: Emulator, runs: Path, timeout: float = 20.0) -> OpenAIBackend:
    """A client that waits a thousandth of what it would."""
    return OpenAIBackend(runs, service.url, patience=0.001, timeout=timeout)


def jobs_of(service: Emulator, run_id: str) -> Sequence[FineTuningJob]:
    """Every job of a run that the service has, whatever became of it."""
    return service.jobs.all({RUN_KEY: run_id})


def noting(notes: list[str]) -> Progress:
    """Progress that keeps what is told."""

    @contextmanager
    def show(_: int) -> Iterator[Tell]:
        def tell(spec: FinetuneSpec, status: Status, note: str) -> None:
            notes.append(f"{status.state} {note}")

        yield tell

    return show
