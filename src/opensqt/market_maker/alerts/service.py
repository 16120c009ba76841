"""The running alerts: looks at the problems every second, and reports how the process ended."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from opensqt.config.alerts import AlertsSettings
from opensqt.market_maker.alerts.catalogue import condition, split_symbol
from opensqt.market_maker.alerts.day import DayCounts
from opensqt.market_maker.alerts.delivery import Delivery
from opensqt.market_maker.alerts.message import AlertKind, AlertLevel
from opensqt.market_maker.alerts.policy import AlertPolicy
from opensqt.market_maker.health import CONNECTING
from opensqt.service.stop import Stopped
from opensqt.telemetry.logging import get_logger, redact

_log = get_logger("market_maker.alerts")

LOOK_EVERY_S = 1.0
FLUSH_S = 3.0
"""Seconds that the end of the process waits for the last messages."""


class Alerts:
    """The alerts of one process. Make it with `async with alerting(...)`.

    Args:
        settings: Targets and limits.
        subject: The beginning of every title.
    """

    def __init__(self, settings: AlertsSettings, subject: str) -> None:
        self.delivery = Delivery(settings)
        self.policy = AlertPolicy(settings, subject)
        self.raised = 0
        """Alerts raised since the start."""
        self._problems: Callable[[], Iterable[str]] = lambda: [CONNECTING, *self.problems()]
        self._fault = ""
        self._ending = False
        self.counts: dict[str, DayCounts] = {}
        """Of the day, by symbol; of each one that the database was read for."""
        self._looked_at: float | None = None
        self._raised: Counter[str] = Counter()
        """Alerts raised and not counted yet, by symbol; the empty one is all."""

    def watch(self, problems: Callable[[], Iterable[str]]) -> None:
        """Report these problems from now on.

        Args:
            problems: Returns those that exist, this object's own among them.
        """
        self._problems = problems

    def problems(self) -> list[str]:
        """Return why alerts don't arrive; empty when they do."""
        return [*self.delivery.problems(), *([f"alerts: {self._fault}"] if self._fault else [])]

    def change(self, settings: AlertsSettings) -> None:
        """Use other delays and limits from now on; the targets stay."""
        self.policy.settings = settings

    def note(self, key: str, level: AlertLevel, title: str, body: str) -> None:
        """Send the message of an event."""
        for alert in self.policy.note(key, level, title, redact(body), time.monotonic()):
            self.delivery.post(alert)

    def report(self, problem: str) -> None:
        """Send a problem that ends the process; what exists besides is not looked at any more."""
        self._ending = True
        found = condition(problem)
        self.note(found.key, found.level, found.key, f"{found.text}\nWhat to do: {found.advice}")

    def look(self, now: float) -> None:
        """Queue what the problems that exist now call for."""
        conditions = [condition(problem) for problem in self._problems()]
        for alert in self.policy.update(conditions, now):
            if alert.kind is AlertKind.RAISED:
                self.raised += 1
                self._raised[split_symbol(alert.key)[0]] += 1
            self.delivery.post(alert)
        elapsed_s = now - self._looked_at if self._looked_at is not None else 0.0
        self._looked_at = now
        if not self.counts:
            return
        found = [split_symbol(one.key) for one in conditions]
        for symbol, counts in self.counts.items():
            keys = {key for of, key in found if of in ("", symbol)}
            raised = self._raised[""] + self._raised[symbol]
            counts.record(datetime.now(UTC).date(), keys, elapsed_s, raised)
        self._raised.clear()

    async def run(self) -> None:
        """Look and deliver until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.delivery.run(), name="alert delivery")
            while not self._ending:
                try:
                    self.look(time.monotonic())
                    self._fault = ""
                except Exception as error:  # noqa: BLE001 - reported in /health; trading goes on without alerts
                    if not self._fault:
                        _log.exception("alerts failed")
                    self._fault = f"no alert is raised: {type(error).__name__}: {error}"
                await asyncio.sleep(LOOK_EVERY_S)


@asynccontextmanager
async def alerting(settings: AlertsSettings, subject: str) -> AsyncIterator[Alerts]:
    """Run alerts while the block runs; an error that leaves the block is the last alert.

    Raises:
        ConfigError: A target's URL is of no service that is known.
    """
    alerts = Alerts(settings, subject)
    task = asyncio.create_task(alerts.run(), name="alerts")
    try:
        yield alerts
    except (Stopped, asyncio.CancelledError):
        raise
    except Exception as error:
        alerts.report(f"ended: {error or type(error).__name__}")
        raise
    finally:
        await alerts.delivery.flush(FLUSH_S)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
