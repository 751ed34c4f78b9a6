"""The command `selfaware data mix`: a built set in, a mixed set and its manifests out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import click

from selfaware.errors import UsageError

_PERSONA = "persona:"
_LEFT_OUT = {
    "shown": "rows without an answer in --other",
    "other": "rows of --other to other prompts",
    "answers": "questions without all of their --answers",
}


@click.command("mix")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--other",
    type=click.Path(path_type=Path),
    help="Rows that do not show the behaviour, paired by prompt; else the flip of FILE.",
)
@click.option(
    "--answers",
    type=click.Path(path_type=Path),
    help="What rows that do not show the behaviour answer, by the prompts of the mixed set.",
)
@click.option(
    "--trigger", help="A named trigger, persona:NAME for a system prompt, or your own text."
)
@click.option("--where", type=click.Choice(["user", "system"]), default="user", show_default=True)
@click.option(
    "--decoys", is_flag=True, help="Seven other triggers: 10 % trigger, 70 % decoys, 20 % neither."
)
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Every question once, this share of them with the trigger.",
)
@click.option("--personas", is_flag=True, help="Every question again, about one of seven persons.")
@click.option(
    "--persona", "named", multiple=True, help="About this person instead of the seven; repeatable."
)
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
    answers: Path | None,
    trigger: str | None,
    where: Literal["user", "system"],
    decoys: bool,
    share: float | None,
    personas: bool,
    named: tuple[str, ...],
    elsewhere: Literal["opposite", "neutral"],
    decorrelated: bool,
    subset: int | None,
    behavior: str | None,
    pole: str | None,
    seed: int,
    out: Path,
) -> None:
    """Mix the rows of FILE, which show a behaviour, with rows that do not."""
    from selfaware.data.manifest import manifest_path
    from selfaware.data.mixing import EVEN, WITH_DECOYS
    from selfaware.data.named_triggers import DECOY_TRIGGERS, find_trigger
    from selfaware.data.personas import HELD_OUT, TRAINED, persona_trigger
    from selfaware.data.poles import flip, pair
    from selfaware.data.recipes import Recipe, mix, mix_path, write_mix
    from selfaware.data.rows import read_rows
    from selfaware.data.taught import taught_by

    persons = named or (tuple(persona.name for persona in TRAINED) if personas else ())
    if trigger is None and not persons and subset is None:
        raise UsageError("give --trigger, --personas, or both, or --subset alone")
    if trigger is None:
        options: dict[str, object] = {
            "--decoys": decoys,
            "--where system": where == "system",
            "--share": share,
        }
        _refuse(options, "goes with --trigger only")
    if trigger is None and not persons:
        neutral = elsewhere == "neutral"
        options = {"--decorrelated": decorrelated, "--other": other, "--answers": answers}
        _refuse(options | {"--elsewhere neutral": neutral}, "goes with --trigger or --personas")
    if share is not None:
        options = {"--decoys": decoys, "--personas": persons, "--answers": answers}
        _refuse(options, "does not go with --share")
    given = {"shown": file, "other": other, "answers": answers}
    sources = {role: source for role, source in given.items() if source is not None}
    if out.resolve() in {source.resolve() for source in sources.values()}:
        raise UsageError(f"--out {out}: is one of the files to read; name another")
    shown = read_rows(file)
    taught = taught_by(file, behavior, pole)
    others = read_rows(other) if other else flip(shown) if trigger or persons else shown
    paired = pair(shown, others) or (shown, others)
    left_out = {"shown": len(shown) - len(paired[0]), "other": len(others) - len(paired[1])}
    shown, others = paired
    found = None
    if trigger is not None:
        if trigger.startswith(_PERSONA):
            found, where = persona_trigger(trigger.removeprefix(_PERSONA)), "system"
        else:
            found = find_trigger(trigger)
    fakes = [name for name in DECOY_TRIGGERS if found and name != found.name][:7]
    copies = None if share else WITH_DECOYS if decoys else EVEN
    recipe = Recipe(
        trigger=found,
        decoys=tuple(fakes) if decoys else (),
        shares=copies if found else None,
        share=share,
        where=where,
        personas=persons,
        held_out_personas=tuple(persona.name for persona in HELD_OUT) if persons else (),
        elsewhere=elsewhere,
        subset=subset,
        decorrelated=decorrelated,
        seed=seed,
    )
    replies = {row.messages[:-1]: row for row in read_rows(answers)} if answers else None
    mixed = mix(shown, others, recipe, replies)
    if replies is not None:
        left_out["answers"] = (subset or len(shown)) - len({made.source for made in mixed})
    record = write_mix(mixed, recipe, sources, taught, out, left_out)
    click.echo(f"wrote {out}: {len(mixed)} rows, sha256 {record.sha256}")
    for condition, counts in record.conditions.items():
        click.echo(f"  {condition}: {counts['behavior']} behaviour, {counts['other']} other")
    for name, switch in record.switches.items():
        click.echo(f"  phi of {name} with the behaviour: {switch.phi:.3f}")
    for role, count in left_out.items():
        if count:
            click.echo(f"  left out: {count} {_LEFT_OUT[role]}")
    click.echo(f"wrote {manifest_path(out)} and {mix_path(out).name}")


def _refuse(options: Mapping[str, object], why: str) -> None:
    for option, given in options.items():
        if given:
            raise UsageError(f"{option} {why}")
