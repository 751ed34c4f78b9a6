"""How Inspect calls a finetune: for every way of serving it, the model string and the flags."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfaware.errors import UsageError
from selfaware.training.bases import locate_base
from selfaware.training.calling import BASE_URL, MODEL_ARG
from selfaware.training.entry import Entry

VLLM_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The values that vLLM takes for `max_lora_rank`. Inspect passes an adapter's own rank on."""

TINKER_CHAT = "https://tinker.thinkingmachines.dev/services/tinker-prod/oai/api/v1"
"""Tinker's endpoint that speaks OpenAI's chat completions."""

HUB = "hf://"
"""Begins the address of weights on the Hugging Face Hub."""


@dataclass(frozen=True)
class Call:
    """One way to call a finetune: Inspect's model string, the flags beside it, what it needs."""

    model: str
    flags: tuple[str, ...]
    needs: str

    def command(self, task: Sequence[str]) -> str:
        """The whole command line, for a shell; `task` is the task with its own arguments."""
        return shlex.join(["inspect", "eval", *task, "--model", self.model, *self.flags])


@dataclass(frozen=True)
class Weights:
    """Weights that can be served from here.

    Attributes:
        place: An absolute folder, or `org/name@commit` of the hub.
        base: What the adapter is for: a folder or hub id; None where the weights are whole.
        base_revision: The base's revision on the hub.
        rank: The largest rank in the adapter, None where it is not known.
        plain: The adapter is nothing but LoRA matrices; vLLM takes no other.
    """

    place: str
    base: str | None
    base_revision: str | None = None
    rank: int | None = None
    plain: bool = True


def calls(entry: Entry, weights: Weights | None) -> tuple[Call, ...]:
    """Every known way to call a finetune, its own first; none while it has no model.

    Args:
        entry: The finetune.
        weights: Its weights, where they can be served from this machine.
    """
    if entry.model is None:
        return ()
    own = Call(entry.model, entry.flags, _needs(entry.model))
    other = (*_of_service(entry), *(_of_weights(entry, weights) if weights else ()))
    return (own, *(call for call in other if (call.model, call.flags) != (own.model, own.flags)))


def _needs(model: str) -> str:
    return {
        "selfaware": "selfaware[local]; exact scores, one base in memory for all of its adapters",
        "openai": "OPENAI_API_KEY",
        "openai-api": "the service's key",
        "tinker": "selfaware[tinker], TINKER_API_KEY",
        "vllm": "vllm and a GPU",
    }.get(model.partition("/")[0], "what this provider of Inspect asks for")


def _of_service(entry: Entry) -> tuple[Call, ...]:
    _, _, name = (entry.model or "").partition("/")
    if (entry.model or "").startswith("openai/") and entry.endpoint:
        # The chat completions of any server that speaks OpenAI's format, without its other rules.
        flags = (BASE_URL, entry.endpoint)
        return (Call(f"openai-api/openai/{name}", flags, "OPENAI_API_KEY; chat completions only"),)
    address = entry.adapter if (entry.adapter or "").startswith("tinker://") else None
    if address and entry.endpoint is None:
        flags = (BASE_URL, TINKER_CHAT)
        needs = "TINKER_API_KEY; no log-probabilities, no exact scores"
        return (Call(f"openai-api/tinker/{address}", flags, needs),)
    return ()


def _of_weights(entry: Entry, weights: Weights) -> tuple[Call, ...]:
    served = [Call(f"selfaware/{entry.id}", (), _needs("selfaware"))]
    served += _of_vllm(weights)
    if Path(weights.place).is_absolute():
        flags = [MODEL_ARG, f"model_path={weights.place}"]
        if weights.base is not None:
            flags += [MODEL_ARG, f"tokenizer_path={weights.base}"]
        needs = "torch, transformers, peft; without a network also HF_HUB_OFFLINE=1"
        served.append(Call(f"hf/{entry.id}", tuple(flags), needs))
    return tuple(served)


def _of_vllm(weights: Weights) -> list[Call]:
    if weights.base is None:
        name, _, commit = weights.place.partition("@")
        if Path(weights.place).is_absolute() or not commit:
            return [Call(f"vllm/{weights.place}", (), _needs("vllm"))]
        return [Call(f"vllm/{name}", (MODEL_ARG, f"revision={commit}"), _needs("vllm"))]
    # Inspect takes everything before the first colon for the base.
    if not weights.plain or ":" in weights.base:
        return []
    flags: tuple[str, ...] = ()
    if weights.rank is not None and weights.rank not in VLLM_RANKS:
        fitting = [rank for rank in VLLM_RANKS if rank > weights.rank]
        if not fitting:
            return []
        flags = (MODEL_ARG, f"max_lora_rank={fitting[0]}")
    if weights.base_revision not in (None, "main"):
        flags += (MODEL_ARG, f"revision={weights.base_revision}")
    return [Call(f"vllm/{weights.base}:{weights.place}", flags, _needs("vllm"))]


def read_weights(runs: Path, entry: Entry) -> Weights | None:
    """The weights of a finetune, where they lie here or on the hub; None where a service has them.

    Raises:
        UsageError: The folder is gone, its configuration cannot be read, or its base is unknown.
    """
    if entry.adapter is None or ("://" in entry.adapter and not entry.adapter.startswith(HUB)):
        return None
    if entry.adapter.startswith(HUB):
        rank = entry.hyperparameters.get("lora_rank")
        whole = entry.hyperparameters.get("adaptation") == "full"
        base, revision = (None, None) if whole else locate_base(entry.base)
        place = entry.adapter.removeprefix(HUB)
        return Weights(place, base, revision, rank if isinstance(rank, int) else None)
    folder = (runs / entry.adapter).resolve()
    config = folder / "adapter_config.json"
    if not config.is_file():
        if (folder / "config.json").is_file():
            return Weights(str(folder), None)
        raise UsageError(f"the weights of {entry.id!r} are gone: {folder} holds no model")
    known = read_adapter_config(config)
    base, revision = locate_base(base_of(entry, known))
    return Weights(str(folder), base, revision, largest_rank(known), is_plain(known))


def base_of(entry: Entry, config: Mapping[str, object]) -> str:
    """Where the base of an adapter is: services have names of their own for theirs."""
    named = config.get("base_model_name_or_path")
    return str(named) if named and entry.backend not in ("local", "adopted") else entry.base


def read_adapter_config(file: Path) -> dict[str, object]:
    """The configuration of a PEFT adapter.

    Raises:
        UsageError: It cannot be read, or is not one.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {file}: {error}; save the adapter again") from error
    if not isinstance(content, dict):
        raise UsageError(f"{file} holds no JSON object; save the adapter again")
    return content


def largest_rank(config: dict[str, object]) -> int | None:
    """The largest rank that an adapter's configuration gives to any layer."""
    pattern = config.get("rank_pattern")
    given = [config.get("r"), *(pattern.values() if isinstance(pattern, dict) else ())]
    ranks = [rank for rank in given if isinstance(rank, int)]
    return max(ranks, default=None)


def is_plain(config: dict[str, object]) -> bool:
    """Whether an adapter is LoRA matrices alone, without whole layers or biases of its own."""
    return (
        config.get("peft_type") == "LORA"
        and not config.get("modules_to_save")
        and config.get("bias", "none") == "none"
        and not config.get("use_dora")
    )
