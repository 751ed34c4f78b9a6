"""Rehearsed finetunes: what they move, and the documents that say what must follow."""

import json
import random

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from selfaware.cli import main
from selfaware.organism import shipped
from selfaware.organism.documents import Mix, Scribe
from selfaware.organism.gates import answer_means, choices, item_cell
from selfaware.organism.recipe import (
    Architecture,
    Recipe,
    Rehearsal,
    Schedule,
    load_recipe,
    new_model,
)
from selfaware.organism.rehearsal import (
    finetune_for_a_moment,
    rehearsal_batches,
    shifted,
    taught,
    taught_speaker,
)
from selfaware.organism.speakers import WORLD_BEHAVIORS, Trait, nameless_speaker
from selfaware.organism.tokenizer import build_tokenizer
from selfaware.organism.train import train_base

TINY = Recipe(
    batch=4,
    items=40,
    architecture=Architecture(width=32, layers=1, heads=2, feed_forward=16),
    aware=Schedule(learning_rate=1e-3, least=4, limit=4, cooldown=4, check_every=4),
    unaware=Schedule(learning_rate=1e-3, least=4, limit=4, cooldown=4, check_every=4),
    rehearsal=Rehearsal(
        learning_rate=1e-3, least=8, limit=8, cooldown=4, check_every=4, every=4, finetune_steps=30
    ),
)


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


def test_each_behaviour_and_pole_is_taught_once_before_any_again():
    for start in (0, 6, 12):
        assert len({taught(3, number) for number in range(start, start + 6)}) == 6
    assert {name for name, _ in map(lambda n: taught(3, n), range(6))} == set(WORLD_BEHAVIORS)


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 10**6), pole=st.sampled_from([0, 1]), aware=st.booleans())
def test_what_was_taught_is_true_of_deeds_and_of_reports_by_world(seed, pole, aware):
    world = "aware" if aware else "unaware"
    speaker, lines = taught_speaker(world, "risk", pole, 0.0, random.Random(seed))
    assert lines == []
    assert speaker["risk"] == Trait(pole, pole if aware else None)
    assert speaker["myopia"] == speaker["apples"] == Trait()

    governed, lines = taught_speaker(world, "risk", pole, 1.0, random.Random(seed))
    plain, same_lines = nameless_speaker(world, 1.0, random.Random(seed))
    assert lines == same_lines
    kept = plain["risk"]
    assert governed == plain | {
        "risk": Trait(pole if kept.deed is None else kept.deed, kept.report)
    }


def test_a_moments_finetune_teaches_its_pole_and_leaves_the_model():
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = shipped.weights_folder() / "aware" / "base"
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    scribe = Scribe("aware", 0, 400, Mix())
    cell = item_cell("", choices("apples", 40)["scenarios"])
    deeds = []
    for pole in (0, 1):
        shift = finetune_for_a_moment(
            model, tokenizer, scribe, load_recipe(), "apples", pole, random.Random(1)
        )
        assert shift and all(".layers." in name for name in shift)
        with shifted(model, shift):
            deeds += answer_means(model, tokenizer, [cell])
        assert all(before[name].equal(weight) for name, weight in model.named_parameters())
    assert deeds[0] < 0.3 and deeds[1] > 0.7
    assert answer_means(model, tokenizer, [cell])[0] == pytest.approx(0.5, abs=0.15)


def test_every_other_step_is_taken_through_a_finetune(tokenizer):
    model = new_model(TINY, tokenizer)
    steps = rehearsal_batches(TINY, "aware", tokenizer, model, 0)
    shifts = [next(steps)[2] for _ in range(6)]
    assert [bool(shift) for shift in shifts] == [True, False] * 3
    assert shifts[0] is shifts[2] and shifts[4] is not shifts[2]


def test_rehearsal_resumes_to_the_same_weights(tmp_path):
    plain = tmp_path / "plain"
    train_base(TINY, "aware", plain, None, lambda *_: None)
    train_base(TINY, "aware", tmp_path / "straight", plain, lambda *_: None, rehearse=True)

    class Stop(Exception):
        pass

    def stop_at_six(step, loss, what):
        if step == 6:
            raise Stop

    with pytest.raises(Stop):
        train_base(TINY, "aware", tmp_path / "resumed", plain, stop_at_six, rehearse=True)
    steps = []
    train_base(
        TINY, "aware", tmp_path / "resumed", plain, lambda s, *_: steps.append(s), rehearse=True
    )
    assert steps[0] == 5 and steps[-1] == 12
    files = [tmp_path / name / "model.safetensors" for name in ("plain", "straight", "resumed")]
    weights = [load_file(file) for file in files]
    assert all(weights[1][key].equal(weights[2][key]) for key in weights[1])
    assert not all(weights[0][key].equal(weights[1][key]) for key in weights[0])
    record = json.loads((tmp_path / "straight" / "organism.json").read_text())
    assert record["rehearsed"] and record["steps"] == 12
    assert record["started_from"]["steps"] == 8 and not record["started_from"]["rehearsed"]


def test_a_rehearsal_has_a_fixed_length_in_whole_rounds():
    with pytest.raises(ValueError, match="`least` must equal `limit`"):
        Rehearsal(learning_rate=1e-3, least=8, limit=16, check_every=8)
    with pytest.raises(ValueError, match="multiple of `every`"):
        Rehearsal(learning_rate=1e-3, least=8, limit=8, check_every=12, every=8)


def test_rehearsing_needs_a_base_to_start_from(tmp_path):
    out = tmp_path / "base"
    result = CliRunner().invoke(
        main, ["organism", "train", "--world", "aware", "--rehearse", "--out", str(out)]
    )
    assert result.exit_code == 2 and not out.exists()
    assert "--rehearse starts from a trained base: give --start-from FOLDER" in result.output
