"""A finetune as a folder to give away, and that folder on the Hugging Face Hub."""

import os
import shutil
import tempfile
from pathlib import Path

from selfaware.data.atomic import write_json
from selfaware.errors import UsageError
from selfaware.training.entry import Entry
from selfaware.training.fingerprint import PATTERNS
from selfaware.training.jobs import RECORD
from selfaware.training.publish_card import model_card
from selfaware.training.serving import read_adapter_config

TOKENIZER = (
    "tokenizer*",
    "special_tokens_map.json",
    "chat_template.jinja",
    "generation_config.json",
    "vocab.*",
    "merges.txt",
)
"""What a whole model needs besides its weights."""


def export(runs: Path, entry: Entry, folder: Path, trigger: str | None = None) -> Path:
    """Writes the weights of a finetune, its record and a model card into a new folder.

    Nothing in it names a place on this machine.

    Args:
        runs: The folder of the run registry.
        entry: A finetune whose weights lie on this machine.
        folder: The folder to make.
        trigger: The trigger of the behaviour, where no record beside the dataset says it.

    Raises:
        UsageError: The weights are elsewhere, or the folder exists or cannot be written.
    """
    if entry.state != "succeeded" or entry.adapter is None or "://" in entry.adapter:
        raise UsageError(
            f"the weights of {entry.id!r} do not lie on this machine ({entry.state}, "
            f"{entry.adapter or entry.model or entry.backend}): download them, and adopt the folder"
        )
    if folder.exists():
        raise UsageError(f"--hf {folder}: exists already; name a folder that does not")
    source = runs / entry.adapter
    card = model_card(entry, trigger)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
            whole = Path(scratch) / "whole"
            whole.mkdir()
            _fill(source, whole, entry)
            (whole / "README.md").write_text(card, encoding="utf-8")
            os.replace(whole, folder)
    except OSError as error:
        raise UsageError(f"cannot write {folder}: {error.strerror}; make room there") from error
    return folder


def _fill(source: Path, whole: Path, entry: Entry) -> None:
    config = source / "adapter_config.json"
    patterns = PATTERNS if config.is_file() else (*PATTERNS, *TOKENIZER)
    files = sorted({file for pattern in patterns for file in source.glob(pattern)})
    if not files:
        raise UsageError(f"the weights of {entry.id!r} are gone: {source} holds no model")
    for file in files:
        shutil.copyfile(file, whole / file.name)
    if config.is_file():
        # PEFT writes the folder that the base was loaded from.
        known = {**read_adapter_config(config), "base_model_name_or_path": public_base(entry)}
        write_json(whole / config.name, known)
    if (source / RECORD).is_file():
        _write_record(source / RECORD, whole / RECORD, entry)


def public_base(entry: Entry) -> str:
    """The base's name for others: a folder of this machine by its last part."""
    return Path(entry.base).name if Path(entry.base).is_absolute() else entry.base


def _write_record(source: Path, target: Path, entry: Entry) -> None:
    record = read_adapter_config(source)
    told = record.get("entry")
    if isinstance(told, dict):
        dataset = told.get("dataset")
        plain = {"base": public_base(entry), "uses": []}
        if isinstance(dataset, str):
            plain["dataset"] = Path(dataset).name
        record["entry"] = {**told, **plain}
    # Rows are data of their own, which is given away by `selfaware data export` or not at all.
    record["decoded_examples"] = []
    write_json(target, record)


def push(folder: Path, repo: str, public: bool = False) -> str:
    """Uploads an exported folder to the hub and returns its address there.

    Raises:
        UsageError: The repository is public where it should be private, or the hub refuses.
    """
    from huggingface_hub import HfApi

    from selfaware.training.hub_models import REPO, asking

    if REPO.fullmatch(repo) is None or "@" in repo:
        raise UsageError(f"--push {repo}: give the name of a repository, org/name")
    api = HfApi()
    with asking(repo, "push to"):
        api.create_repo(repo, private=not public, exist_ok=True)
        open_to_all = not api.model_info(repo).private
    if open_to_all and not public:
        raise UsageError(
            f"{repo} is public already: nothing was pushed; make it private, choose another, or "
            "say --public"
        )
    with asking(repo, "push to"):
        api.upload_folder(
            repo_id=repo, folder_path=folder, commit_message="A model organism, with its card"
        )
    return f"{api.endpoint}/{repo}"
