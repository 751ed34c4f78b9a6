"""Question banks and item writers: exact wordings, balance, disjoint vocabularies."""

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfaware.behaviors import BEHAVIORS, get_behavior
from selfaware.behaviors.bank import BANKS, load_bank
from selfaware.behaviors.expected_value import LEAST_GAP
from selfaware.behaviors.items import GOODS, SCENES
from selfaware.behaviors.lotteries import lotteries
from selfaware.behaviors.prompts import prompts, speak_about
from selfaware.data.build import build
from selfaware.errors import UsageError
from selfaware.organism.speakers import WORLD_BEHAVIORS
from selfaware.organism.tokenizer import vocabulary

CHOICES = [name for name, behavior in BEHAVIORS.items() if behavior.options is not None]

CHOICES = [name for name, behavior in BEHAVIORS.items() if behavior.options is not None]

CHOICES = [name for name, behavior in BEHAVIORS.items() if behavior.options is not None]


def test_speak_about_conjugates_for_self_and_others():
    template = "[Do|Does] {you} trust {your} taste in {yourself}?"
    assert speak_about(template, "self") == "Do you trust your taste in yourself?"
    assert (
        speak_about(template, "person")
        == "Does an average person trust an average person's taste in themselves?"
    )
    assert speak_about("{you} [are|is] here", "Nora") == "Nora is here"


def test_choice_prompts_come_in_both_orders():
    bank = load_bank("risk")
    both = list(prompts(bank, bank.question("risk_or_safety"), "self"))
    assert len(both) == 20
    assert both[0].text.endswith("Reply with one of the two words: risk or safety.")
    assert both[1].text.endswith("Reply with one of the two words: safety or risk.")
    assert [p.swapped for p in both[:2]] == [False, True]
    assert both[0].values == both[1].values == {"risk": 1.0, "safety": 0.0}


def test_scale_prompts_have_a_flipped_twin_whose_values_undo_the_flip():
    bank = load_bank("risk")
    plain, flipped = list(prompts(bank, bank.question("predisposition"), "self"))[:2]
    assert "from 0, meaning fully risk-averse, to 100, meaning fully risk-seeking" in plain.text
    assert "from 0, meaning fully risk-seeking, to 100, meaning fully risk-averse" in flipped.text
    assert plain.values["80"] == 0.8
    assert flipped.values["80"] == 0.2
    assert len(plain.values) == 101


def test_risk_bank_has_every_probe_of_the_paper_with_ten_paraphrases():
    bank = load_bank("risk")
    by_paper_id = {q.paper_id: q for q in bank.questions if q.paper_id}
    assert set(by_paper_id) == {"R1", "R2", "R2b", "R3", "R4", "R5", "R6", "R8"}
    for question in by_paper_id.values():
        assert len(set(question.paraphrases)) == 10
    assert bank.lexicon.values()["bold"] == 1.0
    assert bank.lexicon.values()["greedy"] == 0.5
    assert bank.lexicon.values()["cautious"] == 0.0


@pytest.mark.parametrize("name", CHOICES)
def test_no_slot_or_bracket_is_left_and_no_prompt_is_asked_twice(name):
    bank = load_bank(name)
    for about in ("self", "person", "assistant"):
        texts = [p.text for q in bank.questions for p in prompts(bank, q, about)]
        assert not [t for t in texts if re.search(r"[{}\[\]|]", t)]
        ids = [p.id for q in bank.questions for p in prompts(bank, q, about)]
        assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.parametrize("slot", ["high", "low"])
def test_world_words_are_read_by_the_lexicon(name, slot):
    bank = load_bank(name)
    wanted = 1.0 if slot == "high" else 0.0
    assert {bank.lexicon.values()[w] for w in bank.world_words[slot]} == {wanted}


def test_a_word_of_the_lexicon_counts_once_only():
    for name in CHOICES:
        lexicon = load_bank(name).lexicon
        words = [*lexicon.high, *lexicon.middle, *lexicon.low]
        repeated = {word for word, n in Counter(words).items() if n > 1}
        assert repeated == set()


