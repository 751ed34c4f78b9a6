"""An experiment on a Ray cluster of two nodes, of which one is lost on the way."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from inspect_ai.log import list_eval_logs, read_eval_log
from small_experiment import finished, made, numbers, start, until

STORE = 80 * 2**20
"""Bytes of a node's object store: about the least that Ray takes."""


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
    running = Nodes()
    yield running
    running.cluster.shutdown()
    mine = [p for p in psutil.Process().children(recursive=True) if p.pid not in before]
    _, alive = psutil.wait_procs(mine, timeout=20)
    for process in alive:
        process.kill()
    assert not alive


def test_a_worker_and_a_node_lost_on_the_way_change_nothing(
    nodes: Nodes, straight: tuple[Path, str], tmp_path: Path
) -> None:
    remote, here = tmp_path / "remote", straight[0]
    process = start(remote, "--executor", "ray", "--address", nodes.address)
    until(lambda: any((remote / "runs/adapters").glob(".*.partial")), process)
    nodes.processes("selfaware.training.worker")[0].kill()
    until(lambda: any((remote / "logs/small").glob("*/*.eval")), process)
    nodes.cluster.remove_node(nodes.second, allow_graceful=False)
    output = finished(process)
    assert output.count("a worker was lost with its node or its process: ") >= 1
    assert "3/3 evaluated" in output

    assert made(remote) == made(here)
    assert len(made(here)) == 2
    assert asked(remote) == asked(here)
    assert set(asked(here).values()) == {1} and len(asked(here)) == 6
    assert numbers(remote) == pytest.approx(numbers(here), abs=1e-5, nan_ok=True)
