"""A market maker that waits: connected and ready, until the one that trades gives up or is not heard any more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from opensqt.config.market_maker import MarketMakerSettings
from opensqt.market_maker.control.socket import ControlSocket, is_served
from opensqt.market_maker.store.holding import Waiting
from opensqt.market_maker.store.store import Store
from opensqt.model.errors import ConfigError
from opensqt.model.exchange import Exchange
from opensqt.telemetry.logging import get_logger, redact

_log = get_logger("market_maker.standby")

STATUS_EVERY_S = 2.0


class Standby:
    """Waits for the grids of one process: all of them are taken over together.

    Args:
        symbols: Of the grids.
    """

    def __init__(self, symbols: Sequence[str]) -> None:
        self.waits = True
        self._symbols = list(symbols)
        self._seen = Waiting()
        self._seen_at = time.monotonic()
        self._venue_problems: list[str] = []
        self._on_waiting: Callable[[], None] | None = None

    async def wait(self, store: Store, exchange: Exchange, on_waiting: Callable[[], None]) -> None:
        """Return when this process holds the grids.

        Args:
            store: Open.
            exchange: Started.
            on_waiting: Called once, when another process is seen to trade.
        """
        self._on_waiting = on_waiting
        polling = asyncio.create_task(self._poll_venue_status(exchange), name="standby status")
        try:
            await store.hold(*self._symbols, on_wait=self._record)
        finally:
            self.waits = False
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)
        if before := replaced(store):
            _log.warning("taken over", symbols=self._symbols, before=before)

    @property
    def text(self) -> str:
        """What it waits for, as a sentence for a person."""
        holder, unrenewed_s = self._seen.holder, self._seen.unrenewed_s
        if holder is None:
            return "standby: waiting for the one that trades"
        text = f"standby: waiting for {holder.description} ({holder.symbol}, number {holder.number})"
        return text if unrenewed_s is None else f"{text}, renewed {self._age_s(unrenewed_s):.1f} s ago"

    def problems(self) -> list[str]:
        """Return why it could not take over now; empty when it could. To wait is no problem."""
        found = [f"database: not readable, so nothing can be taken over: {redact(self._seen.problem)}"]
        return [*(found if self._seen.problem else []), *(redact(problem) for problem in self._venue_problems)]

    def status(self) -> dict[str, Any]:
        """Return what it waits for as JSON."""
        holder, unrenewed_s = self._seen.holder, self._seen.unrenewed_s
        return {
            "symbols": self._symbols,
            "phase": "STANDBY",
            "standby": self.text,
            "holder": {
                "role": "standby",
                "holder": holder.description if holder is not None else None,
                "number": holder.number if holder is not None else None,
                "renewed_s": round(self._age_s(unrenewed_s), 1) if unrenewed_s is not None else None,
            },
            "problems": self.problems(),
        }

    async def run(self, name: str, _body: Mapping[str, Any]) -> dict[str, Any]:
        """Refuse a command of a person.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"{name}: this market maker trades nothing, give it to the other one; {self.text}")

    def metrics_text(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        registry = CollectorRegistry()
        gauge = Gauge("market_maker_standby", "1 while it waits to take over", ["symbol"], registry=registry)
        for symbol in self._symbols:
            gauge.labels(symbol).set(1)
        return generate_latest(registry)

    def _age_s(self, unrenewed_s: float) -> float:
        return unrenewed_s + time.monotonic() - self._seen_at

    def _record(self, seen: Waiting) -> None:
        if seen.problem:
            # Who traded last is worth knowing all the more.
            seen = Waiting(self._seen.holder, None, seen.problem)
        self._seen, self._seen_at = seen, time.monotonic()
        if self._on_waiting is not None and not seen.problem:
            on_waiting, self._on_waiting = self._on_waiting, None
            _log.info(self.text)
            on_waiting()

    async def _poll_venue_status(self, exchange: Exchange) -> None:
        """Poll the status of the exchange and of the way to it, which keeps the connection open, too."""
        while True:
            venue = await exchange.get_status()
            self._venue_problems = [f"{check.name}: {check.reason}" for check in venue.checks if not check.ok]
            await asyncio.sleep(STATUS_EVERY_S)


@asynccontextmanager
async def answering_status(standby: Standby, path: Path) -> AsyncIterator[None]:
    """Serve `opensqt status` while the block runs, unless the one that trades does so on this machine."""
    if is_served(path):
        yield
        return
    control = ControlSocket(standby, path)
    await control.start()
    try:
        yield
    finally:
        await control.close()


def replaced(store: Store) -> str:
    """Return who traded until this process took over; empty after an end in good order."""
    return ", ".join(f"{row.description} ({row.symbol})" for row in store.holding.replaced)


def check_settings(settings: MarketMakerSettings) -> None:
    """Check that the settings allow a standby.

    Raises:
        ConfigError: Nothing would refuse the orders of a process that was replaced and wakes up.
    """
    if settings.app.current_exchange != "remote" or not settings.system.lease_seconds:
        raise ConfigError(
            "system.standby: expected app.current_exchange remote and system.lease_seconds above 0: only the right to"
            " trade at a connector keeps a market maker out that was replaced and wakes up"
        )
