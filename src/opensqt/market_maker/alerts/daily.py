"""Reads a day's summary from the database, and sends it once a day."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from opensqt.market_maker.alerts.day import DayCounts, due_summary
from opensqt.market_maker.alerts.message import AlertLevel
from opensqt.market_maker.alerts.service import Alerts
from opensqt.market_maker.alerts.summary import DaySummary, summarize
from opensqt.market_maker.store.store import Store
from opensqt.market_maker.store.texts import read_text, write_text
from opensqt.telemetry.logging import get_logger

_log = get_logger("market_maker.alerts")

_SAVE_EVERY_S = 60.0
_LAST_SAVE_S = 1.0
_DAY_MS = 86_400_000


async def read_summary(store: Store, symbol: str, day: date, counts: DayCounts | None = None) -> DaySummary:
    """Return the summary of a UTC day.

    Args:
        store: Open.
        symbol: Canonical.
        day: UTC.
        counts: Those of the running process; None takes the stored ones.
    """
    begin = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
    end = begin + _DAY_MS
    counts = counts or DayCounts.decode(await read_text(store, _key(symbol)))
    return summarize(
        symbol,
        day,
        days=await store.days(symbol, until_ms=end),
        minutes=await store.equity(symbol, since_ms=begin, until_ms=end),
        fills=await store.fills(symbol, since_ms=begin, until_ms=end),
        count=counts.of(day),
    )


async def keep_days(store: Store, symbol: str, alerts: Alerts) -> None:
    """Store the counts of the day each minute, and send the summary when it is due, until cancelled."""
    while True:
        try:
            if alerts.counts is None:
                alerts.counts = DayCounts.decode(await read_text(store, _key(symbol)))
            await _send_due(store, symbol, alerts, alerts.counts)
            await write_text(store, _key(symbol), alerts.counts.encode())
        except (SQLAlchemyError, OSError) as error:
            # The database has its own problem in /health; the counts are stored with the next minute.
            _log.warning("the day's counts are not stored", reason=str(error))
        await asyncio.sleep(_SAVE_EVERY_S)


async def _send_due(store: Store, symbol: str, alerts: Alerts, counts: DayCounts) -> None:
    now = datetime.now(UTC)
    day = due_summary(now, alerts.policy.settings.daily_summary_at, counts.summary_sent)
    if day is None:
        return
    summary = await read_summary(store, symbol, day, counts)
    alerts.note("summary", AlertLevel.INFO, f"summary of {day.isoformat()}", summary.text())
    counts.summary_sent = now.date().isoformat()


def yesterday() -> date:
    """Return the last full UTC day."""
    return datetime.now(UTC).date() - timedelta(days=1)


def _key(symbol: str) -> str:
    return f"day:{symbol}"


@asynccontextmanager
async def keeping_days(store: Store, symbol: str, alerts: Alerts) -> AsyncIterator[None]:
    """Run `keep_days` while the block runs, and store the counts once more at its end."""
    task = asyncio.create_task(keep_days(store, symbol, alerts), name="day counts")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if alerts.counts is not None:
            try:
                async with asyncio.timeout(_LAST_SAVE_S):
                    await write_text(store, _key(symbol), alerts.counts.encode())
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                _log.warning("the day's counts are not stored", reason=str(error))
