"""The Inspect model provider `tinker/...`: weights at the Tinker API, with exact scores."""

from typing import TYPE_CHECKING

from inspect_ai.model import ChatMessage, GenerateConfig, ModelAPI, ModelOutput
from inspect_ai.tool import ToolChoice, ToolInfo

from selfaware.errors import UsageError
from selfaware.modes import CANDIDATE_LOGPROBS_KEY
from selfaware.providers.outputs import output
from selfaware.providers.requests import Drawn, Sampling, Token
from selfaware.providers.settings import candidates_of, messages, refuse, sampling_of
from selfaware.providers.spelling import decode, encode, end_tokens, reply_tokens
from selfaware.providers.tinker_scores import score
from selfaware.training.chat import generation_prompt, render
from selfaware.training.tinker_service import (
    OFFICIAL,
    describe,
    refusal,
    require_sdk,
    result,
    service,
)

if TYPE_CHECKING:
    from tinker import SampledSequence, SamplingClient, SamplingParams
    from transformers import PreTrainedTokenizerBase

_PREFIX = "tinker://"


class TinkerAPI(ModelAPI):
    """Base models (`tinker/Qwen/Qwen3-8B`) and sampler weights (`tinker/tinker://.../...`).

    Prompts are written by the base's own chat template as in training, and nothing else is put
    into them. The replies to a prompt are one request. Exact scores (`extra_body`) are log P(the
    whole reply is the candidate), end of turn included, of the candidate's usual spelling in
    tokens; the completion is then the likeliest candidate. Log-probabilities of sampled tokens are
    those that the service gives; the end-of-turn token is not among them.

    Model argument: `tokenizer` (folder or hub id), where the service names none that can be loaded.
    TINKER_BASE_URL is not read: give another address as `--model-base-url`.
    """

    selfaware_exact_scores = True

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008
        tokenizer: str | None = None,
    ) -> None:
        super().__init__(model_name=model_name, base_url=base_url, api_key=api_key, config=config)
        require_sdk()
        if model_name.startswith(_PREFIX) and "/sampler_weights/" not in model_name:
            raise UsageError(
                f"{model_name!r} holds no weights to sample from: give a path with "
                "/sampler_weights/ in it, as save_weights_for_sampler returns"
            )
        self._client = _open(model_name, base_url, api_key)
        self._tokenizer = _tokenizer(self._client, tokenizer)
        # A tokenizer without a usable chat template is refused here, before anything is asked.
        render(self._tokenizer, [{"role": "user", "content": "hello"}])
        self._opening = generation_prompt(self._tokenizer)
        self._ends = end_tokens(self._tokenizer)
        if not self._ends:
            raise UsageError(f"the tokenizer of {model_name!r} names no token that ends a turn")

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        """Sampled replies, or exact scores where `extra_body` has candidates.

        Raises:
            UsageError: The request has tools, images, or settings that this provider can't obey,
                or the service refuses it.
        """
        import tinker

        refuse(tools, config)
        text = render(self._tokenizer, messages(input), add_generation_prompt=True)
        prompt = encode(self._tokenizer, text)
        candidates = candidates_of(config)
        try:
            if candidates:
                return await self._score(prompt, candidates)
            return await self._sample(prompt, sampling_of(config, self._most(config)))
        except tinker.TinkerError as error:
            refused = refusal(error)
            if refused is None:
                raise
        # Raised out here: the SDK's error knows the request with its key.
        raise refused

    def should_retry(self, ex: BaseException) -> bool:
        """Whether an error is one of the service's, which may pass."""
        import tinker

        passing = (tinker.APIConnectionError, tinker.InternalServerError, tinker.RateLimitError)
        return isinstance(ex, passing)

    def max_tokens(self) -> int:
        """The most tokens of a reply where the request doesn't say: 512."""
        return 512

    def max_connections(self) -> int:
        """How many requests wait for the service at once: 32."""
        return 32

    def connection_key(self) -> str:
        """The address of the service."""
        return self.base_url or OFFICIAL

    async def count_text_tokens(self, text: str) -> int:
        """The number of tokens by the base's tokenizer."""
        return len(encode(self._tokenizer, text))

    async def tokenize(self, text: str) -> list[int]:
        """The tokens by the base's tokenizer."""
        return list(encode(self._tokenizer, text))

    def _most(self, config: GenerateConfig) -> int:
        return config.max_tokens or self.max_tokens()

    async def _score(self, prompt: tuple[int, ...], candidates: tuple[str, ...]) -> ModelOutput:
        replies = [reply_tokens(self._tokenizer, self._opening, text) for text in candidates]
        scores = await score(self._client, prompt, replies, self._ends)
        found = dict(zip(candidates, scores, strict=True))
        best = max(found, key=lambda each: found[each])
        scored = output(
            self.model_name, [Drawn(text=best, stop="stop", generated=0)], False, len(prompt)
        )
        scored.metadata = {CANDIDATE_LOGPROBS_KEY: found}
        return scored

    async def _sample(self, prompt: tuple[int, ...], how: Sampling) -> ModelOutput:
        from tinker import ModelInput

        response = await self._client.sample(
            prompt=ModelInput.from_ints(list(prompt)),
            num_samples=how.choices,
            sampling_params=_params(how, self._ends, self._tokenizer),
            topk_sample_logprobs=how.top_logprobs or 0,
        )
        drawn = [_drawn(each, how, self._ends, self._tokenizer) for each in response.sequences]
        return output(self.model_name, drawn, how.top_logprobs is not None, len(prompt))


