"""Which request of OpenAI's API gets which reply."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfaware.testing.clock import Clock
from selfaware.testing.faults import Refusal, Refusing
from selfaware.testing.files import Files
from selfaware.testing.jobs import Jobs
from selfaware.testing.orders import ORGANISATION
from selfaware.testing.speakers import Speaker, checked
from selfaware.testing.wire import Asked

if TYPE_CHECKING:
    from openai.types import Model
    from pydantic import BaseModel

_METADATA = re.compile(r"metadata\[(.+)\]")
_MODEL = re.compile(r"ft:(?P<base>[^:]+):[^:]*:[^:]*:(?P<made>[^:]+)")


class Routes:
    """Answers requests for files, jobs, models and chat completions."""

    def __init__(
        self,
        clock: Clock,
        files: Files,
        jobs: Jobs,
        speaker: Speaker,
        bases: Mapping[str, str],
        runs: Path | None,
        shutdown_date: str | None,
    ) -> None:
        self._started = int(clock.now())
        self._files = files
        self._jobs = jobs
        self._speaker = speaker
        self._bases = bases
        self._runs = runs
        self._shutdown_date = shutdown_date
        self._deleted: set[str] = set()
        self._table: list[tuple[str, re.Pattern[str], Callable[..., bytes]]] = [
            (method, re.compile(pattern), reply)
            for method, pattern, reply in (
                ("POST", r"/chat/completions", self._chat),
                ("GET", r"/models", self._list_models),
                ("GET", r"/models/(.+)", lambda asked, name: _one(self._model(name))),
                ("DELETE", r"/models/(.+)", self._delete_model),
                ("POST", r"/files", self._upload),
                ("GET", r"/files", lambda asked: _page(files.all(), asked.query)),
                ("GET", r"/files/([^/]+)", lambda asked, file: _one(files.get(file).shown)),
                ("GET", r"/files/([^/]+)/content", lambda asked, file: files.get(file).content),
                ("DELETE", r"/files/([^/]+)", lambda asked, file: _one(files.delete(file))),
                ("POST", r"/fine_tuning/jobs", lambda asked: _one(jobs.create(_json(asked)))),
                ("GET", r"/fine_tuning/jobs", self._list_jobs),
                ("GET", r"/fine_tuning/jobs/([^/]+)", lambda _, job: _one(jobs.get(job).shown)),
                ("POST", r"/fine_tuning/jobs/([^/]+)/cancel", lambda _, j: _one(jobs.cancel(j))),
                ("GET", r"/fine_tuning/jobs/([^/]+)/events", self._list_events),
                ("GET", r"/fine_tuning/jobs/([^/]+)/checkpoints", self._list_checkpoints),
            )
        ]

    def answer(self, asked: Asked) -> bytes:
        """The body of the reply to a request. Raises Refusing where there is none."""
        from urllib.parse import unquote

        for method, pattern, reply in self._table:
            match = pattern.fullmatch(asked.path)
            if method == asked.method and match:
                return reply(asked, *(unquote(part) for part in match.groups()))
        raise Refusing(Refusal(404, f"Unknown request URL: {asked.line}", "unknown_url"))

    def _chat(self, asked: Asked) -> bytes:
        body = checked(_json(asked))
        base, made = self._known(str(body.get("model")))
        return _one(self._speaker.answer(body, base, made))

    def _upload(self, asked: Asked) -> bytes:
        parts = multipart(asked.content_type, asked.body)
        if "file" not in parts or "purpose" not in parts:
            raise Refusing(Refusal(400, "'file' and 'purpose' are required"))
        name, content = parts["file"]
        return _one(self._files.add(name or "file", parts["purpose"][1].decode(), content))

    def _list_jobs(self, asked: Asked) -> bytes:
        wanted = {
            match[1]: value
            for key, value in asked.query.items()
            if (match := _METADATA.fullmatch(key))
        }
        return _page(self._jobs.all(wanted), asked.query)

    def _list_events(self, asked: Asked, job: str) -> bytes:
        return _page(self._jobs.get(job).events[::-1], asked.query)

    def _list_checkpoints(self, asked: Asked, job: str) -> bytes:
        return _page(self._jobs.get(job).checkpoints[::-1], asked.query)

    def _list_models(self, asked: Asked) -> bytes:
        made = [str(job.fine_tuned_model) for job in self._jobs.made()]
        names = [name for name in (*self._bases, *made) if name not in self._deleted]
        return _page([self._model(name) for name in names], {})

    def _delete_model(self, asked: Asked, name: str) -> bytes:
        from openai.types import ModelDeleted

        self._known(name)
        if name in self._bases:
            raise Refusing(Refusal(403, f"{name} is not yours to delete"))
        self._deleted.add(name)
        return _one(ModelDeleted(id=name, deleted=True, object="model"))

    def _model(self, name: str) -> "Model":
        from openai.types import Model

        _, made = self._known(name)
        return Model(
            id=name,
            created=self._started,
            object="model",
            owned_by="system" if made is None else ORGANISATION,
            shutdown_date=self._shutdown_date,
        )

    def _known(self, name: str) -> tuple[str, str | None]:
        """The base that a model is or was made from, and what was made.

        Real adapters outlive the server: their names say where they lie.
        """
        if name in self._bases:
            return self._bases[name], None
        match = _MODEL.fullmatch(name)
        if match and match["base"] in self._bases and name not in self._deleted:
            made = match["made"]
            if self._runs is None:
                models = {job.fine_tuned_model for job in self._jobs.made()}
                there = name in models
            else:
                from selfaware.training.jobs import adapter_folder

                there = "/" not in made and adapter_folder(self._runs, made).is_dir()
            if there:
                return self._bases[match["base"]], made
        raise Refusing(Refusal(404, f"The model `{name}` does not exist", "model_not_found"))


def multipart(content_type: str, body: bytes) -> dict[str, tuple[str | None, bytes]]:
    """The parts of a form by name: file name, if it is a file, and content.

    Raises:
        Refusing: It is no form.
    """
    boundary = re.search(r'boundary="?([^";]+)"?', content_type)
    if not content_type.startswith("multipart/form-data") or boundary is None:
        raise Refusing(Refusal(400, "send multipart/form-data"))
    parts: dict[str, tuple[str | None, bytes]] = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary[1].encode())[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        fields = dict(re.findall(r'(\bname|\bfilename)="([^"]*)"', head.decode()))
        if "name" in fields:
            parts[fields["name"]] = (fields.get("filename"), content)
    return parts


def _json(asked: Asked) -> Mapping[str, Any]:
    try:
        body = json.loads(asked.body)
    except ValueError as error:
        raise Refusing(Refusal(400, "We could not parse the JSON body of your request")) from error
    if not isinstance(body, dict):
        raise Refusing(Refusal(400, "the body of your request is no JSON object"))
    return body


def _one(thing: "BaseModel") -> bytes:
    return thing.model_dump_json().encode()


def _page(things: "Sequence[BaseModel]", query: Mapping[str, str]) -> bytes:
    """A page of a list: those after the id `after`, at most `limit`."""
    shown = [thing.model_dump(mode="json") for thing in things]
    after = query.get("after")
    if after is not None:
        places = [place for place, thing in enumerate(shown) if thing["id"] == after]
        shown = shown[places[0] + 1 :] if places else []
    limit = int(query.get("limit") or 20)
    page = {"object": "list", "data": shown[:limit], "has_more": len(shown) > limit}
    return json.dumps(page).encode()
