"""What tests of sandboxed code share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from selfaware.errors import UsageError
from selfaware.sandboxes.bubblewrap import BubblewrapSandbox, check_bubblewrap
from selfaware.sandboxes.isolation import Limits


def _unavailable() -> str:
    try:
        check_bubblewrap()
    except UsageError as error:
        return str(error)
    return ""


REASON = _unavailable()

needs_bubblewrap = pytest.mark.skipif(bool(REASON), reason=REASON)


@asynccontextmanager
async def bubblewrap(limits: Limits | None = None) -> AsyncIterator[BubblewrapSandbox]:
    """The sandbox of a sample, as Inspect makes and removes it."""
    made = await BubblewrapSandbox.sample_init("test", limits, {})
    try:
        yield made["default"].as_type(BubblewrapSandbox)
    finally:
        await BubblewrapSandbox.sample_cleanup("test", limits, made, False)
