"""A client's lease over gRPC: when it ends, that client's orders are canceled and no other's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from opensqt.model.errors import Unreachable
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import gateway_service_pb2 as gateway_pb
from opensqt.wire import options
from tests.service.connector_rig import Rig, Venue, order, place, reason_of, rig
from tests.support import eventually


class Client:
    """A client of the rig by its name."""

    def __init__(self, running: Rig, name: str) -> None:
        self._rig = running
        self.metadata = ((options.CLIENT_NAME, name),)

    async def place(self, *names: str) -> None:
        for name in names:
            await self._rig.exchange.PlaceOrder(place(name), metadata=self.metadata)

    async def refusal(self, name: str) -> str:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await self.place(name)
        assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        return reason_of(refused.value)

    async def beat(self, ttl_ms: int = 1_000, *, number: int = 0) -> Any:
        asked = gateway_pb.HeartbeatRequest(ttl_ms=ttl_ms, number=number)
        return await self._rig.gateway.Heartbeat(asked, metadata=self.metadata)


class Lasting(Venue):
    """A venue that goes on when its connector stops."""

    async def close(self) -> None:
        """Stay."""


async def open_ids(running: Rig) -> set[str]:
    answer = await running.exchange.GetOpenOrders(pb.GetOpenOrdersRequest())
    return {one.client_order_id for one in answer.orders}


@asynccontextmanager
async def ended(venue: Venue | None = None) -> AsyncIterator[tuple[Rig, Client]]:
    """A client `maker` whose lease has just run out, with its orders gone."""
    async with rig(venue) as running:
        maker = Client(running, "maker")
        await maker.place("a")
        await maker.beat()
        await eventually(
            lambda: running.connector.leases.checks() == [] and running.connector.orders.own.of("maker") == []
        )
        yield running, maker


async def test_a_lease_that_ends_takes_its_clients_orders_and_no_other() -> None:
    async with rig() as running:
        maker, taker = Client(running, "maker"), Client(running, "taker")
        await maker.place("a", "b")
        await taker.place("c")
        lease = await maker.beat()
        assert (lease.client, lease.lapsed, lease.open_orders) == ("maker", False, 2)
        await eventually(lambda: running.connector.orders.own.open_count("maker") == 0)
        assert await open_ids(running) == {"c"}


async def test_a_lease_that_is_renewed_keeps_the_orders() -> None:
    async with rig() as running:
        maker, taker = Client(running, "maker"), Client(running, "taker")
        await maker.place("a")
        await taker.beat()
        beats = [(await maker.beat()).lapsed]

        async def taker_ended() -> bool:
            beats.append((await maker.beat()).lapsed)
            return running.connector.leases.ended == 1

        await eventually(taker_ended, every_s=0.1)
        assert await open_ids(running) == {"a"}
        assert not any(beats)


async def test_a_lease_that_is_given_up_keeps_the_orders() -> None:
    async with rig() as running:
        maker, taker = Client(running, "maker"), Client(running, "taker")
        await maker.place("a")
        await maker.beat()
        given_up = await maker.beat(0)
        await taker.beat()
        await eventually(lambda: running.connector.leases.ended == 1)
        assert (given_up.expires_ms, given_up.lapsed) == (0, False)
        assert await open_ids(running) == {"a"}


async def test_after_the_end_new_orders_are_refused_and_reads_and_cancels_are_not() -> None:
    async with ended() as (running, maker):
        assert await maker.refusal("new") == "LEASE_EXPIRED"
        batch = pb.BatchPlaceOrdersRequest(orders=[order("new1"), order("a")])
        results = (await running.exchange.BatchPlaceOrders(batch, metadata=maker.metadata)).results
        assert results[0].error.reason == "LEASE_EXPIRED"
        assert results[1].order.client_order_id == "a"
        canceled = await running.exchange.CancelOrder(
            pb.CancelOrderRequest(order={"symbol": "BTCUSDT", "client_order_id": "a"}), metadata=maker.metadata
        )
        assert canceled.order.client_order_id == "a"


async def test_asking_again_for_an_order_of_before_the_end_gets_its_outcome() -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    async with ended() as (running, maker):
        await maker.place("a")
        assert await open_ids(running) == set()


async def test_a_heartbeat_after_the_end_says_so_and_opens_trading_again() -> None:
    async with ended() as (running, maker):
        lease = await maker.beat(60_000)
        assert (lease.lapsed, lease.expires_ms > 0) == (True, True)
        await maker.place("b")
        assert await open_ids(running) == {"b"}
        assert (await maker.beat(60_000)).lapsed is False


async def test_an_end_is_reported_until_a_response_of_it_has_arrived() -> None:
    """The client whose response was lost sends the number of the lease that it knows of again."""
    async with rig() as running:
        maker = Client(running, "maker")
        first = await maker.beat()
        await eventually(lambda: running.connector.leases.ended == 1)
        again = [await maker.beat(60_000, number=first.number) for _ in range(2)]
        assert [one.lapsed for one in again] == [True, True]
        assert first.number < again[0].number == again[1].number
        assert (await maker.beat(60_000, number=again[1].number)).lapsed is False


async def test_no_order_is_placed_while_those_of_the_ended_lease_are_still_canceled() -> None:
    venue = Venue()
    venue.fail_next(Unreachable("the venue is away"), on="cancel_order", times=10_000)
    async with rig(venue) as running:
        maker = Client(running, "maker")
        await maker.place("a")
        await maker.beat()
        await eventually(running.connector.leases.checks)
        assert (await maker.beat(60_000)).lapsed
        assert await maker.refusal("b") == "LEASE_EXPIRED"
        venue.stop_failing()
        await eventually(lambda: running.connector.leases.checks() == [])
        await maker.place("b")
        assert await open_ids(running) == {"b"}


async def test_the_status_tells_what_is_being_canceled_and_health_stays_green() -> None:
    venue = Venue()
    venue.fail_next(Unreachable("the venue is away"), on="cancel_order", times=10_000)
    async with rig(venue) as running:
        maker = Client(running, "maker")
        await maker.place("a")
        await maker.beat()

        async def told() -> Any:
            status = await running.gateway.GetStatus(gateway_pb.GetStatusRequest())
            return next((one for one in status.checks if one.name == "lease:maker" and "away" in one.reason), None)

        check = await eventually(told)
        assert (check.ok, check.reason) == (True, "it ended; open orders being canceled: 1 (the venue is away)")
        page = running.connector.metrics.text().decode()
        assert [f"connector_leases_{name} 1.0" in page for name in ("ended_total", "canceling")] == [True, True]


async def test_a_lease_outlives_the_connector_and_ends_in_the_next_run(tmp_path: Path) -> None:
    """F9: a restart neither loses nor doubles an order."""
    venue, journal = Lasting(), str(tmp_path / "journal.db")
    async with rig(venue, journal=journal) as running:
        await Client(running, "maker").place("a", "b")
        await Client(running, "taker").place("c")
        await Client(running, "maker").beat()
    assert len(await venue.get_open_orders()) == 3
    async with rig(venue, journal=journal) as running:
        assert running.connector.orders.own.open_count("maker") == 2
        await eventually(lambda: running.connector.orders.own.open_count("maker") == 0)
        assert await open_ids(running) == {"c"}


async def test_that_a_lease_has_ended_outlives_the_connector(tmp_path: Path) -> None:
    venue, journal = Lasting(), str(tmp_path / "journal.db")
    async with rig(venue, journal=journal) as running:
        maker = Client(running, "maker")
        await maker.beat()
        await eventually(lambda: running.connector.leases.ended)
    async with rig(venue, journal=journal) as running:
        maker = Client(running, "maker")
        assert await maker.refusal("a") == "LEASE_EXPIRED"
        assert (await maker.beat()).lapsed
        await maker.place("a")


@pytest.mark.parametrize("ttl_ms", [-5, 10, 3_600_001])
async def test_a_ttl_out_of_bounds_is_refused_by_name(ttl_ms: int) -> None:
    async with rig() as running:
        with pytest.raises(grpc.aio.AioRpcError, match=f"ttl_ms {ttl_ms}: expected 1000 to 3600000") as refused:
            await Client(running, "maker").beat(ttl_ms)
        assert reason_of(refused.value) == "INVALID_REQUEST"
