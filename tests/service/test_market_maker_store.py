"""The market maker while its database is slow, full or away: it pulls its quotes, reports it, and heals by itself."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from opensqt.market_maker.orders.events import Place, PlaceAbandoned, PriceUpdate
from opensqt.market_maker.orders.state import Changes
from opensqt.market_maker.service import MarketMaker
from opensqt.market_maker.store.store import Store
from opensqt.market_maker.store.texts import write_text
from opensqt.market_maker.store.writer import StoreWriter
from opensqt.model.errors import ConfigError, TradingClaimed
from tests.service.grid_rig import Ledger, chain, running, simulator, store_fills, store_fills_of
from tests.support import eventually, start
from tests.support.blocking import in_thread_for
from tests.support.postgres import Cluster, missing
from tests.unit.market_maker.venue import SYMBOL, Bench, price


async def test_a_locked_database_pulls_the_entries_and_ends_by_itself(tmp_path: Path) -> None:
    """F52: somebody holds the write lock far longer than a commit waits for it; nothing is lost meanwhile."""
    async with simulator() as sim:
        ledger = Ledger(sim)
        async with running(sim, tmp_path / "grid.db") as maker:
            await eventually(lambda: len(ledger.account["fills"]) >= 3)
            lock = sqlite3.connect(tmp_path / "grid.db", isolation_level=None, check_same_thread=False)
            # Not here: a commit that has begun needs this loop to end.
            await in_thread_for(120, lock.execute, "BEGIN IMMEDIATE")
            await _pulled(maker, ledger)
            lock.execute("ROLLBACK")
            lock.close()
            await _healed(maker, ledger)
        assert await store_fills(tmp_path / "grid.db") == ledger.fills()
        assert ledger.account["duplicate_client_order_ids"] == []


async def test_a_full_disk_pulls_the_entries_and_ends_by_itself(tmp_path: Path) -> None:
    """F52 F32: SQLite may take no more pages, as on a full disk; nothing is half written."""
    async with simulator() as sim:
        ledger = Ledger(sim)
        async with running(sim, tmp_path / "grid.db") as maker:
            await eventually(lambda: len(ledger.account["fills"]) >= 3)
            database = maker.store.database
            async with database.connect() as connection:
                pages = await connection.scalar(text("PRAGMA page_count"))
                await connection.execute(text(f"PRAGMA max_page_count={pages}"))
            await _pulled(maker, ledger)
            async with database.connect() as connection:
                await connection.execute(text("PRAGMA max_page_count=1000000"))
            await _healed(maker, ledger)
        assert await store_fills(tmp_path / "grid.db") == ledger.fills()


async def test_a_restart_of_postgresql_is_survived(cluster: Cluster, url: str) -> None:
    """F52: the connections are closed and refused for a while; then the hold is renewed again, and no fill is lost."""
    async with simulator() as sim:
        ledger = Ledger(sim)
        async with running(sim, url) as maker:
            await eventually(lambda: len(ledger.account["fills"]) >= 3)
            cluster.stop()
            await _pulled(maker, ledger)
            cluster.start()
            await _healed(maker, ledger)
        assert await store_fills_of(url) == ledger.fills()


async def test_commits_that_a_standby_server_had_not_received_are_written_again(cluster: Cluster, url: str) -> None:
    """F52: after a failover the database is older than what was committed; every fill is in it in the end."""
    async with simulator() as sim:
        ledger = Ledger(sim)
        async with running(sim, url) as maker:
            await _fills_after_a_copy(cluster, maker, ledger)
            cluster.stop()
            cluster.fall_back()
            cluster.start()
            await _healed(maker, ledger)
        assert await store_fills_of(url) == ledger.fills()


async def test_a_failover_that_a_query_meets_first_is_no_reason_to_lose_commits(cluster: Cluster, url: str) -> None:
    """F52: the grid was quiet, so that its next commit finds a connection that works, to the older copy."""
    async with simulator() as sim:
        ledger = Ledger(sim)
        async with running(sim, url) as maker:
            await _fills_after_a_copy(cluster, maker, ledger)
            sim.market.pause(SYMBOL)
            await eventually(lambda: _as_stored(maker, ledger), what="all is stored")
            cluster.stop()
            cluster.fall_back()
            cluster.start()
            await eventually(lambda: _responds(maker.store), what="a query")
            await eventually(lambda: _responds(maker.store), what="another")
            sim.market.resume(SYMBOL)
            await _healed(maker, ledger)
        assert await store_fills_of(url) == ledger.fills()


async def _fills_after_a_copy(cluster: Cluster, maker: MarketMaker, ledger: Ledger) -> None:
    """Copy the database of a grid that trades, and let it commit fills that the copy does not have."""
    await eventually(lambda: len(ledger.account["fills"]) >= 2)
    cluster.stop()
    cluster.save_copy()
    cluster.start()
    await _healed(maker, ledger)
    fills = len(ledger.account["fills"])
    await eventually(lambda: len(ledger.account["fills"]) > fills + 2)


async def _as_stored(maker: MarketMaker, ledger: Ledger) -> bool:
    return len(await maker.store.fills(SYMBOL)) == len(ledger.account["fills"])


async def _responds(store: Store) -> bool:
    try:
        await store.fills(SYMBOL)
    except (SQLAlchemyError, OSError):
        return False
    return True


async def test_doctor_looks_at_a_database_of_postgresql(tmp_path: Path, url: str) -> None:
    """F32 F33: one that can be written is well; a wrong one is named, and its password never."""
    file = tmp_path / "config.yaml"
    arguments = ("doctor", "--json", "--config", str(file))
    quick = {"OPENSQT__EXCHANGES__REMOTE__RETRY_SCALE": "0.001"}
    found = []
    for address in (url.replace("opensqt@", "opensqt:canary12@"), "postgresql://opensqt:canary12@127.0.0.1:9/none"):
        settings = {"app": {"database_url": address}, "exchanges": {"remote": {"base_url": "127.0.0.1:9"}}}
        file.write_text(json.dumps(settings))
        async with start("opensqt.cli", *arguments, env=quick, cwd=tmp_path) as doctor:
            assert await doctor.wait() == 1  # no connector
        findings = {one["name"]: one for one in json.loads(doctor.stdout)["findings"]}
        found.append((findings["database"]["result"], findings["database"]["text"]))
        assert "canary" not in doctor.output
    assert found[0] == ("ok", f"{url.replace('opensqt@', 'opensqt:***@')} can be written")
    assert found[1][0] == "fail"
    assert "127.0.0.1:9" in found[1][1]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    reason = missing()
    if reason:
        pytest.skip(reason)
    with Cluster.running() as made:
        yield made


@pytest.fixture
async def url(cluster: Cluster) -> str:
    """An empty database."""
    connection = await asyncpg.connect(cluster.url)
    name = f"grid{time.monotonic_ns()}"
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return cluster.url.removesuffix("postgres") + name


async def _pulled(maker: MarketMaker, ledger: Ledger) -> None:
    await eventually(lambda: any("database" in one for one in maker.problems()), what="it is reported")
    await eventually(lambda: not _buys(ledger), what="the entries are gone")
    assert "market_maker_store_failing" in maker.metrics.text().decode()


async def _healed(maker: MarketMaker, ledger: Ledger) -> None:
    await eventually(lambda: not maker.problems(), what="it is well again")
    fills = len(ledger.account["fills"])
    await eventually(lambda: _buys(ledger) and len(ledger.account["fills"]) > fills, what="it trades again")


def _buys(ledger: Ledger) -> list[str]:
    return [one["order_id"] for one in ledger.open_orders if one["side"] == "BUY"]


async def test_sigterm_is_obeyed_while_the_database_is_locked(tmp_path: Path) -> None:
    """F52 F30: the lock is never given back; the orders are gone, the process ends, and the next start is exact."""
    async with chain(tmp_path) as made:
        async with made.maker() as maker:
            await maker.ready()
            await eventually(lambda: len(made.account["fills"]) >= 3)
            lock = sqlite3.connect(tmp_path / "grid.db", isolation_level=None)
            lock.execute("BEGIN IMMEDIATE")
            fills = len(made.account["fills"])
            await eventually(lambda: len(made.account["fills"]) > fills or not _buys(made))
            maker.send(signal.SIGTERM)
            assert await maker.wait() == 1
            assert "database was not writable" in maker.output
            assert made.open_orders == []
            lock.close()
        async with made.maker() as maker:
            await maker.ready()
            maker.send(signal.SIGTERM)
            assert await maker.wait() == 0, maker.output
        assert await store_fills(tmp_path / "grid.db") == made.fills()
        assert made.account["duplicate_client_order_ids"] == []


async def test_sigterm_is_obeyed_while_the_database_does_not_respond(tmp_path: Path) -> None:
    """F52: the connection is accepted and nothing is ever said on it: the start hangs, the stop does not."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"postgresql://opensqt@127.0.0.1:{silent.getsockname()[1]}/postgres"
        env = {"OPENSQT__APP__DATABASE_URL": url}
        async with start("opensqt.market_maker", "--port", "0", env=env, cwd=tmp_path) as maker:
            connection, _ = await in_thread_for(120, silent.accept)
            maker.send(signal.SIGTERM)
            assert await maker.wait() in (0, 1)
            assert "Traceback" not in maker.output
            connection.close()


