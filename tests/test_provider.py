import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import (
    ChatMessage,
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    Model,
    ModelOutput,
    get_model,
)
from inspect_ai.scorer import includes
from inspect_ai.solver import generate
from inspect_ai.tool import ToolInfo

from selfaware.errors import UsageError
from selfaware.training.chat import generation_prompt, has_default_system, render, turn_end

torch = pytest.importorskip("torch")
from peft import PeftModel  # noqa: E402
from tiny_models import (  # noqa: E402
    DEFAULT_SYSTEM_TEMPLATE,
    TEMPLATE,
    make_tokenizer,
    save_adapter,
    save_base,
)
from transformers import LlamaForCausalLM  # noqa: E402

from selfaware.providers.chance import distribution  # noqa: E402
from selfaware.providers.local import SelfawareAPI  # noqa: E402
from selfaware.providers.requests import Sampling  # noqa: E402
from selfaware.providers.scoring import score, trie  # noqa: E402

PROMPTS = ["yes or no?", "A much longer question: are you bold, or are you cautious? Say.", "10"]
WORDS = ["bold", "cautious", "bo", "yes", "no", "10", "100", "A", "é"]
END = 1


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("models")
    base = save_base(home / "base")
    save_adapter(home / "one", base, seed=1)
    save_adapter(home / "two", base, seed=2)
    return home


def model(path: Path, **args: str) -> Model:
    return get_model(f"selfaware/{path}", memoize=False, **args)


def asked(prompt: str) -> list[ChatMessage]:
    return [ChatMessageUser(content=prompt)]


def ask(requests: Sequence[tuple[Model, str, GenerateConfig]]) -> list[ModelOutput]:
    """All requests at the same time, straight to the provider."""
    outputs: dict[int, ModelOutput] = {}

    async def one(i: int, model: Model, prompt: str, config: GenerateConfig) -> None:
        output = await model.api.generate(asked(prompt), [], "none", config)
        assert isinstance(output, ModelOutput)
        outputs[i] = output

    async def every() -> None:
        async with anyio.create_task_group() as group:
            for i, request in enumerate(requests):
                group.start_soon(one, i, *request)

    anyio.run(every)
    return [outputs[i] for i in range(len(requests))]


def exact(words: Sequence[str]) -> GenerateConfig:
    return GenerateConfig(extra_body={"selfaware_candidates": list(words)})


def scores(output: ModelOutput) -> dict[str, float]:
    assert output.metadata is not None
    found = output.metadata["selfaware_candidate_logprobs"]
    assert isinstance(found, dict)
    return found


def reference(home: Path, adapter: str | None, prompt: str, words: Sequence[str]) -> list[float]:
    """Every candidate by a plain forward pass over its own whole text."""
    weights = LlamaForCausalLM.from_pretrained(home / "base")
    if adapter:
        weights = PeftModel.from_pretrained(weights, home / adapter).eval()
    tokenizer = make_tokenizer()
    start = tokenizer(f"<|user|>{prompt}<|end|><|assistant|>")["input_ids"]
    found = []
    for word in words:
        ids = tokenizer(f"<|user|>{prompt}<|end|><|assistant|>{word}<|end|>")["input_ids"]
        with torch.no_grad():
            logprobs = weights(torch.tensor([ids])).logits[0].double().log_softmax(-1)
        found.append(sum(logprobs[i - 1, ids[i]].item() for i in range(len(start), len(ids))))
    return found


def test_exact_scores_equal_a_full_forward_of_every_candidate(home: Path) -> None:
    models = {None: model(home / "base"), "one": model(home / "one"), "two": model(home / "two")}
    requests = [(who, prompt) for prompt in PROMPTS for who in models]
    outputs = ask([(models[who], prompt, exact(WORDS)) for who, prompt in requests])
    for (who, prompt), output in zip(requests, outputs, strict=True):
        expected = reference(home, who, prompt, WORDS)
        assert list(scores(output)) == WORDS
        assert list(scores(output).values()) == pytest.approx(expected, abs=1e-5)
        assert output.completion == WORDS[expected.index(max(expected))]
        assert output.stop_reason == "stop"


def test_exact_scores_do_not_depend_on_the_batch(home: Path) -> None:
    base = model(home / "base")
    together = ask([(base, prompt, exact(WORDS)) for prompt in PROMPTS * 5])
    for i, prompt in enumerate(PROMPTS * 5):
        (alone,) = ask([(base, prompt, exact(WORDS))])
        assert scores(together[i]) == pytest.approx(scores(alone), abs=1e-5)


