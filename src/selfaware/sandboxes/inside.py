"""Run within a sandbox, by its own Python: calls one model-written function on many inputs.

It reads two blocks from standard input: the task, and, only once the child that runs the model's
code has left with its copy of our memory, the word that marks our answer as ours. It prints that
word and what became of the function, as JSON. Nothing that the child prints or does gets further
than this process.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import re
import resource
import select
import signal
import time
from typing import TypedDict

PRINTED_BYTES = 65_536
"""Printing more than this is an error."""

REPORT_BYTES = 1_000_000

_HEADER = 8
_NOT_DUMPABLE = 4
_LINE = re.compile(
    r"v ([0-9.e-]{1,30})"
    r"|c (syntax_error|no_function|exception|memory|not_a_number|out_of_range)(?: (\w{1,60}))?"
)


class Task(TypedDict):
    """What is to be done: code that defines a function, its name, and what it is called with."""

    code: str
    name: str
    inputs: list[str]
    seconds: int
    wall_seconds: int
    memory: int


def main() -> None:
    """Run the task of the first block and print what became of it, marked by the second."""
    # Other processes of our user could else read our memory, or write to our output.
    ctypes.CDLL(None).prctl(_NOT_DUMPABLE, 0, 0, 0, 0)
    task: Task = json.loads(_block())
    report, report_end = os.pipe()
    printed, printed_end = os.pipe()
    child = os.fork()
    if child == 0:
        _child(task, report_end, printed_end)
    os.close(report_end)
    os.close(printed_end)
    mark = _block().decode()
    outcome = _watch(child, report, printed, task["wall_seconds"], len(task["inputs"]))
    os.write(1, (mark + json.dumps(outcome)).encode())


def _block() -> bytes:
    """The next block of standard input: its length in eight digits, then itself."""
    return _exactly(int(_exactly(_HEADER)))


def _exactly(count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = os.read(0, count - len(found))
        if not part:
            raise EOFError("standard input ended within a block")
        found += part
    return found


def _child(task: Task, report: int, printed: int) -> None:
    """Run the model's code with little to use and nowhere to print, and report; never returns."""
    # What the code could replace is held here before it runs.
    leave, write, encode = os._exit, os.write, str.encode
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        for given, number in ((nothing, 0), (printed, 1), (printed, 2)):
            os.dup2(given, number)
        os.dup2(report, 3)
        os.closerange(4, 4096)
        _limit(resource.RLIMIT_AS, task["memory"])
        # At the first of the two the kernel sends SIGXCPU, which tells what happened.
        _limit(resource.RLIMIT_CPU, task["seconds"] + 1)
        resource.setrlimit(resource.RLIMIT_CPU, (task["seconds"], task["seconds"] + 1))
        _limit(resource.RLIMIT_FSIZE, REPORT_BYTES)
        _limit(resource.RLIMIT_NPROC, 0)
        random.seed(0)
        try:
            lines = _lines(task["code"], task["name"], task["inputs"])
        except MemoryError:
            lines = ["c memory"]
        text = encode("\n".join([*lines, "end"]))
        while text:
            text = text[write(3, text) :]
        leave(0)
    finally:
        leave(1)


def _limit(kind: int, most: int) -> None:
    """Lower a limit, as far as it is not lower already."""
    _, hard = resource.getrlimit(kind)
    value = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (value, value))


def _lines(code: str, name: str, inputs: list[str]) -> list[str]:
    """What became of the function: a line for all of it, or one for each input."""
    real, whole, kind, failure, out_of_memory = float, int, type, BaseException, MemoryError
    written = repr
    space: dict[str, object] = {"__name__": "answer", "__builtins__": __builtins__}
    try:
        program = compile(code, "answer", "exec")
    except (SyntaxError, ValueError, RecursionError, OverflowError) as error:
        return ["c syntax_error " + kind(error).__name__]
    try:
        exec(program, space)
    except out_of_memory:
        raise
    except failure as error:
        return ["c exception " + kind(error).__name__]
    function = space.get(name)
    if not callable(function):
        return ["c no_function"]
    lines: list[str] = []
    for text in inputs:
        try:
            value = function(text)
        except out_of_memory:
            lines.append("c memory")
            continue
        except failure as error:
            lines.append("c exception " + kind(error).__name__)
            continue
        if kind(value) is not real and kind(value) is not whole:
            lines.append("c not_a_number " + kind(value).__name__)
        elif 0 <= value <= 1:
            lines.append("v " + written(value + 0.0))
        else:
            lines.append("c out_of_range")
    return lines


def _watch(child: int, report: int, printed: int, seconds: float, count: int) -> list[object]:
    """What the child reported, line by line, or the one thing that became of it."""
    deadline = time.monotonic() + seconds
    texts = {report: b"", printed: b""}
    most = {report: REPORT_BYTES, printed: PRINTED_BYTES}
    became = None
    reading = [report, printed]
    while reading and became is None:
        ready, _, _ = select.select(reading, [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            became = "timeout"
        for source in ready:
            part = os.read(source, 65_536)
            texts[source] += part
            if not part:
                reading.remove(source)
            if len(texts[source]) > most[source]:
                became = "output" if source == printed else "tampered"
    status = _end(child, deadline if became is None else 0.0)
    if became is None and (status is None or os.WIFSIGNALED(status)):
        late = status is None or os.WTERMSIG(status) == signal.SIGXCPU
        became = "timeout" if late else "crashed"
    if became is None and (status or not texts[report]):
        became = "crashed"
    return [[became, ""]] if became is not None else _parsed(texts[report], count)


def _end(child: int, deadline: float) -> int | None:
    """The child's exit status; None when it had to be killed after the deadline."""
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        if time.monotonic() >= deadline:
            break
        time.sleep(0.005)
    for kill in (os.killpg, os.kill):
        try:
            kill(child, signal.SIGKILL)
        except ProcessLookupError:
            continue
    os.waitpid(child, 0)
    return None


def _parsed(report: bytes, count: int) -> list[object]:
    """A value, or a category and its detail, for each line of the report."""
    lines = report.decode("utf-8", "replace").split("\n")
    found: list[object] = [_read(line) for line in lines[:-1]]
    whole = len(found) == count or (len(found) == 1 and isinstance(found[0], list))
    return found if whole and lines[-1] == "end" and None not in found else [["tampered", ""]]


def _read(line: str) -> object:
    """One line of the report; None when no child of ours writes such a line."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    if match.group(2):
        return [match.group(2), match.group(3) or ""]
    try:
        value = float(match.group(1))
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None


if __name__ == "__main__":
    main()