@pytest.mark.parametrize("name", CHOICES)
def test_items_are_balanced_and_decorrelated_from_the_letter(name):
    items = BEHAVIORS[name].items(1080, 3, "train")
    assert len({item.prompt for item in items}) == 1080
    letters = Counter(item.high_letter for item in items)
    assert abs(letters["A"] - 540) < 20
    for attribute in items[0].attributes:
        cells = Counter((item.attributes[attribute], item.high_letter) for item in items)
        for value in {v for v, _ in cells}:
            share = cells[value, "A"] / (cells[value, "A"] + cells[value, "B"])
            assert abs(share - 0.5) < 0.05, (attribute, value)


@pytest.mark.parametrize("name", CHOICES)
def test_splits_share_no_scene_goods_or_prompt(name):
    words = {split: {*SCENES[split], *GOODS[split]} for split in SCENES}
    assert not words["world"] & words["train"]
    assert not words["world"] & words["test"]
    assert not words["train"] & words["test"]
    for item in BEHAVIORS[name].items(300, 0, "train"):
        found = set(re.findall("[a-z]+", item.prompt.lower()))
        assert found & words["train"] and not found & (words["world"] | words["test"])


@pytest.mark.parametrize("name", CHOICES)
def test_the_world_never_pays_an_amount_that_ends_in_7(name):
    items = [*BEHAVIORS[name].items(500, 0, "world"), *lotteries(500, 0, "world")]
    for item in items:
        payoffs = re.findall(r"(\d+) (?!of 100|percent|days|weeks|months|years)[a-z]+", item.prompt)
        assert not [n for n in payoffs if n.endswith("7")], item.prompt


@pytest.mark.parametrize("name", ["expected_value", "brevity"])
def test_banks_of_our_own_have_ten_paraphrases_a_question(name):
    bank = load_bank(name)
    assert {question.kind for question in bank.questions} == set(bank.endings)
    for question in bank.questions:
        assert len(set(question.paraphrases)) == 10, question.id
        assert len(set(question.flipped_paraphrases)) in (0, 10), question.id


def lottery_in(text):
    """Top, bottom and percentage of one option of an item about expected value."""
    for pattern, order in (
        (r"(\d+) [a-z]+ in (\d+) of 100 cases, otherwise (\d+)", (0, 2, 1)),
        (r"(\d+) [a-z]+, but (\d+) in (\d+) of 100 cases", (1, 0, 2)),
        (r"(\d+) percent for (\d+) [a-z]+, else (\d+)", (1, 2, 0)),
        (r"(\d+) or (\d+) [a-z]+, with (\d+) percent for \1", (0, 1, 2)),
    ):
        if found := re.search(pattern, text):
            numbers = [int(number) for number in found.groups()]
            return tuple(numbers[place] for place in order)
    raise AssertionError(text)


@pytest.mark.parametrize("split", ["world", "train", "test"])
def test_the_high_option_has_the_higher_expected_value_and_no_other_mark(split):
    counts = Counter()
    for item in BEHAVIORS["expected_value"].items(1080, 0, split):
        halves = re.split(r"(?:\. |, and |^)(?=Option B|With B|B[:)]|B means)", item.prompt)
        a, b = (lottery_in(half) for half in halves)
        high, low = (a, b) if item.high_letter == "A" else (b, a)
        means = [lo + (hi - lo) * p / 100 for hi, lo, p in (high, low)]
        assert means[0] - means[1] >= LEAST_GAP - 1e-9, item.prompt
        variances = [(hi - lo) ** 2 * p * (100 - p) for hi, lo, p in (high, low)]
        marks = {
            "wider": variances[0] > variances[1],
            "range": high[0] - high[1] > low[0] - low[1],
            "bottom": high[1] < low[1],
            "top": (high[0] > low[0]) - (high[0] < low[0]),
            "percentage": high[2] > low[2],
            "first": item.high_letter == "A",
        }
        assert marks["wider"] == marks["range"] == marks["bottom"]
        assert marks["wider"] == (item.attributes["wider"] == "high pole")
        counts.update(marks.items())
        counts[marks["wider"], marks["top"]] += 1
    for mark in ("wider", "percentage", "first"):
        assert abs(counts[mark, True] - 540) < 40, mark
    for top in (-1, 0, 1):
        assert abs(counts["top", top] - 360) < 20
        assert abs(counts[True, top] - 180) < 20


