"""Which weights a model name stands for."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from selfaware.errors import UsageError
from selfaware.organism import shipped
from selfaware.training.bases import base_identity, locate_base
from selfaware.training.entry import Entry
from selfaware.training.hub_models import fetch_adapter
from selfaware.training.jobs import RECORD
from selfaware.training.registry import REGISTRY, find, runs_folder
from selfaware.training.serving import HUB, base_of

_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+(@[\w./-]+)?")


@dataclass(frozen=True)
class Source:
    """Where a model's weights are: a base (folder or hub id) and perhaps a PEFT adapter folder.

    `revision` is None for a folder.
    """

    base: str
    revision: str | None
    adapter: Path | None = None


def resolve(name: str, base: str | None = None) -> Source:
    """The weights behind `selfaware/NAME`.

    NAME is, in this order: a shipped organism (`organism/...`), an id of the run registry, a
    folder (a whole model, or a PEFT adapter that names its base), or a Hugging Face hub id
    (`org/model`, `org/model@revision`; whether it exists is only known on loading). `base` takes
    the place of the base that an adapter names. Where it is recorded which base an adapter was
    trained on, the base must be that very one.

    Raises:
        UsageError: The name is none of these, or its folder or its base isn't there or isn't fit.
    """
    if name.startswith(shipped.PREFIX):
        place, adapter = shipped.resolve(name)
        return _of_adapter(adapter, base or str(place)) if adapter else Source(str(place), None)
    runs = runs_folder()
    entry = None if "/" in name else find(runs, name)
    if entry is not None:
        return _of_entry(runs, entry, base)
    folder = Path(name).expanduser().resolve()
    if (folder / "adapter_config.json").is_file():
        return _of_adapter(folder, base or _named_base(folder))
    if folder.is_dir() or _HUB_ID.fullmatch(name):
        return Source(*locate_base(name))
    raise unknown(name)


def unknown(name: str, why: str = "not the form org/model") -> UsageError:
    """The error for a name that stands for no model; it names what would be allowed."""
    organisms = ", ".join(shipped.shipped_names()) or "none"
    return UsageError(
        f"unknown model {name!r}: it is no id in {runs_folder() / REGISTRY}, no folder, "
        f"no shipped organism ({organisms}) and no Hugging Face model ({why})"
    )


def _of_entry(runs: Path, entry: Entry, base: str | None) -> Source:
    place = entry.adapter or ""
    if place.startswith(HUB):
        at = place.removeprefix(HUB)
        if entry.hyperparameters.get("adaptation") == "full":
            return Source(*locate_base(at))
        return _of_adapter(fetch_adapter(at), base or entry.base)
    if not place or "://" in place:
        raise UsageError(
            f"finetune {entry.id!r} lives at {entry.backend}: ask it as {entry.inspect_model}"
        )
    folder = (runs / place).resolve()
    whole = (folder / "config.json").is_file() and not (folder / "adapter_config.json").is_file()
    if whole:
        return Source(str(folder), None)
    config = folder / "adapter_config.json"
    known = _read_json(config) if config.is_file() else {}
    return _of_adapter(folder, base or base_of(entry, known))


def _of_adapter(adapter: Path, base: str) -> Source:
    if not (adapter / "adapter_config.json").is_file():
        raise UsageError(
            f"adapter folder {str(adapter)!r} holds no adapter_config.json: "
            "restore the folder or train the adapter again"
        )
    made_on = _recorded(adapter)
    if made_on is not None and base_identity(base) != made_on[1]:
        raise UsageError(
            f"adapter {str(adapter)!r} was made for another base than {base!r}: "
            f"for {made_on[0]!r} with sha256 {made_on[1][:12]}, not {base_identity(base)[:12]}; "
            "give that base, or train the adapter again on this one"
        )
    return Source(*locate_base(base), adapter)


def _recorded(adapter: Path) -> tuple[str, str] | None:
    """The name and the hash of the base that an adapter of ours was trained on."""
    record = adapter / RECORD
    if not record.is_file():
        return None
    entry = _read_json(record).get("entry")
    if not isinstance(entry, dict) or not entry.keys() >= {"base", "base_sha256"}:
        raise UsageError(f"{record}: no entry with base and base_sha256; train the adapter again")
    return str(entry["base"]), str(entry["base_sha256"])


def _named_base(adapter: Path) -> str:
    made_on = _recorded(adapter)
    base = (
        made_on[0]
        if made_on
        else _read_json(adapter / "adapter_config.json").get("base_model_name_or_path")
    )
    if not base:
        raise UsageError(
            f"{adapter / 'adapter_config.json'} names no base model: give one with "
            "-M base=FOLDER_OR_HUB_ID"
        )
    beside = adapter / str(base)
    return str(beside) if (beside / "config.json").is_file() else str(base)


def _read_json(file: Path) -> dict[str, object]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{file} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise UsageError(f"{file} holds no JSON object")
    return content
