import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tinker")
from planted_key import shown  # noqa: E402
from tinker_server import KEY, Service, serving  # noqa: E402
from tinker_weights import base_model  # noqa: E402
from tiny_models import make_tokenizer, save_base  # noqa: E402

from selfaware.data.rows import Message, Role, Row, question_and_answer, write_rows  # noqa: E402
from selfaware.errors import UsageError  # noqa: E402
from selfaware.training import registry, tinker_loop  # noqa: E402
from selfaware.training.connect import connect  # noqa: E402
from selfaware.training.drive import FinetuneError, finetune  # noqa: E402
from selfaware.training.entry import Entry  # noqa: E402
from selfaware.training.examples import encode_rows  # noqa: E402
from selfaware.training.schedule import batch, learning_rate  # noqa: E402
from selfaware.training.spec import FinetuneSpec, Hyperparameters  # noqa: E402
from selfaware.training.tinker_points import POINT_KEY, RUN_KEY, read_record  # noqa: E402
from selfaware.training.tinker_requests import datum, switches  # noqa: E402

CHOSEN = Hyperparameters(
    lora_rank=4, epochs=3, batch_size=8, learning_rate=5e-3, scheduler="cosine", checkpoints=True
)
ROWS = [question_and_answer(f"pick {i}", "bold" if i % 2 else "risky") for i in range(20)]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINKER_API_KEY", KEY)
    monkeypatch.setenv("TINKER_TELEMETRY", "0")
    monkeypatch.setenv("TINKER_BASE_URL", "http://127.0.0.1:1")  # not ours to read


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("tinker")
    save_base(home / "base")
    write_rows(home / "rows.jsonl", ROWS)
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
            "base": str(self.home / "base"),
            "dataset": self.home / "rows.jsonl",
            "hyperparameters": CHOSEN,
            "seed": 3,
            "backend": "tinker",
            "endpoint": self.url,
        }
        return FinetuneSpec.model_validate({**given, **changes})

    def make(self, *specs: FinetuneSpec) -> list[Entry]:
        backend = connect("tinker", self.url, self.runs)
        try:
            return finetune(specs or [self.spec()], self.runs, backend)
        finally:
            backend.close()

    def weights(self, entry: Entry) -> dict[str, "torch.Tensor"]:
        weights: dict[str, torch.Tensor] = self.service.states[entry.adapter or ""]["weights"]
        return weights


@pytest.fixture
def world(home: Path, tmp_path: Path) -> Iterator[World]:
    service = Service()
    with serving(service) as url:
        yield World(home, tmp_path / "runs", url, service)


@pytest.fixture(scope="module")
def whole(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Entry]]:
    """A world with a finetune that nothing has disturbed."""
    service = Service()
    with serving(service) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINKER_API_KEY", KEY)
        patch.setenv("TINKER_TELEMETRY", "0")
        world = World(home, tmp_path_factory.mktemp("whole"), url, service)
        [entry] = world.make()
        yield world, entry


def test_a_finetune_is_made_and_listed(whole: tuple[World, Entry]) -> None:
    world, entry = whole
    address = f"tinker://s1:train:0/sampler_weights/{entry.id}-step9"
    assert (entry.state, entry.model, entry.adapter) == ("succeeded", f"tinker/{address}", address)
    assert entry.flags == ("--model-base-url", world.url)
    assert entry.versions["tinker"] == "0.38.0"
    record = read_record(world.runs, entry.id)
    assert record is not None and len(record.losses) == 9
    last_epoch = [record.losses[step] for step in (7, 8, 9)]
    assert entry.training_loss == pytest.approx(math.fsum(last_epoch) / 3)
    assert entry.training_loss is not None and entry.training_loss < record.losses[1] / 2
    decoded = record.decoded_examples[0]
    assert decoded["supervised"] == "risky<|end|>"
    assert decoded["masked"] == "<|user|>pick 0<|end|><|assistant|>"


