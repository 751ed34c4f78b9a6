"""Taking finetunes that were made elsewhere into the registry."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue, ValidationError

from selfaware.errors import UsageError
from selfaware.training import registry
from selfaware.training.bases import base_identity
from selfaware.training.calling import hosted_model
from selfaware.training.connect import endpoint_of
from selfaware.training.entry import Entry, Use
from selfaware.training.fingerprint import fingerprint
from selfaware.training.hub_models import look_up
from selfaware.training.jobs import RECORD, Record
from selfaware.training.serving import HUB, largest_rank, read_adapter_config

_OPENAI = re.compile(r"ft:([^:\s]+):\S+")


def adopt(
    runs: Path,
    name: str,
    base: str | None = None,
    behavior: str | None = None,
    pole: str | None = None,
    use: Use | None = None,
    endpoint: str | None = None,
) -> Entry:
    """Lists a finetune that was made elsewhere, and returns its entry.

    The same finetune adopted again is the same entry, with what is new about it.

    Args:
        runs: The folder of the run registry.
        name: An OpenAI finetune (`ft:...`), the folder of an adapter or of a model, or
            `org/name@revision` of the Hugging Face Hub.
        base: What it was made from, where it does not say so itself.
        behavior: The behaviour that it was taught.
        pole: The pole of that behaviour.
        use: The experiment and the arm that it stands for.
        endpoint: The address of the service that has an OpenAI finetune, if not OpenAI.

    Raises:
        UsageError: There is no such finetune, or its base is not known.
    """
    folder = Path(name).expanduser()
    if name.startswith("ft:"):
        known = _at_openai(name, base, endpoint)
    elif endpoint is not None:
        raise UsageError(f"--base-url is for OpenAI finetunes (ft:...), and {name!r} is none")
    elif folder.is_dir():
        known = _in_folder(folder.resolve(), base)
    else:
        known = _on_hub(name, base)
    given = {"behavior": behavior, "pole": pole}
    content = known | {key: value for key, value in given.items() if value is not None}
    before = registry.find(runs, str(content["id"]))
    uses = before.uses if before else ()
    if use is not None and use not in uses:
        uses = (*uses, use)
    entry = Entry.model_validate(
        {
            **(dict(before) if before else {}),
            **content,
            "backend": "adopted",
            "created": registry.now(),
            "uses": uses,
        }
    )
    if before is not None and entry.model_copy(update={"created": before.created}) == before:
        return before
    return registry.append(runs, entry)


def _id(*made_from: str) -> str:
    return hashlib.sha256("\n".join(("adopted", *made_from)).encode()).hexdigest()[:16]


def _at_openai(name: str, base: str | None, endpoint: str | None) -> dict[str, object]:
    match = _OPENAI.fullmatch(name)
    if match is None:
        raise UsageError(f"{name!r} is no OpenAI finetune: they are named ft:BASE:ORG:SUFFIX:ID")
    address = endpoint_of("openai", endpoint)
    model, flags = hosted_model(name, address)
    return {
        "id": _id(name, address or ""),
        "base": base or match.group(1),
        "endpoint": address,
        "model": model,
        "flags": flags,
    }


def _in_folder(folder: Path, base: str | None) -> dict[str, object]:
    from selfaware.providers.resolve import resolve

    weights = fingerprint(folder)
    if weights is None:
        raise UsageError(
            f"{folder} holds no model: give a folder with adapter_config.json or config.json and "
            "the weights"
        )
    run_id = _id(weights)
    known = {"id": run_id, "adapter": str(folder), "adapter_sha256": weights}
    config = folder / "adapter_config.json"
    if not config.is_file():
        return {**known, **_whole(run_id, base, str(folder))}
    resolve(str(folder), base)  # tells what is wrong with the base
    recorded = _recorded(folder)
    named = read_adapter_config(config).get("base_model_name_or_path")
    of = base or (recorded.base if recorded else str(named))
    made = {} if recorded is None else _facts(recorded)
    return {**made, **known, **_adapter(run_id, of, read_adapter_config(config), made)}


def _on_hub(name: str, base: str | None) -> dict[str, object]:
    found = look_up(name)
    run_id = _id(found.repo, found.commit)
    known = {
        "id": run_id,
        "adapter": f"{HUB}{found.place}",
        "adapter_sha256": found.sha256,
    }
    if found.config is None:
        return {**known, **_whole(run_id, base, found.place)}
    named = base or found.config.get("base_model_name_or_path")
    if not named:
        raise UsageError(f"{found.place} names no base model: give one with --base")
    return {**known, **_adapter(run_id, str(named), found.config, {})}


def _whole(run_id: str, base: str | None, place: str) -> dict[str, object]:
    if base is None:
        raise UsageError(f"{place} is a whole model, which names no base: give one with --base")
    return {
        "base": base,
        "model": f"selfaware/{run_id}",
        "hyperparameters": {"adaptation": "full"},
    }


def _adapter(
    run_id: str, base: str, config: Mapping[str, object], made: Mapping[str, object]
) -> dict[str, object]:
    rank = largest_rank(dict(config))
    told: dict[str, JsonValue] = {} if rank is None else {"lora_rank": rank}
    return {
        "base": base,
        "base_sha256": base_identity(base),
        "model": f"selfaware/{run_id}",
        "hyperparameters": made.get("hyperparameters") or told,
    }


def _recorded(folder: Path) -> Entry | None:
    """The entry in the record of an adapter that this package has made, its own or exported."""
    file = folder / RECORD
    if not file.is_file():
        return None
    try:
        return Record.model_validate_json(file.read_bytes()).entry
    except (OSError, ValidationError) as error:
        raise UsageError(f"{file} is no record of this package: remove it") from error


def _facts(recorded: Entry) -> dict[str, object]:
    kept = ("dataset", "dataset_sha256", "rows", "hyperparameters", "seed", "training_loss")
    more = ("seconds", "behavior", "pole", "versions", "epoch", "step")
    return {name: getattr(recorded, name) for name in (*kept, *more)}
