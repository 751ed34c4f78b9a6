"""A chat completions server on 127.0.0.1 whose replies tests write themselves."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Reply:
    """What the server sends: a status, and of status 200 a text, why it ended, or a refusal.

    Status 0 drops the connection.
    """

    text: str | None = None
    finish: str = "stop"
    refusal: str | None = None
    status: int = 200


Chat = Sequence[dict[str, str]]
Script = Callable[[str, Chat], Reply]
"""What is sent to a model's name and messages; called in threads of the server."""


def body_of(model: str, reply: Reply) -> dict[str, object]:
    if reply.status != 200:
        return {"error": {"message": f"scripted {reply.status}", "type": "x", "code": None}}
    message = {"role": "assistant", "content": reply.text, "refusal": reply.refusal}
    return {
        "id": "chat-1",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": reply.finish}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


@contextmanager
def serving(script: Script) -> Iterator[str]:
    """Serves the script; gives the base URL of the API."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reply = script(asked["model"], asked["messages"])
            if reply.status == 0:
                self.close_connection = True
                return
            content = json.dumps(body_of(asked["model"], reply)).encode()
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            if reply.status != 200:
                self.send_header("retry-after-ms", "1")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that was killed

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
