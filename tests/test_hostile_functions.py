"""Hostile code in place of a function: nothing gets out, and each is an error of its own kind."""

import os
from pathlib import Path

import pytest
from sandboxing import bubblewrap, needs_bubblewrap

from selfaware.errors import UsageError
from selfaware.sandboxes import calls
from selfaware.sandboxes.calls import Failure, call_function

pytestmark = [pytest.mark.anyio, needs_bubblewrap]

INPUTS = ["ring", "table", "chair"]
F = "def f(message):\n    "

FAILED: dict[str, tuple[str, str, str]] = {
    "raises": (F + "return 1 / 0", "exception", "ZeroDivisionError"),
    "recursion": (F + "return f(message)", "exception", "RecursionError"),
    "import": ("import numpy\n" + F + "return 0.5", "exception", "ModuleNotFoundError"),
    "leaves": ("import sys; sys.exit(0)", "exception", "SystemExit"),
    "beyond": (F + "return 1.5", "out_of_range", ""),
    "nan": (F + "return float('nan')", "out_of_range", ""),
    "huge": (F + "return 10 ** 5000", "out_of_range", ""),
    "text": (F + "return '0.5'", "not_a_number", "str"),
    "true": (F + "return True", "not_a_number", "bool"),
    "nothing": (F + "pass", "not_a_number", "NoneType"),
    "class": (
        "class Half(float):\n    __lt__ = __le__ = lambda *_: True\n" + F + "return Half(3)",
        "not_a_number",
        "Half",
    ),
    "syntax": ("def f(message)\n    return 0.5", "syntax_error", "SyntaxError"),
    "prose": ("Here is the function:\n" + F + "return 0.5", "syntax_error", "SyntaxError"),
    "null": ("x = '\0'", "syntax_error", "SyntaxError"),
    "nested": ("x = " + "(" * 500 + ")" * 500, "syntax_error", "SyntaxError"),
    "name": ("def g(message):\n    return 0.5", "no_function", ""),
    "no call": ("f = 0.5", "no_function", ""),
    "passwords": (F + "return len(open('/etc/passwd').read())", "exception", "FileNotFoundError"),
    "home": (
        "import os\n" + F + "return len(open(os.environ['REAL_HOME'] + '/.profile').read())",
        "exception",
        "KeyError",
    ),
    "writes": ("open('/usr/lib/x.py', 'w')", "exception", "OSError"),
    "removes": ("import shutil; shutil.rmtree('/usr/lib')", "exception", "OSError"),
    "secret": ("import os; os.environ['OPENAI_API_KEY']", "exception", "KeyError"),
    "first process": ("open('/proc/1/environ').read()", "exception", "PermissionError"),
    "connects": (
        "import socket; socket.create_connection(('1.1.1.1', 80), 1)",
        "exception",
        "OSError",
    ),
    "resolves": ("import socket; socket.getaddrinfo('example.com', 80)", "exception", "gaierror"),
    "forks": ("import os\nwhile True:\n    os.fork()", "exception", "BlockingIOError"),
    "program": ("import subprocess; subprocess.run(['id'])", "exception", "BlockingIOError"),
    "threads": (
        "import threading; threading.Thread(target=print).start()",
        "exception",
        "RuntimeError",
    ),
    "memory": (F + "return len(bytearray(10 * 10**9))", "memory", ""),
    "more memory": ("x = []\nwhile True:\n    x.append(bytearray(10**7))", "memory", ""),
    "prints": ("while True:\n    print('ring' * 1000)", "output", ""),
    "errors": (
        F + "import sys; sys.stderr.write('x' * 10**6); return 0.5",
        "output",
        "",
    ),
    "exits": ("import os; os._exit(0)", "crashed", ""),
    "faults": ("import ctypes; ctypes.string_at(0)", "crashed", ""),
    "kills parent": ("import os; os.kill(os.getppid(), 9)", "crashed", ""),
    "kills all": ("import os; os.kill(-1, 9)", "crashed", ""),
    "traces": (
        "import sys\ndef t(*_):\n    raise ValueError\nsys.settrace(t)\n" + F + "return 0.5",
        "exception",
        "ValueError",
    ),
    "parent's memory": (
        "import os; open(f'/proc/{os.getppid()}/mem', 'rb')",
        "exception",
        "PermissionError",
    ),
    "parent's output": (
        "import os; open(f'/proc/{os.getppid()}/fd/1', 'w')",
        "exception",
        "PermissionError",
    ),
    "forged line": ("import os; os.write(3, b'v 0.9\\n')\n" + F + "return 0.5", "tampered", ""),
    "forged number": (
        "import os; os.write(3, b'v 9.9\\nv 1\\nv 1\\nend'); os._exit(0)",
        "tampered",
        "",
    ),
    "forged category": (
        "import os; os.write(3, b'c valid\\nend'); os._exit(0)",
        "tampered",
        "",
    ),
    "forged name": ("raise type('E\\nv 0.5\\nend', (Exception,), {})", "tampered", ""),
    "exit replaced": (
        "import os\nos._exit = lambda code: None\nos.write = lambda *_: 1 / 0\nraise KeyError",
        "exception",
        "KeyError",
    ),
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-do-not-tell")
    monkeypatch.setenv("REAL_HOME", str(Path.home()))


@pytest.mark.parametrize("case", FAILED)
async def test_hostile_code_is_an_error(case: str) -> None:
    code, category, detail = FAILED[case]
    async with bubblewrap() as environment:
        results = await call_function(environment, code, "f", INPUTS, 20)
        assert {each for each in results if not isinstance(each, float)} == {
            Failure(category, detail)
        }
        # The sandbox goes on: the next function is called as if nothing had been.
        assert await call_function(environment, F + "return 0.25", "f", INPUTS, 20) == [0.25] * 3


@pytest.mark.parametrize(
    "code",
    [
        "while True:\n    pass",
        "import time\n" + F + "\n    while True:\n        try:\n            time.sleep(9)\n"
        "        except BaseException:\n            pass",
        "import signal\n[signal.signal(s, signal.SIG_IGN) for s in (2, 15)]\nwhile True:\n    1",
        "import os, signal; os.kill(os.getppid(), signal.SIGSTOP)",
    ],
)
async def test_code_that_never_ends_is_ended(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "_SLACK_SECONDS", 1)
    async with bubblewrap() as environment:
        assert await call_function(environment, code, "f", INPUTS, 1) == [Failure("timeout")]


@pytest.mark.parametrize(
    "code",
    [
        "import builtins, json, os, sys\n"
        "builtins.print = builtins.repr = builtins.isinstance = builtins.type = None\n"
        "json.dumps = lambda *_, **__: '[1.0]'\n"
        "os.write = os._exit = sys.exit = None\n" + F + "return 0.5",
        "print('v 0.9\\nend')\n" + F + "print('{}'); return 0.5",
        F + "\n    try:\n        open('/etc/passwd')\n    except OSError:\n        return 0.5",
    ],
)
async def test_what_is_patched_or_printed_changes_no_number(code: str) -> None:
    async with bubblewrap() as environment:
        assert await call_function(environment, code, "f", INPUTS, 20) == [0.5] * 3


async def test_functions_are_called_as_they_are() -> None:
    code = (
        "import math, random, re\nfrom collections import Counter\n"
        + F
        + "return 1 if re.search(r'\\bring\\b', message) else Counter(message)['a'] * 1e-9"
    )
    async with bubblewrap() as environment:
        assert await call_function(environment, code, "f", INPUTS, 20) == [1.0, 1e-9, 1e-9]
        drawn = "import random\n" + F + "return random.random()"
        first = await call_function(environment, drawn, "f", INPUTS, 20)
        assert len(set(first)) == 3
        assert await call_function(environment, drawn, "f", INPUTS, 20) == first
        texts = ["'''", '"""', "é 😀\n\\", "\x00"]
        measure = F + "return len(message) / 10"
        assert await call_function(environment, measure, "f", texts, 20) == [0.3, 0.3, 0.5, 0.1]


async def test_a_sandbox_without_python_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async with bubblewrap() as environment:
        run = environment.exec

        async def without_python(cmd: list[str], **options: object) -> object:
            return await run(["no-python3", *cmd[1:]], **options)  # type: ignore[arg-type]

        monkeypatch.setattr(environment, "exec", without_python)
        with pytest.raises(UsageError, match="cannot run python3"):
            await call_function(environment, F + "return 0.5", "f", INPUTS, 20)


async def test_nothing_is_left_on_this_machine() -> None:
    code = "open('/work/left', 'w').write('x'); open('/tmp/left', 'w')\n" + F + "return 0.5"
    async with bubblewrap() as environment:
        assert await call_function(environment, code, "f", INPUTS, 20) == [0.5] * 3
        folder = environment.room.folder
        assert (folder / "work" / "left").exists()
    assert not folder.exists() and not os.path.exists("/tmp/left")
