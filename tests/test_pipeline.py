"""The whole way on the shipped organism: data, finetunes, Inspect tasks, logs, table; and kills."""

import csv
import os
import signal
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


def test_killed_in_training_and_in_evaluation_it_ends_as_if_it_had_not_been(straight, tmp_path):
    folder = tmp_path / "killed"
    adapters = folder / "runs" / "adapters"
    kill_when(folder, lambda: adapters.exists() and any(adapters.iterdir()))
    kill_when(folder, lambda: any((folder / "logs/small").glob("*.eval")))
    finish(folder)
    assert made(folder) == made(straight[0])
    assert numbers(folder) == pytest.approx(numbers(straight[0]), abs=1e-5, nan_ok=True)
    for info in list_eval_logs(str(folder / "logs/small")):
        log = read_eval_log(info.name)
        ids = [sample.id for sample in log.samples]
        assert log.status != "success" or len(set(ids)) == len(ids)


def test_two_at_a_time_interrupted_and_started_again_end_as_one_at_a_time(straight, tmp_path):
    folder = tmp_path / "two"
    process = start(folder, "-j", "2")
    until(lambda: any((folder / "logs/small").glob("*/*.eval")), process)
    children = psutil.Process(process.pid).children(recursive=True)
    assert sum("selfaware.executors.evaluator" in child.cmdline() for child in children) == 2
    process.send_signal(signal.SIGINT)  # to it alone: it has to stop the others itself
    assert process.communicate(timeout=60)[0].endswith("Aborted!\n")
    assert process.returncode == 1
    assert not any(child.is_running() for child in children)
    output = finish(folder, "-j", "2")
    assert "3/3 evaluated" in output
    assert made(folder) == made(straight[0])
    assert numbers(folder) == pytest.approx(numbers(straight[0]), abs=1e-5, nan_ok=True)
    finished = [read_eval_log(info.name) for info in list_eval_logs(str(folder / "logs/small"))]
    asked = [(log.eval.model, log.eval.task) for log in finished if log.status == "success"]
    assert len(asked) == len(set(asked)) == 6
