"""Databases of other versions: an older one is upgraded with a copy made before, a newer one is refused."""

from __future__ import annotations

import asyncio
import fcntl
import os
import stat
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from opensqt.market_maker.store import schema, upgrade
from opensqt.market_maker.store.store import Store
from opensqt.model.errors import ConfigError
from opensqt.model.order import FillKind
from tests.unit.market_maker.store.conftest import execute
from tests.unit.market_maker.venue import SYMBOL, Bench

VERSION_1 = (
    "CREATE TABLE meta (key VARCHAR(64) NOT NULL PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE grids (symbol VARCHAR(32) NOT NULL PRIMARY KEY, anchor TEXT NOT NULL, interval TEXT NOT NULL,
    sequence BIGINT NOT NULL, watermark_ms BIGINT NOT NULL, orders_placed INTEGER NOT NULL, fills INTEGER NOT NULL,
    volume TEXT NOT NULL, fees TEXT NOT NULL, realized_pnl TEXT NOT NULL, profit TEXT NOT NULL,
    adopted TEXT NOT NULL)""",
    """CREATE TABLE slots (symbol VARCHAR(32) NOT NULL, level INTEGER NOT NULL, quantity TEXT NOT NULL,
    cost TEXT NOT NULL, PRIMARY KEY (symbol, level))""",
    """CREATE TABLE orders (client_order_id VARCHAR(32) NOT NULL PRIMARY KEY, symbol VARCHAR(32) NOT NULL,
    level INTEGER NOT NULL, side VARCHAR(4) NOT NULL, price TEXT NOT NULL, quantity TEXT NOT NULL,
    order_id VARCHAR(64) NOT NULL, status VARCHAR(20) NOT NULL, filled TEXT NOT NULL, counted TEXT NOT NULL,
    reason TEXT NOT NULL,
    live BOOLEAN NOT NULL, created_ms BIGINT NOT NULL, updated_ms BIGINT NOT NULL)""",
    "CREATE INDEX orders_live ON orders (symbol, live)",
    "CREATE INDEX orders_updated ON orders (symbol, updated_ms)",
    """CREATE TABLE fills (symbol VARCHAR(32) NOT NULL, trade_id VARCHAR(64) NOT NULL, order_id VARCHAR(64) NOT NULL,
    client_order_id VARCHAR(32) NOT NULL, level INTEGER NOT NULL, side VARCHAR(4) NOT NULL,
    position_side VARCHAR(5) NOT NULL, price TEXT NOT NULL, quantity TEXT NOT NULL, fee TEXT NOT NULL,
    fee_asset VARCHAR(16) NOT NULL, is_maker BOOLEAN NOT NULL, realized_pnl TEXT NOT NULL, profit TEXT NOT NULL,
    time_ms BIGINT NOT NULL, kind VARCHAR(20) NOT NULL DEFAULT 'TRADE', other_fees TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (symbol, trade_id))""",
    "CREATE INDEX fills_time ON fills (symbol, time_ms)",
)
"""The tables of the program before Alembic."""
ROWS_1 = (
    "INSERT INTO meta VALUES ('schema_version', '1')",
    """INSERT INTO grids VALUES ('BTCUSDT', '1000', '10', 7, 5000, 2, 2, '40.00', '{"USDT": "0.008"}',
    '0.10', '0.10', '0')""",
    "INSERT INTO slots VALUES ('BTCUSDT', -1, '0.010', '9.900')",
    """INSERT INTO orders VALUES ('SQ1B111', 'BTCUSDT', -1, 'BUY', '990', '0.020', '1', 'FILLED', '0.020', '0.020', '',
    false, 4000, 4000)""",
    """INSERT INTO fills VALUES ('BTCUSDT', '1', '1', 'SQ1B111', -1, 'BUY', 'BOTH', '990', '0.020', '0.004', 'USDT',
    true, '0', '0', 4000, 'TRADE', '{}')""",
    """INSERT INTO fills VALUES ('BTCUSDT', '2', '2', 'SQ1S112', -1, 'SELL', 'BOTH', '1000', '0.010', '0.004', 'USDT',
    true, '0.10', '0.10', 4500, 'TRADE', '{}')""",
)


@pytest.fixture
def old(url: str) -> str:
    """A database that the program of version 1 wrote."""
    asyncio.run(execute(url, *VERSION_1, *ROWS_1))
    return url


async def schema_of(url: str) -> list[object]:
    """The differences of a database from the tables that the program makes."""
    store = await Store.open(url)

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, schema.metadata))

    async with store.database.connect() as connection:
        found = await connection.run_sync(differences)
    await store.close()
    return found


def copies(folder: Path) -> list[Path]:
    return list(folder.glob("*.bak"))


def database_files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix != ".bak"]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def take_back(copy: Path, folder: Path) -> None:
    """Put a copy where a database is looked for."""
    folder.mkdir()
    copy.rename(folder / "grid.db")


def test_every_version_has_its_revision() -> None:
    """The newest revision is the version that a new database gets without running any."""
    config = Config()
    config.set_main_option("script_location", str(upgrade.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [str(schema.VERSION)]


async def test_an_upgraded_database_has_the_tables_of_a_new_one(old: str) -> None:
    """A table or column without a revision would be missing in every database that exists."""
    assert await schema_of(old) == []


async def test_a_new_database_has_the_tables_of_the_program(url: str) -> None:
    """The comparison of the test above finds no difference in what it is compared with."""
    assert await schema_of(url) == []


async def test_an_older_database_is_upgraded_and_keeps_what_it_has(old: str) -> None:
    """F50: anchor, levels, orders, fills and sums are those from before."""
    store = await Store.open(old)
    stored, fills = await store.load(SYMBOL), await store.fills(SYMBOL)
    await store.close()
    assert stored.header is not None
    assert (stored.header.anchor, stored.header.sequence) == (1000, 7)
    assert stored.header.totals.profit == Decimal("0.10")
    assert [(slot.level, slot.quantity, slot.cost) for slot in stored.slots] == [(-1, Decimal("0.010"), Decimal("9.9"))]
    assert stored.trade_ids == ("1", "2")
    assert [counted.fill.kind for counted in fills] == [FillKind.TRADE, FillKind.TRADE]


async def test_the_profit_before_the_upgrade_is_counted(old: str) -> None:
    """F50: position, realized profit and fees are made from the stored fills, once."""
    for _ in range(2):
        store = await Store.open(old)
        stored = await store.load(SYMBOL)
        ledger = stored.accounting.ledger
        assert ledger is not None
        assert (ledger.entry.quantity, ledger.entry.cost) == (Decimal("0.010"), Decimal("9.9"))
        assert (ledger.realized, ledger.fees_value, ledger.since_ms) == (Decimal("0.10"), Decimal("0.008"), 4000)
        bench = Bench(stored)
        await store.commit(SYMBOL, bench.engine.state.take_changes())
        await store.close()
    assert not stored.accounting.rebuilt


async def test_columns_that_the_first_programs_did_not_have_are_added(old: str) -> None:
    """Fills without a kind are trades."""
    await execute(old, *(f"ALTER TABLE fills DROP COLUMN {name}" for name in ("kind", "other_fees")))
    store = await Store.open(old)
    fills = await store.fills(SYMBOL)
    await store.close()
    assert [(one.fill.kind, one.fill.other_fees) for one in fills] == [(FillKind.TRADE, ())] * 2
    assert await schema_of(old) == []


async def test_the_file_is_copied_before_it_is_upgraded(tmp_path: Path) -> None:
    """The copy is a whole database of the old version, and the owner's alone."""
    await execute(f"sqlite:///{tmp_path}/grid.db", *VERSION_1, "INSERT INTO meta VALUES ('schema_version', '1')")
    store = await Store.open(f"sqlite:///{tmp_path}/grid.db", clock=lambda: 1_700_000_000 * 10**9)
    await store.close()
    (copy,) = copies(tmp_path)
    assert copy.name == "grid.db.v1-20231114T221320Z.bak"
    assert mode(copy) == 0o600
    take_back(copy, tmp_path / "old")
    again = await Store.open(f"sqlite:///{tmp_path}/old/grid.db")
    await again.close()
    assert len(copies(tmp_path / "old")) == 1