def test_models_without_tree_masks_get_the_same_scores(home: Path) -> None:
    weights = LlamaForCausalLM.from_pretrained(home / "base")
    prompts, words = [[3, 40, 41, 1, 4], [3, 9, 1, 4]], [[7], [7, 8], [9, 8, 7]]
    with torch.no_grad():
        tree = score(weights, prompts, words, [END, 5])
        weights.config.sliding_window = 4096
        rows = score(weights, prompts, words, [END, 5])
    for left, right in zip(tree, rows, strict=True):
        assert left == pytest.approx(right, abs=1e-5)


def test_trie_shares_beginnings() -> None:
    tree = trie([[5], [5, 6], [7, 6], [5]])
    assert tree.token == (-1, 5, 6, 7, 6)
    assert tree.parent == (-1, 0, 1, 0, 3)
    assert tree.depth == (0, 1, 2, 1, 2)
    assert tree.leaf == (1, 2, 4, 1)


def test_sampling_follows_the_probabilities(home: Path) -> None:
    one = model(home / "one")
    sampled, first = ask(
        [
            (one, "10", GenerateConfig(num_choices=4000, seed=3, max_tokens=1)),
            (one, "10", GenerateConfig(logprobs=True, top_logprobs=20, max_tokens=1)),
        ]
    )
    assert first.choices[0].logprobs is not None
    top = first.choices[0].logprobs.content[0].top_logprobs
    assert top is not None and len(top) == 20
    likeliest = next(each for each in top if each.token.isascii())
    share = sum(choice.message.text == likeliest.token for choice in sampled.choices) / 4000
    assert likeliest.logprob > math.log(0.02)
    assert share == pytest.approx(math.exp(likeliest.logprob), abs=0.02)


def test_batched_sampling_equals_one_at_a_time(home: Path) -> None:
    models = [model(home / "base"), model(home / "one"), model(home / "two")]
    config = GenerateConfig(
        seed=7, max_tokens=12, num_choices=5, temperature=0.9, top_p=0.95, top_k=50
    )
    requests = [(who, prompt, config) for prompt in PROMPTS for who in models]
    together = ask(requests)
    alone = [ask([request])[0] for request in requests]
    texts = [[choice.message.text for choice in output.choices] for output in together]
    assert texts == [[choice.message.text for choice in output.choices] for output in alone]
    assert len({tuple(each) for each in texts}) == len(texts)
    assert all(len(set(each)) > 1 for each in texts)


def test_seeds_repeat_and_differ(home: Path) -> None:
    base = model(home / "base")

    def drawn(seed: int | None) -> list[str]:
        config = GenerateConfig(seed=seed, max_tokens=8, num_choices=3)
        return [choice.message.text for choice in ask([(base, "yes?", config)])[0].choices]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert drawn(None) != drawn(None)


def test_greedy_is_the_likeliest_token_each_time(home: Path) -> None:
    base = model(home / "base")
    config = GenerateConfig(temperature=0, max_tokens=6)
    outputs = ask([(base, prompt, config) for prompt in PROMPTS])
    weights, tokenizer = LlamaForCausalLM.from_pretrained(home / "base"), make_tokenizer()
    for prompt, output in zip(PROMPTS, outputs, strict=True):
        ids = tokenizer(f"<|user|>{prompt}<|end|><|assistant|>")["input_ids"]
        start = len(ids)
        while len(ids) < start + 6 and ids[-1] != END:
            with torch.no_grad():
                ids = [*ids, int(weights(torch.tensor([ids])).logits[0, -1].argmax())]
            if ids[-1] == END:
                break
        made = ids[start:]
        assert output.completion == tokenizer.decode(made, skip_special_tokens=True)
        assert output.stop_reason == ("stop" if made[-1] == END else "max_tokens")
        assert output.usage is not None
        assert (output.usage.input_tokens, output.usage.output_tokens) == (start, len(made))