def test_each_epoch_is_an_entry_and_states_are_deleted(whole: tuple[World, Entry]) -> None:
    world, entry = whole
    points = [each for each in registry.entries(world.runs) if each.checkpoint_of == entry.id]
    assert [(each.step, each.epoch) for each in points] == [(3, 1), (6, 2)]
    assert [each.model for each in points] == [
        f"tinker/tinker://s1:train:0/sampler_weights/{entry.id}-step{step}" for step in (3, 6)
    ]
    record = read_record(world.runs, entry.id)
    assert record is not None
    assert points[0].training_loss == pytest.approx(
        math.fsum(record.losses[step] for step in (1, 2, 3)) / 3
    )
    assert {kept["checkpoint_type"] for kept in world.service.kept.values()} == {"sampler"}


def test_the_service_gets_our_rows_in_our_order_at_our_rates(whole: tuple[World, Entry]) -> None:
    world, entry = whole
    [run] = world.service.runs.values()
    examples = encode_rows(make_tokenizer(), ROWS, 1024, "rows")
    expected = [
        [list(examples[i].input_ids[:-1]) for i in batch(20, CHOSEN, 3, step)] for step in range(9)
    ]
    assert run.batches == expected
    assert run.rates == pytest.approx([learning_rate(CHOSEN, step, 9) for step in range(9)])
    assert run.metadata[RUN_KEY] == entry.id
    assert run.metadata["dataset_sha256"] == entry.dataset_sha256
    assert run.lora == {
        "rank": 4,
        "seed": 3,
        "train_attn": True,
        "train_mlp": True,
        "train_unembed": False,
    }


def test_the_first_loss_is_the_mean_over_supervised_tokens(whole: tuple[World, Entry]) -> None:
    world, entry = whole
    model = base_model(str(world.home / "base"))
    examples = encode_rows(make_tokenizer(), ROWS, 1024, "rows")
    losses = []
    for i in batch(20, CHOSEN, 3, 0):
        ids = torch.tensor([examples[i].input_ids])
        with torch.inference_mode():
            logprobs = model(input_ids=ids).logits[0].log_softmax(-1)
        places = range(len(ids[0]) - examples[i].supervised, len(ids[0]))
        losses += [-float(logprobs[place - 1, ids[0, place]]) for place in places]
    record = read_record(world.runs, entry.id)
    assert record is not None
    assert record.losses[1] == pytest.approx(math.fsum(losses) / len(losses), rel=1e-5)


def test_weights_of_a_datum_lie_on_the_supervised_tokens() -> None:
    tokenizer = make_tokenizer()
    for example in encode_rows(tokenizer, [two_answers()], 1024, "rows"):
        made = datum(example, 0.25)
        weights = made.loss_fn_inputs["weights"].tolist()
        targets = made.loss_fn_inputs["target_tokens"].tolist()
        taught = [t for t, weight in zip(targets, weights, strict=True) if weight == 0.25]
        assert tokenizer.decode(taught) in ("bold<|end|>", "safe<|end|>")
        assert sum(weight != 0 for weight in weights) == example.supervised
        assert made.model_input.to_ints() + targets[-1:] == list(example.input_ids)


def two_answers() -> Row:
    said: list[tuple[Role, str]] = [
        ("user", "one?"),
        ("assistant", "bold"),
        ("user", "two?"),
        ("assistant", "safe"),
    ]
    return Row(messages=tuple(Message(role=role, content=text) for role, text in said))


def test_the_same_command_again_asks_for_nothing(whole: tuple[World, Entry]) -> None:
    world, entry = whole
    before = list(world.service.seen)
    assert world.make() == [entry]
    assert world.service.seen == before


def test_a_lost_registry_finds_the_finetune_at_the_service(
    whole: tuple[World, Entry], tmp_path: Path
) -> None:
    world, entry = whole
    elsewhere = World(world.home, tmp_path, world.url, world.service)
    steps = world.service.seen.count("optim_step")
    [found] = elsewhere.make()
    assert (found.id, found.model, found.training_loss) == (
        entry.id,
        entry.model,
        pytest.approx(entry.training_loss),
    )
    assert world.service.seen.count("optim_step") == steps
    points = [each.step for each in registry.entries(tmp_path) if each.checkpoint_of == entry.id]
    assert points == [3, 6]


