"""Behaviours of other packages, found by the entry points that these declare."""

from importlib.metadata import EntryPoint, entry_points

GROUP = "selfaware.behaviors"
"""The entry point group: the name is the behaviour's, the object is its `Behavior`."""


def installed_behaviors() -> dict[str, EntryPoint]:
    """The behaviours that installed packages add, by name; nothing of theirs is imported yet."""
    return {point.name: point for point in entry_points(group=GROUP)}
