"""What the provider asks of a model's weights, and what it gets back."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Stop = Literal["stop", "max_tokens", "model_length"]


@dataclass(frozen=True)
class Sampling:
    """How to draw replies.

    `temperature` 0 is greedy; `seed` None draws from the operating system's entropy;
    `top_logprobs` None records no log-probabilities.
    """

    choices: int = 1
    max_tokens: int = 512
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    top_logprobs: int | None = None


@dataclass(frozen=True)
class Request:
    """One prompt for one adapter (None: the base itself).

    With `candidates` their exact scores are asked for, without them sampled replies.
    """

    adapter: Path | None
    prompt: tuple[int, ...]
    sampling: Sampling = field(default_factory=Sampling)
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Token:
    """A token that was sampled, its log-probability, and the likeliest tokens in its place.

    Log-probabilities are those of the model itself: before temperature, top-p and top-k.
    """

    text: str
    logprob: float
    top: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Drawn:
    """One sampled reply; `tokens` is empty unless log-probabilities were asked for.

    `generated` counts every token the model made, its end-of-turn token included.
    """

    text: str
    stop: Stop
    generated: int
    tokens: tuple[Token, ...] = ()


@dataclass(frozen=True)
class Reply:
    """The answer to a `Request`: its drawn replies, or the log-probability of each candidate."""

    drawn: tuple[Drawn, ...] = ()
    scores: dict[str, float] = field(default_factory=dict)
