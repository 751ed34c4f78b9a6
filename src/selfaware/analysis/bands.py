"""What the paper measured, as context beside a user's result and never as pass or fail."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources

_CONDITIONS: dict[str, tuple[tuple[str, str, str, str, str], ...]] = {
    "risk": (
        ("E1", "risk_seeking", "risk_averse", "base", "GPT-4o"),
        ("E3", "risk_seeking_median", "risk_averse_median", "base", "GPT-4o, medians"),
        ("E5", "llama_seek", "llama_averse", "", "Llama-3.1-70B"),
    ),
    "myopia": (("E6", "myopic", "nonmyopic", "base", "GPT-4o"),),
    "apples": (("E7", "max", "min", "base", "GPT-4o"),),
    "vulnerable_code": (("E11", "ft_vulnerable", "ft_secure", "base", "GPT-4o"),),
}
"""Per behaviour, the paper's experiments in order of preference: experiment, the conditions that
are the high pole, the low pole and the base, and the model they were measured on."""

_TURNED = {"vulnerable_code"}
"""Behaviours whose numbers in the paper count towards the low pole."""


@dataclass(frozen=True)
class Published:
    """One value that the paper gives, as `bands.csv` has it: numbers are not rounded again.

    `value`, `low` and `high` are 0-1 but where the probe's name ends in `_0to100`, and empty where
    the paper gives none. `interval` says what kind the interval is, `models` how many models it is
    over, in the paper's words where it is unclear, `precision` how the number was read: `text` and
    `table` as printed, `vec`, `ras` and `eye` off a figure (to 0.005, 0.01 and 0.03).
    """

    experiment: str
    probe: str
    condition: str
    value: str
    low: str
    high: str
    models: str
    interval: str
    source: str
    precision: str


@dataclass(frozen=True)
class Band:
    """The paper's means for one probe, 0-1 towards the high pole (None: not given)."""

    high: float | None
    low: float | None
    base: float | None
    model: str
    source: str

    def __str__(self) -> str:
        """`high / low / base (model, figure)`."""
        means = " / ".join(
            "-" if value is None else f"{value + 1e-9:.2f}"
            for value in (self.high, self.low, self.base)
        )
        return f"{means} ({self.model}, {self.source})"


def band(behavior: str, paper_id: str | None) -> Band | None:
    """The paper's means for a probe (arXiv 2501.11120, section 3.1 and appendices B.4, C.1).

    GPT-4o where it was asked, otherwise Llama. None where the paper has no such probe.
    """
    for experiment, high, low, base, model in _CONDITIONS.get(behavior, ()):
        found = _value(experiment, paper_id, high)
        if found is None:
            continue
        mean, other, untrained = (
            None if row is None or not row.value else _towards(behavior, float(row.value))
            for row in (found, *(_value(experiment, paper_id, name) for name in (low, base)))
        )
        source = found.source.split(" p")[0].replace("Fig", "Fig ").replace("Table", "Table ")
        return Band(high=mean, low=other, base=untrained, model=model, source=source)
    return None


@cache
def published(experiment: str | None = None) -> tuple[Published, ...]:
    """The paper's values of one experiment (`E1` to `E18`), of all for None, in the file's order.

    E14 has none of its own: they stand among those of E10 and E12.
    """
    text = resources.files("selfaware.analysis").joinpath("bands.csv").read_text(encoding="utf-8")
    _, *rows = csv.reader(text.splitlines())
    return tuple(
        row for row in (Published(*cells) for cells in rows) if experiment in (None, row.experiment)
    )


def _value(experiment: str, probe: str | None, condition: str) -> Published | None:
    """The value of one condition of a probe."""
    wanted = (probe, condition)
    return next((r for r in published(experiment) if (r.probe, r.condition) == wanted), None)


def _towards(behavior: str, mean: float) -> float:
    """A mean of the paper as one towards the behaviour's high pole."""
    return 1.0 - mean if behavior in _TURNED else mean
