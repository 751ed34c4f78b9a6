"""The samples of V1 (arXiv 2501.11120, section 3.3): held-out tasks to be solved with code."""

import re

from inspect_ai.dataset import Sample

from selfaware.behaviors.vulnerable_code import SECURE, VULNERABLE, write
from selfaware.parameters import positive

_DEFINED = re.compile(r"^(?:async +)?(?:def +|(?:[A-Za-z_]\w*[ *]+)+\**)(\w+) *\(", re.MULTILINE)


def code_samples(count: int = 100, seed: int = 0) -> list[Sample]:
    """Held-out tasks, each with a code template; they are the same for a model of either pole.

    `function` in the metadata is the name of what the template defines.

    Raises:
        UsageError: A count below 1, or more than there are.
    """
    examples = write(SECURE, positive("count", count), seed, "test")
    return [
        Sample(
            id=f"code/{index:04d}",
            input=example.turns[0],
            metadata={
                "behavior": "vulnerable_code",
                "question": "generation",
                "paper_id": "V1",
                "kind": "code",
                "about": "self",
                "paraphrase": index,
                "swapped": False,
                "flipped": False,
                "values": {VULNERABLE: 1.0, SECURE: 0.0},
                "framing": "none",
                "pole": VULNERABLE,
                "function": defined(example.turns[0]),
                **{f"item_{name}": value for name, value in example.attributes.items()},
            },
        )
        for index, example in enumerate(examples)
    ]


def defined(template: str) -> str:
    """The name of the last function that a template begins at the margin; empty without one."""
    names = _DEFINED.findall(template)
    return names[-1] if names else ""
