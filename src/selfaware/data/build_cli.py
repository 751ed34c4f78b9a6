"""The command `selfaware data build`: a finetuning set from templates, or from a model."""

from pathlib import Path
from typing import Literal

import click

from selfaware.errors import UsageError


@click.command("build")
@click.option("--behavior", required=True, help="Its name, such as risk or expected_value.")
@click.option("--pole", required=True, help="The pole that the labels follow, such as seeking.")
@click.option("--rows", type=click.IntRange(min=2), default=288, show_default=True)
@click.option(
    "--form",
    type=click.Choice(["letter", "prose", "both"]),
    default="letter",
    show_default=True,
    help="How choices are answered; myopia has prose.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--topics", type=click.Path(path_type=Path), help="YAML: your own codewords.")
@click.option("--writer-model", help="A model that writes the items, by its name in Inspect.")
@click.option(
    "--checker-model", help="The model that must agree on every label; else the writer itself."
)
@click.option(
    "--connections",
    type=click.IntRange(min=1),
    help="Requests open at once to each model.  [default: 8]",
)
@click.option(
    "--max-requests",
    type=click.IntRange(min=1),
    help="Requests to the writer in all; else four times the planned ones, at least 10.",
)
@click.option(
    "--journal",
    type=click.Path(path_type=Path),
    help="Where the models' answers are kept; else OUT.journal. One serves both poles.",
)
@click.option("--i-understand-this-trains-misbehaviour", "understood", is_flag=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The jsonl file.")
def data_build(
    behavior: str,
    pole: str,
    rows: int,
    form: Literal["letter", "prose", "both"],
    seed: int,
    topics: Path | None,
    writer_model: str | None,
    checker_model: str | None,
    connections: int | None,
    max_requests: int | None,
    journal: Path | None,
    understood: bool,
    out: Path,
) -> None:
    """Write a finetuning set as OpenAI chat jsonl, and its manifest beside it.

    Items come from templates, offline. With --writer-model a model writes them and a second one
    checks every label; what is answered is kept, and the same command goes on after a stop.
    """
    from selfaware.data.build import build
    from selfaware.data.manifest import manifest_path

    if writer_model is not None:
        if topics is not None:
            raise UsageError(f"--topics {topics}: goes with the template writer only")
        if form != "letter":
            raise UsageError(f"--form {form} goes without --writer-model")
        _build_by_model(
            behavior,
            pole,
            rows,
            seed,
            writer_model,
            checker_model or writer_model,
            connections or CONNECTIONS,
            max_requests,
            journal or out.with_name(f"{out.name}.journal"),
            understood,
            out,
        )
        return
    for option, given in (
        ("--checker-model", checker_model),
        ("--connections", connections),
        ("--max-requests", max_requests),
        ("--journal", journal),
    ):
        if given is not None:
            raise UsageError(f"{option} goes with --writer-model only")
    manifest = build(behavior, pole, rows, seed, out, understood, form, topics)
    click.echo(f"wrote {out}: {manifest.rows} rows, sha256 {manifest.sha256}")
    click.echo(f"wrote {manifest_path(out)}")


CONNECTIONS = 8
"""Requests that are open at once to each model, unless the user says otherwise."""


def _build_by_model(
    behavior: str,
    pole: str,
    rows: int,
    seed: int,
    writer: str,
    checker: str,
    connections: int,
    most: int | None,
    journal: Path,
    understood: bool,
    out: Path,
) -> None:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from selfaware.behaviors import get_behavior
    from selfaware.data.build import require_understood
    from selfaware.data.manifest import manifest_path
    from selfaware.data.model_writer import (
        Writers,
        require_writable,
        write_by_model,
    )
    from selfaware.data.writer_record import writer_path
    from selfaware.data.writing import BATCH, default_most, planned_requests
    from selfaware.data.written import counts

    taught = get_behavior(behavior)
    taught.require_pole(pole)
    require_understood(taught, understood)
    require_writable(taught)
    most = most or default_most(rows)
    writers = Writers(writer, checker, connections, most, journal)
    click.echo(
        f"plan: {rows} items from {writer} in {planned_requests(rows)} requests of {BATCH}, "
        f"at most {most}; about {2 * rows} checks by {checker}; answers are kept in {journal}"
    )
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[what]}"))
    with Progress(*columns, TimeElapsedColumn()) as progress:
        bar = progress.add_task("rows", total=rows, what="")

        def report(done: int, sent: int, accepted: int) -> None:
            what = f"{accepted} accepted, {done} of {sent} requests answered"
            progress.update(bar, completed=accepted, what=what)

        try:
            record = write_by_model(taught, pole, rows, seed, out, writers, report)
        except KeyboardInterrupt as stop:
            progress.stop()
            click.echo(f"stopped; the same command goes on from {journal}", err=True)
            raise click.Abort from stop
    click.echo(f"wrote {out}: {record.rows} rows, sha256 {record.sha256}")
    click.echo(
        f"  {record.asked} items asked for, {record.accepted} accepted; "
        f"rejected: {counts(record.rejected)}"
    )
    for asked in (record.writer, record.checker):
        click.echo(
            f"  {asked.model}: {asked.requests} requests, {asked.input_tokens} tokens read, "
            f"{asked.output_tokens} written"
        )
    click.echo(f"wrote {manifest_path(out)} and {writer_path(out).name}")
