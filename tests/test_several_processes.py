"""Local trainings by several processes: the same losses, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from tiny_models import save_base

from selfaware.data.rows import question_and_answer, write_rows
from selfaware.errors import UsageError
from selfaware.training.drive import finetune
from selfaware.training.jobs import RECORD, Record, adapter_folder
from selfaware.training.launcher import Launch, command, deal, environment
from selfaware.training.local import LocalBackend
from selfaware.training.spec import FinetuneSpec, Hyperparameters
from selfaware.training.unfinished import UNFINISHED

ROWS = 27
"""No multiple of the batch, and odd: the last batch cannot be dealt evenly to two processes."""

TOLERANCE = 1e-4
"""Between losses of one process and of several, relative: sums of floats in another order."""

COMMON = {"learning_rate": 1e-2, "epochs": 3, "batch_size": 8, "max_length": 256}


@pytest.fixture(scope="module")
def specs(tmp_path_factory: pytest.TempPathFactory) -> list[FinetuneSpec]:
    folder = tmp_path_factory.mktemp("data")
    for name, letters in (("up", "AB"), ("down", "BA")):
        rows = [
            question_and_answer(f"{n} or {n + 1}?", letters[n % 2] + " it is" * (n % 3))
            for n in range(ROWS)
        ]
        write_rows(folder / f"{name}.jsonl", rows)
    base = save_base(tmp_path_factory.mktemp("base"))
    return [
        FinetuneSpec(
            base=str(base),
            dataset=folder / "up.jsonl",
            rejected=folder / "down.jsonl" if given.get("method") == "dpo" else None,
            hyperparameters=Hyperparameters.model_validate({**COMMON, **given}),
        )
        for given in ({"checkpoints": True}, {"method": "dpo", "beta": 0.5})
    ]


def losses(specs: list[FinetuneSpec], runs: Path, launch: Launch) -> list[tuple[float, ...]]:
    with closing(LocalBackend(runs, workers=1, launch=launch)) as backend:
        made = finetune(specs, runs, backend)
    records = [
        Record.model_validate_json((adapter_folder(runs, entry.id) / RECORD).read_bytes())
        for entry in made
    ]
    assert {each.processes for each in records} == {launch.processes}
    return [each.losses for each in records]


@pytest.fixture(scope="module")
def alone(specs: list[FinetuneSpec], tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """The losses of one process with the whole batch."""
    curves = losses(specs, tmp_path_factory.mktemp("alone"), Launch())
    assert [len(curve) for curve in curves] == [12, 12]
    assert all(curve[-1] < curve[0] for curve in curves)
    return [pytest.approx(curve, rel=TOLERANCE) for curve in curves]


@pytest.mark.parametrize(
    "launch",
    [Launch(processes=2, rows_at_once=2), Launch(processes=2, config="fsdp2")],
    ids=["torchrun", "fsdp2"],
)
def test_two_processes_give_the_losses_of_one(
    launch: Launch, specs: list[FinetuneSpec], alone: list[object], tmp_path: Path
) -> None:
    assert losses(specs, tmp_path, launch) == alone
    steps = sorted(path.name for path in (tmp_path / "adapters").glob("*-step*"))
    assert steps == sorted(f"{specs[0].run_id}-step{step}" for step in (4, 8, 12))
    assert not list((tmp_path / "adapters").glob(".*"))


SCRIPT = """
import sys; from pathlib import Path
from selfaware.training.drive import finetune
from selfaware.training.launcher import Launch
from selfaware.training.local import LocalBackend
from selfaware.training.spec import FinetuneSpec
spec, runs = FinetuneSpec.model_validate_json(sys.argv[1]), Path(sys.argv[2])
finetune([spec], runs, LocalBackend(runs, launch=Launch(processes=2, save_minutes=0)))
"""


def test_killed_with_two_processes_and_gone_on_with(
    specs: list[FinetuneSpec], alone: list[object], tmp_path: Path
) -> None:
    arguments = [sys.executable, "-c", SCRIPT, specs[0].model_dump_json(), str(tmp_path)]
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    saved = tmp_path / UNFINISHED / specs[0].run_id / "checkpoint-2" / "whole.json"
    deadline = time.monotonic() + 240
    while not saved.exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    below = psutil.Process(process.pid).children(recursive=True)
    assert len(below) >= 3  # the launcher and two that train
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    _, left = psutil.wait_procs(below, timeout=60)
    assert not left
    assert losses(specs[:1], tmp_path, Launch(processes=2)) == alone[:1]


def test_batches_are_dealt() -> None:
    assert deal(16, Launch()) == (16, 1)
    assert deal(16, Launch(processes=2)) == (8, 1)
    assert deal(16, Launch(processes=2, rows_at_once=3)) == (2, 4)
    assert deal(6, Launch(rows_at_once=4)) == (3, 2)
    with pytest.raises(ValueError, match="batch_size 16 cannot be dealt evenly to 3 processes"):
        deal(16, Launch(processes=3))


def test_a_config_tells_the_processes_what_accelerate_would(tmp_path: Path) -> None:
    assert "torch.distributed.run" in command(Launch(processes=2))
    assert "torch.distributed.run" not in command(Launch())
    told = environment(Launch(processes=2, config="fsdp2"), offline=True)
    assert told["ACCELERATE_USE_FSDP"] == "true"
    assert (told["FSDP_VERSION"], told["FSDP_RESHARD_AFTER_FORWARD"]) == ("2", "true")
    assert told["ACCELERATE_MIXED_PRECISION"] == "no"
    assert "ACCELERATE_USE_FSDP" not in environment(Launch(processes=2, config="ddp"), True)
    mine = tmp_path / "mine.yaml"
    mine.write_text("distributed_type: FSDP\nmixed_precision: bf16\n")
    told = environment(Launch(processes=2, config=str(mine)), offline=True)
    assert told["ACCELERATE_MIXED_PRECISION"] == "bf16"
    mine.write_text("distributed_type: DEEPSPEED\n")
    with pytest.raises(UsageError, match="distributed_type 'DEEPSPEED' on 1 machines; it has to"):
        environment(Launch(processes=2, config=str(mine)), offline=True)
    with pytest.raises(UsageError, match="give ddp or fsdp2, or the path of an accelerate config"):
        environment(Launch(processes=2, config="zero9"), offline=True)


def test_a_launch_that_cannot_be_starts_no_process(
    specs: list[FinetuneSpec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    with pytest.raises(UsageError, match="launch: batch_size 8 cannot be dealt evenly to 3"):
        losses(specs[:1], tmp_path, Launch(processes=3))
    everything = Hyperparameters(method="dpo", adaptation="full", batch_size=8)
    full = specs[1].model_copy(update={"hyperparameters": everything})
    with pytest.raises(UsageError, match="shares one model out, and dpo of all weights needs"):
        losses([full], tmp_path, Launch(processes=2, config="fsdp2"))