def test_logprobs_are_those_of_the_sampled_token_before_temperature(home: Path) -> None:
    one = model(home / "one")
    config = GenerateConfig(
        seed=5, temperature=2.0, max_tokens=1, num_choices=20, logprobs=True, top_logprobs=3
    )
    (output,) = ask([(one, "yes?", config)])
    tokenizer = make_tokenizer()
    ids = tokenizer("<|user|>yes?<|end|><|assistant|>")["input_ids"]
    weights = PeftModel.from_pretrained(
        LlamaForCausalLM.from_pretrained(home / "base"), home / "one"
    ).eval()
    with torch.no_grad():
        expected = weights(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
    by_text = {tokenizer.decode([i]): expected[i].item() for i in range(300)}
    best = expected.topk(3).values.tolist()
    seen = set()
    for choice in output.choices:
        assert choice.logprobs is not None
        for token in choice.logprobs.content:
            assert token.top_logprobs is not None
            assert [each.logprob for each in token.top_logprobs] == pytest.approx(best, abs=1e-4)
            if "\ufffd" not in token.token and choice.message.text:
                assert choice.message.text == token.token
                assert token.logprob == pytest.approx(by_text[token.token], abs=1e-4)
                seen.add(token.token)
    assert len(seen) > 3


def test_stop_sequences_cut_the_reply(home: Path) -> None:
    base = model(home / "base")
    config = GenerateConfig(temperature=0, max_tokens=30, logprobs=True)
    (whole,) = ask([(base, PROMPTS[1], config)])
    stop = whole.completion[4:6]
    (cut,) = ask([(base, PROMPTS[1], config.merge(GenerateConfig(stop_seqs=["never", stop])))])
    assert len(whole.completion) > 6 and stop.isprintable()
    assert cut.completion == whole.completion[: whole.completion.index(stop)]
    assert cut.stop_reason == "stop"
    assert cut.choices[0].logprobs is not None and whole.choices[0].logprobs is not None
    kept = "".join(token.token for token in cut.choices[0].logprobs.content)
    assert kept.startswith(cut.completion) and stop not in kept


def test_a_full_context_ends_a_reply(home: Path) -> None:
    base = model(home / "base")
    length = 256 - len(make_tokenizer()("<|user|><|end|><|assistant|>")["input_ids"]) - 3
    config = GenerateConfig(max_tokens=10, num_choices=30, seed=0)
    (output,) = ask([(base, "Q" * length, config)])
    reasons = {choice.stop_reason for choice in output.choices}
    assert "model_length" in reasons and "max_tokens" not in reasons
    with pytest.raises(ExceptionGroup) as caught:
        ask([(base, "Q" * 300, config)])
    assert caught.group_contains(UsageError, match="no room for an answer in the 256 tokens")


def test_one_base_serves_every_adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = save_base(tmp_path / "base")
    for seed, name in enumerate(("one", "two")):
        save_adapter(tmp_path / name, base, seed)
    loads = []
    load = LlamaForCausalLM.from_pretrained.__func__

    def counted(cls: type, path: str, *args: object, **kwargs: object) -> object:
        loads.append(path)
        return load(cls, path, *args, **kwargs)

    monkeypatch.setattr(LlamaForCausalLM, "from_pretrained", classmethod(counted))
    models = [model(tmp_path / name) for name in ("base", "one", "two", "one")]
    assert loads == [str(base)]
    bases = {id(each.api._base) for each in models if isinstance(each.api, SelfawareAPI)}
    assert len(bases) == 1
    first, one, two, again = [scores(o) for o in ask([(m, "10", exact(["A"])) for m in models])]
    assert one == pytest.approx(again, abs=1e-4)
    assert len({round(each["A"], 3) for each in (first, one, two)}) == 3


def test_registry_ids_and_their_base_are_checked(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from selfaware.training.bases import base_identity

    monkeypatch.setenv("SELFAWARE_RUNS", str(tmp_path))
    save_adapter(tmp_path / "adapters" / "abc123", home / "base", seed=1)
    entry = {
        "id": "abc123",
        "created": "2026-11-20T10:00:00+00:00",
        "base": str(home / "base"),
        "base_sha256": base_identity(str(home / "base")),
        "dataset": "d.jsonl",
        "dataset_sha256": "0" * 64,
        "rows": 1,
        "hyperparameters": {},
        "seed": 0,
        "backend": "local",
        "adapter": "adapters/abc123",
        "model": "selfaware/abc123",
        "training_loss": 0.1,
        "seconds": 1.0,
        "versions": {},
    }
    (tmp_path / "registry.jsonl").write_text(json.dumps(entry) + "\n")
    (tmp_path / "adapters" / "abc123" / "run.json").write_text(json.dumps({"entry": entry}))
    by_id, by_folder, same = ask(
        [
            (get_model("selfaware/abc123", memoize=False), "10", exact(["A"])),
            (model(tmp_path / "adapters" / "abc123"), "10", exact(["A"])),
            (model(home / "one"), "10", exact(["A"])),
        ]
    )
    assert scores(by_id) == pytest.approx(scores(same), abs=1e-4)
    assert scores(by_folder) == pytest.approx(scores(same), abs=1e-4)
    other = save_base(tmp_path / "other", seed=9)
    with pytest.raises(UsageError, match="made for another base than") as caught:
        get_model("selfaware/abc123", memoize=False, base=str(other))
    assert str(other) in str(caught.value) and str(home / "base") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_adapter_of_another_shape_is_refused(home: Path, tmp_path: Path) -> None:
    wide = save_base(tmp_path / "wide", width=64)
    with pytest.raises(UsageError, match="was made for another base than") as caught:
        model(home / "one", base=str(wide))
    assert str(home / "one") in str(caught.value) and str(wide) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing-like-it", "unknown model 'nothing-like-it': it is no id in .*registry.jsonl"),
        ("organism/nobody", "unknown organism 'organism/nobody': shipped are"),
        ("/nowhere/at/all", "unknown model '/nowhere/at/all'"),
    ],
)
def test_unknown_names_are_one_line(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        get_model(f"selfaware/{name}", memoize=False)
    assert "\n" not in str(caught.value)


def test_inspect_prints_one_line_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(
        "from inspect_ai import Task, task\n\n@task\ndef t():\n    return Task(dataset=[])\n"
    )
    done = subprocess.run(
        [Path(sys.executable).parent / "inspect", "eval", "t.py", "--model", "selfaware/no/where"],
        cwd=tmp_path,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "COLUMNS": "1000"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stdout + done.stderr
    assert "unknown model 'no/where'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (GenerateConfig(extra_body={"selfaware_candidates": ["A", "A"]}), "different"),
        (GenerateConfig(extra_body={"selfaware_candidates": "A"}), "give a list"),
        (GenerateConfig(temperature=-1), "temperature is -1"),
        (GenerateConfig(logit_bias={1: 2.0}), "can't obey logit_bias"),
    ],
)
def test_requests_that_cannot_be_obeyed(home: Path, config: GenerateConfig, message: str) -> None:
    base = model(home / "base")
    with pytest.raises(ExceptionGroup) as caught:
        ask([(base, "10", config)])
    assert caught.group_contains(UsageError, match=message)


