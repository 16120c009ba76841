"""What an adapter's health depends on: named checks, and background tasks that some one sees fail."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from opensqt.model.clock import now_ms
from opensqt.model.venue import Check, ExchangeStatus
from opensqt.telemetry.logging import get_logger, redact

_log = get_logger("venue")


class Health:
    """The checks of one adapter. Each change is logged with its reason."""

    def __init__(self, venue: str) -> None:
        self._venue = venue
        self._checks: dict[str, Check] = {}

    def set(self, name: str, ok: bool, reason: str = "") -> None:
        """Set a check; `since_ms` moves only when *ok* changes."""
        known = self._checks.get(name)
        reason = redact(reason)
        if known is not None and known.ok == ok:
            if known.reason != reason:
                self._checks[name] = Check(name=name, ok=ok, reason=reason, since_ms=known.since_ms)
            return
        self._checks[name] = Check(name=name, ok=ok, reason=reason, since_ms=now_ms())
        if not ok or known is not None:
            log = _log.info if ok else _log.warning
            log("check changed", venue=self._venue, check=name, ok=ok, reason=reason)

    def forget(self, name: str) -> None:
        """Drop a check whose subject is gone."""
        self._checks.pop(name, None)

    def ok(self, name: str) -> bool:
        """Whether a check is known and ok."""
        check = self._checks.get(name)
        return check is not None and check.ok

    def status(self) -> ExchangeStatus:
        """Answer all checks."""
        return ExchangeStatus(checks=tuple(self._checks.values()))


class Tasks:
    """Owns background tasks: one that ends with an error turns its check `task:NAME` red and is logged."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, name: str, work: Coroutine[Any, Any, None], *, lasting: bool = True) -> asyncio.Task[None]:
        """Run *work*. A lasting task has a check of its own; the end of it, even without error, is a failure."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        if lasting:
            self._health.set(f"task:{name}", True)
        task.add_done_callback(lambda done: self._ended(done, lasting=lasting))
        return task

    async def close(self) -> None:
        """Cancel all tasks and wait for their end."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None], *, lasting: bool) -> None:
        self._tasks.discard(task)
        name = task.get_name()
        if task.cancelled():
            self._health.forget(f"task:{name}")
            return
        error = task.exception()
        if error is not None:
            _log.error("background task failed", task=name, exc_info=error)
        if error is not None or lasting:
            self._health.set(f"task:{name}", False, f"ended: {error!r}" if error else "ended")
