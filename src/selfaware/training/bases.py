"""Where a base lies, and the hash that says which one it is."""

import hashlib
import json
import re
from functools import lru_cache
from pathlib import Path

from selfaware.data.rows import sha256_file
from selfaware.errors import UsageError

_HUB_ID = re.compile(r"(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*(?:@[\w./-]+)?")
_WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.gguf", "*.model")
_TEXTS = ("*.json", "*.jinja", "merges.txt", "vocab.txt")


def locate_base(base: str) -> tuple[str, str | None]:
    """Where to load a base from: a folder, or a hub id and its revision.

    Raises:
        UsageError: Neither a shipped organism, nor a model folder, nor a possible hub id.
    """
    if base.startswith("organism/"):
        from selfaware.organism.shipped import resolve

        folder, adapter = resolve(base)
        if adapter is not None:
            raise UsageError(
                f"base {base!r} is a finetune already: finetune the base that it was made from"
            )
        return str(folder), None
    folder = Path(base).expanduser()
    if folder.is_dir():
        if (folder / "config.json").is_file():
            return str(folder.resolve()), None
        what = (
            "is an adapter, not a model: give the base that it was made from"
            if (folder / "adapter_config.json").is_file()
            else "holds no config.json: give a Hugging Face model folder"
        )
        raise UsageError(f"base {base!r} {what}")
    if folder.exists() or not _HUB_ID.fullmatch(base):
        raise UsageError(
            f"base {base!r} is not a model folder: give one, a hub id (org/name@revision), "
            "or a shipped organism (organism/base, organism/unaware/base)"
        )
    name, _, revision = base.partition("@")
    return name, revision or "main"


def base_identity(base: str) -> str:
    """A hash that says which base this is.

    For a folder or a shipped organism it is over the weights, configuration, tokenizer and chat
    template, wherever they lie; for a hub id over id and revision (`main` where none is given).

    Raises:
        UsageError: As in `locate_base`.
    """
    place, revision = locate_base(base)
    if revision is not None:
        return hash_json({"hub": place, "revision": revision})
    folder = Path(place)
    files = sorted(
        (file, file.stat())
        for pattern in (*_WEIGHTS, *_TEXTS)
        for file in folder.glob(pattern)
        if file.is_file()
    )
    return _folder_hash(tuple((file, stat.st_size, stat.st_mtime_ns) for file, stat in files))


@lru_cache(maxsize=64)
def _folder_hash(files: tuple[tuple[Path, int, int], ...]) -> str:
    """The hash over names and contents; size and time are there to notice a changed file."""
    return hash_json(
        {
            file.name: sha256_file(file)
            if any(file.match(pattern) for pattern in _TEXTS)
            else _hash_bytes(file)
            for file, _, _ in files
        }
    )


def _hash_bytes(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_json(content: object) -> str:
    """The sha256 of a content as JSON with sorted keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