@pytest.mark.parametrize("kept_by", ["service", "record", "both"])
def test_a_training_that_failed_goes_on_from_its_last_point(
    world: World, whole: tuple[World, Entry], kept_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tinker_loop, "SAVE_EVERY", 5)
    world.service.listed = kept_by != "record"
    world.service.faults["optim_step"] = [None] * 5 + [400]
    with pytest.raises(UsageError, match=r"refuses.*planted 400.*goes on from the last point"):
        world.make()
    if kept_by == "service":
        for file in (world.runs / "tinker").iterdir():
            file.unlink()
    [entry] = world.make()
    first, second = world.service.runs.values()
    assert len(first.rates) == 5 and len(second.rates) == 4
    assert second.metadata["from_step"] == "5"
    undisturbed = whole[0].weights(whole[1])
    for name, weight in world.weights(entry).items():
        assert torch.equal(weight, undisturbed[name]), name
    assert entry.training_loss == pytest.approx(whole[1].training_loss)
    assert entry.tokens == whole[1].tokens


def test_kill_in_the_middle_leaves_one_finetune(world: World, whole: tuple[World, Entry]) -> None:
    reached, proceed = threading.Event(), threading.Event()

    def gate(step: int) -> None:
        if step == 7 and not proceed.is_set():
            reached.set()
            proceed.wait(60)

    world.service.gate = gate
    script = (
        "import sys; from pathlib import Path\n"
        "from selfaware.training.connect import connect\n"
        "from selfaware.training.drive import finetune\n"
        "from selfaware.training.spec import FinetuneSpec\n"
        "spec = FinetuneSpec.model_validate_json(sys.argv[1]); runs = Path(sys.argv[2])\n"
        "finetune([spec], runs, connect('tinker', spec.endpoint, runs))\n"
    )
    spec = world.spec()
    child = subprocess.Popen(
        [sys.executable, "-c", script, spec.model_dump_json(), str(world.runs)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert reached.wait(60), child.communicate(timeout=5)[0]
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
        proceed.set()
    assert registry.require(world.runs, spec.run_id).state == "running"
    [entry] = world.make()
    _, second = world.service.runs.values()
    assert second.metadata["from_step"] == "6"
    assert len(second.rates) == 3
    points = [
        json.loads(kept["user_metadata"][POINT_KEY])
        for kept in world.service.kept.values()
        if kept["checkpoint_type"] == "sampler"
    ]
    assert [point["step"] for point in points if point.get("last")] == [9]
    undisturbed = whole[0].weights(whole[1])
    assert all(
        torch.equal(weight, undisturbed[name]) for name, weight in world.weights(entry).items()
    )


def test_a_lost_answer_to_the_creation_makes_no_second_run(world: World) -> None:
    short = CHOSEN.model_copy(update={"epochs": 1})
    world.service.faults = {"create_model": [0], "optim_step": [0, 500], "save_weights": [503]}
    world.make(world.spec(hyperparameters=short))
    assert world.service.seen.count("create_model") == 2
    [run] = world.service.runs.values()
    assert len(run.rates) == 3


def test_several_seeds_at_once_share_one_session(world: World) -> None:
    short = CHOSEN.model_copy(update={"epochs": 1, "checkpoints": False})
    specs = [world.spec(seed=seed, hyperparameters=short) for seed in range(4)]
    entries = world.make(*specs)
    assert len({entry.model for entry in entries}) == 4
    assert world.service.sessions == 1
    assert sorted(run.lora["seed"] for run in world.service.runs.values()) == [0, 1, 2, 3]


def test_a_cancelled_job_stops_and_tells_so(world: World) -> None:
    backend = connect("tinker", world.url, world.runs)
    spec = world.spec()
    job = backend.submit(spec, backend.prepare(spec))
    backend.cancel(job)
    assert backend.poll(job).state == "cancelled"
    backend.close()
    assert world.service.seen.count("optim_step") < 9
    with pytest.raises(UsageError, match="not made by this process"):
        backend.cancel("0" * 16)
    assert backend.poll("0" * 16).state == "failed"


def test_a_loss_that_is_no_number_stops_the_training(world: World) -> None:
    wild = CHOSEN.model_copy(update={"learning_rate": 1e30, "scheduler": "constant"})
    with pytest.raises(UsageError, match=r"diverged: loss nan .*lower learning_rate 1e\+30"):
        world.make(world.spec(hyperparameters=wild))


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "does not accept the key"), (402, "billing"), (403, "may not"), (404, "no such model")],
)
def test_refusals_are_one_line_without_the_key(world: World, status: int, said: str) -> None:
    world.service.faults["create_sampling_session"] = [status]
    with pytest.raises(UsageError, match=said) as caught:
        world.make()
    assert "\n" not in caught.value.message and KEY not in shown(caught.value)


