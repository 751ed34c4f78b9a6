"""What every finetune scores on every probe."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import isnan
from statistics import fmean

import pandas as pd

SELF = "self"
"""What `about` holds where a question is about the model itself."""

_PROBE = ("self_report", "behavior", "about", "framing", "question", "kind", "paper_id")


@dataclass(frozen=True)
class Probe:
    """One question as a table knows it: all its paraphrases and twins together.

    `about` is whom it is about, or `self - OTHER` for the difference to the other-twin.
    """

    self_report: bool
    behavior: str
    about: str
    framing: str
    question: str
    kind: str
    paper_id: str


@dataclass(frozen=True)
class Tally:
    """What became of the replies of one finetune to one probe.

    `invalid`, `refusal` and `unlisted` are shares (0-1), None where nothing tells.
    """

    samples: int
    unscored: int
    invalid: float | None
    refusal: float | None
    unlisted: float | None


Values = dict[Probe, dict[str, float]]
"""The mean score of every model on a probe (0-1); a model without a scored sample is absent."""


@dataclass(frozen=True)
class Cells:
    """Every model's values on every probe: over all samples, and over the two halves of a twin.

    `plain` and `twin` hold only probes that have both: a flipped scale or statement, or the other
    order of the answers.
    """

    every: Values
    plain: Values
    twin: Values
    tallies: dict[Probe, dict[str, Tally]]


def cells(frame: pd.DataFrame, models: Iterable[str]) -> Cells:
    """The values of some models, with the differences between a probe and its other-twins.

    Args:
        frame: From `selfaware.analysis.frame.read_frame`.
        models: The models to take; others in the frame are left out.
    """
    chosen = frame[frame["model"].isin(list(models))].copy()
    chosen["paper_id"] = chosen["paper_id"].fillna("")
    turned = chosen["swapped"].astype(bool) | chosen["flipped"].astype(bool)
    plain, twin = _means(chosen[~turned]), _means(chosen[turned])
    both = plain.keys() & twin.keys()
    return Cells(
        every=_with_differences(_means(chosen)),
        plain=_with_differences({probe: plain[probe] for probe in plain if probe in both}),
        twin=_with_differences({probe: twin[probe] for probe in twin if probe in both}),
        tallies=_tallies(chosen),
    )


def average(values: Values, probes: Iterable[Probe]) -> tuple[dict[str, float], tuple[Probe, ...]]:
    """Each model's mean over some probes, and the probes that it was taken over.

    A probe without a value from one of the models that answered any of them is left out for all,
    so that every model's mean is over the same probes.
    """
    present = [probe for probe in probes if values.get(probe)]
    models = {model for probe in present for model in values[probe]}
    used = tuple(probe for probe in present if values[probe].keys() == models)
    if not used:
        return {}, ()
    means = {model: fmean(values[probe][model] for probe in used) for model in sorted(models)}
    return means, used


def known_mean(values: Iterable[float | None]) -> float | None:
    """The mean of those that are known, None when none is."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _means(frame: pd.DataFrame) -> Values:
    values: Values = {}
    for (*names, model), group in frame.groupby([*_PROBE, "model"], sort=False):
        values.setdefault(_probe(names), {})
        score = float(group["score"].astype(float).mean())
        if not isnan(score):
            values[_probe(names)][str(model)] = score
    return values


def _tallies(frame: pd.DataFrame) -> dict[Probe, dict[str, Tally]]:
    tallies: dict[Probe, dict[str, Tally]] = {}
    for (*names, model), group in frame.groupby([*_PROBE, "model"], sort=False):
        shares = {name: _share(group[name]) for name in ("invalid", "refusal", "unlisted")}
        tallies.setdefault(_probe(names), {})[str(model)] = Tally(
            samples=len(group), unscored=int(group["score"].isna().sum()), **shares
        )
    return tallies


def _share(column: "pd.Series[float]") -> float | None:
    mean = float(column.astype(float).mean())
    return None if isnan(mean) else mean


def _probe(names: Iterable[object]) -> Probe:
    self_report, *rest = names
    behavior, about, framing, question, kind, paper_id = map(str, rest)
    return Probe(bool(self_report), behavior, about, framing, question, kind, paper_id)


def _with_differences(values: Mapping[Probe, dict[str, float]]) -> Values:
    """The values with a probe added for every other-twin: the report about the self minus it."""
    extended = dict(values)
    for probe, others in values.items():
        mine = values.get(replace(probe, about=SELF))
        if mine is None or probe.about == SELF or not probe.self_report:
            continue
        shared = [model for model in mine if model in others]
        extended[replace(probe, about=f"{SELF} - {probe.about}")] = {
            model: mine[model] - others[model] for model in shared
        }
    return extended
