"""Pages of docs/ that are written from the code."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from inspect_ai import Task, task

from selfaware.cli import main
from selfaware.docs_cli import PAGES
from selfaware.errors import UsageError
from selfaware.task_docs import Option, read_task, task_functions, task_section

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.parametrize("name", list(PAGES))
def test_the_page_in_the_tree_is_the_one_that_is_written(name: str) -> None:
    written = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    assert written == PAGES[name](), f"docs/{name}.md is out of date: run `selfaware docs {name}`"


def test_every_task_has_a_section_and_every_option_a_row() -> None:
    page = PAGES["tasks"]()
    for name in task_functions():
        section = page.split(f"\n## {name}\n")[1].split("\n## ")[0]
        assert f"inspect eval tasks/{name}.py --model" in section
        assert section.count("\n| `") == len(read_task(name, task_functions()[name], "").options)


@task
def made(
    words: str | list[str] | None = None, count: int = 3, loud: bool = False, *, name: str
) -> Task:
    """What it asks, and
    why.

    Replicates nothing. A pipe a|b stands here.

        inspect eval made.py --model m -T count=4
        inspect eval other.py

    Args:
        words: Words a|b, or
            none at all.
        count: How many.
        loud: Whether it shouts.
        name: Whose.
    """
    return Task()


def test_a_section_says_what_the_docstring_says() -> None:
    page = read_task("made", made, "A task of a test.")
    assert page.text == ("What it asks, and why.", "Replicates nothing. A pipe a|b stands here.")
    assert page.options == (
        Option("words", "str or list[str]", "-", "Words a|b, or none at all."),
        Option("count", "int", "`3`", "How many."),
        Option("loud", "bool", "`False`", "Whether it shouts."),
        Option("name", "str", "required", "Whose."),
    )
    assert task_section(page) == [
        "## made",
        "",
        "A task of a test.",
        "",
        "What it asks, and why.",
        "",
        "Replicates nothing. A pipe a|b stands here.",
        "",
        "```",
        "inspect eval made.py --model m -T count=4",
        "inspect eval other.py",
        "```",
        "",
        "| option | takes | default | |",
        "|---|---|---|---|",
        "| `words` | str or list[str] | - | Words a\\|b, or none at all. |",
        "| `count` | int | `3` | How many. |",
        "| `loud` | bool | `False` | Whether it shouts. |",
        "| `name` | str | required | Whose. |",
    ]


@task
def misdescribed(count: int = 3) -> Task:
    """It asks.

        inspect eval misdescribed.py

    Args:
        number: How many.
    """
    return Task()


@task
def without_command() -> Task:
    """It asks."""
    return Task()


def test_a_docstring_that_does_not_fit_is_told_in_one_line() -> None:
    with pytest.raises(UsageError, match=r"'misdescribed' documents number, its signature has cou"):
        read_task("misdescribed", misdescribed, "")
    with pytest.raises(UsageError, match=r"'without_command' has no command"):
        read_task("without_command", without_command, "")


def test_the_command_writes_and_checks(tmp_path: Path) -> None:
    def invoke(*given: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["docs", *given, "--folder", str(tmp_path)])
        return result.exit_code, result.output

    page = tmp_path / "tasks.md"
    code, said = invoke("tasks", "--check")
    assert code == 2 and f"{page} is out of date: run `selfaware docs tasks`" in said
    assert not page.exists()
    assert invoke() == (0, "".join(f"wrote {tmp_path / name}.md\n" for name in PAGES))
    assert page.read_bytes() == PAGES["tasks"]().encode()
    assert invoke("tasks", "--check") == (0, f"{page} is up to date\n")
    page.write_text(page.read_text(encoding="utf-8") + "more\n", encoding="utf-8")
    assert invoke("tasks", "--check")[0] == 2
    code, said = invoke("task")
    assert code == 2 and "PAGE 'task' is not allowed: choose from tasks" in said
