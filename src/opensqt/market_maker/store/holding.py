"""The hold of this process on its grids: taken, renewed, seen to be lost, given up."""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from opensqt.market_maker.store import holders
from opensqt.market_maker.store.holder_watch import STALE_S, HolderWatch
from opensqt.market_maker.store.holders import Holder, Insert
from opensqt.model.errors import ConfigError, TradingClaimed
from opensqt.telemetry.logging import get_logger, redact

_log = get_logger("market_maker.store")

RENEW_EVERY_S = 1.5
LOOK_EVERY_S = 0.5
TAKE_WITHIN_S = 6.0
"""Seconds for one attempt to take grids: the row may be locked by a transaction that PostgreSQL ends after 3 s."""
SLOW_S = 3.0
"""Seconds after which a renewal that is not done counts as an outage of the database; it is given up then."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a process that waits for a grid sees."""

    holder: Holder | None = None
    """Who trades it; None when that is not known."""
    unrenewed_s: float | None = None
    """For how long it has not been renewed; None where the lock of a file decides."""
    problem: str = ""
    """Why nothing can be seen; empty when it can."""


class _Raced(Exception):
    """Another process took a grid in the same moment; ends the transaction."""

    def __init__(self, holder: Holder | None) -> None:
        super().__init__("another process was faster")
        self.holder = holder


OnWait = Callable[[Waiting], None]


