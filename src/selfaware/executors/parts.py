"""How the evaluations of an experiment are split into parts that processes can take over."""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from inspect_ai.log import list_eval_logs, read_eval_log

_SERVERS = ("vllm", "sglang")
"""Inspect's providers that start a server, one for a base, where none is running."""


def parts(models: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The models of each part, by the part's name, in the order of the models.

    A model is a part by itself, so that whichever process is free takes the next. Finetunes that
    one server serves (`vllm/BASE:ADAPTER`) are one part: two processes would start it twice.
    """
    found: dict[str, list[str]] = {}
    for model in models:
        found.setdefault(_name(_key(model)), []).append(model)
    return {name: tuple(members) for name, members in found.items()}


def gather(logs: Path, wanted: Mapping[str, Sequence[str]]) -> None:
    """Moves every log into the folder of the part that it belongs to.

    Each process then has a folder to itself: Inspect's retries remove older logs of the folder
    that they work in, under the eyes of others. Logs of other models stay where they are.
    """
    homes = {model: logs / name for name, models in wanted.items() for model in models}
    for info in list_eval_logs(str(logs)) if logs.is_dir() else []:
        file = Path(info.name.removeprefix("file://"))
        home = homes.get(read_eval_log(info, header_only=True).eval.model)
        if home is not None and file.parent.resolve() != home.resolve():
            home.mkdir(parents=True, exist_ok=True)
            os.replace(file, home / file.name)


def _key(model: str) -> str:
    provider, _, rest = model.partition("/")
    return f"{provider}/{rest.partition(':')[0]}" if provider in _SERVERS else model


def _name(key: str) -> str:
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", key.partition("/")[2])[-60:].strip("._")
    return f"{readable}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
