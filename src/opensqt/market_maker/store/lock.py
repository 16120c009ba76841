"""The lock of a grid in PostgreSQL: held by the one connection that writes, so that nothing is written without it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from opensqt.model.errors import TradingClaimed

_OWN_BACKEND = text("SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()")
_END_BACKEND = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = :pid AND backend_start = :backend_start"
)


class AdvisoryLock:
    """An advisory lock on one grid. When its connection is lost, the next transaction takes it again.

    Args:
        database: Of the grid.
        symbol: Of the grid.
    """

    def __init__(self, database: AsyncEngine, symbol: str) -> None:
        self._database = database
        self._symbol = symbol
        self._connection: AsyncConnection | None = None
        self._backend: dict[str, object] = {}

    async def take(self) -> AsyncConnection | None:
        """Return the connection that holds the lock, or None when another process holds it."""
        if self._connection is not None:
            return self._connection
        connection = await self._database.connect()
        try:
            key = func.hashtext(f"opensqt:{self._symbol}")
            held = await connection.scalar(select(func.pg_try_advisory_lock(key)))
            if held:
                self._backend = dict((await connection.execute(_OWN_BACKEND)).one()._mapping)
            elif self._backend and (await connection.execute(_END_BACKEND, self._backend)).first() is not None:
                # The network failed, and our own earlier connection lived on at the server.
                await connection.commit()
                raise ConnectionError("an earlier connection of this process still held the lock")
            await connection.commit()
        except BaseException:
            await connection.invalidate()
            await connection.close()
            raise
        if not held:
            await connection.close()
            return None
        self._connection = connection
        return connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Run a transaction on the connection that holds the lock.

        Raises:
            TradingClaimed: Another process holds the lock now.
        """
        connection = await self.take()
        if connection is None:
            raise TradingClaimed(
                f"another market maker trades {self._symbol} with this database since the connection to it was lost",
                symbol=self._symbol,
            )
        try:
            async with connection.begin():
                yield connection
        except BaseException:
            # Also after an error of the statement: a new connection costs less than a wrong guess about this one.
            await self.release()
            raise

    async def release(self) -> None:
        """Give the lock up. Idempotent."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError, OSError):
                await connection.invalidate()
                await connection.close()
