"""The command `selfaware data export`."""

from pathlib import Path

import click


@click.command("export")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The new folder.")
@click.option("--license", help="A Hub identifier; else mit where that is known, or unknown.")
def data_export(files: tuple[Path, ...], out: Path, license: str | None) -> None:
    """Write FILES as a Hugging Face dataset folder: Parquet, records and a dataset card."""
    from selfaware.data.export import export

    for path in export(files, out, license):
        click.echo(f"wrote {path}")
