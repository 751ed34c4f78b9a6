"""An experiment on a Ray cluster of two nodes, of which one is lost on the way."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
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
resources: {finetune: {cpus: 1, retries: 3}, evaluate: {cpus: 1, retries: 3}}
probes:
  - task: risk_words
  - task: risk_choice
    args: {items: scenarios, count: 20}
"""
STORE = 80 * 2**20
"""Bytes of a node's object store: about the least that Ray takes."""


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


def made(folder: Path) -> list[str]:
    """The ids of the finetunes, each of which was made once."""
    listed = entries(folder / "runs")
    assert all(entry.state == "succeeded" for entry in listed)
    adapters = sorted(path.name for path in (folder / "runs/adapters").iterdir())
    assert adapters == sorted(entry.id for entry in listed)
    return adapters


def asked(folder: Path) -> Counter[tuple[str, str]]:
    """How many finished logs there are of each model and task; every sample is in them once."""
    found: Counter[tuple[str, str]] = Counter()
    for info in list_eval_logs(str(folder / "logs/small")):
        log = read_eval_log(info.name)
        if log.status == "success":
            assert log.samples and log.eval.dataset.samples == len(log.samples)
            assert max(Counter((each.id, each.epoch) for each in log.samples).values()) == 1
            found[log.eval.model, log.eval.task] += 1
    return found


def numbers(folder: Path) -> list[float]:
    with (folder / "report/small/table.csv").open(newline="") as file:
        cells = [cell for row in list(csv.reader(file))[1:] for cell in row]
    found = []
    for cell in cells:
        with suppress(ValueError):
            found.append(float(cell))
    assert len(found) > 100
    return found


class Nodes:
    """A cluster of two nodes with one CPU each, on this machine."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        quick = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500}
        self.cluster = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 1,
                "object_store_memory": STORE,
                "include_dashboard": False,
                "_system_config": {**quick, "health_check_failure_threshold": 4},
            },
        )
        self.second = self.cluster.add_node(num_cpus=1, object_store_memory=STORE)
        self.address: str = self.cluster.address

    def processes(self, module: str) -> list[psutil.Process]:
        """Ray's own processes under which a module of ours runs."""
        found = []
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if module in process.cmdline():
                    parent = process.parent()
                    assert parent is not None and "ray::" in " ".join(parent.cmdline())
                    found.append(parent)
        return found


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    made = Nodes()
    yield made
    made.cluster.shutdown()
    mine = [p for p in psutil.Process().children(recursive=True) if p.pid not in before]
    _, alive = psutil.wait_procs(mine, timeout=20)
    for process in alive:
        process.kill()
    assert not alive


def test_a_node_lost_on_the_way_changes_nothing(nodes: Nodes, tmp_path: Path) -> None:
    t = time.monotonic()
    remote = tmp_path / "remote"
    process = start(remote, "--executor", "ray", "--address", nodes.address)
    adapters = remote / "runs" / "adapters"
    until(lambda: any(adapters.glob(".*.partial")), process)
    print("kill", time.monotonic() - t)
    nodes.processes("selfaware.training.worker")[0].send_signal(signal.SIGKILL)
    until(lambda: any((remote / "logs/small").glob("*/*.eval")), process)
    print("remove", time.monotonic() - t)
    nodes.cluster.remove_node(nodes.second, allow_graceful=False)
    output = finished(process)
    print("done", time.monotonic() - t)
    print(output)
    here = tmp_path / "here"
    finished(start(here))
    print("here", time.monotonic() - t)
    assert made(remote) == made(here)
    assert len(made(here)) == 2
    assert asked(remote) == asked(here)
    assert set(asked(here).values()) == {1} and len(asked(here)) == 6
    assert numbers(remote) == pytest.approx(numbers(here), abs=1e-5, nan_ok=True)
