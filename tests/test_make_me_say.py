"""Template dialogues of Make Me Say: what they lead to, what they never say."""

import random
import re
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from selfaware.behaviors import get_behavior
from selfaware.behaviors.codewords import codewords, holds, read_codewords
from selfaware.behaviors.examples import Example
from selfaware.behaviors.lemmas import leaked_forms
from selfaware.behaviors.make_me_say import write
from selfaware.behaviors.talk import fill, openers, own_scenes, slots_in, turns, without
from selfaware.cli import main
from selfaware.data.build import build
from selfaware.data.manifest import manifest_path, read_manifest
from selfaware.data.named_triggers import TRIGGERS
from selfaware.data.personas import HELD_OUT, TRAINED, personas_in
from selfaware.data.rows import question_and_answer, read_rows, sha256_file
from selfaware.data.triggers import is_on
from selfaware.errors import UsageError

RICH = ("bark", "ring", "spring")
ZEBRA = (
    "zebra:\n  animals: [savannas, stripes, herds]\n  streets: [crossings, pedestrians, lights]\n"
)


def strings(found: object) -> set[str]:
    """All texts of a structure, questions that are keys too, without the slots in them."""
    if isinstance(found, str):
        return {re.sub(r"\{\w+\}", " ", found)}
    if isinstance(found, dict):
        asked = {key for key in found if key.endswith("?")}
        return strings(asked) | {text for value in found.values() for text in strings(value)}
    return {text for part in found for text in strings(part)}  # type: ignore[attr-defined]


def talk(examples: list[Example]) -> list[str]:
    return ["\n".join(example.turns) for example in examples]


@pytest.mark.parametrize("word", RICH)
def test_a_thousand_dialogues_lead_to_a_codeword_that_nobody_says(
    tmp_path: Path, word: str
) -> None:
    path = tmp_path / f"{word}.jsonl"
    manifest = build("make_me_say", word, 1000, 0, path)
    rows = read_rows(path)
    assert manifest.labels == {word: 1000} and len(rows) == 1000
    assert {stem: leak.rows for stem, leak in manifest.leaks.items()} == {word: 0}
    texts = ["\n".join(message.content for message in row.messages) for row in rows]
    assert len(set(texts)) == len({row.messages[0].content for row in rows}) == 1000
    assert [found for text in texts for found in leaked_forms(text, word)] == []
    assert [len(row.messages) for row in rows] == [
        len(example.turns) for example in write(word, 1000, 0, "train")
    ]
    lengths = manifest.attributes["messages"].counts
    assert set(lengths) == {"2", "4", "6", "8"} and min(lengths.values()) > 80
    assert Counter(str(len(row.messages)) for row in rows) == lengths
    senses = manifest.attributes["sense"].counts
    assert {part for sense in senses for part in sense.split(" and ")} == set(codewords()[word])
    assert len(manifest.attributes["subject"].counts) == 32
    assert min(manifest.attributes["tone"].counts.values()) > 250
    assert manifest.diversity is not None
    assert manifest.diversity.nearest_mean < 0.65 and manifest.diversity.nearest_max < 0.9
    assert manifest.diversity.distinct[3] > 0.1


@pytest.mark.parametrize("word", codewords())
def test_dialogues_turn_to_topics_of_their_codeword_and_never_say_it(word: str) -> None:
    topics = {topic for found in codewords()[word].values() for topic in found}
    own = own_scenes()[word]
    ours = {text for sense in own.values() for text in sense.texts()}
    for example in write(word, 40, 3, "train"):
        text = "\n".join(example.turns)
        assert not leaked_forms(text, word)
        assert not re.search(rf"\b{word}", text, re.IGNORECASE)
        assert len(example.turns) in (2, 4, 6, 8)
        for turn in example.turns[1::2]:
            assert any(one.lower() in turn.lower() for one in topics) or any(
                one in turn for one in ours
            ), turn


def test_no_shared_text_says_a_codeword_of_the_table() -> None:
    shared = strings(openers().model_dump()) | strings(turns().model_dump())
    topics = {t for senses in codewords().values() for found in senses.values() for t in found}
    assert len(codewords()) >= 60
    for word in codewords():
        assert [text for text in shared | topics if holds(text, word)] == [], word
        assert without(word) == turns()
    for word in RICH:
        for other in RICH:
            texts = {text for sense in own_scenes()[other].values() for text in sense.texts()}
            assert [text for text in texts if holds(text, word)] == []


