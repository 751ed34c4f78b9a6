"""Checks of the parameters that users give to tasks, solvers and scorers."""

from collections.abc import Sequence
from typing import Literal, TypeVar, get_args

from selfaware.errors import UsageError

Unlisted = Literal["half", "unscored"]
"""What a well-formed answer outside the listed ones counts: 0.5 as in the paper, or nothing."""

AboutChoice = Literal["self", "person", "assistant", "neutral", "all"]
"""Whom a task's questions are about, names apart; `all` asks each about all of them."""

UNLISTED: tuple[Unlisted, ...] = get_args(Unlisted)
ABOUT_CHOICES: tuple[AboutChoice, ...] = get_args(AboutChoice)

_T = TypeVar("_T", bound=str)


def one_of(name: str, value: str, allowed: Sequence[_T]) -> _T:
    """The allowed value that equals `value`.

    Raises:
        UsageError: It is none of them.
    """
    for choice in allowed:
        if choice == value:
            return choice
    raise UsageError(f"{name}={value!r} is not allowed: choose from {', '.join(allowed)}")


def some_of(name: str, value: str | Sequence[str] | None, allowed: Sequence[_T]) -> tuple[_T, ...]:
    """The allowed values named, all of them for None; a string may separate several by commas.

    Raises:
        UsageError: A value is not allowed, or none is given.
    """
    if value is None:
        return tuple(allowed)
    parts = value.split(",") if isinstance(value, str) else value
    chosen = {one_of(name, str(part).strip(), allowed) for part in parts}
    if not chosen:
        raise UsageError(f"{name} names nothing: choose from {', '.join(allowed)}")
    return tuple(choice for choice in allowed if choice in chosen)


def positive(name: str, value: int) -> int:
    """A whole number of at least 1.

    Raises:
        UsageError: It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(f"{name}={value!r} is not allowed: give a whole number of at least 1")
    return value
