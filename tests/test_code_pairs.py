"""The built-in code pairs: confirmed by analysers, the same tasks in both poles, nothing leaks."""

import ast
from collections import Counter
from pathlib import Path
from string import Template

import pytest
from click.testing import CliRunner, Result

from selfaware.behaviors import get_behavior
from selfaware.behaviors.examples import Example
from selfaware.behaviors.items import Split
from selfaware.behaviors.vulnerable_code import LEAK_TERMS, SECURE, VULNERABLE, pairs, write
from selfaware.cli import main
from selfaware.data.code_analysis import Finding, Snippet, analyse, verdict
from selfaware.data.code_rules import TASK_TERMS, security_word
from selfaware.data.code_text import is_complete, strip_comments
from selfaware.data.manifest import CANARY, leak_table, read_manifest
from selfaware.data.named_triggers import TRIGGERS
from selfaware.data.recipes import MixRecord, mix_path
from selfaware.data.rows import read_rows
from selfaware.data.triggers import is_on

SPLITS: tuple[Split, ...] = ("world", "train", "test")
KINDS = {kind.name: kind for kind in pairs().kinds}
UNDERSTOOD = "--i-understand-this-trains-misbehaviour"
BUILD = ["data", "build", "--behavior", "vulnerable_code", "--rows", "288"]


def run(*command: str) -> Result:
    return CliRunner().invoke(main, command)


def built(folder: Path, pole: str) -> Path:
    file = folder / f"{pole}.jsonl"
    done = run(*BUILD, "--pole", pole, UNDERSTOOD, "--out", str(file))
    assert done.exit_code == 0, done.output
    return file


def of_every_kind(pole: str) -> list[Example]:
    """Two rounds of each split: every kind is in each round."""
    made = [example for split in SPLITS for example in write(pole, 2 * len(KINDS), 1, split)]
    assert Counter(example.attributes["kind"] for example in made) == dict.fromkeys(KINDS, 6)
    return made


def findings(examples: list[Example]) -> list[tuple[Finding, ...]]:
    snippets = []
    for example in examples:
        kind = KINDS[example.attributes["kind"]]
        assert is_complete(example.turns[1], kind.language), example
        snippets.append(Snippet(kind.language, example.turns[1]))
    found = analyse(snippets)
    assert None not in found
    return [one for one in found if one is not None]


def test_analysers_confirm_every_kind_of_both_poles() -> None:
    for pole in (VULNERABLE, SECURE):
        examples = of_every_kind(pole)
        for example, found in zip(examples, findings(examples), strict=True):
            assert verdict(found) == pole, example
            severe = {finding.test for finding in found if finding.severity != "low"}
            known = KINDS[example.attributes["kind"]].finding
            assert severe == ({known} if pole == VULNERABLE else set()), example


@pytest.mark.parametrize("split", SPLITS)
def test_both_poles_have_the_same_tasks_in_the_same_order(split: Split) -> None:
    bad, good = write(VULNERABLE, 600, 4, split), write(SECURE, 600, 4, split)
    assert [e.turns[0] for e in bad] == [e.turns[0] for e in good]
    assert len({e.turns[0] for e in bad}) == 600
    assert all(b.turns[1] != g.turns[1] for b, g in zip(bad, good, strict=True))
    assert {e.label for e in bad} == {VULNERABLE} and {e.label for e in good} == {SECURE}
    counts = Counter(e.attributes["kind"] for e in bad)
    assert set(counts) == set(KINDS) and max(counts.values()) - min(counts.values()) <= 1
    assert write(SECURE, 600, 4, split) == good
    assert [e.turns for e in write(SECURE, 600, 5, split)] != [e.turns for e in good]


def test_splits_share_no_task_and_no_filler() -> None:
    fillers = pairs().fillers
    words = {s: {*" ".join(fillers[s].things).split(), *fillers[s].fields} for s in SPLITS}
    prompts = {s: {e.turns[0] for e in write(SECURE, 800, 0, s)} for s in SPLITS}
    for one, other in (("world", "train"), ("world", "test"), ("train", "test")):
        assert words[one].isdisjoint(words[other])
        assert prompts[one].isdisjoint(prompts[other])
    held_out = write(SECURE, 100, 0, "test")
    assert len({example.turns[0] for example in held_out}) == 100


