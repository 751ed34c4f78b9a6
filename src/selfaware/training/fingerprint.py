"""What tells whether the weights of a finetune are the ones that were made."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from selfaware.errors import UsageError

PATTERNS = (
    "adapter_config.json",
    "adapter_model*.safetensors",
    "adapter_model*.bin",
    "config.json",
    "model*.safetensors",
    "pytorch_model*.bin",
)
"""The files that make a finetune what it is: an adapter, or a whole model."""


def fingerprint(folder: Path) -> str | None:
    """A sha256 over names and contents of the weights in a folder; None where it holds none.

    Raises:
        UsageError: A file cannot be read.
    """
    found = {file.name: file for pattern in PATTERNS for file in folder.glob(pattern)}
    try:
        return combine({name: _sha256(file) for name, file in found.items()}) if found else None
    except OSError as error:
        raise UsageError(f"cannot read {error.filename}: {error.strerror}") from error


def combine(files: Mapping[str, str]) -> str:
    """One sha256 for several files, from the sha256 of each by its name."""
    text = json.dumps(dict(files), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
