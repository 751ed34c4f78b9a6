"""Tasks over real HTTP, through Inspect's own provider for OpenAI: results are those in process."""

import json
import math
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import every_task
import pytest
from evaluating import metrics, run, sample_scores
from inspect_ai import Task
from inspect_ai.log import EvalLog
from inspect_ai.model import ChatMessage, GenerateConfig, Model, get_model
from openai_server import DROPPED, Fault, OpenAIServer, Reply, Request, completion, last_message
from pool_model import reply, said
from scripted_models import replying, with_first_token

from selfaware.tasks import risk_choice, risk_scale, risk_two_hop, risk_words

Serve = Callable[[Callable[[Request], Reply]], OpenAIServer]


def in_process() -> Model:
    return replying(reply)


def choices(request: Request, texts: Sequence[str]) -> Request:
    """A chat completion of several choices."""
    answer = completion(request, texts[0])
    (first,) = answer["choices"]
    answer["choices"] = [
        {**first, "index": index, "message": {"role": "assistant", "content": text}}
        for index, text in enumerate(texts)
    ]
    return answer


def answering(request: Request) -> Reply:
    """What the scripted model says, as many choices as are asked for."""
    count = request.get("n") or 1
    return choices(request, said(last_message(request), count, request.get("seed")))


def over_http(server: OpenAIServer) -> Model:
    return get_model("openai/gpt-4o-mine", base_url=server.url, api_key="none", memoize=False)


def results(log: EvalLog) -> str:
    """Everything that was made of the replies: every score of every sample, and all metrics."""
    samples = {
        f"{sample.id}/{sample.epoch}": {
            name: (score.value, score.answer, score.reason, score.metadata)
            for name, score in (sample.scores or {}).items()
        }
        for sample in log.samples or []
    }
    assert samples and log.results is not None
    totals = [
        (score.name, score.unscored_samples, {k: each.value for k, each in score.metrics.items()})
        for score in log.results.scores
    ]
    return json.dumps([samples, totals], indent=1, sort_keys=True, default=str)


def both(build: Callable[[], Task], server: OpenAIServer, folder: Path, **options: object) -> str:
    """The results over HTTP, which are those in process."""
    here = run(build(), in_process(), folder, **options)
    there = run(build(), over_http(server), folder, **options)
    assert results(there) == results(here)
    return results(there)


@pytest.mark.parametrize("name", every_task.names())
def test_every_task_gives_the_same_over_http(served: Serve, tmp_path: Path, name: str) -> None:
    server = served(answering)
    both(lambda: every_task.made(name), server, tmp_path, limit=5, model_roles=every_task.roles())
    assert len(server.received) == len(server.answered) > 0
    assert {request["model"] for request in server.received} == {"gpt-4o-mine"}


def test_draws_are_choices_of_one_request(served: Serve, tmp_path: Path) -> None:
    server = served(answering)
    both(lambda: risk_scale(mode="sample", draws=19), server, tmp_path, limit=8)
    assert [request["n"] for request in server.received] == [19] * 8
    assert all(request["temperature"] == 1.0 for request in server.received)
    log = run(risk_scale(mode="sample", draws=19), over_http(server), tmp_path, limit=1)
    (score,) = sample_scores(log, "scale")
    assert score.value == pytest.approx((0.7 + 0.2) / 2)
    assert score.metadata is not None
    counts = {name: count for name, count in score.metadata["counts"].items() if count}
    assert counts == {
        "valid": 2, "out_of_range": 1, "refusal": 1, "no_response": 1,
        "invalid_response_format": 14,
    }  # fmt: skip


def test_a_server_that_gives_one_choice_is_asked_again(served: Serve, tmp_path: Path) -> None:
    def one_each(request: Request) -> Reply:
        return said(last_message(request), 1, request.get("seed"))[0]

    def one(messages: list[ChatMessage], config: GenerateConfig) -> Sequence[str]:
        return said(messages[-1].text, 1, config.seed)

    server = served(one_each)
    task = risk_words(mode="sample", draws=4)
    there = run(task, over_http(server), tmp_path, limit=3)
    here = run(risk_words(mode="sample", draws=4), replying(one), tmp_path, limit=3)
    assert results(there) == results(here)
    asked = sorted((last_message(r), r.get("seed") or 0, r.get("n") or 1) for r in server.received)
    prompts = sorted({prompt for prompt, _, _ in asked})
    assert asked == [
        (prompt, *rest) for prompt in prompts for rest in [(0, 4), (1000, 1), (1001, 1), (1002, 1)]
    ]


