"""How Inspect calls a model: its name, and what stands beside it on the command line."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from inspect_ai.model import Model

BASE_URL = "--model-base-url"
"""The flag by which `inspect eval` is told the address of a service."""

MODEL_ARG = "-M"
"""The flag by which `inspect eval` is told an argument of a model, as `name=value`."""

_CHAT_NAMES = re.compile(r"gpt-[34](?!\d)")
"""Names that Inspect's provider for OpenAI asks by chat completions, with all settings."""


def hosted_model(name: str, endpoint: str | None) -> tuple[str, tuple[str, ...]]:
    """Inspect's model string and flags for a model of a service that speaks OpenAI's API.

    Of names that it does not know, Inspect's provider `openai` believes that they are OpenAI's
    newest reasoning model: it leaves the temperature out and asks by the Responses API. Elsewhere
    than at OpenAI such a model is asked by `openai-api`, which reads the key from the same place
    (`OPENAI_API_KEY`).
    """
    if endpoint is None:
        return f"openai/{name}", ()
    provider = "openai" if _CHAT_NAMES.search(name) else "openai-api/openai"
    return f"{provider}/{name}", (BASE_URL, endpoint)


def tinker_model(name: str, endpoint: str | None) -> tuple[str, tuple[str, ...]]:
    """Inspect's model string and flags for a base or an address of sampler weights at Tinker."""
    return f"tinker/{name}", (BASE_URL, endpoint) if endpoint else ()


def hub_name(base: str) -> str:
    """The Hugging Face name of a base by its name at Together, which marks those to finetune."""
    return base.removesuffix("-Reference")


def load(model: str, flags: Sequence[str] = ()) -> "Model":
    """The model as Inspect has it, made with the flags as `inspect eval` would."""
    from inspect_ai.model import get_model

    base_url, arguments = arguments_of(flags)
    return get_model(model, base_url=base_url, **arguments)


def arguments_of(flags: Sequence[str]) -> tuple[str | None, dict[str, Any]]:
    """The address and the model's arguments that flags stand for.

    Flags are pairs: `--model-base-url URL`, and any number of `-M NAME=VALUE`.
    """
    base_url: str | None = None
    arguments: dict[str, Any] = {}
    for flag, value in zip(flags[::2], flags[1::2], strict=True):
        if flag == BASE_URL:
            base_url = value
        elif flag == MODEL_ARG:
            name, _, text = value.partition("=")
            arguments[name] = yaml.safe_load(text)
        else:
            raise ValueError(f"flag {flag!r} of a model is neither {BASE_URL} nor {MODEL_ARG}")
    return base_url, arguments
