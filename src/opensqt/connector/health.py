"""Truthful health: SERVING only while trading is possible, with the reason for every change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

from opensqt.connector.health_service import NOT_SERVING, SERVING, UNKNOWN, HealthService
from opensqt.connector.metrics.registry import ConnectorMetrics
from opensqt.model.clock import now_ms
from opensqt.model.errors import ExchangeError
from opensqt.model.exchange import Exchange
from opensqt.model.venue import Check, ExchangeStatus
from opensqt.telemetry import logging
from opensqt.wire import options

STOPPING = "the connector is stopping"
_log = logging.get_logger("connector.health")
ANSWER_WITHIN_S = 5.0
SUPERVISE_EVERY_S = 1.0
_MONITOR = "health"


class HealthMonitor:
    """Evaluates the exchange and our own parts, and reports to grpc.health.v1 and GetStatus.

    Besides the whole, each check is a service of grpc.health.v1 under its own name, so that who reads one stream can
    watch what vouches for it, e.g. `market_data:price:BTCUSDT`.

    Args:
        exchange: Its `get_status` is the first source.
        own_checks: Failed checks of our own parts, asked for at each look.
        probe_journal: Raises when the journal can't be written.
        metrics: Learns whether we serve.
        interval_s: Time between two looks.
    """

    def __init__(
        self,
        exchange: Exchange,
        own_checks: Callable[[], Iterable[Check]],
        probe_journal: Callable[[], Awaitable[None]],
        metrics: ConnectorMetrics,
        *,
        interval_s: float,
    ) -> None:
        self.service = HealthService()
        self.started_ms = now_ms()
        self.status = ExchangeStatus(checks=(Check(name="start", ok=False, reason="not ready yet"),))
        self._exchange = exchange
        self._own_checks = own_checks
        self._probe_journal = probe_journal
        self._metrics = metrics
        self._interval_s = interval_s
        self._since_ms: dict[str, tuple[bool, int]] = {}
        self._stopping = False
        self._looked_s = time.monotonic()
        self._logged_failures: tuple[str, ...] | None = None
        self._served: dict[str, int] = {}
        """What each check's own service was last set to."""

    async def start(self) -> None:
        """Look once, so that the first probe gets the truth."""
        self.service.publish(options.LIVENESS, SERVING)
        await self.look()

    async def run(self) -> None:
        """Look again and again."""
        while True:
            await asyncio.sleep(self._interval_s)
            await self.look()

    async def supervise(self) -> None:
        """Publish NOT_SERVING while `run` takes no look: what was last published may be true no more.

        It belongs in a task of its own.
        """
        while True:
            await asyncio.sleep(SUPERVISE_EVERY_S)
            waited_s = time.monotonic() - self._looked_s
            if waited_s <= self._interval_s + 2 * ANSWER_WITHIN_S or self._stopping:
                continue
            others = [check for check in self.status.checks if check.name != _MONITOR]
            late = Check(name=_MONITOR, ok=False, reason=f"no look at health for {waited_s:.0f} s")
            self._publish(replace(self.status, checks=(late, *others)))

    async def look(self) -> None:
        """Evaluate every check once and publish the result."""
        exchange, journal = await asyncio.gather(self._ask_exchange(), self._ask_journal())
        checks = (*exchange.checks, journal, *self._own_checks())
        self._looked_s = time.monotonic()
        if not self._stopping:
            self._publish(replace(exchange, checks=checks))

    def stop(self) -> None:
        """Publish NOT_SERVING from now on, whatever the exchange says; liveness stays."""
        self._stopping = True
        others = [check for check in self.status.checks if check.name != "stopping"]
        self._publish(replace(self.status, checks=(Check(name="stopping", ok=False, reason=STOPPING), *others)))

    async def _ask_exchange(self) -> ExchangeStatus:
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await self._exchange.get_status()
        except TimeoutError:
            reason = f"no status within {ANSWER_WITHIN_S:.0f} s"
        except Exception as error:  # noqa: BLE001 - health must not die of what it has to report
            ours = isinstance(error, ExchangeError)
            if not ours:
                _log.error("get_status failed unexpectedly", exc_info=error)
            reason = logging.redact(str(error)) if ours else f"{type(error).__name__}; see the log"
        return ExchangeStatus(checks=(Check(name="exchange", ok=False, reason=reason),))

    async def _ask_journal(self) -> Check:
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await self._probe_journal()
        except Exception as error:  # noqa: BLE001 - health must not die of what it has to report
            reason = "does not answer" if isinstance(error, TimeoutError) else logging.redact(str(error))
            return Check(name="journal", ok=False, reason=reason)
        return Check(name="journal", ok=True)

    def _publish(self, status: ExchangeStatus) -> None:
        self.status = replace(status, checks=tuple(map(self._dated, status.checks)))
        healthy = self.status.healthy
        failed = tuple(check.name for check in status.checks if not check.ok)
        if failed != self._logged_failures:
            self._logged_failures = failed
            reasons = [f"{check.name}: {check.reason}" for check in status.checks if not check.ok]
            (_log.info if healthy else _log.warning)(
                "health changed", status="SERVING" if healthy else "NOT_SERVING", reasons=reasons
            )
        self._metrics.serving(healthy)
        for service in ("", options.EXCHANGE_SERVICE):
            self.service.publish(service, SERVING if healthy else NOT_SERVING)
        self._publish_checks({check.name: SERVING if check.ok else NOT_SERVING for check in status.checks})

    def _publish_checks(self, states: dict[str, int]) -> None:
        for name, state in (dict.fromkeys(self._served, UNKNOWN) | states).items():
            self.service.publish(name, state)
        self._served = states

    def _dated(self, check: Check) -> Check:
        """Fill in since when a check stands as it does, where its source did not."""
        if check.since_ms:
            return check
        ok, since_ms = self._since_ms.get(check.name, (None, 0))
        if ok is not check.ok:
            since_ms = now_ms()
            self._since_ms[check.name] = (check.ok, since_ms)
        return Check(name=check.name, ok=check.ok, reason=check.reason, since_ms=since_ms)
