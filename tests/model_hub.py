"""A Hugging Face Hub for models on 127.0.0.1: repositories in memory, read and written.

It is asked with HF_ENDPOINT in the environment of a process of its own, since the library reads
that once, on import.
"""

import base64
import json
import re
import threading
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

TOKEN = "hf_planted_token_0123456789"
"""The only token that may write, and read what is private."""


@dataclass
class Repository:
    """A repository: its files, and whether only the token's owner may see it."""

    files: dict[str, bytes]
    private: bool = False
    gated: bool = False
    commits: list[str] = field(default_factory=list)

    @property
    def sha(self) -> str:
        """The commit that its files make."""
        return sha1(repr(sorted(self.files.items())).encode()).hexdigest()


class ModelHub:
    """Serves `repositories`, by name, and takes new ones."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.repositories))
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


def _large(path: str, content: bytes) -> dict[str, object]:
    """What the hub tells of a file that is kept apart: above all its hash."""
    if not path.endswith(".safetensors"):
        return {}
    told = {"sha256": sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
    return {"lfs": told}


def _handler(repositories: dict[str, Repository]) -> type[BaseHTTPRequestHandler]:
    class OneRequest(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?", path):
                self._info(*match.groups())
            elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)", path):
                self._tree(*match.groups())
            elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
                self._file(*match.groups())
            else:
                self._send(404, b"{}")

        do_HEAD = do_GET

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.split("?")[0]
            if path == "/api/validate-yaml":
                self._json({"errors": [], "warnings": []})
            elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self._send(401, b'{"error": "Invalid username or password."}')
            elif path == "/api/repos/create":
                asked = json.loads(body)
                name = f"{asked['organization']}/{asked['name']}"
                known = name in repositories
                if not known:
                    repositories[name] = Repository(
                        {}, private=asked.get("visibility") == "private"
                    )
                self._json(
                    {"url": f"http://{self.headers['Host']}/{name}"}, status=409 if known else 200
                )
            elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/main", path):
                modes = [
                    {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for file in json.loads(body)["files"]
                ]
                self._json({"files": modes})
            elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path):
                self._commit(match.group(1), body)
            else:
                self._send(404, b"{}")

        def _commit(self, name: str, body: bytes) -> None:
            repository = repositories[name]
            for line in body.splitlines():
                told = json.loads(line)
                value = told["value"]
                if told["key"] == "header":
                    repository.commits.append(value["summary"])
                elif told["key"] == "file":
                    repository.files[value["path"]] = base64.b64decode(value["content"])
            where = f"http://{self.headers['Host']}/{name}/commit/{repository.sha}"
            self._json({"commitOid": repository.sha, "commitUrl": where})

        def _find(self, name: str, revision: str | None) -> Repository | None:
            repository = repositories.get(name)
            theirs = self.headers.get("Authorization") == f"Bearer {TOKEN}"
            if repository is None or (repository.private and not theirs):
                self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
            elif repository.gated:
                self._send(403, b"{}", {"X-Error-Code": "GatedRepo"})
            elif revision not in (None, "main", repository.sha):
                self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            else:
                return repository
            return None

        def _info(self, name: str, revision: str | None) -> None:
            repository = self._find(name, revision)
            if repository is None:
                return
            siblings = [
                {
                    "rfilename": path,
                    "size": len(content),
                    "blobId": "0" * 40,
                    **_large(path, content),
                }
                for path, content in repository.files.items()
            ]
            self._json(
                {
                    "id": name,
                    "sha": repository.sha,
                    "private": repository.private,
                    "siblings": siblings,
                    "tags": [],
                    "downloads": 0,
                    "likes": 0,
                }
            )

        def _tree(self, name: str, revision: str) -> None:
            repository = self._find(name, revision)
            if repository is None:
                return
            self._json(
                [
                    {"type": "file", "path": path, "size": len(content), "oid": "0" * 40}
                    for path, content in repository.files.items()
                ]
            )

        def _file(self, name: str, revision: str, path: str) -> None:
            repository = self._find(name, revision)
            if repository is None:
                return
            content = repository.files.get(path)
            if content is None:
                self._send(404, b"{}", {"X-Error-Code": "EntryNotFound"})
                return
            tag = sha256(content).hexdigest()
            self._send(200, content, {"ETag": f'"{tag}"', "X-Repo-Commit": repository.sha})

        def _json(self, content: object, status: int = 200) -> None:
            self._send(status, json.dumps(content).encode())

        def _send(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for key, value in ({"Content-Type": "application/json"} | (headers or {})).items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is printed."""

    return OneRequest
