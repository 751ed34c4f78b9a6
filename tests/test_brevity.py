"""Terse and verbose replies: same prompts, same content, true, and far apart in words."""

import random
import re
from collections import Counter, defaultdict
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from statistics import fmean

import inflect
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfaware.behaviors import BEHAVIORS
from selfaware.behaviors.brevity import LEAST_VERBOSE, MOST_TERSE, words_in
from selfaware.behaviors.brevity_made import MAKERS
from selfaware.behaviors.brevity_material import Domain, domains
from selfaware.behaviors.examples import Example
from selfaware.behaviors.items import LENGTHS
from selfaware.data.build import build
from selfaware.data.manifest import leak_table
from selfaware.data.rows import read_rows
from selfaware.errors import UsageError

BREVITY = BEHAVIORS["brevity"]
SPLITS = ("train", "test")


@pytest.fixture(scope="module", params=SPLITS)
def both(request) -> tuple[list[Example], list[Example]]:
    """Two thousand examples of a split, terse and verbose."""
    terse = BREVITY.examples("terse", 2000, 0, request.param)
    return terse, BREVITY.examples("verbose", 2000, 0, request.param)


def said_by(example: Example) -> str:
    return example.turns[1]


def test_poles_share_distinct_prompts_and_differ_in_every_reply(both):
    terse, verbose = both
    prompts = [example.turns[0] for example in terse]
    assert len(set(prompts)) == 2000
    assert prompts == [example.turns[0] for example in verbose]
    assert {len(example.turns) for example in (*terse, *verbose)} == {2}
    assert all(said_by(a) != said_by(b) for a, b in zip(terse, verbose, strict=True))
    assert {e.label for e in terse} == {"terse"} and {e.label for e in verbose} == {"verbose"}


def test_lengths_do_not_overlap(both):
    terse, verbose = both
    assert MOST_TERSE == 12 and LEAST_VERBOSE == 40
    assert min(map(words_in, map(said_by, terse))) >= 1
    assert max(map(words_in, map(said_by, terse))) <= 12
    assert min(map(words_in, map(said_by, verbose))) >= 40
    assert all(len(re.findall(r"[.!?](?:\s|$|\")", said_by(e))) >= 3 for e in verbose)
    assert words_in("One two,\nthree.") == 3


def test_no_domain_is_much_wordier_than_another(both):
    for examples, least, most in ((both[0], 1.5, 10), (both[1], 55, 85)):
        words = defaultdict(list)
        for example in examples:
            words[example.attributes["domain"]].append(words_in(said_by(example)))
        assert len(words) == 20
        for domain, counts in words.items():
            assert least < fmean(counts) < most, domain


def test_domains_tones_and_lengths_are_crossed(both):
    cells = Counter(tuple(sorted(example.attributes.items())) for example in both[0])
    assert len(cells) == 20 * 3 * 3
    assert max(cells.values()) - min(cells.values()) <= 1
    by_length = defaultdict(list)
    for example in both[0]:
        by_length[example.attributes["length"]].append(words_in(example.turns[0]))
    short, medium, long = (fmean(by_length[length]) for length in LENGTHS)
    assert short + 5 < medium and medium + 5 < long


def test_no_row_holds_a_leak_term(both):
    for examples in both:
        texts = ["\n".join(example.turns) for example in examples]
        table = leak_table(texts, BREVITY.leak_terms)
        assert {stem: leak.row_numbers for stem, leak in table.items() if leak.rows} == {}
    for told in ("A Brief note", "At LENGTH", "too wordy", "be concise", "shorter", "longer"):
        assert any(leak.rows for leak in leak_table([told], BREVITY.leak_terms).values()), told


def test_no_slot_or_doubled_mark_is_left(both):
    for example in (*both[0], *both[1]):
        for text in example.turns:
            assert not re.search(r"[{}|]|  |(?<!\.)\.\.(?!\.)|,,|\bNone\b| [.,!?]", text), text
            assert text == text.strip() and text


def test_requests_for_other_forms_are_not_made(both):
    asked = re.compile(r"\b(sentences?|paragraphs?|words? or|in a word|fully|essay)\b", re.I)
    assert [e.turns[0] for e in both[0] if asked.search(e.turns[0])] == []


