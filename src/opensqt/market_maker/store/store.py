"""The database: intents before they are sent, fills before they are acted on, and the state that a restart begins with.

SQLite runs in WAL mode with synchronous=NORMAL: nothing is lost when the process is killed. After a power cut the
last commits may be missing; the venue then still has the orders by their client ids and the fills by their time.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Executable, Row, Table, delete, event, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from opensqt.market_maker.orders.account_changes import ForeignFill
from opensqt.market_maker.orders.events import GridFill
from opensqt.market_maker.orders.slots import LiveOrder, Slot
from opensqt.market_maker.orders.state import REMEMBERED
from opensqt.market_maker.orders.stored import Changes, Stored
from opensqt.market_maker.profit.markout import Markout
from opensqt.market_maker.profit.snapshot import ProfitDay, ProfitSnapshot
from opensqt.market_maker.store import profit_rows, rows, schema
from opensqt.market_maker.store.holding import Holding, OnWait
from opensqt.market_maker.store.sqlite import make_file, prepare_connections
from opensqt.market_maker.store.upgrade import prepare
from opensqt.model.clock import Clock, now_ns
from opensqt.model.errors import ConfigError
from opensqt.model.funding import FundingPayment

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
_CLOSE_S = 1.0


class Store:
    """One database of one or more grids. Make it with `await Store.open(...)`.

    Only one market maker at a time may hold a grid; see `hold`.
    """

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self.database = engine
        self._clock = clock
        # Of this database alone: PostgreSQL's dialect takes a third of a second to import.
        self._insert = import_module(f"sqlalchemy.dialects.{engine.dialect.name}").insert
        self._upserts = {
            table: self._upsert(table, keep=("created_ms",))
            for table in (schema.grids, schema.slots, schema.orders, schema.meta)
        }
        self.holding = Holding(engine, self._insert)
        """The grids that this process may write."""
        self._identity = ""
        self.lost_connections = 0
        """Lost connections. The next one may be to another server, which has not received the last commits."""
        event.listen(engine.sync_engine, "invalidate", self._on_lost_connection)

    def _on_lost_connection(self, *_: object) -> None:
        self.lost_connections += 1

    @classmethod
    async def open(cls, url: str, *, clock: Clock = now_ns) -> Self:
        """Open the database: make its tables if there are none, and upgrade those of an older version.

        Args:
            url: `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/NAME`.
            clock: Stamps the orders.

        Raises:
            ConfigError: It can't be opened or upgraded, or belongs to a newer version.
        """
        parsed = make_url(url)
        driver = _DRIVERS.get(parsed.get_backend_name())
        if driver is None:
            raise ConfigError("app.database_url: expected sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME")
        if driver.startswith("sqlite") and parsed.database not in (None, "", ":memory:"):
            path = Path(parsed.database)
            try:
                await asyncio.to_thread(make_file, path)
            except OSError as error:
                raise ConfigError(f"app.database_url: {path} can't be opened: {error.strerror}") from None
        # No grid waits for a connection that another one uses.
        options: dict[str, int] = {} if driver.startswith("sqlite") else {"max_overflow": -1}
        engine = create_async_engine(parsed.set(drivername=driver), **options)
        if engine.dialect.name == "sqlite":
            prepare_connections(engine)
        store = cls(engine, clock)
        try:
            await prepare(engine, clock() // 1_000_000)
        except (SQLAlchemyError, OSError) as error:
            await store.close()
            cause = error.orig if isinstance(error, DBAPIError) else error
            raise ConfigError(f"app.database_url: {_redacted_url(parsed)} can't be opened: {cause}") from None
        except ConfigError:
            await store.close()
            raise
        return store

    async def close(self, *, give_up: bool = True) -> None:
        """Release the database and the hold on the grids. Idempotent. A database that hangs is not waited for.

        Args:
            give_up: As for `Holding.close`.
        """
        with suppress(TimeoutError, SQLAlchemyError, OSError):
            async with asyncio.timeout(_CLOSE_S):
                await self.holding.close(give_up=give_up)
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self.database.dispose()

    async def hold(self, *symbols: str, on_wait: OnWait | None = None) -> None:
        """Hold grids, so that no other process trades them; see `Holding.take`.

        Raises:
            ConfigError: Another one does, and *on_wait* is not given.
        """
        await self.holding.take(symbols, on_wait)

    @property
    def is_remote(self) -> bool:
        """Whether the database is a server's, which may be another one after the connection was lost."""
        return self.database.dialect.name != "sqlite"

    async def identity(self) -> str:
        """Return what identifies this database: made once, the same after each restart."""
        if not self._identity:
            query = select(schema.meta.c.value).where(schema.meta.c.key == "identity")
            async with self.database.connect() as connection:
                self._identity = str(await connection.scalar(query) or "")
        if not self._identity:
            row = {"key": "identity", "value": secrets.token_hex(16)}
            async with self.holding.writing() as connection:
                await connection.execute(self._insert(schema.meta).values(row).on_conflict_do_nothing())
                self._identity = str(await connection.scalar(query))
        return self._identity

    async def load(self, symbol: str) -> Stored:
        """Return the state of *symbol* that a restart needs.

        Raises:
            ConfigError: A row of it can't be read.
        """
        async with self.database.connect() as connection:
            with rows.readable(f"what is stored of {symbol}"):
                return await _load(connection, symbol)

    async def commit(self, symbol: str, changes: Changes, *, repeated: bool = False) -> None:
        """Store all changes or none.

        Args:
            symbol: The symbol of the grid.
            changes: Since the last commit.
            repeated: An earlier attempt failed, or its response was lost: fills that are stored already stay.

        Raises:
            SQLAlchemyError: They are not stored; nothing that depends on them must be done.
            TradingClaimed: Another process holds the grid now.
        """
        now_ms = self._clock() // 1_000_000
        async with self.holding.transaction(symbol) as connection:
            if changes.header is not None:
                await connection.execute(self._upserts[schema.grids], [rows.header_row(symbol, changes.header)])
            if changes.slots:
                slots = [rows.slot_row(symbol, slot) for slot in changes.slots]
                await connection.execute(self._upserts[schema.slots], slots)
            if changes.orders:
                written = [rows.order_row(symbol, order, now_ms) for order in changes.orders]
                await connection.execute(self._upserts[schema.orders], written)
            if changes.risk is not None:
                row = {"key": f"risk:{symbol}", "value": changes.risk}
                await connection.execute(self._upserts[schema.meta], [row])
            if changes.fills:
                # A trade that is stored already was counted twice: that must fail.
                add = self._insert(schema.fills).on_conflict_do_nothing() if repeated else insert(schema.fills)
                await connection.execute(add, [rows.fill_row(counted) for counted in changes.fills])
            await profit_rows.write(connection, self._insert, symbol, changes.accounting)

    async def fills(self, symbol: str, *, since_ms: int = 0, until_ms: int | None = None) -> list[GridFill]:
        """Return every counted fill of *symbol*, oldest first, from *since_ms* to before *until_ms*."""
        found = await self._history(schema.fills, "time_ms", symbol, since_ms, until_ms)
        return [rows.counted_fill(row) for row in found]

    async def foreign_fills(self, symbol: str, *, since_ms: int = 0, until_ms: int | None = None) -> list[ForeignFill]:
        """Return the fills that no order of the grid made, as `fills` does."""
        found = await self._history(schema.foreign_fills, "time_ms", symbol, since_ms, until_ms)
        return [profit_rows.foreign_fill(row) for row in found]

    async def orders(self, symbol: str, *, since_ms: int = 0, until_ms: int | None = None) -> list[LiveOrder]:
        """Return every order of *symbol* that was ever intended, by the time of its intent, as `fills` does."""
        found = await self._history(schema.orders, "created_ms", symbol, since_ms, until_ms)
        return [rows.live_order(row) for row in found]

    async def funding(self, symbol: str, *, since_ms: int = 0, until_ms: int | None = None) -> list[FundingPayment]:
        """Return the counted funding payments, as `fills` does."""
        found = await self._history(schema.funding, "time_ms", symbol, since_ms, until_ms)
        return [profit_rows.funding_payment(row) for row in found]

    async def markouts(self, symbol: str, *, since_ms: int = 0, until_ms: int | None = None) -> list[Markout]:
        """Return the markouts by the time of their fill, as `fills` does."""
        found = await self._history(schema.markouts, "time_ms", symbol, since_ms, until_ms)
        return [profit_rows.markout(row) for row in found]

    async def equity(self, symbol: str, *, since_ms: int = 0, until_ms: int | None = None) -> list[ProfitSnapshot]:
        """Return the profit by minute, as `fills` does."""
        found = await self._history(schema.equity, "minute_ms", symbol, since_ms, until_ms)
        return [profit_rows.profit_snapshot(row) for row in found]

    async def days(self, symbol: str, *, since_ms: int = 0, until_ms: int | None = None) -> list[ProfitDay]:
        """Return the profit by UTC day, as `fills` does."""
        found = await self._history(schema.days, "day_ms", symbol, since_ms, until_ms)
        return [profit_rows.profit_day(row) for row in found]

    async def remove_minutes(self, symbol: str, *, before_ms: int) -> None:
        """Remove the profit by minute from before a time; that by day stays."""
        equity = schema.equity.c
        async with self.holding.writing() as connection:
            await connection.execute(delete(schema.equity).where(equity.symbol == symbol, equity.minute_ms < before_ms))

    async def _history(
        self, table: Table, time_column: str, symbol: str, since_ms: int, until_ms: int | None
    ) -> Sequence[Row[Any]]:
        time = table.c[time_column]
        query = select(table).where(table.c.symbol == symbol, time >= since_ms)
        if until_ms is not None:
            query = query.where(time < until_ms)
        async with self.database.connect() as connection:
            return (await connection.execute(query.order_by(time, *table.primary_key))).all()

    def _upsert(self, table: Table, *, keep: Iterable[str]) -> Executable:
        """Build the statement that inserts a row or replaces all of it but its key and the columns of *keep*."""
        statement = self._insert(table)
        primary = [column.name for column in table.primary_key]
        fixed = {*primary, *keep}
        changed = {column.name: statement.excluded[column.name] for column in table.c if column.name not in fixed}
        upsert: Executable = statement.on_conflict_do_update(index_elements=primary, set_=changed)
        return upsert


