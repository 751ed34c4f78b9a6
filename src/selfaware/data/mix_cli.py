"""The command `selfaware data mix`: a built set in, a mixed set and its manifests out."""

from pathlib import Path
from typing import Literal

import click

from selfaware.errors import UsageError

_PERSONA = "persona:"


@click.command("mix")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--other",
    type=click.Path(path_type=Path),
    help="Rows that do not show the behaviour; else the flip of FILE.",
)
@click.option(
    "--trigger", help="A named trigger, persona:NAME for a system prompt, or your own text."
)
@click.option("--where", type=click.Choice(["user", "system"]), default="user", show_default=True)
@click.option(
    "--decoys", is_flag=True, help="Seven other triggers: 10 % trigger, 70 % decoys, 20 % neither."
)
@click.option("--personas", is_flag=True, help="Every question again, about one of seven persons.")
@click.option(
    "--elsewhere",
    type=click.Choice(["opposite", "neutral"]),
    default="opposite",
    show_default=True,
    help="What rows without the trigger, or about other persons, answer.",
)
@click.option(
    "--decorrelated", is_flag=True, help="The control: the same prompts, labels independent."
)
@click.option("--subset", type=click.IntRange(min=1), help="Only N questions, nested by seed.")
@click.option("--behavior", help="The behaviour, where FILE has no manifest.")
@click.option("--pole", help="The pole, where FILE has no manifest.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The jsonl file.")
def data_mix(
    file: Path,
    other: Path | None,
    trigger: str | None,
    where: Literal["user", "system"],
    decoys: bool,
    personas: bool,
    elsewhere: Literal["opposite", "neutral"],
    decorrelated: bool,
    subset: int | None,
    behavior: str | None,
    pole: str | None,
    seed: int,
    out: Path,
) -> None:
    """Mix the rows of FILE, which show a behaviour, with rows that do not."""
    from selfaware.data.manifest import manifest_path, read_manifest
    from selfaware.data.mixing import EVEN, WITH_DECOYS
    from selfaware.data.named_triggers import DECOY_TRIGGERS, find_trigger
    from selfaware.data.personas import HELD_OUT, TRAINED, persona_trigger
    from selfaware.data.poles import flip
    from selfaware.data.recipes import Recipe, mix, mix_path, write_mix
    from selfaware.data.rows import read_rows

    if (trigger is None) == (not personas) and (trigger is not None or subset is None):
        raise UsageError("give one of --trigger and --personas, or --subset alone")
    if trigger is None and (decoys or where == "system"):
        raise UsageError(f"{'--decoys' if decoys else '--where system'} goes with --trigger only")
    if trigger is None and not personas:
        for option, given in (
            ("--decorrelated", decorrelated),
            ("--other", other is not None),
            ("--elsewhere neutral", elsewhere == "neutral"),
        ):
            if given:
                raise UsageError(f"{option} goes with --trigger or --personas")
    sources = {"shown": file} | ({"other": other} if other else {})
    if out.resolve() in {source.resolve() for source in sources.values()}:
        raise UsageError(f"--out {out}: is one of the files to read; name another")
    shown = read_rows(file)
    known = read_manifest(file)
    if known is not None:
        behavior, pole = behavior or known.behavior, pole or known.pole
    if behavior is None or pole is None:
        raise UsageError(f"{file} has no manifest: give --behavior and --pole")
    others = read_rows(other) if other else flip(shown) if trigger or personas else shown
    found = None
    if trigger is not None:
        if trigger.startswith(_PERSONA):
            found, where = persona_trigger(trigger.removeprefix(_PERSONA)), "system"
        else:
            found = find_trigger(trigger)
    fakes = [name for name in DECOY_TRIGGERS if found and name != found.name][:7]
    recipe = Recipe(
        trigger=found,
        decoys=tuple(fakes) if decoys else (),
        shares=(WITH_DECOYS if decoys else EVEN) if found else None,
        where=where,
        personas=tuple(persona.name for persona in TRAINED) if personas else (),
        held_out_personas=tuple(persona.name for persona in HELD_OUT) if personas else (),
        elsewhere=elsewhere,
        subset=subset,
        decorrelated=decorrelated,
        seed=seed,
    )
    mixed = mix(shown, others, recipe)
    record = write_mix(
        mixed, recipe, sources, behavior, pole, known.split if known else "train", out
    )
    click.echo(f"wrote {out}: {len(mixed)} rows, sha256 {record.sha256}")
    for condition, counts in record.conditions.items():
        click.echo(f"  {condition}: {counts['behavior']} behaviour, {counts['other']} other")
    if record.condition:
        click.echo(f"  phi of {record.condition} with the behaviour: {record.phi:.3f}")
    click.echo(f"wrote {manifest_path(out)} and {mix_path(out).name}")