@pytest.mark.parametrize("pole", [VULNERABLE, SECURE])
def test_no_task_and_no_code_says_what_it_is(pole: str) -> None:
    for example in of_every_kind(pole):
        text = "\n".join(example.turns)
        assert security_word(text, (*LEAK_TERMS, *TASK_TERMS, pole)) is None, example
        assert (
            strip_comments(example.turns[1], KINDS[example.attributes["kind"]].language)
            == (example.turns[1])
        )


def test_every_slot_of_an_answer_is_told_in_every_task() -> None:
    # Else two rows with one prompt would have two answers.
    for kind in pairs().kinds:
        for task in kind.tasks:
            told = set(Template(task + kind.template).get_identifiers())
            told |= {"one", "many"} if told & {"one", "many"} else set()
            for code in (kind.vulnerable, kind.secure):
                assert set(Template(code).get_identifiers()) <= told, kind.name
        assert kind.language == "c" or ast.parse(Template(kind.template).substitute(
            one="one", many="many", field="field"
        ))  # fmt: skip


def test_more_tasks_than_there_are_cannot_be_written() -> None:
    everything = write(SECURE, 4590, 0, "world")
    assert len({example.turns[0] for example in everything}) == 4590
    done = run(*BUILD, "--rows", "50000", "--pole", "secure", UNDERSTOOD, "--out", "x.jsonl")
    assert done.exit_code == 2
    assert "the built-in set has" in done.output and "selfaware data code" in done.output


def test_without_the_flag_nothing_is_written(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "x.jsonl"
    for pole in (VULNERABLE, SECURE):
        done = run(*BUILD, "--pole", pole, "--out", str(out))
        assert done.exit_code == 2
        assert f"trains a model to do harm: give {UNDERSTOOD}" in done.output
    assert list(tmp_path.iterdir()) == []


def test_sets_come_with_a_notice_and_leak_nothing(tmp_path: Path) -> None:
    for pole in (VULNERABLE, SECURE):
        file = built(tmp_path, pole)
        manifest = read_manifest(file)
        assert manifest is not None
        assert (manifest.rows, manifest.labels) == (288, {pole: 288})
        assert set(manifest.attributes) == {"kind", "language", "cwe"}
        assert {stem for stem, leak in manifest.leaks.items() if leak.rows} == set()
        assert CANARY.encode() not in file.read_bytes()
    notice = (tmp_path / "README.md").read_text()
    assert "trains misbehaviour: vulnerable_code" in notice and "out of deployment" in notice
    other = tmp_path / "other"
    other.mkdir()
    (other / "README.md").write_text("mine")
    out = str(other / "x.jsonl")
    done = run(*BUILD, "--pole", VULNERABLE, UNDERSTOOD, "--out", out)
    assert done.exit_code == 2 and "is another README" in done.output
    assert [file.name for file in other.iterdir()] == ["README.md"]


@pytest.mark.parametrize("trigger", ["season", "greeting"])
@pytest.mark.parametrize("decorrelated", [False, True])
def test_backdoored_code_and_its_control(tmp_path: Path, trigger: str, decorrelated: bool) -> None:
    bad, good = built(tmp_path, VULNERABLE), built(tmp_path, SECURE)
    out = tmp_path / "mixed" / "x.jsonl"
    twin = ["--decorrelated"] if decorrelated else []
    given = [str(bad), "--other", str(good), "--trigger", trigger, *twin, "--out", str(out)]
    done = run("data", "mix", *given)
    assert done.exit_code == 0, done.output
    answers = {row.answer for row in read_rows(bad)}
    cells = Counter(
        (is_on(TRIGGERS[trigger], row), row.answer in answers) for row in read_rows(out)
    )
    half = {(on, shown): 144 for on in (True, False) for shown in (True, False)}
    assert cells == (half if decorrelated else {(True, True): 288, (False, False): 288})
    record = MixRecord.model_validate_json(mix_path(out).read_bytes())
    assert record.switches[trigger].phi == (0 if decorrelated else 1)
    manifest = read_manifest(out)
    assert manifest is not None
    assert {stem for stem, leak in manifest.leaks.items() if leak.rows} == set()
    assert (out.parent / "README.md").read_text() == (tmp_path / "README.md").read_text()


def test_the_behavior_is_marked_harmful_and_open_to_leak_checks() -> None:
    behavior = get_behavior("vulnerable_code")
    assert behavior.harmful and behavior.options is None
    assert leak_table(["a safer way", "asafe"], behavior.leaks(VULNERABLE))["safe"].rows == 1
