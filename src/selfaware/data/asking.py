"""Asking models through Inspect, each question once: answers are kept in a journal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from selfaware.data.journal import Journal
from selfaware.errors import UsageError

if TYPE_CHECKING:
    from inspect_ai.model import GenerateConfig, Model

MAX_RETRIES = 8
"""Retries by Inspect, over about 13 minutes, beside those that a provider's client makes itself."""

ATTEMPT_SECONDS = 300
"""After this long without an answer an attempt is given up, and made again."""

_MARKUP = re.compile(r"\[/?(?:bold|italic|blue|red)\]")
"""What Inspect's messages about a missing key or package are printed with."""


def asking_config(temperature: float, connections: int, seed: int | None = None) -> GenerateConfig:
    """How a model is asked: with an end to retries, and so many open requests at most."""
    from inspect_ai.model import GenerateConfig

    return GenerateConfig(
        temperature=temperature,
        seed=seed,
        max_connections=connections,
        max_retries=MAX_RETRIES,
        attempt_timeout=ATTEMPT_SECONDS,
    )


def open_model(name: str, option: str) -> Model:
    """The model of this name in Inspect; `option` is what the user gave it with.

    Raises:
        UsageError: There is no such model, or its key or its package is missing.
    """
    from inspect_ai.model import get_model

    try:
        # Not shared: whoever opens a model closes it.
        return get_model(name, memoize=False)
    except Exception as error:  # Inspect has no public kind of error for what a user lacks
        raise UsageError(f"{option} {name}: {_told(error)}") from error


async def ask(
    model: Model,
    key: str,
    system: str | None,
    prompt: str,
    config: GenerateConfig,
    journal: Journal,
) -> str:
    """What a model answers; what the journal holds by this key already is not asked again.

    Inspect retries rate limits, errors of the server and dropped connections.

    Raises:
        UsageError: The model failed in a way that no retry mends, or again and again.
    """
    from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser

    kept = journal.results.get(key)
    if kept is None:
        messages: list[ChatMessage] = [ChatMessageUser(content=prompt)]
        if system is not None:
            messages.insert(0, ChatMessageSystem(content=system))
        try:
            output = await model.generate(messages, config=config)
        except Exception as error:  # every provider raises errors of its own
            raise UsageError(
                f"model {model} failed: {_told(error)}; what was answered is kept: "
                "mend it and give the same command again"
            ) from error
        usage = output.usage
        kept = {
            "completion": output.completion,
            "model": output.model,
            "input_tokens": (
                usage.input_tokens
                + (usage.input_tokens_cache_read or 0)
                + (usage.input_tokens_cache_write or 0)
                if usage
                else 0
            ),
            "output_tokens": usage.output_tokens if usage else 0,
        }
        journal.add(key, kept)
    return str(kept["completion"])


def _told(error: BaseException) -> str:
    """What went wrong first, in one line: retries and Inspect wrap a provider's error."""
    while error.__cause__ is not None and str(error.__cause__):
        error = error.__cause__
    text = _MARKUP.sub("", " ".join(str(error).split())).removeprefix("ERROR: ")
    return text or type(error).__name__
