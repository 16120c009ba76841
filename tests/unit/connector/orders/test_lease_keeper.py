from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal

import pytest

from opensqt.connector.metrics.registry import ConnectorMetrics
from opensqt.connector.orders.journal import Journal, LeaseRecord
from opensqt.connector.orders.lease_keeper import LeaseKeeper
from opensqt.connector.orders.leases import Leases
from opensqt.connector.orders.manager import OrderManager
from opensqt.connector.orders.resolver import Resolver
from opensqt.connector.tasks import Tasks
from opensqt.model.client_context import on_behalf_of
from opensqt.model.errors import Unreachable
from opensqt.model.order import OrderRequest, Side
from opensqt.testing.exchange import InMemoryExchange
from tests.support import eventually

NO_ROOM = """
CREATE TRIGGER no_room BEFORE INSERT ON lease BEGIN SELECT RAISE(ABORT, 'no room on the disk'); END
"""


@pytest.fixture
async def venue(journal: Journal) -> AsyncIterator[InMemoryExchange]:
    venue = InMemoryExchange()
    venue.set_price("BTCUSDT", Decimal(100), Decimal("100.1"))
    yield venue
    await venue.close()


@pytest.fixture
async def tasks(venue: InMemoryExchange) -> AsyncIterator[Tasks]:
    tasks = Tasks()
    yield tasks
    await tasks.close()
    assert tasks.checks() == []


@pytest.fixture
async def keeper(venue: InMemoryExchange, journal: Journal, tasks: Tasks) -> LeaseKeeper:
    leases = Leases()
    manager = OrderManager(venue, journal, tasks, Resolver(), refusal=leases.refusal)
    await manager.start()
    keeper = LeaseKeeper(leases, venue, manager, journal, tasks, ConnectorMetrics("memory"))
    await keeper.start()
    return keeper


@asynccontextmanager
async def no_room(journal: Journal) -> AsyncIterator[None]:
    """Let the journal refuse to write any lease."""
    await journal.execute(lambda database: database.execute(NO_ROOM))
    yield
    await journal.execute(lambda database: database.execute("DROP TRIGGER no_room"))


async def held(journal: Journal) -> list[LeaseRecord]:
    """What the journal holds, without the numbers, which are times."""
    return [replace(one, number=0, ended_number=0) for one in await journal.leases()]


async def place(keeper: LeaseKeeper, client: str, name: str) -> None:
    request = OrderRequest(
        symbol="BTCUSDT", side=Side.BUY, quantity=Decimal("0.1"), price=Decimal(99), client_order_id=name
    )
    with on_behalf_of(client):
        await keeper.manager.place(request, wait_s=5)


async def test_a_lease_that_could_not_be_written_down_is_confirmed_only_once_it_is(keeper: LeaseKeeper, journal):
    async with no_room(journal):
        for _ in range(2):
            with pytest.raises(Unreachable, match="no room on the disk"):
                await keeper.beat("maker", 60_000)
    await keeper.beat("maker", 60_000)
    assert await held(journal) == [LeaseRecord(client="maker", ttl_ms=60_000)]


async def test_a_restart_does_not_cancel_again_for_a_lease_that_was_renewed_since(keeper, journal, venue):
    await place(keeper, "maker", "a")
    venue.fail_next(Unreachable("the venue is away"), on="cancel_order", times=10_000)
    await keeper.beat("maker", 1_000)
    await eventually(lambda: keeper.ended)
    await keeper.beat("maker", 60_000)
    async with no_room(journal):
        venue.stop_failing()
        await eventually(lambda: journal.failures)
    await keeper.beat("maker", 60_000)
    assert await held(journal) == [LeaseRecord(client="maker", ttl_ms=60_000)]
