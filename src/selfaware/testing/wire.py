"""HTTP on real sockets: requests in, replies out, and connections that break off."""

import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from selfaware.testing.faults import Fault, Refusal, Refusing, Switchboard, refusal

Moment = Literal["came", "replies"]


@dataclass(frozen=True)
class Asked:
    """A request: method, path without `/v1`, query, headers of note, and the body."""

    method: str
    path: str
    query: dict[str, str]
    content_type: str
    body: bytes

    @property
    def line(self) -> str:
        """Method and path."""
        return f"{self.method} {self.path}"


Answering = Callable[[Asked], bytes]
"""Gives the body of a reply, or raises Refusing."""


class _Broken(Exception):
    """The connection is to break off."""


class HttpServer:
    """Listens on 127.0.0.1 and hands requests on, one thread a connection."""

    def __init__(self, port: int, answer: Answering, faults: Switchboard) -> None:
        self.requests: list[str] = []
        self.see: Callable[[Moment, str], None] | None = None
        self._server = _Server(("127.0.0.1", port), _handler(self, answer, faults))

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def run(self) -> None:
        """Serves until it is stopped."""
        self._server.serve_forever(poll_interval=0.05)

    def stop(self) -> None:
        """Stops, and breaks off what is open."""
        self._server.shutdown()
        self._server.server_close()
        self._server.break_off()

    def noticed(self, moment: Moment, line: str) -> None:
        """Tells whoever watches."""
        if self.see is not None:
            self.see(moment, line)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._open: set[socket.socket] = set()

    def process_request(self, request: object, client_address: object) -> None:
        assert isinstance(request, socket.socket)
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: object) -> None:
        assert isinstance(request, socket.socket)
        self._open.discard(request)
        super().shutdown_request(request)

    def break_off(self) -> None:
        """Ends the connections that clients keep open."""
        for connection in list(self._open):
            with suppress(OSError):  # its client was faster
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # whoever asked is gone
            # What comes is what the base class gave: a socket and an address.
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def _handler(
    server: HttpServer, answer: Answering, faults: Switchboard
) -> type[BaseHTTPRequestHandler]:
    one_at_a_time = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body are two writes: without this, the second waits for the first's receipt.
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def do_DELETE(self) -> None:
            self._serve()

        def _serve(self) -> None:
            try:
                status, body, retry_after = self._reply()
            except _Broken:
                self._break_off()
                return
            self.send_response(status)
            if retry_after is not None:
                self.send_header("Retry-After", f"{retry_after:g}")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def _reply(self) -> tuple[int, bytes, float | None]:
            address = urlsplit(self.path)
            path = address.path.removeprefix("/v1")
            line = f"{self.command} {path}"
            server.requests.append(line)
            server.noticed("came", line)
            fault = faults.request(line)
            length = int(self.headers.get("Content-Length") or 0)
            if fault is not None and fault.kind == "drop_upload":
                self.rfile.read(length // 2)
                raise _Broken
            body = self.rfile.read(length)
            if fault is not None and fault.kind == "drop":
                raise _Broken
            try:
                self._let_in(fault)
                asked = Asked(
                    self.command,
                    path,
                    dict(parse_qsl(address.query, keep_blank_values=True)),
                    self.headers.get("Content-Type", ""),
                    body,
                )
                if path == "/chat/completions":
                    content = answer(asked)  # many at once: they are computed together
                else:
                    with one_at_a_time:
                        content = answer(asked)
            except Refusing as error:
                said = error.refusal
                server.noticed("replies", line)
                return said.status, json.dumps(said.body()).encode(), said.retry_after
            if fault is not None and fault.kind == "lost_reply":
                raise _Broken
            server.noticed("replies", line)
            return 200, content, None

        def _let_in(self, fault: Fault | None) -> None:
            key = self.headers.get("Authorization", "").removeprefix("Bearer ").strip()
            if not key:
                raise Refusing(Refusal(401, "You didn't provide an API key.", "invalid_api_key"))
            if fault is None:
                return
            if fault.kind == "slow":
                time.sleep(fault.seconds or 1.0)
            elif fault.kind == "file_expired":
                raise Refusing(Refusal(400, "the training file has expired", param="training_file"))
            elif (said := refusal(fault, key)) is not None:
                raise Refusing(said)

        def _break_off(self) -> None:
            self.close_connection = True
            # No polite end: whoever is still sending is told at once.
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is printed."""

    return Handler
