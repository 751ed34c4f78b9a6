"""Models whose replies tests write themselves."""

import math
from collections.abc import Callable, Sequence

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    GenerateConfig,
    Logprob,
    Logprobs,
    Model,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    StopReason,
    TopLogprob,
    get_model,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo

Replies = Callable[[list[ChatMessage], GenerateConfig], Sequence[str]]
"""What the model replies: one text a choice."""

Outputs = Callable[[list[ChatMessage], list[ToolInfo], ToolChoice, GenerateConfig], ModelOutput]


def output_of(
    texts: Sequence[str], logprobs: Logprobs | None = None, stop_reason: StopReason = "stop"
) -> ModelOutput:
    return ModelOutput(
        model="scripted",
        choices=[
            ChatCompletionChoice(
                message=ChatMessageAssistant(content=text),
                stop_reason=stop_reason,
                logprobs=logprobs,
            )
            for text in texts
        ],
        usage=ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2),
    )


def saying(text: str, stop_reason: StopReason = "stop") -> Model:
    """A model that gives the same reply as often as it is asked for choices."""
    return replying(lambda _, config: [text] * (config.num_choices or 1), stop_reason)


def outputs_of(replies: Replies, stop_reason: StopReason = "stop") -> Outputs:
    """The `custom_outputs` of a mock model that replies so."""

    def outputs(
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        return output_of(replies(input, config), stop_reason=stop_reason)

    return outputs


def replying(replies: Replies, stop_reason: StopReason = "stop") -> Model:
    return get_model("mockllm/model", custom_outputs=outputs_of(replies, stop_reason))


def with_first_token(tokens: dict[str, float], rest: Sequence[str] = ()) -> Model:
    """A model whose first token has these probabilities, and whose reply is the likeliest one."""

    def outputs(
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        best = max(tokens, key=lambda token: tokens[token])
        tops = [TopLogprob(token=t, logprob=math.log(p)) for t, p in tokens.items()]
        assert config.logprobs and config.top_logprobs == 20 and config.temperature == 0
        content = [
            Logprob(token=best, logprob=math.log(tokens[best]), top_logprobs=tops),
            *[Logprob(token=token, logprob=0.0) for token in rest],
        ]
        return output_of(["".join([best, *rest])], Logprobs(content=content))

    return get_model("mockllm/model", custom_outputs=outputs)


class ExactAPI(ModelAPI):
    """Gives every candidate in `probabilities` its own, and all others next to nothing.

    With `tokens` it gives none, and tells how many tokens a text has instead.
    """

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig | None = None,
        probabilities: dict[str, float] | None = None,
        tokens: dict[str, int] | None = None,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config or GenerateConfig())
        self.probabilities = probabilities
        self.tokens = tokens
        self.selfaware_exact_scores = tokens is None

    async def tokenize(self, text: str) -> list[int]:
        if self.tokens is None:
            raise NotImplementedError
        return [0] * self.tokens.get(text, 0)

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        candidates = (config.extra_body or {}).get("selfaware_candidates")
        output = output_of(
            ["A free reply in English, as plain as can be."] * (config.num_choices or 1)
        )
        if candidates is None or self.probabilities is None:
            return output
        scores = {c: math.log(self.probabilities.get(c, 1e-12)) for c in candidates}
        output.metadata = {"selfaware_candidate_logprobs": scores}
        return output


@modelapi(name="scripted")
def scripted() -> type[ModelAPI]:
    return ExactAPI


def scoring(probabilities: dict[str, float] | None) -> Model:
    """A model whose provider scores candidate answers exactly; None leaves the scores out."""
    return get_model("scripted/exact", memoize=False, probabilities=probabilities)
