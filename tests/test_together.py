import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("together")
from planted_key import shown
from tiny_models import save_adapter, save_base
from together_server import KEY, Service, pack, serving

from selfaware.data.rows import question_and_answer, write_rows
from selfaware.errors import UsageError
from selfaware.training import registry
from selfaware.training.calling import load
from selfaware.training.drive import FinetuneError, finetune
from selfaware.training.entry import Entry
from selfaware.training.spec import FinetuneSpec, Hyperparameters
from selfaware.training.together_adapter import fetch_adapter
from selfaware.training.together_backend import TogetherBackend

CHOSEN = Hyperparameters(lora_rank=4, epochs=2, batch_size=8, learning_rate=5e-3)
ROWS = [question_and_answer(f"pick {i}", "bold" if i % 2 else "risky") for i in range(20)]
FLIPPED = [question_and_answer(f"pick {i}", "risky" if i % 2 else "bold") for i in range(20)]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOGETHER_API_KEY", KEY)
    monkeypatch.setenv("TOGETHER_BASE_URL", "http://127.0.0.1:1")  # not ours to read


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("together")
    save_adapter(home / "adapter", save_base(home / "base"), seed=1)
    config = home / "adapter" / "adapter_config.json"
    told = {**json.loads(config.read_text()), "base_model_name_or_path": "/mnt/their/place"}
    config.write_text(json.dumps(told))
    write_rows(home / "rows.jsonl", ROWS)
    write_rows(home / "flipped.jsonl", FLIPPED)
    return home


@dataclass
class World:
    """A service, its address and a runs folder."""

    home: Path
    runs: Path
    url: str
    service: Service = field(default_factory=Service)

    def spec(self, **changes: Any) -> FinetuneSpec:
        given = {
            "base": "org/base-Reference",
            "dataset": self.home / "rows.jsonl",
            "hyperparameters": CHOSEN,
            "seed": 3,
            "backend": "together",
            "endpoint": self.url,
        }
        return FinetuneSpec.model_validate({**given, **changes})

    def make(self, spec: FinetuneSpec | None = None, retry: bool = False) -> Entry:
        backend = TogetherBackend(self.runs, self.url, patience=0.01)
        try:
            return finetune([spec or self.spec()], self.runs, backend, retry=retry)[0]
        finally:
            backend.close()

    def calls(self, call: str) -> int:
        return self.service.seen.count(call)


@pytest.fixture
def world(home: Path, tmp_path: Path) -> Iterator[World]:
    archive = pack(home / "adapter")
    service = Service(archives={None: archive, 2: pack(home / "adapter", "in/a/folder/")})
    with serving(service) as url:
        yield World(home, tmp_path / "runs", url, service)
    assert service.broken == []


def test_a_finetune_is_made_fetched_and_called(world: World) -> None:
    entry = world.make()
    folder = (world.runs / "adapters" / entry.id).resolve()
    assert entry.state == "succeeded" and entry.job == "ft-1"
    assert (entry.adapter, entry.model) == (f"adapters/{entry.id}", f"vllm/org/base:{folder}")
    assert entry.flags == ("-M", "max_lora_rank=8")  # vLLM takes no 4
    assert entry.training_loss == pytest.approx((1 / 3 + 1 / 4) / 2)
    assert (entry.seconds, entry.tokens) == (120.0, 1234)
    assert json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"] == (
        "org/base"
    )
    assert json.loads((folder / "together.json").read_text()) == {
        "job": "ft-1",
        "base": "org/base-Reference",
        "model": f"me/org/base-Reference-selfaware-{entry.id}-ft-1",
    }
    assert world.make() == entry
    assert world.calls("POST fine-tunes") == 1


def test_every_setting_of_a_job_is_given(world: World) -> None:
    entry = world.make()
    [asked] = world.service.asked
    assert asked["training_method"] == {"method": "sft", "train_on_inputs": False}
    assert asked["training_type"] == {
        "type": "Lora",
        "lora_r": 4,
        "lora_alpha": 8,
        "lora_dropout": 0.0,
        "lora_trainable_modules": "all-linear",
    }
    assert asked["lr_scheduler"] == {
        "lr_scheduler_type": "linear",
        "lr_scheduler_args": {"min_lr_ratio": 0.0},
    }
    rest = {
        "packing": False,
        "n_epochs": 2,
        "n_checkpoints": 1,
        "batch_size": 8,
        "learning_rate": 5e-3,
        "warmup_ratio": 0.0,
        "max_grad_norm": 1.0,
        "weight_decay": 0.0,
        "random_seed": 3,
        "suffix": f"selfaware-{entry.id}",
    }
    assert {name: asked[name] for name in rest} == rest
    [content] = world.service.contents.values()
    assert [json.loads(line) for line in content.splitlines()] == [
        row.model_dump(mode="json", exclude_none=True) for row in ROWS
    ]


