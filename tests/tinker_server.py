"""A server on 127.0.0.1 that speaks the Tinker API to the real SDK and trains tiny models."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import tinker_weights
from tinker import types
from tinker.proto import tinker_public_pb2 as wire

KEY = "tml-planted-0123456789"
"""The only key that the server takes."""

Body = dict[str, Any]


class Missing(Exception):
    """Nothing is there."""


@dataclass
class Service:
    """What the server has: training runs, checkpoints and the answers that wait to be fetched.

    `faults` are what it does wrong next, by path: a status to send in place of an answer, or 0 to
    carry the request out and then drop the connection; None does nothing wrong. `gate` is called
    before each step.
    """

    ends: tuple[int, ...] = (1,)
    listed: bool = True
    runs: dict[str, tinker_weights.Trained] = field(default_factory=dict)
    kept: dict[str, Body] = field(default_factory=dict)
    states: dict[str, Any] = field(default_factory=dict)
    loaded: dict[str, Any] = field(default_factory=dict)
    samplers: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    answers: dict[str, Body | bytes] = field(default_factory=dict)
    faults: dict[str, list[int | None]] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    sessions: int = 0
    gate: Callable[[int], None] = lambda step: None
    lock: threading.RLock = field(default_factory=threading.RLock)

    def post(self, path: str, raw: bytes, kind: str) -> Body:
        if "protobuf" in kind:
            return self._gradient(raw)
        asked = json.loads(raw or b"{}")
        match path:
            case "client/config":
                return {"use_pyqwest_transport": False}
            case "client/dynamic_config":
                return {}
            case "create_session":
                self.sessions += 1
                return {"session_id": f"s{self.sessions}"}
            case "session_heartbeat" | "telemetry":
                return {"type": "session_heartbeat", "status": "accepted"}
            case "create_model" | "load_weights":
                return self._begin(path, asked)
            case "get_info":
                run = self.runs[asked["model_id"]]
                data = {"model_name": run.base, "tokenizer_id": run.base}
                return {"model_id": asked["model_id"], "model_data": data}
            case "optim_step":
                return self._once(asked, lambda run: self._step(run, asked))
            case "save_weights" | "save_weights_for_sampler":
                return self._once(asked, lambda run: self._save(path, asked, run))
            case "create_sampling_session":
                name = f"{asked['session_id']}:sample:{asked['sampling_session_seq_id']}"
                where = asked.get("model_path")
                if where and where not in self.states:
                    raise Missing(where)
                base = self.runs[_run(where)].base if where else asked["base_model"]
                self.samplers[name] = (base, where)
                return {"sampling_session_id": name}
            case "asample":
                return self._sample(asked)
        raise Missing(path)

    def get(self, path: str, query: str) -> Body:
        if path == "healthz":
            return {"status": "ok"}
        if path.startswith("samplers/"):
            base, where = self.samplers[path.removeprefix("samplers/")]
            return {"sampler_id": path, "base_model": base, "model_path": where}
        if path == "training_runs" and self.listed:
            offset = int(re.search(r"offset=(\d+)", query)[1])
            limit = int(re.search(r"limit=(\d+)", query)[1])
            every = [_training_run(name, run) for name, run in reversed(self.runs.items())]
            cursor = {"offset": offset, "limit": limit, "total_count": len(every)}
            return {"training_runs": every[offset : offset + limit], "cursor": cursor}
        if found := re.fullmatch(r"training_runs/([^/]+)/checkpoints", path):
            here = [kept for where, kept in self.kept.items() if _run(where) == found[1]]
            return {"checkpoints": here}
        raise Missing(path)

    def delete(self, path: str) -> None:
        run, _, name = path.removeprefix("training_runs/").partition("/checkpoints/")
        del self.kept[f"tinker://{run}/{name}"], self.states[f"tinker://{run}/{name}"]

    def _begin(self, path: str, asked: Body) -> Body:
        name = f"{asked['session_id']}:train:{asked['model_seq_id']}"
        if name not in self.runs:
            about = asked["user_metadata"]
            if path == "create_model":
                base, lora = asked["base_model"], asked["lora_config"]
                self.runs[name] = tinker_weights.Trained(base, lora, about)
            else:
                before = self.runs[_run(asked["path"])]
                self.runs[name] = tinker_weights.Trained(before.base, before.lora, about)
                self.runs[name].load(self.states[asked["path"]])
            self.answers[name] = {"model_id": name}
        return {"request_id": name, "model_id": name}

    def _once(self, asked: Body, work: Callable[[tinker_weights.Trained], Body | bytes]) -> Body:
        """The SDK sends a request again when its answer is lost: the number says which it is."""
        name = f"{asked['model_id']}:{asked['seq_id']}"
        if name not in self.answers:
            self.answers[name] = work(self.runs[asked["model_id"]])
        return {"request_id": name, "model_id": asked["model_id"]}

    def _step(self, run: tinker_weights.Trained, asked: Body) -> Body:
        types.AdamParams.model_validate(asked["adam_params"])
        self.gate(len(run.rates))
        run.optim_step(asked["adam_params"])
        return {"metrics": {}}

    def _save(self, path: str, asked: Body, run: tinker_weights.Trained) -> Body:
        kind = "weights" if path == "save_weights" else "sampler_weights"
        where = f"tinker://{asked['model_id']}/{kind}/{asked['path']}"
        self.states[where] = run.state()
        self.kept[where] = {
            "checkpoint_id": f"{kind}/{asked['path']}",
            "checkpoint_type": "training" if kind == "weights" else "sampler",
            "time": _now(),
            "tinker_path": where,
            "user_metadata": asked.get("user_metadata") if self.listed else None,
        }
        types.Checkpoint.model_validate(self.kept[where])
        return {"path": where}

    def _gradient(self, raw: bytes) -> Body:
        asked = wire.ForwardBackwardRequest.FromString(raw)
        assert asked.loss_fn == "cross_entropy"

        def work(run: tinker_weights.Trained) -> bytes:
            data = []
            for datum in asked.data:
                [chunk] = datum.model_input
                tokens = np.frombuffer(chunk.encoded_text.tokens, np.int32).tolist()
                goals = np.frombuffer(datum.loss_fn_inputs["target_tokens"].dense, np.int64)
                weights = np.frombuffer(datum.loss_fn_inputs["weights"].dense, np.float32)
                data.append((tokens, goals.tolist(), weights.tolist()))
            said = run.forward_backward(data)
            ends = np.cumsum([0] + [4 * len(each) for each in said], dtype=np.int64)
            tensor = wire.BatchedTensor(
                data=np.concatenate([np.array(each, np.float32) for each in said]).tobytes(),
                offsets=ends.tobytes(),
                dtype=wire.DTYPE_FLOAT32,
            )
            record = wire.ArrayRecord(fields={"logprobs": tensor}, num_datums=len(said))
            return wire.ForwardBackwardOutput(
                loss_fn_output_type="ArrayRecord", loss_fn_outputs=[record]
            ).SerializeToString()

        return self._once({"model_id": asked.model_id, "seq_id": asked.seq_id}, work)

    def _loaded(self, base: str, where: str) -> Any:
        if where not in self.loaded:
            trained = tinker_weights.Trained(base, self.runs[_run(where)].lora, {})
            trained.load(self.states[where])
            self.loaded[where] = trained.model.eval()
        return self.loaded[where]

    def _sample(self, asked: Body) -> Body:
        types.SampleRequest.model_validate(asked)
        base, where = self.samplers[asked["sampling_session_id"]]
        model = tinker_weights.base_model(base)
        if where is not None:
            model = self._loaded(base, where)
        prompt = [token for chunk in asked["prompt"]["chunks"] for token in chunk["tokens"]]
        top = asked["topk_sample_logprobs"]
        reply = wire.SampleResponse()
        for drawn in tinker_weights.sample(model, prompt, asked, self.ends, top):
            made = reply.sequences.add(
                stop_reason=wire.STOP_REASON_STOP if drawn.ended else wire.STOP_REASON_LENGTH,
                tokens=np.array(drawn.tokens, np.int32).tobytes(),
                logprobs=np.array(drawn.logprobs, np.float32).tobytes(),
            )
            if top:
                best = made.topk_sampled_logprobs
                best.k, best.length = top, len(drawn.top)
                best.token_ids = np.array(drawn.top)[:, :, 0].astype(np.int32).tobytes()
                best.logprobs = np.array(drawn.top)[:, :, 1].astype(np.float32).tobytes()
        wanted = asked.get("target_prompt_logprobs")
        if wanted is not None:
            rows, columns = wanted["shape"]
            assert wanted["dtype"] == "int64" and rows == len(prompt) - 1
            ids = np.array(wanted["data"]).reshape(rows, columns).tolist()
            scores = np.array(tinker_weights.targets(model, prompt, ids), np.float32)
            reply.target_prompt_logprobs.dtype = wire.DTYPE_FLOAT32
            reply.target_prompt_logprobs.shape.extend([rows, columns])
            reply.target_prompt_logprobs.dense = scores.tobytes()
        name = f"{asked['sampling_session_id']}:{asked['seq_id']}"
        self.answers[name] = reply.SerializeToString()
        ids = [f"{name}:{n}" for n in range(asked["num_samples"])]
        return {"request_id": name, "sample_sequence_ids": ids}


def _run(where: str) -> str:
    return where.removeprefix("tinker://").partition("/")[0]


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _training_run(name: str, run: tinker_weights.Trained) -> Body:
    listed = {
        "training_run_id": name,
        "base_model": run.base,
        "model_owner": "tests",
        "is_lora": True,
        "lora_rank": run.lora["rank"],
        "last_request_time": _now(),
        "user_metadata": run.metadata,
    }
    types.TrainingRun.model_validate(listed)
    return listed


@contextmanager
def serving(service: Service) -> Iterator[str]:
    """Serves; gives the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def do_DELETE(self) -> None:
            self._answer()

        def _answer(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, _, query = self.path.removeprefix("/api/v1/").partition("?")
            if path != "healthz" and self.headers.get("X-API-Key") != KEY:
                self._send(401, {"detail": f"no such key {self.headers.get('X-API-Key')}"})
                return
            with service.lock:
                service.seen.append(path)
                faults = service.faults.get(path, [])
                fault = faults.pop(0) if faults else None
                if fault:
                    self._send(fault, {"detail": f"planted {fault}"})
                    return
                try:
                    reply = self._handle(path, query, raw)
                except Missing as error:
                    self._send(404, {"detail": f"nothing at {error}"})
                    return
            if fault == 0:
                self.close_connection = True
                return
            self._send(200, reply)

        def _handle(self, path: str, query: str, raw: bytes) -> Body | bytes:
            if path == "retrieve_future":
                return service.answers[json.loads(raw)["request_id"]]
            if self.command == "GET":
                return service.get(path, query)
            if self.command == "DELETE":
                service.delete(path)
                return {}
            return service.post(path, raw, self.headers.get("Content-Type") or "")

        def _send(self, status: int, content: Body | bytes) -> None:
            binary = isinstance(content, bytes)
            kind = "application/x-protobuf" if binary else "application/json"
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

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
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
