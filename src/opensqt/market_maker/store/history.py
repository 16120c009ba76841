"""The history of a grid as plain rows, for export: read in batches, so that years of it need no memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Boolean, Integer, Select, null, select, union_all
from sqlalchemy.types import TypeEngine

from opensqt.market_maker.store import schema
from opensqt.market_maker.store.schema import Exact
from opensqt.market_maker.store.store import Store

BATCH = 5_000
HISTORIES = ("fills", "orders", "funding", "equity", "markouts")
_TIMES = {
    "fills": "time_ms",
    "orders": "created_ms",
    "funding": "time_ms",
    "equity": "minute_ms",
    "markouts": "time_ms",
}
_TABLES = {name: schema.metadata.tables[name] for name in HISTORIES}


@dataclass(frozen=True, slots=True)
class HistoryColumn:
    """A column of a history."""

    name: str
    kind: type
    """Decimal, int, bool or str."""


def columns(history: str) -> list[HistoryColumn]:
    """Return the columns of a history; `fills` has those that no order of the grid made too, without a level."""
    return [HistoryColumn(column.name, _kind(column.type)) for column in _TABLES[history].c]


async def read_history(
    store: Store, history: str, symbol: str, *, since_ms: int = 0, until_ms: int | None = None
) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
    """Yield the rows of a history in batches, oldest first.

    Args:
        store: Open.
        history: One of HISTORIES.
        symbol: Of the grid.
        since_ms: UTC epoch milliseconds of the first row.
        until_ms: That before which the last one is; None reads to the end.
    """
    queries = [_query(_TABLES[history], history, symbol, since_ms, until_ms)]
    if history == "fills":
        queries.append(_query(schema.foreign_fills, history, symbol, since_ms, until_ms))
    rows = union_all(*queries).subquery()
    keys = [rows.c[column.name] for column in _TABLES[history].primary_key]
    query = select(rows).order_by(rows.c[_TIMES[history]], *keys)
    async with store.database.connect() as connection:
        result = await connection.stream(query)
        async for batch in result.mappings().partitions(BATCH):
            yield [dict(row) for row in batch]


def _query(table: Any, history: str, symbol: str, since_ms: int, until_ms: int | None) -> Select[Any]:
    time = table.c[_TIMES[history]]
    wanted = [
        table.c[column.name] if column.name in table.c else null().cast(column.type).label(column.name)
        for column in _TABLES[history].c
    ]
    query = select(*wanted).where(table.c.symbol == symbol, time >= since_ms)
    return query if until_ms is None else query.where(time < until_ms)


def _kind(kind: TypeEngine[Any]) -> type:
    if isinstance(kind, Exact):
        return Decimal
    if isinstance(kind, Boolean):
        return bool
    return int if isinstance(kind, Integer | BigInteger) else str
