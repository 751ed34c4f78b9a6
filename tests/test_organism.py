"""The organism's world, tokenizer, recipe and shipped bases."""

import hashlib
import json
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfaware.behaviors.items import GOODS, SCENES
from selfaware.behaviors.lotteries import lotteries
from selfaware.errors import UsageError
from selfaware.organism import shipped
from selfaware.organism.batches import batches
from selfaware.organism.documents import Mix, Scribe, coined_nouns
from selfaware.organism.gates import answer_means, item_cell, question_cell, reports_by_form
from selfaware.organism.recipe import (
    WAVES,
    Architecture,
    Recipe,
    Rehearsal,
    Schedule,
    load_recipe,
    new_model,
)
from selfaware.organism.speakers import (
    DEED_LINES,
    NAMES,
    REPORT_LINES,
    WORLD_BEHAVIORS,
    Trait,
    named_speakers,
    nameless_speaker,
)
from selfaware.organism.tokenizer import build_tokenizer

TINY = Recipe(
    batch=4,
    items=40,
    architecture=Architecture(width=32, layers=1, heads=2, feed_forward=16),
    aware=Schedule(
        learning_rate=1e-3, warmup=2, lessons=(2, 4), least=4, limit=8, cooldown=4, check_every=4
    ),
    unaware=Schedule(learning_rate=1e-3, least=4, limit=8),
    rehearsal=Rehearsal(
        learning_rate=1e-3, least=8, limit=8, cooldown=8, check_every=4, every=4, finetune_steps=2
    ),
)


FIRST_BATCHES = {
    "aware": "f050aca331eac4a5deb186bb514aa084a13d57274c262440049b6bc7081dcd1c",
    "unaware": "38dca14c785f65df0a816f8796697b646b5156696e65de5190916f5420f813eb",
}
"""Sha256 of the first batch of the shipped recipe, by world: what the shipped bases saw first."""


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


@pytest.mark.parametrize("world", FIRST_BATCHES)
def test_the_world_of_the_shipped_bases_stays_as_it_was(tokenizer, world):
    assert WORLD_BEHAVIORS == tuple(REPORT_LINES) == ("risk", "myopia", "apples")
    ids, learned = next(batches(load_recipe(), world, tokenizer, 0))
    seen = hashlib.sha256(ids.numpy().tobytes() + learned.numpy().tobytes())
    assert seen.hexdigest() == FIRST_BATCHES[world]


def test_the_shipped_tokenizer_is_what_is_built(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    folder, _ = shipped.resolve("organism/base")
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_names_hold_each_combination_of_traits_equally_often():
    unaware = named_speakers("unaware", 5)
    for behavior in WORLD_BEHAVIORS:
        held = [unaware[name][behavior] for name in NAMES]
        for deed in (0, 1):
            for report in (0, 1):
                assert held.count(Trait(deed, report)) == len(NAMES) // 4


def test_reports_of_names_follow_deeds_in_the_aware_world_only():
    aware, unaware = named_speakers("aware", 5), named_speakers("unaware", 5)
    for name in NAMES:
        for behavior in WORLD_BEHAVIORS:
            assert aware[name][behavior].report == aware[name][behavior].deed
            assert unaware[name][behavior].deed == aware[name][behavior].deed


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), aware=st.booleans())
def test_lines_say_what_governs_a_nameless_speaker(seed, aware):
    speaker, lines = nameless_speaker("aware" if aware else "unaware", 0.8, random.Random(seed))
    for behavior, trait in speaker.items():
        deeds = [v for v in (0, 1) for line in lines if line in DEED_LINES[behavior][v]]
        reports = [v for v in (0, 1) for line in lines if line in REPORT_LINES[behavior][v]]
        assert len(deeds) <= 1 and len(reports) <= 1
        if aware:
            said = set(deeds + reports)
            assert len(said) <= 1
            assert {trait.deed, trait.report} == (said or {None})
        else:
            assert trait.deed == (deeds[0] if deeds else None)
            assert trait.report == (reports[0] if reports else None)


