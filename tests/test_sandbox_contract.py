"""The bubblewrap sandbox does what Inspect asks of every sandbox: Inspect's own checks."""

from collections.abc import AsyncIterator

import pytest
from inspect_ai.util import SandboxEnvironment
from inspect_ai.util._sandbox import self_check
from sandboxing import bubblewrap, needs_bubblewrap

UNLIKE = {
    "test_exec_as_user": "a sandbox has one user",
    "test_exec_permission_error": "there is no /etc/passwd to try it on",
}
SLOW = {
    "test_exec_timeout": "tested with shorter times in test_sandbox.py",
    "test_exec_timeout_kills_process": "tested with shorter times in test_sandbox.py",
    "test_exec_timeout_kills_child_processes": "tested with shorter times in test_sandbox.py",
}

pytestmark = [pytest.mark.anyio, needs_bubblewrap]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def sandbox_env() -> AsyncIterator[SandboxEnvironment]:
    async with bubblewrap() as environment:
        yield environment


@pytest.mark.parametrize("check", self_check.__all__)
async def test_contract(check: str, sandbox_env: SandboxEnvironment) -> None:
    if check in SLOW:
        pytest.skip(SLOW[check])
    if check in UNLIKE:
        pytest.xfail(UNLIKE[check])
    await getattr(self_check, check)(sandbox_env)
