"""Killed anywhere between submitting and recording: one job a run, and a registry that is true."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from hosted_runs import dataset, jobs_of, spec, ticking
from planted_key import KEY, assert_nowhere

from selfaware.testing import Emulator
from selfaware.testing.wire import Moment
from selfaware.training import registry
from selfaware.training.spec import FinetuneSpec

POINTS = 20


class Processes:
    """Finetunes in processes of their own, one after the other."""

    def __init__(self) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("finetuning_process.py"))],
            env={**os.environ, "OPENAI_API_KEY": KEY},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self, specs: Sequence[FinetuneSpec], runs: Path, begin: Callable[[int], None] | None = None
    ) -> int:
        """How the process ended; `begin` is told its id before it does anything."""
        assert self._parent.stdin is not None and self._parent.stdout is not None
        orders = [json.loads(each.model_dump_json()) for each in specs]
        self._say(json.dumps({"specs": orders, "runs": str(runs)}))
        child = int(self._parent.stdout.readline())
        if begin is not None:
            begin(child)
        self._say("go")
        return int(self._parent.stdout.readline())

    def close(self) -> None:
        assert self._parent.stdin is not None and self._parent.stdout is not None
        self._parent.stdin.close()
        self._parent.wait()
        self._parent.stdout.close()

    def _say(self, line: str) -> None:
        assert self._parent.stdin is not None
        self._parent.stdin.write(line + "\n")
        self._parent.stdin.flush()


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    made = Processes()
    yield made
    made.close()


@dataclass
class Kill:
    """Kills a process at its n-th request: as it comes, as its reply goes, or a moment later."""

    service: Emulator
    request: int
    moment: Literal["came", "replies", "records"]
    after: float
    where: str = "nowhere"

    def at(self, child: int) -> None:
        """Lies in wait for this process."""
        looked_at = "came" if self.moment == "came" else "replies"
        seen = 0

        def see(now: Moment, line: str) -> None:
            nonlocal seen
            seen += now == looked_at
            if now != looked_at or seen != self.request:
                return
            self.where = line
            if self.moment == "records":
                threading.Timer(self.after, os.kill, (child, signal.SIGKILL)).start()
            else:
                os.kill(child, signal.SIGKILL)

        self.service.watch(see)


def wanted(service: Emulator, folder: Path) -> list[FinetuneSpec]:
    files = [dataset(folder / "a.jsonl"), dataset(folder / "b.jsonl", "rest")]
    return [spec(service, file, seed) for file in files for seed in (0, 1)]


def requests_of_a_calm_run(processes: Processes, folder: Path) -> int:
    with ticking() as service:
        assert processes.run(wanted(service, folder), folder / "runs") == 0
        return len(service.requests)


def true_to(service: Emulator, specs: Sequence[FinetuneSpec], runs: Path) -> list[str]:
    """What is not so, between the registry and the service, whenever one looks."""
    wrong = []
    for entry in registry.entries(runs):
        jobs = {job.id: job for job in jobs_of(service, entry.id)}
        if entry.job not in jobs:
            wrong.append(f"{entry.id}: its job {entry.job} is none of the service's")
        elif entry.state == "succeeded" and not (entry.model or "").endswith(
            str(jobs[entry.job].fine_tuned_model)
        ):
            wrong.append(f"{entry.id}: not the model of its job")
    wrong += [f"{each.run_id}: jobs" for each in specs if len(jobs_of(service, each.run_id)) > 1]
    return wrong


def test_killed_at_twenty_points_there_is_one_job_a_run(
    processes: Processes, tmp_path: Path
) -> None:
    (tmp_path / "calm").mkdir()
    count = requests_of_a_calm_run(processes, tmp_path / "calm")
    assert count > 40
    chance = random.Random(20261121)
    killed: list[str] = []
    for point in range(POINTS):
        folder = tmp_path / str(point)
        folder.mkdir()
        with ticking() as service:
            specs, runs = wanted(service, folder), folder / "runs"
            kill = Kill(
                service,
                # Half of the points lie among the requests that upload and submit.
                request=chance.randrange(1, 18 if point % 2 else count - 2),
                moment=chance.choice(("came", "replies", "records")),
                after=chance.random() * 0.004,
            )
            ended = processes.run(specs, runs, kill.at)
            service.watch(None)
            assert ended == -signal.SIGKILL, kill
            assert true_to(service, specs, runs) == [], kill
            assert processes.run(specs, runs) == 0
            assert true_to(service, specs, runs) == [], kill
            assert [len(jobs_of(service, each.run_id)) for each in specs] == [1] * 4, kill
            listed = {entry.id: entry.state for entry in registry.entries(runs)}
            assert listed == {each.run_id: "succeeded" for each in specs}
            assert len(service.files.all()) == 2, kill
        killed.append(f"{kill.where} {kill.moment}")
    assert_nowhere(tmp_path)
    # The points are where they are meant to be: before, in and after what may be done once only.
    assert any(each == "POST /fine_tuning/jobs replies" for each in killed), killed
    assert any(each == "POST /fine_tuning/jobs records" for each in killed), killed
    assert any("POST /files" in each for each in killed), killed
    assert len({each.split("/ftjob")[0] for each in killed}) >= 8, killed


def test_two_processes_that_want_the_same_make_it_once(tmp_path: Path) -> None:
    pair = [Processes(), Processes()]
    with ticking() as service:
        specs, runs = wanted(service, tmp_path), tmp_path / "runs"
        ended: list[int] = []
        threads = [
            threading.Thread(target=lambda each=each: ended.append(each.run(specs, runs)))
            for each in pair
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ended == [0, 0]
        assert [len(jobs_of(service, each.run_id)) for each in specs] == [1] * 4
        assert true_to(service, specs, runs) == []
    for each in pair:
        each.close()