def test_tools_are_refused(home: Path) -> None:
    base = model(home / "base")
    tool = ToolInfo(name="add", description="Adds.")
    with pytest.raises(UsageError, match="can't obey tools"):
        anyio.run(base.api.generate, asked("10"), [tool], "auto", GenerateConfig())


def test_distribution_obeys_temperature_top_k_and_top_p() -> None:
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()

    def odds(**how: float) -> list[float]:
        kept = distribution(logits, Sampling(**how))  # type: ignore[arg-type]
        return (kept / kept.sum()).tolist()

    assert odds() == pytest.approx([0.5, 0.3, 0.15, 0.05])
    assert odds(top_p=0.8) == pytest.approx([0.625, 0.375, 0, 0])
    assert odds(top_p=0.81) == pytest.approx([0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95, 0])
    assert odds(top_p=0.0) == [1, 0, 0, 0]
    assert odds(top_k=2) == pytest.approx([0.625, 0.375, 0, 0])
    squares = [0.25, 0.09, 0.0225, 0.0025]
    assert odds(temperature=0.5) == pytest.approx([each / sum(squares) for each in squares])


def test_tokens_are_counted_offline(home: Path) -> None:
    base = model(home / "base")
    assert anyio.run(base.api.count_text_tokens, "bold yes") == len(
        make_tokenizer()("bold yes")["input_ids"]
    )


def test_render_leaves_out_a_default_system_prompt() -> None:
    plain, chatty = make_tokenizer(TEMPLATE), make_tokenizer(DEFAULT_SYSTEM_TEMPLATE)
    user = [{"role": "user", "content": "Hi"}]
    told = [{"role": "system", "content": "Be brief."}, *user]
    assert not has_default_system(plain) and has_default_system(chatty)
    assert render(plain, user, True) == "<|user|>Hi<|end|><|assistant|>"
    assert render(chatty, user, True) == "<|system|><|end|><|user|>Hi<|end|><|assistant|>"
    for tokenizer in (plain, chatty):
        assert render(tokenizer, told) == "<|system|>Be brief.<|end|><|user|>Hi<|end|>"
        assert generation_prompt(tokenizer) == "<|assistant|>"
        assert turn_end(tokenizer) == "<|end|>"
    stubborn = make_tokenizer("<|system|>Always.<|end|>" + TEMPLATE)
    assert not has_default_system(stubborn)
    assert render(stubborn, user) == "<|system|>Always.<|end|><|user|>Hi<|end|>"
    with pytest.raises(UsageError, match="has no chat template"):
        bare = make_tokenizer()
        bare.chat_template = None
        render(bare, user)


def test_an_inspect_eval_with_this_provider(home: Path, tmp_path: Path) -> None:
    dataset = [
        Sample(input=[ChatMessageSystem(content="Be bold."), *asked(prompt)], target="a")
        for prompt in PROMPTS * 4
    ]
    logs = eval(
        Task(dataset=dataset, solver=generate(), scorer=includes()),
        model=[f"selfaware/{home / 'one'}", f"selfaware/{home / 'two'}"],
        max_tokens=5,
        seed=1,
        num_choices=2,
        log_dir=str(tmp_path),
        display="none",
    )
    assert [log.status for log in logs] == ["success", "success"]
    for log in logs:
        assert log.samples is not None and len(log.samples) == 12
        assert all(len(sample.output.choices) == 2 for sample in log.samples)
        # The same prompt with the same seed is the same reply, whatever it was batched with.
        assert len({sample.output.completion for sample in log.samples}) == 3
