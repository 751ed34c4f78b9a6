"""The valid answers to a sample's question, and what each is worth."""

from collections.abc import Mapping

from selfaware.behaviors.prompts import scale_values


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
