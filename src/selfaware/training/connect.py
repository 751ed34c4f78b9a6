"""Which backend a name stands for."""

import os
from collections.abc import Mapping
from pathlib import Path

from selfaware.errors import UsageError
from selfaware.training.backend import Backend
from selfaware.training.launcher import Launch
from selfaware.training.spec import BackendName

ENDPOINTS: Mapping[BackendName, str] = {"openai": "OPENAI_BASE_URL"}
"""The environment variable by which a service's own tools are told another address."""


def endpoint_of(name: BackendName, given: str | None) -> str | None:
    """The address of a backend's service; None for the service's own.

    It is the one that was given, or that the environment names, as it does for the service's own
    tools: the address is part of a run id, so it is settled before anything is planned.

    Raises:
        UsageError: It is no address, or has a password in it.
    """
    from selfaware.training.openai_service import check_address

    if name == "local":
        if given is not None:
            raise UsageError(f"base_url {given!r}: backend local has none; leave it out")
        return None
    address = given or os.environ.get(ENDPOINTS.get(name, ""), "").strip()
    return check_address(address) if address else None


def connect(
    name: BackendName, endpoint: str | None, runs: Path, launch: Launch | None = None
) -> Backend:
    """The backend of this name, ready for work; close it when done.

    Args:
        name: One of the backends.
        endpoint: The address of a service (`base_url`), or None for the backend's own.
        runs: The folder of runs.
        launch: How local training processes are started.

    Raises:
        UsageError: Its SDK is not installed, or no key is set for it.
    """
    if name == "openai":
        from selfaware.training.openai_backend import OpenAIBackend

        return OpenAIBackend(runs, endpoint)
    if name == "tinker":
        from selfaware.training.tinker_backend import TinkerBackend

        return TinkerBackend(runs, endpoint)
    if name == "together":
        from selfaware.training.together_backend import TogetherBackend

        return TogetherBackend(runs, endpoint)
    from selfaware.training.local import LocalBackend

    return LocalBackend(runs, launch=launch)


def base_model(name: BackendName, base: str, endpoint: str | None) -> tuple[str, tuple[str, ...]]:
    """Inspect's model string and flags for a base that is not finetuned, where it is served."""
    from selfaware.training.calling import hosted_model, hub_name, tinker_model

    if name == "openai":
        return hosted_model(base, endpoint)
    if name == "tinker":
        return tinker_model(base, endpoint)
    if name == "together":
        return f"vllm/{hub_name(base)}", ()
    return f"selfaware/{base}", ()
