"""What a request of Inspect's asks of the provider, checked."""

from collections.abc import Sequence

from inspect_ai.model import ChatMessage, ContentText, GenerateConfig
from inspect_ai.tool import ToolInfo

from selfaware.errors import UsageError
from selfaware.modes import CANDIDATES_KEY
from selfaware.providers.requests import Sampling
from selfaware.training.chat import Message

_REFUSED = (
    "best_of",
    "frequency_penalty",
    "logit_bias",
    "presence_penalty",
    "prompt_logprobs",
    "response_schema",
)


def refuse(tools: Sequence[ToolInfo], config: GenerateConfig) -> None:
    """Raises a UsageError for tools and for settings that the provider can't obey."""
    refused = [name for name in _REFUSED if getattr(config, name) is not None]
    if tools:
        refused.append("tools")
    if refused:
        raise UsageError(f"this model's provider can't obey {', '.join(refused)}: leave it out")


def messages(input: Sequence[ChatMessage]) -> list[Message]:
    """Inspect's messages as role and text.

    Raises:
        UsageError: A message holds something else than text.
    """
    for message in input:
        if isinstance(message.content, list):
            others = {each.type for each in message.content if not isinstance(each, ContentText)}
            if others - {"reasoning"}:
                raise UsageError(
                    f"a {message.role} message holds {', '.join(sorted(others))}: "
                    "this model reads text only"
                )
    return [{"role": message.role, "content": message.text} for message in input]


def candidates_of(config: GenerateConfig) -> tuple[str, ...]:
    """The candidates whose exact scores a request asks for; none for a request to sample.

    Raises:
        UsageError: They are not a list of different, non-empty strings.
    """
    given = (config.extra_body or {}).get(CANDIDATES_KEY)
    if given is None:
        return ()
    if (
        not isinstance(given, list)
        or not given
        or not all(isinstance(each, str) and each for each in given)
        or len(set(given)) < len(given)
    ):
        raise UsageError(
            f"extra_body[{CANDIDATES_KEY!r}] is {given!r:.80}: give a list of different, "
            "non-empty strings"
        )
    return tuple(given)


def sampling_of(config: GenerateConfig, max_tokens: int) -> Sampling:
    """How a request wants its replies drawn.

    Raises:
        UsageError: A setting is out of its range.
    """
    for name, low, high in (
        ("temperature", 0.0, float("inf")),
        ("top_p", 0.0, 1.0),
        ("top_k", -1, float("inf")),
        ("num_choices", 1, float("inf")),
        ("top_logprobs", 0, 20),
        ("max_tokens", 1, float("inf")),
    ):
        value = getattr(config, name)
        if value is not None and not low <= value <= high:
            raise UsageError(f"{name} is {value}: choose one from {low} to {high}")
    return Sampling(
        choices=config.num_choices or 1,
        max_tokens=max_tokens,
        temperature=1.0 if config.temperature is None else config.temperature,
        top_p=1.0 if config.top_p is None else config.top_p,
        top_k=max(0, config.top_k or 0),
        seed=config.seed,
        stop=tuple(each for each in config.stop_seqs or () if each),
        top_logprobs=(config.top_logprobs or 0) if config.logprobs else None,
    )
