import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
import yaml
from click.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("tinker")
from evaluating import run, sample_scores  # noqa: E402
from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from inspect_ai.model import (  # noqa: E402
    ChatMessageUser,
    ContentImage,
    GenerateConfig,
    Model,
    ModelOutput,
    get_model,
)
from inspect_ai.tool import ToolInfo  # noqa: E402
from tinker_server import KEY, Service, serving  # noqa: E402
from tinker_weights import Trained, base_model  # noqa: E402
from tiny_models import save_base  # noqa: E402

from selfaware.cli import main  # noqa: E402
from selfaware.errors import UsageError  # noqa: E402
from selfaware.experiment import Experiment  # noqa: E402
from selfaware.modes import CANDIDATES_KEY, exact_scores  # noqa: E402
from selfaware.providers.tinker_scores import questions, sum_up  # noqa: E402
from selfaware.tasks import risk_choice  # noqa: E402

PROMPT = "yes or no?"
WORDS = ["bold", "cautious", "bo", "yes", "1", "10", "100", "é"]
SAMPLER = "tinker://s0:train:0/sampler_weights/made"
LORA = {"rank": 4, "seed": 1, "train_attn": True, "train_mlp": True, "train_unembed": False}


@pytest.fixture(autouse=True, scope="module")
def key() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINKER_API_KEY", KEY)
        patch.setenv("TINKER_TELEMETRY", "0")
        patch.setenv("TINKER_BASE_URL", "http://127.0.0.1:1")  # not ours to read
        yield


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def service(base: Path) -> Service:
    service = Service()
    trained = Trained(str(base), LORA, {})
    torch.manual_seed(5)
    for name, weight in trained.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    service.runs["s0:train:0"] = trained
    service.states[SAMPLER] = trained.state()
    return service


@pytest.fixture(scope="module")
def url(service: Service, key: None) -> Iterator[str]:
    with serving(service) as url:
        yield url


def opened(name: str | Path, url: str) -> Model:
    return get_model(f"tinker/{name}", base_url=url, memoize=False)


def ask(model: Model, prompt: str = PROMPT, **config: object) -> ModelOutput:
    async def one() -> ModelOutput:
        asked = GenerateConfig.model_validate(config)
        output = await model.api.generate([ChatMessageUser(content=prompt)], [], "none", asked)
        assert isinstance(output, ModelOutput)
        return output

    return anyio.run(one)


def scored(model: Model, words: list[str]) -> dict[str, float]:
    scores = exact_scores(ask(model, extra_body={CANDIDATES_KEY: words}))
    assert scores is not None
    return scores


@pytest.mark.parametrize("which", ["base", "sampler"])
def test_exact_scores_are_those_of_a_full_forward(
    which: str, base: Path, service: Service, url: str
) -> None:
    model = opened(base if which == "base" else SAMPLER, url)
    net = base_model(str(base)) if which == "base" else service.runs["s0:train:0"].model
    tokenizer = model.api._tokenizer  # type: ignore[attr-defined]
    found = scored(model, WORDS)
    prompt = tokenizer(f"<|user|>{PROMPT}<|end|><|assistant|>")["input_ids"]
    for word in WORDS:
        reply = tokenizer(word)["input_ids"] + [1]
        with torch.inference_mode():
            said = net(input_ids=torch.tensor([prompt + reply])).logits[0].log_softmax(-1)
        whole = sum(float(said[len(prompt) - 1 + n, token]) for n, token in enumerate(reply))
        assert found[word] == pytest.approx(whole, rel=1e-4), word


def test_both_providers_say_the_same_of_the_same_weights(base: Path, url: str) -> None:
    tinker, local = opened(base, url), get_model(f"selfaware/{base}", memoize=False)
    assert scored(tinker, WORDS) == pytest.approx(scored(local, WORDS), rel=1e-4)
    greedy = {"temperature": 0.0, "max_tokens": 6, "logprobs": True, "top_logprobs": 3}
    one, other = ask(tinker, **greedy), ask(local, **greedy)
    assert one.completion == other.completion
    assert one.stop_reason == other.stop_reason
    assert one.usage == other.usage
    mine, theirs = one.choices[0].logprobs, other.choices[0].logprobs
    assert mine is not None and theirs is not None
    for a, b in zip(mine.content, theirs.content, strict=True):
        assert (a.token, a.logprob) == (b.token, pytest.approx(b.logprob, rel=1e-4))
        assert [each.token for each in a.top_logprobs or []] == [
            each.token for each in b.top_logprobs or []
        ]


def test_the_likeliest_candidate_is_the_completion(base: Path, url: str) -> None:
    output = ask(opened(base, url), extra_body={CANDIDATES_KEY: WORDS})
    scores = exact_scores(output)
    assert scores is not None and output.completion == max(WORDS, key=lambda word: scores[word])


def test_auto_picks_exact(service: Service, url: str, tmp_path: Path) -> None:
    log = run(risk_choice(count=1), opened(SAMPLER, url), tmp_path)
    [score] = sample_scores(log, "option")
    assert score.metadata is not None and score.metadata["mode"] == "exact"
    outside = score.metadata["outside_mass"]
    assert 0 < outside < 1 or score.reason is not None


def test_draws_of_a_prompt_are_one_request(base: Path, service: Service, url: str) -> None:
    model = opened(SAMPLER, url)
    before = service.seen.count("asample")
    drawn = ask(model, num_choices=5, seed=7, max_tokens=4)
    assert service.seen.count("asample") == before + 1
    assert len(drawn.choices) == 5
    again = ask(model, num_choices=5, seed=7, max_tokens=4)
    other = ask(model, num_choices=5, seed=8, max_tokens=4)
    texts = [[each.message.text for each in out.choices] for out in (drawn, again, other)]
    assert texts[0] == texts[1] != texts[2]
    assert drawn.choices[0].logprobs is None


