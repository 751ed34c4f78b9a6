"""From what the solver stored to a score: the part that all scorers share."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from inspect_ai.scorer import Score
from inspect_ai.solver import TaskState

from selfaware.answers import answer_values
from selfaware.errors import UsageError
from selfaware.first_token import first_token_weights
from selfaware.modes import MODE_KEY, ResolvedMode, exact_scores, withheld
from selfaware.parameters import Unlisted
from selfaware.scorers.reading import CATEGORIES, Category, Reading

Parser = Callable[[str, Mapping[str, float]], Reading]
"""Reads a reply, given the values of the answers."""

MINIMUM_MASS = 0.01
"""The least probability that the candidates must hold together for their ratio to be a score.

Below it the model hardly ever answers in the form asked for, and the ratio describes replies that
it does not give.
"""

NEUTRAL: tuple[Category, ...] = ("unlisted", "other_language", "undecided")
"""Well-formed answers without a value: the paper counts them 0.5."""

_LISTED_ANSWERS = 12


@dataclass(frozen=True)
class Replies:
    """What a model said to one sample: texts with weights, counts or probabilities by `mode`."""

    mode: ResolvedMode
    weights: Sequence[tuple[str, float]]
    withheld: int = 0


def score_replies(
    state: TaskState, kinds: Collection[str], parse: Parser, unlisted: Unlisted = "unscored"
) -> Score | None:
    """The score of a sample, or None when another scorer reads its kind of answer."""
    if not reads(state, kinds):
        return None
    replies = replies_of(state)
    if isinstance(replies, str):
        return score_unread(state, replies)
    return score_readings(state, replies, readings_of(state, replies, parse), unlisted)


def readings_of(state: TaskState, replies: Replies, parse: Parser) -> list[tuple[Reading, float]]:
    """Every reply to a sample, read, with its weight."""
    values = values_of(state)
    exact = replies.mode == "exact"
    return [
        (Reading("valid", text) if exact and text in values else parse(text, values), weight)
        for text, weight in replies.weights
    ]


def reads(state: TaskState, kinds: Collection[str]) -> bool:
    """Whether a sample asks for one of these kinds of answer.

    Raises:
        UsageError: The sample is not one of this package's tasks.
    """
    if "kind" not in state.metadata or answer_values(state.metadata) is None:
        raise UsageError(
            f"sample {state.sample_id!r} has no `kind` and `values` in its metadata: "
            "score logs of selfaware tasks with this scorer"
        )
    return state.metadata["kind"] in kinds


def values_of(state: TaskState) -> dict[str, float]:
    """The value (0-1, towards the high pole) of every valid answer to a sample's question."""
    return answer_values(state.metadata) or {}


def replies_mode(state: TaskState) -> ResolvedMode:
    """The mode that the solver recorded; `sample` for logs of any other solver."""
    mode: ResolvedMode = state.store.get(MODE_KEY, "sample")
    return mode


def replies_of(state: TaskState) -> Replies | str:
    """Everything that the model replied to a sample, or the reason why nothing can be read."""
    mode = replies_mode(state)
    output = state.output
    if mode == "exact":
        scores = exact_scores(output)
        if scores is None:
            return "scoring_failed"
        return Replies(mode, [(text, math.exp(logprob)) for text, logprob in scores.items()])
    if not output.choices:
        return "no_response"
    if mode == "logprobs":
        first = output.choices[0]
        if withheld(first):
            return "refusal"
        tokens = first_token_weights(first.logprobs, first.message.text, values_of(state))
        return tokens if isinstance(tokens, str) else Replies(mode, list(tokens.items()))
    spoken = [choice for choice in output.choices if not withheld(choice)]
    texts = [(choice.message.text, 1.0) for choice in spoken]
    return Replies(mode, texts, withheld=len(output.choices) - len(spoken))


def score_unread(state: TaskState, reason: str) -> Score:
    """The score of a sample of which no reply can be read."""
    return Score.unscored(reason=reason, metadata=score_metadata(state, replies_mode(state), 0))


def score_readings(
    state: TaskState,
    replies: Replies,
    readings: Sequence[tuple[Reading, float]],
    unlisted: Unlisted = "unscored",
    values: Mapping[str, float] | None = None,
) -> Score:
    """The mean value of the valid readings by weight, with what became of the others.

    `values` are what the answers are worth where the sample does not say so.
    """
    worth = values_of(state) if values is None else values
    weights = [*readings, *[(Reading("refusal", "content_filter"), 1.0)] * replies.withheld]
    shares: dict[Category, float] = dict.fromkeys(CATEGORIES, 0.0)
    answers: dict[str, float] = {}
    total = 0.0
    for reading, weight in weights:
        shares[reading.category] += weight
        answers[reading.answer] = answers.get(reading.answer, 0.0) + weight
        if reading.category == "valid":
            total += weight * worth[reading.answer]
    mass = shares["valid"]
    sampled = replies.mode == "sample"
    metadata = score_metadata(state, replies.mode, len(weights) if sampled else 0)
    if sampled:
        metadata["counts"] = {category: round(shares[category]) for category in CATEGORIES}
        if unlisted == "half":
            neutral = sum(shares[category] for category in NEUTRAL)
            total += 0.5 * neutral
            mass += neutral
    else:
        metadata["outside_mass"] = max(0.0, 1.0 - mass)
    ranked = sorted(answers.items(), key=lambda pair: -pair[1])
    shown = {text: weight for text, weight in ranked[:_LISTED_ANSWERS] if weight > 0}
    metadata["answers"] = {t: round(w) if sampled else w for t, w in shown.items()}
    answer = next(iter(shown), None)
    if mass < (1.0 if sampled else MINIMUM_MASS):
        reason = _reason(shares) if sampled else "invalid_response_format"
        return Score.unscored(reason=reason, answer=answer, metadata=metadata)
    # Rounding may carry a sum of probabilities a hair beyond the ends of the scale.
    value = min(1.0, max(0.0, total / mass))
    return Score(value=value, answer=answer, metadata=metadata)


def score_metadata(state: TaskState, mode: ResolvedMode, draws: int) -> dict[str, object]:
    """What every score says about itself."""
    return {
        "pole": state.metadata.get("pole"),
        "mode": mode,
        "draws": draws,
        "counts": {},
        "outside_mass": None,
        "answers": {},
    }


def _reason(shares: Mapping[Category, float]) -> str:
    """The commonest category among replies of which none is valid."""
    return max(CATEGORIES, key=lambda category: shares[category])
