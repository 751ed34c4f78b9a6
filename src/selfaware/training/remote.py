"""Whether a model that a service keeps is still there, and until when."""

import os
from datetime import date
from typing import NamedTuple

from selfaware.errors import UsageError

KEY = "OPENAI_API_KEY"
TIMEOUT = 30.0


class Kept(NamedTuple):
    """Whether a service still has a model, and the day on which it ends it, where it says."""

    there: bool
    shutdown_date: date | None


def ask_openai(name: str, endpoint: str | None) -> Kept:
    """What a service that speaks OpenAI's API says of a model.

    Args:
        name: The service's own name of it.
        endpoint: The service's address, or None for OpenAI's.

    Raises:
        UsageError: It cannot be asked; the message never holds what the service wrote, which may
            repeat a part of the key.
    """
    from openai import APIConnectionError, APIError, APIStatusError, NotFoundError, OpenAI

    where = endpoint or "OpenAI"
    if not os.environ.get(KEY):
        raise UsageError(f"{where} was not asked: {KEY} is not set")
    problem = None
    with OpenAI(base_url=endpoint, timeout=TIMEOUT, max_retries=2) as client:
        try:
            model = client.models.retrieve(name)
        except NotFoundError:
            return Kept(False, None)
        except APIStatusError as error:
            problem = f"it answered with status {error.status_code}"
        except APIConnectionError:
            problem = "it cannot be reached"
        except APIError:
            problem = "it does not answer as OpenAI's API does"
        else:
            return Kept(True, _day(model.shutdown_date))
    # Raised out here: the SDK's error knows the request with its key.
    raise UsageError(f"{where} could not be asked: {problem}")


def _day(given: str | None) -> date | None:
    try:
        return date.fromisoformat(given[:10]) if given else None
    except ValueError:
        return None
