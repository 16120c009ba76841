"""What an adapter's health depends on: named checks, and background tasks that some one sees fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
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
        self._probes: dict[str, Callable[[], str]] = {}

    def add_probe(self, name: str, probe: Callable[[], str]) -> None:
        """Have *why* asked whenever the status is: what it answers, unless empty, turns the check red until it is set.

        For what goes wrong by nothing happening.
        """
        self._probes[name] = probe

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
        self._probes.pop(name, None)

    def ok(self, name: str) -> bool:
        """Whether a check is known and ok."""
        check = self._checks.get(name)
        return check is not None and check.ok

    def evaluate(self) -> ExchangeStatus:
        """Answer all checks."""
        for name, probe in self._probes.items():
            if self.ok(name) and (reason := probe()):
                self.set(name, False, reason)
        return ExchangeStatus(checks=tuple(self._checks.values()))


def in_ms(seconds: float | None) -> int | None:
    """Answer a time in whole milliseconds."""
    return None if seconds is None else round(seconds * 1000)


class BackgroundTasks:
    """Owns background tasks: one that ends with an error turns its check `task:NAME` red and is logged."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._tasks: set[asyncio.Task[None]] = set()
        """Those that are to go on: one that its owner ended is not among them."""

    def start(self, name: str, work: Coroutine[Any, Any, None], *, lasting: bool = True) -> asyncio.Task[None]:
        """Run *work*, on nobody's behalf. A lasting task has a check of its own; any end of it is a failure."""
        # Though the call of one client may have started it: its name, its lane and its log fields stay behind.
        task = asyncio.create_task(work, name=name, context=Context())
        self._tasks.add(task)
        if lasting:
            self._health.set(f"task:{name}", True)
        task.add_done_callback(lambda done: self._ended(done, lasting=lasting))
        return task

    async def end(self, task: asyncio.Task[None]) -> None:
        """Cancel a task that is not needed any more, wait for its end and forget its check."""
        self._tasks.discard(task)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self._health.forget(f"task:{task.get_name()}")

    async def close(self) -> None:
        """Cancel all tasks and wait for their end."""
        await asyncio.gather(*(self.end(task) for task in list(self._tasks)))

    def _ended(self, task: asyncio.Task[None], *, lasting: bool) -> None:
        if task not in self._tasks:
            return
        self._tasks.discard(task)
        name = task.get_name()
        if task.cancelled():
            self._health.set(f"task:{name}", False, "was cancelled")
            return
        error = task.exception()
        if error is not None:
            _log.error("background task failed", task=name, exc_info=error)
        if error is not None or lasting:
            self._health.set(f"task:{name}", False, f"ended: {error!r}" if error else "ended")
        else:
            # It failed before, and now it did not.
            self._health.forget(f"task:{name}")
