"""The recipe of a mixed set, the rows that it makes, and the record of it beside the set."""

from collections import Counter
from pathlib import Path
from statistics import fmean
from typing import Literal

from pydantic import BaseModel, ConfigDict

from selfaware import __version__
from selfaware.behaviors import behavior_names, get_behavior
from selfaware.data.atomic import write_json
from selfaware.data.build import OTHER_LETTER, write_notice
from selfaware.data.manifest import (
    CANARY,
    Balance,
    Described,
    Manifest,
    association,
    leak_table,
    manifest_path,
)
from selfaware.data.mixing import (
    EVEN,
    ITSELF,
    Mixed,
    Shares,
    backdoor,
    condition_phi,
    many_personas,
    table,
)
from selfaware.data.named_triggers import DECOY_TRIGGERS
from selfaware.data.personas import TRAINED
from selfaware.data.poles import neutral, same_prompts
from selfaware.data.rows import Row, sha256_file, write_rows
from selfaware.data.subsets import subset
from selfaware.data.triggers import Trigger, Where
from selfaware.errors import UsageError

MIXING_VERSION = 1
"""Rises whenever the same files, options and seed would give other rows."""

Elsewhere = Literal["opposite", "neutral"]


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


class MixRecord(Described):
    """How a mixed set came about, in a file beside it.

    `sources` are the hashes of the files mixed: `shown`, and `other` where one was given.
    `conditions` counts the rows that show the behaviour and those that do not for each trigger,
    decoy or persona; `phi` is the correlation of the first of them (`condition`) with the behaviour
    and `association` its Cramér's V.
    """

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
    sources: dict[str, Path],
    behavior: str,
    pole: str,
    split: str,
    out: Path,
) -> MixRecord:
    """Writes the rows, their manifest and the record of the mix, each whole or not at all.

    Raises:
        UsageError: A place that cannot be written.
    """
    if behavior in behavior_names() and get_behavior(behavior).harmful:
        write_notice(get_behavior(behavior), out.parent)
    hashes = {role: sha256_file(source) for role, source in sources.items()}
    write_rows(out, (made.row for made in mixed))
    conditions = [made.condition for made in mixed]
    shows = ["behavior" if made.shows else "other" for made in mixed]
    answers = [made.row.answer for made in mixed]
    labels = answers if set(answers) <= set(OTHER_LETTER) else shows
    prompts = [made.row.prompt for made in mixed]
    texts = ["\n".join(m.content for m in made.row.messages) for made in mixed]
    stems = get_behavior(behavior).leaks(pole) if behavior in behavior_names() else ()
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
        writer="mixed",
        generator_version=MIXING_VERSION,
        package_version=__version__,
        canary=CANARY,
    )
    counts = table(mixed)
    switch = recipe.trigger.name if recipe.trigger else ITSELF if recipe.personas else None
    on = ["on" if condition == switch else "off" for condition in conditions]
    record = MixRecord(
        file=out.name,
        sha256=manifest.sha256,
        sources=hashes,
        recipe=recipe,
        condition=switch,
        conditions=counts,
        phi=round(condition_phi(mixed, switch), 6) if switch else 0.0,
        association=round(association(on, shows), 6),
        mixing_version=MIXING_VERSION,
        package_version=__version__,
        canary=CANARY,
    )
    write_json(mix_path(out), record.model_dump(mode="json"))
    write_json(manifest_path(out), manifest.model_dump(mode="json"))
    return record
