"""What tests have: a cache of its own for judges' answers, and servers on this machine."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from openai_server import Handler, OpenAIServer


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("INSPECT_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Handler], OpenAIServer]]:
    """Starts servers, and points the OpenAI client of Inspect at the last one."""
    running: list[OpenAIServer] = []

    def serve(handler: Handler) -> OpenAIServer:
        server = OpenAIServer(handler).__enter__()
        running.append(server)
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        return server

    yield serve
    for server in running:
        server.__exit__(None, None, None)
