"""The countdowns in the order journal: what the next run needs to know when this one dies."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from opensqt.connector.orders.journal import Journal
from opensqt.model.order import OrderRef

_SCHEMA = """
CREATE TABLE IF NOT EXISTS countdown (
    symbol TEXT PRIMARY KEY,
    until_ms INTEGER NOT NULL,
    orders TEXT NOT NULL
) WITHOUT ROWID
"""
ORDERS_KEPT = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CountdownRecord:
    """A countdown that was armed, and the orders under it at that time."""

    symbol: str
    """Canonical; empty where it was the account's."""
    until_ms: int
    """UTC epoch milliseconds at which the venue was to cancel them."""
    orders: tuple[OrderRef, ...] = ()
    """By client order id; `ORDERS_KEPT` of them at most."""


class CountdownRecords:
    """The table of them. An earlier version of the connector leaves it alone.

    Args:
        journal: Open.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def load(self) -> list[CountdownRecord]:
        """Return every countdown that was not stopped, by an earlier run or by this one."""
        return await self._journal.execute(_load)

    async def keep(self, symbol: str, until_ms: int, orders: Iterable[OrderRef]) -> None:
        """Write a countdown down, over what stood there. Nobody waits for it, so it shares a commit."""
        named = [(ref.symbol, ref.client_order_id) for ref in orders]
        row = (symbol, until_ms, json.dumps(named))
        await self._journal.execute(
            lambda database: database.execute("INSERT OR REPLACE INTO countdown VALUES (?, ?, ?)", row),
            deferrable=True,
        )

    async def drop(self, symbol: str, *, until_ms: int | None = None) -> None:
        """Forget a countdown; with *until_ms* only if it was not armed again since."""
        where, values = (
            ("symbol = ?", [symbol]) if until_ms is None else ("symbol = ? AND until_ms = ?", [symbol, until_ms])
        )
        await self._journal.execute(
            lambda database: database.execute(f"DELETE FROM countdown WHERE {where}", values),  # noqa: S608 - our own
            deferrable=True,
        )


def _load(database: sqlite3.Connection) -> list[CountdownRecord]:
    database.execute(_SCHEMA)
    rows = database.execute("SELECT symbol, until_ms, orders FROM countdown").fetchall()
    return [CountdownRecord(symbol=symbol, until_ms=until_ms, orders=_refs(text)) for symbol, until_ms, text in rows]


def _refs(text: str) -> tuple[OrderRef, ...]:
    return tuple(OrderRef(symbol=symbol, client_order_id=name) for symbol, name in json.loads(text))
