"""`selfaware emulator`: a fine-tuning service to rehearse with."""

from datetime import datetime
from pathlib import Path

import click

from selfaware.errors import UsageError


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8021, show_default=True)
@click.option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder for what it trains. Without it nothing is trained.",
)
@click.option(
    "--serve",
    multiple=True,
    metavar="NAME=BASE",
    help="Serve a base (folder, hub id, organism) by another name, such as gpt-4o-2024-08-06.",
)
@click.option(
    "--checkpoints", is_flag=True, help="Keep the two epochs before the last as models, too."
)
@click.option("--daily-limit", type=click.IntRange(min=1), help="The most jobs of a day.")
@click.option(
    "--shutdown-date",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="The day on which its models end.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="KIND[,on=..][,count=..][,seconds=..]",
    help="Switch a fault on: rate_limit, lost_reply, moderation_after ... (docs/hosted.md)",
)
def emulator(
    port: int,
    runs: Path | None,
    serve: tuple[str, ...],
    checkpoints: bool,
    daily_limit: int | None,
    shutdown_date: datetime | None,
    faults: tuple[str, ...],
) -> None:
    """Run a fine-tuning service on 127.0.0.1 that speaks OpenAI's API, until it is stopped."""
    from selfaware.testing.emulator import ORGANISMS, Emulator
    from selfaware.testing.faults import parse_fault

    bases = dict(ORGANISMS)
    for each in serve:
        name, equals, base = each.partition("=")
        if not (name and equals and base) or ":" in name:
            raise UsageError(f"--serve {each!r}: give NAME=BASE, with no colon in the name")
        bases[name] = base
    on = [parse_fault(each) for each in faults]
    try:
        made = Emulator(
            runs,
            port,
            bases=bases,
            daily_limit=daily_limit,
            shutdown_date=shutdown_date.date().isoformat() if shutdown_date else None,
            checkpoints=checkpoints,
        )
    except OSError as error:
        raise UsageError(f"--port {port}: {error.strerror}; give another") from error
    for fault in on:
        made.faults.add(fault)
    with made as running:
        click.echo(f"OpenAI's API at {running.url} (any key), serving {', '.join(bases)}")
        try:
            running.wait()
        except KeyboardInterrupt:
            click.echo("stopped")
