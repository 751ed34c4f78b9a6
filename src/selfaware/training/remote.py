"""Whether a model that a service keeps is still there, and until when."""

from contextlib import closing
from datetime import date
from typing import NamedTuple

from selfaware.training.openai_service import Missing, Refused, Service


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
        NotYet: A limit is reached, or the service cannot answer now.
        UsageError: There is no key, it is not accepted, or there is no such service.
    """
    with closing(Service(endpoint)) as service:
        try:
            model = service.ask(lambda client: client.models.retrieve(name))
        except (Missing, Refused):
            return Kept(False, None)
    try:
        return Kept(True, date.fromisoformat((model.shutdown_date or "")[:10]))
    except ValueError:
        return Kept(True, None)