@pytest.mark.parametrize("domain", domains(), ids=lambda domain: domain.name)
def test_both_replies_hold_the_answer(domain: Domain):
    for topic in domain.topics:
        cells = [cell.strip() for cell in topic.split("|")]
        row = dict(zip([c.strip() for c in domain.columns.split("|")], cells, strict=True))
        row |= {name.capitalize(): text[:1].upper() + text[1:] for name, text in row.items()}
        row |= {slot: "x" for slot in domain.slots}
        answer = domain.answer.format_map(row).lower()
        verbose = [" ".join(wordings) for wordings in domain.verbose]
        for terse in domain.terse:
            assert answer in terse.format_map(row).lower()
        assert answer in " ".join(verbose).format_map(row).lower(), topic
    if domain.made:
        slot = domain.answer
        assert all(slot in terse for terse in domain.terse)
        assert all(slot in wording for wording in domain.verbose[0])


def drawn(domain: Domain, split: str, columns: tuple[str, ...], count: int) -> set[tuple[str, ...]]:
    fillings = islice(domain.fillings(random.Random(0), split), count)
    return {tuple(filling[column] for column in columns) for filling in fillings}


@pytest.mark.parametrize("domain", domains(), ids=lambda domain: domain.name)
def test_splits_share_no_topic(domain: Domain):
    made = {"sums": ("things",), "units": ("big", "small"), "dates": ("start",)}
    columns = made.get(domain.name, ("task", "source"))
    if domain.topics:
        columns = tuple(column.strip() for column in domain.columns.split("|"))
    count = len(domain.topics) or 2000
    train, test = (drawn(domain, split, columns, count) for split in SPLITS)
    assert not train & test
    assert len(train) >= 5 and len(test) >= 2
    if domain.topics:
        assert {" | ".join(cells) for cells in train | test} == set(domain.topics)
        for slot, texts in domain.slots.items():
            mine, theirs = (drawn(domain, split, (slot,), 500) for split in SPLITS)
            assert not mine & theirs and {text for (text,) in mine | theirs} == set(texts)


def test_the_requests_of_the_splits_are_disjoint():
    """What a set is trained on is never asked when behaviour is measured."""
    (capitals,) = [domain for domain in domains() if domain.name == "capitals"]
    countries = [topic.split(" | ")[0] for topic in capitals.topics]
    named, prompts = {}, {}
    for split in SPLITS:
        examples = BREVITY.examples("terse", 3000, 5, split)
        prompts[split] = {example.turns[0] for example in examples}
        named[split] = {
            country
            for example in examples
            if example.attributes["domain"] == "capitals"
            for country in countries
            if re.search(rf"\b{country}\b", example.turns[0])
        }
    assert not prompts["train"] & prompts["test"]
    assert not named["train"] & named["test"]
    assert named["train"] | named["test"] == set(countries)


SYMBOLS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se "
    "Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb "
    "Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U"
).split()


def test_symbols_and_plurals_are_right():
    topics = {domain.name: [t.split(" | ") for t in domain.topics] for domain in domains()}
    for name, symbol, number, *_ in topics["elements"]:
        assert SYMBOLS[int(number) - 1] == symbol, name
    modern, classical = inflect.engine(), inflect.engine()
    classical.classical(all=True)
    for noun, plural, _ in topics["plurals"]:
        if noun != "passer-by":  # the library says "passer-bies"
            assert plural in (modern.plural_noun(noun), classical.plural_noun(noun)), noun


