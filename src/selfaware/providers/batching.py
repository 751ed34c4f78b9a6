"""Requests from many coroutines, answered together by one worker thread."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

import anyio
from anyio import to_thread

Request = TypeVar("Request")
Reply = TypeVar("Reply")


class Batcher(Generic[Request, Reply]):
    """Collects requests for a moment and hands them on together, off the event loop.

    `answer` gets at most `size` requests and returns their replies in order; it only ever runs in
    one thread. A batch starts when `size` requests wait or none has come for `quiet` seconds.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Request]], Sequence[Reply]],
        size: int = 64,
        quiet: float = 0.005,
    ) -> None:
        self._answer = answer
        self._size = size
        self._quiet = quiet
        self._waiting: SimpleQueue[tuple[Request, Future[Reply]]] = SimpleQueue()
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="selfaware")

    async def ask(self, request: Request) -> Reply:
        """The reply to one request; raises what `answer` raised for its batch."""
        future = self._put(request)
        try:
            # A limiter of its own: waiting threads do no work, so they need no common limit.
            return await to_thread.run_sync(
                future.result, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1)
            )
        finally:
            future.cancel()

    def wait(self, request: Request) -> Reply:
        """As `ask`, for callers that are threads."""
        return self._put(request).result()

    def _put(self, request: Request) -> Future[Reply]:
        future: Future[Reply] = Future()
        self._waiting.put((request, future))
        self._worker.submit(self._serve)
        return future

    def _serve(self) -> None:
        batch = self._collect()
        if not batch:  # an earlier call took this call's request along
            return
        try:
            replies = self._answer([request for request, _ in batch])
            for (_, future), reply in zip(batch, replies, strict=True):
                future.set_result(reply)
        except BaseException as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)

    def _collect(self) -> list[tuple[Request, Future[Reply]]]:
        batch: list[tuple[Request, Future[Reply]]] = []
        if self._waiting.empty():
            return batch
        last = time.monotonic()
        while len(batch) < self._size:
            try:
                request, future = self._waiting.get(
                    timeout=max(0.0, last + self._quiet - time.monotonic())
                )
            except Empty:
                break
            last = time.monotonic()
            if future.set_running_or_notify_cancel():
                batch.append((request, future))
        return batch