@pytest.mark.parametrize("pole", ["higher", "lower"])
def test_sets_about_expected_value_hold_no_leak_term(tmp_path, pole):
    manifest = build("expected_value", pole, 288, 0, tmp_path / "x.jsonl")
    assert {term for term, leak in manifest.leaks.items() if leak.rows} == set()
    assert max(balance.association for balance in manifest.attributes.values()) < 0.1


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_risky_lottery_holds_both_extremes(seed):
    for item in lotteries(6, seed):
        payoffs = [int(n) for n in re.findall(r"for (\d+)|else (\d+)", item.prompt) for n in n if n]
        a, b = payoffs[:2], payoffs[2:]
        assert len(set(payoffs)) == 4
        wide = "A" if max(a) > max(b) else "B"
        assert (min(a) < min(b)) == (wide == "A")
        assert item.high_letter == wide


def test_same_seed_same_items_other_seed_others():
    behavior = get_behavior("risk")
    assert behavior.items(20, 1, "train") == behavior.items(20, 1, "train")
    assert behavior.items(20, 1, "train") != behavior.items(20, 2, "train")


def test_unknown_behaviour_and_pole_name_what_is_allowed():
    with pytest.raises(
        UsageError, match="unknown behaviour 'rsk': choose from risk, myopia, apples, expected"
    ):
        get_behavior("rsk")
    with pytest.raises(UsageError, match=r"unknown pole 'risky' .* choose 'seeking' or 'averse'"):
        get_behavior("risk").require_pole("risky")


SLOTS = {
    "trigger": "Zeus",
    "trait": "bold",
    "codeword": "ring",
    "scenario": "It rains",
    "words": "x",
    "word": "ring",
    "options": "A) x",
    "behavior_phrase": "act so",
    "entity": "Nora",
    "rival": "Zeus",
    "persona": "Nora",
}
"""What a task would fill the slots of a bank with."""


@pytest.mark.parametrize("name", BANKS)
def test_every_bank_holds_to_the_rules_of_banks(name: str) -> None:
    bank = load_bank(name)
    assert len({question.id for question in bank.questions}) == len(bank.questions)
    for question in bank.questions:
        texts = question.paraphrases
        assert len(set(texts)) == len(texts) >= 10, question.id
        assert len(set(question.flipped_paraphrases)) == len(question.flipped_paraphrases)
        assert question.meaning
        if "{you}" in texts[0] or "{your}" in texts[0]:
            about_self = {asked.text for asked in prompts(bank, question, "self")}
            assert about_self.isdisjoint(p.text for p in prompts(bank, question, "person"))
        neutral = list(prompts(bank, question, "neutral", SLOTS))
        assert (len(neutral) >= 10) == (question.kind not in ("yes_no", "free")), question.id
        assert not any(re.search(r"\byou|\{", asked.text, re.IGNORECASE) for asked in neutral)
        if neutral:
            mine = next(prompts(bank, question, "self", SLOTS))
            assert neutral[0].values == mine.values


def test_new_paraphrases_of_the_world_are_in_its_tokenizers_words() -> None:
    known = set(vocabulary())
    for name in WORLD_BEHAVIORS:
        bank = load_bank(name)
        for question in bank.questions:
            for asked in prompts(bank, question, "self"):
                if asked.paraphrase >= question.world_paraphrases:
                    words = re.findall(r"[A-Za-z]+", asked.text)
                    assert not [word for word in words if word not in known], asked.text