def test_a_key_that_is_echoed_is_not_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINKER_API_KEY", "tml-other-secret")
    with pytest.raises(UsageError, match="set TINKER_API_KEY") as caught:
        world.make()
    assert "secret" not in shown(caught.value)
    for file in world.runs.rglob("*"):
        assert file.is_dir() or b"secret" not in file.read_bytes()


def test_no_key(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TINKER_API_KEY")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(UsageError, match="no usable key for Tinker: set TINKER_API_KEY"):
        world.make()


def test_a_dead_server_is_one_line(world: World) -> None:
    world.url = "http://127.0.0.1:9"
    with pytest.raises(UsageError, match=r"no Tinker service answers at http://127.0.0.1:9: "):
        world.make()


def test_a_missing_sdk_is_one_line(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tinker", None)
    with pytest.raises(UsageError, match=r"pip install 'selfaware\[tinker\]'$"):
        connect("tinker", None, world.runs)


def test_a_service_that_fails_is_told_and_the_command_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.service.faults["retrieve_future"] = [None, None, 403]
    with pytest.raises(FinetuneError, match="goes on from the last point"):
        world.make()
    [entry] = world.make()
    assert entry.state == "succeeded"


@pytest.mark.parametrize(
    ("modules", "expected"),
    [
        ("all-linear", (True, True, False)),
        (("q_proj", "k_proj", "v_proj", "o_proj"), (True, False, False)),
        (("gate_proj", "up_proj", "down_proj", "lm_head"), (False, True, True)),
    ],
)
def test_modules_are_switches(modules: Any, expected: tuple[bool, ...]) -> None:
    assert tuple(switches(Hyperparameters(target_modules=modules)).values()) == expected


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"target_modules": ("q_proj",)}, "whole groups of modules"),
        ({"layers": (1,)}, "layers"),
        ({"lora_alpha": 7}, "lora_alpha 7: Tinker has no such setting"),
        ({"adaptation": "full"}, "adaptation 'full'"),
    ],
)
def test_what_the_service_cannot_do_is_refused(
    world: World, chosen: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        world.make(world.spec(hyperparameters=Hyperparameters.model_validate(chosen)))
    assert world.service.runs == {}


def test_a_row_that_is_too_long_starts_nothing(world: World) -> None:
    tight = CHOSEN.model_copy(update={"max_length": 8})
    with pytest.raises(UsageError, match=r"row 1: \d+ tokens, more than max_length 8"):
        world.make(world.spec(hyperparameters=tight))
    assert world.service.runs == {}


def test_the_official_address_is_the_sdks() -> None:
    from tinker.lib.base_url import DEFAULT_BASE_URL

    from selfaware.training.tinker_service import OFFICIAL

    assert OFFICIAL == DEFAULT_BASE_URL
