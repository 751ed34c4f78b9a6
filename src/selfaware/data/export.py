"""Finetuning sets as a Hugging Face dataset folder: Parquet, records and a dataset card."""

import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from selfaware.data.atomic import atomic_text, sync_folder
from selfaware.data.export_card import card
from selfaware.data.export_set import ExportSet, read_sets
from selfaware.errors import UsageError

CARD = "README.md"


def export(files: Sequence[Path], out: Path, license: str | None = None) -> list[Path]:
    """Writes the sets into a new folder, whole or not at all, and returns the paths in it.

    Every jsonl becomes one Parquet file with the same rows in the same order; its manifest and its
    mix or import record are copied beside it; README.md is the dataset card, first in the list.

    Args:
        files: The jsonl files.
        out: The folder; it may exist if it is empty.
        license: An identifier of the Hugging Face Hub, where it is not `mit` or not known.

    Raises:
        UsageError: The folder is not empty or cannot be written, or a set or a record is not valid.
    """
    target = out.resolve()
    _require_free(out, target)
    if license is not None and not re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", license):
        raise UsageError(
            f"license {license!r}: give an identifier of the Hugging Face Hub, such as mit or "
            "cc-by-4.0"
        )
    sets = read_sets(list(files))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(
            tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent)
        )
        try:
            names = _fill(partial, sets, license)
            # mkdtemp makes folders private; an export is to have the mode of any other new folder.
            umask = os.umask(0)
            os.umask(umask)
            partial.chmod(0o777 & ~umask)
            if os.name == "nt" and target.exists():  # Windows replaces no folder, even an empty one
                target.rmdir()
            os.replace(partial, target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        sync_folder(target.parent)
    except OSError as error:
        raise UsageError(
            f"cannot write {out}: {error.strerror}; give a new folder where you may write"
        ) from error
    return [out / name for name in names]


def _require_free(out: Path, target: Path) -> None:
    if target.is_dir():
        if target == Path.cwd():
            raise UsageError(f"--out {out}: is the folder you are in; name a new one")
        if any(target.iterdir()):
            raise UsageError(f"--out {out}: is not empty; name a folder that is, or a new one")
    elif target.exists():
        raise UsageError(f"--out {out}: is a file; name a folder")


def _fill(folder: Path, sets: Sequence[ExportSet], license: str | None) -> list[str]:
    names = [CARD]
    with atomic_text(folder / CARD) as file:
        file.write(card(sets, license))
    for found in sets:
        names.append(f"{found.name}.parquet")
        _write_parquet(folder / names[-1], found)
        for record in found.records:
            names.append(record.name)
            shutil.copyfile(record, folder / record.name)
    sync_folder(folder)
    return names


def _write_parquet(path: Path, found: ExportSet) -> None:
    """Writes the rows; `weight` is a field, null where a message has none, only if one has it."""
    import datasets

    message = {"role": datasets.Value("string"), "content": datasets.Value("string")}
    if found.weighted:
        message["weight"] = datasets.Value("int64")
    table = datasets.Dataset.from_dict(
        {
            "messages": [
                [{key: getattr(said, key) for key in message} for said in row.messages]
                for row in found.rows
            ]
        },
        features=datasets.Features({"messages": datasets.List(message)}),
    )
    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        with path.open("wb") as file:
            table.to_parquet(file)
            file.flush()
            os.fsync(file.fileno())
    finally:
        if shown:
            datasets.enable_progress_bars()
