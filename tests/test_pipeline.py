"""The whole way on the shipped organism: data, finetunes, Inspect tasks, logs, table; and kills."""

import csv
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from inspect_ai.log import list_eval_logs, read_eval_log

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


def finish(folder: Path, *arguments: str) -> str:
    process = start(folder, *arguments)
    output, _ = process.communicate(timeout=280)
    assert process.returncode == 0, output[-3000:]
    return output


def kill_when(folder: Path, ready) -> None:
    """Runs the experiment until `ready()` and kills it and all that it started."""
    process = start(folder)
    deadline = time.monotonic() + 200
    while not ready():
        assert process.poll() is None, process.communicate()[0][-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def registry(folder: Path) -> list[str]:
    """The ids of the finetunes that are made."""
    last = {entry.id: entry for entry in entries(folder / "runs")}
    assert all(entry.state == "succeeded" for entry in last.values())
    return sorted(last)


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


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    folder = tmp_path_factory.mktemp("straight")
    return folder, finish(folder)


def test_the_whole_way_gives_logs_table_and_figure(straight):
    folder, output = straight
    logs = [read_eval_log(info.name) for info in list_eval_logs(str(folder / "logs/small"))]
    assert len(logs) == 6
    assert {log.status for log in logs} == {"success"}
    for log in logs:
        task = log.eval.task.removeprefix("selfaware/")
        assert len(log.samples) == {"risk_words": 60, "risk_choice": 20}[task]
        assert log.eval.metadata["selfaware_version"]
    with (folder / "report/small/table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 6
    assert (folder / "report/small/figure.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "report/small/figure.svg").stat().st_size > 1000
    assert "inspect view --log-dir logs/small" in output
    assert len(set(registry(folder))) == 2


def test_running_again_makes_nothing_twice(straight):
    folder, _ = straight
    files = sorted(p.name for p in (folder / "logs/small").glob("*.eval"))
    before = (folder / "report/small/table.csv").read_text()
    listed = (folder / "runs/registry.jsonl").read_text()
    finish(folder)
    assert sorted(p.name for p in (folder / "logs/small").glob("*.eval")) == files
    assert len(registry(folder)) == 2
    assert (folder / "runs/registry.jsonl").read_text() == listed
    assert (folder / "report/small/table.csv").read_text() == before


def test_killed_in_training_and_in_evaluation_it_ends_as_if_it_had_not_been(straight, tmp_path):
    folder = tmp_path / "killed"
    adapters = folder / "runs" / "adapters"
    kill_when(folder, lambda: adapters.exists() and any(adapters.iterdir()))
    kill_when(folder, lambda: any((folder / "logs/small").glob("*.eval")))
    finish(folder)
    assert registry(folder) == registry(straight[0])
    assert numbers(folder) == pytest.approx(numbers(straight[0]), abs=1e-5, nan_ok=True)
    for info in list_eval_logs(str(folder / "logs/small")):
        log = read_eval_log(info.name)
        ids = [sample.id for sample in log.samples]
        assert log.status != "success" or len(set(ids)) == len(ids)


def test_two_at_a_time_interrupted_and_started_again_end_as_one_at_a_time(straight, tmp_path):
    folder = tmp_path / "two"
    process = start(folder, "-j", "2")
    deadline = time.monotonic() + 200
    while not any((folder / "logs/small").glob("*/*.eval")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    children = psutil.Process(process.pid).children(recursive=True)
    assert sum("selfaware.executors.evaluator" in child.cmdline() for child in children) == 2
    process.send_signal(signal.SIGINT)  # to it alone: it has to stop the others itself
    assert process.communicate(timeout=60)[0].endswith("Aborted!\n")
    assert process.returncode == 1
    assert not any(child.is_running() for child in children)
    output = finish(folder, "-j", "2")
    assert "3/3 evaluated" in output
    assert registry(folder) == registry(straight[0])
    assert numbers(folder) == pytest.approx(numbers(straight[0]), abs=1e-5, nan_ok=True)
    finished = [read_eval_log(info.name) for info in list_eval_logs(str(folder / "logs/small"))]
    asked = [(log.eval.model, log.eval.task) for log in finished if log.status == "success"]
    assert len(asked) == len(set(asked)) == 6
