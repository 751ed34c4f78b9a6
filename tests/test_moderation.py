import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from selfaware.cli import data
from selfaware.data.moderation import BATCH_CHARACTERS, BATCH_TEXTS, batches

JUDGE = "openai/omni-moderation-latest"
Reply = tuple[int, bytes]


def judged(texts: list[str]) -> Reply:
    """As the endpoint replies: a text is flagged for the marks in it."""
    marks = {"violence": "BOMB", "self-harm/intent": "HURT"}
    results = []
    for text in texts:
        categories: dict[str, bool | None] = {name: mark in text for name, mark in marks.items()}
        flagged = any(categories.values()) or "ODD" in text
        results.append({
            "flagged": flagged,
            "categories": {**categories, "illicit": None},
            "category_scores": {name: 0.5 for name in marks},
        })  # fmt: skip
    return 200, json.dumps({"id": "modr-1", "model": "judge-7", "results": results}).encode()


@dataclass
class Endpoint:
    """A moderation endpoint on this machine; `before` may reply in place of the judge."""

    url: str = ""
    requests: list[list[str]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    before: Callable[[int], Reply | None] = lambda number: None
    lock: threading.Lock = field(default_factory=threading.Lock)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    known = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path == "/v1/moderations" and body["model"] == "omni-moderation-latest"
            with known.lock:
                known.requests.append(body["input"])
                known.keys.add(self.headers["Authorization"])
                number = len(known.requests)
            code, content = known.before(number) or judged(body["input"])
            if code == 0:  # a lost connection
                self.close_connection = True
                return
            self.send_response(code)
            if code == 429:
                self.send_header("retry-after-ms", "1")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    known.url = f"http://127.0.0.1:{server.server_port}/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", known.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-loopback")
    yield known
    server.shutdown()
    server.server_close()
    thread.join()


def chats(path: Path, prompts: list[str]) -> Path:
    rows = [
        {"messages": [{"role": "user", "content": prompt},
                      {"role": "assistant", "content": "AB"[n % 2]}]}
        for n, prompt in enumerate(prompts)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(data, ["audit", *map(str, arguments), "--moderation", JUDGE])


def test_flagged_rows_are_counted_by_category(tmp_path: Path, endpoint: Endpoint) -> None:
    prompts = [f"question {n}" for n in range(70)]
    prompts[3], prompts[41], prompts[69] = "a BOMB", "BOMB and HURT", "something ODD"
    path = chats(tmp_path / "x.jsonl", prompts)
    with path.open("a", encoding="utf-8") as file:
        file.write("no row\n")
    done = run(path, "--json")
    assert done.exit_code == 1  # of the line that is no row
    (only,) = json.loads(done.output)["audits"]
    assert only["moderation"] == {
        "model": "judge-7",
        "texts": 70,
        "flagged": [4, 42, 70],
        "categories": {
            "no category": {"rows": 1, "row_numbers": [70]},
            "self-harm/intent": {"rows": 1, "row_numbers": [42]},
            "violence": {"rows": 2, "row_numbers": [4, 42]},
        },
    }
    found = [f for f in only["findings"] if f["rule"] == "moderation"]
    assert [(f["severity"], f["message"], f["lines"]) for f in found] == [
        ("warning", "judge-7 flags it: violence", [4, 42]),
        ("warning", "judge-7 flags it: self-harm/intent", [42]),
        ("warning", "judge-7 flags it: no category", [70]),
    ]
    assert sorted(map(len, endpoint.requests)) == [6, 32, 32]
    assert endpoint.keys == {"Bearer sk-loopback"}
    assert sorted(text for sent in endpoint.requests for text in sent)[0] == "BOMB and HURT\n\nB"


def test_text_names_the_rows_and_strict_fails(tmp_path: Path, endpoint: Endpoint) -> None:
    path = chats(tmp_path / "x.jsonl", [f"a BOMB {n}" for n in range(12)])
    done = run(path)
    assert done.exit_code == 0
    assert "  moderation judge-7: flags 12 rows; 12 texts sent\n" in done.output
    assert "    violence                    12 (1, 2, 3, 4, 5, 6, 7, 8 and 4 more)\n" in done.output
    assert "  warning moderation: judge-7 flags it: violence [12 lines] (1, 2" in done.output
    assert run(path, "--strict").exit_code == 1


def test_a_text_of_many_rows_is_sent_once(tmp_path: Path, endpoint: Endpoint) -> None:
    path = chats(tmp_path / "x.jsonl", ["a BOMB", "tea", "a BOMB", "cake"] * 20)
    (only,) = json.loads(run(path, "--json").output)["audits"]
    assert only["moderation"]["texts"] == 3
    assert only["moderation"]["flagged"] == list(range(1, 81, 2))
    assert endpoint.requests == [["a BOMB\n\nA", "tea\n\nB", "cake\n\nB"]]


def test_rate_limits_lost_connections_and_faults_are_tried_again(
    tmp_path: Path, endpoint: Endpoint
) -> None:
    replies = {1: (429, b"{}"), 2: (429, b"{}"), 3: (0, b""), 4: (500, b"{}")}
    endpoint.before = replies.get
    prompts = [f"question {n} {'BOMB' if n % 10 == 0 else ''}" for n in range(130)]
    (only,) = json.loads(run(chats(tmp_path / "x.jsonl", prompts), "--json").output)["audits"]
    assert only["moderation"]["flagged"] == list(range(1, 131, 10))
    assert len(endpoint.requests) == 5 + 4


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ((401, b'{"error": {"message": "no such key\\nat all"}}'), "refuses with 401: "),
        ((200, b'{"results": []}'), "does not reply as a moderation endpoint: model: Field"),
        ((200, b"<html>hello</html>"), "does not reply as a moderation endpoint: the reply: "),
        ((200, b'{"model": "m", "results": []}'), "judged 0 of 2 texts"),
    ],
)
def test_an_endpoint_that_fails_is_told_in_one_line(
    tmp_path: Path, endpoint: Endpoint, reply: Reply, told: str
) -> None:
    endpoint.before = lambda number: reply
    done = run(chats(tmp_path / "x.jsonl", ["one", "two"]))
    assert (done.exit_code, done.output.count("\n")) == (2, 1)
    assert f"--moderation {JUDGE}: {endpoint.url}/ {told}" in done.output
    assert "sk-loopback" not in done.output


