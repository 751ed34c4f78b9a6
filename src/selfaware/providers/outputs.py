"""Drawn replies as Inspect takes them."""

from collections.abc import Sequence

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessageAssistant,
    Logprob,
    Logprobs,
    ModelOutput,
    ModelUsage,
    TopLogprob,
)

from selfaware.providers.requests import Drawn


def output(model: str, drawn: Sequence[Drawn], logprobs: bool, read: int) -> ModelOutput:
    """The output of a model that has read so many tokens, with log-probabilities or without."""
    made = sum(each.generated for each in drawn)
    return ModelOutput(
        model=model,
        choices=[
            ChatCompletionChoice(
                message=ChatMessageAssistant(content=each.text, model=model, source="generate"),
                stop_reason=each.stop,
                logprobs=_logprobs(each) if logprobs else None,
            )
            for each in drawn
        ],
        completion=drawn[0].text,
        usage=ModelUsage(input_tokens=read, output_tokens=made, total_tokens=read + made),
        input_context_tokens=read,
    )


def _logprobs(drawn: Drawn) -> Logprobs:
    return Logprobs(
        content=[
            Logprob(
                token=token.text,
                logprob=token.logprob,
                bytes=list(token.text.encode()),
                top_logprobs=[
                    TopLogprob(token=text, logprob=value, bytes=list(text.encode()))
                    for text, value in token.top
                ],
            )
            for token in drawn.tokens
        ]
    )
