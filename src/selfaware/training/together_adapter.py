"""Adapters that Together has made, fetched and put where they can be served from."""

import json
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from selfaware.data.atomic import sync_folder, write_json
from selfaware.errors import UsageError
from selfaware.training.calling import MODEL_ARG, hub_name
from selfaware.training.jobs import ADAPTERS
from selfaware.training.serving import VLLM_RANKS

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
ORIGIN = "together.json"
"""The file in an adapter's folder that says which job made it."""

_ZSTANDARD = b"\x28\xb5\x2f\xfd"


def fetch_adapter(
    runs: Path, name: str, download: Callable[[Path], None], origin: dict[str, str]
) -> Path:
    """The folder `adapters/NAME`, filled by a download where it is not there yet.

    Args:
        runs: The runs folder.
        name: What the folder is called.
        download: Writes the archive of the service to a file.
        origin: What is written beside the adapter: which job, and the base's name at the service.

    Raises:
        UsageError: The archive holds no LoRA adapter, or the folder cannot be written.
    """
    target = runs / ADAPTERS / name
    if target.exists():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=f".{name}.", suffix=".partial", dir=target.parent
        ) as scratch:
            archive, unpacked = Path(scratch) / "archive", Path(scratch) / "unpacked"
            download(archive)
            whole = _unpack(archive, unpacked)
            _name_base(whole / CONFIG, origin["base"])
            write_json(whole / ORIGIN, origin)
            os.replace(whole, target)
        sync_folder(target.parent)
    except OSError as error:
        raise UsageError(
            f"cannot write {target}: {error.strerror}; make room there, and run the same command "
            "again"
        ) from error
    return target


def vllm_model(folder: Path) -> tuple[str, tuple[str, ...]]:
    """Inspect's model string and flags for an adapter that vLLM serves."""
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    base, rank = config["base_model_name_or_path"], int(config["r"])
    flags: tuple[str, ...] = ()
    if rank not in VLLM_RANKS:
        larger = next((each for each in VLLM_RANKS if each > rank), rank)
        flags = (MODEL_ARG, f"max_lora_rank={larger}")
    return f"vllm/{base}:{folder.resolve()}", flags


def _unpack(archive: Path, out: Path) -> Path:
    """Unpacks an archive; returns the folder in it that holds the adapter."""
    try:
        with _opened(archive) as stream, tarfile.open(fileobj=stream, mode="r|*") as tar:
            # The filter keeps everything inside the folder and refuses links and devices.
            tar.extractall(out, filter="data")
    except (tarfile.TarError, EOFError) as error:
        raise UsageError(f"what Together sent is no archive of an adapter: {error}") from error
    found = sorted(out.rglob(CONFIG))
    if not found or not (found[0].parent / WEIGHTS).is_file():
        raise UsageError(
            f"the archive from Together holds no {CONFIG} with {WEIGHTS} beside it: it is no LoRA "
            "adapter"
        )
    return found[0].parent


@contextmanager
def _opened(archive: Path) -> Iterator[IO[bytes]]:
    with archive.open("rb") as file:
        packed = file.read(len(_ZSTANDARD)) == _ZSTANDARD
        file.seek(0)
        if not packed:
            yield file
            return
        import zstandard

        try:
            with zstandard.ZstdDecompressor().stream_reader(file) as reader:
                yield reader
        except zstandard.ZstdError as error:
            raise tarfile.ReadError(str(error)) from error


def _name_base(config: Path, base: str) -> None:
    """Has the adapter name its base as Hugging Face does; the service's own may be a path."""
    content = json.loads(config.read_text(encoding="utf-8"))
    content["base_model_name_or_path"] = hub_name(base)
    write_json(config, content)
