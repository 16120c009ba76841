"""Makes the tables of a new database, and upgrades an older one after a copy of it was made.

Either happens in one transaction, under a lock that the next process waits for: killed at any instant, the database
has its old version or the new one.
"""

from __future__ import annotations

import asyncio
import fcntl
import itertools
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, func, inspect, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from opensqt.market_maker.store import schema
from opensqt.model.errors import ConfigError
from opensqt.telemetry.logging import get_logger

_log = get_logger("market_maker.store")

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK_EVERY_S = 0.05


async def prepare(database: AsyncEngine, now_ms: int) -> None:
    """Give the database the tables of this program.

    Args:
        database: Of any version, or empty.
        now_ms: UTC epoch milliseconds; names the copy.

    Raises:
        ConfigError: It is newer than this program, in use by an older one, or can't be copied.
    """
    path = file_of(database)
    async with _file_lock(path):
        async with database.connect() as connection:
            version = await connection.run_sync(read_version)
        if version == schema.VERSION:
            return
        if version is not None and version > schema.VERSION:
            raise ConfigError(
                f"app.database_url: the database has version {version}, this program works with up to"
                f" {schema.VERSION}; start a newer program, or give another database"
            )
        async with _alone(database) as connection:
            version = await connection.run_sync(read_version)
            if version is None:
                await connection.run_sync(_make)
            elif version < schema.VERSION:
                await _upgrade(connection, path, version, now_ms)


def file_of(database: AsyncEngine) -> Path | None:
    """Return the file of an SQLite database; None for PostgreSQL and for a database in memory."""
    name = database.url.database
    return Path(name) if database.dialect.name == "sqlite" and name not in (None, "", ":memory:") else None


def read_version(connection: Connection) -> int | None:
    """Return the version of a database; None when it is empty."""
    tables = inspect(connection).get_table_names()
    if "alembic_version" in tables:
        return int(connection.scalar(text("SELECT version_num FROM alembic_version")) or 0)
    if "meta" not in tables:
        return None
    found = connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == "schema_version"))
    return int(found) if found is not None else None


def run_migrations(connection: Connection, since: int) -> None:
    """Run the revisions after version *since*, in the transaction of *connection*."""
    from alembic import command  # it takes a quarter of a second to import, and a start rarely needs it
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.stamp(config, str(since))
    command.upgrade(config, "head")
    note_version(connection)


async def _upgrade(connection: AsyncConnection, path: Path | None, version: int, now_ms: int) -> None:
    symbols = list(await connection.scalars(select(schema.grids.c.symbol)))
    with ExitStack() as stack:
        for symbol in symbols:
            free = await _is_free(connection, symbol) if path is None else stack.enter_context(_grid_lock(path, symbol))
            if not free:
                raise ConfigError(
                    f"app.database_url: a market maker of an older version trades {symbol} with this database;"
                    " stop it first, then start this one again to upgrade the database"
                )
        stamp = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
        if path is not None:
            copy = await asyncio.to_thread(copy_file, path, f"{path}.v{version}-{stamp}")
        elif connection.dialect.name == "postgresql":
            copy = await _copy_schema(connection, f"opensqt_v{version}_{stamp.lower()}")
        else:
            copy = "none, it is in memory"
        await connection.run_sync(run_migrations, version)
    _log.warning("database upgraded", old_version=version, new_version=schema.VERSION, copy=copy)


def _make(connection: Connection) -> None:
    schema.metadata.create_all(connection)
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:version)"), {"version": str(schema.VERSION)})
    note_version(connection)


def note_version(connection: Connection) -> None:
    """Write the version where programs before Alembic look for it, so that they refuse the database."""
    row = {"key": "schema_version", "value": str(schema.VERSION)}
    connection.execute(schema.meta.delete().where(schema.meta.c.key == "schema_version"))
    connection.execute(schema.meta.insert().values(row))


@asynccontextmanager
async def _file_lock(path: Path | None) -> AsyncIterator[None]:
    """Wait until no other process makes or upgrades the tables of the file."""
    if path is None:
        yield
        return
    lock = os.open(f"{path}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(_LOCK_EVERY_S)
        yield
    finally:
        os.close(lock)


@asynccontextmanager
async def _alone(database: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Begin a transaction in which nobody else changes tables; it commits at the end of the block."""
    async with database.begin() as connection:
        if database.dialect.name == "postgresql":
            await connection.execute(select(func.pg_advisory_xact_lock(func.hashtext("opensqt:schema"))))
        else:
            # Otherwise the driver begins none for statements that change tables.
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection


async def _is_free(connection: AsyncConnection, symbol: str) -> bool:
    """Return whether no program of a version before 3 trades the grid: until then it was an advisory lock."""
    key = func.hashtext(f"opensqt:{symbol}")
    return bool(await connection.scalar(select(func.pg_try_advisory_xact_lock(key))))


@contextmanager
def _grid_lock(path: Path, symbol: str) -> Iterator[bool]:
    """Hold the lock of a grid for a block, if no market maker does."""
    lock = os.open(f"{path}.{symbol}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        free = True
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            free = False
        yield free
    finally:
        os.close(lock)


def _names(name: str, separator: str) -> Iterator[str]:
    """Yield names for a copy: a second one of the same second gets a number."""
    yield name
    for number in itertools.count(2):
        yield f"{name}{separator}{number}"


def copy_file(path: Path, name: str) -> str:
    """Copy an SQLite database beside it, with the mode 0600, and return the name of the copy."""
    name = next(f"{free}.bak" for free in _names(name, "-") if not os.path.lexists(f"{free}.bak"))
    try:
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        source, copy = sqlite3.connect(path), sqlite3.connect(name)
        try:
            source.backup(copy)
        finally:
            copy.close()
            source.close()
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(f"app.database_url: {name}, the copy before the upgrade, can't be written: {error}") from None
    return name


async def _copy_schema(connection: AsyncConnection, name: str) -> str:
    """Copy the tables into a schema of their own; it commits with the upgrade."""
    there = set(await connection.scalars(text("SELECT nspname FROM pg_namespace")))
    name = next(free for free in _names(name, "_") if free not in there)
    try:
        await connection.exec_driver_sql(f"CREATE SCHEMA {name}")
    except DBAPIError as error:
        raise ConfigError(
            f"app.database_url: the copy before the upgrade can't be made ({error.orig}); give the role the right:"
            " GRANT CREATE ON DATABASE ... TO ..."
        ) from None
    for table in await connection.run_sync(lambda sync: inspect(sync).get_table_names()):
        await connection.exec_driver_sql(f"CREATE TABLE {name}.{table} AS TABLE {table}")
    return f"schema {name}"
