"""Which backend a name stands for."""

from pathlib import Path

from selfaware.training.backend import Backend
from selfaware.training.spec import BackendName


def connect(name: BackendName, endpoint: str | None, runs: Path) -> Backend:
    """The backend of this name, ready for work; close it when done.

    Args:
        name: One of the backends.
        endpoint: The address of a service (`base_url`), or None for the backend's own.
        runs: The folder of runs.

    Raises:
        UsageError: Its SDK is not installed, or no key is set for it.
    """
    if name == "tinker":
        from selfaware.training.tinker_backend import TinkerBackend

        return TinkerBackend(runs, endpoint)
    from selfaware.training.local import LocalBackend

    return LocalBackend(runs)
