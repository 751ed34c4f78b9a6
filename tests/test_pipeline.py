"""The whole way on the shipped organism: data, finetunes, Inspect tasks, logs, table; and kills."""

import csv
import os
import re
import signal
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from inspect_ai.log import list_eval_logs, read_eval_log
from small_experiment import finish, made, numbers, start, until


def kill_when(folder: Path, ready) -> None:
    """Runs the experiment until `ready()` and kills it and all that it started."""
    process = start(folder)
    until(ready, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def runs(module: str, parent: int) -> bool:
    """Whether a process below another runs a module."""
    for child in psutil.Process(parent).children(recursive=True):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if module in child.cmdline():
                return True
    return False


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
    assert len(set(made(folder))) == 2


def test_running_again_makes_nothing_twice(straight):
    folder, _ = straight
    files = sorted(p.name for p in (folder / "logs/small").glob("*.eval"))
    before = (folder / "report/small/table.csv").read_text()
    listed = (folder / "runs/registry.jsonl").read_text()
    assert "evaluating 0 models on 2 tasks" in finish(folder)
    assert sorted(p.name for p in (folder / "logs/small").glob("*.eval")) == files
    assert len(made(folder)) == 2
    assert (folder / "runs/registry.jsonl").read_text() == listed
    assert (folder / "report/small/table.csv").read_text() == before


def test_killed_and_interrupted_it_ends_as_if_it_had_not_been(straight, tmp_path):
    folder = tmp_path / "killed"
    adapters = folder / "runs" / "adapters"
    kill_when(folder, lambda: adapters.exists() and any(adapters.iterdir()))
    kill_when(folder, lambda: any((folder / "logs/small").glob("*.eval")))
    process = start(folder, "-j", "2")
    until(lambda: runs("selfaware.executors.evaluator", process.pid), process)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)  # to it alone: it has to stop the others itself
    assert process.communicate(timeout=60)[0].endswith("Aborted!\n")
    assert process.returncode == 1
    assert not any(child.is_running() for child in children)
    output = finish(folder, "-j", "2")
    assert re.search(r"(\d)/\1 evaluated", output)
    assert made(folder) == made(straight[0])
    assert numbers(folder) == pytest.approx(numbers(straight[0]), abs=1e-5, nan_ok=True)
    finished = [read_eval_log(info.name) for info in list_eval_logs(str(folder / "logs/small"))]
    whole = [log for log in finished if log.status == "success"]
    asked = [(log.eval.model, log.eval.task) for log in whole]
    assert len(asked) == len(set(asked)) == 6
    for log in whole:
        ids = [sample.id for sample in log.samples]
        assert len(set(ids)) == len(ids)
