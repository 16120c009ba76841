"""Reads a day's summary from the database, and sends it once a day."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from opensqt.market_maker.alerts.day import DayCounts, due_summary
from opensqt.market_maker.alerts.message import AlertLevel
from opensqt.market_maker.alerts.service import Alerts
from opensqt.market_maker.alerts.summary import DaySummary, summaries_text, summarize
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


async def keep_days(store: Store, symbols: Sequence[str], alerts: Alerts) -> None:
    """Store the counts of the day each minute, and send the summary when it is due, until cancelled."""
    while True:
        try:
            for symbol in symbols:
                if symbol not in alerts.counts:
                    alerts.counts[symbol] = DayCounts.decode(await read_text(store, _key(symbol)))
            await _send_due(store, symbols, alerts)
            await _save(store, alerts)
        except (SQLAlchemyError, OSError) as error:
            # The database has its own problem in /health; the counts are stored with the next minute.
            _log.warning("the day's counts are not stored", reason=str(error))
        await asyncio.sleep(_SAVE_EVERY_S)


async def _send_due(store: Store, symbols: Sequence[str], alerts: Alerts) -> None:
    now = datetime.now(UTC)
    sent = min(alerts.counts[symbol].summary_sent for symbol in symbols)
    day = due_summary(now, alerts.policy.settings.daily_summary_at, sent)
    if day is None:
        return
    summaries, unread = [], []
    for symbol in symbols:
        try:
            summaries.append(await read_summary(store, symbol, day, alerts.counts[symbol]))
        except (SQLAlchemyError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - the others have their summary
            _log.exception("a day can't be read", symbol=symbol)
            unread.append(f"{symbol}: its day can't be read: {type(error).__name__}: {error}")
    readable = [summaries_text(summaries)] if summaries else []
    text = "\n".join([*readable, *unread])
    alerts.note("summary", AlertLevel.INFO, f"summary of {day.isoformat()}", text)
    for symbol in symbols:
        alerts.counts[symbol].summary_sent = now.date().isoformat()


async def _save(store: Store, alerts: Alerts) -> None:
    for symbol, counts in alerts.counts.items():
        await write_text(store, _key(symbol), counts.encode())


def yesterday() -> date:
    """Return the last full UTC day."""
    return datetime.now(UTC).date() - timedelta(days=1)


def _key(symbol: str) -> str:
    return f"day:{symbol}"


@asynccontextmanager
async def keeping_days(store: Store, symbols: Sequence[str], alerts: Alerts) -> AsyncIterator[None]:
    """Run `keep_days` while the block runs, and store the counts once more at its end."""
    task = asyncio.create_task(keep_days(store, symbols, alerts), name="day counts")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        try:
            async with asyncio.timeout(_LAST_SAVE_S):
                await _save(store, alerts)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            _log.warning("the day's counts are not stored", reason=str(error))