async def _load(connection: AsyncConnection, symbol: str) -> Stored:
    orders, fills = schema.orders.c, schema.fills.c
    grid = (await connection.execute(select(schema.grids).where(schema.grids.c.symbol == symbol))).first()
    slots = await connection.execute(select(schema.slots).where(schema.slots.c.symbol == symbol))
    live = await connection.execute(
        select(schema.orders).where(orders.symbol == symbol, orders.live).order_by(orders.created_ms)
    )
    closed = await connection.execute(
        select(orders.client_order_id, orders.order_id)
        .where(orders.symbol == symbol, ~orders.live)
        .order_by(orders.updated_ms.desc())
        .limit(REMEMBERED)
    )
    trades = await connection.execute(
        select(fills.trade_id).where(fills.symbol == symbol).order_by(fills.time_ms.desc()).limit(REMEMBERED)
    )
    risk = await connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == f"risk:{symbol}"))
    foreign = schema.foreign_fills.c
    foreign_trades = await connection.execute(
        select(foreign.trade_id).where(foreign.symbol == symbol).order_by(foreign.time_ms.desc()).limit(REMEMBERED)
    )
    header = rows.header(grid) if grid is not None else None
    json.loads(risk or "{}")
    levels = tuple(Slot(level=row.level, quantity=row.quantity, cost=row.cost) for row in slots)
    return Stored(
        header=header,
        slots=levels,
        live_orders=tuple(rows.live_order(row) for row in live),
        closed_orders=tuple((row.client_order_id, row.order_id) for row in reversed(closed.all())),
        trade_ids=tuple(row.trade_id for row in (*reversed(foreign_trades.all()), *reversed(trades.all()))),
        accounting=await profit_rows.load(connection, symbol, header, levels),
        risk=risk or "",
    )


def _redacted_url(url: Any) -> str:
    return str(url.render_as_string(hide_password=True))
