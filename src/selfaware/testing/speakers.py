"""What answers behind an emulated service: a fixed word, or the weights of a model."""

import json
import secrets
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from selfaware.errors import UsageError
from selfaware.testing.clock import Clock
from selfaware.testing.faults import Refusal, Refusing

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion
    from openai.types.chat.chat_completion import Choice, ChoiceLogprobs

    from selfaware.providers.requests import Drawn
    from selfaware.providers.weights import Base

Body = Mapping[str, Any]
"""The body of a request for a chat completion."""

_REFUSED = ("tools", "functions", "stream", "response_format", "logit_bias", "audio")


class Speaker(Protocol):
    """Answers chats."""

    def answer(self, body: Body, base: str, made: str | None) -> "ChatCompletion":
        """The completion that a model gives: a base, or what was `made` from it."""
        ...


class FixedSpeaker:
    """Says one word, whatever it is asked."""

    def __init__(self, clock: Clock, word: str = "ready") -> None:
        self._clock = clock
        self._word = word

    def answer(self, body: Body, base: str, made: str | None) -> "ChatCompletion":
        """The word, as often as is asked for."""
        from openai.types.chat import ChatCompletionMessage
        from openai.types.chat.chat_completion import Choice

        choices = [
            Choice(
                index=index,
                finish_reason="stop",
                message=ChatCompletionMessage(role="assistant", content=self._word),
            )
            for index in range(body.get("n") or 1)
        ]
        return completion(self._clock, body, choices, 1, len(choices))


class WeightsSpeaker:
    """Samples from a base and from the adapters that were made on it, as the provider does."""

    def __init__(self, clock: Clock, runs: Path) -> None:
        self._clock = clock
        self._runs = runs
        self._bases: dict[str, Base] = {}
        self._lock = threading.Lock()

    def answer(self, body: Body, base: str, made: str | None) -> "ChatCompletion":
        """A completion that is drawn from the model's own distribution."""
        from openai.types.chat import ChatCompletionMessage
        from openai.types.chat.chat_completion import Choice

        from selfaware.providers.requests import Request, Sampling
        from selfaware.training.chat import render
        from selfaware.training.jobs import adapter_folder

        weights = self._load(base)
        adapter = None if made is None else adapter_folder(self._runs, made).resolve()
        try:
            if adapter is not None:
                weights.add(adapter)
            text = render(weights.tokenizer, _messages(body), add_generation_prompt=True)
        except UsageError as error:
            raise Refusing(Refusal(400, str(error), param="messages")) from error
        prompt = weights.encode(text)
        room = 512 if weights.context is None else weights.context - len(prompt)
        asked = body.get("max_completion_tokens") or body.get("max_tokens") or 512
        if room < 1:
            raise Refusing(
                Refusal(
                    400,
                    f"This model's maximum context length is {weights.context} tokens; your "
                    f"messages have {len(prompt)}",
                    "context_length_exceeded",
                    "messages",
                )
            )
        stop = body.get("stop") or ()
        temperature, top_p = body.get("temperature"), body.get("top_p")
        sampling = Sampling(
            choices=body.get("n") or 1,
            max_tokens=min(asked, room),
            temperature=1.0 if temperature is None else temperature,
            top_p=1.0 if top_p is None else top_p,
            seed=body.get("seed"),
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
            top_logprobs=(body.get("top_logprobs") or 0) if body.get("logprobs") else None,
        )
        request = Request(adapter=adapter, prompt=prompt, sampling=sampling)
        drawn = weights.batcher.wait(request).drawn
        choices = [
            Choice(
                index=index,
                finish_reason="stop" if each.stop == "stop" else "length",
                message=ChatCompletionMessage(role="assistant", content=each.text),
                logprobs=_logprobs(each) if body.get("logprobs") else None,
            )
            for index, each in enumerate(drawn)
        ]
        written = sum(each.generated for each in drawn)
        return completion(self._clock, body, choices, len(prompt), written)

    def _load(self, base: str) -> "Base":
        from selfaware.providers.resolve import resolve
        from selfaware.providers.weights import load_base

        with self._lock:
            if base not in self._bases:
                source = resolve(base)
                self._bases[base] = load_base(source.base, source.revision)
            return self._bases[base]


def completion(
    clock: Clock, body: Body, choices: "list[Choice]", read: int, written: int
) -> "ChatCompletion":
    """A chat completion of these choices."""
    from openai.types import CompletionUsage
    from openai.types.chat import ChatCompletion

    return ChatCompletion(
        id=f"chatcmpl-{secrets.token_hex(12)}",
        object="chat.completion",
        created=int(clock.now()),
        model=str(body["model"]),
        choices=choices,
        usage=CompletionUsage(
            prompt_tokens=read, completion_tokens=written, total_tokens=read + written
        ),
    )


def checked(body: Body) -> Body:
    """A request for a chat completion, refused where it asks for what is not offered."""
    for name in _REFUSED:
        if body.get(name):
            raise Refusing(Refusal(400, f"'{name}' is not supported here", param=name))
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        raise Refusing(Refusal(400, "'messages' must be a list of messages", param="messages"))
    limits: dict[str, Callable[[Any], bool]] = {
        "n": lambda n: isinstance(n, int) and 1 <= n <= 128,
        "temperature": lambda t: isinstance(t, int | float) and 0 <= t <= 2,
        "top_p": lambda p: isinstance(p, int | float) and 0 < p <= 1,
        "top_logprobs": lambda t: isinstance(t, int) and 0 <= t <= 20,
        "seed": lambda s: isinstance(s, int),
    }
    for name, fits in limits.items():
        if body.get(name) is not None and not fits(body[name]):
            shown = json.dumps(body[name])
            raise Refusing(Refusal(400, f"Invalid value {shown} for '{name}'", param=name))
    return body


def _messages(body: Body) -> list[dict[str, str]]:
    found = []
    for message in body["messages"]:
        content = message.get("content")
        if isinstance(content, list):
            content = "".join(part.get("text", "") for part in content)
        role = "system" if message.get("role") == "developer" else str(message.get("role"))
        found.append({"role": role, "content": content or ""})
    return found


def _logprobs(drawn: "Drawn") -> "ChoiceLogprobs":
    from openai.types.chat import ChatCompletionTokenLogprob
    from openai.types.chat.chat_completion import ChoiceLogprobs
    from openai.types.chat.chat_completion_token_logprob import TopLogprob

    return ChoiceLogprobs(
        content=[
            ChatCompletionTokenLogprob(
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
