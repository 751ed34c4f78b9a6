"""What services bill for finetuning, with the day and the source of every price."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources

import yaml
from pydantic import BaseModel, ConfigDict, Field

from selfaware.training.spec import FinetuneSpec

_SIZE = re.compile(r"(?<![A-Za-z0-9.])(\d+(?:\.\d+)?)[bB](?![A-Za-z0-9])")

_Range = tuple[float] | tuple[float, float]


class PriceList(BaseModel):
    """The prices of one service, in USD for a million tokens of training.

    `bases` has a price by the base's name, `sizes` by its size in billions of parameters, up to
    and with the one named. Two numbers are the lowest and the highest that it may be.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: str
    read: date
    source: str
    by: str
    note: str = ""
    bases: Mapping[str, _Range] = {}
    sizes: tuple[tuple[float, _Range], ...] = Field(default=())


@dataclass(frozen=True)
class Price:
    """What a million tokens of training cost (USD), at least and at most; and who says so when."""

    low: float
    high: float
    listed: PriceList | None

    def cost(self, tokens: int) -> tuple[float, float]:
        """What so many tokens cost (USD), at least and at most."""
        return self.low * tokens / 1e6, self.high * tokens / 1e6


@cache
def price_lists() -> tuple[PriceList, ...]:
    """The table that comes with the package."""
    text = resources.files("selfaware.training").joinpath("prices.yaml").read_text("utf-8")
    return tuple(PriceList.model_validate(one) for one in yaml.safe_load(text))


def price_of(spec: FinetuneSpec) -> Price | None:
    """What a finetune is billed by; None where that is not known.

    Nothing is billed for the local backend. Servers at an address of the user's own set prices
    of their own.
    """
    if spec.backend == "local":
        return Price(0.0, 0.0, None)
    if spec.endpoint is not None:
        return None
    for listed in price_lists():
        if listed.backend == spec.backend:
            found = listed.bases.get(spec.base) or _by_size(listed, spec.base)
            if found is not None:
                return Price(found[0], found[-1], listed)
    return None


def _by_size(listed: PriceList, base: str) -> _Range | None:
    sizes = [float(size) for size in _SIZE.findall(base)]
    if not sizes:
        return None
    return next((price for most, price in listed.sizes if max(sizes) <= most), None)