def _open(name: str, base_url: str | None, api_key: str | None) -> "SamplingClient":
    import tinker

    address = base_url.rstrip("/") if base_url else None
    try:
        client = service(address, api_key)
        if name.startswith(_PREFIX):
            return result(client.create_sampling_client(model_path=name))
        return result(client.create_sampling_client(base_model=name))
    except tinker.TinkerError as error:
        problem = refusal(error) or UsageError(
            f"cannot open {name!r} at the Tinker service: {describe(error)}"
        )
    raise problem


def _tokenizer(client: "SamplingClient", name: str | None) -> "PreTrainedTokenizerBase":
    from transformers import AutoTokenizer

    try:
        found: PreTrainedTokenizerBase = (
            AutoTokenizer.from_pretrained(name) if name else client.get_tokenizer()
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"cannot load the tokenizer of {name or client.get_base_model()!r}: "
            f"{describe(error)}; give one with -M tokenizer=FOLDER_OR_HUB_ID"
        ) from error
    return found


def _params(
    how: Sampling, ends: tuple[int, ...], tokenizer: "PreTrainedTokenizerBase"
) -> "SamplingParams":
    from tinker import SamplingParams

    # Stops are either all tokens or all texts, and take the place of the service's own.
    texts = [*how.stop, *(tokenizer.decode([end], skip_special_tokens=False) for end in ends)]
    return SamplingParams(
        max_tokens=how.max_tokens,
        seed=how.seed,
        stop=texts if how.stop else list(ends),
        temperature=how.temperature,
        top_k=how.top_k or -1,
        top_p=how.top_p,
    )


def _drawn(
    said: "SampledSequence",
    how: Sampling,
    ends: tuple[int, ...],
    tokenizer: "PreTrainedTokenizerBase",
) -> Drawn:
    ids = said.tokens
    # The token that ended the reply is the last one where the service passes it on.
    kept = ids[:-1] if ids and ids[-1] in ends else ids
    text = decode(tokenizer, kept)
    cuts = [text.find(stop) for stop in how.stop if stop in text]
    if cuts:
        text = text[: min(cuts)]
        lengths = (len(decode(tokenizer, kept[:n])) for n in range(len(kept) + 1))
        kept = kept[: next(n for n, length in enumerate(lengths) if length >= len(text))]
    tokens: list[Token] = []
    if how.top_logprobs is not None:
        logprobs, tops = said.logprobs, said.topk_logprobs
        if logprobs is None:
            raise UsageError("this Tinker server gives no log-probabilities: use mode=sample")
        for place, token in enumerate(kept):
            top = tops[place] if tops else None
            tokens.append(
                Token(
                    text=decode(tokenizer, [token]),
                    logprob=logprobs[place],
                    top=tuple((decode(tokenizer, [other]), value) for other, value in top or ()),
                )
            )
    ended = said.stop_reason == "stop" or bool(cuts)
    return Drawn(text, "stop" if ended else "max_tokens", len(ids), tuple(tokens))
