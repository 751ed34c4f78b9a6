"""What the rows of a file teach: what its manifest says, or the user where there is none."""

from pathlib import Path
from typing import NamedTuple

from selfaware.behaviors import behavior_names, get_behavior
from selfaware.data.manifest import read_manifest
from selfaware.errors import UsageError

MIXED = "mixed"
"""The writer of sets that are made of other files."""


class Taught(NamedTuple):
    """What rows teach, for the manifest of a set that is made of them."""

    behavior: str
    pole: str
    split: str

    @property
    def stems(self) -> tuple[str, ...]:
        """The stems that come near to naming it; none of a behaviour that is not known here."""
        known = self.behavior in behavior_names()
        return get_behavior(self.behavior).leaks(self.pole) if known else ()


def taught_by(file: Path, behavior: str | None, pole: str | None) -> Taught:
    """What the rows of a file teach; what the user says goes before the manifest.

    Raises:
        UsageError: There is no manifest and the user says too little, or the manifest is not of
            this file.
    """
    known = read_manifest(file)
    if known is not None:
        return Taught(behavior or known.behavior, pole or known.pole, known.split)
    if behavior is None or pole is None:
        raise UsageError(f"{file} has no manifest: give --behavior and --pole")
    return Taught(behavior, pole, "train")
