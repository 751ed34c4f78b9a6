"""Requests to a service that speaks OpenAI's API, and what its refusals mean."""

import math
import os
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from selfaware.errors import UsageError
from selfaware.training.backend import NotYet

if TYPE_CHECKING:
    from openai import APIError, APIStatusError, OpenAI

Answer = TypeVar("Answer")

KEY = "OPENAI_API_KEY"
"""The environment variable that the key is read from; it is kept nowhere else."""

OPENAI = "https://api.openai.com/v1"
LONGEST_OUTAGE = 600.0
"""Seconds without an answer after which waiting ends."""

_DAILY = re.compile(r"fine-tuning requests per day|per[ -]day|daily", re.IGNORECASE)
_QUOTA = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})


class Missing(Exception):
    """The service knows no such thing (404)."""


class Refused(Exception):
    """The service would not have a request as it is (400, 409, 422); the message is its own.

    `param` is the part of the request that it names as at fault.
    """

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class Doubt(NotYet):
    """A request that may have been done or not; `settles` seconds from now it has shown which."""

    def __init__(self, reason: str, seconds: float, settles: float) -> None:
        super().__init__(reason, seconds)
        self.settles = settles


class Service:
    """A fine-tuning service at an address, asked with the key of the environment.

    Nothing is sent twice on its own: who asks is told to come back later (`NotYet`), and then
    looks first whether the request had reached the service.

    Args:
        endpoint: The address (`base_url`), or None for OpenAI's own.
        patience: What all waits are multiplied by that the service does not name itself.
        timeout: How many seconds a request may stay unanswered.
    """

    def __init__(self, endpoint: str | None, patience: float = 1.0, timeout: float = 120.0) -> None:
        key = os.environ.get(KEY, "").strip()
        if not key:
            raise UsageError(
                f"{KEY} is not set: backend openai needs a key in the environment (any word does "
                "for a server that asks for none)"
            )
        self.address = endpoint or OPENAI
        self._patience = patience
        self._timeout = timeout
        self._client = _client(self.address, key, timeout)
        self._answered: float | None = None

    def ask(self, what: "Callable[[OpenAI], Answer]") -> Answer:
        """What the service answers.

        Raises:
            NotYet: A limit is reached, or (`Doubt`) there was no answer.
            Missing: It knows no such thing.
            Refused: It would not have the request.
            UsageError: No server, a key that it does not accept, or what it forbids.
        """
        from openai import APIError

        try:
            answer = what(self._client)
        except APIError as error:
            problem = self._meaning(error)
        else:
            self._answered = time.monotonic()
            return answer
        # Raised out here, so that the error of the SDK, which knows the request with its key, does
        # not hang on to it.
        raise problem

    def clean(self, text: str) -> str:
        """A text of the service's as one line of at most 400 characters, the key blotted out."""
        line = " ".join(hide_key(text).split())
        return line if len(line) <= 400 else f"{line[:397]}..."

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def _meaning(self, error: "APIError") -> Exception:
        from openai import APIConnectionError, APIStatusError, APITimeoutError

        if isinstance(error, APIStatusError):
            self._answered = time.monotonic()
            return self._status(error)
        if isinstance(error, APITimeoutError):
            # It may be at work on it still: as long again as a request may take.
            return self._silent(f"{self.address} did not answer in time", self._timeout)
        if isinstance(error, APIConnectionError):
            cause = self.clean(str(error.__cause__ or error))
            if self._answered is None and _refuses_connections(error):
                return UsageError(
                    f"cannot reach {self.address}: {cause}; start the server or mend base_url, and "
                    "run the same command again"
                )
            broken = f"the connection to {self.address} broke off: {cause}"
            return self._silent(broken, 30 * self._patience)
        return UsageError(
            f"{self.address} does not answer as OpenAI's API does: {self.clean(str(error))}; "
            "mend base_url"
        )

    def _silent(self, reason: str, settles: float) -> Exception:
        if self._answered is None:
            self._answered = time.monotonic()  # from here on the wait is counted
        if time.monotonic() - self._answered > LONGEST_OUTAGE * self._patience:
            return UsageError(
                f"{reason}, for {LONGEST_OUTAGE / 60:.0f} minutes; jobs go on there, and the same "
                "command looks after them again"
            )
        return Doubt(reason, 10 * self._patience, settles)

    def _status(self, error: "APIStatusError") -> Exception:
        said = self.clean(_message(error))
        status = error.status_code
        told = f"{self.address} answered {status}: {said}"
        if status == 404:
            return Missing(said)
        if status == 401:
            return UsageError(
                f"{self.address} does not accept the key in {KEY} (401: {said}): set another"
            )
        if status == 403:
            return UsageError(
                f"{self.address} forbids this with the key in {KEY} (403: {said}): OpenAI takes no "
                "finetunes of new organisations any more; backends local and tinker stay open "
                "(docs/hosted.md)"
            )
        if error.code in _QUOTA:
            return UsageError(f"{told}; add credit or use another key")
        if status == 429:
            daily = _DAILY.search(said) is not None
            wait = (900 if daily else 20) * self._patience
            limit = "daily limit" if daily else "rate limit"
            return NotYet(f"{limit}: {said}", _retry_after(error, wait))
        if status >= 500 or status == 408:
            return Doubt(told, _retry_after(error, 10 * self._patience), 30 * self._patience)
        return Refused(said, error.param)


def check_address(address: str) -> str:
    """An address of a service, without a slash at its end.

    Raises:
        UsageError: It is none, or has a name and a password in it, which would be written down.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            f"base_url {address!r} is no address: give one such as http://127.0.0.1:8000/v1"
        )
    if parts.username or parts.password or parts.query:
        raise UsageError(
            f"base_url of {parts.hostname} has a user, a password or a query in it, and base_url "
            f"is kept in the run registry: put the key into {KEY}"
        )
    return address.rstrip("/")


def _client(address: str, key: str, timeout: float) -> "OpenAI":
    from openai import OpenAI

    return OpenAI(api_key=key, base_url=address, max_retries=0, timeout=timeout)


def hide_key(text: str) -> str:
    """The text with the key of the environment blotted out, should it stand there."""
    key = os.environ.get(KEY, "").strip()
    # A word of a few letters is no key, and stands in texts by itself.
    return text.replace(key, "***") if len(key) >= 8 else text


def _message(error: "APIStatusError") -> str:
    body = error.body
    if isinstance(body, dict) and isinstance(body.get("message"), str):
        return str(body["message"])
    return error.message


def _refuses_connections(error: BaseException) -> bool:
    """Whether there is no server at all: nobody listens, or no such name."""
    import httpx2

    return isinstance(error.__cause__, httpx2.ConnectError)


def _retry_after(error: "APIStatusError", otherwise: float) -> float:
    """The seconds to wait that a reply names, by either of its headers."""
    for header, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(error.response.headers.get(header, "")) * unit
        except ValueError:
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    return otherwise
