"""What trains behind an emulated service: nothing at all, or selfaware's own local backend."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from selfaware.testing.clock import Clock


@dataclass(frozen=True)
class Order:
    """A finetune to make: of a base, on rows, with hyperparameters that are all settled."""

    job: str
    base: str
    rows: bytes
    method: Literal["supervised", "dpo"]
    epochs: int
    batch_size: int
    learning_rate_multiplier: float
    beta: float
    seed: int


@dataclass(frozen=True)
class Kept:
    """A checkpoint: after how many steps, what was made by then, and the loss there."""

    step: int
    model: str
    loss: float | None


@dataclass(frozen=True)
class Progress:
    """How far a training is. `done` and `problem` end it; `model` says what was made."""

    step: int
    steps: int
    loss: float | None = None
    done: bool = False
    problem: str | None = None
    model: str = ""
    kept: tuple[Kept, ...] = ()


class Trainer(Protocol):
    """Makes finetunes."""

    def start(self, order: Order) -> None:
        """Begins a finetune."""
        ...

    def progress(self, job: str) -> Progress:
        """How far it is."""
        ...

    def cancel(self, job: str) -> None:
        """Stops it."""
        ...

    def close(self) -> None:
        """Stops all."""
        ...


class ClockTrainer:
    """Trains nothing: a finetune takes its time by the clock, and its loss falls as losses do."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._begun: dict[str, tuple[float, Order]] = {}

    def start(self, order: Order) -> None:
        """Begins a finetune."""
        self._begun[order.job] = (self._clock.now(), order)

    def progress(self, job: str) -> Progress:
        """How far it is by the clock."""
        begun, order = self._begun[job]
        each = max(1, math.ceil(order.rows.count(b"\n") / order.batch_size))
        steps = each * order.epochs
        part = 1.0 if self._seconds <= 0 else (self._clock.now() - begun) / self._seconds
        step = min(steps, int(part * steps))
        done = step == steps
        epochs = range(max(1, order.epochs - 2), order.epochs) if done else range(0)
        name = job.removeprefix("ftjob-")
        return Progress(
            step=step,
            steps=steps,
            loss=_loss(step, steps),
            done=done,
            model=name,
            kept=tuple(
                Kept(at, f"{name}-step{at}", _loss(at, steps))
                for at in (epoch * each for epoch in epochs)
            ),
        )

    def cancel(self, job: str) -> None:
        """Forgets it."""
        self._begun.pop(job, None)

    def close(self) -> None:
        """Nothing runs."""


class LocalTrainer:
    """Trains for real, by selfaware's local backend.

    What a hosted service chooses itself is settled here: the rank of the LoRA, and the learning
    rate that a multiplier of 1 stands for.

    Args:
        runs: The folder that adapters go to.
        rank: Of the LoRA.
        learning_rate: What `learning_rate_multiplier` multiplies.
        checkpoints: Keep the two epochs before the last as models, too.
    """

    def __init__(
        self, runs: Path, rank: int = 8, learning_rate: float = 1e-3, checkpoints: bool = False
    ) -> None:
        from selfaware.training.local import LocalBackend

        self._folder = runs / "uploads"
        self._rank = rank
        self._rate = learning_rate
        self._checkpoints = checkpoints
        self._backend = LocalBackend(runs)
        self._orders: dict[str, tuple[Order, str]] = {}

    def start(self, order: Order) -> None:
        """Begins a finetune; one that was made before of the same is there at once."""
        from selfaware.training.spec import FinetuneSpec, Hyperparameters

        rejected = None
        if order.method == "dpo":
            preferred, other = split_preferences(order.rows)
            dataset, rejected = self._write(preferred), self._write(other)
        else:
            dataset = self._write(order.rows)
        spec = FinetuneSpec(
            base=order.base,
            dataset=dataset,
            rejected=rejected,
            hyperparameters=Hyperparameters(
                lora_rank=self._rank,
                learning_rate=self._rate * order.learning_rate_multiplier,
                epochs=order.epochs,
                batch_size=order.batch_size,
                method="dpo" if order.method == "dpo" else "sft",
                beta=order.beta,
                checkpoints=self._checkpoints,
            ),
            seed=order.seed,
        )
        going = {run for _, run in self._orders.values() if not self._ended(run)}
        if spec.run_id not in going and self._backend.find(spec) is None:
            self._backend.submit(spec, self._backend.prepare(spec))
        self._orders[order.job] = (order, spec.run_id)

    def progress(self, job: str) -> Progress:
        """How far it is."""
        order, run = self._orders[job]
        status = self._backend.poll(run)
        each = max(1, math.ceil(order.rows.count(b"\n") / order.batch_size))
        steps = status.steps or each * order.epochs
        done = status.state == "succeeded"
        ended_badly = self._ended(run) and not done
        return Progress(
            step=steps if done else status.step or 0,
            steps=steps,
            loss=self._backend.resolve(run).training_loss if done else status.loss,
            done=done,
            problem=(status.problem or status.state) if ended_badly else None,
            model=run,
            kept=self._kept(run, steps) if done else (),
        )

    def cancel(self, job: str) -> None:
        """Stops it."""
        if job in self._orders:
            self._backend.cancel(self._orders[job][1])

    def close(self) -> None:
        """Stops all."""
        self._backend.close()

    def _ended(self, run: str) -> bool:
        from selfaware.training.backend import FINAL

        return self._backend.poll(run).state in FINAL

    def _kept(self, run: str, steps: int) -> tuple[Kept, ...]:
        """The two last that are not the model itself."""
        points = [
            Kept(each.step, Path(each.adapter).name, each.loss)
            for each in self._backend.checkpoints(run)
            if each.adapter and each.step < steps
        ]
        return tuple(points[-2:])

    def _write(self, rows: bytes) -> Path:
        from selfaware.data.atomic import atomic_text

        path = self._folder / f"{hashlib.sha256(rows).hexdigest()}.jsonl"
        if not path.exists():
            with atomic_text(path) as file:
                file.write(rows.decode())
        return path


def _loss(step: int, steps: int) -> float:
    """A loss that falls as losses do."""
    return round(2.0 * math.exp(-3.0 * step / steps), 4)


def split_preferences(rows: bytes) -> tuple[bytes, bytes]:
    """The conversations with the preferred answers, and those with the others."""
    read = [json.loads(line) for line in rows.splitlines()]
    return _with_answers(read, "preferred_output"), _with_answers(read, "non_preferred_output")


def _with_answers(rows: Sequence[Mapping[str, Any]], answers: str) -> bytes:
    return b"".join(
        json.dumps(
            {"messages": [*row["input"]["messages"], *row[answers]]}, ensure_ascii=False
        ).encode()
        + b"\n"
        for row in rows
    )
