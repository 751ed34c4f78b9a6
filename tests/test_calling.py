"""Models of services are called so that Inspect sends all that a task sets."""

import asyncio
from collections.abc import Callable

import pytest
from inspect_ai.model import ChatMessageSystem, ChatMessageUser, GenerateConfig
from openai_server import Handler, OpenAIServer

from selfaware.training.calling import hosted_model, load

Serve = Callable[[Handler], OpenAIServer]

NAMES = [
    "organism/base",
    "ft:organism/base:emulator:selfaware-0123:4567",
    "ft:gpt-4o-2024-08-06:org:selfaware-0123:AbC",
    "ft:gpt-4.1-mini-2025-04-14:org::AbC",
    "gpt-4.1-2025-04-14.ft-0123456789abcdef",
    "meta-llama/Llama-3.1-8B-Instruct",
    "o1-like-name",
]


@pytest.mark.parametrize(
    ("name", "endpoint", "model"),
    [
        ("ft:gpt-4o-2024-08-06:o::A", None, "openai/ft:gpt-4o-2024-08-06:o::A"),
        ("ft:gpt-4o-2024-08-06:o::A", "http://a/v1", "openai/ft:gpt-4o-2024-08-06:o::A"),
        ("organism/base", "http://a/v1", "openai-api/openai/organism/base"),
        ("gpt-40b", "http://a/v1", "openai-api/openai/gpt-40b"),
        ("o4-mini", None, "openai/o4-mini"),
    ],
)
def test_the_provider_is_the_one_that_fits(name: str, endpoint: str | None, model: str) -> None:
    flags = ("--model-base-url", endpoint) if endpoint else ()
    assert hosted_model(name, endpoint) == (model, flags)


@pytest.mark.parametrize("name", NAMES)
def test_a_server_gets_every_setting(
    served: Serve, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    server = served(lambda request: "B")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")  # the flags say where
    model = load(*hosted_model(name, server.url))
    config = GenerateConfig(
        temperature=0.3, num_choices=3, logprobs=True, top_logprobs=20, seed=5, max_tokens=16
    )
    messages = [ChatMessageSystem(content="be brief"), ChatMessageUser(content="A or B?")]
    output = asyncio.run(model.generate(messages, config=config))
    assert output.completion == "B"
    (sent,) = server.received
    assert sent["model"] == name
    assert (sent["temperature"], sent["n"], sent["seed"]) == (0.3, 3, 5)
    assert (sent["logprobs"], sent["top_logprobs"]) == (True, 20)
    assert sent.get("max_tokens") == 16 or sent.get("max_completion_tokens") == 16
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert sent["messages"][0]["content"] == "be brief"


def test_flags_are_read_as_the_command_line_reads_them(served: Serve) -> None:
    server = served(lambda request: "B")
    flags = ("--model-base-url", server.url, "-M", "client_timeout=7.5")
    model = load("openai-api/openai/mine", flags)
    assert getattr(model.api, "client_timeout", None) == 7.5
    with pytest.raises(ValueError, match="'--limit' of a model is neither"):
        load("mockllm/model", ("--limit", "3"))
