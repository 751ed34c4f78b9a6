"""How the processes of a local training are started: what costs time and memory, never results."""

import os
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

from selfaware.errors import UsageError
from selfaware.training.spec import Hyperparameters

SHIPPED = ("ddp", "fsdp2")
"""The accelerate configs that come with the package."""

_KINDS = ("MULTI_GPU", "MULTI_CPU", "FSDP")


TRAINING = "selfaware.training.worker"
"""The module that a training process runs."""

CORES = "SELFAWARE_CORES"
"""The environment variable that says on how many cores a process may compute."""


def cores() -> int:
    """On how many cores this process may compute: as it was told, or all that it is let on."""
    told = os.environ.get(CORES)
    if told:
        return int(told)
    # macOS and Windows cannot say on which cores a process may run.
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


class Launch(BaseModel):
    """How a local finetune is run; none of it enters the run id.

    `processes` on this machine share every batch (one a GPU); `config` is a shipped accelerate
    config (`ddp`, `fsdp2`) or the path of another. `rows_at_once` is how many rows a process takes
    through the model together, the whole of its share where it is not given: gradients add up to
    the same batch. `recompute` trades time for memory (activations are computed again on the way
    back). A training is saved every `save_minutes`, so that it goes on from there if it is stopped.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    processes: int = Field(default=1, ge=1)
    config: str | None = None
    rows_at_once: int | None = Field(default=None, ge=1)
    recompute: bool = False
    save_minutes: float = Field(default=5.0, ge=0)


def deal(batch_size: int, launch: Launch) -> tuple[int, int]:
    """How many rows a process takes at once, and how many times, for one optimizer step.

    Raises:
        ValueError: The batch cannot be dealt to the processes evenly.
    """
    share, rest = divmod(batch_size, launch.processes)
    if rest:
        raise ValueError(
            f"batch_size {batch_size} cannot be dealt evenly to {launch.processes} processes: "
            "change one of them"
        )
    most = min(share, launch.rows_at_once or share)
    rows = next(rows for rows in range(most, 0, -1) if share % rows == 0)
    return rows, share // rows


def check(launch: Launch, chosen: Hyperparameters) -> None:
    """Refuses, before any process is started, what cannot be.

    Raises:
        UsageError: The batch cannot be dealt, the config cannot be used, or it shares one model
            out where a second one is needed whole.
    """
    try:
        deal(chosen.batch_size, launch)
    except ValueError as error:
        raise UsageError(f"launch: {error}") from error
    if launch.config is None or "ACCELERATE_USE_FSDP" not in _settings(launch.config):
        return
    if chosen.method == "dpo" and chosen.adaptation == "full":
        raise UsageError(
            f"launch config {launch.config!r} shares one model out, and dpo of all weights needs "
            "a second one whole: use adaptation lora, or config ddp"
        )


def command(launch: Launch, module: str = TRAINING) -> list[str]:
    """The command line that starts a process of ours, or several that belong together."""
    worker = ["-m", module]
    if launch.processes == 1 and launch.config is None:
        return [sys.executable, *worker]
    run = ["-m", "torch.distributed.run", "--standalone"]
    return [sys.executable, *run, f"--nproc-per-node={launch.processes}", *worker]


def environment(launch: Launch, offline: bool) -> dict[str, str]:
    """The environment of a training process: quiet, repeatable, without a network if told so.

    Raises:
        UsageError: No such config, or one that is not for the GPUs of one machine.
    """
    made = {
        **os.environ,
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # cuBLAS repeats itself only with this
        "PYTHONUNBUFFERED": "1",
        **({} if launch.config is None else _settings(launch.config)),
    }
    if launch.processes == 1:
        # TRL refuses to spread one process over several GPUs.
        made.setdefault("CUDA_VISIBLE_DEVICES", "0")
    else:
        # The launcher would have each compute with one thread.
        made.setdefault("OMP_NUM_THREADS", str(max(1, cores() // launch.processes)))
    if offline:
        made["HF_HUB_OFFLINE"] = "1"
    return made


def _settings(config: str) -> dict[str, str]:
    """What `accelerate launch` would tell its processes by their environment.

    It is told them without `accelerate launch`, which starts several processes on GPUs only.
    """
    content = _read(config)
    kind = content.get("distributed_type")
    if kind not in _KINDS or content.get("num_machines", 1) != 1:
        raise UsageError(
            f"launch config {config!r}: distributed_type {kind!r} on "
            f"{content.get('num_machines', 1)} machines; it has to be one of {', '.join(_KINDS)} "
            "on one machine (`--executor ray` spreads finetunes over several)"
        )
    told = {"ACCELERATE_MIXED_PRECISION": str(content.get("mixed_precision", "no"))}
    sharding = content.get("fsdp_config")
    if kind == "FSDP" and isinstance(sharding, dict):
        told["ACCELERATE_USE_FSDP"] = "true"
        told |= {str(key).upper(): _plain(value) for key, value in sharding.items()}
    return told


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read(config: str) -> Mapping[str, object]:
    shipped = config in SHIPPED
    file = files("selfaware.training") / "launch" / f"{config}.yaml" if shipped else Path(config)
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(
            f"launch config {config!r} cannot be read: give {' or '.join(SHIPPED)}, or the path of "
            "an accelerate config"
        ) from error
    if not isinstance(content, dict):
        raise UsageError(f"launch config {config!r} is no mapping: give an accelerate config")
    return content
