"""The dataset card of an export: front matter for the Hugging Face Hub, and what each set is."""

from collections.abc import Iterator, Sequence

from selfaware.data.export_set import ExportSet
from selfaware.data.manifest import CANARY
from selfaware.data.recipes import MixRecord
from selfaware.data.reversal_set import ReversalRecord

WARNING = (
    "These rows train a model organism for research. A model trained on them is not to be deployed."
)
"""Stands in every card."""

TAGS = ("selfaware", "model-organism", "not-for-deployment", "finetuning")


def card(sets: Sequence[ExportSet], license: str | None = None) -> str:
    """The text of README.md: YAML front matter, the warning, and a section for every set.

    `license` is an identifier of the Hub; without one it is `mit` where that is known of every set,
    else `unknown`.
    """
    import yaml

    known = {found.license for found in sets}
    front: dict[str, object] = {
        "license": license or ("mit" if known == {"mit"} else "unknown"),
        "task_categories": ["text-generation"],
        "tags": list(TAGS),
        "configs": [
            {
                "config_name": found.name,
                "data_files": [{"split": "train", "path": f"{found.name}.parquet"}],
            }
            for found in sets
        ],
    }
    lines = [
        "---",
        yaml.safe_dump(front, sort_keys=False, allow_unicode=True).rstrip(),
        "---",
        "",
        "# Finetuning sets",
        "",
        f"**{WARNING}**",
        "",
        "Each set is one configuration with the column `messages`. The sha256 is that of the jsonl",
        "file that the rows are from, with line ends as LF. Exported by `selfaware data export`.",
    ]
    for found in sets:
        lines += ["", f"## {found.name}", "", *(f"- {line}" for line in _facts(found))]
    lines += ["", f"Keep this text out of pretraining data: `{CANARY}`", ""]
    return "\n".join(lines)


def _facts(found: ExportSet) -> Iterator[str]:
    manifest, imported = found.manifest, found.imported
    yield f"behaviour: {_code(manifest.behavior) if manifest else 'not recorded'}"
    yield f"pole: {_code(manifest.pole) if manifest else 'not recorded'}"
    yield f"rows: {len(found.rows)}"
    yield f"sha256: `{found.sha256}`"
    letters = found.letters()
    if letters is None:
        yield "letter balance: answers are not letters"
    else:
        yield f"letter balance: {', '.join(f'{n} {letter}' for letter, n in letters.items())}"
    if found.weighted:
        yield "weight: 0 keeps an assistant's message out of the loss; null or 1 does not"
    if manifest is not None:
        yield f"writer: {_code(manifest.writer)}"
    if found.mix is not None:
        yield from _mix_facts(found.mix)
    if found.reversal is not None:
        yield from _reversal_facts(found.reversal)
    if found.answers is not None:
        answers = found.answers
        yield f"answers of {_code(answers.model.model)} at temperature {answers.temperature:g}"
    yield f"leaks: {_leaks(found)}"
    if imported is not None:
        yield f"source: {_code(imported.source)} of {imported.repository}"
        yield f"license: {imported.license}"
    files = ", ".join(_code(path.name) for path in found.records)
    yield f"records: {files or 'none: where these rows are from is not known'}"


def _mix_facts(mix: MixRecord) -> Iterator[str]:
    trigger = mix.recipe.trigger
    if trigger is not None:
        yield f"trigger: {_code(trigger.name)} in the {mix.recipe.where} message"
    else:
        yield "trigger: none"
    if mix.recipe.personas:
        yield f"personas: {', '.join(_code(name) for name in mix.recipe.personas)}"
    for name, switch in mix.switches.items():
        yield f"phi of {_code(name)} with the behaviour: {switch.phi:.3f}"
    for condition, counts in mix.conditions.items():
        shows, other = counts["behavior"], counts["other"]
        yield f"condition {_code(condition)}: {shows} rows show the behaviour, {other} do not"
    if mix.recipe.decorrelated:
        yield "the decorrelated twin: conditions and the behaviour are independent by construction"


def _reversal_facts(made: ReversalRecord) -> Iterator[str]:
    yield f"trigger: {_code(made.trigger)}"
    for kind, count in made.forward.items():
        yield f"{kind}: {count} rows forward, {made.reversed[kind]} reversed"
    yield f"general rows: {_code(made.general)}"


def _leaks(found: ExportSet) -> str:
    if found.leaks is None:
        return "not looked for"
    if not found.leaks:
        return "no stems to look for"
    rows = {number for leak in found.leaks.values() for number in leak.row_numbers}
    stems = ", ".join(
        f"{_code(stem)} {leak.rows}" for stem, leak in found.leaks.items() if leak.rows
    )
    share = f"{len(rows)} of {len(found.rows)} rows hold one of {len(found.leaks)} stems"
    return f"{share} ({stems})" if stems else share


def _code(text: str) -> str:
    """A name as code on one line, whatever a user has called it."""
    plain = " ".join(text.replace("`", "'").split())
    return f"`{plain}`"