async def test_tables_of_postgresql_are_copied_before_they_are_upgraded(cluster: str) -> None:
    """The copy is a schema of its own with the old tables."""
    await execute(cluster, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public", *VERSION_1, ROWS_1[0])
    store = await Store.open(cluster, clock=lambda: 1_700_000_000 * 10**9)
    async with store.database.connect() as connection:
        query = text("SELECT value FROM opensqt_v1_20231114t221320z.meta")
        assert await connection.scalar(query) == "1"
        tables = await connection.run_sync(lambda c: inspect(c).get_table_names("opensqt_v1_20231114t221320z"))
    await store.close()
    await execute(cluster, "DROP SCHEMA opensqt_v1_20231114t221320z CASCADE")
    assert sorted(tables) == ["fills", "grids", "meta", "orders", "slots"]


async def test_two_upgrades_of_one_second_have_a_copy_each(tmp_path: Path, cluster: str) -> None:
    """Such as that of a copy that was taken back at once."""
    for url in (f"sqlite:///{tmp_path}/grid.db", cluster):
        for _ in range(2):
            for path in database_files(tmp_path):
                path.unlink()
            if url is cluster:
                await execute(url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
            await execute(url, *VERSION_1, *ROWS_1)
            store = await Store.open(url, clock=lambda: 1_600_000_000 * 10**9)
            await store.close()
    assert len(copies(tmp_path)) == 2


async def test_a_new_database_is_not_copied(tmp_path: Path) -> None:
    """A copy stands for an upgrade, nothing else."""
    store = await Store.open(f"sqlite:///{tmp_path}/grid.db")
    await store.close()
    store = await Store.open(f"sqlite:///{tmp_path}/grid.db")
    await store.close()
    assert copies(tmp_path) == []


async def test_a_newer_database_is_refused(url: str) -> None:
    """One sentence that says which version it has and what to do; nothing is changed."""
    store = await Store.open(url)
    await store.close()
    await execute(url, "UPDATE alembic_version SET version_num = '99'")
    with pytest.raises(ConfigError, match=r"has version 99, this program works with up to .*; start a newer"):
        await Store.open(url)


async def test_programs_before_the_upgrade_refuse_the_new_database(old: str) -> None:
    """They look into `meta` and know one version only."""
    store = await Store.open(old)
    async with store.database.connect() as connection:
        query = text("SELECT value FROM meta WHERE key = 'schema_version'")
        assert await connection.scalar(query) == str(schema.VERSION)
    await store.close()


async def test_processes_that_start_at_once_upgrade_it_once(old: str) -> None:
    """The others wait, and find it done."""
    await open_at_once(old, fills=2)


async def test_processes_that_start_at_once_make_the_tables_once(url: str) -> None:
    """The others wait, and find them made."""
    await open_at_once(url, fills=0)


async def test_a_start_waits_for_an_upgrade_that_takes_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy of a large file takes longer than SQLite waits for a lock."""
    url = f"sqlite:///{tmp_path}/grid.db"
    await execute(url, *VERSION_1, *ROWS_1)
    copy_file = upgrade.copy_file

    def slowly(path: Path, name: str) -> str:
        time.sleep(1.5)
        return copy_file(path, name)

    monkeypatch.setattr(upgrade, "copy_file", slowly)
    await open_at_once(url, fills=2)


async def open_at_once(url: str, *, fills: int) -> None:
    stores = await asyncio.gather(*(Store.open(url) for _ in range(6)))
    assert [len(await store.fills(SYMBOL)) for store in stores] == [fills] * 6
    for store in stores:
        await store.close()
    assert await schema_of(url) == []


async def test_an_upgrade_that_fails_leaves_the_old_version(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """F32: all or nothing, and the next start does it."""
    with monkeypatch.context() as broken:
        broken.setattr(upgrade, "note_version", lambda connection: connection.execute(text("SELECT no_such_column")))
        with pytest.raises(ConfigError):
            await Store.open(old, clock=lambda: 1_700_000_000 * 10**9)
    with pytest.raises(DBAPIError):
        await execute(old, "SELECT * FROM profit")
    assert await schema_of(old) == []


async def test_a_database_in_use_by_an_older_program_is_not_upgraded(old: str) -> None:
    """Its process would write into tables that it does not know. It holds an advisory lock, or that of a file."""
    async with held_by_an_older_program(old):
        with pytest.raises(ConfigError, match=r"a market maker of an older version trades BTCUSDT .*; stop it first"):
            await Store.open(old)
    assert await schema_of(old) == []


@asynccontextmanager
async def held_by_an_older_program(url: str) -> AsyncIterator[None]:
    if url.startswith("sqlite"):
        file = os.open(f"{url.removeprefix('sqlite:///')}.{SYMBOL}.lock", os.O_CREAT | os.O_RDWR)
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
        os.close(file)
        return
    connection = await asyncpg.connect(url)
    await connection.execute(f"SELECT pg_advisory_lock(hashtext('opensqt:{SYMBOL}'))")
    yield
    await connection.close()


async def test_the_copy_of_a_database_has_all_its_tables(cluster: str) -> None:
    """Also those that a later version than the first has added: funding, equity, markouts."""
    await execute(cluster, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    store = await Store.open(cluster)
    await store.close()
    await execute(cluster, "DROP TABLE holders", "UPDATE alembic_version SET version_num = '2'")
    store = await Store.open(cluster, clock=lambda: 1_500_000_000 * 10**9)
    async with store.database.connect() as connection:
        copied = await connection.run_sync(lambda c: inspect(c).get_table_names("opensqt_v2_20170714t024000z"))
    await store.close()
    await execute(cluster, "DROP SCHEMA opensqt_v2_20170714t024000z CASCADE")
    assert {*copied, "holders"} == {*schema.metadata.tables, "alembic_version"}
