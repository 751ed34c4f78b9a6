"""A small OpenAI-compatible server on 127.0.0.1 whose replies and faults a test writes.

    def handler(request: Request) -> Reply:
        return "B" if "coin" in last_message(request) else Fault(429, {"Retry-After": "0"})

    with OpenAIServer(handler) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")

It knows chat completions: name a model so that Inspect asks it that way (`openai/gpt-4o-mine`).
The handler runs in a thread of its own for every request.
"""

import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Request = dict[str, Any]
"""The body of a request: `model`, `messages`, `temperature` ..."""


@dataclass(frozen=True)
class Fault:
    """A reply that is none: a status with headers, or with `status` 0 a connection cut off."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)


DROPPED = Fault(0)

Reply = str | Request | Fault
"""The text of a completion, a whole reply of one's own, or a fault."""

Handler = Callable[[Request], Reply]


def last_message(request: Request) -> str:
    """What the user said last."""
    return str(request["messages"][-1]["content"])


def system_message(request: Request) -> str:
    """The system prompt; empty where there is none."""
    first = request["messages"][0]
    return str(first["content"]) if first["role"] in ("system", "developer") else ""


def completion(request: Request, text: str) -> Request:
    """A chat completion. A token is a word, so that counts of tokens are exact."""
    read = sum(len(str(message["content"]).split()) for message in request["messages"])
    written = len(text.split())
    return {
        "id": "chatcmpl-0",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": f"{request['model']}-served",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": text},
            }
        ],
        "usage": {
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
        },
    }


class OpenAIServer:
    """Runs while its `with` block does.

    `received` has every request in order of arrival, `answered` those whose completion went out
    whole, `most_open` the most that were open at one time.
    """

    def __init__(self, handler: Handler) -> None:
        self.received: list[Request] = []
        self.answered: list[Request] = []
        self.most_open = 0
        self._open = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler_class(self, handler))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def open(self, request: Request) -> None:
        with self._lock:
            self.received.append(request)
            self._open += 1
            self.most_open = max(self.most_open, self._open)

    def close(self, request: Request, answered: bool) -> None:
        with self._lock:
            self._open -= 1
            if answered:
                self.answered.append(request)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # whoever asked is gone
            super().handle_error(request, client_address)


def _handler_class(server: OpenAIServer, handler: Handler) -> type[BaseHTTPRequestHandler]:
    class OneRequest(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path != "/v1/chat/completions":
                self._send(404, {"error": {"message": f"no {self.path} here"}}, {})
                return
            request: Request = json.loads(body)
            server.open(request)
            answered = False
            try:
                reply = handler(request)
                if isinstance(reply, str):
                    reply = completion(request, reply)
                if not isinstance(reply, Fault):
                    self._send(200, reply, {})
                    answered = True
                elif reply.status:
                    said = {"message": f"scripted {reply.status}", "type": "scripted"}
                    self._send(reply.status, {"error": said}, reply.headers)
                else:
                    self.close_connection = True
                    self.connection.close()
            finally:
                server.close(request, answered)

        def _send(self, status: int, reply: Request, headers: dict[str, str]) -> None:
            content = json.dumps(reply).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is printed."""

    return OneRequest
