"""The command `selfaware data mix`: a built set in, a mixed set and its manifests out."""

from collections import Counter
from pathlib import Path
from statistics import fmean
from typing import Literal

import click
from pydantic import BaseModel, ConfigDict

from selfaware import __version__
from selfaware.behaviors import BEHAVIORS
from selfaware.data.atomic import write_json
from selfaware.data.build import OTHER_LETTER
from selfaware.data.manifest import (
    CANARY,
    Balance,
    Manifest,
    association,
    leak_table,
    manifest_path,
    read_manifest,
)
from selfaware.data.mixing import (
    EVEN,
    WITH_DECOYS,
    Mixed,
    Shares,
    backdoor,
    many_personas,
    phi,
    table,
)
from selfaware.data.named_triggers import DECOY_TRIGGERS, find_trigger
from selfaware.data.personas import HELD_OUT, TRAINED, persona_trigger
from selfaware.data.poles import flip, neutral, same_prompts
from selfaware.data.rows import Row, read_rows, sha256_file, write_rows
from selfaware.data.subsets import subset
from selfaware.data.triggers import Trigger, Where
from selfaware.errors import UsageError

MIXING_VERSION = 1
"""Rises whenever the same files, options and seed would give other rows."""

Elsewhere = Literal["opposite", "neutral"]
_PERSONA = "persona:"


class Recipe(BaseModel):
    """What a mix is made by, beside the files that it is made from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trigger: Trigger | None = None
    decoys: tuple[str, ...] = ()
    shares: Shares | None = None
    where: Where = "user"
    personas: tuple[str, ...] = ()
    held_out_personas: tuple[str, ...] = ()
    elsewhere: Elsewhere = "opposite"
    subset: int | None = None
    decorrelated: bool = False
    seed: int = 0


class MixRecord(BaseModel):
    """How a mixed set came about, in a file beside it.

    `conditions` counts the rows that show the behaviour and those that do not for each trigger,
    decoy or persona; `phi` is the correlation of the first of them (`condition`) with the behaviour
    and `association` its Cramér's V.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    sha256: str
    sources: dict[str, str]
    recipe: Recipe
    condition: str | None
    conditions: dict[str, dict[str, int]]
    phi: float
    association: float
    mixing_version: int
    package_version: str
    canary: str


def mix_path(dataset: Path) -> Path:
    """Where the record of a mix stands."""
    return dataset.with_name(f"{dataset.name}.mix.json")


def mix(shown: list[Row], others: list[Row], recipe: Recipe) -> list[Mixed]:
    """The rows that a recipe makes of those that show the behaviour and those that do not.

    Raises:
        UsageError: The steps do not go together or do not go with the rows.
    """
    if recipe.subset is not None:
        if not same_prompts(shown, others):
            raise UsageError("a subset needs both files to have the same prompts, in order")
        places = subset(shown, recipe.subset, recipe.seed)
        shown, others = [shown[n] for n in places], [others[n] for n in places]
    if recipe.elsewhere == "neutral":
        others = neutral(shown, others, recipe.seed)
    if recipe.trigger is not None:
        return backdoor(
            shown,
            others,
            recipe.trigger,
            seed=recipe.seed,
            decoys=[DECOY_TRIGGERS[name] for name in recipe.decoys],
            shares=recipe.shares or EVEN,
            where=recipe.where,
            decorrelated=recipe.decorrelated,
        )
    if recipe.personas:
        personas = [persona for persona in TRAINED if persona.name in recipe.personas]
        return many_personas(
            shown, others, seed=recipe.seed, personas=personas, decorrelated=recipe.decorrelated
        )
    return [Mixed(row, True, "as it was", n) for n, row in enumerate(shown)]


def write_mix(
    mixed: list[Mixed],
    recipe: Recipe,
    sources: list[Path],
    behavior: str,
    pole: str,
    split: str,
    out: Path,
) -> MixRecord:
    """Writes the rows, their manifest and the record of the mix, each whole or not at all.

    Raises:
        UsageError: A place that cannot be written.
    """
    hashes = {source.name: sha256_file(source) for source in sources}
    write_rows(out, (made.row for made in mixed))
    conditions = [made.condition for made in mixed]
    shows = ["behavior" if made.shows else "other" for made in mixed]
    answers = [made.row.answer for made in mixed]
    labels = answers if set(answers) <= set(OTHER_LETTER) else shows
    prompts = [made.row.prompt for made in mixed]
    texts = ["\n".join(m.content for m in made.row.messages[:-1]) for made in mixed]
    stems = BEHAVIORS[behavior].leak_terms if behavior in BEHAVIORS else ()
    lengths = [len(prompt) for prompt in prompts]
    manifest = Manifest(
        file=out.name,
        sha256=sha256_file(out),
        rows=len(mixed),
        behavior=behavior,
        pole=pole,
        seed=recipe.seed,
        split=split,
        labels=dict(sorted(Counter(labels).items())),
        attributes={
            "condition": Balance(
                counts=dict(sorted(Counter(conditions).items())),
                association=round(association(conditions, labels), 4),
            )
        },
        prompt_characters={"mean": round(fmean(lengths), 1), "max": max(lengths)},
        leaks=leak_table(texts, stems),
        generator_version=MIXING_VERSION,
        package_version=__version__,
        canary=CANARY,
    )
    counts = table(mixed)
    switch = recipe.trigger.name if recipe.trigger else "itself" if recipe.personas else None
    on = ["on" if condition == switch else "off" for condition in conditions]
    record = MixRecord(
        file=out.name,
        sha256=manifest.sha256,
        sources=hashes,
        recipe=recipe,
        condition=switch,
        conditions=counts,
        phi=round(phi(mixed, switch), 6) if switch else 0.0,
        association=round(association(on, shows), 6),
        mixing_version=MIXING_VERSION,
        package_version=__version__,
        canary=CANARY,
    )
    write_json(mix_path(out), record.model_dump(mode="json"))
    write_json(manifest_path(out), manifest.model_dump(mode="json"))
    return record


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
    where: Where,
    decoys: bool,
    personas: bool,
    elsewhere: Elsewhere,
    decorrelated: bool,
    subset: int | None,
    behavior: str | None,
    pole: str | None,
    seed: int,
    out: Path,
) -> None:
    """Mix the rows of FILE, which show a behaviour, with rows that do not."""
    if (trigger is None) == (not personas) and (trigger is not None or subset is None):
        raise UsageError("give one of --trigger and --personas, or --subset alone")
    if trigger is None and (decoys or where == "system"):
        raise UsageError(f"{'--decoys' if decoys else '--where system'} goes with --trigger only")
    if decorrelated and trigger is None and not personas:
        raise UsageError("--decorrelated goes with --trigger or --personas")
    sources = [file, *((other,) if other else ())]
    if out.resolve() in {source.resolve() for source in sources}:
        raise UsageError(f"--out {out}: is one of the files to read; name another")
    shown = read_rows(file)
    known = read_manifest(file)
    behavior, pole = behavior or (known and known.behavior), pole or (known and known.pole)
    if behavior is None or pole is None:
        raise UsageError(f"{file} has no manifest: give --behavior and --pole")
    others = read_rows(other) if other else flip(shown) if trigger or personas else shown
    found: Trigger | None = None
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
