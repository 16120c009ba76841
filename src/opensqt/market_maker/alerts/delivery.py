"""Delivers alerts: a queue and a task for each target, so that one that fails delays no other and no order."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from opensqt.config.alerts import AlertsSettings
from opensqt.market_maker.alerts.message import Alert
from opensqt.market_maker.alerts.target import Target
from opensqt.service.backoff import Backoff
from opensqt.telemetry.logging import get_logger

_log = get_logger("market_maker.alerts")

QUEUED = 50
"""Messages that wait for one target at most; the oldest are dropped then, and counted."""
_BACKOFF_S = (2.0, 300.0)


@dataclass(slots=True)
class _TargetQueue:
    """The queue of one target."""

    target: Target
    queue: deque[Alert] = field(default_factory=deque)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    failure: str = ""
    """Why the last attempt failed; empty after one that did not."""
    delivered: int = 0
    failed: int = 0
    """Attempts."""
    dropped: int = 0


class Delivery:
    """Sends each alert to every target of its level, again and again until it is taken.

    Args:
        settings: The targets.

    Raises:
        ConfigError: A target's URL is of no service that is known.
    """

    def __init__(self, settings: AlertsSettings) -> None:
        self._lines = [
            _TargetQueue(Target(name, target, timeout_s=settings.timeout_seconds))
            for name, target in settings.targets.items()
        ]

    @property
    def targets(self) -> list[Target]:
        """The targets, in the order of the settings."""
        return [line.target for line in self._lines]

    def post(self, alert: Alert) -> None:
        """Queue one alert; never waits."""
        _log.info("alert", key=alert.key, kind=alert.kind.value, level=alert.level.name, title=alert.title)
        for line in self._lines:
            if alert.level < line.target.level:
                continue
            if len(line.queue) >= QUEUED:
                line.queue.popleft()
                line.dropped += 1
            line.queue.append(alert)
            line.idle.clear()
            line.wake.set()

    def problems(self) -> list[str]:
        """Return one sentence for each target that does not take what is sent."""
        return [
            f"alerts: {line.target.name} takes none: {line.failure}"
            f" ({len(line.queue)} waiting{f', {line.dropped} dropped' if line.dropped else ''})"
            for line in self._lines
            if line.failure
        ]

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return the numbers of deliveries and of failed attempts, by target."""
        return {line.target.name: (line.delivered, line.failed) for line in self._lines}

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as group:
            for line in self._lines:
                group.create_task(self._deliver(line), name=f"alerts to {line.target.name}")

    async def flush(self, within_s: float) -> None:
        """Wait until everything queued is delivered, or the time is over."""
        waits = [asyncio.create_task(line.idle.wait()) for line in self._lines if line.queue]
        if waits:
            _, pending = await asyncio.wait(waits, timeout=within_s)
            for wait in pending:
                wait.cancel()

    async def _deliver(self, line: _TargetQueue) -> None:
        backoff = Backoff(*_BACKOFF_S, jitter=None)
        while True:
            if not line.queue:
                line.idle.set()
                line.wake.clear()
                await line.wake.wait()
            alert = line.queue[0]
            failure = await line.target.send(alert)
            if not failure:
                line.delivered += 1
                if line.failure:
                    _log.info("alerts are taken again", target=line.target.name)
                line.failure = ""
                if line.queue and line.queue[0] is alert:
                    line.queue.popleft()
                backoff.reset()
                continue
            line.failed += 1
            line.failure = failure
            delay_s = backoff.next_s()
            _log.warning("alert not delivered", target=line.target.name, reason=failure, next_in_s=round(delay_s, 1))
            await asyncio.sleep(delay_s)
