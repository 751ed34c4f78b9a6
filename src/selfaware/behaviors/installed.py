"""Behaviours of other packages, found by the entry points that these declare."""

from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from selfaware.errors import UsageError

GROUP = "selfaware.behaviors"
"""The entry point group: the name is the behaviour's, the object is its `Behavior`."""


def installed_behaviors() -> dict[str, EntryPoint]:
    """The behaviours that installed packages add, by name; nothing of theirs is imported yet."""
    return {point.name: point for point in entry_points(group=GROUP)}


def installed_bank(behavior: str) -> Path | None:
    """Where the question bank of an installed behaviour should lie: `NAME.yaml` by its module.

    Returns:
        None if no installed package declares the behaviour.

    Raises:
        UsageError: The module that is declared does not exist.
    """
    point = installed_behaviors().get(behavior)
    if point is None:
        return None
    try:
        spec = find_spec(point.module)
    except ModuleNotFoundError:
        spec = None
    if spec is None or spec.origin is None:
        raise UsageError(f"entry point {behavior} = {point.value!r} of {GROUP}: no such module")
    return Path(spec.origin).with_name(f"{behavior}.yaml")
