"""How answers are obtained, and what solver, provider and scorer tell each other about it."""

from collections.abc import Iterable
from typing import Literal, get_args

from inspect_ai.model import ChatCompletionChoice, ContentText, ModelOutput

Mode = Literal["auto", "sample", "logprobs", "exact"]
"""How an answer is obtained.

`auto`: `exact` where the model's provider has it, else `logprobs` where every valid answer is one
token of the model, else `sample`.
"""

ResolvedMode = Literal["sample", "logprobs", "exact"]
"""The modes that an answer can really come by."""

MODES: tuple[Mode, ...] = get_args(Mode)

MODE_KEY = "selfaware_mode"
"""Where the solver stores the mode that it used, in a sample's store."""

CANDIDATES_KEY = "selfaware_candidates"
"""Where a request names the answers to be scored, in `GenerateConfig.extra_body`."""

CANDIDATE_LOGPROBS_KEY = "selfaware_candidate_logprobs"
"""Where a reply gives each answer's log-probability, in `ModelOutput.metadata`."""

SUPPORT_ATTRIBUTE = "selfaware_exact_scores"
"""The attribute of a `ModelAPI` class that says it scores answers exactly."""


def candidates(answers: Iterable[str]) -> list[str]:
    """The strings to be scored for a set of answers: each as it is, and words capitalised too."""
    written = [form for answer in answers for form in (answer, answer[:1].upper() + answer[1:])]
    return list(dict.fromkeys(written))


def exact_scores(output: ModelOutput) -> dict[str, float] | None:
    """Log-probability of every candidate answer in a reply; None when it has none."""
    scores = (output.metadata or {}).get(CANDIDATE_LOGPROBS_KEY)
    if not isinstance(scores, dict) or not scores:
        return None
    return {str(answer): float(logprob) for answer, logprob in scores.items()}


def withheld(choice: ChatCompletionChoice) -> bool:
    """Whether the provider kept a reply back, or marks it as a refusal, whatever text it has."""
    content = choice.message.content
    parts = content if isinstance(content, list) else []
    return choice.stop_reason == "content_filter" or any(
        isinstance(part, ContentText) and part.refusal is True for part in parts
    )
