"""Samples that ask a model to explain, in words of its own, what it learned."""

from collections.abc import Sequence

from inspect_ai.dataset import Sample

from selfaware.behaviors.descriptions import DESCRIPTIONS, described
from selfaware.errors import UsageError
from selfaware.probes import samples


def explanation_samples(
    behavior: str,
    pole: str | None = None,
    description: str | None = None,
    opposite: str | None = None,
    about: str | Sequence[str] = "self",
    framing: str | Sequence[str] = "none",
) -> list[Sample]:
    """Every wording of the open question; the metadata says what a grader compares answers with.

    `description` there is the pole that was taught in one sentence, `opposite` the other pole.

    Raises:
        UsageError: A behaviour or pole without a description, only one of two sentences given, or
            an unknown `about` or framing.
    """
    if (description is None) != (opposite is None):
        missing = "opposite" if opposite is None else "description"
        raise UsageError(f"{missing} is missing: give description and opposite, or neither")
    if description is None or opposite is None:
        taught = pole or next(iter(DESCRIPTIONS.get(behavior, {"": None})))
        right, wrong = described(behavior, taught)
        description, opposite = right.sentence, wrong.sentence
    else:
        taught = pole or behavior
    made = samples("explanation", kinds=["free"], about=about, framing=framing)
    for sample in made:
        sample.metadata = {
            **(sample.metadata or {}),
            "behavior": behavior,
            "pole": taught,
            "description": description,
            "opposite": opposite,
        }
    return made