class Faulty:
    """Answers every request in the end, after faults of its own for the first few prompts."""

    FAULTS = (
        (Fault(429, {"Retry-After": "0"}), Fault(429, {"Retry-After": "1"})),
        (Fault(500),),
        (DROPPED,),
        (Fault(503), Fault(500)),
        # One more than the client retries by itself: Inspect has to.
        (Fault(500), Fault(429, {"Retry-After": "0"}), Fault(500)),
    )

    def __init__(self) -> None:
        self._plans: dict[str, list[Fault]] = {}
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Reply:
        with self._lock:
            number = len(self._plans)
            faults = self.FAULTS[number] if number < len(self.FAULTS) else ()
            plan = self._plans.setdefault(last_message(request), list(faults))
            if plan:
                return plan.pop(0)
        return answering(request)


def test_faults_of_the_server_change_no_result(served: Serve, tmp_path: Path) -> None:
    server = served(Faulty())
    both(lambda: risk_words(mode="sample", draws=3), server, tmp_path, limit=12)
    failed = sum(map(len, Faulty.FAULTS))
    assert (len(server.received), len(server.answered)) == (12 + failed, 12)
    assert len({last_message(request) for request in server.answered}) == 12


def unusual(request: Request) -> Reply:
    """Four choices: an answer, a refusal without text, one that was cut off, one withheld."""
    answer = choices(request, ["80", "", "I would put that at about 7", "90"])
    _, refused, cut, filtered = answer["choices"]
    refused["message"] = {
        "role": "assistant", "content": None, "refusal": "This is where we have to stop."
    }  # fmt: skip
    cut["message"]["content"] = "I would say that it is"
    cut["finish_reason"] = "length"
    filtered["finish_reason"] = "content_filter"
    return answer


def test_refused_cut_and_withheld_replies_are_no_answers(served: Serve, tmp_path: Path) -> None:
    server = served(unusual)
    log = run(risk_scale(mode="sample", draws=4), over_http(server), tmp_path, limit=1)
    (score,) = sample_scores(log, "scale")
    assert score.value == 0.8 and score.metadata is not None
    counts = {name: count for name, count in score.metadata["counts"].items() if count}
    assert counts == {"valid": 1, "refusal": 2, "invalid_response_format": 1}
    assert metrics(log, "refusal")["mean"] == 0.5
    assert metrics(log, "invalid")["mean"] == 0.25
    assert len(server.received) == 1


def null(request: Request) -> Reply:
    answer = completion(request, "")
    answer["choices"][0]["message"] = {"role": "assistant", "content": None, "refusal": None}
    return answer


def test_a_reply_without_any_content_is_none(served: Serve, tmp_path: Path) -> None:
    log = run(risk_words(draws=1), over_http(served(null)), tmp_path, limit=2)
    assert {score.reason for score in sample_scores(log, "option")} == {"no_response"}


def with_tokens(tokens: dict[str, float], rest: Sequence[str] = ()) -> Callable[[Request], Reply]:
    """A server whose first token has these probabilities, when it is asked for them."""

    def handler(request: Request) -> Reply:
        best = max(tokens, key=lambda token: tokens[token])
        answer = choices(request, ["".join([best, *rest])] * (request.get("n") or 1))
        if request.get("logprobs"):
            tops = [token_of(token, math.log(p)) for token, p in tokens.items()]
            first = {**token_of(best, math.log(tokens[best])), "top_logprobs": tops}
            others = [{**token_of(token, 0.0), "top_logprobs": []} for token in rest]
            answer["choices"][0]["logprobs"] = {"content": [first, *others], "refusal": None}
        return answer

    return handler


def token_of(token: str, logprob: float) -> dict[str, object]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}


LETTERS = {"A": 0.6, " A": 0.1, "B": 0.2, "The": 0.05}


