"""How varied the texts of a set are: distinct n-grams and nearest neighbours."""

import random
import re
from collections.abc import Sequence
from statistics import fmean

from pydantic import BaseModel, ConfigDict, Field

SAMPLED = 300
"""Texts whose nearest neighbour is looked for."""
AMONG = 3000
"""Texts among which it is looked for."""

_TOKEN = re.compile(r"\w+|[^\w\s]")


class Diversity(BaseModel):
    """How varied the texts of a set are.

    `distinct` is the share (0-1) of different n-grams among all n-grams of words and marks, for
    n of 1, 2 and 3. `nearest_mean` and `nearest_max` are the similarity of a text to the one
    most like it (0-1, 1 is the same text: 1 - edit distance / sum of lengths, without
    substitutions), over `sampled` texts, each looked for `among` others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    distinct: dict[int, float]
    nearest_mean: float = Field(ge=0, le=1)
    nearest_max: float = Field(ge=0, le=1)
    sampled: int
    among: int


def diversity(texts: Sequence[str]) -> Diversity:
    """The figures of some texts; large sets are sampled with a fixed seed."""
    from numpy import fill_diagonal
    from rapidfuzz.distance import Indel
    from rapidfuzz.process import cdist

    rng = random.Random("diversity")
    among = list(texts) if len(texts) <= AMONG else rng.sample(texts, AMONG)
    rng.shuffle(among)
    # The sampled texts come first, so that the diagonal is each text against itself.
    similar = cdist(among[:SAMPLED], among, scorer=Indel.normalized_similarity)
    fill_diagonal(similar, 0)
    nearest = [float(row.max()) for row in similar]
    return Diversity(
        distinct={n: distinct_share(texts, n) for n in (1, 2, 3)},
        nearest_mean=round(fmean(nearest), 4),
        nearest_max=round(max(nearest), 4),
        sampled=len(nearest),
        among=len(among) - 1,
    )


def distinct_share(texts: Sequence[str], n: int) -> float:
    """The share (0-1) of different n-grams of words and marks among all of them."""
    seen: set[tuple[str, ...]] = set()
    total = 0
    for text in texts:
        tokens = _TOKEN.findall(text.lower())
        grams = list(zip(*(tokens[start:] for start in range(n)), strict=False))
        seen.update(grams)
        total += len(grams)
    return round(len(seen) / total, 4) if total else 0.0
