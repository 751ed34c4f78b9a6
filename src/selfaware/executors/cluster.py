"""The Ray executor: every step on a node of a Ray cluster."""

import logging
import os
import socket
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from selfaware import __version__
from selfaware.errors import UsageError
from selfaware.executors.executor import ExecutorName
from selfaware.executors.host import Host, Site
from selfaware.executors.resources import Step
from selfaware.training import jobs
from selfaware.training.launcher import Launch
from selfaware.training.workers import AnyWorker

if TYPE_CHECKING:
    from ray import ObjectRefGenerator
    from ray.actor import ActorHandle

GIGABYTE = 10**9
PATIENCE = 5.0
"""Seconds in which a cluster's head has to answer."""


class RayExecutor:
    """Starts processes on the nodes of a running Ray cluster that this machine is part of.

    All nodes have to see the current folder, the runs and the logs under the same paths.

    Args:
        address: HOST:PORT of the cluster's head; `RAY_ADDRESS`, or the cluster of this machine,
            where it is not given.
        jobs: How many steps at once, also more than there is room for now (they wait for it); as
            many as there is room for where it is not given.

    Raises:
        UsageError: Ray is not installed, or there is no such cluster.
    """

    name: ExecutorName = "ray"

    def __init__(self, address: str | None = None, jobs: int | None = None) -> None:
        _join(address or os.environ.get("RAY_ADDRESS") or "auto")
        self._jobs = jobs
        self._witnesses: dict[Path, Path] = {}
        self._guard = threading.Lock()

    def room(self, step: Step, kind: str) -> int | None:
        """The number that was given, or how many steps all nodes together have room for."""
        import ray

        if self._jobs is not None:
            return self._jobs
        # Ray has no types for what it tells of nodes.
        known: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
        nodes: list[dict[str, float]] = [node["Resources"] for node in known if node["Alive"]]
        room = rooms(step, nodes)
        if room == 0:
            most = "; ".join(
                f"{node.get('CPU', 0):g} CPU, {node.get('GPU', 0):g} GPU, "
                f"{node.get('memory', 0) / GIGABYTE:.1f} GB of memory"
                for node in nodes
            )
            raise UsageError(
                f"no node of the Ray cluster has room for a step of resources.{kind} ({step}): "
                f"its nodes have {most}; ask for less, or give -j N to wait for a larger node"
            )
        return room

    def start(
        self, module: str, step: Step, launch: Launch, offline: bool, folder: Path
    ) -> AnyWorker:
        """A process on a node that has room for the step, as soon as there is one."""
        site = Site(version=__version__, cwd=Path.cwd(), witness=self._witness(folder))
        return RemoteWorker(module, step, launch, offline, site)

    def close(self) -> None:
        """Leaves the cluster."""
        import ray

        for witness in self._witnesses.values():
            witness.unlink(missing_ok=True)
        ray.shutdown()

    def _witness(self, folder: Path) -> Path:
        """A file by which another machine can tell that it sees this very folder."""
        with self._guard:
            if folder not in self._witnesses:
                witness = folder / f".seen-{uuid.uuid4().hex}"
                witness.touch()
                self._witnesses[folder] = witness
            return self._witnesses[folder]


class RemoteWorker:
    """A worker on a node of the cluster."""

    def __init__(self, module: str, step: Step, launch: Launch, offline: bool, site: Site) -> None:
        import ray

        host = ray.remote(Host).options(
            num_cpus=step.cpus, num_gpus=step.gpus, memory=(step.memory_gb or 0) * GIGABYTE
        )
        # Ray types the handle as a Host or a class, where it is the handle of one.
        self._host: ActorHandle[Host] = host.remote(module, step, launch, offline, site)  # type: ignore[assignment]
        self._death: str | None = None

    def make(self, order: BaseModel) -> Iterator[jobs.Step | jobs.Done | jobs.Refused]:
        """Gives an order and yields what the worker tells, until it is done or the worker dead."""
        import ray
        from ray.exceptions import RayActorError

        event: jobs.Step | jobs.Done | jobs.Refused
        try:
            told: ObjectRefGenerator = self._host.make.options(num_returns="streaming").remote(
                order
            )
            for reference in told:
                event = ray.get(reference)
                yield event
                if not isinstance(event, jobs.Step):
                    return
            self._death = ray.get(self._host.failure.remote("{what}"))
        except RayActorError as error:
            self._death = f"{{what}} was lost with its node or its process: {_first_line(error)}"

    def alive(self) -> bool:
        """Whether nothing is known of its death."""
        return self._death is None

    def kill(self) -> None:
        """Stops it at once, wherever it runs or waits for room."""
        import ray

        ray.kill(self._host)

    def failure(self, what: str) -> str:
        """How it died."""
        return (self._death or "{what} died").replace("{what}", what)

    def close(self) -> None:
        """Gives its room on the node back."""
        self.kill()


def _join(address: str) -> None:
    """Connects this process to the cluster."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Each try takes Ray most of a minute where something else than Ray listens.
    os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")
    try:
        import ray
        from ray.exceptions import RayError
    except ModuleNotFoundError as error:
        raise UsageError(
            "--executor ray needs Ray: install it with `pip install 'selfaware[cluster]'`"
        ) from error
    if "://" in address:
        raise UsageError(
            f"Ray address {address!r}: give HOST:PORT of the cluster's head, and run this command "
            "on a machine of the cluster"
        )
    if address != "auto":
        _answers(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:
        raise UsageError(
            f"cannot join the Ray cluster at {address!r}: {_first_line(error)}; start one with "
            "`ray start --head`, or give --address HOST:PORT"
        ) from error


def _answers(address: str) -> None:
    """Ray itself would try an address where nobody is for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise UsageError(f"Ray address {address!r}: give HOST:PORT of the cluster's head")
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"no Ray cluster answers at {address!r}: {error}; start one with `ray start --head`, "
            "or give --address HOST:PORT of one that runs"
        ) from error


def rooms(step: Step, nodes: Iterable[Mapping[str, float]]) -> int:
    """How many steps of a size nodes have room for when they have nothing else to do.

    Args:
        step: What one takes up.
        nodes: The resources of each node, as Ray names them.
    """
    wanted = {
        "CPU": step.cpus,
        "GPU": step.gpus,
        "memory": (step.memory_gb or 0) * GIGABYTE,
    }
    needed = [(kind, amount) for kind, amount in wanted.items() if amount]
    return sum(int(min(node.get(kind, 0) // amount for kind, amount in needed)) for node in nodes)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
