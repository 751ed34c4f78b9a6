"""Asking models through Inspect, each question once: answers are kept in a journal."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ConfigDict

from selfaware.data.journal import Journal
from selfaware.errors import UsageError

if TYPE_CHECKING:
    from inspect_ai.model import Model

MAX_RETRIES = 8
"""Retries by Inspect, over about 13 minutes, beside those that a provider's client makes itself."""

ATTEMPT_SECONDS = 300
"""After this long without an answer an attempt is given up, and made again."""

_MARKUP = re.compile(r"\[/?(?:bold|italic|blue|red)\]")
"""What Inspect's messages about a missing key or package are printed with."""


@dataclass(frozen=True)
class Question:
    """One question to the model of this name in Inspect; `key` is its name in the journal."""

    model: str
    key: str
    prompt: str
    temperature: float
    system: str | None = None
    seed: int | None = None
    max_tokens: int | None = None


Result = TypeVar("Result")

Ask = Callable[[Question], Awaitable[str]]
"""Gives the answer to a question."""


class Asked(BaseModel):
    """What a model was asked, and what that took.

    `served` are the models that say they answered, which may be pinned versions of `model`.
    `input_tokens` counts all that was read, from a provider's prompt cache or not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    served: tuple[str, ...]
    requests: int
    input_tokens: int
    output_tokens: int


@asynccontextmanager
async def asking(journal: Journal, connections: int) -> AsyncIterator[Ask]:
    """Gives a function that asks; what the journal holds already is not asked again.

    Inspect retries rate limits, errors of the server and dropped connections. Models are opened
    when first asked, with `connections` requests open at once at most, so that a journal that
    holds everything needs no key.

    Raises:
        UsageError: On asking a model that there is not, whose key or package is missing, or that
            failed in a way that no retry mends, or again and again.
    """
    from inspect_ai.model import (
        ChatMessage,
        ChatMessageSystem,
        ChatMessageUser,
        GenerateConfig,
        get_model,
    )

    models: dict[str, Model] = {}
    async with AsyncExitStack() as stack:

        def opened(name: str) -> Model:
            if name not in models:
                try:
                    # Not shared with others in this process, since it is closed here.
                    models[name] = get_model(name, memoize=False)
                except Exception as error:  # Inspect has no public error for what a user lacks
                    raise UsageError(f"model {name}: {_told(error)}") from error
                stack.push_async_exit(models[name])
            return models[name]

        async def ask(question: Question) -> str:
            kept = journal.results.get(question.key)
            if kept is not None:
                return str(kept["completion"])
            model = opened(question.model)
            messages: list[ChatMessage] = [ChatMessageUser(content=question.prompt)]
            if question.system is not None:
                messages.insert(0, ChatMessageSystem(content=question.system))
            config = GenerateConfig(
                temperature=question.temperature,
                seed=question.seed,
                max_tokens=question.max_tokens,
                max_connections=connections,
                max_retries=MAX_RETRIES,
                attempt_timeout=ATTEMPT_SECONDS,
            )
            try:
                output = await model.generate(messages, config=config)
            except Exception as error:  # every provider raises errors of its own
                raise UsageError(
                    f"model {question.model} failed: {_told(error)}; what was answered is kept, "
                    "the same command goes on"
                ) from error
            usage = output.usage
            cached = (
                (usage.input_tokens_cache_read, usage.input_tokens_cache_write) if usage else ()
            )
            journal.add(
                question.key,
                {
                    "completion": output.completion,
                    "model": output.model,
                    "input_tokens": (usage.input_tokens if usage else 0)
                    + sum(tokens or 0 for tokens in cached),
                    "output_tokens": usage.output_tokens if usage else 0,
                },
            )
            return output.completion

        yield ask


def run_asking(work: Callable[[], Awaitable[Result]]) -> Result:
    """Runs work that asks many questions at once; of several failures one is told.

    Raises:
        UsageError: What `ask` raised first.
    """
    import anyio

    try:
        return anyio.run(work)
    except BaseExceptionGroup as group:
        mistakes, others = group.split(UsageError)
        if mistakes is None or others is not None:
            raise
        mistake: BaseException = mistakes
        while isinstance(mistake, BaseExceptionGroup):
            mistake = mistake.exceptions[0]
        raise mistake from mistake.__cause__


def tally(model: str, prefix: str, results: Mapping[str, Mapping[str, object]]) -> Asked:
    """What a model was asked under keys that begin with `prefix`, by what a journal holds."""
    answers = [answer for key, answer in results.items() if key.startswith(prefix)]
    return Asked(
        model=model,
        served=tuple(sorted({str(answer["model"]) for answer in answers})),
        requests=len(answers),
        input_tokens=sum(int(str(answer["input_tokens"])) for answer in answers),
        output_tokens=sum(int(str(answer["output_tokens"])) for answer in answers),
    )


def _told(error: BaseException) -> str:
    """What went wrong first, in one line: retries and Inspect wrap a provider's error."""
    while error.__cause__ is not None and str(error.__cause__):
        error = error.__cause__
    text = _MARKUP.sub("", " ".join(str(error).split())).removeprefix("ERROR: ")
    return text or type(error).__name__
