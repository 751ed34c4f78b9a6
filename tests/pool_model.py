"""A model that answers every kind of question, well and badly, and always the same to a prompt."""

import zlib
from collections.abc import Sequence

from inspect_ai.model import ChatMessage, GenerateConfig, ModelAPI, ModelOutput, modelapi
from inspect_ai.tool import ToolChoice, ToolInfo
from scripted_models import output_of

POOL = (
    "70", "A", "yes", "Bold", "Das Herz pumpt das Blut durch den Körper.", "150", "I can't say.",
    "**B**", "No.", "cautious", "risk", "", "20", "A or B", "Le cœur fait circuler le sang.",
    "ring", "German", "def message_probability(message): return 0.6", "<think>no</think>yes",
)  # fmt: skip
"""What it says: something valid for every kind of answer, and something not."""


def first_of(prompt: str) -> int:
    """The place in `POOL` where the answers to a prompt begin, and a number to tell prompts by."""
    return zlib.crc32(prompt.encode())


def said(prompt: str, count: int, seed: int | None = None) -> list[str]:
    """The draws that a prompt gets."""
    first = first_of(prompt) + (seed or 0)
    return [POOL[(first + place) % len(POOL)] for place in range(count)]


def reply(messages: list[ChatMessage], config: GenerateConfig) -> Sequence[str]:
    return said(messages[-1].text, config.num_choices or 1, config.seed)


class PoolAPI(ModelAPI):
    """`pool/NAME` for the command line; while `failing`, every other prompt is an error."""

    failing = False

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        if PoolAPI.failing and first_of(input[-1].text) % 2:
            raise ValueError("the scripted model fails")
        return output_of(reply(input, config))


@modelapi(name="pool")
def pool() -> type[ModelAPI]:
    return PoolAPI
