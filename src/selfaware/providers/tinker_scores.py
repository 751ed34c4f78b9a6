"""Exact log-probabilities of candidate replies, by the Tinker API's scores of chosen tokens."""

import asyncio
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from selfaware.errors import UsageError

if TYPE_CHECKING:
    from tinker import SamplingClient

UNASKED = -1
"""The token id that asks for no score."""


def questions(prompt: int, reply: Sequence[int], ends: Sequence[int]) -> list[list[int]]:
    """The tokens to score behind a prompt of so many tokens, a reply and one end token.

    Row i is about what follows token i: nothing is asked about the prompt itself, then come the
    tokens of the reply one by one, and at last every token that would end it there.
    """
    width = max(1, len(ends))
    nothing = [UNASKED] * width
    rows = [[token, *nothing[1:]] for token in reply]
    return [nothing] * (prompt - 1) + rows + [list(ends)]


def sum_up(answers: Sequence[Sequence[float]], prompt: int, reply: int) -> float:
    """Log P(the reply, then any of the end tokens) from the answers to `questions`."""
    said = math.fsum(row[0] for row in answers[prompt - 1 : prompt - 1 + reply])
    ends = answers[prompt - 1 + reply]
    highest = max(ends)
    return said + highest + math.log(math.fsum(math.exp(end - highest) for end in ends))


async def score(
    client: "SamplingClient",
    prompt: Sequence[int],
    replies: Sequence[Sequence[int]],
    ends: Sequence[int],
) -> list[float]:
    """For each reply, log P(it and then any token of `ends` follow the prompt).

    Every reply is a request of its own that reads the prompt with it; the service bills the part
    that they share as read from its cache.

    Raises:
        UsageError: The server gives no such scores.
    """
    return list(await asyncio.gather(*(_score(client, prompt, reply, ends) for reply in replies)))


async def _score(
    client: "SamplingClient", prompt: Sequence[int], reply: Sequence[int], ends: Sequence[int]
) -> float:
    import numpy as np
    from tinker import ModelInput, SamplingParams, TensorData

    wanted = np.array(questions(len(prompt), reply, ends), dtype=np.int64)
    response = await client.sample(
        prompt=ModelInput.from_ints([*prompt, *reply, ends[0]]),
        num_samples=1,
        sampling_params=SamplingParams(max_tokens=1),  # one token is the least, and is left
        target_prompt_logprobs=TensorData.from_numpy(wanted),
    )
    if response.target_prompt_logprobs is None:
        raise UsageError(
            "this Tinker server gives no scores of chosen tokens (target_prompt_logprobs): "
            "use mode=sample"
        )
    return sum_up(response.target_prompt_logprobs.tolist(), len(prompt), len(reply))
