"""Background tasks with an owner that sees them fail, and a check of health for each that died."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextvars import Context
from typing import Any

from opensqt.model.clock import now_ms
from opensqt.model.venue import Check
from opensqt.telemetry import logging

_log = logging.get_logger("connector.tasks")


class Tasks:
    """The background tasks of one connector."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()
        self._dismissed: set[asyncio.Task[None]] = set()
        self._dead: dict[str, Check] = {}

    def __iter__(self) -> Iterator[asyncio.Task[None]]:
        return iter(self._running)

    def spawn(
        self, name: str, work: Coroutine[Any, Any, None], *, forever: bool = False, shared: bool = False
    ) -> asyncio.Task[None]:
        """Start *work*; its failure is logged and makes a failed check, and so does its being cancelled.

        Args:
            name: What the log and the check call it.
            work: The coroutine.
            forever: Whether its end, too, is a failure.
            shared: Whether it is nobody's work in particular, though the call of one client starts it: then it takes
                over neither that client's name nor its correlation id.
        """
        task = asyncio.create_task(work, name=name, context=Context() if shared else None)
        self._running.add(task)
        task.add_done_callback(lambda done: self._ended(done, forever))
        return task

    def dismiss(self, task: asyncio.Task[None]) -> None:
        """Cancel a task that is not needed any more: that is no failure of it."""
        if not task.done():
            self._dismissed.add(task)
            task.cancel()

    def checks(self) -> list[Check]:
        """Return a failed check for each task that died."""
        return list(self._dead.values())

    async def finished(self, name: str, *, timeout_s: float) -> bool:
        """Wait until every task of a name has ended; return whether that came in time."""
        tasks = {task for task in self._running if task.get_name() == name}
        return not tasks or not (await asyncio.wait(tasks, timeout=timeout_s))[1]

    async def close(self) -> None:
        """Cancel what still runs and wait for its end. Idempotent."""
        for task in self._running:
            self.dismiss(task)
        while self._running:
            await asyncio.wait(self._running)

    def _ended(self, task: asyncio.Task[None], forever: bool) -> None:
        self._running.discard(task)
        dismissed = task in self._dismissed
        self._dismissed.discard(task)
        error = None if task.cancelled() else task.exception()
        if task.cancelled():
            if dismissed:
                return
            reason = "was cancelled"
        elif error is not None:
            reason = f"ended: {type(error).__name__}: {error}"
        elif forever:
            reason = "ended by itself"
        else:
            return
        name = task.get_name()
        self._dead[name] = Check(name=f"task:{name}", ok=False, reason=logging.redact(reason), since_ms=now_ms())
        _log.error("background task died", task=name, reason=reason, exc_info=error)
