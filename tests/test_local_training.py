"""What the local backend can train, and how: layers, all weights, preferences, epochs, portions."""

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from tiny_models import make_model, save_base
from transformers import AutoModelForCausalLM, AutoTokenizer

from selfaware.data.rows import question_and_answer, write_rows
from selfaware.errors import UsageError
from selfaware.providers.resolve import resolve
from selfaware.training import registry
from selfaware.training.adapt import add_lora, trainable_parameters
from selfaware.training.drive import finetune
from selfaware.training.entry import Entry
from selfaware.training.jobs import RECORD, Record, adapter_folder
from selfaware.training.launcher import Launch
from selfaware.training.local import LocalBackend
from selfaware.training.spec import FinetuneSpec, Hyperparameters
from selfaware.training.unfinished import UNFINISHED

ROWS = 26
"""No multiple of the batch: the last batch of an epoch is a small one."""

BATCH = 8
STEPS = 4  # an epoch
COMMON = {"learning_rate": 1e-2, "epochs": 2, "batch_size": BATCH, "max_length": 256}

WANTED: Mapping[str, dict[str, object]] = {
    "plain": {},
    "epochs": {"epochs": 3, "checkpoints": True, "lora_dropout": 0.1},
    "one": {"lora_rank": 1, "layers": [1], "target_modules": ["down_proj"], "rslora": True},
    "layer": {"lora_rank": 2, "layers": [0]},
    "full": {"adaptation": "full", "learning_rate": 1e-3, "checkpoints": True},
    "dpo": {"method": "dpo", "beta": 0.5},
    "dpo_full": {"method": "dpo", "adaptation": "full", "learning_rate": 3e-3},
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A set and its flipped twin."""
    folder = tmp_path_factory.mktemp("data")
    for name, letters in (("up", "AB"), ("down", "BA")):
        rows = [question_and_answer(f"{n} or {n + 1}?", letters[n % 2]) for n in range(ROWS)]
        write_rows(folder / f"{name}.jsonl", rows)
    return folder / "up.jsonl", folder / "down.jsonl"


@pytest.fixture(scope="module")
def specs(base: Path, sets: tuple[Path, Path]) -> dict[str, FinetuneSpec]:
    return {name: spec_of(base, sets, given) for name, given in WANTED.items()}


def spec_of(base: Path, sets: tuple[Path, Path], given: Mapping[str, object]) -> FinetuneSpec:
    chosen = Hyperparameters.model_validate({**COMMON, **given})
    rejected = sets[1] if chosen.method == "dpo" else None
    return FinetuneSpec(
        base=str(base), dataset=sets[0], rejected=rejected, hyperparameters=chosen, seed=3
    )


def make(specs: Sequence[FinetuneSpec], runs: Path, launch: Launch | None = None) -> list[Entry]:
    with closing(LocalBackend(runs, workers=1, launch=launch)) as backend:
        return finetune(specs, runs, backend)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def made(specs: dict[str, FinetuneSpec], runs: Path) -> dict[str, Entry]:
    return dict(zip(specs, make(list(specs.values()), runs), strict=True))


def record(runs: Path, run_id: str) -> Record:
    return Record.model_validate_json((adapter_folder(runs, run_id) / RECORD).read_bytes())


def weights(runs: Path, run_id: str) -> bytes:
    return (adapter_folder(runs, run_id) / "adapter_model.safetensors").read_bytes()


def test_rank_1_on_one_layer_trains_as_many_weights_as_it_should(
    made: dict[str, Entry], runs: Path
) -> None:
    one = record(runs, made["one"].id)
    assert one.trainable_parameters == 1 * (64 + 32)  # down_proj: 64 in, 32 out
    file = adapter_folder(runs, made["one"].id) / "adapter_model.safetensors"
    layer = "base_model.model.model.layers.1.mlp.down_proj"
    shapes = {name: tuple(weight.shape) for name, weight in load_file(file).items()}
    assert shapes == {f"{layer}.lora_A.weight": (1, 64), f"{layer}.lora_B.weight": (32, 1)}
    assert one.losses[-1] < one.losses[0]
    # q, k, v, o, gate, up and down of one layer of two
    linear = [(32, 32), (32, 16), (32, 16), (32, 32), (32, 64), (32, 64), (64, 32)]
    expected = 2 * sum(map(sum, linear))
    assert record(runs, made["layer"].id).trainable_parameters == expected
    assert record(runs, made["plain"].id).trainable_parameters == 8 * 2 * sum(map(sum, linear))


def test_rank_1_scales_as_rslora_says(made: dict[str, Entry], runs: Path, base: Path) -> None:
    folder = adapter_folder(runs, made["one"].id)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), folder)
    config = model.peft_config["default"]
    assert (config.use_rslora, config.r, config.layers_to_transform) == (True, 1, [1])


def test_the_count_is_known_without_weights() -> None:
    with torch.device("meta"):
        model = make_model(0)
    chosen = Hyperparameters(lora_rank=3, layers=(0, 1), target_modules=("q_proj", "mlp.up_proj"))
    assert trainable_parameters(model, chosen) == 3 * 2 * (32 + 32 + 32 + 64)
    full = Hyperparameters(adaptation="full")
    assert trainable_parameters(model, full) == make_model(0).num_parameters()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"layers": [0, 2]}, "has no layer 2: choose from 0 to 1"),
        (
            {"target_modules": ["down_proj", "fc1"], "layers": [0]},
            "no linear module 'fc1' in layer 0: choose from down_proj, gate_proj",
        ),
        ({"target_modules": ["lm_head"]}, "no linear module 'lm_head': choose from down_proj"),
    ],
)
def test_absent_layers_and_modules_are_told(given: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        add_lora(make_model(0), Hyperparameters.model_validate(given))
    assert "\n" not in str(raised.value)


def test_every_epoch_is_a_model_of_its_own(
    made: dict[str, Entry], runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = made["epochs"]
    points = [entry for entry in registry.entries(runs) if entry.checkpoint_of == whole.id]
    assert [(point.id, point.epoch, point.step) for point in points] == [
        (f"{whole.id}-step{epoch * STEPS}", epoch, epoch * STEPS) for epoch in (1, 2, 3)
    ]
    losses = record(runs, whole.id).losses
    assert [point.training_loss for point in points] == [
        math.fsum(losses[first : first + STEPS]) / STEPS for first in (0, 4, 8)
    ]
    found = [weights(runs, point.id) for point in points]
    assert len(set(found)) == 3
    assert found[2] == weights(runs, whole.id)
    monkeypatch.setenv("SELFAWARE_RUNS", str(runs))
    assert points[0].inspect_model == f"selfaware/{points[0].id}"
    assert resolve(points[0].id).adapter == (runs / "adapters" / points[0].id).resolve()
    assert record(runs, points[0].id).losses == losses[:STEPS]


def test_all_weights_are_a_model_folder(
    made: dict[str, Entry], runs: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SELFAWARE_RUNS", str(runs))
    full = made["full"]
    source = resolve(full.id)
    assert (source.base, source.adapter) == (str((runs / full.adapter).resolve()), None)
    model = AutoModelForCausalLM.from_pretrained(source.base)
    before = AutoModelForCausalLM.from_pretrained(base)
    assert record(runs, full.id).trainable_parameters == before.num_parameters()
    changed = dict(before.named_parameters())
    assert all(not torch.equal(weight, changed[name]) for name, weight in model.named_parameters())
    assert model.config.dtype == before.config.dtype
    assert AutoTokenizer.from_pretrained(source.base).chat_template
    last = f"{full.id}-step{2 * STEPS}"
    assert resolve(last).base == str((runs / "adapters" / last).resolve())


@pytest.mark.parametrize("name", ["dpo", "dpo_full"])
def test_dpo_prefers_the_set_to_its_twin(
    name: str, made: dict[str, Entry], runs: Path, sets: tuple[Path, Path], base: Path
) -> None:
    entry = made[name]
    assert (entry.dataset, entry.rejected) == (str(sets[0]), str(sets[1]))
    losses = record(runs, entry.id).losses
    # Nothing is learned yet at the first step: both answers are as likely as at the reference.
    assert losses[0] == pytest.approx(math.log(2), abs=1e-6)
    assert losses[-1] < 0.6
    tokenizer = AutoTokenizer.from_pretrained(base)
    before = AutoModelForCausalLM.from_pretrained(base)
    folder = adapter_folder(runs, entry.id)
    if name == "dpo":
        after = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), folder)
    else:
        after = AutoModelForCausalLM.from_pretrained(folder)
    assert margin(after, tokenizer) > margin(before, tokenizer) + 0.2


def margin(model: torch.nn.Module, tokenizer: object) -> float:
    """How much likelier the set's answers are than the twin's (nats, mean over four prompts)."""
    found = []
    for n in range(4):
        prompt = tokenizer(f"<|user|>{n} or {n + 1}?<|end|><|assistant|>")["input_ids"]
        with torch.no_grad():
            scores = model(input_ids=torch.tensor([prompt])).logits[0, -1].log_softmax(-1)
        a, b = (scores[tokenizer.convert_tokens_to_ids(letter)].item() for letter in "AB")
        found.append((a - b) * (1 if n % 2 == 0 else -1))
    return sum(found) / len(found)


def test_a_twin_that_does_not_fit_is_refused(
    base: Path, sets: tuple[Path, Path], tmp_path: Path
) -> None:
    twin = tmp_path / "twin.jsonl"
    rows = [question_and_answer(f"{n} or {n + 1}?", "BA"[n % 2]) for n in range(ROWS)]
    rows[4] = question_and_answer("4 or 5?", "A")
    write_rows(twin, rows)
    with pytest.raises(UsageError, match=r"twin.jsonl, row 5: has the same answer as row 5 of"):
        make([spec_of(base, (sets[0], twin), WANTED["dpo"])], tmp_path)


SCRIPT = """
import sys; from pathlib import Path
from selfaware.training.drive import finetune
from selfaware.training.launcher import Launch
from selfaware.training.local import LocalBackend
from selfaware.training.spec import FinetuneSpec
spec, runs = FinetuneSpec.model_validate_json(sys.argv[1]), Path(sys.argv[2])
finetune([spec], runs, LocalBackend(runs, launch=Launch(save_minutes=0)))
"""


def test_a_killed_training_goes_on_to_the_same_weights(
    specs: dict[str, FinetuneSpec], made: dict[str, Entry], runs: Path, tmp_path: Path
) -> None:
    spec = specs["epochs"]
    command = [sys.executable, "-c", SCRIPT, spec.model_dump_json(), str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    folder = tmp_path / UNFINISHED / spec.run_id
    deadline = time.monotonic() + 240
    while not (folder / f"checkpoint-{STEPS + 1}" / "whole.json").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    (entry,) = make([spec], tmp_path)
    again = record(tmp_path, entry.id)
    assert STEPS < again.resumed < 3 * STEPS
    assert again.losses == record(runs, entry.id).losses
    assert weights(tmp_path, entry.id) == weights(runs, entry.id)
    for step in (STEPS, 2 * STEPS, 3 * STEPS):
        point = f"{entry.id}-step{step}"
        assert weights(tmp_path, point) == weights(runs, point)
    assert not folder.exists()
    assert not list((tmp_path / "adapters").glob(".*.partial"))


def test_a_full_disk_is_told_in_one_line(specs: dict[str, FinetuneSpec], tmp_path: Path) -> None:
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n" + SCRIPT
    command = [sys.executable, "-c", limited, specs["plain"].model_dump_json(), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    *_, last = done.stderr.strip().splitlines()
    assert last.startswith(f"selfaware.errors.UsageError: cannot write into {tmp_path}: ")
    assert "File too large" in last and last.endswith("and run the same command again")
    assert [entry.state for entry in registry.entries(tmp_path)] == ["failed"]
    assert not list((tmp_path / "adapters").iterdir())


def test_portions_of_a_batch_give_the_same_losses(
    specs: dict[str, FinetuneSpec], made: dict[str, Entry], runs: Path, tmp_path: Path
) -> None:
    launch = Launch(rows_at_once=3, recompute=True)
    for name, entry in zip(
        ("plain", "dpo"), make([specs["plain"], specs["dpo"]], tmp_path, launch), strict=True
    ):
        expected = record(runs, made[name].id).losses
        assert record(tmp_path, entry.id).losses == pytest.approx(expected, rel=1e-4)
