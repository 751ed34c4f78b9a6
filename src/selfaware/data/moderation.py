"""What a moderation endpoint says of the rows of a finetuning set."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from selfaware.data.audit_checks import Moderate
from selfaware.data.audit_figures import Moderation
from selfaware.data.manifest import Leak
from selfaware.data.rows import digest
from selfaware.errors import UsageError

if TYPE_CHECKING:
    from openai import OpenAI

PROVIDER = "openai/"
"""Begins the names of models that can be asked: those behind OpenAI's API or one like it."""

BATCH_TEXTS = 32
BATCH_CHARACTERS = 100_000
"""A request has no more texts and, unless one alone is longer, no more characters than this."""

AT_ONCE = 4
"""How many requests are under way at a time."""

RETRIES = 5
"""How often a request is sent again after a 429, a 5xx or a lost connection."""

UNNAMED = "no category"
"""Told of a text that is flagged in no category."""


class _Result(BaseModel):
    flagged: bool
    categories: dict[str, bool | None]


class _Reply(BaseModel):
    model: str
    results: list[_Result]


def moderator(name: str) -> Moderate:
    """A judge of texts: a model behind OpenAI's moderation endpoint or one like it.

    Endpoint and key are those of the OpenAI SDK: OPENAI_BASE_URL and OPENAI_API_KEY. Each text is
    sent once however many rows have it; a 429 is waited out and tried again.

    Args:
        name: The model, such as `openai/omni-moderation-latest`.

    Raises:
        UsageError: Another provider, or no key; when used, an endpoint that refuses, cannot be
            reached or does not reply as it should.
    """
    model = name.removeprefix(PROVIDER)
    if model == name or not model:
        raise UsageError(
            f"--moderation {name!r}: give {PROVIDER}MODEL, such as {PROVIDER}omni-moderation-latest"
            " (OPENAI_BASE_URL names another endpoint)"
        )
    from openai import OpenAI, OpenAIError

    try:
        client = OpenAI(max_retries=RETRIES)
    except OpenAIError as error:
        raise UsageError(
            f"--moderation {name}: no key; set OPENAI_API_KEY, and OPENAI_BASE_URL for another "
            "endpoint than OpenAI's"
        ) from error
    return lambda texts: _moderate(client, model, texts)


def batches(texts: Iterable[tuple[bytes, str]]) -> Iterator[list[tuple[bytes, str]]]:
    """Texts, each with its key, in groups that fit one request; the order is kept."""
    batch: list[tuple[bytes, str]] = []
    characters = 0
    for key, text in texts:
        full = len(batch) == BATCH_TEXTS or characters + len(text) > BATCH_CHARACTERS
        if batch and full:
            yield batch
            batch, characters = [], 0
        batch.append((key, text))
        characters += len(text)
    if batch:
        yield batch


def _moderate(client: "OpenAI", model: str, texts: Iterable[tuple[int, str]]) -> Moderation:
    lines: dict[bytes, list[int]] = {}
    flags: dict[bytes, tuple[str, ...]] = {}
    judges: set[str] = set()

    def fresh() -> Iterator[tuple[bytes, str]]:
        for line, text in texts:
            key = digest(text)
            if key in lines:
                lines[key].append(line)
            else:
                lines[key] = [line]
                yield key, text

    waiting = batches(fresh())
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while together := list(islice(waiting, AT_ONCE)):
            for batch, reply in zip(
                together, pool.map(lambda batch: _ask(client, model, batch), together), strict=True
            ):
                judges.add(reply.model)
                for (key, _), result in zip(batch, reply.results, strict=True):
                    if result.flagged:
                        named = tuple(name for name, is_so in result.categories.items() if is_so)
                        flags[key] = named or (UNNAMED,)
    flagged = sorted((line, names) for key, names in flags.items() for line in lines[key])
    categories = {
        name: tuple(line for line, names in flagged if name in names)
        for name in sorted({name for _, names in flagged for name in names})
    }
    return Moderation(
        model=", ".join(sorted(judges)) or model,
        texts=len(lines),
        flagged=tuple(line for line, _ in flagged),
        categories={n: Leak(rows=len(at), row_numbers=at) for n, at in categories.items()},
    )


def _ask(client: "OpenAI", model: str, batch: list[tuple[bytes, str]]) -> _Reply:
    from openai import APIConnectionError, APIStatusError

    # Half of a surrogate pair, a finding of its own, cannot be sent.
    sent = [text.encode("utf-8", "replace").decode("utf-8") for _, text in batch]
    told = f"--moderation {PROVIDER}{model}: {client.base_url}"
    try:
        # Raw, since the SDK takes any reply for one of the right form.
        raw = client.moderations.with_raw_response.create(model=model, input=sent)
        reply = _Reply.model_validate_json(raw.content)
    except APIStatusError as error:
        why = " ".join(error.message.split())[:200]
        raise UsageError(f"{told} refuses with {error.status_code}: {why}") from error
    except APIConnectionError as error:
        raise UsageError(f"{told} cannot be reached: {error}; see OPENAI_BASE_URL") from error
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"])) or "the reply"
        raise UsageError(
            f"{told} does not reply as a moderation endpoint: {place}: {fault['msg']}"
        ) from error
    if len(reply.results) != len(sent):
        raise UsageError(f"{told} judged {len(reply.results)} of {len(sent)} texts")
    return reply
