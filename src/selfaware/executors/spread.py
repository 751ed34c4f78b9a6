"""Orders spread over workers, each of which takes the next when it is done with one."""

import queue
import threading
from collections.abc import Callable, Sequence

from selfaware.executors.evaluation import Evaluation
from selfaware.training.jobs import Done, Refused
from selfaware.training.workers import AnyWorker

Ended = Callable[[Evaluation, str | None], None]
"""Is told an order that has ended, and what was wrong (None: nothing)."""


def spread(
    orders: Sequence[Evaluation], workers: int, start: Callable[[], AnyWorker], ended: Ended
) -> None:
    """Has every order carried out; one that fails keeps none of the others from it.

    When this thread is interrupted, everything that was started is stopped.

    Args:
        orders: What is to be done.
        workers: How many at once, at most.
        start: Starts one worker.
        ended: Is told of the end of each order, in this thread.
    """
    waiting: queue.SimpleQueue[Evaluation] = queue.SimpleQueue()
    for order in orders:
        waiting.put(order)
    ends: queue.SimpleQueue[tuple[Evaluation, str | None]] = queue.SimpleQueue()
    crew = [start() for _ in range(min(workers, len(orders)))]
    stopping = threading.Event()

    def serve(worker: AnyWorker) -> None:
        while not stopping.is_set():
            try:
                order = waiting.get_nowait()
            except queue.Empty:
                break
            ends.put((order, _carry_out(worker, order)))
        # At once: an order that lost its worker may be waiting for the room that this one takes.
        worker.close()

    threads = [threading.Thread(target=serve, args=(worker,), daemon=True) for worker in crew]
    try:
        for thread in threads:
            thread.start()
        for _ in orders:
            ended(*ends.get())
    finally:
        stopping.set()
        for worker in crew:
            worker.kill()
        for thread in threads:
            thread.join()


def _carry_out(worker: AnyWorker, order: Evaluation) -> str | None:
    for event in worker.make(order):
        match event:
            case Done():
                return None
            case Refused(message=message):
                return message
            case _:
                continue
    how = worker.failure(f"the process that asked {', '.join(order.models)}").splitlines()
    return how[0] if len(how) == 1 else f"{how[0]} {how[-1]}"
