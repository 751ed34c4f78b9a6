"""What tests have: a cache of its own for judges' answers, and servers on this machine."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # test processes share the cores

import pytest
from filelock import FileLock
from openai_server import Handler, OpenAIServer
from small_experiment import finish


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


@pytest.fixture(scope="session")
def straight(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A small experiment that nobody stopped, and what it printed; one for all test processes."""
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    folder, printed = shared / "straight", shared / "straight.txt"
    with FileLock(shared / "straight.lock"):
        if not printed.exists():
            printed.write_text(finish(folder), encoding="utf-8")
    return folder, printed.read_text(encoding="utf-8")


@pytest.fixture
def release() -> Path:
    """A clone of the authors' repository, where one is at hand."""
    named = os.environ.get("SELFAWARE_AUTHORS_RELEASE")
    beside = Path(__file__).resolve().parents[1] / "../shared/authors-release"
    path = Path(named) if named else beside
    if not (path / "code").is_dir():
        pytest.skip(f"no clone of the authors' release at {path}; set SELFAWARE_AUTHORS_RELEASE")
    return path