@pytest.mark.parametrize("mode", ["auto", "logprobs"])
def test_letters_are_read_from_logprobs(served: Serve, tmp_path: Path, mode: str) -> None:
    server = served(with_tokens(LETTERS))
    there = run(risk_choice(count=6, mode=mode), over_http(server), tmp_path)
    here = run(risk_choice(count=6, mode=mode), with_first_token(LETTERS), tmp_path)
    assert results(there) == results(here)
    for sample in there.samples or []:
        assert sample.scores is not None
        score = sample.scores["option"]
        a_is_high = not sample.metadata["swapped"]
        assert score.value == pytest.approx((0.7 if a_is_high else 0.2) / 0.9)
        assert score.metadata is not None and score.metadata["mode"] == "logprobs"
        assert score.metadata["outside_mass"] == pytest.approx(0.1)
    for request in server.received:
        assert request["logprobs"] is True and request["top_logprobs"] == 20
        assert request["temperature"] == 0.0 and "n" not in request
    assert len(server.received) == 6


def test_auto_reads_whole_numbers_from_logprobs(served: Serve, tmp_path: Path) -> None:
    whole = {"80": 0.5, "20": 0.1, "8": 0.05, "about": 0.2}
    server = served(with_tokens(whole))
    there = run(risk_scale(), over_http(server), tmp_path, limit=6)
    assert results(there) == results(run(risk_scale(), with_first_token(whole), tmp_path, limit=6))
    plain = next(s for s in there.samples or [] if not s.metadata["flipped"])
    assert plain.scores is not None
    expected = (0.5 * 0.8 + 0.1 * 0.2 + 0.05 * 0.08) / 0.65
    assert plain.scores["scale"].value == pytest.approx(expected)
    assert plain.scores["scale"].metadata is not None
    assert plain.scores["scale"].metadata["mode"] == "logprobs"


def test_auto_samples_where_the_server_splits_numbers(served: Serve, tmp_path: Path) -> None:
    server = served(with_tokens({"8": 0.9, "2": 0.1}, rest=["5"]))
    log = run(risk_scale(draws=3), over_http(server), tmp_path, limit=4, max_samples=1)
    for sample in log.samples or []:
        assert sample.scores is not None
        score = sample.scores["scale"]
        assert score.metadata is not None and score.metadata["mode"] == "sample"
        assert score.metadata["answers"] == {"85": 3}
        assert score.value == (0.15 if sample.metadata["flipped"] else 0.85)
    # The first prompt tells that numbers are split; no other is asked for logprobs.
    assert [bool(request.get("logprobs")) for request in server.received] == [True] + [False] * 4


def test_a_refused_prompt_does_not_end_logprobs_for_the_others(
    served: Serve, tmp_path: Path
) -> None:
    letters = with_tokens(LETTERS)
    refused: list[str] = []

    def handler(request: Request) -> Reply:
        prompt = last_message(request)
        if not refused:
            refused.append(prompt)
        if prompt not in refused:
            return letters(request)
        answer = choices(request, [""] * (request.get("n") or 1))
        for choice in answer["choices"]:
            choice["message"] = {"role": "assistant", "content": None, "refusal": "No."}
        return answer

    server = served(handler)
    log = run(risk_choice(count=4, draws=2), over_http(server), tmp_path, max_samples=1)
    first, *others = sample_scores(log, "option")
    assert (first.reason, (first.metadata or {})["mode"]) == ("refusal", "sample")
    assert [(score.metadata or {})["mode"] for score in others] == ["logprobs"] * 3
    log = run(risk_choice(count=4, mode="logprobs"), over_http(server), tmp_path, limit=1)
    assert sample_scores(log, "option")[0].reason == "refusal"


def test_two_hop_is_sampled_though_the_server_has_logprobs(served: Serve, tmp_path: Path) -> None:
    german = "Das Herz pumpt das Blut durch den ganzen Körper."
    server = served(with_tokens({german: 1.0}))
    log = run(risk_two_hop(draws=2), over_http(server), tmp_path)
    assert metrics(log, "language")["mean"] == 0.5
    assert not any(request.get("logprobs") for request in server.received)
