"""Several replies to one prompt, in as few requests as the provider allows."""

from collections.abc import Sequence

from inspect_ai.model import ChatMessage, GenerateConfig, Model, ModelOutput
from inspect_ai.util import collect

_SEEDS_PER_EPOCH = 1000


async def draw(
    model: Model, messages: Sequence[ChatMessage], count: int, epoch: int = 1
) -> ModelOutput:
    """`count` replies in one output: from one request, and more where it gives fewer choices."""
    asked = GenerateConfig(num_choices=count) if count > 1 else GenerateConfig()
    output = await model.generate(list(messages), config=asked)
    given = len(output.choices)
    if not 0 < given < count:
        return output
    # Equal requests would be answered alike from Inspect's cache, or under one seed: each gets a
    # seed of its own.
    first_seed = epoch * _SEEDS_PER_EPOCH
    requests = [
        model.generate(
            list(messages),
            config=GenerateConfig(
                num_choices=given if given > 1 else None, seed=first_seed + index
            ),
        )
        for index in range(-(-(count - given) // given))
    ]
    return merged(output, await collect(*requests), count)


def merged(output: ModelOutput, more: list[ModelOutput], count: int) -> ModelOutput:
    """One output with the choices of all, at most `count`, and their usage added up."""
    choices = [choice for part in (output, *more) for choice in part.choices][:count]
    usage = output.usage
    for part in more:
        if part.usage is not None:
            usage = part.usage if usage is None else usage + part.usage
    return output.model_copy(update={"choices": choices, "usage": usage})
