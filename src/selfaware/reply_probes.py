"""The samples of behaviours that are no choice: held-out prompts that are answered freely."""

from inspect_ai.dataset import Sample

from selfaware.behaviors import BEHAVIORS, get_behavior
from selfaware.behaviors.examples import Measure
from selfaware.errors import UsageError
from selfaware.parameters import positive


def reply_samples(behavior: str, count: int, seed: int) -> list[Sample]:
    """Prompts that no finetuning set holds; they are the same for a model of either pole.

    Raises:
        UsageError: An unknown behaviour, one that measures no replies, or a count below 1 or above
            what there is.
    """
    taught = get_behavior(behavior)
    measure_of(behavior)
    examples = taught.examples(taught.high, positive("count", count), seed, "test")
    return [
        Sample(
            id=f"reply/{index:04d}",
            input=example.turns[0],
            metadata={
                "behavior": behavior,
                "question": "reply",
                "paper_id": None,
                "kind": "reply",
                "about": "self",
                "paraphrase": index,
                "swapped": False,
                "flipped": False,
                "values": {},
                "framing": "none",
                "pole": taught.high,
                **{f"item_{name}": value for name, value in example.attributes.items()},
            },
        )
        for index, example in enumerate(examples)
    ]


def measure_of(behavior: str) -> Measure:
    """What a behaviour's free replies are worth.

    Raises:
        UsageError: An unknown behaviour, or one that measures no replies.
    """
    measure = get_behavior(behavior).measure
    if measure is None:
        known = ", ".join(name for name, each in BEHAVIORS.items() if each.measure is not None)
        raise UsageError(
            f"behavior={behavior!r} measures no free replies: choose from {known}; "
            "choices are measured by behavior_choice"
        )
    return measure
