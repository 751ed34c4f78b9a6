"""Requests to Together's API, and what its refusals mean."""

import os
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeVar

from selfaware.errors import UsageError
from selfaware.training.backend import NotYet

if TYPE_CHECKING:
    from together import APIError, APIStatusError, Together

Answer = TypeVar("Answer")

KEY = "TOGETHER_API_KEY"
"""The environment variable that the key is read from; it is kept nowhere else."""

OFFICIAL = "https://api.together.ai"
LONGEST_OUTAGE = 600.0
"""Seconds without an answer after which waiting ends."""

INSTALL = "pip install 'selfaware[together]'"

_MEANT = {
    401: f"it does not accept the key in {KEY}: set another",
    402: "the account has no credit left: add some, or use another key",
    403: f"it forbids this with the key in {KEY}",
}


class Missing(UsageError):
    """The service knows no such thing (404)."""


class TogetherService:
    """Together's service at an address, asked with the key of the environment.

    No request is sent twice on its own: who asks is told to come back later (`NotYet`), and then
    looks first whether the request had reached the service.

    Args:
        endpoint: The address (`base_url`), or None for Together's own.
        patience: What all waits are multiplied by that the service does not name itself.

    Raises:
        UsageError: The SDK is not installed, or no key is set.
    """

    def __init__(self, endpoint: str | None, patience: float = 1.0) -> None:
        try:
            import together
        except ImportError as error:
            raise UsageError(f"backend together needs the together SDK: {INSTALL}") from error
        key = os.environ.get(KEY, "").strip()
        if not key:
            raise UsageError(f"{KEY} is not set: backend together needs a key in the environment")
        self.address = (endpoint or OFFICIAL).removesuffix("/v1")
        self.patience = patience
        self._key = key
        self._answered: float | None = None
        # The version stood in the address until version 3 of the SDK.
        path = "/v1" if int(version("together").partition(".")[0]) < 3 else ""
        self._client = together.Together(
            api_key=key, base_url=self.address + path, max_retries=0, timeout=120.0
        )

    def ask(self, what: "Callable[[Together], Answer]") -> Answer:
        """What the service answers.

        Raises:
            NotYet: A limit is reached, or the service cannot answer now.
            Missing: It knows no such thing.
            UsageError: A key that it does not accept, or a request that it would not have.
        """
        import httpx
        from together import TogetherError

        try:
            answer = what(self._client)
        except TogetherError as error:
            problem = self._meaning(error)
        except httpx.HTTPError as error:  # files are sent and fetched past the SDK's own errors
            problem = self._silent(error)
        except ValueError as error:  # the SDK checks a job before it sends it
            problem = UsageError(f"Together would not have this finetune: {self.clean(str(error))}")
        else:
            self._answered = time.monotonic()
            return answer
        # Raised out here: the SDK's error knows the request with its key.
        raise problem

    def clean(self, text: str) -> str:
        """A text of the service's as one line of at most 400 characters, the key blotted out."""
        line = " ".join(text.replace(self._key, "***").split())
        return line if len(line) <= 400 else f"{line[:397]}..."

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def _meaning(self, error: Exception) -> Exception:
        from together import APIConnectionError, APIStatusError

        if isinstance(error, APIStatusError):
            self._answered = time.monotonic()
            return self._status(error)
        if isinstance(error, APIConnectionError):
            return self._silent(error.__cause__ or error)
        return UsageError(f"Together would not have this: {self.clean(str(error))}")

    def _silent(self, error: BaseException) -> Exception:
        import httpx

        reason = f"no answer from {self.address}: {self.clean(str(error)) or type(error).__name__}"
        if self._answered is None:
            if isinstance(error, httpx.ConnectError):
                return UsageError(f"{reason}; mend base_url, and run the same command again")
            self._answered = time.monotonic()  # from here on the wait is counted
        if time.monotonic() - self._answered > LONGEST_OUTAGE * self.patience:
            return UsageError(
                f"{reason}, for {LONGEST_OUTAGE / 60:.0f} minutes; jobs go on there, and the same "
                "command looks after them again"
            )
        return NotYet(reason, 10 * self.patience)

    def _status(self, error: "APIStatusError") -> Exception:
        said = self.clean(_message(error))
        status = error.status_code
        if status == 404:
            return Missing(f"{self.address} answered 404: {said}")
        if status in (408, 429) or status >= 500:
            wait = _retry_after(error) or (20 if status == 429 else 10) * self.patience
            return NotYet(f"{self.address} answered {status}: {said}", wait)
        meant = _MEANT.get(status, "it would not have the request")
        return UsageError(f"{self.address} answered {status}: {said}: {meant}")


def _message(error: "APIError") -> str:
    body = error.body
    inner = body.get("error", body) if isinstance(body, dict) else None
    if isinstance(inner, dict) and isinstance(inner.get("message"), str):
        return str(inner["message"])
    return error.message


def _retry_after(error: "APIStatusError") -> float | None:
    """The seconds to wait that a reply names."""
    try:
        return float(error.response.headers.get("retry-after", ""))
    except ValueError:
        return None
