"""The command `selfaware data answer`: a set in, a model's answers to its prompts out."""

from pathlib import Path

import click


@click.command("answer")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--model", required=True, help="Who answers, by its name in Inspect.")
@click.option(
    "--connections",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Requests open at once.",
)
@click.option(
    "--journal",
    type=click.Path(path_type=Path),
    help="Where replies are kept; else OUT.journal. One serves several files.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The jsonl file.")
def data_answer(file: Path, model: str, connections: int, journal: Path | None, out: Path) -> None:
    """Have a model answer the prompts of FILE normally: temperature 0 and no system prompt.

    Where a row of FILE answers A or B, so must the model; what is none is left out and counted.
    Every reply is kept, and the same command goes on after a stop.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from selfaware.data.answering import answer_path, answer_set, counted

    kept = journal or out.with_name(f"{out.name}.journal")
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[what]}"))
    with Progress(*columns, TimeElapsedColumn()) as progress:
        bar = progress.add_task("answers", total=None, what="")

        def report(done: int, of: int) -> None:
            progress.update(bar, total=of, completed=done, what=f"{done} of {of}")

        try:
            record = answer_set(file, model, connections, kept, out, report)
        except KeyboardInterrupt as stop:
            progress.stop()
            click.echo(f"stopped; the same command goes on from {kept}", err=True)
            raise click.Abort from stop
    click.echo(f"wrote {out}: {record.rows} of {record.asked} rows, sha256 {record.sha256}")
    click.echo(f"  left out: {counted(record.dropped)}")
    asked = record.model
    click.echo(
        f"  {asked.model}: {asked.requests} requests, {asked.input_tokens} tokens read, "
        f"{asked.output_tokens} written"
    )
    click.echo(f"wrote {answer_path(out).name}; replies are kept in {kept}")
