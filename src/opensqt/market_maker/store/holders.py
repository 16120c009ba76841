"""Who trades a grid, as a row of the database: a number that goes up with each new holder keeps the one before out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Table, literal, literal_column, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from opensqt.market_maker.store.schema import holders

Insert = Callable[[Table], Any]
"""The `insert` of the database's dialect."""

_IDLE_MS = 3_000
_ROW = holders.c
_END_SILENT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid IN (SELECT pid FROM pg_locks WHERE relation IN ('holders'::regclass, 'meta'::regclass)
      AND mode = 'RowExclusiveLock' AND granted)
  AND pid <> pg_backend_pid() AND datname = current_database() AND usename = current_user
  AND wait_event = 'ClientRead' AND state_change < clock_timestamp() - interval '1 millisecond' * :silent_ms
"""
_NOW_MS = {
    "postgresql": "(extract(epoch FROM clock_timestamp()) * 1000)::bigint",
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A row: who trades a grid, or did until it was given up."""

    symbol: str
    holder: str
    """Identifies the process; empty once it was given up."""
    description: str
    """For people: program, machine and process."""
    number: int
    """Goes up with each new holder."""
    renewed_ms: int
    """UTC epoch milliseconds of the database's clock."""
    age_s: float = 0.0
    """Seconds since then, by the same clock."""


async def read(connection: AsyncConnection, symbols: Iterable[str]) -> dict[str, Holder]:
    """Return the rows of these symbols; one that was never held has none."""
    now = _now(connection)
    query = select(holders, ((now - _ROW.renewed_ms) / 1000.0).label("age_s")).where(_ROW.symbol.in_(list(symbols)))
    rows = (await connection.execute(query)).mappings()
    return {row["symbol"]: Holder(**{**row, "age_s": float(row["age_s"])}) for row in rows}


async def take(connection: AsyncConnection, insert: Insert, seen: Holder | None, wanted: Holder) -> bool:
    """Make the row that of *wanted*, and return whether it was still as it was *seen*."""
    values = {"holder": wanted.holder, "description": wanted.description, "number": wanted.number}
    if seen is None:
        add = insert(holders).values(symbol=wanted.symbol, **values, renewed_ms=_now(connection))
        statement = add.on_conflict_do_nothing()
    else:
        same = _ROW.number == seen.number, _ROW.holder == seen.holder, _ROW.renewed_ms == seen.renewed_ms
        statement = update(holders).where(_ROW.symbol == wanted.symbol, *same)
        statement = statement.values(**values, renewed_ms=_now(connection))
    return await _changes(connection, statement)


async def renew(connection: AsyncConnection, own: Holder) -> bool:
    """Renew the row, and return whether it is still *own*. Until the transaction ends nobody else can take it."""
    statement = update(holders).where(*_is(own)).values(renewed_ms=_now(connection))
    return await _changes(connection, statement)


async def end_silent(connection: AsyncConnection) -> None:
    """End the sessions that have locked a row, of a grid or of a text, and send nothing any more.

    A process that is stopped between two statements loses its transaction by itself, see `_changes`. One that is
    stopped within a statement, prepared and not executed, does not: PostgreSQL waits for the rest without a limit.
    """
    await connection.execute(text(_END_SILENT), {"silent_ms": _IDLE_MS})


async def give_up(connection: AsyncConnection, own: Holder) -> None:
    """Let the next one have the grid at once; nothing happens when the row is another one's."""
    await connection.execute(update(holders).where(*_is(own)).values(holder=""))


def _is(own: Holder) -> tuple[ColumnElement[bool], ...]:
    return _ROW.symbol == own.symbol, _ROW.number == own.number, _ROW.holder == own.holder


async def _changes(connection: AsyncConnection, statement: Any) -> bool:
    """Execute a statement, and return whether it changed a row.

    The row is locked then. A process that is stopped before it ends the transaction would lock it for ever, so
    PostgreSQL ends the transaction after three seconds without a statement.
    """
    changed: ColumnElement[Any] = literal(1)
    if connection.dialect.name == "postgresql":
        changed = literal_column(f"set_config('idle_in_transaction_session_timeout', '{_IDLE_MS}', true)")
    return (await connection.execute(statement.returning(changed))).first() is not None


def _now(connection: AsyncConnection) -> ColumnElement[int]:
    return literal_column(_NOW_MS[connection.dialect.name], BigInteger)