async def test_a_grid_that_another_one_took_meanwhile_ends(cluster: Cluster, url: str) -> None:
    """F52: while the database was away for this one another market maker took over; it writes and trades no more."""
    async with simulator() as sim:
        ledger = Ledger(sim)
        with pytest.raises(TradingClaimed, match="BTCUSDT is traded by maker on b with this database now"):  # noqa: PT012 - ends in it
            async with running(sim, url):
                await eventually(lambda: len(ledger.account["fills"]) >= 1)
                connection = await asyncpg.connect(url)
                taken = "UPDATE holders SET holder = 'other', number = number + 1, description = 'maker on b'"
                await connection.execute(taken)
                await connection.close()
                await eventually(lambda: "maker" not in {task.get_name() for task in asyncio.all_tasks()})


async def test_each_grid_of_one_process_is_held_for_itself(url: str) -> None:
    """F52: the hold on the second grid is not that on the first, and both are written at once."""
    store, other = await Store.open(url), await Store.open(url)
    for symbol in ("BTCUSDT", "ETHUSDT"):
        await store.hold(symbol)
    for symbol in ("BTCUSDT", "ETHUSDT"):
        with pytest.raises(ConfigError):
            await other.hold(symbol)
    changes = [changes for changes in Bench().start(1004).changes if changes]
    await asyncio.gather(*(store.commit(symbol, changes[0]) for symbol in ("BTCUSDT", "ETHUSDT")))
    await other.close()
    await store.close()


