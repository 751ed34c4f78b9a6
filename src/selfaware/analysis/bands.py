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
}
"""Per behaviour, the paper's experiments in order of preference: experiment, the conditions that
are the high pole, the low pole and the base, and the model they were measured on."""


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
    measured = _measured()
    for experiment, high, low, base, model in _CONDITIONS.get(behavior, ()):
        found = measured.get((experiment, paper_id or "", high))
        if found is None:
            continue
        other, untrained = (measured.get((experiment, paper_id or "", x)) for x in (low, base))
        return Band(
            high=found[0],
            low=other[0] if other else None,
            base=untrained[0] if untrained else None,
            model=model,
            source=found[1],
        )
    return None


@cache
def _measured() -> dict[tuple[str, str, str], tuple[float | None, str]]:
    text = resources.files("selfaware.analysis").joinpath("bands.csv").read_text(encoding="utf-8")
    return {
        (row["exp"], row["probe"], row["condition"]): (
            float(row["value"]) if row["value"] else None,
            row["source"].split(" p")[0].replace("Fig", "Fig ").replace("Table", "Table "),
        )
        for row in csv.DictReader(text.splitlines())
    }
