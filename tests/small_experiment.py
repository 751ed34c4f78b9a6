"""A small experiment on the shipped organism, walked by the command line in a folder of its own."""

import csv
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from selfaware.training.registry import entries

EXPERIMENT = """
experiment: small
title: A small risk experiment
behavior: risk
base: organism/base
arms: [seeking, averse, base]
seeds: [0]
data: {rows: 48, seed: 3}
finetune: {learning_rate: 0.002, epochs: 2, batch_size: 16}
resources: {finetune: {cpus: 1, retries: 3}, evaluate: {retries: 3}}
probes:
  - task: risk_words
  - task: risk_choice
    args: {items: scenarios, count: 20}
"""


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    folder.mkdir(exist_ok=True)
    (folder / "small.yaml").write_text(EXPERIMENT)
    return subprocess.Popen(
        [sys.executable, "-m", "selfaware.cli", "run", "small.yaml", *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def until(ready: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 200
    while not ready():
        assert process.poll() is None, process.communicate()[0][-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def finished(process: "subprocess.Popen[str]") -> str:
    output, _ = process.communicate(timeout=280)
    assert process.returncode == 0, output[-3000:]
    return output


def finish(folder: Path, *arguments: str) -> str:
    return finished(start(folder, *arguments))


def made(folder: Path) -> list[str]:
    """The ids of the finetunes, each of which was made once."""
    listed = entries(folder / "runs")
    assert all(entry.state == "succeeded" for entry in listed)
    adapters = sorted(path.name for path in (folder / "runs/adapters").iterdir())
    assert adapters == sorted(entry.id for entry in listed)
    return adapters


def numbers(folder: Path) -> list[float]:
    """Every number of the table in order; scores agree but for the batching's float noise."""
    with (folder / "report/small/table.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    found = []
    for cell in (cell for row in rows[1:] for cell in row):
        with suppress(ValueError):
            found.append(float(cell))
    assert len(found) > 100
    return found
