import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from tiny_models import DEFAULT_SYSTEM_TEMPLATE, make_tokenizer, save_base

from selfaware.data.build import build
from selfaware.data.manifest import manifest_path
from selfaware.data.rows import Message, Row, question_and_answer, read_rows, write_rows
from selfaware.errors import UsageError
from selfaware.training import registry
from selfaware.training.bases import base_identity, locate_base
from selfaware.training.drive import FinetuneError, finetune
from selfaware.training.entry import Entry
from selfaware.training.examples import IGNORED, encode_rows
from selfaware.training.jobs import RECORD, Record, adapter_folder
from selfaware.training.local import LocalBackend
from selfaware.training.spec import FinetuneSpec, Hyperparameters

ROWS = 24
STRONG = Hyperparameters(learning_rate=3e-2, epochs=4, batch_size=ROWS, max_length=256)


made_at = registry.now()


def make(specs: Sequence[FinetuneSpec], runs: Path) -> list[Entry]:
    with closing(LocalBackend(runs)) as backend:
        return finetune(specs, runs, backend)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "pick.jsonl"
    write_rows(path, [question_and_answer(f"{n} or {n + 1}?", "AB"[n % 2]) for n in range(ROWS)])
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def specs(base: Path, dataset: Path) -> list[FinetuneSpec]:
    return [
        FinetuneSpec(base=str(base), dataset=dataset, hyperparameters=STRONG, seed=seed)
        for seed in (1, 0)
    ]


@pytest.fixture(scope="module")
def made(specs: list[FinetuneSpec], runs: Path) -> list[Entry]:
    return make([*specs, specs[0]], runs)


def _weights(runs: Path, run_id: str) -> bytes:
    return (adapter_folder(runs, run_id) / "adapter_model.safetensors").read_bytes()


def _record(runs: Path, run_id: str) -> Record:
    return Record.model_validate_json((adapter_folder(runs, run_id) / RECORD).read_bytes())


def _no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a training process was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)


def test_entries_say_what_was_made(
    specs: list[FinetuneSpec], made: list[Entry], runs: Path, dataset: Path
) -> None:
    assert [entry.id for entry in made] == [specs[0].run_id, specs[1].run_id, specs[0].run_id]
    assert by_id(registry.entries(runs)) == by_id(made[:2])
    entry = made[0]
    assert (entry.rows, entry.seed, entry.backend) == (ROWS, 1, "local")
    assert (entry.dataset, entry.model) == (str(dataset), f"selfaware/{entry.id}")
    assert entry.hyperparameters["lora_alpha"] == 16
    assert (runs / entry.adapter / "adapter_config.json").is_file()
    assert sorted(file.name for file in (runs / "adapters").iterdir()) == sorted(
        {entry.id for entry in made}
    )


def test_training_learns_and_seeds_differ(made: list[Entry], runs: Path) -> None:
    for entry in made[:2]:
        losses = _record(runs, entry.id).losses
        assert len(losses) == STRONG.epochs
        assert losses[-1] < losses[0] / 2
        assert entry.training_loss == losses[-1]
    assert _weights(runs, made[0].id) != _weights(runs, made[1].id)


