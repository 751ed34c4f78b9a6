"""The connection to a service that speaks the Tinker API."""

import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import wait
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from selfaware.errors import UsageError
from selfaware.training.backend import NotYet

if TYPE_CHECKING:
    from tinker import APIFuture, ServiceClient
    from transformers import PreTrainedTokenizerBase

T = TypeVar("T")

OFFICIAL = "https://tinker.thinkingmachines.dev/services/tinker-prod"
"""The address of the service itself. `TINKER_BASE_URL` is not read: Inspect's `openai-api`
provider takes another address from a variable of that name."""

INSTALL = "pip install 'selfaware[tinker]'"

REACH_SECONDS = 20.0
"""How long a service may take to say that it is there."""

RETRY_SECONDS = 30.0
"""How long to wait before a service that fails is asked again."""

_KEY = re.compile(r"tml-[\w-]+")

_REFUSED = {
    400: "the service refuses the request",
    401: "the service does not accept the key: set TINKER_API_KEY to one that is valid",
    402: "the account has a billing problem: set up payment at the service",
    403: "the key may not do this: use one of an account that may",
    404: "the service knows no such model or path",
    422: "the service cannot read the request",
}


def require_sdk() -> None:
    """Raises a UsageError with the install command where the SDK is not installed."""
    try:
        # Only to see whether it is there.
        import tinker  # noqa: F401
    except ImportError as error:
        raise UsageError(f"Tinker models need the tinker SDK: {INSTALL}") from error


@lru_cache(maxsize=8)
def service(base_url: str | None, api_key: str | None = None) -> "ServiceClient":
    """The client of the service at this address, the official one where none is given.

    All users of an address in this process share one client and so one session. The key is
    TINKER_API_KEY where it is not given.

    Raises:
        UsageError: The SDK is not installed, there is no key, or nothing answers at the address.
    """
    require_sdk()
    import tinker

    address = (base_url or OFFICIAL).rstrip("/")
    _reach(address)
    return tinker.ServiceClient(base_url=address, api_key=api_key)


def _reach(address: str) -> None:
    """Asks for a sign of life: the SDK itself would try for minutes before it gave up."""
    try:
        with urllib.request.urlopen(f"{address}/api/v1/healthz", timeout=REACH_SECONDS):
            pass
    except urllib.error.HTTPError:
        pass  # an answer, whatever it is; the SDK will say what is wrong
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or error
        raise UsageError(
            f"no Tinker service answers at {address}: {why}; give the address of one as base_url"
        ) from error


def tokenizer_of(client: "ServiceClient", base: str) -> "PreTrainedTokenizerBase":
    """The tokenizer of a base, by way of a sampling client: that costs and leaves nothing.

    Raises:
        UsageError: The service has no such base, or its tokenizer cannot be loaded.
        NotYet: The service fails.
    """
    sampler = ask(lambda: result(client.create_sampling_client(base_model=base)))
    try:
        tokenizer: PreTrainedTokenizerBase = sampler.get_tokenizer()
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(f"cannot load the tokenizer of {base!r}: {describe(error)}") from error
    return tokenizer


def result(future: "APIFuture[T]") -> T:
    """The result of a request, waited for without the SDK's warning about doing so in a loop."""
    wait([future.future()])
    return future.result()


def ask(what: Callable[[], T]) -> T:
    """What a call of the SDK gives.

    Raises:
        UsageError: The service refuses, for a reason that the user can mend.
        NotYet: The service fails.
    """
    import tinker

    try:
        return what()
    except tinker.TinkerError as error:
        problem = refusal(error) or NotYet(
            f"the Tinker service fails: {describe(error)}", RETRY_SECONDS
        )
    # Raised out here: the SDK's error knows the request with its key.
    raise problem


def refusal(error: Exception) -> UsageError | None:
    """An error of the SDK as a mistake of the user's to mend, or None where it is none."""
    import tinker

    if isinstance(error, tinker.APIStatusError):
        what = _REFUSED.get(error.status_code)
        return UsageError(f"{what} ({describe(error)})") if what else None
    if isinstance(error, tinker.RequestFailedError):
        return UsageError(describe(error)) if error.category.value == "user" else None
    if isinstance(error, tinker.TinkerError) and "api_key" in str(error):
        return UsageError(
            "no usable key for Tinker: set TINKER_API_KEY (it begins with tml-; a server of your "
            "own takes any such key)"
        )
    return None


def describe(error: Exception) -> str:
    """An error in one line, without the key."""
    line = " ".join(str(error).split())
    key = os.environ.get("TINKER_API_KEY")
    line = _KEY.sub("***", line.replace(key, "***") if key else line)
    return f"{type(error).__name__}: {line[:500]}"