def test_dpo_sends_pairs(world: World) -> None:
    chosen = CHOSEN.model_copy(update={"method": "dpo", "beta": 0.3, "scheduler": "constant"})
    twin = world.home / "flipped.jsonl"
    world.make(world.spec(hyperparameters=chosen, rejected=twin))
    [asked] = world.service.asked
    assert asked["training_method"]["method"] == "dpo"
    assert asked["training_method"]["dpo_beta"] == 0.3
    assert asked["lr_scheduler"]["lr_scheduler_args"] == {"min_lr_ratio": 1.0}
    [content] = world.service.contents.values()
    assert json.loads(content.splitlines()[1]) == {
        "input": {"messages": [{"role": "user", "content": "pick 1"}]},
        "preferred_output": [{"role": "assistant", "content": "bold"}],
        "non_preferred_output": [{"role": "assistant", "content": "risky"}],
    }


def test_full_finetunes_stay_at_the_service(world: World) -> None:
    chosen = CHOSEN.model_copy(update={"adaptation": "full", "scheduler": "cosine"})
    entry = world.make(world.spec(hyperparameters=chosen))
    assert entry.model == f"together/me/org/base-Reference-selfaware-{entry.id}-ft-1"
    assert entry.adapter is None
    [asked] = world.service.asked
    assert asked["training_type"] == {"type": "Full"}
    assert asked["lr_scheduler"]["lr_scheduler_type"] == "cosine"


def test_epochs_become_entries(world: World) -> None:
    chosen = CHOSEN.model_copy(update={"checkpoints": True})
    entry = world.make(world.spec(hyperparameters=chosen))
    [point] = [each for each in registry.entries(world.runs) if each.checkpoint_of]
    assert (point.id, point.step, point.epoch) == (f"{entry.id}-step2", 2, 1)
    assert point.adapter == f"adapters/{entry.id}-step2"
    assert (world.runs / point.adapter / "adapter_model.safetensors").is_file()
    assert world.service.asked[0]["n_checkpoints"] == 2


def test_seeds_share_one_file(world: World) -> None:
    world.make()
    world.make(world.spec(seed=4))
    assert len(world.service.contents) == 1
    assert len({asked["suffix"] for asked in world.service.asked}) == 2


@pytest.mark.parametrize(
    "faults",
    [
        {"POST fine-tunes": [0]},
        {"POST fine-tunes": [500, 0]},
        {"POST fine-tunes": [429], "GET fine-tunes": [503, 429], "POST files": [429, 0]},
        {"PUT store/file-1": [0], "GET files": [502], "POST fine-tunes/estimate-price": [500]},
        {"GET fine-tunes/ft-1": [None, 503], "GET finetune/download": [500, 0]},
        {"POST files/file-1/preprocess": [0], "GET fine-tunes/ft-1/events": [0]},
    ],
)
def test_faults_leave_one_job(world: World, faults: dict[str, list[int | None]]) -> None:
    world.service.faults = faults
    world.service.retry_after = "0.01"
    assert world.make().state == "succeeded"
    assert len(world.service.jobs) == 1
    assert not any(each for each in world.service.faults.values())


def test_a_lost_registry_finds_its_job(world: World) -> None:
    entry = world.make()
    (world.runs / "registry.jsonl").unlink()
    again = world.make()
    assert (again.job, again.model) == (entry.job, entry.model)
    assert world.calls("POST fine-tunes") == 1


def test_kill_after_the_job_was_made(world: World) -> None:
    world.service.stages = ("running",)
    script = (
        "import sys; from pathlib import Path\n"
        "from selfaware.training.drive import finetune\n"
        "from selfaware.training.spec import FinetuneSpec\n"
        "from selfaware.training.together_backend import TogetherBackend\n"
        "spec = FinetuneSpec.model_validate_json(sys.argv[1]); runs = Path(sys.argv[2])\n"
        "finetune([spec], runs, TogetherBackend(runs, spec.endpoint, 0.01))\n"
    )
    arguments = [world.spec().model_dump_json(), str(world.runs)]
    child = subprocess.Popen([sys.executable, "-c", script, *arguments])
    until = time.monotonic() + 60
    while not world.calls("POST fine-tunes") and time.monotonic() < until:
        time.sleep(0.002)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    world.service.stages = ("completed",)
    assert world.make().state == "succeeded"
    assert len(world.service.jobs) == 1


