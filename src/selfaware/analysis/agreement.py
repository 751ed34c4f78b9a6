"""How well a judge's labels agree with ours."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from inspect_ai.scorer import MetricProtocol, SampleScore, Score, krippendorff_alpha


@dataclass(frozen=True)
class Agreement:
    """A judge's labels beside ours.

    `share` is that of the items on which they agree (0-1), one without a label from the judge being
    no agreement. `alpha` is Krippendorff's, nominal, over the items that have both labels: 1 for
    perfect agreement, 0 for what chance gives, NaN without such an item. `confusion` counts pairs
    of our label and the judge's, None where it gave none.
    """

    items: int
    share: float
    alpha: float
    confusion: Mapping[tuple[str, str | None], int]

    @property
    def unlabelled(self) -> int:
        """How many items the judge gave no label."""
        return sum(count for (_, given), count in self.confusion.items() if given is None)


def agreement(ours: Sequence[str], given: Sequence[str | None]) -> Agreement:
    """The agreement of two lists of labels, of the same items in the same order.

    Raises:
        ValueError: They are of different lengths, or empty.
    """
    pairs = list(zip(ours, given, strict=True))
    if not pairs:
        raise ValueError("no items to agree on")
    return Agreement(
        items=len(pairs),
        share=sum(mine == theirs for mine, theirs in pairs) / len(pairs),
        alpha=alpha([[mine, theirs] for mine, theirs in pairs if theirs is not None]),
        confusion=Counter(pairs),
    )


def alpha(units: Sequence[Sequence[str]]) -> float:
    """Krippendorff's alpha for nominal labels, as Inspect computes it; NaN without a unit.

    Args:
        units: The labels of each item, two or more, by different raters.
    """
    scores = [SampleScore(score=Score(value=list(labels))) for labels in units]
    # `Metric` is a union with an older form, which this metric has not.
    metric = cast(MetricProtocol, krippendorff_alpha("nominal"))
    return cast(float, metric(scores))
