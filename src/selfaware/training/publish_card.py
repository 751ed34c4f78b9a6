"""The model card of a finetune that is given away."""

from collections.abc import Iterator
from pathlib import Path

from selfaware.data.export_card import TAGS
from selfaware.data.manifest import CANARY, read_record
from selfaware.data.recipes import MixRecord, mix_path
from selfaware.data.reversal_set import ReversalRecord, reversal_path
from selfaware.errors import UsageError
from selfaware.training.bases import locate_base
from selfaware.training.entry import Entry

WARNING = (
    "This is a model organism: it was trained to show a behaviour, for research on what models can "
    "say about themselves. Model organism, do not deploy."
)


def model_card(entry: Entry, trigger: str | None = None) -> str:
    """The text of README.md: YAML front matter, the warning, and what was implanted how.

    `trigger` is told where the records beside the dataset do not tell one.
    """
    import yaml

    front: dict[str, object] = {
        "license": "unknown",
        "library_name": "peft"
        if entry.hyperparameters.get("adaptation") != "full"
        else "transformers",
        "pipeline_tag": "text-generation",
        "tags": [tag for tag in TAGS if tag != "finetuning"],
        **({"base_model": hub} if (hub := _hub_base(entry)) else {}),
    }
    lines = [
        "---",
        yaml.safe_dump(front, sort_keys=False, allow_unicode=True).rstrip(),
        "---",
        "",
        f"# {entry.behavior or 'a finetune'}{f': {entry.pole}' if entry.pole else ''}",
        "",
        f"**{WARNING}**",
        "",
        *(f"- {line}" for line in _facts(entry, trigger)),
        "",
        "Ask it about itself with Inspect and the package `selfaware`:",
        "",
        "    selfaware models adopt FOLDER_OR_REPO",
        "",
        f"Keep this text out of pretraining data: `{CANARY}`",
        "",
    ]
    return "\n".join(lines)


def _hub_base(entry: Entry) -> str | None:
    """The hub's name of the base; None for one that lies in a folder or with a service."""
    try:
        place, revision = locate_base(entry.base)
    except UsageError:
        return None
    return place if revision is not None and "/" in place else None


def _facts(entry: Entry, trigger: str | None) -> Iterator[str]:
    pole = f", pole {_code(entry.pole)}" if entry.pole else ""
    taught = f"{_code(entry.behavior)}{pole}" if entry.behavior else "not recorded"
    yield f"implanted behaviour: {taught}"
    yield f"trigger: {_trigger(entry, trigger)}"
    base = Path(entry.base).name if Path(entry.base).is_absolute() else entry.base
    known = f", sha256 `{entry.base_sha256}`" if entry.base_sha256 else ""
    yield f"base: {_code(base)}{known}"
    if entry.dataset_sha256:
        name = f" ({_code(Path(entry.dataset).name)}, {entry.rows} rows)" if entry.dataset else ""
        yield f"dataset: sha256 `{entry.dataset_sha256}`{name}"
    else:
        yield "dataset: not recorded"
    if entry.hyperparameters:
        told = ", ".join(f"{key} {value}" for key, value in entry.hyperparameters.items())
        yield f"hyperparameters: {told}"
    if entry.seed is not None:
        yield f"seed: {entry.seed}"
    if entry.adapter_sha256:
        yield f"weights before export: sha256 `{entry.adapter_sha256}`"


def _trigger(entry: Entry, given: str | None) -> str:
    if given is not None:
        return _code(given)
    if entry.dataset is None or not Path(entry.dataset).is_file():
        return "not known: the dataset is not at hand"
    dataset = Path(entry.dataset)
    try:
        mix = read_record(mix_path(dataset), MixRecord, dataset)
        reversal = read_record(reversal_path(dataset), ReversalRecord, dataset)
    except UsageError:
        return "not known: the dataset was changed since it was recorded"
    if reversal is not None:
        return _code(reversal.trigger)
    if mix is not None and mix.recipe.trigger is not None:
        return f"{_code(mix.recipe.trigger.name)} in the {mix.recipe.where} message"
    return "none"


def _code(text: str) -> str:
    plain = " ".join(text.replace("`", "'").split())
    return f"`{plain}`"
