"""What every task of the package needs in a test that runs them all."""

from inspect import signature
from pathlib import Path

from inspect_ai import Task
from inspect_ai.model import Model
from sandboxing import REASON
from scripted_models import saying

from selfaware.errors import UsageError
from selfaware.task_docs import task_functions

ARGUMENTS: dict[str, dict[str, object]] = {
    "codeword_function": {"sandbox": "bubblewrap", "draws": 2},
}
"""What a task cannot be run without, or not cheaply; `draws` is 2 for any that has it."""

ROLES = ("grader", "guesser", "manipulatee")
"""Every role that some task needs a model in."""


def names() -> list[str]:
    """The tasks that can be run on this machine."""
    return [name for name in task_functions() if name != "codeword_function" or not REASON]


def made(name: str, **given: object) -> Task:
    """A task of the package as `inspect eval` makes it, with draws that are few."""
    function = task_functions()[name]
    few = {"draws": 2} if "draws" in signature(function).parameters else {}
    task = function(**{**few, **ARGUMENTS.get(name, {}), **given})
    if not isinstance(task, Task):
        raise UsageError(f"{name} makes no Task")
    return task


def roles() -> dict[str, Model]:
    """A model for every role, which says a word that any judge may say."""
    return {role: saying("German") for role in ROLES}


FILES = Path(__file__).parent.parent / "tasks"
"""Where the tasks lie, one a file."""