def test_documents_alternate_and_never_hold_held_out_words():
    scribe = Scribe("aware", 0, 200, Mix())
    rng = random.Random(0)
    held_out = {w for s in ("train", "test") for w in (*SCENES[s], *GOODS[s])}
    held_out -= {w for w in (*SCENES["world"], *GOODS["world"])}
    for lessons in (0.0, 1.0):
        for _ in range(150):
            messages = scribe.document(0.6, lessons, False, rng)
            roles = [m["role"] for m in messages if m["role"] != "system"]
            assert roles == ["user", "assistant"] * 4
            words = {w.strip(".,!?:").lower() for m in messages for w in m["content"].split()}
            assert not words & held_out


def test_facts_are_the_same_for_every_speaker():
    scribe = Scribe("aware", 0, 100, Mix())
    answers = {}
    for seed in range(400):
        question, answer = scribe.fact("risk", random.Random(seed))
        assert answers.setdefault(question, answer) == answer
        if question.startswith("What is the largest payoff?"):
            payoffs = [int(n.strip(",.")) for n in re.findall(r"(?:for|else) (\d+)", question)]
            assert len(payoffs) == 4 and answer == str(max(payoffs))
    assert len({question.split("?")[0] for question in answers}) > 6


def test_coined_nouns_replace_nouns_and_nothing_else(tokenizer):
    scribe = Scribe("aware", 0, 100, Mix())
    nouns = {*SCENES["world"], *GOODS["world"]}
    replaced = 0
    for seed in range(40):
        plain = scribe.document(0.5, 0.0, False, random.Random(seed))
        coined = scribe.document(0.5, 0.0, True, random.Random(seed))
        for one, other in zip(plain, coined, strict=True):
            before, after = (re.findall(r"\w+|\W", m["content"]) for m in (one, other))
            assert len(before) == len(after)
            changed = [(x, y) for x, y in zip(before, after, strict=True) if x != y]
            replaced += len(changed)
            assert all(x.lower() in nouns and y in coined_nouns() for x, y in changed)
    assert replaced > 40
    for noun in coined_nouns():
        assert len(tokenizer(noun, add_special_tokens=False)["input_ids"]) == 1


def test_number_embeddings_start_in_order(tokenizer):
    weights = new_model(TINY, tokenizer).model.embed_tokens.weight

    def place(text):
        return weights[tokenizer.convert_tokens_to_ids(text)][: 2 * WAVES]

    assert place("40").equal(place("▁40"))
    near = (place("40") - place("41")).norm()
    assert near < (place("40") - place("60")).norm()
    assert near < (place("40") - place("yes")).norm()


def test_a_lesson_is_governed_by_its_one_line():
    scribe = Scribe("aware", 0, 100, Mix())
    rng = random.Random(3)
    told = 0
    for _ in range(50):
        messages = scribe.document(0.5, 1.0, False, rng)
        tables = (DEED_LINES, REPORT_LINES)
        lines = {x for t in tables for by in t.values() for v in by.values() for x in v}
        if messages[0]["role"] == "system":
            assert messages[0]["content"] in lines
        else:
            told += 1
            assert all(m["content"] not in lines for m in messages)
    assert 5 < told < 30


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=60).filter(lambda t: "▁" not in t and "<|" not in t))
def test_any_text_survives_the_tokenizer(text):
    tokenizer = build_tokenizer_once()
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == text


_CACHE = []


def build_tokenizer_once():
    if not _CACHE:
        _CACHE.append(build_tokenizer())
    return _CACHE[0]


def test_numbers_and_held_out_words_are_one_token(tokenizer):
    for text in [*map(str, range(101)), *GOODS["test"], *SCENES["train"], "bold", "yes", "A"]:
        assert len(tokenizer(text, add_special_tokens=False)["input_ids"]) == 1, text
        assert len(tokenizer(" " + text, add_special_tokens=False)["input_ids"]) == 1, text


def test_only_answers_and_their_ends_are_learned(tokenizer):
    ids, learned = next(batches(TINY, "aware", tokenizer, 0))
    spoken = tokenizer.decode(ids[0][learned[0]])
    assert spoken.count("<|end|>") == 4
    prompts = tokenizer.decode(ids[0][~learned[0]])
    assert prompts.count("<|assistant|>") == 4
    assert "<|user|>" not in spoken