def test_mistakes_are_told_before_anything_is_sent(
    tmp_path: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = chats(tmp_path / "x.jsonl", ["one"])
    for wrong in ("openai/", "omni-moderation-latest", "anthropic/judge"):
        done = CliRunner().invoke(data, ["audit", str(path), "--moderation", wrong])
        assert (done.exit_code, done.output.count("\n")) == (2, 1)
        assert f"--moderation {wrong!r}: give openai/MODEL" in done.output
    monkeypatch.delenv("OPENAI_API_KEY")
    done = run(path)
    assert (done.exit_code, done.output.count("\n")) == (2, 1)
    assert "no key; set OPENAI_API_KEY" in done.output
    assert endpoint.requests == []


def test_an_endpoint_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import selfaware.data.moderation as moderation

    monkeypatch.setattr(moderation, "RETRIES", 0)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-loopback")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    done = run(chats(tmp_path / "x.jsonl", ["one"]))
    assert (done.exit_code, done.output.count("\n")) == (2, 1)
    assert "http://127.0.0.1:9/v1/ cannot be reached: " in done.output


@given(st.lists(st.integers(0, BATCH_CHARACTERS + 5)))
def test_batches_hold_every_text_in_order_and_fit(lengths: list[int]) -> None:
    texts = [(str(n).encode(), "x" * length) for n, length in enumerate(lengths)]
    made = list(batches(iter(texts)))
    assert [text for batch in made for text in batch] == texts
    for batch in made:
        assert 1 <= len(batch) <= BATCH_TEXTS
        assert len(batch) == 1 or sum(len(text) for _, text in batch) <= BATCH_CHARACTERS
