"""The hold on a grid, over real databases: one process has it, and the next one gets it with a higher number."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from opensqt.market_maker.store import holding
from opensqt.market_maker.store.holding import Waiting
from opensqt.market_maker.store.store import Store
from opensqt.market_maker.store.texts import write_text
from opensqt.model.errors import ConfigError, TradingClaimed
from tests.support import eventually
from tests.unit.market_maker.store.conftest import execute
from tests.unit.market_maker.venue import SYMBOL, Bench


@pytest.fixture
async def pair(cluster: str) -> AsyncIterator[tuple[Store, Store]]:
    """Two processes' stores of one PostgreSQL."""
    await execute(cluster, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    first, second = await Store.open(cluster), await Store.open(cluster)
    yield first, second
    await first.close()
    await second.close()


async def hang() -> None:
    """Let the only one that holds grids renew nothing any more, as a process that is stopped."""
    (renewing,) = [task for task in asyncio.all_tasks() if task.get_name() == "hold"]
    renewing.cancel()
    await asyncio.gather(renewing, return_exceptions=True)


async def test_a_refusal_names_the_holder(pair: tuple[Store, Store]) -> None:
    """A person has to know which machine and process to look at."""
    first, second = pair
    await first.hold(SYMBOL)
    with pytest.raises(ConfigError, match=f"trades BTCUSDT with this database: {first.holding.description}, number 1"):
        await second.hold(SYMBOL)


async def test_who_waits_gets_the_grid_at_once_when_it_is_given_up(url: str) -> None:
    """With either database; the one before was not replaced, for it had ended in good order."""
    first, second = await Store.open(url), await Store.open(url)
    await first.hold(SYMBOL)
    seen: list[Waiting] = []
    waiting = asyncio.create_task(second.hold(SYMBOL, on_wait=seen.append))
    await eventually(lambda: seen and seen[-1].holder is not None)
    assert not waiting.done()
    await first.close()
    await waiting
    assert second.holding.number(SYMBOL) == 2
    assert second.holding.replaced == []
    await second.close()


async def test_who_hangs_is_replaced_and_can_write_nothing_any_more(pair: tuple[Store, Store]) -> None:
    """Its commit fails as a whole, in the same transaction that finds the higher number."""
    first, second = pair
    await first.hold(SYMBOL)
    await hang()
    await second.hold(SYMBOL, on_wait=lambda _: None)
    assert [row.number for row in second.holding.replaced] == [1]
    (changes,) = [one for one in Bench().start(1004).changes if one.header][:1]
    with pytest.raises(TradingClaimed, match=r"BTCUSDT is traded by .* \(number 2, ours was 1\)"):
        await first.commit(SYMBOL, changes)
    assert (await second.load(SYMBOL)).header is None
    await second.commit(SYMBOL, changes)
    with pytest.raises(TradingClaimed):
        await first.holding.until_lost(SYMBOL)


async def test_a_renewal_finds_out_that_the_grid_is_lost(pair: tuple[Store, Store], cluster: str) -> None:
    """Without any commit."""
    first, _ = pair
    await first.hold(SYMBOL)
    await execute(cluster, "UPDATE holders SET number = 2, holder = 'other', description = 'maker on b'")
    with pytest.raises(TradingClaimed, match="is traded by maker on b with this database now"):
        await first.holding.until_lost(SYMBOL)


async def test_who_is_stopped_in_the_middle_of_a_transaction_is_replaced_too(pair: tuple[Store, Store]) -> None:
    """Its transaction has locked the row: PostgreSQL ends it after three seconds without a statement."""
    first, second = pair
    await first.hold(SYMBOL)
    await hang()
    async with asyncio.timeout(60):
        inside = first.holding.transaction(SYMBOL)
        await inside.__aenter__()
        await second.hold(SYMBOL, on_wait=lambda _: None)
    with pytest.raises(Exception, match="connection"):
        await inside.__aexit__(None, None, None)


async def test_who_is_stopped_in_the_middle_of_a_statement_is_replaced_too(pair: tuple[Store, Store]) -> None:
    """F42: prepared and not executed yet, PostgreSQL waits for it without any limit, with the row locked."""
    first, second = pair
    await first.hold(SYMBOL)
    await hang()
    with pytest.raises(SQLAlchemyError):  # noqa: PT012 - the end of the transaction
        async with first.holding.transaction(SYMBOL) as connection:
            raw = await connection.get_raw_connection()
            await raw.driver_connection.prepare("SELECT 1 + $1::int")
            await second.hold(SYMBOL, on_wait=lambda _: None)
            assert second.holding.number(SYMBOL) == 2
            await connection.execute(text("SELECT 1"))


async def test_who_is_stopped_while_it_stores_a_text_does_not_lock_it_for_the_next_one(
    pair: tuple[Store, Store],
) -> None:
    """F42: the day's counts, a pause: the one that takes over writes the same rows."""
    first, second = pair
    await first.hold(SYMBOL)
    await hang()
    with pytest.raises(SQLAlchemyError):  # noqa: PT012 - the end of the transaction
        async with first.holding.writing() as connection:
            await connection.execute(text("INSERT INTO meta VALUES ('day:BTCUSDT', '')"))
            await second.hold(SYMBOL, on_wait=lambda _: None)
            await write_text(second, "day:BTCUSDT", "{}")
            await connection.execute(text("SELECT 1"))


async def test_of_two_that_wait_one_gets_the_grid(pair: tuple[Store, Store], cluster: str) -> None:
    """The other one goes on waiting, for the new holder."""
    first, second = pair
    third = await Store.open(cluster)
    await first.hold(SYMBOL)
    await hang()
    tasks = [asyncio.create_task(store.hold(SYMBOL, on_wait=lambda _: None)) for store in (second, third)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(2 * holding.LOOK_EVERY_S)
    assert [task.done() for task in tasks].count(True) == 1
    (waiting,) = [task for task in tasks if not task.done()]
    waiting.cancel()
    assert {second.holding.number(SYMBOL), third.holding.number(SYMBOL)} == {0, 2}
    await asyncio.gather(waiting, return_exceptions=True)
    await third.close()


async def test_several_grids_are_taken_together_or_not_at_all(pair: tuple[Store, Store]) -> None:
    """Each has its row; the one that is free is not taken while another one is held."""
    first, second = pair
    await first.hold(SYMBOL)
    with pytest.raises(ConfigError):
        await second.hold("ETHUSDT", SYMBOL)
    assert second.holding.number("ETHUSDT") == 0
    await first.close()
    await second.hold("ETHUSDT", SYMBOL)
    assert (second.holding.number("ETHUSDT"), second.holding.number(SYMBOL)) == (1, 2)


async def test_a_row_that_fell_back_is_made_again(pair: tuple[Store, Store], cluster: str) -> None:
    """F52: after a failover the database may have an earlier holder, or none; the one that lives has the higher one."""
    first, _ = pair
    await first.hold(SYMBOL)
    (changes,) = [one for one in Bench().start(1004).changes if one.header][:1]
    for statement in ("UPDATE holders SET number = 0, holder = 'earlier'", "DELETE FROM holders"):
        await execute(cluster, statement)
        await first.commit(SYMBOL, changes)
        async with first.database.connect() as connection:
            rows = await holding.holders.read(connection, [SYMBOL])
        assert rows[SYMBOL].number == 1


async def test_a_hold_that_is_not_renewed_is_not_sure(pair: tuple[Store, Store]) -> None:
    """By this machine's own clock, whatever the database says later."""
    first, _ = pair
    await first.hold(SYMBOL)
    now = asyncio.get_running_loop().time()
    assert first.holding.is_sure(SYMBOL, now)
    assert not first.holding.is_sure(SYMBOL, now + 5.1)