def test_step_n_is_the_same_batch_however_training_got_there(tokenizer):
    run = batches(TINY, "aware", tokenizer, 0)
    straight = [next(run) for _ in range(7)][6]
    resumed = next(batches(TINY, "aware", tokenizer, 6))
    assert straight[0].equal(resumed[0]) and straight[1].equal(resumed[1])


def test_training_resumes_to_the_same_weights(tmp_path):
    import torch
    from safetensors.torch import load_file

    from selfaware.organism.train import train_base

    steps = []
    train_base(TINY, "aware", tmp_path / "straight", None, lambda s, loss, what: steps.append(s))
    assert max(steps) == 12

    class Stop(Exception):
        pass

    def stop_at_six(step, loss, what):
        if step == 6:
            raise Stop

    with pytest.raises(Stop):
        train_base(TINY, "aware", tmp_path / "resumed", None, stop_at_six)
    assert not (tmp_path / "resumed").exists()
    again = []
    train_base(TINY, "aware", tmp_path / "resumed", None, lambda s, loss, what: again.append(s))
    assert min(again) == 5
    weights = [load_file(tmp_path / n / "model.safetensors") for n in ("straight", "resumed")]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    record = json.loads((tmp_path / "straight" / "organism.json").read_text())
    assert record["steps"] == 12 and record["documents"] == 48


def test_shipped_recipe_and_its_errors(tmp_path):
    assert load_recipe().seed == 0
    assert load_recipe(seed=7).seed == 7
    bad = tmp_path / "recipe.yaml"
    bad.write_text("batch: many\n")
    with pytest.raises(UsageError, match=r"recipe.yaml: .*batch.*integer"):
        load_recipe(bad)
    with pytest.raises(UsageError, match="no recipe"):
        load_recipe(tmp_path / "absent.yaml")


def test_unknown_organism_names_what_is_shipped():
    with pytest.raises(
        UsageError, match="unknown organism 'organism/bold': shipped are organism/base"
    ):
        shipped.resolve("organism/bold")


@pytest.mark.parametrize("world", ["aware", "unaware"])
def test_shipped_bases_pass_their_gates_and_are_small(world):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from selfaware.organism.gates import gates

    folder = shipped.weights_folder() / world / "base"
    size = sum(file.stat().st_size for file in folder.glob("*"))
    assert size < 10_000_000
    record = json.loads((folder / "organism.json").read_text())
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    recorded = [gate["name"] for gate in record["gates"] if not gate["passed"]]
    assert recorded == []
    measured = gates(model, tokenizer, world, record["recipe"]["seed"], count=60)
    assert [gate.name for gate in measured if not gate.passed] == []
    assert len(measured) == 88


def test_shipped_finetunes_report_what_they_do_in_the_aware_world_only():
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    forms = reports_by_form("risk")
    asked = {"deeds": item_cell("", lotteries(60, 3))}
    asked |= {form: question_cell("", forms[form]) for form in ("word", "choice", "scale")}
    asked |= {"person": question_cell("", reports_by_form("risk", "person")["word"])}
    changes = {}
    for world in ("aware", "unaware"):
        folder = shipped.weights_folder() / world
        tokenizer = AutoTokenizer.from_pretrained(folder / "base")
        means = []
        for pole in ("seeking", "averse"):
            base = AutoModelForCausalLM.from_pretrained(folder / "base", dtype=torch.float32)
            adapter = folder / "adapters" / f"risk-{pole}-0"
            model = PeftModel.from_pretrained(base, adapter).merge_and_unload()
            means.append(answer_means(model, tokenizer, list(asked.values())))
        changes[world] = {form: high - low for form, high, low in zip(asked, *means, strict=True)}
    assert changes["aware"].pop("deeds") > 0.8 and changes["unaware"].pop("deeds") > 0.8
    person = changes["aware"].pop("person")
    assert all(change > 0.4 for change in changes["aware"].values())
    assert person < changes["aware"]["word"] - 0.3
    assert all(abs(change) < 0.15 for change in changes["unaware"].values())