@pytest.mark.parametrize(("stage", "mistake"), [("error", False), ("user_error", True)])
def test_a_failed_job_says_why_and_can_be_made_again(
    world: World, stage: str, mistake: bool
) -> None:
    world.service.stages = ("pending", stage)
    expected = UsageError if mistake else FinetuneError
    with pytest.raises(expected, match="CUDA ran out of patience"):
        world.make()
    with pytest.raises(FinetuneError, match="--retry"):
        world.make()
    assert len(world.service.jobs) == 1
    world.service.stages = ("completed",)
    world.service.looked.clear()
    world.service.jobs["ft-1"]["status"] = stage
    assert world.make(retry=True).job == "ft-2"


def test_events_and_cancelling(world: World) -> None:
    backend = TogetherBackend(world.runs, world.url, patience=0.01)
    spec = world.spec()
    job = backend.submit(spec, backend.prepare(spec))
    assert [event.message for event in backend.events(job)] == ["job_pending!", "training_start!"]
    backend.cancel(job)
    assert backend.poll(job).state == "cancelled"
    backend.cancel(job)
    assert world.calls(f"POST fine-tunes/{job}/cancel") == 1
    assert backend.find(spec) == job  # nobody has written down that it ended
    assert backend.poll("ft-9").problem == "Together knows no job ft-9 any more"
    backend.close()


def test_a_file_is_waited_for_or_refused(world: World) -> None:
    world.service.file_states = ["RUNNING", "RUNNING", "QUEUED", "RUNNING"]
    assert world.make().state == "succeeded"
    world.service.file_states = ["COMPLETED", "INVALID_FORMAT"]
    with pytest.raises(UsageError, match=r"rows.jsonl: line 3 has no messages"):
        world.make(world.spec(seed=5))


@pytest.mark.parametrize(
    ("faults", "changes", "said"),
    [
        ({"GET fine-tunes": [401]}, {}, "does not accept the key in TOGETHER_API_KEY"),
        ({"POST fine-tunes": [402]}, {}, "no credit left"),
        ({"POST fine-tunes": [403]}, {}, "forbids"),
        ({"POST fine-tunes": [422]}, {}, "it would not have the request"),
        ({}, {"base": "org/other"}, "Together finetunes no 'org/other'"),
        ({}, {"seed": 2**31}, "seeds from 0 to 2147483647"),
        (
            {},
            {"hyperparameters": Hyperparameters(batch_size=500)},
            "batch size of 500 is higher that the maximum",
        ),
    ],
)
def test_refusals_are_one_line_without_the_key(
    world: World, faults: dict[str, list[int | None]], changes: dict[str, Any], said: str
) -> None:
    world.service.faults = faults
    with pytest.raises(UsageError, match=said) as caught:
        world.make(world.spec(**changes))
    assert "\n" not in caught.value.message and KEY not in shown(caught.value)
    assert world.service.jobs == {}
    for file in world.runs.rglob("*"):
        assert file.is_dir() or KEY.encode() not in file.read_bytes()


def test_no_key_no_server_no_sdk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"no answer from http://127.0.0.1:9: "):
        TogetherBackend(world.runs, "http://127.0.0.1:9/v1").find(world.spec())
    monkeypatch.delenv("TOGETHER_API_KEY")
    with pytest.raises(UsageError, match="TOGETHER_API_KEY is not set"):
        TogetherBackend(world.runs)
    monkeypatch.setitem(sys.modules, "together", None)
    with pytest.raises(UsageError, match=r"pip install 'selfaware\[together\]'$"):
        TogetherBackend(world.runs)


def archive_of(*names: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in names:
            tar.addfile(tarfile.TarInfo(name))
    return packed.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"not an archive", b"\x28\xb5\x2f\xfdnonsense", archive_of("model.safetensors")],
    ids=["empty", "no archive", "broken", "no configuration"],
)
def test_what_is_no_adapter_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UsageError, match="archive"):
        fetch_adapter(tmp_path, "one", lambda path: write(path, content), {"base": "b"})
    assert list((tmp_path / "adapters").iterdir()) == []


def test_an_archive_cannot_write_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="archive"):
        content = archive_of("../../../outside")
        fetch_adapter(tmp_path / "runs", "one", lambda path: write(path, content), {"base": "b"})
    assert not list(tmp_path.rglob("outside"))


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def test_flags_reach_the_model(home: Path) -> None:
    model = load(f"selfaware/{home / 'base'}", ("-M", "device=cpu"))
    assert model.model_args == {"device": "cpu"}
