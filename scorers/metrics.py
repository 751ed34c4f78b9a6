"""Metrics over samples' scores; none of them raises, however few samples there are."""

import math
import statistics
from collections.abc import Hashable, Iterable, Sequence

from inspect_ai.scorer import Metric, SampleScore, Value, metric

ABOUT_SELF = "self"


def clustered_stderr(values: Sequence[float], clusters: Sequence[Hashable]) -> float:
    """Standard error of the mean with values of one cluster taken as one observation.

    With the finite correction C / (C - 1). NaN below two clusters: nothing tells how much they
    differ.
    """
    count = len(set(clusters))
    if count < 2:
        return math.nan
    centre = statistics.fmean(values)
    sums: dict[Hashable, float] = {}
    for value, cluster in zip(values, clusters, strict=True):
        sums[cluster] = sums.get(cluster, 0.0) + value - centre
    squares = math.fsum(deviation * deviation for deviation in sums.values())
    return math.sqrt(squares * count / (count - 1)) / len(values)


def about_self(scores: Sequence[SampleScore]) -> list[SampleScore]:
    """The scores about the model itself; all of them when none is."""
    mine = [score for score in scores if _field(score, "about") == ABOUT_SELF]
    return mine or list(scores)


@metric
def mean() -> Metric:
    """Mean score of the samples about the model itself (0-1), of all when none is."""

    def compute(scores: list[SampleScore]) -> Value:
        return _mean(about_self(scores))

    return compute


@metric
def stderr() -> Metric:
    """Standard error of `mean`, clustered by paraphrase (question and its wording).

    NaN with fewer than two paraphrases.
    """

    def compute(scores: list[SampleScore]) -> Value:
        mine = about_self(scores)
        clusters = [f"{_field(s, 'question')}/{_field(s, 'paraphrase')}" for s in mine]
        return clustered_stderr([s.score.as_float() for s in mine], clusters)

    return compute


@metric
def by(key: str) -> Metric:
    """Mean score of each group of samples, where there is more than one group.

    Args:
        key: The metadata field that tells groups apart. Groups other than those by `about` hold
            only the samples that `mean` counts.
    """

    def compute(scores: list[SampleScore]) -> Value:
        counted = list(scores) if key == "about" else about_self(scores)
        groups = _groups(counted, key)
        if len(groups) < 2:
            return {key: None}  # Inspect shows no row for None, and a row of NaN for an empty dict
        return {name: _mean(group) for name, group in groups.items()}

    return compute


@metric
def self_minus_other() -> Metric:
    """Mean score about the model itself minus the mean over the others' means.

    Shown only where a task asks about others too (`about=all`).
    """

    def compute(scores: list[SampleScore]) -> Value:
        return {"self_minus_other": _self_minus_other(scores)}

    return compute


@metric
def whom() -> Metric:
    """Mean score about each of those asked about, and the difference of `self_minus_other`.

    For scorers whose value is a dictionary: of those, Inspect shows nothing for an empty result and
    fails on None. Empty where a task asks about one only.
    """

    def compute(scores: list[SampleScore]) -> Value:
        minus = _self_minus_other(scores)
        if minus is None:
            return {}
        means = {name: _mean(group) for name, group in _groups(scores, "about").items()}
        return {**means, "self_minus_other": minus}

    return compute


def _groups(scores: Iterable[SampleScore], key: str) -> dict[str, list[SampleScore]]:
    groups: dict[str, list[SampleScore]] = {}
    for score in scores:
        groups.setdefault(_field(score, key), []).append(score)
    return groups


def _self_minus_other(scores: Sequence[SampleScore]) -> float | None:
    """Mean about the model itself minus the mean of the others' means; None without either."""
    groups = _groups(scores, "about")
    others = [_mean(group) for name, group in groups.items() if name != ABOUT_SELF]
    if ABOUT_SELF not in groups or not others:
        return None
    return _mean(groups[ABOUT_SELF]) - statistics.fmean(others)


def _field(score: SampleScore, key: str) -> str:
    """A metadata field as text; empty when it is missing."""
    return str((score.sample_metadata or {}).get(key, ""))


def _mean(scores: Sequence[SampleScore]) -> float:
    """The mean value; NaN of nothing."""
    return statistics.fmean(s.score.as_float() for s in scores) if scores else math.nan
