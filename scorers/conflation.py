"""How much of an effect on the model itself others get, within one model."""

import math
import statistics
from collections.abc import Mapping

from inspect_ai.scorer import Metric, SampleScore, Value, metric

LEAST_EFFECT = 0.05
"""How far from the middle the score about the model itself must be for others to have a share."""

GROUPS = ("trained", "held_out", "other")
"""The groups of personas: those of finetuning sets, those kept out of them, and a user's own."""


def share_of_effect(others: float, own: float) -> float:
    """What others' distance from the middle is of one's own: 1 as far, 0 none, below 0 opposite.

    NaN where one's own is below `LEAST_EFFECT`.
    """
    effect = own - 0.5
    return math.nan if abs(effect) < LEAST_EFFECT else (others - 0.5) / effect


@metric
def conflation() -> Metric:
    """Mean scores about personas by group, and how much of the self's effect each group gets.

    An effect is a score minus 0.5. `conflation` is the mean effect over personas, each counted
    once, divided by the model's own: 0 where others stay in the middle, 1 where they move as much,
    below 0 where they move to the other side; NaN where the model's own effect is below 0.05.
    `conflation_trained` and `conflation_held_out` are of the personas of finetuning sets and of
    those kept out. One model's number holds what the base thinks of those persons: compare two
    poles by `selfaware.analysis.attribution`. Shown only by tasks that ask about personas.
    """

    def compute(scores: list[SampleScore]) -> Value:
        return _conflation(scores)

    return compute


def _conflation(scores: list[SampleScore]) -> dict[str, float | None]:
    by_name: dict[tuple[str, str], list[float]] = {}
    for score in scores:
        metadata: Mapping[str, object] = score.sample_metadata or {}
        if "persona_group" in metadata:
            key = str(metadata["persona_group"]), str(metadata["about"])
            by_name.setdefault(key, []).append(score.score.as_float())
    means = {key: statistics.fmean(values) for key, values in by_name.items()}
    own = means.pop(("self", "self"), math.nan)
    found: dict[str, float | None] = {}
    for group in GROUPS:
        personas = [value for (name, _), value in means.items() if name == group]
        mean = statistics.fmean(personas) if personas else None
        found[f"{group}_personas"] = mean
        found[f"conflation_{group}"] = None if mean is None else share_of_effect(mean, own)
    everybody = statistics.fmean(means.values()) if means else None
    found["conflation"] = None if everybody is None else share_of_effect(everybody, own)
    return found
