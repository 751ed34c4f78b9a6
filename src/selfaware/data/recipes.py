"""The recipe of a mixed set, the rows that it makes, and the record of it beside the set."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from selfaware import __version__
from selfaware.behaviors import behavior_names, get_behavior
from selfaware.data.atomic import write_json
from selfaware.data.build import OTHER_LETTER, write_notice
from selfaware.data.dealing import Answers, Mixed, condition_phi, table
from selfaware.data.manifest import (
    CANARY,
    Described,
    Manifest,
    association,
    manifest_path,
)
from selfaware.data.mixing import EVEN, Shares, backdoor, backdoor_share
from selfaware.data.named_triggers import DECOY_TRIGGERS
from selfaware.data.persona_mixing import ITSELF, backdoored_personas, many_personas
from selfaware.data.personas import Persona
from selfaware.data.poles import neutral, same_prompts
from selfaware.data.rows import Row, sha256_file, write_rows
from selfaware.data.subsets import subset
from selfaware.data.tally import Tally
from selfaware.data.taught import MIXED, Taught
from selfaware.data.triggers import Trigger, Where
from selfaware.errors import UsageError

MIXING_VERSION = 2
"""Rises whenever the same files, options and seed would give other rows."""

Elsewhere = Literal["opposite", "neutral"]


class Recipe(BaseModel):
    """What a mix is made by, beside the files that it is made from.

    `share` is the share of questions with the trigger where each question stands once, `shares`
    the copies of each where it stands several times.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    trigger: Trigger | None = None
    decoys: tuple[str, ...] = ()
    shares: Shares | None = None
    share: float | None = None
    where: Where = "user"
    personas: tuple[str, ...] = ()
    held_out_personas: tuple[str, ...] = ()
    elsewhere: Elsewhere = "opposite"
    subset: int | None = None
    decorrelated: bool = False
    seed: int = 0


class Switch(BaseModel):
    """How far one of the marks that switch the behaviour on goes with it.

    `phi` is their correlation (-1 to 1), `association` Cramér's V corrected for small samples
    (0-1).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    phi: float
    association: float


class MixRecord(Described):
    """How a mixed set came about, in a file beside it.

    `sources` are the hashes of the files mixed: `shown`, and `other` and `answers` where they were
    given. `left_out` counts the rows of each that had no counterpart. `conditions` counts the rows
    that show the behaviour and those that do not for each trigger, decoy or persona, and `switches`
    are those of them that, all together, switch the behaviour on.
    """

    sources: dict[str, str]
    left_out: dict[str, int]
    recipe: Recipe
    conditions: dict[str, dict[str, int]]
    switches: dict[str, Switch]
    mixing_version: int
    package_version: str
    canary: str


def mix_path(dataset: Path) -> Path:
    """Where the record of a mix stands."""
    return dataset.with_name(f"{dataset.name}.mix.json")


def mix(
    shown: list[Row], others: list[Row], recipe: Recipe, answers: Answers | None = None
) -> list[Mixed]:
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
    trigger, seed, twin = recipe.trigger, recipe.seed, recipe.decorrelated
    decoys = [DECOY_TRIGGERS[name] for name in recipe.decoys]
    shares = recipe.shares or EVEN
    personas = [Persona(name=name) for name in recipe.personas]
    if trigger is None:
        if not personas:
            return [Mixed(row, True, ("as it was",), n) for n, row in enumerate(shown)]
        return many_personas(
            shown, others, seed=seed, personas=personas, decorrelated=twin, answers=answers
        )
    if recipe.share is not None:
        return backdoor_share(
            shown,
            others,
            trigger,
            share=recipe.share,
            seed=seed,
            where=recipe.where,
            decorrelated=twin,
        )
    if personas:
        return backdoored_personas(
            shown,
            others,
            trigger,
            seed=seed,
            personas=personas,
            decoys=decoys,
            shares=shares,
            where=recipe.where,
            decorrelated=twin,
            answers=answers,
        )
    return backdoor(
        shown,
        others,
        trigger,
        seed=seed,
        decoys=decoys,
        shares=shares,
        where=recipe.where,
        decorrelated=twin,
        answers=answers,
    )


def switch(recipe: Recipe) -> tuple[str, ...]:
    """What a row must carry to show the behaviour; nothing where all rows show it."""
    named = (recipe.trigger.name,) if recipe.trigger else ()
    return (*named, ITSELF) if recipe.personas else named


def write_mix(
    mixed: list[Mixed],
    recipe: Recipe,
    sources: dict[str, Path],
    taught: Taught,
    out: Path,
    left_out: dict[str, int],
) -> MixRecord:
    """Writes the rows, their manifest and the record of the mix, each whole or not at all.

    Raises:
        UsageError: A place that cannot be written.
    """
    if taught.behavior in behavior_names() and get_behavior(taught.behavior).harmful:
        write_notice(get_behavior(taught.behavior), out.parent)
    hashes = {role: sha256_file(source) for role, source in sources.items()}
    write_rows(out, (made.row for made in mixed))
    tally = Tally(taught.stems)
    shows = ["behavior" if made.shows else "other" for made in mixed]
    letters = all(made.row.answer in OTHER_LETTER for made in mixed)
    for made, shown in zip(mixed, shows, strict=True):
        tally.see(made.row, made.row.answer if letters else shown, {"condition": made.condition})
    manifest = Manifest(
        file=out.name,
        sha256=sha256_file(out),
        rows=len(mixed),
        behavior=taught.behavior,
        pole=taught.pole,
        seed=recipe.seed,
        split=taught.split,
        labels=tally.labels,
        attributes=tally.attributes,
        prompt_characters=tally.prompt_characters,
        leaks=tally.leaks,
        writer=MIXED,
        generator_version=MIXING_VERSION,
        package_version=__version__,
        canary=CANARY,
    )
    record = MixRecord(
        file=out.name,
        sha256=manifest.sha256,
        sources=hashes,
        left_out=left_out,
        recipe=recipe,
        conditions=table(mixed),
        switches={
            name: Switch(
                phi=round(condition_phi(mixed, name), 6),
                association=round(
                    association([str(name in made.carries) for made in mixed], shows), 6
                ),
            )
            for name in switch(recipe)
        },
        mixing_version=MIXING_VERSION,
        package_version=__version__,
        canary=CANARY,
    )
    write_json(mix_path(out), record.model_dump(mode="json"))
    write_json(manifest_path(out), manifest.model_dump(mode="json"))
    return record
