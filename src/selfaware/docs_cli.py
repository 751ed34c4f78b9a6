"""The command `selfaware docs`: pages that are written from the code."""

from collections.abc import Callable
from pathlib import Path

import click

from selfaware.errors import UsageError
from selfaware.replication_docs import replication_page
from selfaware.task_docs import tasks_page

PAGES: dict[str, Callable[[], str]] = {"tasks": tasks_page, "replication": replication_page}
"""Every page that is written from the code, by the name of its file."""


@click.command()
@click.argument("names", nargs=-1, metavar="[PAGE]...")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("docs"),
    show_default=True,
    help="Where the pages lie.",
)
@click.option("--check", is_flag=True, help="Write nothing; fail if a page is out of date.")
def docs(names: tuple[str, ...], folder: Path, check: bool) -> None:
    """Write the pages of docs/ that come from the code: all of them, or each PAGE named."""
    from selfaware.data.atomic import atomic_text

    for name in names or PAGES:
        if name not in PAGES:
            raise UsageError(f"PAGE {name!r} is not allowed: choose from {', '.join(PAGES)}")
        file = folder / f"{name}.md"
        text = PAGES[name]()
        if not check:
            with atomic_text(file) as page:
                page.write(text)
            click.echo(f"wrote {file}")
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            raise UsageError(f"{file} is out of date: run `selfaware docs {name}`")
        else:
            click.echo(f"{file} is up to date")
