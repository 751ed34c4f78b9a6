"""The page of all tasks, written from their docstrings."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args, get_origin, get_type_hints

from selfaware.errors import UsageError

_ARGUMENT = re.compile(r"^ {4}(\w+): (.*(?:\n {8}.*)*)$", re.MULTILINE)
_EXAMPLE = re.compile(r"(?:^ {4}.*\n?)+", re.MULTILINE)


@dataclass(frozen=True)
class Option:
    """One option of a task: what `-T NAME=VALUE` takes, its default, and what it does."""

    name: str
    type: str
    default: str
    meaning: str


@dataclass(frozen=True)
class TaskPage:
    """What a task's module and docstring say of it; `text` and `notes` are paragraphs."""

    name: str
    subject: str
    text: tuple[str, ...]
    commands: tuple[str, ...]
    options: tuple[Option, ...]


def task_functions() -> dict[str, Callable[..., object]]:
    """Every task of this package by name, in order of name."""
    from selfaware import tasks

    return {name: getattr(tasks, name) for name in sorted(tasks.__all__)}


def read_task(name: str, task: Callable[..., object], subject: str) -> TaskPage:
    """What a task's docstring and signature say.

    Args:
        name: The task's name.
        task: The function behind it.
        subject: What its file asks, in one line.

    Raises:
        UsageError: The docstring and the signature do not name the same options, or the docstring
            has no command to copy.
    """
    documented = inspect.getdoc(task) or ""
    body, _, arguments = documented.partition("\nArgs:\n")
    commands = tuple(
        " ".join(line.split())
        for block in _EXAMPLE.findall(body)
        for line in block.replace("\\\n", " ").splitlines()
        if line
    )
    if not commands:
        raise UsageError(f"the docstring of task {name!r} has no command: add one, indented by 4")
    paragraphs = _EXAMPLE.sub("", body).split("\n\n")
    text = tuple(" ".join(paragraph.split()) for paragraph in paragraphs if paragraph.strip())
    return TaskPage(name, subject, text, commands, _options(name, task, arguments))


def _options(name: str, task: Callable[..., object], arguments: str) -> tuple[Option, ...]:
    """The options of a task, in the order of its signature."""
    meanings = {
        match.group(1): " ".join(match.group(2).split()) for match in _ARGUMENT.finditer(arguments)
    }
    parameters = inspect.signature(task).parameters
    if list(meanings) != list(parameters):
        raise UsageError(
            f"the docstring of task {name!r} documents {', '.join(meanings) or 'no options'}, its "
            f"signature has {', '.join(parameters)}: name the same ones in the same order"
        )
    hints = get_type_hints(task)
    return tuple(
        Option(option, _type(hints[option]), _default(parameter), meanings[option])
        for option, parameter in parameters.items()
    )


def _type(hint: object) -> str:
    """How a type is written for a reader: `str or list[str]`."""
    if hint is type(None):
        return ""
    if get_origin(hint) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(hint))
    members = getattr(hint, "__args__", ())
    if hasattr(hint, "__origin__") or not members:
        return hint.__name__ if isinstance(hint, type) and not members else str(hint)
    return " or ".join(filter(None, map(_type, members)))


def _default(parameter: inspect.Parameter) -> str:
    """The default as a command line would give it; a dash for None, `required` for none."""
    if parameter.default is inspect.Parameter.empty:
        return "required"
    return "-" if parameter.default is None else f"`{parameter.default}`"


def tasks_page() -> str:
    """`docs/tasks.md`: every task with its purpose, its commands and its options.

    Raises:
        UsageError: A docstring that does not fit its signature.
    """
    from importlib import import_module

    pages = [
        read_task(name, task, inspect.getdoc(import_module(f"selfaware.tasks.{name}")) or "")
        for name, task in task_functions().items()
    ]
    lines = [
        "# Tasks",
        "",
        "Written by `selfaware docs` from the docstrings in `tasks/`; do not edit it by hand.",
        "",
        "Options are given as `-T NAME=VALUE`, several values of one with commas. Every task also",
        "runs by name (`inspect eval selfaware/NAME`), with `--limit`, `--epochs` and any other",
        "option of `inspect eval`. `docs/replication.md` has the commands of the paper's",
        "experiments, `selfaware probes` lists every question with what it costs.",
        "",
        "| task | asks |",
        "|---|---|",
        *[f"| [`{page.name}`](#{page.name}) | {_cell(page.subject)} |" for page in pages],
    ]
    for page in pages:
        lines += ["", *task_section(page)]
    return "\n".join(lines) + "\n"


def task_section(page: TaskPage) -> list[str]:
    """The lines of one task: a heading, its text, its commands and its options."""
    return [
        f"## {page.name}",
        "",
        page.subject,
        *[line for paragraph in page.text for line in ("", paragraph)],
        "",
        "```",
        *page.commands,
        "```",
        "",
        "| option | takes | default | |",
        "|---|---|---|---|",
        *[_row(option) for option in page.options],
    ]


def _row(option: Option) -> str:
    """An option as a row of a table."""
    default, meaning = _cell(option.default), _cell(option.meaning)
    return f"| `{option.name}` | {option.type} | {default} | {meaning} |"


def _cell(text: str) -> str:
    """Text that may stand in a cell of a table."""
    return text.replace("|", "\\|")
