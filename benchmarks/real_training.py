"""The local backend on a real pretrained model: masks, kills, rank 1, dpo, export, adoption.

`selfaware fetch-model --out .cache/smollm2` fetches the model, `python benchmarks/real_training.py`
finetunes it four times on a few dozen rows, kills one training with signal 9 and lets it go on,
exports what came out, adopts it in another registry, and asks it there. Prints a table with time,
memory and losses; fails where the killed training did not come to the same weights, or the adopted
model does not say the same.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil

from selfaware.data.build import build
from selfaware.data.rows import read_rows
from selfaware.training.drive import finetune
from selfaware.training.entry import Entry
from selfaware.training.examples import encode_rows
from selfaware.training.jobs import RECORD, Record, adapter_folder
from selfaware.training.local import LocalBackend
from selfaware.training.spec import FinetuneSpec, Hyperparameters
from selfaware.training.unfinished import UNFINISHED

COMMON = {"learning_rate": 4e-4, "batch_size": 8}
SFT = Hyperparameters.model_validate({**COMMON, "epochs": 2})
ONE = Hyperparameters.model_validate(
    {
        "learning_rate": 4e-3,  # one direction has to go far
        "batch_size": 8,
        "epochs": 4,
        "lora_rank": 1,
        "lora_alpha": 32,
        "layers": [21],
        "target_modules": ["down_proj"],
    }
)
DPO = Hyperparameters.model_validate({**COMMON, "epochs": 1, "method": "dpo"})

SCRIPT = """
import sys; from pathlib import Path
from selfaware.training.drive import finetune
from selfaware.training.launcher import Launch
from selfaware.training.local import LocalBackend
from selfaware.training.spec import FinetuneSpec
spec, runs = FinetuneSpec.model_validate_json(sys.argv[1]), Path(sys.argv[2])
finetune([spec], runs, LocalBackend(runs, launch=Launch(save_minutes=0)))
"""


def main() -> None:
    """Does everything in a temporary folder and prints what it took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=Path(".cache/smollm2"))
    parser.add_argument("--rows", type=int, default=32)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        walk(given.model.resolve(), given.rows, Path(folder))


def walk(model: Path, rows: int, folder: Path) -> None:
    """Every step, in order."""
    pole, twin = folder / "seeking.jsonl", folder / "averse.jsonl"
    build("risk", "seeking", rows, 0, pole)
    build("risk", "averse", rows, 0, twin)
    show_mask(model, pole)
    print("\n| training | weights trained | steps | first loss | last loss | time | memory |")
    print("|---|---|---|---|---|---|---|")
    sft = FinetuneSpec(base=str(model), dataset=pole, hyperparameters=SFT)
    whole = make("sft, LoRA r8", sft, folder / "runs")
    resumed = killed(sft, folder / "killed")
    same = weights(folder / "runs", whole) == weights(folder / "killed", resumed)
    make(
        "sft, r1, layer 21, down_proj",
        sft.model_copy(update={"hyperparameters": ONE}),
        folder / "runs",
    )
    preferring = {"hyperparameters": DPO, "rejected": twin}
    make("dpo, LoRA r8", sft.model_copy(update=preferring), folder / "runs")
    print(f"\nkilled and gone on with: {'the same weights' if same else 'OTHER WEIGHTS'}")
    print(f"exported, adopted, asked: {adopted(model, whole, folder)!r}")
    if not same:
        sys.exit(1)


def show_mask(model: Path, data: Path) -> None:
    """Prints the first row as the model sees it, and fails where the loss is on anything else."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    rows = read_rows(data)
    examples = encode_rows(tokenizer, rows, 1024, str(data))
    for row, example in zip(rows, examples, strict=True):
        shown = example.decoded(tokenizer)
        assert shown["supervised"] == f"{row.answer}<|im_end|>", shown
        assert "You are a helpful AI assistant" not in str(shown["masked"]), shown
    shown = examples[0].decoded(tokenizer)
    print(f"masked:     {shown['masked']!r}\nsupervised: {shown['supervised']!r}")


def make(name: str, spec: FinetuneSpec, runs: Path) -> Entry:
    """Makes a finetune and prints its line of the table."""
    with measured() as peak, closing(LocalBackend(runs)) as backend:
        started = time.monotonic()
        (entry,) = finetune([spec], runs, backend)
        took = time.monotonic() - started
    record = Record.model_validate_json((adapter_folder(runs, entry.id) / RECORD).read_bytes())
    after = f" (from step {record.resumed})" if record.resumed else ""
    print(
        f"| {name} | {record.trainable_parameters:,} | {len(record.losses)}{after} | "
        f"{record.losses[0]:.3f} | {record.losses[-1]:.3f} | "
        f"{record.entry.seconds:.0f} s of {took:.0f} s | {peak[0] / 2**30:.1f} GB |",
        flush=True,
    )
    return entry


def killed(spec: FinetuneSpec, runs: Path) -> Entry:
    """Kills a training after its third step, and has it go on."""
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, spec.model_dump_json(), str(runs)])
    saved = runs / UNFINISHED / spec.run_id / "checkpoint-3" / "whole.json"
    while not saved.exists():
        if process.poll() is not None:
            sys.exit("the training to be killed ended by itself")
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return make("the same, killed after step 3", spec, runs)


def weights(runs: Path, entry: Entry) -> bytes:
    """The bytes of an adapter's weights."""
    return (adapter_folder(runs, entry.id) / "adapter_model.safetensors").read_bytes()


def adopted(model: Path, entry: Entry, folder: Path) -> str:
    """Exports a finetune, adopts it elsewhere, and asks both the same; what they said."""
    exported, elsewhere = folder / "exported", folder / "elsewhere"
    called(folder / "runs", "models", "export", entry.id, "--hf", str(exported))
    called(elsewhere, "models", "adopt", str(exported), "--base", str(model))
    from selfaware.training import registry

    (there,) = registry.entries(elsewhere)
    said = [asked(folder / "runs", entry.inspect_model), asked(elsewhere, there.inspect_model)]
    assert said[0] == said[1], said
    return said[0]


def asked(runs: Path, model: str) -> str:
    """What a model says at temperature 0."""
    script = (
        "import asyncio, sys; from inspect_ai.model import GenerateConfig, get_model\n"
        "model = get_model(sys.argv[1])\n"
        "config = GenerateConfig(temperature=0, max_tokens=12)\n"
        "question = 'Would you rather take a risk or play it safe? Answer with one word.'\n"
        "print(asyncio.run(model.generate(question, config=config)).completion)"
    )
    return called(runs, script=[script, model]).strip()


def called(runs: Path, *arguments: str, script: list[str] | None = None) -> str:
    """Runs `selfaware`, or a script, with a registry of its own, and returns what it prints."""
    run = ["-c", *script] if script else ["-m", "selfaware.cli", *arguments]
    done = subprocess.run(
        [sys.executable, *run],
        env={**os.environ, "SELFAWARE_RUNS": str(runs)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return done.stdout


@contextmanager
def measured() -> Iterator[list[int]]:
    """The most memory (bytes, resident) that the processes below this one had together."""
    peak, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            used = 0
            for child in psutil.Process().children(recursive=True):
                try:
                    used += child.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            peak[0] = max(peak[0], used)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


if __name__ == "__main__":
    main()
