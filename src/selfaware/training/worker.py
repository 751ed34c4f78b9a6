"""The training process: `python -m selfaware.training.worker`, an order a line to its input."""

import json
import math
import os
import platform
import queue
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

from pydantic import BaseModel

from selfaware import __version__
from selfaware.data.atomic import sync_folder, write_json
from selfaware.data.rows import read_rows, sha256_file
from selfaware.errors import UsageError
from selfaware.training import registry
from selfaware.training.entry import Entry
from selfaware.training.examples import Example, encode_rows
from selfaware.training.jobs import (
    ADAPTERS,
    RECORD,
    Done,
    Job,
    Order,
    Record,
    Refused,
    adapter_folder,
)
from selfaware.training.spec import settings

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase

Tell = Callable[[BaseModel], None]
Prepared = tuple["PreTrainedTokenizerBase", "list[Example]"]


def main() -> NoReturn:
    """Carries out the orders that come in by standard input, one JSON object a line.

    When standard input ends, the process that gave the orders is gone or has no more: this one
    stops at once. Standard output carries one JSON event a line and nothing else.
    """
    channel = _take_stdout()
    orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()

    def tell(event: BaseModel) -> None:
        channel.write(event.model_dump_json() + "\n")
        channel.flush()

    prepared: dict[tuple[str, ...], Prepared] = {}
    while True:
        order = orders.get()
        try:
            work(order, prepared, tell)
        except UsageError as error:
            tell(Refused(id=order.job.id, message=str(error)))


def work(order: Order, prepared: dict[tuple[str, ...], Prepared], tell: Tell) -> None:
    """Makes a finetune and moves it to its place when it is whole.

    `prepared` keeps the tokenized rows for the next order.

    Raises:
        UsageError: The base cannot be loaded, or a row does not fit it; nothing is trained then.
    """
    job = order.job
    limit = str(job.spec.hyperparameters.max_length)
    key = (order.place, order.revision or "", job.dataset_sha256, limit)
    if key not in prepared:
        tokenizer = _load_tokenizer(order)
        prepared[key] = (tokenizer, _prepare(tokenizer, job))
    with tempfile.TemporaryDirectory(
        prefix=f".{job.id}.", suffix=".partial", dir=_made(order.runs / ADAPTERS)
    ) as scratch:
        _make(order, *prepared[key], Path(scratch), tell)
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
    order: Order,
    tokenizer: "PreTrainedTokenizerBase",
    examples: Sequence[Example],
    scratch: Path,
    tell: Tell,
) -> None:
    """Trains one adapter, saves it in `scratch`, and moves it to its place when it is whole."""
    from selfaware.training.lora import fit

    job = order.job
    started = time.monotonic()
    model, losses, device = fit(order, tokenizer, examples, scratch / "trainer", tell)
    epoch = max(1, len(losses) // job.spec.hyperparameters.epochs)
    record = Record(
        entry=Entry(
            id=job.id,
            created=registry.now(),
            base=job.spec.base,
            base_sha256=job.base_sha256,
            dataset=str(job.spec.dataset),
            dataset_sha256=job.dataset_sha256,
            rows=len({example.row for example in examples}),
            hyperparameters=settings(job.spec.hyperparameters, "local"),
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
    target = adapter_folder(order.runs, job.id)
    if not target.exists():  # else another process was first, with the same weights
        os.replace(whole, target)
        sync_folder(target.parent)


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


def _load_tokenizer(order: Order) -> "PreTrainedTokenizerBase":
    from transformers import AutoTokenizer

    from selfaware.training.lora import loading

    with loading(order):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            order.place, revision=order.revision or "main"
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


def _listen(orders: "queue.SimpleQueue[Order]") -> None:
    for line in sys.stdin:
        orders.put(Order.model_validate_json(line))
    # Nothing is tidied up: the unfinished lies in a scratch folder, which the next call removes.
    os._exit(0)


if __name__ == "__main__":
    main()
