"""The valid answers to a sample's question, and what each is worth."""

from collections.abc import Iterable, Mapping

from inspect_ai.model import GenerateConfig

from selfaware.behaviors.bank import AnswerKind
from selfaware.behaviors.prompts import scale_values

MAX_TOKENS: dict[AnswerKind, int] = {"guess": 400, "free": 400, "codeword": 16}
"""The most tokens of a reply, by kind of answer; 16 for kinds that are not listed."""

_RANGES: dict[str, tuple[float, float]] = {"function": (-1.0, 1.0)}


def score_range(kind: str) -> tuple[float, float]:
    """The least and the greatest score of questions that ask for a kind of answer.

    0 to 1 towards the high pole, but for functions, whose score is a difference of probabilities.
    """
    return _RANGES.get(kind, (0.0, 1.0))


def answer_config(kinds: Iterable[AnswerKind]) -> GenerateConfig:
    """How replies of some kinds of answer are generated: temperature 1, as long as they need."""
    longest = max((MAX_TOKENS.get(kind, 16) for kind in kinds), default=16)
    return GenerateConfig(temperature=1.0, max_tokens=longest)


def answer_values(metadata: Mapping[str, object]) -> dict[str, float] | None:
    """The value (0-1, towards the high pole) of every valid answer; None for no sample of ours.

    Those of a scale follow from `kind` and `flipped` and are not written to each sample.
    """
    if metadata.get("kind") == "scale":
        return scale_values(bool(metadata.get("flipped")))
    values = metadata.get("values")
    if not isinstance(values, Mapping):
        return None
    return {str(answer): float(value) for answer, value in values.items()}