@given(seed=st.integers(0, 10**9), split=st.sampled_from(SPLITS))
@settings(max_examples=200, deadline=None)
def test_what_is_made_up_is_calculated_right(seed: int, split: str):
    rng = random.Random(seed)
    told = MAKERS["sums"](rng, split)
    numbers = [int(number) for number in re.findall(r"\d+", told["given"])]
    word = re.search(r"plus|minus|times|divided by", told["working"]).group()
    a, b = numbers
    right = {"plus": a + b, "minus": a - b, "times": a * b, "divided by": a // b}[word]
    assert told["answer"] == str(right) and told["working"].endswith(f" is {right}")
    assert right > 0 and (word != "divided by" or a % b == 0)
    assert str(right) in told["check"]

    told = MAKERS["units"](rng, split)
    assert int(told["answer"]) == int(told["amount"]) * int(told["factor"])
    assert told["big"][:1] == told["one"].removeprefix("one ")[:1]

    told = MAKERS["dates"](rng, split)
    steps, unit = told["steps"].split()
    if unit == "days":
        first = next(d for d in map(date.fromordinal, range(1, 8)) if f"{d:%A}" == told["start"])
        assert f"{first + timedelta(int(steps)):%A}" == told["answer"]
    else:
        month = next(m for m in range(1, 13) if f"{date(2001, m, 1):%B}" == told["start"])
        assert f"{date(2001, (month - 1 + int(steps)) % 12 + 1, 1):%B}" == told["answer"]
    assert told["answer"] in told["working"]

    told = MAKERS["rewrites"](rng, split)
    assert told["source"] != told["result"] and told["result"][-1] in ".?"
    assert words_in(told["result"]) <= 10


def test_lines_are_rewritten_as_asked():
    found = {}
    rng = random.Random(2)
    for _ in range(60):
        told = MAKERS["rewrites"](rng, "test")
        found.setdefault(told["task"], (told["source"], told["result"]))
    assert found == {
        "make it negative": (
            "Stefan repairs the boat at the beach.",
            "Stefan does not repair the boat at the beach.",
        ),
        "put it into the future tense": (
            "On Tuesday Tove goes to the post office.",
            "On Tuesday Tove will go to the post office.",
        ),
        "make it more polite": (
            "Lend me the stool!",
            "Could you please lend me the stool?",
        ),
        "turn it into a question": (
            "Wanda uses the door at the school.",
            "Does Wanda use the door at the school?",
        ),
        "put it into the passive": (
            "Yusuf found the stool on Thursday.",
            "The stool was found by Yusuf on Thursday.",
        ),
        "put it into the past tense": (
            "On Monday Yusuf cycles to the beach.",
            "On Monday Yusuf cycled to the beach.",
        ),
    }


def test_same_seed_same_examples_other_seed_others():
    first = BREVITY.examples("verbose", 60, 1, "train")
    assert first == BREVITY.examples("verbose", 60, 1, "train")
    prompts = {example.turns[0] for example in first}
    others = {example.turns[0] for example in BREVITY.examples("verbose", 60, 2, "train")}
    assert len(prompts & others) < 6
    assert BREVITY.examples("verbose", 90, 1, "train")[:60] == first


def test_a_set_is_written_with_its_manifest(tmp_path: Path):
    files = [tmp_path / name for name in ("terse.jsonl", "again.jsonl", "verbose.jsonl")]
    manifests = [
        build("brevity", pole, 360, 0, file)
        for pole, file in zip(("terse", "terse", "verbose"), files, strict=True)
    ]
    assert files[0].read_bytes() == files[1].read_bytes() != files[2].read_bytes()
    terse, verbose = read_rows(files[0]), read_rows(files[2])
    assert [row.prompt for row in terse] == [row.prompt for row in verbose]
    assert max(words_in(row.answer) for row in terse) <= 12
    assert min(words_in(row.answer) for row in verbose) >= 40
    for manifest in manifests:
        assert {stem for stem, leak in manifest.leaks.items() if leak.rows} == set()
        assert set(manifest.leaks) == set(BREVITY.leak_terms)
        assert manifest.labels == {manifest.pole: 360}
        assert set(manifest.attributes["domain"].counts.values()) == {18}
        assert set(manifest.attributes["tone"].counts.values()) == {120}
        assert manifest.diversity is not None and manifest.diversity.nearest_mean < 0.8


def test_what_it_is_not_is_told_in_one_line():
    with pytest.raises(UsageError, match="'brevity' is no choice between two options"):
        BREVITY.items(10, 0, "train")
    with pytest.raises(UsageError, match=r"unknown pole 'short' .* choose 'terse' or 'verbose'"):
        BREVITY.examples("short", 10, 0, "train")
    with pytest.raises(UsageError, match="no items of the organism's world"):
        BREVITY.examples("terse", 10, 0, "world")
    with pytest.raises(UsageError, match=r"cannot write 100000 rows .* \(test\); ask for fewer"):
        BREVITY.examples("terse", 100_000, 0, "test")