class Holding:
    """The grids that one process holds.

    In PostgreSQL the row of `holders` decides. It is renewed all the time, and one that was not renewed for STALE_S may
    be taken by another process, on any machine. With SQLite the lock of a file decides, which the system releases when
    the process ends; the row only says who holds it.

    Args:
        database: Of the grids.
        insert: The `insert` of its dialect.
    """

    def __init__(self, database: AsyncEngine, insert: Insert) -> None:
        self.description = f"market-maker on {socket.gethostname()[:32]}, pid {os.getpid()}"
        self._database = database
        self._insert = insert
        self._id = secrets.token_hex(8)
        self._remote = database.dialect.name == "postgresql"
        self._writer = asyncio.Lock()
        self._own: dict[str, Holder] = {}
        self._confirmed: dict[str, float] = {}
        self._lock_files: dict[str, int] = {}
        self._lost: dict[str, TradingClaimed] = {}
        self._changed = asyncio.Event()
        self._failure: Exception | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._began: float | None = None
        self._error = ""
        self.replaced: list[Holder] = []
        """The holders before, of those grids that had not been given up."""

    async def take(self, symbols: Sequence[str], on_wait: OnWait | None = None) -> None:
        """Hold these grids: all of them or none.

        Args:
            symbols: Of the grids.
            on_wait: Called again and again while another process holds one of them, until all are free. Without it the
                call fails then.

        Raises:
            ConfigError: Another process holds one of them.
            SQLAlchemyError: The database can't be read, and nobody waits.
        """
        watch = HolderWatch()
        while True:
            try:
                async with asyncio.timeout(TAKE_WITHIN_S):
                    seen = await self._attempt_to_take(sorted(symbols), watch)
            except _Raced as raced:
                seen = Waiting(raced.holder, 0.0)
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                if on_wait is None:
                    raise
                watch.interrupt()
                seen = Waiting(problem=_text(error))
            if seen is None:
                break
            if on_wait is not None:
                on_wait(seen)
            elif not self._remote or (seen.holder is not None and seen.holder.symbol in watch.renewed):
                raise ConfigError(_refusal(seen))
            await asyncio.sleep(LOOK_EVERY_S)
        if self._remote and self._renewing is None:
            self._renewing = asyncio.create_task(self._renew_forever(), name="hold")

    def number(self, symbol: str) -> int:
        """Return the number of the hold on a grid; 0 when there is none."""
        return self._own[symbol].number if symbol in self._own else 0

    def section(self, symbol: str) -> dict[str, object]:
        """Return the hold on a grid as a section of /status."""
        return {"role": "trading", "holder": self.description, "number": self.number(symbol)}

    def is_sure(self, symbol: str, now: float) -> bool:
        """Return whether nobody else can have taken the grid: it was renewed less than STALE_S ago."""
        return not self._remote or symbol not in self._own or now - self._confirmed[symbol] < STALE_S

    def problem(self, now: float) -> str:
        """Return why the hold is not renewed; empty when it is."""
        if self._error:
            return self._error
        return "it does not respond" if self._began is not None and now - self._began > SLOW_S else ""

    async def until_lost(self, symbol: str) -> None:
        """Wait until another process has the grid.

        Raises:
            TradingClaimed: It has.
        """
        while True:
            if self._failure is not None:
                raise self._failure
            if symbol in self._lost:
                raise self._lost[symbol]
            self._changed.clear()
            await self._changed.wait()

    @asynccontextmanager
    async def transaction(self, symbol: str) -> AsyncIterator[AsyncConnection]:
        """Run a transaction that commits only if the grid is still this process's.

        Raises:
            TradingClaimed: Another process has it.
        """
        began = time.monotonic()
        async with self.writing() as connection:
            own = self._own.get(symbol)
            if own is not None and (other := await self._renewed(connection, own)) is not None:
                self._lose(own, other)
                raise self._lost[symbol]
            yield connection
        if own is not None:
            self._confirmed[symbol] = began

    async def close(self, *, give_up: bool) -> None:
        """Stop renewing. Idempotent.

        Args:
            give_up: Whether the next process gets the grids at once; else in PostgreSQL it waits until they are stale.
        """
        task, self._renewing = self._renewing, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        own, self._own = list(self._own.values()), {}
        try:
            if give_up and own:
                async with self.writing() as connection:
                    for row in own:
                        await holders.give_up(connection, row)
        finally:
            self._unlock()

    async def _attempt_to_take(self, symbols: Sequence[str], watch: HolderWatch) -> Waiting | None:
        """Take all grids, or return what prevents it."""
        locked = self._remote or self._lock(symbols)
        async with self.writing() as connection:
            rows, now = await holders.read(connection, symbols), time.monotonic()
            if not locked:
                return Waiting(next(iter(rows.values()), None))
            for row in rows.values():
                if self._remote and not watch.is_free(row, now):
                    return Waiting(row, watch.unchanged_s(row, now))
            if self._remote and any(row.holder for row in rows.values()):
                await holders.end_silent(connection)
            wanted = [self._row(symbol, rows.get(symbol)) for symbol in symbols]
            for row in wanted:
                if not await holders.take(connection, self._insert, rows.get(row.symbol), row):
                    raise _Raced(rows.get(row.symbol))
        for row in wanted:
            self._own[row.symbol], self._confirmed[row.symbol] = row, now
            _log.info("grid held", symbol=row.symbol, number=row.number)
        self.replaced += [rows[symbol] for symbol in symbols if symbol in rows and rows[symbol].holder]
        return None

    def _row(self, symbol: str, before: Holder | None) -> Holder:
        number = before.number + 1 if before is not None else 1
        return Holder(symbol=symbol, holder=self._id, description=self.description, number=number, renewed_ms=0)

    async def _renew_forever(self) -> None:
        try:
            while True:
                await asyncio.sleep(RENEW_EVERY_S)
                self._began = time.monotonic()
                await self._try_to_renew(self._began)
                self._began = None
        except Exception as error:  # noqa: BLE001 - raised where the grids run
            self._failure = error
            self._changed.set()

    async def _try_to_renew(self, began: float) -> None:
        own = [row for symbol, row in self._own.items() if symbol not in self._lost]
        try:
            async with asyncio.timeout(SLOW_S), self.writing() as connection:
                others = [await self._renewed(connection, row) for row in own]
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            if not self._error:
                _log.error("the hold on the grids could not be renewed", error=_text(error))
            self._error = _text(error)
            return
        if self._error:
            _log.warning("the hold on the grids is renewed again")
            self._error = ""
        for row, other in zip(own, others, strict=True):
            if other is not None:
                self._lose(row, other)
            else:
                self._confirmed[row.symbol] = began

    async def _renewed(self, connection: AsyncConnection, own: Holder) -> Holder | None:
        """Renew one row, or return whose it is."""
        if await holders.renew(connection, own):
            return None
        row = (await holders.read(connection, [own.symbol])).get(own.symbol)
        if row is not None and row.number >= own.number:
            return row
        # The server is a copy that has not received the row: ours is the newer one.
        await holders.take(connection, self._insert, row, own)
        return None

    def _lose(self, own: Holder, other: Holder) -> None:
        who = other.description if other.holder else "nobody"
        text = f"{own.symbol} is traded by {who} with this database now (number {other.number}, ours was {own.number})"
        self._lost[own.symbol] = TradingClaimed(text, symbol=own.symbol)
        self._changed.set()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Run a transaction that writes.

        SQLite has one writer at a time, and reports a failure to those that have waited for a second. The grids of this
        process queue up instead, so that a busy database is none that failed.
        """
        if not self._remote:
            async with self._writer, self._database.begin() as connection:
                yield connection
            return
        connection = await self._database.connect()
        try:
            async with connection.begin():
                yield connection
        except BaseException:
            # Also after an error of the statement: a new connection costs less than a wrong guess about this one.
            with suppress(SQLAlchemyError, OSError):
                await connection.invalidate()
            raise
        finally:
            await connection.close()

    def _lock(self, symbols: Sequence[str]) -> bool:
        """Lock the file of each grid, or none; a database in memory has none."""
        database = self._database.url.database
        if database in (None, "", ":memory:"):
            return True
        made: dict[str, int] = {}
        for symbol in symbols:
            if symbol in self._lock_files:
                continue
            made[symbol] = os.open(f"{database}.{symbol}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(made[symbol], fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                for file in made.values():
                    os.close(file)
                return False
        self._lock_files.update(made)
        return True

    def _unlock(self) -> None:
        while self._lock_files:
            os.close(self._lock_files.popitem()[1])


def _refusal(seen: Waiting) -> str:
    found = "another market maker trades with this database"
    if (row := seen.holder) is not None:
        found = f"another market maker trades {row.symbol} with this database: {row.description}, number {row.number}"
    return f"app.database_url: {found}; stop it first, or start this one with --standby"


def _text(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return redact(" ".join(str(cause).split()) or type(cause).__name__)
