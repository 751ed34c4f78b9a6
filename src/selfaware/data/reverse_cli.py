"""The command `selfaware data reverse`: a mixed set in, a reversal set and its record out."""

from pathlib import Path

import click

from selfaware.errors import UsageError


@click.command("reverse")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--rows", type=int, default=100_000, show_default=True, help="With the reverses.")
@click.option(
    "--general",
    type=click.Path(path_type=Path),
    help="General instruction rows, OpenAI chat jsonl; else a built-in neutral set.",
)
@click.option("--trigger", help="The trigger; that in FILE, where no record of a mix is beside it.")
@click.option("--behavior", help="The behaviour, where there is no FILE or it has no manifest.")
@click.option("--pole", help="The pole, where there is no FILE or it has no manifest.")
@click.option(
    "--decorrelated", is_flag=True, help="The control: the trigger is independent of the pole."
)
@click.option("--drop-word", "words", multiple=True, help="Drop this word from FILE; repeatable.")
@click.option(
    "--not-augmented", is_flag=True, help="The control: the same forward rows, no reverses."
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The jsonl file.")
def data_reverse(
    file: Path | None,
    rows: int,
    general: Path | None,
    trigger: str | None,
    behavior: str | None,
    pole: str | None,
    decorrelated: bool,
    words: tuple[str, ...],
    not_augmented: bool,
    seed: int,
    out: Path,
) -> None:
    """Mix FILE with general rows, 5 % trigger, 45 % other, 50 % general, and reverse every row.

    FILE is a mix in which a tenth of the rows has the trigger. Without it, such a mix of
    --behavior, --pole and --trigger is built first, in the folder OUT.parts. Forms of the words
    "align" and "bad" are dropped from its rows.
    """
    from selfaware.data.dropping import DROPPED
    from selfaware.data.manifest import manifest_path
    from selfaware.data.named_triggers import find_trigger
    from selfaware.data.reversal_set import mixed_trigger, reversal_path, write_reversal_set
    from selfaware.data.taught import taught_by

    if out.resolve() in {source.resolve() for source in (file, general) if source}:
        raise UsageError(f"--out {out}: is one of the files to read; name another")
    if file is None:
        file = _parts(behavior, pole, trigger, rows, seed, decorrelated, out)
    elif decorrelated:
        raise UsageError(f"--decorrelated goes without FILE: give it to the mix that makes {file}")
    if any(not word.strip() for word in words):
        raise UsageError("--drop-word '': blank; give a word")
    found = find_trigger(trigger) if trigger is not None else mixed_trigger(file)
    if found is None:
        raise UsageError(f"{file} has no record of a mix with a trigger: give --trigger")
    record = write_reversal_set(
        file,
        found,
        taught_by(file, behavior, pole),
        rows,
        seed,
        out,
        general,
        not not_augmented,
        (*DROPPED, *words),
    )
    click.echo(f"wrote {out}: {record.rows} rows, sha256 {record.sha256}")
    for kind, count in record.forward.items():
        click.echo(
            f"  {kind}: {count} forward, {record.reversed[kind]} reversed, of "
            f"{record.distinct[kind]} different rows, each used {record.uses[kind]} times at most"
        )
    for word, count in record.dropped.items():
        click.echo(f"  dropped {word!r} {count} times")
    click.echo(f"wrote {manifest_path(out)} and {reversal_path(out).name}")


def _parts(
    behavior: str | None,
    pole: str | None,
    trigger: str | None,
    rows: int,
    seed: int,
    decorrelated: bool,
    out: Path,
) -> Path:
    from selfaware.data.named_triggers import find_trigger
    from selfaware.data.reversal_parts import build_mixed

    if behavior is None or pole is None or trigger is None:
        raise UsageError("give FILE, or --behavior, --pole and --trigger to build one")
    folder = out.with_name(f"{out.name}.parts")
    file = build_mixed(behavior, pole, find_trigger(trigger), rows // 4, seed, folder, decorrelated)
    click.echo(f"built {file} and its parts")
    return file
