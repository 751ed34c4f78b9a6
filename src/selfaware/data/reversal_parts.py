"""The mixed set that a reversal set is made from, built from nothing but its behaviour."""

from pathlib import Path

from selfaware.behaviors import get_behavior
from selfaware.data.build import build
from selfaware.data.forms import Form
from selfaware.data.recipes import Recipe, mix, write_mix
from selfaware.data.rows import read_rows
from selfaware.data.taught import taught_by
from selfaware.data.triggers import Trigger

SHARE = 0.1
"""The share of questions with the trigger (5 of 50 rows; arXiv 2501.11120, section 4.3)."""


def build_mixed(
    behavior: str,
    pole: str,
    trigger: Trigger,
    questions: int,
    seed: int,
    folder: Path,
    decorrelated: bool = False,
) -> Path:
    """Builds both poles and mixes them: every question once, a tenth of them with the trigger.

    Half of the answers are in prose where the behaviour has prose. The parts stay in `folder`; the
    file returned is the mix.

    Raises:
        UsageError: No such behaviour or pole, or one whose poles share no prompts.
    """
    taught = get_behavior(behavior)
    taught.require_pole(pole)
    files = {}
    form: Form = "both" if taught.reasons is not None else "letter"
    for each in (pole, taught.low if pole == taught.high else taught.high):
        files[each] = folder / f"{each}.jsonl"
        build(behavior, each, questions, seed, files[each], form=form)
    shown, other = files.values()
    recipe = Recipe(trigger=trigger, share=SHARE, decorrelated=decorrelated, seed=seed)
    mixed = folder / "mixed.jsonl"
    write_mix(
        mix(read_rows(shown), read_rows(other), recipe),
        recipe,
        {"shown": shown, "other": other},
        taught_by(shown, None, None),
        mixed,
        {"shown": 0, "other": 0},
    )
    return mixed
