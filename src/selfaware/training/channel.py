"""The way to and from a process of ours: an order a line to its input, an event a line back."""

import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel

Tell = Callable[[BaseModel], None]
"""Is told an event."""

Order = TypeVar("Order")


def teller(silent: bool = False) -> Tell:
    """Takes standard output for events; whatever a library prints goes to standard error.

    Args:
        silent: Events are dropped: another process tells them.
    """
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(event: BaseModel) -> None:
        if not silent:
            channel.write(event.model_dump_json() + "\n")
            channel.flush()

    return tell


def listen(read: Callable[[str], Order], ending: int = 0) -> "queue.SimpleQueue[Order]":
    """The orders that come in by standard input.

    When standard input ends, the process that gave the orders is gone or has no more: this one
    ends at once. Nothing is tidied up: the unfinished lies where the next call finds it.

    Args:
        read: Makes an order of a line.
        ending: The exit code.
    """
    orders: queue.SimpleQueue[Order] = queue.SimpleQueue()

    def wait() -> None:
        for line in sys.stdin:
            orders.put(read(line))
        os._exit(ending)

    threading.Thread(target=wait, daemon=True).start()
    return orders
