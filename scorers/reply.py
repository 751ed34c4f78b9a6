"""Scores free replies by what their behaviour measures of them."""

import statistics
from collections.abc import Sequence

from inspect_ai.model import ChatCompletionChoice
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, Value, metric, scorer
from inspect_ai.solver import TaskState

from selfaware.behaviors.brevity import words_in
from selfaware.behaviors.examples import Measure
from selfaware.modes import withheld
from selfaware.reply_probes import measure_of
from selfaware.scorers.metrics import by, mean, stderr
from selfaware.scorers.reading import Reading, is_refusal, unread
from selfaware.scorers.scoring import (
    reads,
    replies_of,
    score_readings,
    score_unread,
)

WORDS = "words"
"""Where a score's metadata has the mean number of words of the sample's valid replies."""

_CUT = ("max_tokens", "model_length")


@metric
def mean_words() -> Metric:
    """Mean number of words of the valid replies of a sample, over samples; None without one."""

    def compute(scores: list[SampleScore]) -> Value:
        counts = [(score.score.metadata or {}).get(WORDS) for score in scores]
        known = [float(count) for count in counts if count is not None]
        return {WORDS: statistics.fmean(known) if known else None}

    return compute


@scorer(metrics=[mean(), stderr(), by("item_domain"), mean_words()])
def reply() -> Scorer:
    """Score what a model freely replies, 0-1 towards the behaviour's high pole.

    The behaviour itself says what a reply is worth: `brevity` counts its words, 1 up to 12 and 0
    from 40 on. The value is the mean of a sample's valid draws. Reads samples of kind `reply`, no
    others. Refusals and empty replies have no value, nor has one that was cut off before it was
    long enough to tell.
    """

    async def score(state: TaskState, target: Target) -> Score | None:
        if not reads(state, ("reply",)):
            return None
        replies = replies_of(state)
        if isinstance(replies, str):
            return score_unread(state, replies)
        measure = measure_of(str(state.metadata["behavior"]))
        spoken = [choice for choice in state.output.choices if not withheld(choice)]
        values: dict[str, float] = {}
        readings = [(read_reply(choice, measure, values), 1.0) for choice in spoken]
        scored = score_readings(state, replies, readings, values=values)
        scored.metadata = {**(scored.metadata or {}), WORDS: _words(spoken, readings)}
        return scored

    return score


def read_reply(choice: ChatCompletionChoice, measure: Measure, values: dict[str, float]) -> Reading:
    """The reading of one reply; its value is put into `values` by the answer of the reading."""
    text = choice.message.text
    if not text.strip() or is_refusal(text):
        return unread(text)
    value = measure(text, choice.stop_reason not in _CUT)
    if value is None:
        return Reading("invalid_response_format", "cut off")
    answer = f"{value:.3f}"
    values[answer] = value
    return Reading("valid", answer)


def _words(
    spoken: Sequence[ChatCompletionChoice], readings: Sequence[tuple[Reading, float]]
) -> float | None:
    """The mean number of words of the valid replies."""
    counts = [
        words_in(choice.message.text)
        for choice, (reading, _) in zip(spoken, readings, strict=True)
        if reading.category == "valid"
    ]
    return statistics.fmean(counts) if counts else None
