"""Where behaviours are found: in this package, or in others that declare an entry point."""

from importlib import resources
from importlib.metadata import EntryPoint, entry_points
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path

from selfaware.errors import UsageError

GROUP = "selfaware.behaviors"
"""The entry point group: the name is the behaviour's, the object is its `Behavior`."""


def installed_behaviors() -> dict[str, EntryPoint]:
    """The behaviours that installed packages add, by name; nothing of theirs is imported yet."""
    return {point.name: point for point in entry_points(group=GROUP)}


def bank_file(behavior: str) -> Traversable:
    """The question bank: `NAME.yaml` in this package, or beside the module of an installed one.

    Raises:
        UsageError: There is no such file, or not the module that an entry point names.
    """
    file: Traversable = resources.files("selfaware.behaviors") / f"{behavior}.yaml"
    point = installed_behaviors().get(behavior)
    if not file.is_file() and point is not None:
        try:
            spec = find_spec(point.module)
        except ModuleNotFoundError:
            spec = None
        if spec is None or spec.origin is None:
            raise UsageError(f"entry point {behavior} = {point.value!r} of {GROUP}: no such module")
        file = Path(spec.origin).with_name(f"{behavior}.yaml")
    if not file.is_file():
        raise UsageError(f"unknown behaviour {behavior!r}: no question bank {file}")
    return file
