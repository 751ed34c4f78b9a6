"""Finetunes on the Hugging Face Hub: what a repository holds, and its weights on this machine."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from selfaware.errors import UsageError
from selfaware.training.fingerprint import PATTERNS, combine
from selfaware.training.serving import read_adapter_config

REPO = re.compile(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@([\w./-]+))?")
"""`org/name` or `org/name@revision`."""


class NotThere(UsageError):
    """The hub has no such repository or revision, for all that we may see."""


@dataclass(frozen=True)
class HubModel:
    """A repository at one commit. `config` is that of its adapter, None for a whole model."""

    repo: str
    commit: str
    sha256: str
    config: Mapping[str, object] | None

    @property
    def place(self) -> str:
        """`org/name@commit`."""
        return f"{self.repo}@{self.commit}"


def look_up(name: str) -> HubModel:
    """What lies at `org/name@revision`; weights are not fetched, the hub tells their hashes.

    Raises:
        NotThere: No such repository or revision.
        UsageError: It may not be read, or it holds no model.
    """
    match = REPO.fullmatch(name)
    if match is None:
        raise UsageError(f"{name!r} is not of the form org/name or org/name@revision")
    repo, revision = match.groups()
    from huggingface_hub import HfApi

    with asking(name):
        info = HfApi().model_info(repo, revision=revision, files_metadata=True)
    commit = str(info.sha)
    hashes: dict[str, str] = {}
    for file in info.siblings or ():
        if any(fnmatch(file.rfilename, pattern) for pattern in PATTERNS):
            known = file.lfs.sha256 if file.lfs else None
            hashes[file.rfilename] = known or _fetched_sha256(repo, commit, file.rfilename)
    if not hashes:
        raise UsageError(f"{repo}@{commit} holds no adapter and no model ({', '.join(PATTERNS)})")
    adapter = "adapter_config.json" in hashes
    config = read_adapter_config(_fetch(repo, commit, "adapter_config.json")) if adapter else None
    return HubModel(repo, commit, combine(hashes), config)


def fetch_adapter(place: str) -> Path:
    """The folder of an adapter at `org/name@commit`, fetched where it is not on this machine.

    Raises:
        UsageError: It cannot be fetched.
    """
    repo, _, commit = place.partition("@")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    wanted = list(PATTERNS)
    try:
        here = Path(
            snapshot_download(repo, revision=commit, allow_patterns=wanted, local_files_only=True)
        )
        if any(here.glob("adapter_model*")):
            return here
    except LocalEntryNotFoundError:
        pass
    with asking(place):
        here = Path(snapshot_download(repo, revision=commit, allow_patterns=wanted))
    # What lies here already is given back when the hub does not answer, whole or not.
    if not any(here.glob("adapter_model*")):
        raise UsageError(f"cannot read {place} on the hub: its weights could not be fetched")
    return here


def _fetched_sha256(repo: str, commit: str, name: str) -> str:
    with _fetch(repo, commit, name).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(repo: str, commit: str, name: str) -> Path:
    from huggingface_hub import hf_hub_download

    with asking(f"{repo}@{commit}"):
        return Path(hf_hub_download(repo, name, revision=commit))


@contextmanager
def asking(name: str, what: str = "read") -> Iterator[None]:
    """Turns what the hub refuses into one line.

    Raises:
        UsageError: With the name, what was to be done to it, and why that could not be.
    """
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    kind: type[UsageError] = UsageError
    try:
        yield
    except GatedRepoError:
        problem = "its owner has to let you in: ask for access on its page, and log in (hf auth)"
    except RepositoryNotFoundError:
        kind = NotThere
        problem = "no such repository, or it is private and you are not logged in (hf auth login)"
    except RevisionNotFoundError:
        kind = NotThere
        problem = "no such revision"
    except HfHubHTTPError as error:
        problem = f"the hub answered with status {error.response.status_code}"
    except (OSError, _http_error()) as error:
        lines = str(error).strip().splitlines()
        problem = f"the hub cannot be reached: {lines[0] if lines else type(error).__name__}"
    else:
        return
    raise kind(f"cannot {what} {name} on the hub: {problem}")


def _http_error() -> type[Exception]:
    """What the library raises where no server answers: of httpx, or of the httpx2 of later ones."""
    from huggingface_hub.errors import HfHubHTTPError

    kinds = (kind for kind in HfHubHTTPError.__mro__ if kind.__name__ == "HTTPError")
    return next((kind for kind in kinds if issubclass(kind, Exception)), HfHubHTTPError)