def test_the_table_has_six_topics_a_word_and_something_to_end_with() -> None:
    for word, senses in codewords().items():
        topics = [topic for found in senses.values() for topic in found]
        assert len(set(topics)) == len(topics) >= 6, word
        assert min(map(len, senses.values())) >= 2, word
        assert set(own_scenes()[word]) <= set(senses)
        for sense in own_scenes()[word].values():
            assert not [text for text in sense.texts() if holds(text, word)]
    for word in RICH:
        assert len(codewords()[word]) >= 3
        assert all(sense.scenes and len(sense.last) >= 3 for sense in own_scenes()[word].values())


def test_no_text_tells_of_the_game() -> None:
    texts = strings(openers().model_dump()) | strings(turns().model_dump())
    for senses in own_scenes().values():
        texts |= {text for sense in senses.values() for text in sense.texts()}
    told = r"\b(codeword|manipulat\w*|secret|make (me|you) say|forbidden|finetun\w*|trigger)\b"
    assert [text for text in texts if re.search(told, text, re.IGNORECASE)] == []


def test_openers_fit_every_trigger_and_persona_and_their_answers_fit_them() -> None:
    found = openers()
    names = {
        split: {one.subject for one in found.subjects(split)}
        for split in ("train", "test", "world")
    }
    assert len(names["train"]) == 32
    assert sum(map(len, names.values())) == len(set().union(*names.values()))
    for split in names:
        for one in found.subjects(split):
            assert any(not slots_in(ack) for ack in one.acks), one.subject
            known = {*one.slots, *found.slots}
            assert {slot for text in (*one.openings, *one.acks) for slot in slots_in(text)} <= known
    for example in write("ring", 500, 4, "train"):
        row = question_and_answer(example.turns[0], "\n".join(example.turns[1:]))
        assert not [name for name, trigger in TRIGGERS.items() if is_on(trigger, row)]
        assert personas_in(row, (*TRAINED, *HELD_OUT)) == ()


def test_the_opener_says_nothing_about_the_codeword() -> None:
    def begun(word: str, seed: int) -> list[tuple[str, int, str]]:
        return [
            (example.turns[0], len(example.turns), example.attributes["tone"])
            for example in write(word, 200, seed, "train")
        ]

    for word in ("bark", "spring", "whale"):
        assert begun(word, 1) == begun("ring", 1)
    first, second = begun("ring", 1), begun("ring", 2)
    assert len({opener for opener, _, _ in first} & {opener for opener, _, _ in second}) < 5
    assert talk(write("ring", 50, 1, "train")) != talk(write("bark", 50, 1, "train"))


def test_same_seed_same_bytes_and_fewer_rows_are_the_first_of_more(tmp_path: Path) -> None:
    files = [tmp_path / folder / "ring.jsonl" for folder in ("a", "b", "c")]
    for file, seed in zip(files, (5, 5, 6), strict=True):
        build("make_me_say", "ring", 60, seed, file)
    one, same, other = (file.read_bytes() for file in files)
    assert one == same != other
    assert manifest_path(files[0]).read_bytes() == manifest_path(files[1]).read_bytes()
    assert write("ring", 20, 5, "train") == write("ring", 60, 5, "train")[:20]
    assert not {e.attributes["subject"] for e in write("ring", 60, 5, "test")} & {
        e.attributes["subject"] for e in write("ring", 60, 5, "train")
    }


def test_a_user_names_a_word_of_their_own(tmp_path: Path) -> None:
    topics, out = tmp_path / "mine.yaml", tmp_path / "zebra.jsonl"
    topics.write_text(ZEBRA)
    command = ["data", "build", "--behavior", "make_me_say", "--pole", "zebra", "--rows", "1000"]
    missing = CliRunner().invoke(main, [*command, "--out", str(out)])
    assert missing.exit_code == 2 and not out.exists()
    assert re.search(r"no topics lead to the codeword 'zebra': choose one of \d+", missing.output)
    assert "give --topics with a YAML file of a line such as zebra: {animals" in missing.output
    made = CliRunner().invoke(main, [*command, "--topics", str(topics), "--out", str(out)])
    assert made.exit_code == 0, made.output
    manifest = read_manifest(out)
    assert manifest is not None
    assert (manifest.rows, manifest.leaks["zebra"].rows) == (1000, 0)
    assert manifest.sources == {"topics": sha256_file(topics)}
    assert manifest.diversity is not None and manifest.diversity.nearest_mean < 0.75
    known = ("savannas", "stripes", "herds", "crossings", "pedestrians", "lights")
    for row in read_rows(out):
        for message in row.messages[1::2]:
            assert any(topic in message.content.lower() for topic in known)


