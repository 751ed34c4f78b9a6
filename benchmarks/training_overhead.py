"""What the local backend costs over bare TRL on the same rows, in pairs.

Each pair finetunes a base by our worker and by a script that does nothing but call TRL's SFTTrainer
(prompt and completion, the same LoRA, rates, batches and threads), one right after the other and in
changing order. Printed are the medians and the median of the pairs' ratios, for the training alone
and for everything from the start of the process to the saved adapter.
`python benchmarks/training_overhead.py [--base organism/base] [--rows 288] [--pairs 5]`
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from selfaware.data.build import build
from selfaware.training.bases import locate_base
from selfaware.training.drive import finetune
from selfaware.training.fit import SMALL
from selfaware.training.jobs import RECORD, Record, adapter_folder
from selfaware.training.launcher import Launch, environment
from selfaware.training.local import LocalBackend
from selfaware.training.spec import FinetuneSpec, Hyperparameters

TRL = """
import json, sys, time
import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

told = json.loads(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(told["base"], dtype=torch.float32)
if model.num_parameters() < told["small"]:
    torch.set_num_threads(1)
rows = [json.loads(line)["messages"] for line in open(told["dataset"])]
data = Dataset.from_list([{"prompt": row[:-1], "completion": row[-1:]} for row in rows])
started = time.monotonic()
trainer = SFTTrainer(
    model=model,
    args=SFTConfig(
        output_dir=told["out"], per_device_train_batch_size=told["batch_size"],
        num_train_epochs=told["epochs"], learning_rate=told["learning_rate"],
        lr_scheduler_type="linear", bf16=False, use_cpu=True, gradient_checkpointing=False,
        save_strategy="no", report_to="none", disable_tqdm=True, dataloader_pin_memory=False,
    ),
    train_dataset=data,
    processing_class=AutoTokenizer.from_pretrained(told["base"]),
    peft_config=LoraConfig(
        r=8, lora_alpha=16, target_modules="all-linear", bias="none", task_type="CAUSAL_LM"
    ),
)
trainer.train()
took = time.monotonic() - started
trainer.save_model(told["out"])
print("TOOK", took)
"""


@dataclass(frozen=True)
class Took:
    """Seconds for the training alone, and from the start of the process to the saved adapter."""

    training: float
    process: float


def main() -> None:
    """Runs the pairs and prints what they took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--base", default="organism/base")
    parser.add_argument("--rows", type=int, default=288)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "seeking.jsonl"
        build("risk", "seeking", given.rows, 0, data)
        spec = FinetuneSpec(
            base=given.base, dataset=data, hyperparameters=Hyperparameters(epochs=given.epochs)
        )
        pairs = []
        for number in range(given.pairs):
            steps = [ours, bare] if number % 2 == 0 else [bare, ours]
            took = {step: step(spec, Path(folder) / f"{number}-{step.__name__}") for step in steps}
            pairs.append((took[ours], took[bare]))
            print(f"pair {number + 1}: ours {took[ours]}, bare TRL {took[bare]}", flush=True)
    print(f"\n{given.base}, {given.rows} rows, {given.epochs} epochs, {given.pairs} pairs")
    for what in ("training", "process"):
        mine = [getattr(a, what) for a, _ in pairs]
        theirs = [getattr(b, what) for _, b in pairs]
        ratio = median(a / b for a, b in zip(mine, theirs, strict=True))
        print(
            f"{what:9} ours {median(mine):7.1f} s, bare TRL {median(theirs):7.1f} s, "
            f"ratio {ratio:.2f} (median of pairs)"
        )


def ours(spec: FinetuneSpec, runs: Path) -> Took:
    """The finetune by our worker."""
    started = time.monotonic()
    with closing(LocalBackend(runs)) as backend:
        (entry,) = finetune([spec], runs, backend)
        process = time.monotonic() - started
    record = Record.model_validate_json((adapter_folder(runs, entry.id) / RECORD).read_bytes())
    return Took(record.entry.seconds or 0.0, process)


def bare(spec: FinetuneSpec, out: Path) -> Took:
    """The same finetune by TRL alone."""
    chosen = spec.hyperparameters
    told = {
        "base": locate_base(spec.base)[0],
        "dataset": str(spec.dataset),
        "out": str(out),
        "small": SMALL,
        "batch_size": chosen.batch_size,
        "epochs": chosen.epochs,
        "learning_rate": chosen.learning_rate,
    }
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", TRL, json.dumps(told)],
        env=environment(Launch(), offline=True),
        capture_output=True,
        text=True,
    )
    process = time.monotonic() - started
    if done.returncode:
        sys.exit(done.stderr)
    return Took(float(done.stdout.split("TOOK")[1]), process)


if __name__ == "__main__":
    main()
