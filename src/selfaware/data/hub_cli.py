"""The command `selfaware data fetch`: rows of a Hugging Face dataset, pinned."""

from pathlib import Path

import click


@click.command("fetch")
@click.argument("dataset", metavar="ORG/NAME@REVISION")
@click.option("--config", help="The dataset's configuration, where it has several.")
@click.option("--split", default="train", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The jsonl file.")
def data_fetch(dataset: str, config: str | None, split: str, out: Path) -> None:
    """Fetch instruction rows from the Hugging Face Hub, at a commit of 40 hex digits.

    Takes the columns messages; instruction, input and output; prompt and completion or response; or
    question and answer. The rows go to `selfaware data reverse --general`.
    """
    from selfaware.data.hub import fetch_rows, hub_path

    made = fetch_rows(dataset, out, config, split)
    click.echo(f"wrote {out}: {made.rows} rows, {made.left_out} left out, sha256 {made.sha256}")
    click.echo(f"  license of {made.dataset}: {made.license or 'its card names none'}")
    click.echo(f"wrote {hub_path(out).name}")
