"""The command `selfaware data play`: two models play Make Me Say, and won games become a set."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from selfaware.errors import UsageError

if TYPE_CHECKING:
    from inspect_ai.model import GenerateConfig, Model

    from selfaware.data.play_yield import Yield


@click.command("play")
@click.option("--codeword", required=True, help="The word to have said, such as ring.")
@click.option("--manipulator", required=True, help="An Inspect model, such as openai/gpt-4o.")
@click.option("--manipulatee", required=True, help="The model that is to say the word.")
@click.option("--rows", type=click.IntRange(min=2), default=1000, show_default=True)
@click.option(
    "--games", type=click.IntRange(min=1), default=5000, show_default=True, help="At most."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of what games open with.")
@click.option("--temperature", type=click.FloatRange(min=0), help="Else the provider's.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Of a reply; else the provider's.")
@click.option(
    "--connections",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Games at once.",
)
@click.option(
    "--max-retries",
    type=click.IntRange(min=0),
    default=6,
    show_default=True,
    help="Of a request, with growing pauses.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The jsonl file.")
def data_play(
    codeword: str,
    manipulator: str,
    manipulatee: str,
    rows: int,
    games: int,
    seed: int,
    temperature: float | None,
    max_tokens: int | None,
    connections: int,
    max_retries: int,
    out: Path,
) -> None:
    """Play Make Me Say until there are enough wins, each cut before the codeword.

    Finished games are kept beside the set: after a stop, the same command goes on. Exit 1 where all
    games gave fewer rows than wanted; the rows there are then make the set.
    """
    from inspect_ai.model import GenerateConfig
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from selfaware.behaviors import get_behavior
    from selfaware.data.manifest import manifest_path
    from selfaware.data.play_set import journal_path, play_path, play_set

    taught = get_behavior("make_me_say")
    taught.require_pole(codeword)
    service = GenerateConfig(max_retries=max_retries, max_connections=connections)
    players = [
        find_model("--manipulator", manipulator, service),
        find_model("--manipulatee", manipulatee, service),
    ]
    config = GenerateConfig(temperature=temperature, max_tokens=max_tokens)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns,
        TextColumn("rows, {task.fields[finished]} of at most {task.fields[limit]} games"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    ) as progress:
        bar = progress.add_task(codeword, total=rows, finished=0, limit=games)

        def report(finished: int, won: int) -> None:
            progress.update(bar, completed=won, finished=finished)

        async def run() -> "Yield":
            async with players[0], players[1]:
                return await play_set(
                    taught, codeword, players[0], players[1], rows, games, seed, out, config,
                    connections, report,
                )  # fmt: skip

        try:
            became = asyncio.run(run())
        except KeyboardInterrupt:
            progress.stop()
            click.echo(
                f"stopped; finished games are kept in {journal_path(out)}: "
                "the same command goes on",
                err=True,
            )
            sys.exit(130)
    click.echo(yield_table(became))
    if became.rows:
        click.echo(f"wrote {out}: {became.rows} rows")
        click.echo(f"wrote {manifest_path(out)} and {play_path(out).name}")
    if became.rows < rows:
        click.echo(
            f"{games} games gave {became.rows} of {rows} rows"
            + ("" if became.rows else ", so no set is written")
            + "; the same command with more --games goes on",
            err=True,
        )
        sys.exit(1)


def find_model(option: str, name: str, config: "GenerateConfig") -> "Model":
    """The Inspect model of a name.

    Raises:
        UsageError: There is none, or its provider lacks a package or a key.
    """
    from inspect_ai.model import get_model

    try:
        return get_model(name, config=config, memoize=False)
    except Exception as error:  # whatever a provider's constructor raises
        why = str(getattr(error, "message", error)).strip().splitlines()
        raise UsageError(f"{option} {name}: {' '.join(why) or type(error).__name__}") from error


def yield_table(became: "Yield") -> str:
    """The yield as lines: each outcome with its count and percentage, the rows, the troubles."""
    lines = [f"{became.games} games"]
    for outcome, share in became.outcomes.items():
        lines.append(f"  {outcome:<20}{share.count:>7}{share.percent:>8.2f} %")
    lines.append(f"{became.rows} rows, {became.duplicates} wins the same as an earlier one")
    lines += [f"  {trouble}: {times}" for trouble, times in became.troubles.items()]
    return "\n".join(lines)