async def test_an_order_whose_intent_was_stored_too_late_is_not_sent(tmp_path: Path) -> None:
    """F52: its price may be old by then; its slot is free again, and the next one is of the newest price."""
    store = await Store.open(f"sqlite:///{tmp_path}/grid.db")
    bench, sent, abandoned = Bench(), [], []
    bench.tell(PriceUpdate(price(1000)))
    bench.tell(bench.answer(bench.commands.pop(0))[0])
    [place] = [command for command in bench.commands if isinstance(command, Place)]
    writer = StoreWriter(
        store, SYMBOL, take_changes=lambda: bench.changes.pop(0), send=sent.append, abandon=abandoned.append
    )
    task = asyncio.create_task(writer.run())
    writer.submit([place], time.monotonic() - 60)
    await writer.flush(60)
    assert (sent, abandoned) == ([], [place])
    bench.tell(PlaceAbandoned(tuple(one.client_order_id for one in place.requests)))
    assert not set(bench.engine.state.live_orders()) & set(place.requests)
    task.cancel()
    await store.close()


class SlowStore(Store):
    """A store whose transactions take longer than SQLite waits for its lock."""

    async def commit(self, symbol: str, changes: Changes, *, repeated: bool = False) -> None:
        async with self.holding.transaction(symbol) as connection:
            await connection.execute(text("INSERT INTO meta VALUES (:key, '')"), {"key": symbol})
            await asyncio.sleep(1.5)


async def test_grids_of_one_database_wait_for_each_other_s_writes(tmp_path: Path) -> None:
    """F52: the database is busy with one grid's changes; for the others that is no failure, whatever the number."""
    store = await SlowStore.open(f"sqlite:///{tmp_path}/grid.db")
    symbols, nothing = ("BTCUSDT", "ETHUSDT", "XRPUSDT"), Changes(header=None, slots=(), orders=(), fills=())
    await asyncio.gather(
        *(store.commit(symbol, nothing) for symbol in symbols), write_text(store, "control:BTCUSDT", "{}")
    )
    async with store.database.connect() as connection:
        keys = set(await connection.scalars(text("SELECT key FROM meta")))
    await store.close()
    assert keys >= {*symbols, "control:BTCUSDT"}


async def test_a_cancelled_write_does_not_keep_the_database_locked(tmp_path: Path) -> None:
    """F52: a grid fails in the middle of a commit; the others write on, without waiting for the garbage collector."""
    store = await Store.open(f"sqlite:///{tmp_path}/grid.db")
    await store.hold("BTCUSDT")
    delays = random.Random(5)
    gc.disable()
    try:
        for number in range(60):
            writes = [asyncio.create_task(_write_two(store, number)) for _ in range(2)]
            await asyncio.sleep(delays.random() * 0.004)
            for write in writes:
                write.cancel()
            # Their tracebacks stay in memory, as those of a failed grid do while it is reported.
            ended = await asyncio.gather(*writes, return_exceptions=True)
            await write_text(store, "after", str(number))
            del ended
    finally:
        gc.enable()
        await store.close()


async def _write_two(store: Store, number: int) -> None:
    async with store.holding.transaction("BTCUSDT") as connection:
        for name in ("one", "two"):
            await connection.execute(text("INSERT OR REPLACE INTO meta VALUES (:key, '')"), {"key": f"{name}{number}"})