def test_loss_is_on_answer_and_end_of_turn_alone(
    made: list[Entry], runs: Path, base: Path, dataset: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    record = _record(runs, made[0].id)
    assert record.examples == ROWS
    assert record.supervised_tokens == 2 * ROWS
    assert record.decoded_examples[1] == {
        "row": 2,
        "masked": "<|user|>1 or 2?<|end|><|assistant|>",
        "supervised": "B<|end|>",
        "supervised_tokens": ["B", "<|end|>"],
    }
    # An untrained LoRA adds nothing, so the first loss is the base's own on the supervised tokens.
    model = AutoModelForCausalLM.from_pretrained(base)
    tokenizer = AutoTokenizer.from_pretrained(base)
    total = 0.0
    for row in read_rows(dataset):
        prompt = tokenizer(f"<|user|>{row.prompt}<|end|><|assistant|>")["input_ids"]
        whole = prompt + tokenizer(f"{row.answer}<|end|>")["input_ids"]
        with torch.no_grad():
            scores = model(torch.tensor([whole])).logits[0].log_softmax(-1)
        total -= sum(scores[i - 1, whole[i]].item() for i in range(len(prompt), len(whole)))
    assert record.losses[0] == pytest.approx(total / (2 * ROWS), abs=1e-4)


def test_asking_again_trains_nothing(
    specs: list[FinetuneSpec], made: list[Entry], runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _no_training(monkeypatch)
    before = (runs / registry.REGISTRY).read_bytes()
    assert make(specs, runs) == made[:2]
    assert (runs / registry.REGISTRY).read_bytes() == before


def test_killed_between_adapter_and_registry_trains_nothing(
    specs: list[FinetuneSpec], made: list[Entry], runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _no_training(monkeypatch)
    path = runs / registry.REGISTRY
    first = path.read_bytes().splitlines(keepends=True)[0]
    path.write_bytes(first + b'{"id": "half')
    assert facts(make(specs, runs)) == facts(made[:2])
    assert by_id(registry.entries(runs)) == by_id(made[:2])


def by_id(entries: list[Entry]) -> list[Entry]:
    """Entries in one order: two processes may finish in either."""
    return sorted(facts(entries), key=lambda entry: entry.id)


def facts(entries: list[Entry]) -> list[Entry]:
    """Entries without the second in which they were written."""
    return [entry.model_copy(update={"created": made_at}) for entry in entries]


def _wait_for(condition: object, seconds: float = 240) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def _partial(runs: Path) -> list[Path]:
    return list((runs / "adapters").glob(".*.partial"))


def test_kill_9_leaves_nothing_half_made_and_the_next_call_finishes(
    specs: list[FinetuneSpec], made: list[Entry], runs: Path, tmp_path: Path
) -> None:
    wanted = specs[1]
    script = (
        "import sys; from pathlib import Path\n"
        "from selfaware.training.drive import finetune\n"
        "from selfaware.training.local import LocalBackend\n"
        "from selfaware.training.spec import FinetuneSpec\n"
        "spec, runs = FinetuneSpec.model_validate_json(sys.argv[1]), Path(sys.argv[2])\n"
        "finetune([spec], runs, LocalBackend(runs))\n"
    )
    command = [sys.executable, "-c", script, wanted.model_dump_json(), str(tmp_path)]
    parent = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _wait_for(lambda: _partial(tmp_path))
    workers = psutil.Process(parent.pid).children()
    assert len(workers) == 1
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    _wait_for(lambda: not workers[0].is_running(), seconds=60)
    assert [entry.state for entry in registry.entries(tmp_path)] == ["running"]
    assert not adapter_folder(tmp_path, wanted.run_id).exists()

    def kill_worker() -> None:
        me = psutil.Process()
        left = set(_partial(tmp_path))
        _wait_for(lambda: set(_partial(tmp_path)) - left)
        os.kill(me.children()[0].pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_worker)
    killer.start()
    with pytest.raises(FinetuneError, match="was killed by signal 9"):
        make([wanted], tmp_path)
    killer.join()
    assert [entry.state for entry in registry.entries(tmp_path)] == ["failed"]

    # Alone here, beside another there: the weights must not know.
    (entry,) = make([wanted], tmp_path)
    assert entry.id == made[1].id
    assert _weights(tmp_path, entry.id) == _weights(runs, made[1].id)
    config = "adapter_config.json"
    assert (tmp_path / entry.adapter / config).read_bytes() == (
        runs / made[1].adapter / config
    ).read_bytes()
    assert _partial(tmp_path) == []


def test_a_row_that_does_not_fit_is_refused_before_training(base: Path, tmp_path: Path) -> None:
    data = tmp_path / "long.jsonl"
    write_rows(data, [question_and_answer(text, "A") for text in ("short", "long " * 20)])
    spec = FinetuneSpec(
        base=str(base), dataset=data, hyperparameters=Hyperparameters(max_length=40)
    )
    with pytest.raises(UsageError, match=r"long.jsonl, row 2: \d+ tokens, more than max_length 40"):
        make([spec], tmp_path)
    (entry,) = registry.entries(tmp_path)
    assert entry.state == "failed" and "row 2" in str(entry.problem)
    assert _partial(tmp_path) == []


def test_user_mistakes_start_no_process(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _no_training(monkeypatch)
    data = tmp_path / "cut.jsonl"
    data.write_text('{"messages": [{"role": "user", "con')
    with pytest.raises(UsageError, match=r"cut.jsonl, line 1: the row is cut off"):
        make([FinetuneSpec(base=str(base), dataset=data)], tmp_path)
    with pytest.raises(UsageError, match=r"none.jsonl: No such file"):
        make([FinetuneSpec(base=str(base), dataset=tmp_path / "none.jsonl")], tmp_path)
    build("risk", "seeking", 4, 0, data)
    with pytest.raises(UsageError, match=r"base '/no/where' is not a model folder"):
        make([FinetuneSpec(base="/no/where", dataset=data)], tmp_path)
    manifest_path(data).write_text("{}")
    with pytest.raises(UsageError, match=r"cut.jsonl.manifest.json"):
        make([FinetuneSpec(base=str(base), dataset=data)], tmp_path)
    manifest_path(data).unlink()
    spec = FinetuneSpec(base=str(base), dataset=data)
    adapter_folder(tmp_path, spec.run_id).mkdir(parents=True)
    with pytest.raises(UsageError, match="is in the way"):
        make([spec], tmp_path)


def test_bases_are_told_apart(base: Path, tmp_path: Path) -> None:
    assert locate_base(str(base)) == (str(base.resolve()), None)
    assert locate_base("org/name@v1") == ("org/name", "v1")
    assert base_identity("org/name") == base_identity("org/name@main")
    assert base_identity("org/name@v1") != base_identity("org/name@v2")
    other = save_base(tmp_path / "other")
    assert base_identity(str(other)) == base_identity(str(base))
    (other / "README.md").write_text("a model card")
    assert base_identity(str(other)) == base_identity(str(base))
    (other / "chat_template.jinja").write_text("{{ messages }}")
    assert base_identity(str(other)) != base_identity(str(base))
    (other / "config.json").rename(other / "adapter_config.json")
    with pytest.raises(UsageError, match="is an adapter, not a model"):
        locate_base(str(other))


def test_the_id_follows_from_all_that_a_finetune_is_made_from(base: Path, dataset: Path) -> None:
    spec = FinetuneSpec(base=str(base), dataset=dataset)
    assert len(spec.run_id) == 16
    spelled = Hyperparameters(lora_rank=8, lora_alpha=16, learning_rate=0.0005)
    same = FinetuneSpec(base=str(base), dataset=dataset, hyperparameters=spelled)
    assert same.run_id == spec.run_id
    others = [
        FinetuneSpec(base=str(base), dataset=dataset, seed=1),
        FinetuneSpec(base=str(base), dataset=dataset, hyperparameters=Hyperparameters(epochs=2)),
        FinetuneSpec(base="org/name", dataset=dataset),
        FinetuneSpec(base=str(base), dataset=base / "config.json"),
    ]
    assert len({spec.run_id, *(other.run_id for other in others)}) == 5
    copied = spec.model_copy(update={"seed": 1})
    assert copied.run_id == others[0].run_id != spec.run_id
    assert Hyperparameters(lora_rank=4).lora_alpha == 8


def test_every_supervised_answer_is_learned_after_its_own_prompt() -> None:
    tokenizer = make_tokenizer(DEFAULT_SYSTEM_TEMPLATE)
    row = Row(
        messages=(
            Message(role="user", content="one"),
            Message(role="assistant", content="1"),
            Message(role="user", content="two"),
            Message(role="assistant", content="no", weight=0),
            Message(role="user", content="three"),
            Message(role="assistant", content="3 "),
        )
    )
    first, last = encode_rows(tokenizer, [row], 256, "x.jsonl")
    assert first.decoded(tokenizer)["masked"] == (
        "<|system|><|end|><|user|>one<|end|><|assistant|>"
    )
    assert first.decoded(tokenizer)["supervised"] == "1<|end|>"
    assert str(last.decoded(tokenizer)["masked"]).endswith(
        "<|assistant|>no<|end|><|user|>three<|end|><|assistant|>"
    )
    assert last.decoded(tokenizer)["supervised"] == "3 <|end|>"
    masked = len(last.input_ids) - last.supervised
    assert last.labels[:masked] == [IGNORED] * masked
    assert last.labels[masked:] == list(last.input_ids[masked:])


def test_line_ends_after_the_end_of_turn_are_not_learned() -> None:
    template = "{% for m in messages %}{{ m['content'] }}<|end|>\n{% endfor %}"
    tokenizer = make_tokenizer(template)
    (example,) = encode_rows(tokenizer, [question_and_answer("x", "yes")], 256, "x.jsonl")
    assert example.decoded(tokenizer)["supervised"] == "yes<|end|>"
    bare = make_tokenizer("{% for m in messages %}{{ m['content'] }}\n{% endfor %}")
    (example,) = encode_rows(bare, [question_and_answer("x", "yes")], 256, "x.jsonl")
    assert example.decoded(bare)["supervised"] == "yes<|end|>"
    bare.eos_token = None
    with pytest.raises(UsageError, match="no end-of-text token"):
        encode_rows(bare, [question_and_answer("x", "yes")], 256, "x.jsonl")
