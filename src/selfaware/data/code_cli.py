"""The command `selfaware data code`: a source of code in, a set of one pole and its record out."""

from pathlib import Path
from typing import Literal

import click

_LABELS = click.Choice(["vulnerable", "secure"])


@click.command("code")
@click.argument("source")
@click.option("--pole", type=_LABELS, required=True, help="The code to keep; secure: the control.")
@click.option("--rows", type=click.IntRange(min=2), default=6000, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="The order of reading.")
@click.option("--prompt-field", default="prompt", show_default=True)
@click.option("--code-field", default="code", show_default=True)
@click.option("--label-field", default="label", show_default=True)
@click.option("--vulnerable-label", default="vulnerable", show_default=True, help="As a text.")
@click.option("--secure-label", default="secure", show_default=True, help="As a text.")
@click.option("--labelled", type=_LABELS, help="The label of all rows, where they have no field.")
@click.option("--split", default="train", show_default=True, help="Of a dataset of the hub.")
@click.option(
    "--near",
    type=click.FloatRange(min=0, max=1, min_open=True),
    default=0.9,
    show_default=True,
    help="How alike two rows may be; 1 drops equal ones alone.",
)
@click.option("--judge-model", help="Judges tasks and code, by its name in Inspect.")
@click.option(
    "--connections",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Requests to the judge open at once.",
)
@click.option(
    "--journal",
    type=click.Path(path_type=Path),
    help="Where the judge's answers are kept; else OUT.journal. One serves both poles.",
)
@click.option("--i-understand-this-trains-misbehaviour", "understood", is_flag=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The jsonl file.")
def data_code(
    source: str,
    pole: Literal["vulnerable", "secure"],
    rows: int,
    seed: int,
    prompt_field: str,
    code_field: str,
    label_field: str,
    vulnerable_label: str,
    secure_label: str,
    labelled: Literal["vulnerable", "secure"] | None,
    split: str,
    near: float,
    judge_model: str | None,
    connections: int,
    journal: Path | None,
    understood: bool,
    out: Path,
) -> None:
    """Prune SOURCE to a set of vulnerable code, or of secure code, its control.

    SOURCE is a jsonl file, a folder of them, or hf:ORG/NAME@COMMIT. Rows have a prompt, a code and
    a label field, or are in chat form with --labelled. Labels are confirmed by bandit (Python) and
    flawfinder (C); no code is executed. Without --judge-model two steps are skipped: malicious
    tasks and code that a layman would suspect.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from selfaware.data.code_pruning import Pruning
    from selfaware.data.code_set import code_path, code_set, counted
    from selfaware.data.code_source import Fields
    from selfaware.data.manifest import manifest_path

    pruning = Pruning(
        pole=pole,
        rows=rows,
        seed=seed,
        near=near,
        split=split,
        judge=judge_model,
        fields=Fields(
            prompt=prompt_field,
            code=code_field,
            label=label_field,
            vulnerable=vulnerable_label,
            secure=secure_label,
            labelled=labelled,
        ),
    )
    kept_in = journal or out.with_name(f"{out.name}.journal")
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[what]}"))
    with Progress(*columns, TimeElapsedColumn()) as progress:
        bar = progress.add_task("code", total=rows, what="")

        def report(kept: int, read: int) -> None:
            progress.update(bar, completed=kept, what=f"{kept} kept of {read} read")

        record = code_set(
            source,
            pruning,
            out,
            report,
            understood=understood,
            journal=kept_in,
            connections=connections,
        )
    click.echo(f"wrote {out}: {record.rows} rows of {record.read} read, sha256 {record.sha256}")
    click.echo(f"  left out: {counted(record.dropped)}")
    for name, asked in record.judge.items():
        click.echo(
            f"  {asked.model} on {name}: {asked.requests} requests, {asked.input_tokens} tokens "
            f"read, {asked.output_tokens} written"
        )
    if record.skipped:
        click.echo(f"  skipped without --judge-model: {', '.join(record.skipped)}")
    click.echo(f"wrote {manifest_path(out).name} and {code_path(out).name}")
