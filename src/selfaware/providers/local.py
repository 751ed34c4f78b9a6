"""The Inspect model provider `selfaware/...`: local weights, adapters and exact scores."""

from typing import TYPE_CHECKING

from inspect_ai.model import ChatMessage, GenerateConfig, ModelAPI, ModelOutput
from inspect_ai.tool import ToolChoice, ToolInfo

from selfaware.errors import UsageError
from selfaware.modes import CANDIDATE_LOGPROBS_KEY
from selfaware.providers.outputs import output
from selfaware.providers.requests import Drawn, Request
from selfaware.providers.resolve import resolve
from selfaware.providers.settings import candidates_of, messages, refuse, sampling_of
from selfaware.training.chat import render

if TYPE_CHECKING:
    from selfaware.providers.weights import Base


class SelfawareAPI(ModelAPI):
    """Models of the run registry, folders, shipped organisms and hub models, by their own weights.

    One base in memory serves all of its adapters. Replies are drawn from the model's own
    distribution: temperature (1 unless given; 0 is greedy), then top-k, then top-p. With `seed`,
    the replies to a prompt depend on seed, prompt and weights only; epochs with one seed repeat
    themselves. Log-probabilities are those of the tokens sampled, before temperature, top-k and
    top-p; the end-of-turn token is not among them. Exact scores (`extra_body`) are log P(the whole
    reply is the candidate), end of turn included, of the candidate's usual spelling in tokens; the
    completion is then the likeliest candidate.

    Model arguments: `base` (folder or hub id, in place of the base that an adapter names) and
    `device` (`cpu`, `cuda`, ...).
    """

    selfaware_exact_scores = True

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008
        base: str | None = None,
        device: str | None = None,
    ) -> None:
        super().__init__(model_name=model_name, base_url=base_url, api_key=api_key, config=config)
        from selfaware.providers.weights import load_base

        source = resolve(model_name, base)
        self._adapter = source.adapter
        self._base: Base = load_base(source.base, source.revision, device)
        if source.adapter is not None:
            self._base.add(source.adapter)
        # A tokenizer without a usable chat template is refused here, before anything is asked.
        render(self._base.tokenizer, [{"role": "user", "content": "hello"}])

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        """Sampled replies, or exact scores where `extra_body` has candidates.

        Raises:
            UsageError: The request has tools, images, or settings that this provider can't obey.
        """
        refuse(tools, config)
        text = render(self._base.tokenizer, messages(input), add_generation_prompt=True)
        prompt = self._base.encode(text)
        candidates = candidates_of(config)
        context = self._base.context
        asked = config.max_tokens or self.max_tokens()
        longest = max((len(self._base.candidate(each)) for each in candidates), default=0)
        room = asked if context is None else context - len(prompt)
        if room < max(1, longest):
            raise UsageError(
                f"the prompt has {len(prompt)} tokens: no room for an answer in the "
                f"{context} tokens that {self.model_name!r} can read"
            )
        request = Request(
            adapter=self._adapter,
            prompt=prompt,
            sampling=sampling_of(config, min(asked, room)),
            candidates=candidates,
        )
        reply = await self._base.batcher.ask(request)
        if candidates:
            best = max(reply.scores, key=lambda each: reply.scores[each])
            likeliest = [Drawn(text=best, stop="stop", generated=0)]
            scored = output(self.model_name, likeliest, False, len(prompt))
            scored.metadata = {CANDIDATE_LOGPROBS_KEY: reply.scores}
            return scored
        said = output(self.model_name, reply.drawn, bool(config.logprobs), len(prompt))
        if room < asked:
            for choice in said.choices:
                if choice.stop_reason == "max_tokens":
                    choice.stop_reason = "model_length"
        return said

    def max_tokens(self) -> int:
        """The most tokens of a reply where the request doesn't say: 512."""
        return 512

    def max_connections(self) -> int:
        """How many requests are computed together: 64."""
        return 64

    def connection_key(self) -> str:
        """The base: its adapters share one queue."""
        return self._base.base

    async def count_text_tokens(self, text: str) -> int:
        """The number of tokens by the model's own tokenizer."""
        return len(self._base.encode(text))

    async def tokenize(self, text: str) -> list[int]:
        """The tokens by the model's own tokenizer."""
        return list(self._base.encode(text))