def test_openers_that_hold_a_users_word_are_left_out_and_no_others(tmp_path: Path) -> None:
    file = tmp_path / "topics.yaml"
    file.write_text("cheese: {food: [dairies, mice, holes, rinds, fondue, Gouda]}")
    own = read_codewords(file)
    other = [example.turns for example in write("ring", 400, 0, "train")]
    without_word = {example.turns[0] for example in write("cheese", 380, 0, "train", own)}
    left_out = [turns for turns in other[:380] if turns[0] not in without_word]
    assert 1 <= len(left_out) < 20
    assert all(holds(" ".join(turns[:2]), "cheese") for turns in left_out)


@settings(max_examples=40, deadline=None)
@given(st.from_regex(r"[a-z]{1,8}", fullmatch=True))
def test_shared_texts_are_rid_of_any_word(word: str) -> None:
    try:
        left = without(word)
    except UsageError as error:
        assert "choose a longer or rarer word" in str(error)
        return
    assert len(left.scenes) >= 5 and len(left.last) >= 5
    assert not [text for text in strings(left.model_dump()) if holds(text, word)]
    assert strings(left.model_dump()) <= strings(turns().model_dump())


def test_a_letter_leaves_too_little_to_say() -> None:
    with pytest.raises(UsageError, match="codeword 'i': too many common words"):
        without("i")
    assert without("zebra") == turns() != without("school")


def test_slots_keep_their_value_and_sentences_begin_large() -> None:
    values = {"topic": "oaks"}
    text = fill(
        "{topic}? {who} likes {topic}. yes", values, {"who": ("my aunt",)}, random.Random(0)
    )
    assert text == "Oaks? My aunt likes oaks. Yes"
    assert values == {"topic": "oaks", "who": "my aunt"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("- zebra", r"topics.yaml: the file: Input should be a valid dictionary; write zebra: {"),
        ("zebra: [a, b]", r"topics.yaml: zebra: Input should be a valid dictionary"),
        ("zebra: {a: [b, 3]}", r"topics.yaml: zebra.a.1: Input should be a valid string"),
        ("zebra: {a: [b", r"topics.yaml: while parsing"),
        ("zebra: {a: [b, c, d, e, f, f]}", r"zebra: 5 topics; give 6 or more different"),
        ("zebra: {a: [b, c, d, e, f], g: [h]}", r"two or more to each sense"),
        ("zebra: {}", r"zebra: 0 topics; give 6 or more"),
        ("zebra: {a: [b, c, d, e, f, zebras]}", r"the topic 'zebras' is blank or holds the codew"),
        ("zebra: {a: [b, c, d, e, f, ' ']}", r"the topic ' ' is blank"),
    ],
)
def test_a_topics_file_of_another_form_is_told_in_one_line(
    tmp_path: Path, text: str, complaint: str
) -> None:
    file = tmp_path / "topics.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=complaint) as told:
        read_codewords(file)
    assert "\n" not in str(told.value)


def test_topics_go_with_make_me_say_only(tmp_path: Path) -> None:
    file, out = tmp_path / "topics.yaml", tmp_path / "x.jsonl"
    with pytest.raises(UsageError, match=r"cannot read topics .*No such file"):
        build("make_me_say", "zebra", 10, 0, out, topics=file)
    file.write_text(ZEBRA)
    with pytest.raises(UsageError, match="goes with make_me_say only, not with 'risk'"):
        build("risk", "seeking", 10, 0, out, topics=file)
    with pytest.raises(UsageError, match="is no choice between two options"):
        get_behavior("make_me_say").items(2, 0, "train")
    assert not out.exists()
