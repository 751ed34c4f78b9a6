"""What runs on a node of a cluster: a worker's process, and the way to it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from selfaware import __version__
from selfaware.executors.resources import Step
from selfaware.training import jobs
from selfaware.training.launcher import CORES, Launch
from selfaware.training.workers import Worker


@dataclass(frozen=True)
class Site:
    """What has to be the same where the steps run as where they are ordered.

    `witness` is a file that only exists for as long as the orders are given.
    """

    version: str
    cwd: Path
    witness: Path


class Host:
    """Starts a worker on the node that it lies on; Ray makes an actor of it.

    Its process ends with the actor's, however that ends.
    """

    def __init__(self, module: str, step: Step, launch: Launch, offline: bool, site: Site) -> None:
        self._worker: Worker | None = None
        self._given = (module, step, launch, offline, site)

    def make(self, order: BaseModel) -> Iterator[jobs.Step | jobs.Done | jobs.Refused]:
        """Gives the order, and yields what the worker tells."""
        module, step, launch, offline, site = self._given
        if self._worker is None:
            if (wrong := _differs(site)) is not None:
                yield jobs.Refused(id=str(getattr(order, "id", "")), message=wrong)
                return
            os.chdir(site.cwd)
            variables = {CORES: str(max(1, int(step.cpus)))}
            if not step.gpus:
                # Else it would take the first one, whoever has that.
                variables["CUDA_VISIBLE_DEVICES"] = ""
            self._worker = Worker(launch, offline, module, variables)
        yield from self._worker.make(order)

    def failure(self, what: str) -> str:
        """How the worker died."""
        assert self._worker is not None
        return self._worker.failure(f"{what} on node {os.uname().nodename}")


def _differs(site: Site) -> str | None:
    """What keeps this node from taking part, or None."""
    node = f"cluster node {os.uname().nodename}"
    if site.version != __version__:
        return (
            f"{node} has selfaware {__version__}, this machine {site.version}: install the same "
            "version on every node"
        )
    for place in (site.cwd, site.witness):
        if not place.exists():
            folder = place if place == site.cwd else place.parent
            return (
                f"{node} does not see the folder {folder}: work in a folder that all nodes share, "
                "under the same path"
            )
    return None
