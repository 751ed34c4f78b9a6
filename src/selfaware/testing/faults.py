"""What can go wrong at a fine-tuning service, switched on by whoever rehearses it."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from selfaware.errors import UsageError

Wire = Literal[
    "rate_limit",
    "daily_limit",
    "quota",
    "unauthorized",
    "forbidden",
    "server_error",
    "drop",
    "drop_upload",
    "lost_reply",
    "slow",
    "file_expired",
]
"""Faults of a request. `drop` breaks the connection off before anything is done, `drop_upload` in
the middle of what is being sent, `lost_reply` after the work was done; `slow` answers late."""

Fate = Literal["moderation_before", "moderation_after", "job_expired", "job_failed"]
"""Faults of a job: what becomes of the next job that gets so far."""

Kind = Wire | Fate
KINDS: tuple[str, ...] = (*get_args(Wire), *get_args(Fate))

_PLACES: Mapping[str, str] = {
    "daily_limit": "POST /fine_tuning/jobs",
    "drop_upload": "POST /files",
    "lost_reply": "POST /fine_tuning/jobs",
    "file_expired": "POST /fine_tuning/jobs",
}


class Fault(BaseModel):
    """One fault: how often it strikes, and at which requests.

    `on` is the beginning of method and path (`POST /files`; the path without `/v1`), "" for all.
    `seconds` is the Retry-After of a limit, or how late a slow reply is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    on: str = ""
    count: int = Field(default=1, ge=1)
    seconds: float | None = Field(default=None, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _at_its_place(cls, given: object) -> object:
        if isinstance(given, dict) and "on" not in given:
            return {**given, "on": _PLACES.get(str(given.get("kind")), "")}
        return given


def parse_fault(text: str) -> Fault:
    """The fault that `KIND[,on=METHOD PATH][,count=N][,seconds=S]` names.

    Raises:
        UsageError: No such kind, or a setting that faults don't have.
    """
    kind, *rest = text.split(",")
    settings = dict(part.partition("=")[::2] for part in rest)
    try:
        return Fault.model_validate({"kind": kind.strip(), **settings})
    except ValidationError as error:
        place = error.errors()[0]["loc"]
        what = ".".join(str(part) for part in place) or text
        raise UsageError(
            f"fault {text!r}: {what} is not allowed; give KIND[,on=METHOD PATH][,count=N]"
            f"[,seconds=S] with a kind of {', '.join(KINDS)}"
        ) from error


class Switchboard:
    """The faults that are on; every one that strikes is counted down."""

    def __init__(self) -> None:
        self._on: list[tuple[Fault, int]] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Switches a fault on; the first that was added strikes first."""
        with self._lock:
            self._on.append((fault, fault.count))

    def clear(self) -> None:
        """Switches all faults off."""
        with self._lock:
            self._on.clear()

    def request(self, line: str) -> Fault | None:
        """The fault that strikes a request such as `POST /files`, and is used up by it."""
        return self._take(lambda fault: fault.kind in get_args(Wire) and line.startswith(fault.on))

    def fate(self, *kinds: Fate) -> Fault | None:
        """The fault that strikes a job which gets to a stage where one of these may."""
        return self._take(lambda fault: fault.kind in kinds)

    def _take(self, fits: Callable[[Fault], bool]) -> Fault | None:
        with self._lock:
            for place, (fault, left) in enumerate(self._on):
                if fits(fault):
                    if left > 1:
                        self._on[place] = (fault, left - 1)
                    else:
                        del self._on[place]
                    return fault
        return None


@dataclass(frozen=True)
class Refusal:
    """A reply that refuses: status, message, code, and the parameter that is at fault."""

    status: int
    message: str
    code: str | None = None
    param: str | None = None
    retry_after: float | None = None

    def body(self) -> dict[str, object]:
        """The reply in the form that OpenAI's API has for errors."""
        kind = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}.get(
            self.status, "server_error" if self.status >= 500 else "invalid_request_error"
        )
        return {
            "error": {
                "message": self.message,
                "type": kind,
                "code": self.code,
                "param": self.param,
            }
        }


class Refusing(Exception):
    """Raised where a request is refused."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def refusal(fault: Fault, key: str) -> Refusal | None:
    """The reply of a fault that replies at all; `key` is the one that the request came with."""
    match fault.kind:
        case "rate_limit":
            seconds = 1.0 if fault.seconds is None else fault.seconds
            return Refusal(
                429,
                "Rate limit reached for requests. Try again later.",
                "rate_limit_exceeded",
                retry_after=seconds,
            )
        case "daily_limit":
            return daily(8, fault.seconds)
        case "quota":
            return Refusal(429, "You exceeded your current quota.", "insufficient_quota")
        case "unauthorized":
            # The whole key, which a real service would not repeat: nobody may write it down.
            return Refusal(401, f"Incorrect API key provided: {key}.", "invalid_api_key")
        case "forbidden":
            return Refusal(
                403, "Your organization may not create fine-tuning jobs.", "not_authorized"
            )
        case "server_error":
            return Refusal(503, "The server is overloaded.", retry_after=fault.seconds)
        case _:
            return None


def daily(limit: int, retry_after: float | None = None) -> Refusal:
    """The reply to one job too many in a day."""
    return Refusal(
        429,
        "This request has been rate-limited: your organization has reached the maximum of "
        f"{limit} fine-tuning requests per day for this model.",
        "daily_rate_limit_exceeded",
        retry_after=retry_after,
    )
