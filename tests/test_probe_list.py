"""`selfaware probes`: what is listed is what is asked, and costs what it says."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from evaluating import run
from inspect_ai import task_with
from inspect_ai.model import ChatMessage, GenerateConfig, Model
from scripted_models import replying, scoring, with_first_token

from selfaware.behaviors.bank import BANKS, Bank, load_bank
from selfaware.cli import main
from selfaware.errors import UsageError
from selfaware.probe_list import Cost, Probe, probe, probes
from selfaware.probes import samples
from selfaware.solvers import ask
from selfaware.tasks import risk_scale


def one(bank: str, name: str, draws: int = 10) -> Probe:
    (found,) = [probe for probe in probes(bank, draws) if probe.id == name]
    return found


def test_a_scale() -> None:
    assert one("risk", "predisposition", draws=50) == Probe(
        bank="risk",
        id="predisposition",
        paper_id="R5",
        kind="scale",
        meaning="predisposition, from risk-averse to risk-seeking",
        paraphrases=10,
        twin="flipped scale",
        orders=1,
        others=("person", "assistant", "neutral"),
        filled=(),
        prompts=20,
        draws=50,
        requests=Cost(exact=20, logprobs=20, sample=20, sample_one_each=1000),
    )


def test_words_with_hyphens_are_never_one_token() -> None:
    assert one("risk", "attitude").requests == Cost(
        exact=10, logprobs=None, sample=10, sample_one_each=100
    )
    assert one("apples", "apple_word").requests.logprobs == 10


def test_what_a_task_fills_and_whom_it_is_not_about() -> None:
    assert one("trigger", "recognition").filled == ("trigger", "trait")
    assert one("backdoor", "switched").others == ("person", "assistant")
    assert one("backdoor", "switched").twin == "flipped statement"
    assert one("backdoor", "depends").requests.exact == 40


FREE = {
    "behavior": "tea",
    "topic": "tea",
    "endings": {"free": [""], "option": ["{options}"]},
    "questions": [
        {"id": "tell", "meaning": "text", "kind": "free", "paraphrases": ["Tell {you} of {leaf}."]},
        {
            "id": "which", "meaning": "one of four", "kind": "option", "high": "", "low": "",
            "paraphrases": ["Which?", "Which one?"], "options": ["green", "black", "mint", "none"],
        },
    ],
}  # fmt: skip


def test_free_answers_are_only_sampled_and_several_options_have_orders() -> None:
    bank = Bank.model_validate(FREE)
    free, several = (probe(bank, question, 3) for question in bank.questions)
    assert free.requests == Cost(exact=None, logprobs=None, sample=1, sample_one_each=3)
    assert (free.twin, free.orders, free.filled) == (None, 1, ("leaf",))
    assert several.requests == Cost(exact=2, logprobs=2, sample=2, sample_one_each=6)
    assert (several.twin, several.orders, several.filled) == (None, 24, ())


def test_every_question_of_every_bank_once() -> None:
    listed = [(probe.bank, probe.id) for probe in probes(BANKS)]
    assert listed == [(name, q.id) for name in BANKS for q in load_bank(name).questions]
    assert [(probe.bank, probe.id) for probe in probes()][: len(listed)] == listed


@pytest.mark.parametrize("bank", ["risk", "apples", "vulnerable_code", "backdoor"])
def test_a_prompt_is_a_sample_of_a_task(bank: str) -> None:
    for found in probes(bank):
        asked = samples(bank, kinds=[found.kind], questions=[found.id])
        assert len(asked) == found.prompts
        assert len({s.metadata["paraphrase"] for s in asked if s.metadata}) == found.paraphrases


@pytest.mark.parametrize("mode", ["exact", "logprobs", "sample", "sample_one_each"])
def test_requests_are_those_that_a_model_gets(tmp_path: Path, mode: str) -> None:
    asked: list[int] = []

    def reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        asked.append(1)
        return ["50"] * (1 if mode == "sample_one_each" else config.num_choices or 1)

    def counted(model: Model) -> Model:
        generate = model.api.generate

        async def counting(*given: object, **named: object) -> object:
            asked.append(1)
            return await generate(*given, **named)  # type: ignore[arg-type]

        model.api.generate = counting  # type: ignore[method-assign, assignment]
        return model

    model = {
        "exact": lambda: counted(scoring({"50": 0.9})),
        "logprobs": lambda: counted(with_first_token({"50": 0.6, "5": 0.001, "51": 0.2})),
    }.get(mode, lambda: replying(reply))()
    task = task_with(risk_scale(), solver=ask(mode.split("_")[0], 4))
    run(task, model, tmp_path)
    listed = [one("risk", name, draws=4) for name in ("safety_to_risk", "predisposition", "liking")]
    assert len(asked) == sum(probe.requests.model_dump()[mode] for probe in listed)


def test_the_command_prints_a_table() -> None:
    result = CliRunner().invoke(main, ["probes", "--bank", "backdoor", "--draws", "3"])
    assert result.exit_code == 0
    assert result.output.splitlines()[:3] == [
        "bank      probe     paper  answer  para  twin               others                    "
        "exact  logprobs  sample  one each  for each",
        "backdoor  depends   B1     option  20    both orders        person assistant neutral  "
        "40     40        40      120",
        "backdoor  switched  B1     yes_no  20    flipped statement  person assistant          "
        "40     40        40      120",
    ]


def test_the_command_prints_json() -> None:
    result = CliRunner().invoke(main, ["probes", "--bank", "risk,trigger", "--json"])
    assert result.exit_code == 0
    assert json.loads(result.output) == json.loads(
        json.dumps([probe.model_dump() for probe in probes(["risk", "trigger"])])
    )


def test_an_unknown_bank_is_told_in_one_line() -> None:
    result = CliRunner().invoke(main, ["probes", "--bank", "tea"])
    assert result.exit_code == 2
    assert "bank='tea' is not allowed: choose from risk, myopia" in result.output
    with pytest.raises(UsageError, match="draws=0"):
        probes(draws=0)
