"""A training that is saved on its way, so that it goes on from there after it was stopped."""

import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from selfaware.data.atomic import write_json

if TYPE_CHECKING:
    from transformers import TrainerCallback, TrainingArguments

UNFINISHED = "unfinished"
"""The folder of trainings on their way inside a runs folder."""

_WHOLE = "whole.json"


@dataclass(frozen=True)
class Saved:
    """A place to go on from: the folder, the step, and the seconds that it took to get there."""

    folder: Path
    step: int
    seconds: float


def folder_of(runs: Path, run_id: str) -> Path:
    """Where a training that is on its way is kept."""
    return runs / UNFINISHED / run_id


def latest(folder: Path) -> Saved | None:
    """The last place that was saved whole; None where a training begins at the beginning."""
    saved = []
    for mark in folder.glob(f"checkpoint-*/{_WHOLE}"):
        content = json.loads(mark.read_bytes())
        saved.append(Saved(mark.parent, content["step"], content["seconds"]))
    return max(saved, key=lambda each: each.step, default=None)


def forget(runs: Path, run_id: str) -> None:
    """Removes what was kept of a training that is done."""
    shutil.rmtree(folder_of(runs, run_id), ignore_errors=True)


def saver(every: float, before: float) -> "TrainerCallback":
    """Has the trainer save itself every so many seconds, and marks what is saved whole.

    Args:
        every: Seconds between two saves.
        before: Seconds that the training took in processes before this one.
    """
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

    class Saver(TrainerCallback):
        """Saves by the clock of the first process."""

        def __init__(self) -> None:
            self._began = self._last = time.monotonic()

        def on_step_end(
            self,
            args: TrainingArguments,
            state: TrainerState,
            control: TrainerControl,
            **_: object,
        ) -> None:
            due = time.monotonic() - self._last >= every
            control.should_save = state.global_step < state.max_steps and _agreed(due, args)

        def on_save(
            self,
            args: TrainingArguments,
            state: TrainerState,
            control: TrainerControl,
            **_: object,
        ) -> None:
            args.distributed_state.wait_for_everyone()
            self._last = time.monotonic()
            if args.process_index != 0:
                return
            folder = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
            for file in folder.iterdir():
                if file.is_file():
                    with file.open("rb+") as stream:
                        os.fsync(stream.fileno())
            seconds = before + self._last - self._began
            write_json(folder / _WHOLE, {"step": state.global_step, "seconds": seconds})

    return Saver()


def _agreed(due: bool, args: "TrainingArguments") -> bool:
    """What the first process thinks: all of them have to save at the same step."""
    import torch
    from torch import distributed

    if args.world_size == 1:
        return due
    answer = torch.tensor(int(due), device=args.device)
    distributed.broadcast(answer, src=0)
    return bool(answer.item())
