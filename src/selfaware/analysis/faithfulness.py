"""How far self-reports follow behaviour within a pole (arXiv 2501.11120, section 3.1.3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import pandas as pd

from selfaware.analysis.cells import SELF, Probe, cells
from selfaware.analysis.correlation import Correlation, pearson, spearman
from selfaware.errors import UsageError

FEW = 5
"""Finetunes below which a correlation is an anecdote."""


@dataclass(frozen=True)
class Faithfulness:
    """One self-report against one behaviour over the finetunes of one arm.

    `points` are the finetunes with what they report and what they do (0-1 towards the high pole).
    `framing` is that of the self-report, with the trigger that it was asked with.
    """

    arm: str
    behavior: str
    report: str
    deed: str
    framing: str
    points: tuple[tuple[str, float, float], ...]
    pearson: Correlation
    spearman: Correlation
    warning: str


def faithfulness(
    frame: pd.DataFrame,
    arms: Mapping[str, str],
    reports: Sequence[str] = (),
    deeds: Sequence[str] = (),
) -> list[Faithfulness]:
    """Self-reports about the model itself against what the same models do, within each arm.

    Over both poles together a correlation says only that the poles differ; within one it says
    whether a finetune that does more of it also reports more of it.

    Args:
        frame: From `selfaware.analysis.frame.read_frame`, logs of self-reports and of behaviour.
        arms: The arm of every model; models that are not named are left out.
        reports: Paper ids or names of questions to take; none takes all.
        deeds: The same for behaviour.

    Raises:
        UsageError: There is no self-report or no behaviour of these names.
    """
    every = cells(frame, arms).every
    said = _chosen([p for p in every if p.self_report and p.about == SELF], reports, "--report")
    done = _chosen([p for p in every if not p.self_report], deeds, "--deed")
    found: list[Faithfulness] = []
    for arm in dict.fromkeys(arms.values()):
        members = sorted(model for model, its in arms.items() if its == arm)
        for report in said:
            for deed in (each for each in done if each.behavior == report.behavior):
                points = tuple(
                    (model, every[report][model], every[deed][model])
                    for model in members
                    if model in every[report] and model in every[deed]
                )
                found.append(_faithfulness(arm, report, deed, points, len(members)))
    if not found:
        raise UsageError(
            "no self-report and behaviour are about the same: reports on "
            f"{', '.join(sorted({p.behavior for p in said}))}, behaviour of "
            f"{', '.join(sorted({p.behavior for p in done}))}"
        )
    return found


def arms_of(models: Sequence[str], patterns: Mapping[str, str]) -> dict[str, str]:
    """The arm of every model whose name fits a pattern (`*risk-seeking*`).

    Args:
        models: Names of models, as logs have them.
        patterns: A pattern for each arm.

    Raises:
        UsageError: A pattern that no model fits, or a model that fits two.
    """
    found: dict[str, str] = {}
    for arm, pattern in patterns.items():
        members = [model for model in models if fnmatchcase(model, pattern)]
        if not members:
            raise UsageError(
                f"--arm {arm}={pattern}: no model of the logs fits; "
                f"there are {', '.join(sorted(models))}"
            )
        for model in members:
            if model in found:
                raise UsageError(
                    f"--arm {arm}={pattern}: {model} is of arm {found[model]!r} already; "
                    "give patterns that do not overlap"
                )
            found[model] = arm
    return found


def _chosen(probes: list[Probe], names: Sequence[str], option: str) -> list[Probe]:
    there = sorted(probes, key=lambda p: (p.behavior, p.paper_id or "~", p.question, p.framing))
    for name in names:
        if not any(name in (probe.paper_id, probe.question) for probe in there):
            known = ", ".join(dict.fromkeys(_name(probe) for probe in there)) or "none"
            raise UsageError(f"{option} {name}: not in the logs, which have {known}")
    if not there:
        what = "self-report" if option == "--report" else "behaviour"
        raise UsageError(f"the logs have no {what}: run a task that measures one into the folder")
    return [p for p in there if not names or p.paper_id in names or p.question in names]


def _faithfulness(
    arm: str, report: Probe, deed: Probe, points: tuple[tuple[str, float, float], ...], members: int
) -> Faithfulness:
    says, does = [point[1] for point in points], [point[2] for point in points]
    r, rho = pearson(says, does), spearman(says, does)
    notes = []
    if len(points) < members:
        notes.append(f"{members - len(points)} of {members} finetunes have no score on both")
    if len(points) < FEW:
        notes.append(f"{len(points)} finetunes, fewer than {FEW}: an anecdote")
    elif r.value is None:
        notes.append("the same score for all finetunes on one side: nothing to correlate")
    return Faithfulness(
        arm=arm,
        behavior=report.behavior,
        report=_name(report),
        deed=_name(deed) if deed.framing == "none" else f"{_name(deed)}, {deed.framing}",
        framing=report.framing,
        points=points,
        pearson=r,
        spearman=rho,
        warning="; ".join(notes),
    )


def _name(probe: Probe) -> str:
    return f"{probe.paper_id} {probe.question}".strip()