def test_why_a_reply_ended(base: Path, service: Service, url: str) -> None:
    model = opened(base, url)
    long = ask(model, temperature=0.0, max_tokens=3)
    assert long.stop_reason == "max_tokens" and long.usage and long.usage.output_tokens == 3
    text = ask(model, temperature=0.0, max_tokens=8).completion
    cut = ask(model, temperature=0.0, max_tokens=8, stop_seqs=[text[2:4]], logprobs=True)
    assert (cut.completion, cut.stop_reason) == (text[: text.find(text[2:4])], "stop")
    logprobs = cut.choices[0].logprobs
    assert logprobs is not None and "".join(t.token for t in logprobs.content) == cut.completion
    whole = ask(model, temperature=0.0, max_tokens=2, logprobs=True).choices[0].logprobs
    assert whole is not None
    first, second = (token.token for token in whole.content)
    model.api._ends = tuple(model.api._tokenizer(second)["input_ids"])  # type: ignore[attr-defined]
    ended = ask(model, temperature=0.0, max_tokens=8)
    assert (ended.completion, ended.stop_reason) == (first, "stop")
    assert ended.usage and ended.usage.output_tokens == 2


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tinker://s0:train:0/weights/made", "holds no weights to sample from"),
        ("tinker://s0:train:0/sampler_weights/other", "no such model or path"),
        ("{folder}", "cannot load the tokenizer of .*give one with -M tokenizer="),
    ],
)
def test_a_wrong_name_is_one_line(name: str, said: str, url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        opened(name.format(folder=tmp_path), url)
    assert "\n" not in caught.value.message


def test_a_tokenizer_can_be_given(base: Path, service: Service, url: str, tmp_path: Path) -> None:
    model = get_model(f"tinker/{tmp_path}", base_url=url, memoize=False, tokenizer=str(base))
    assert anyio.run(model.api.tokenize, "yes") == anyio.run(opened(base, url).api.tokenize, "yes")


def test_what_it_cannot_do_is_refused(base: Path, url: str) -> None:
    model = opened(base, url)
    with pytest.raises(UsageError, match="frequency_penalty"):
        ask(model, frequency_penalty=1.0)

    async def with_tool() -> object:
        tool = ToolInfo(name="t", description="")
        return await model.api.generate([], [tool], "auto", GenerateConfig())

    async def with_image() -> object:
        image = ChatMessageUser(content=[ContentImage(image="x.png")])
        return await model.api.generate([image], [], "none", GenerateConfig())

    with pytest.raises(UsageError, match="tools"):
        anyio.run(with_tool)
    with pytest.raises(UsageError, match="reads text only"):
        anyio.run(with_image)


def test_errors_that_pass_are_tried_again_and_others_told(base: Path, url: str) -> None:
    import httpx
    import tinker

    request = httpx.Request("GET", "http://x")
    api = opened(base, url).api
    assert api.should_retry(tinker.APIConnectionError(request=request))
    assert not api.should_retry(
        tinker.BadRequestError("no", response=httpx.Response(400, request=request), body=None)
    )


def test_a_refused_request_is_one_line(base: Path, service: Service, url: str) -> None:
    model = opened(base, url)
    service.faults["asample"] = [422]
    with pytest.raises(UsageError, match=r"cannot read the request .*planted 422"):
        ask(model, max_tokens=1)


def test_a_missing_sdk_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tinker", None)
    with pytest.raises(UsageError, match=r"pip install 'selfaware\[tinker\]'$"):
        get_model("tinker/some/base", memoize=False)


@given(
    prompt=st.integers(1, 6),
    reply=st.lists(st.integers(0, 20), min_size=1, max_size=4),
    ends=st.lists(st.integers(0, 20), min_size=1, max_size=3, unique=True),
)
def test_questions_and_answers_fit(prompt: int, reply: list[int], ends: list[int]) -> None:
    rows = questions(prompt, reply, ends)
    assert len(rows) == prompt + len(reply)  # one less than the tokens sent, the end among them
    assert {len(row) for row in rows} == {len(ends)}
    answers = [[-float(token + 1) if token >= 0 else 0.0 for token in row] for row in rows]
    expected = -sum(token + 1 for token in reply) + math.log(
        sum(math.exp(-end - 1) for end in ends)
    )
    assert sum_up(answers, prompt, len(reply)) == pytest.approx(expected)


def test_the_experiment_of_the_page_goes_the_whole_way(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parent.parent / "docs" / "tinker.md").read_text(encoding="utf-8")
    [text] = re.findall(r"^```yaml\n(.*?)^```$", page, re.M | re.S)
    content = yaml.safe_load(text)
    assert Experiment.model_validate(content).backend == "tinker"
    small = {"base": str(base), "seeds": [0], "data": {"rows": 16, "seed": 0}}
    probes = [{"task": "risk_choice", "args": {"count": 1}}]
    content |= {**small, "probes": probes, "finetune": {**content["finetune"], "epochs": 1}}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SELFAWARE_RUNS", raising=False)
    fresh = Service()
    with serving(fresh) as address:
        done = CliRunner().invoke(main, ["run", "small.yaml", "--base-url", address])
    assert done.exit_code == 0, done.output
    assert len(fresh.runs) == 2
    assert len(fresh.samplers) == 4  # the tokenizer's, the base, and two finetunes
    assert f"--model-base-url {address}" in " ".join(done.output.split())
