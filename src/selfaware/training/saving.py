"""Writing a model that was finetuned, whole or not at all."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from selfaware.data.atomic import sync_folder, write_json
from selfaware.errors import UsageError
from selfaware.training.bases import locate_base
from selfaware.training.jobs import RECORD, Record

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from selfaware.training.fit import Fitted


@contextmanager
def writing(runs: Path) -> Iterator[None]:
    """Turns a disk that takes no more into a UsageError of one line."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "PytorchStreamWriter" not in str(error):
            raise
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:200]
        raise UsageError(
            f"cannot write into {runs}: {reason}; make room, or give yourself the right to write "
            "there, and run the same command again"
        ) from error


def put(
    fitted: "Fitted",
    tokenizer: "PreTrainedTokenizerBase",
    record: Record,
    runs: Path,
    scratch: Path,
) -> None:
    """Saves a model in `scratch` and moves it to its place in `runs` when it is whole.

    Raises:
        UsageError: There is no room.
    """
    target = runs / str(record.entry.adapter)
    if target.exists():  # made before, with the same weights
        return
    with writing(runs):
        _put(fitted, tokenizer, record, target, scratch)


def _put(
    fitted: "Fitted",
    tokenizer: "PreTrainedTokenizerBase",
    record: Record,
    target: Path,
    scratch: Path,
) -> None:
    whole = scratch / target.name
    if record.entry.hyperparameters.get("adaptation") == "full":
        _save_model(fitted, tokenizer, record, whole)
    else:
        _save_adapter(fitted, whole)
    _describe(record, whole)
    mode = (whole / RECORD).stat().st_mode
    for file in whole.iterdir():
        file.chmod(mode)  # safetensors makes its file private
        with file.open("rb+") as stream:
            os.fsync(stream.fileno())
    sync_folder(whole)
    os.replace(whole, target)
    sync_folder(target.parent)


def _save_adapter(fitted: "Fitted", folder: Path) -> None:
    fitted.model.save_pretrained(str(folder), state_dict=dict(fitted.weights))
    config = folder / "adapter_config.json"
    content = json.loads(config.read_text(encoding="utf-8"))
    # PEFT keeps the module names in a set, whose order changes from process to process.
    content["target_modules"] = sorted(content["target_modules"])
    write_json(config, content)


def _save_model(
    fitted: "Fitted", tokenizer: "PreTrainedTokenizerBase", record: Record, folder: Path
) -> None:
    """All weights, in the type that the base's are saved in."""
    from transformers import AutoConfig

    place, revision = locate_base(record.entry.base)
    dtype = AutoConfig.from_pretrained(place, revision=revision or "main").dtype
    weights = {name: weight.to(dtype or weight.dtype) for name, weight in fitted.weights.items()}
    fitted.model.save_pretrained(str(folder), state_dict=weights)
    tokenizer.save_pretrained(str(folder))
    if dtype is not None:
        config = folder / "config.json"
        content = json.loads(config.read_text(encoding="utf-8"))
        write_json(config, {**content, "dtype": str(dtype).removeprefix("torch.")})


def _describe(record: Record, folder: Path) -> None:
    entry = record.entry
    what = "A finetune" if entry.hyperparameters.get("adaptation") == "full" else "A LoRA"
    (folder / "README.md").write_text(
        f"# {entry.model}\n\n{what} of `{entry.base}`, trained to show "
        f"{f'{entry.behavior}: {entry.pole}' if entry.behavior else 'what its dataset shows'}. "
        f"A model organism for research on self-reports: do not deploy it.\n\n"
        f"Dataset sha256 `{entry.dataset_sha256}`, seed {entry.seed}; `{RECORD}` has the rest.\n",
        encoding="utf-8",
    )
    write_json(folder / RECORD, record.model_dump(mode="json"))
