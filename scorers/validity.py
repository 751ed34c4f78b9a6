"""Reports what became of a sample's replies: valid, unlisted, refused or invalid."""

from typing import Any

from inspect_ai.scorer import Score, Scorer, Target, mean, scorer
from inspect_ai.solver import TaskState

from selfaware.errors import UsageError
from selfaware.scorers.scoring import NEUTRAL

RATES = ("invalid", "refusal", "unlisted")
"""The shares (0-1) of a sample's replies that this scorer reports."""


def rates(score: Score) -> dict[str, float]:
    """Shares of the replies behind a score, by what became of them (0-1).

    `refusal`: declined or withheld. `unlisted`: well-formed, but without a value. `invalid`: every
    other reply that is no answer. Where probabilities were read instead of replies, `invalid` is
    the mass outside the candidates, and the others are NaN because nothing tells them apart. All
    are NaN when the model could not be asked in that mode.
    """
    metadata = _metadata(score)
    counts: dict[str, int] = metadata.get("counts", {})
    total = sum(counts.values())
    if not total:
        outside = metadata.get("outside_mass")
        invalid = float("nan") if outside is None else float(outside)
        return {"invalid": invalid, "refusal": float("nan"), "unlisted": float("nan")}
    refusal = counts["refusal"]
    unlisted = sum(counts.get(name, 0) for name in NEUTRAL)
    return {
        "invalid": (total - counts["valid"] - refusal - unlisted) / total,
        "refusal": refusal / total,
        "unlisted": unlisted / total,
    }


def _metadata(score: Score) -> dict[str, Any]:
    """A score's metadata, empty where it has none."""
    return score.metadata or {}


@scorer(metrics={rate: [mean()] for rate in RATES})
def validity() -> Scorer:
    """Report the shares of invalid, refused and unlisted replies in every sample.

    It stands after the scorers that read the answers, because Inspect keeps unscored samples from
    a scorer's own metrics: this is where they are counted.

    Raises:
        UsageError: No scorer of this package has scored the sample before.
    """

    async def score(state: TaskState, target: Target) -> Score:
        earlier = [done for done in (state.scores or {}).values() if "counts" in _metadata(done)]
        if not earlier:
            raise UsageError(
                f"sample {state.sample_id!r} has no score to report on: "
                "put a scorer such as selfaware/scale before selfaware/validity"
            )
        return Score(value=rates(earlier[-1]))

    return score
