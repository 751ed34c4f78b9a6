"""The result table: one row a probe, arms side by side, the finetune as the unit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from selfaware.analysis.bands import band
from selfaware.analysis.cells import SELF, Cells, Probe, Tally, Values, average, cells, known_mean
from selfaware.analysis.statistics import Difference, Estimate, difference, mean_interval
from selfaware.errors import UsageError

Level = Literal["behavior", "probe", "mean"]
"""What a row holds: what models do, one self-report, or the mean of several self-reports."""

SUMMARIES: dict[str, frozenset[str]] = {
    "words": frozenset({"word", "choice"}),
    "scales": frozenset({"scale"}),
    "reports": frozenset({"word", "choice", "scale", "yes_no", "language"}),
}
"""The means of several probes, by the kinds of answer that they take in.

`reports` takes in every form but that of the training data (`option`), which finetuning can move
without any self-knowledge.
"""

_KIND_ORDER = ("choice", "word", "scale", "yes_no", "language", "option")


@dataclass(frozen=True)
class Contrast:
    """Which arm is subtracted from which, and which one stands beside them.

    `behavior` is the one that was trained; where it is empty, none is marked as trained.
    """

    high: str
    low: str
    base: str | None = None
    behavior: str = ""


@dataclass(frozen=True)
class ArmResult:
    """One arm on one row.

    `finetunes` holds each model with its value: 0-1 towards the high pole, or -1 to 1 where the row
    is a difference to an other-twin. `samples` and `unscored` are summed over the finetunes,
    `invalid`, `refusal` and `unlisted` are mean shares of replies (None where nothing tells).
    """

    arm: str
    estimate: Estimate
    finetunes: tuple[tuple[str, float], ...]
    samples: int
    unscored: int
    invalid: float | None
    refusal: float | None
    unlisted: float | None


@dataclass(frozen=True)
class Row:
    """One probe, or the mean of several, over all arms.

    `arms` starts with the high and the low arm of the contrast, then the base, then any other.
    `difference` is high minus low; `plain` and `twin` are the same over the samples as first
    worded and over those with flipped or swapped wording, None where there is no twin. `paper`
    is what the paper measured: high pole, low pole, base.
    """

    level: Level
    behavior: str
    trained: bool
    probe: str
    paper_id: str
    kind: str
    about: str
    framing: str
    arms: tuple[ArmResult, ...]
    difference: Difference
    plain: Difference | None
    twin: Difference | None
    averaged: tuple[str, ...]
    paper: str
    warning: str

    @property
    def high(self) -> ArmResult:
        """The arm that is subtracted from."""
        return self.arms[0]

    @property
    def low(self) -> ArmResult:
        """The arm that is subtracted."""
        return self.arms[1]


def build_rows(
    frame: pd.DataFrame, models: Mapping[str, tuple[str, int | None]], contrast: Contrast
) -> list[Row]:
    """The rows of the result table: behaviour, probes, means of probes, self minus other-twin.

    A finetune's value on a probe is the mean over its scored samples, which are the same
    paraphrases and twins in every arm.

    Args:
        frame: From `selfaware.analysis.frame.read_frame`.
        models: The arm and the seed of every model; models of the frame that are not named here
            are left out.
        contrast: The arms to compare.

    Raises:
        UsageError: A model has no samples in the frame.
    """
    if absent := sorted(set(models) - set(frame["model"])):
        raise UsageError(
            f"model {absent[0]!r} (arm {models[absent[0]][0]!r}) has no samples in the logs: "
            "evaluate it, or take it out of the models"
        )
    table = _Table(cells(frame, models), _members(models, contrast), contrast)
    return sorted(table.rows(), key=_order)


def _members(
    models: Mapping[str, tuple[str, int | None]], contrast: Contrast
) -> dict[str, list[str]]:
    """The models of every arm by seed: high, low, base, then the other arms by name."""
    first = [arm for arm in (contrast.high, contrast.low, contrast.base) if arm is not None]
    others = sorted({arm for arm, _ in models.values()} - set(first))
    by_seed = sorted(models, key=lambda model: (models[model][1] or 0, model))
    return {arm: [m for m in by_seed if models[m][0] == arm] for arm in [*first, *others]}


@dataclass(frozen=True)
class _Table:
    data: Cells
    members: Mapping[str, list[str]]
    contrast: Contrast

    def rows(self) -> Iterator[Row]:
        groups: dict[tuple[str, str, str], list[Probe]] = {}
        for probe in self.data.every:
            yield self._row(probe, "probe" if probe.self_report else "behavior", (probe,))
            if probe.self_report:
                key = (probe.behavior, probe.about, probe.framing)
                groups.setdefault(key, []).append(probe)
        for (behavior, about, framing), probes in groups.items():
            for name, kinds in SUMMARIES.items():
                taken = tuple(probe for probe in probes if probe.kind in kinds)
                if taken:
                    summary = Probe(True, behavior, about, framing, name, "", "")
                    yield self._row(summary, "mean", taken)

    def _row(self, probe: Probe, level: Level, parts: tuple[Probe, ...]) -> Row:
        values, used = average(self.data.every, parts)
        twins = [part for part in used if part in self.data.twin]
        change = self._difference(values)
        bare = probe.about == SELF and probe.framing == "none"
        paper = band(probe.behavior, probe.paper_id) if bare else None
        return Row(
            level=level,
            behavior=probe.behavior,
            trained=probe.behavior == self.contrast.behavior,
            probe=probe.question,
            paper_id=probe.paper_id,
            kind=probe.kind,
            about=probe.about,
            framing=probe.framing,
            arms=tuple(self._arm(arm, values, used or parts) for arm in self.members),
            difference=change,
            plain=self._half(self.data.plain, twins),
            twin=self._half(self.data.twin, twins),
            averaged=tuple(part.question for part in used),
            paper=str(paper) if paper else "",
            warning="; ".join(filter(None, [change.warning, self._gaps(values, parts, used)])),
        )

    def _gaps(
        self, values: Mapping[str, float], parts: tuple[Probe, ...], used: tuple[Probe, ...]
    ) -> str:
        """What is missing for want of valid answers: probes of a mean, or models of a probe."""
        left_out = ", ".join(part.question for part in parts if part not in used)
        if len(parts) > 1:
            return f"without {left_out}: a model has no valid answer" if left_out else ""
        members = {model for models in self.members.values() for model in models}
        silent = (self.data.tallies.get(parts[0], {}).keys() & members) - values.keys()
        return f"no valid answer from {', '.join(sorted(silent))}" if silent else ""

    def _half(self, half: Values, probes: list[Probe]) -> Difference | None:
        return self._difference(average(half, probes)[0]) if probes else None

    def _difference(self, values: Mapping[str, float]) -> Difference:
        high, low = (
            [values[model] for model in self.members.get(arm, []) if model in values]
            for arm in (self.contrast.high, self.contrast.low)
        )
        return difference(high, low)

    def _arm(self, arm: str, values: Mapping[str, float], parts: tuple[Probe, ...]) -> ArmResult:
        members = self.members[arm]
        finetunes = tuple((model, values[model]) for model in members if model in values)
        tallies: list[Tally] = [
            by_model[model]
            for by_model in (self.data.tallies.get(part, {}) for part in parts)
            for model in members
            if model in by_model
        ]
        return ArmResult(
            arm=arm,
            estimate=mean_interval([value for _, value in finetunes]),
            finetunes=finetunes,
            samples=sum(tally.samples for tally in tallies),
            unscored=sum(tally.unscored for tally in tallies),
            invalid=known_mean(tally.invalid for tally in tallies),
            refusal=known_mean(tally.refusal for tally in tallies),
            unlisted=known_mean(tally.unlisted for tally in tallies),
        )


def _order(row: Row) -> tuple[bool | int | str, ...]:
    """Trained behaviour first, what models do before what they say, the self before others."""
    return (
        not row.trained,
        row.behavior,
        row.framing != "none",
        row.framing,
        row.level != "behavior",
        row.about != SELF,
        " - " in row.about,
        row.about,
        row.level != "probe",
        _KIND_ORDER.index(row.kind) if row.kind in _KIND_ORDER else len(_KIND_ORDER),
        row.paper_id or "~",
        list(SUMMARIES).index(row.probe) if row.level == "mean" else row.probe,
    )
