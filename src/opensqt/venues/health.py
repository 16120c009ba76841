"""The health of an adapter: named checks, and background tasks whose failures are reported."""

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
    """The checks of one adapter. Each change is logged with its reason.

    Args:
        venue: Name for the log.
    """

    def __init__(self, venue: str) -> None:
        self._venue = venue
        self._checks: dict[str, Check] = {}
        self._probes: dict[str, Callable[[], str]] = {}

    def add_probe(self, name: str, probe: Callable[[], str]) -> None:
        """Register a probe for a check, for failures that show only because nothing happens.

        Args:
            name: The check.
            probe: Called by each `evaluate` while the check is ok. It returns the reason why the check fails, or an
                empty text. A failed check stays failed until it is set.
        """
        self._probes[name] = probe

    def set(self, name: str, ok: bool, reason: str = "") -> None:
        """Set a check; its `since_ms` changes only with *ok*."""
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
        """Remove a check and its probe."""
        self._checks.pop(name, None)
        self._probes.pop(name, None)

    def ok(self, name: str) -> bool:
        """Return whether a check is known and ok."""
        check = self._checks.get(name)
        return check is not None and check.ok

    def evaluate(self) -> ExchangeStatus:
        """Run the probes, set the checks that they fail, and return all checks."""
        for name, probe in self._probes.items():
            if self.ok(name) and (reason := probe()):
                self.set(name, False, reason)
        return ExchangeStatus(checks=tuple(self._checks.values()))


def in_ms(seconds: float | None) -> int | None:
    """Return seconds as whole milliseconds; None stays None."""
    return None if seconds is None else round(seconds * 1000)


class BackgroundTasks:
    """Background tasks with an owner: a failure is logged, and sets the check `task:NAME` to failed.

    Args:
        health: Receives the checks.
    """

    def __init__(self, health: Health) -> None:
        self._health = health
        self.running: set[asyncio.Task[None]] = set()
        """Tasks that must go on; a task that its owner ended is not included."""

    def start(self, name: str, work: Coroutine[Any, Any, None], *, lasting: bool = True) -> asyncio.Task[None]:
        """Start a task, on behalf of no client.

        Args:
            name: Names the task and its check.
            work: The task.
            lasting: Whether the task must run until `end`. A lasting task always has a check, and any other end of it
                is a failure. Other tasks have a check only after a failure, until a run succeeds.
        """
        # A client's call may have started the task: it must not inherit the client's name, lane and log fields.
        task = asyncio.create_task(work, name=name, context=Context())
        self.running.add(task)
        if lasting:
            self._health.set(f"task:{name}", True)
        task.add_done_callback(lambda done: self._ended(done, lasting=lasting))
        return task

    async def end(self, task: asyncio.Task[None]) -> None:
        """Cancel a task that is no longer needed, wait for its end, and remove its check."""
        self.running.discard(task)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self._health.forget(f"task:{task.get_name()}")

    async def close(self) -> None:
        """Cancel all tasks and wait for their end."""
        await asyncio.gather(*(self.end(task) for task in list(self.running)))

    def _ended(self, task: asyncio.Task[None], *, lasting: bool) -> None:
        if task not in self.running:
            return
        self.running.discard(task)
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
            # An earlier run may have failed; this one succeeded.
            self._health.forget(f"task:{name}")
