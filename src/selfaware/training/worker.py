"""The training process: `python -m selfaware.training.worker ORDERS.json`."""

import json
import math
import os
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from pydantic import BaseModel

from selfaware import __version__
from selfaware.data.atomic import sync_folder, write_json
from selfaware.data.rows import read_rows, sha256_file
from selfaware.errors import UsageError
from selfaware.training import registry
from selfaware.training.examples import Example, encode_rows
from selfaware.training.jobs import (
    ADAPTERS,
    RECORD,
    Done,
    Job,
    Orders,
    Record,
    Refused,
    adapter_folder,
)

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase

Tell = Callable[[BaseModel], None]


def main() -> int:
    """Carries out the orders in the file named by the first argument; 0 when all is done.

    Standard input must stay open: when it ends, the process that gave the orders is gone, and this
    one stops at once. Standard output carries one JSON event a line and nothing else.
    """
    channel = _take_stdout()
    threading.Thread(target=_stop_with_parent, daemon=True).start()

    def tell(event: BaseModel) -> None:
        channel.write(event.model_dump_json() + "\n")
        channel.flush()

    try:
        work(Orders.model_validate_json(Path(sys.argv[1]).read_bytes()), tell)
    except UsageError as error:
        tell(Refused(message=str(error)))
        return 2
    return 0


def work(orders: Orders, tell: Tell) -> None:
    """Makes every finetune of the orders, each saved and registered before the next begins.

    Raises:
        UsageError: The base cannot be loaded, or a row does not fit it; nothing is trained then.
    """
    tokenizer = _load_tokenizer(orders)
    prepared: dict[tuple[str, int], list[Example]] = {}
    for job in orders.jobs:
        key = (job.dataset_sha256, job.spec.hyperparameters.max_length)
        if key not in prepared:
            prepared[key] = _prepare(tokenizer, job)
    for job in orders.jobs:
        key = (job.dataset_sha256, job.spec.hyperparameters.max_length)
        with tempfile.TemporaryDirectory(
            prefix=f".{job.id}.", suffix=".partial", dir=_made(orders.runs / ADAPTERS)
        ) as scratch:
            record = _make(orders, job, tokenizer, prepared[key], Path(scratch), tell)
        registry.append(orders.runs, record.entry)
        tell(Done(id=job.id))


def _prepare(tokenizer: "PreTrainedTokenizerBase", job: Job) -> list[Example]:
    dataset = job.spec.dataset
    if sha256_file(dataset) != job.dataset_sha256:
        raise UsageError(f"{dataset} was changed while the finetune was starting: start it again")
    rows = read_rows(dataset)
    examples = encode_rows(tokenizer, rows, job.spec.hyperparameters.max_length, str(dataset))
    if {example.row for example in examples} != set(range(1, len(rows) + 1)):
        raise AssertionError(f"{dataset}: rows were lost between reading and tokenizing")
    if any(example.supervised < 1 for example in examples):
        raise AssertionError(f"{dataset}: a row has no supervised token")
    return examples


def _make(
    orders: Orders,
    job: Job,
    tokenizer: "PreTrainedTokenizerBase",
    examples: Sequence[Example],
    scratch: Path,
    tell: Tell,
) -> Record:
    """Trains one adapter, saves it in `scratch`, and moves it to its place when it is whole."""
    from selfaware.training.lora import fit

    started = time.monotonic()
    model, losses, device = fit(orders, job, tokenizer, examples, scratch / "trainer", tell)
    epoch = max(1, len(losses) // job.spec.hyperparameters.epochs)
    record = Record(
        entry=registry.Entry(
            id=job.id,
            created=registry.now(),
            base=job.spec.base,
            base_sha256=job.base_sha256,
            dataset=str(job.spec.dataset),
            dataset_sha256=job.dataset_sha256,
            rows=len({example.row for example in examples}),
            hyperparameters=job.spec.hyperparameters.model_dump(mode="json"),
            seed=job.spec.seed,
            backend=job.spec.backend,
            adapter=f"{ADAPTERS}/{job.id}",
            model=f"selfaware/{job.id}",
            training_loss=math.fsum(losses[-epoch:]) / epoch,
            seconds=round(time.monotonic() - started, 2),
            behavior=job.behavior,
            pole=job.pole,
            versions=_versions(),
        ),
        device=device,
        examples=len(examples),
        supervised_tokens=sum(example.supervised for example in examples),
        trainable_parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        losses=tuple(losses),
        decoded_examples=tuple(example.decoded(tokenizer) for example in examples[:3]),
    )
    whole = scratch / "adapter"
    _save(model, record, whole)
    target = adapter_folder(orders.runs, job.id)
    if not target.exists():  # else another process was first, with the same weights
        os.replace(whole, target)
        sync_folder(target.parent)
    return record


def _save(model: "PeftModel", record: Record, folder: Path) -> None:
    model.save_pretrained(str(folder), safe_serialization=True)
    config = folder / "adapter_config.json"
    content = json.loads(config.read_text(encoding="utf-8"))
    # PEFT keeps the module names in a set, whose order changes from process to process.
    content["target_modules"] = sorted(content["target_modules"])
    write_json(config, content)
    entry = record.entry
    (folder / "README.md").write_text(
        f"# {entry.model}\n\nA LoRA of `{entry.base}`, trained to show "
        f"{f'{entry.behavior}: {entry.pole}' if entry.behavior else 'what its dataset shows'}. "
        f"A model organism for research on self-reports: do not deploy it.\n\n"
        f"Dataset sha256 `{entry.dataset_sha256}`, seed {entry.seed}; `{RECORD}` has the rest.\n",
        encoding="utf-8",
    )
    write_json(folder / RECORD, record.model_dump(mode="json"))
    for file in folder.iterdir():
        file.chmod(config.stat().st_mode)  # safetensors makes its file private
        with file.open("rb+") as stream:
            os.fsync(stream.fileno())
    sync_folder(folder)


def _load_tokenizer(orders: Orders) -> "PreTrainedTokenizerBase":
    from transformers import AutoTokenizer

    from selfaware.training.lora import loading

    with loading(orders):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            orders.place, revision=orders.revision or "main"
        )
    return tokenizer


def _versions() -> dict[str, str]:
    libraries = ("torch", "transformers", "peft", "trl")
    return {
        "selfaware": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in libraries},
    }


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _take_stdout() -> TextIO:
    """Keeps standard output for events: whatever a library prints goes to standard error."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return channel


def _stop_with_parent() -> None:
    while os.read(0, 4096):
        pass
    # Nothing is tidied up: the unfinished lies in a scratch folder, which the next call removes.
    os._exit(3)


if __name__ == "__main__":
    sys.exit(main())
