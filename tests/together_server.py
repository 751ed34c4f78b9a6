"""A server on 127.0.0.1 that speaks Together's API; its replies are checked by the SDK's models."""

import hashlib
import io
import json
import tarfile
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import zstandard
from together.types import (
    FileResponse,
    FinetuneResponse,
    FineTuningListCheckpointsResponse,
    FineTuningListEventsResponse,
    FineTuningListResponse,
)
from together.types.finetune_model_limits import FinetuneModelLimits

KEY = "planted-0123456789"
"""The only key that the server takes."""

STAGES = ("pending", "running", "uploading", "completed")
"""How a job stands each time that it is looked at."""

Body = dict[str, Any]


def pack(folder: Path, top: str = "") -> bytes:
    """A folder as the archive that the service sends."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for file in sorted(folder.iterdir()):
            tar.add(file, arcname=f"{top}{file.name}")
    return zstandard.ZstdCompressor().compress(packed.getvalue())


@dataclass
class Service:
    """What the server has. `faults` are what it does wrong next, by method and path.

    A fault is a status to send in place of an answer, 0 to carry the request out and then drop
    the connection, or None for nothing wrong; `broken` are its own faults. `archives` are sent in
    place of adapters, by step.
    """

    archives: dict[int | None, bytes] = field(default_factory=dict)
    bases: tuple[str, ...] = ("org/base-Reference",)
    stages: tuple[str, ...] = STAGES
    files: dict[str, Body] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    jobs: dict[str, Body] = field(default_factory=dict)
    asked: list[Body] = field(default_factory=list)
    looked: dict[str, int] = field(default_factory=dict)
    problem: str = "CUDA ran out of patience"
    file_states: list[str] = field(default_factory=list)
    faults: dict[str, list[int | None]] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    retry_after: str | None = None
    address: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def handle(self, call: str, query: dict[str, list[str]], raw: bytes, kind: str) -> Any:
        match call.split("/"):
            case ["POST files"]:
                return self._announce(raw, kind)
            case ["PUT store", name]:
                self.contents[name] = raw
                return {}
            case ["POST files", name, "preprocess"]:
                checksum = hashlib.sha256(self.contents[name]).hexdigest()
                assert checksum == self.files[name]["checksum"]
                return self._file(name)
            case ["GET files"]:
                return {"data": [self._file(name) for name in self.contents]}
            case ["GET files", name]:
                return self._file(name)
            case ["GET fine-tunes", "models", "limits"]:
                return self._limits(query["model_name"][0])
            case ["POST fine-tunes", "estimate-price"]:
                return {"estimation_available": True, "allowed_to_proceed": True}
            case ["POST fine-tunes"]:
                return self._create(json.loads(raw))
            case ["GET fine-tunes"]:
                data = [self._listed(job) for job in self.jobs.values()]
                # `user_error` is a word that the SDK's models do not know, but the service does.
                known = [job for job in data if job["status"] != "user_error"]
                FineTuningListResponse.model_validate({"data": known})
                return {"data": data}
            case ["GET fine-tunes", name]:
                return self._look(name)
            case ["POST fine-tunes", name, "cancel"]:
                self.jobs[name]["status"] = "cancelled"
                return self._listed(self.jobs[name])
            case ["GET fine-tunes", name, "events"]:
                return self._events(name)
            case ["GET fine-tunes", name, "metrics"]:
                rows = [{"train/global_step": n, "train/loss": 1 / n} for n in range(1, 5)]
                return {"metrics": [{"eval/loss": 9.0}, *rows]}
            case ["GET fine-tunes", name, "checkpoints"]:
                return self._checkpoints(name)
            case ["GET finetune", "download"]:
                step = query.get("checkpoint_step")
                return self.archives[int(step[0]) if step else None]
        raise KeyError(call)

    def _announce(self, raw: bytes, kind: str) -> Body:
        form = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + raw)
        given = {
            str(part.get_param("name", header="content-disposition")): part.get_payload()
            for part in form.get_payload()  # type: ignore[union-attr]
        }
        known = [name for name, file in self.files.items() if file == given]
        if known and known[0] in self.contents:
            return {"!": 409, "file_id": known[0]}
        name = f"file-{len(self.files) + 1}"
        self.files[name] = given
        return {"!": 302, "Location": f"{self.address}/store/{name}", "X-Together-File-Id": name}

    def _file(self, name: str) -> Body:
        state = self.file_states.pop(0) if self.file_states else "COMPLETED"
        told = {
            "id": name,
            "bytes": len(self.contents[name]),
            "created_at": 1,
            "filename": self.files[name]["file_name"],
            "FileType": "jsonl",
            "Processed": True,
            "object": "file",
            "purpose": "fine-tune",
            "processing_status": state,
        }
        if state == "INVALID_FORMAT":
            told["validation_report"] = {"valid": False, "error": "line 3 has no messages"}
        FileResponse.model_validate(told)
        return told

    def _limits(self, model: str) -> Body:
        if model not in self.bases:
            raise KeyError(model)
        lora = {"max_batch_size": 64, "max_batch_size_dpo": 32, "min_batch_size": 4}
        limits = {
            "default_gradient_accumulation_steps": 1,
            "lora_training": {**lora, "default_rank": 8, "max_rank": 64, "target_modules": ["a"]},
            "full_training": lora,
            "max_learning_rate": 1.0,
            "max_num_checkpoints": 10,
            "max_num_epochs": 20,
            "max_num_evals": 10,
            "max_seq_length_dpo": 4096,
            "max_seq_length_sft": 4096,
            "min_max_seq_length": 8,
            "merge_output_lora": True,
            "min_learning_rate": 0.0,
            "model_name": model,
            "supports_full_training": True,
            "supports_reasoning": False,
            "supports_tools": False,
            "supports_vision": False,
        }
        FinetuneModelLimits.model_validate(limits)
        return limits

    def _create(self, asked: Body) -> Body:
        assert asked["training_file"] in self.contents
        self.asked.append(asked)
        name = f"ft-{len(self.jobs) + 1}"
        self.jobs[name] = {
            "id": name,
            "status": "pending",
            "created_at": f"2026-11-21T00:00:{len(self.jobs):02}Z",
            "updated_at": "2026-11-21T01:00:00Z",
            "user_id": "u",
            "model": asked["model"],
            "n_epochs": asked["n_epochs"],
            "token_count": 1234,
            "training_type": asked["training_type"],
            "suffix": asked["suffix"],
            "model_output_name": None,
            "adapter_output_name": None,
        }
        return self._listed(self.jobs[name])

    def _look(self, name: str) -> Body:
        job = self.jobs[name]
        if job["status"] != "cancelled":
            place = self.looked.get(name, 0)
            self.looked[name] = place + 1
            job["status"] = self.stages[min(place, len(self.stages) - 1)]
            if job["status"] == "completed":
                job["model_output_name"] = f"me/{job['model']}-{job['suffix']}-{name}"
        told = {key: value for key, value in job.items() if key != "suffix"}
        if job["status"] != "user_error":
            FinetuneResponse.model_validate(told)
        return told

    def _listed(self, job: Body) -> Body:
        return {**job, "wandb_name": None}

    def _events(self, name: str) -> Body:
        def event(kind: str, minute: int, **more: Any) -> Body:
            at = f"2026-11-21T00:{minute:02}:00Z"
            told = {"created_at": at, "message": f"{kind}!", "object": "fine-tune-event"}
            return {**told, "type": kind, "level": "info", **more}

        data = [event("job_pending", 0), event("training_start", 1, step=0, total_steps=4)]
        if self.jobs[name]["status"] in ("completed", "uploading"):
            data += [
                event("epoch_complete", 2, step=2, total_steps=4),
                event("training_complete", 3, step=4, total_steps=4),
            ]
        if self.jobs[name]["status"] in ("error", "user_error"):
            data.append(event("job_error", 4, level="error", message=self.problem))
        FineTuningListEventsResponse.model_validate({"data": data})
        return {"data": data}

    def _checkpoints(self, name: str) -> Body:
        data = [
            {"checkpoint_type": f"{step}", "created_at": "x", "path": "p", "step": step}
            | {"checkpoint": kind}
            for step in (2, 4)
            for kind in ("model", "adapter")
        ]
        FineTuningListCheckpointsResponse.model_validate({"data": data})
        return {"data": data}


@contextmanager
def serving(service: Service) -> Iterator[str]:
    """Serves; gives the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def do_PUT(self) -> None:
            self._answer()

        def _answer(self) -> None:
            raw = self._read()
            place = urlsplit(self.path)
            call = f"{self.command} {place.path.lstrip('/').removeprefix('v1/')}"
            key = self.headers.get("Authorization")
            if self.command != "PUT" and key != f"Bearer {KEY}":
                self._send(401, {"error": {"message": f"no such key: {key}"}})
                return
            with service.lock:
                service.seen.append(call)
                faults = service.faults.get(call, [])
                fault = faults.pop(0) if faults else None
                if fault:
                    self._send(fault, {"error": {"message": f"planted {fault} with {KEY}"}})
                    return
                kind = self.headers.get("Content-Type") or ""
                try:
                    reply = service.handle(call, parse_qs(place.query), raw, kind)
                except KeyError as error:
                    self._send(404, {"error": {"message": f"nothing at {error}"}})
                    return
                except Exception:
                    service.broken.append(traceback.format_exc())
                    self._send(400, {"error": {"message": "the server of the tests is broken"}})
                    return
            if fault == 0:
                self.close_connection = True
                return
            status = reply.pop("!", 200) if isinstance(reply, dict) else 200
            self._send(status, reply)

        def _read(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def _send(self, status: int, content: Body | bytes) -> None:
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            if isinstance(content, dict) and status == 302:
                for name, value in content.items():
                    self.send_header(name, value)
            if status == 429 and service.retry_after:
                self.send_header("Retry-After", service.retry_after)
            binary = isinstance(content, bytes)
            self.send_header("Content-Type", f"application/{'octet-stream' if binary else 'json'}")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that was killed

    server = Server(("127.0.0.1", 0), Handler)
    service.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield service.address
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
