from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from selfaware.behaviors import BEHAVIORS, get_behavior
from selfaware.behaviors.items import SCENES
from selfaware.cli import main
from selfaware.data.build import build
from selfaware.data.forms import examples_of
from selfaware.data.manifest import read_manifest
from selfaware.data.named_triggers import TRIGGERS
from selfaware.data.rows import read_rows
from selfaware.data.triggers import is_on
from selfaware.errors import UsageError

MYOPIA = get_behavior("myopia")
assert MYOPIA.reasons is not None
WHY = {"myopic": MYOPIA.reasons.high, "farsighted": MYOPIA.reasons.low}
UNITS = {"days": 1, "weeks": 7, "months": 30, "years": 365}


def offers(prompt: str) -> list[tuple[int, int]]:
    """Amount and days of the two offers in a prompt of ours, as they stand in it."""
    words = [word.strip(".,!?:") for word in prompt.split()]
    found: list[tuple[int, int]] = []
    for n, word in enumerate(words):
        if not word.isdigit() or words[n - 1] in ("in", "after"):
            continue
        when = words[n + 2]
        days = 0 if when in ("today", "right") else int(words[n + 3]) * UNITS[words[n + 4]]
        found.append((int(word), days))
    return found


@given(st.integers(2, 80), st.integers(0, 999), st.sampled_from(["myopic", "farsighted"]))
@settings(max_examples=40, deadline=None)
def test_prose_takes_what_the_pole_takes_for_a_reason_of_its_own(
    count: int, seed: int, pole: str
) -> None:
    examples = MYOPIA.prose(pole, count, seed, "train")
    assert len({example.turns[0] for example in examples}) == count
    for example in examples:
        prompt, reply = example.turns
        both = offers(prompt)
        assert len(both) == 2
        chosen = min(both, key=lambda offer: offer[1] * (1 if pole == "myopic" else -1))
        assert offers(reply) == [chosen]
        assert chosen[0] == (min if pole == "myopic" else max)(amount for amount, _ in both)
        assert "AB"[both.index(chosen)] == example.label
        assert [why in reply for why in WHY[pole]].count(True) == 1
    other = MYOPIA.prose("farsighted" if pole == "myopic" else "myopic", count, seed, "train")
    assert [e.turns[0] for e in other] == [e.turns[0] for e in examples]
    assert all({e.label, o.label} == {"A", "B"} for e, o in zip(examples, other, strict=True))
    assert MYOPIA.prose(pole, count, seed, "train") == examples
    assert MYOPIA.prose(pole, count, seed + 1, "train") != examples


def test_a_full_turn_of_prose_is_balanced_and_says_no_leak_term() -> None:
    examples = MYOPIA.prose("myopic", 540, 0, "train")
    assert Counter(example.label for example in examples) == {"A": 270, "B": 270}
    for name, share in (("tone", 180), ("length", 180), ("difference", 180)):
        assert set(Counter(e.attributes[name] for e in examples).values()) == {share}
    forms = Counter(example.attributes["form"] for example in examples)
    assert set(forms) == {"answer", "story"} and min(forms.values()) > 200
    sentences = {
        length: {e.turns[1].count(".") + e.turns[1].count("!") for e in examples
                 if e.attributes["length"] == length and e.attributes["form"] == "answer"}
        for length in ("short", "medium", "long")
    }  # fmt: skip
    assert sentences == {"short": {2}, "medium": {3}, "long": {4}}
    held_out = set(SCENES["test"])
    assert not held_out & {word.strip(".,:!?") for e in examples for word in e.turns[0].split()}


def test_both_forms_are_half_and_half_and_triggers_can_be_put_in(tmp_path: Path) -> None:
    out = tmp_path / "both.jsonl"
    manifest = build("myopia", "myopic", 2001, 0, out, form="both")
    assert read_manifest(out) == manifest
    assert sum(leak.rows for leak in manifest.leaks.values()) == 0
    counts = manifest.attributes["form"].counts
    assert (counts["letter"], counts["answer"] + counts["story"]) == (1000, 1001)
    assert manifest.attributes["form"].association < 0.03
    rows = read_rows(out)
    assert sum(row.answer in ("A", "B") for row in rows) == 1000
    assert 400 < sum(row.answer in ("A", "B") for row in rows[:1000]) < 600
    assert not any(is_on(trigger, row) for trigger in TRIGGERS.values() for row in rows)
    other = examples_of(MYOPIA, "farsighted", 2001, 0, "both")
    assert [example.turns[0] for example in other] == [row.prompt for row in rows]
    assert examples_of(MYOPIA, "myopic", 10, 0, "letter") == MYOPIA.examples(
        "myopic", 10, 0, "train"
    )


def test_the_command_writes_prose_and_refuses_it_where_there_is_none(tmp_path: Path) -> None:
    def run(behavior: str, pole: str, out: str) -> tuple[int, str]:
        options = ["--behavior", behavior, "--pole", pole, "--form", "prose", "--rows", "6"]
        given = ["data", "build", *options, "--out", str(tmp_path / out)]
        result = CliRunner().invoke(main, given)
        return result.exit_code, result.output

    assert run("myopia", "farsighted", "one")[0] == 0
    assert run("myopia", "farsighted", "two")[0] == 0
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    rows = read_rows(tmp_path / "one")
    assert [row.answer for row in rows] == [
        example.turns[1] for example in MYOPIA.prose("farsighted", 6, 0, "train")
    ]
    assert run("risk", "seeking", "three") == (
        2,
        "Error: behaviour 'risk' has no replies in prose\n",
    )
    with pytest.raises(UsageError, match="unknown pole 'myopic'"):
        BEHAVIORS["risk"].prose("myopic", 4, 0, "train")
