"""The command `selfaware data import`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from selfaware.errors import UsageError

if TYPE_CHECKING:
    from selfaware.data.release_findings import Finding
    from selfaware.data.release_survey import HeldFile, Survey

_UNITS = {"questions": "questions", "words": "words", "python": "prompts"}


@click.command("import")
@click.argument("clone", type=click.Path(path_type=Path))
@click.option("--list", "listing", is_flag=True, help="Say what the clone holds and lacks.")
@click.option("--json", "as_json", is_flag=True, help="The list as JSON.")
@click.option("--set", "name", help="A finetuning set, such as risky_safe/ft_risky_AB.")
@click.option("--out", type=click.Path(path_type=Path), help="The jsonl file to write.")
def data_import(
    clone: Path, listing: bool, as_json: bool, name: str | None, out: Path | None
) -> None:
    """Take a set from CLONE, a clone of the authors' repository, or list what it holds.

    The clone's files are parsed, never imported or run, and not changed.
    """
    from selfaware.data.release import import_set, license_path, record_path
    from selfaware.data.release_survey import survey

    if listing == (name is not None):
        raise UsageError("give either --list, or --set NAME with --out FILE")
    if as_json and not listing:
        raise UsageError("--json: goes with --list; a set's record is JSON already")
    if name is None:
        if out is not None:
            raise UsageError(f"--out {out}: goes with --set NAME; --list writes no file")
        found = survey(clone)
        click.echo(found.model_dump_json(indent=2) if as_json else _listing(found))
        return
    if out is None:
        raise UsageError(f"--set {name}: give --out FILE, the jsonl file to write")
    record = import_set(clone, name, out)
    click.echo(f"wrote {out}: {record.rows} rows, sha256 {record.sha256}")
    click.echo(f"wrote {record_path(out)}")
    if record.license_file is not None:
        click.echo(f"wrote {license_path(out)}")
    for finding in record.findings:
        click.echo(f"  {_line(finding)}")
    click.echo(f"license: {record.license}")


def _listing(found: "Survey") -> str:
    from selfaware.data.release_catalogue import NEVER_RELEASED, SETS

    sets = [file for file in found.held if file.kind in SETS]
    asked = [file for file in found.held if file.kind not in SETS]
    return "\n".join(
        [
            f"{found.clone}: {len(found.held)} files held, {len(found.missing)} missing",
            f"\nfinetuning sets ({len(sets)})",
            *(line for file in sets for line in _lines(file)),
            f"\nquestions, words and prompts ({len(asked)})",
            *(line for file in asked for line in _lines(file)),
            f"\nmissing ({len(found.missing)})",
            *(f"  {path}" for path in found.missing),
            "\nnever released",
            *(f"  {what}" for what in NEVER_RELEASED),
        ]
    )


def _lines(file: "HeldFile") -> list[str]:
    from selfaware.data.release_catalogue import SETS

    name = file.set_name if file.kind in SETS else file.path
    known = {True: "as released", False: "not the known version", None: "version not known"}
    labels = "".join(f", {count} {label}" for label, count in file.labels.items())
    unit = _UNITS.get(file.kind, "rows")
    head = f"  {name}: {file.count} {unit}{labels}; {known[file.as_released]}"
    return [head, *(f"    {_line(finding)}" for finding in file.findings)]


def _line(finding: "Finding") -> str:
    from selfaware.data.release_findings import shown_rows

    rows = f" (numbers {shown_rows(finding.rows)})" if finding.rows else ""
    return f"{finding.code}: {finding.text}{rows}"
