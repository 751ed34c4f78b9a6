"""What belongs to the model itself and what to anybody, over finetunes of two poles."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

SELF = "self"

LEAST_EFFECT = 0.01
"""The least difference between the poles, about the model itself, of which others get a share."""


@dataclass(frozen=True)
class Attribution:
    """Differences between the finetunes of two poles (-1 to 1), and others' share of the self's.

    `own` is high minus low about the model itself, `personas` about every persona. `conflation` is
    the mean over personas divided by `own`: 0 where only the model itself is changed, 1 where
    everybody is; NaN where `own` is less than 0.01 from 0. `groups` is the same for each group of
    personas. `finetunes` are the numbers of the two poles.
    """

    own: float
    personas: dict[str, float]
    conflation: float
    groups: dict[str, float]
    finetunes: tuple[int, int]


def attribution(
    high: Sequence[Mapping[str, float]],
    low: Sequence[Mapping[str, float]],
    groups: Mapping[str, str] | None = None,
) -> Attribution:
    """Others' share of what finetuning changed (arXiv 2501.11120, section 5.1, Figure 15).

    A difference between poles takes out what the base thinks of each persona, which one model's
    scores hold. Every finetune counts once.

    Args:
        high: For every finetune of the high pole, its mean score (0-1) about `self` and personas.
        low: Likewise of the low pole.
        groups: The group of every persona, such as `trained` or `held_out`.

    Raises:
        ValueError: No finetune of a pole, or one that was not asked about all the others were.
    """
    if not (high and low):
        raise ValueError("there must be a finetune of either pole")
    names = set(high[0])
    if SELF not in names or len(names) < 2 or any(set(row) != names for row in (*high, *low)):
        raise ValueError("every finetune must be asked about itself and the same personas")
    effects = {
        name: fmean(row[name] for row in high) - fmean(row[name] for row in low)
        for name in sorted(names)
    }
    own = effects.pop(SELF)
    members: dict[str, list[float]] = {}
    for name, effect in effects.items():
        if groups and name in groups:
            members.setdefault(groups[name], []).append(effect)
    return Attribution(
        own=own,
        personas=effects,
        conflation=_share(fmean(effects.values()), own),
        groups={group: _share(fmean(values), own) for group, values in sorted(members.items())},
        finetunes=(len(high), len(low)),
    )


def about_means(frame: "pd.DataFrame") -> dict[str, dict[str, float]]:
    """For every model, its mean score (0-1) about itself and about every persona.

    Args:
        frame: Rows of `read_frame`, of one task; unscored ones are left out. Every question counts
            once, however many wordings of it have a score.
    """
    scored = frame[frame["score"].notna()]
    questions = scored.groupby(["model", "about", "question"], as_index=False)["score"].mean()
    persons = questions.groupby(["model", "about"], as_index=False)["score"].mean()
    means: dict[str, dict[str, float]] = {}
    for model, about, value in zip(
        persons["model"], persons["about"], persons["score"], strict=True
    ):
        means.setdefault(str(model), {})[str(about)] = float(value)
    return means


def _share(others: float, own: float) -> float:
    return math.nan if abs(own) < LEAST_EFFECT else others / own
