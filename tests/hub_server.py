"""A Hugging Face Hub on 127.0.0.1 with one dataset: as much of it as the `datasets` library asks.

It is asked with HF_ENDPOINT in the environment of a process of its own, since the library reads
that once, on import.
"""

import json
import threading
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

REVISION = "0123456789abcdef0123456789abcdef01234567"


class HubServer:
    """Serves `files` as the dataset ORG/NAME at `REVISION`, with a licence on its card."""

    def __init__(self, dataset: str, files: dict[str, bytes], license: str) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(dataset, files, license))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

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


def _handler(dataset: str, files: dict[str, bytes], license: str) -> type[BaseHTTPRequestHandler]:
    listed = [
        {"type": "file", "path": name, "size": len(content), "oid": sha1(content).hexdigest()}
        for name, content in files.items()
    ]
    info = {
        "id": dataset,
        "sha": REVISION,
        "siblings": [{"rfilename": name} for name in files],
        "cardData": {"license": license},
        "private": False,
        "tags": [],
        "downloads": 0,
        "likes": 0,
    }

    class OneRequest(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            name = path.removeprefix(f"/datasets/{dataset}/resolve/{REVISION}/")
            if path == f"/api/datasets/{dataset}/revision/{REVISION}":
                self._json(info)
            elif path == f"/api/datasets/{dataset}/tree/{REVISION}":
                self._json(listed)
            elif name in files:
                self._file(files[name])
            else:
                self._send(404, b"{}", {"X-Error-Code": "EntryNotFound"})

        do_HEAD = do_GET

        def _file(self, content: bytes) -> None:
            headers = {"ETag": f'"{sha1(content).hexdigest()}"', "X-Repo-Commit": REVISION}
            asked = self.headers.get("Range")
            if asked is None or self.command == "HEAD":
                self._send(200, content, headers)
                return
            start, _, end = asked.removeprefix("bytes=").partition("-")
            part = content[int(start) : int(end or len(content)) + 1]
            last = int(start) + len(part) - 1
            headers["Content-Range"] = f"bytes {start}-{last}/{len(content)}"
            self._send(206, part, headers)

        def _json(self, content: object) -> None:
            self._send(200, json.dumps(content).encode(), {})

        def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for key, value in ({"Content-Type": "application/json"} | headers).items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is printed."""

    return OneRequest
