"""A client that holds a lease dies: its orders go, and nobody else's, whatever fails meanwhile."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from opensqt.model.errors import OutcomeUnknown
from opensqt.model.order import OrderRef
from opensqt.simulator.engine.order import NewOrder
from opensqt.venues.factory import VENUES
from tests.chaos.gateway_rig import LOT, SYMBOL, Gateway, Side, far, gateway, request
from tests.support import eventually, start
from tests.support.each import small

ROOT = Path(__file__).parents[2]
CANCELS = ("cancel_order", "batch_cancel", "cancel_all")


@asynccontextmanager
async def with_others(venue: str, folder: Path) -> AsyncIterator[tuple[Gateway, set[str]]]:
    """A connector over an account where another client and a stranger have an order each; their ids."""
    async with gateway(venue, folder) as made, made.client(name="other") as other:
        others = request(price=await far(other))
        await other.place_order(others)
        foreign = NewOrder(symbol=SYMBOL, side=Side.BUY, quantity=LOT, price=others.price, client_order_id="foreign1")
        made.simulator.engine.place("sim-key", foreign)
        yield made, {others.client_order_id, "foreign1"}


async def kill_a_holder(made: Gateway, *, ttl_s: float = 3, orders: int = 3) -> set[str]:
    """Let a client with a lease place its orders, kill it, and answer their ids."""
    before = made.open_ids
    arguments = (made.address, "mortal", str(ttl_s), str(orders))
    async with start("tests.chaos.lease_holder", *arguments, cwd=ROOT) as holder:
        await holder.ready()
        own = made.open_ids - before
        holder.send(signal.SIGKILL)
        await holder.wait()
    assert len(own) == orders
    return own


@pytest.mark.parametrize("venue", small(sorted(VENUES), "binance", "gate"))
async def test_a_killed_clients_orders_go_and_no_others_though_cancels_fail(venue: str, tmp_path: Path) -> None:
    """F16, F30: after a 503, a lost reply and a 429, exactly the orders of the one that held a lease are gone.

    At test size for a venue where cancels go in batches, and one where each goes alone: test_orders.py shows for each
    venue that the order is asked for after a lost answer.
    """
    async with with_others(venue, tmp_path) as (made, others):
        for operation in CANCELS:
            made.fault(kind="error_before", on=operation, status=503)
            made.fault(kind="drop_reply", on=operation, skip=1)
            made.fault(kind="rate_limited", on=operation, skip=2, retry_after_s=1)
        own = await kill_a_holder(made)
        await eventually(lambda: made.open_ids == others)
        canceled = {one["client_order_id"] for one in made.account["orders"] if one["status"] == "CANCELED"}
        assert canceled == own
        assert made.account["duplicate_client_order_ids"] == []
        assert made.simulator.ledger()["statistics"]["http_418"] == 0


async def test_a_connector_killed_while_it_cancels_goes_on_after_its_restart(tmp_path: Path) -> None:
    """F9: a restart neither loses nor doubles an order. F30: a stop ends soon and takes away own orders only."""
    async with with_others("binance", tmp_path) as (made, others):
        for operation in CANCELS:
            made.fault(kind="error_before", on=operation, status=503, times=0)
        own = await kill_a_holder(made)
        await eventually(lambda: made.simulator.ledger()["statistics"]["requests"].get("batch_cancel"))
        await made.kill()
        made.simulator.faults.clear()
        assert made.open_ids == own | others
        await made.start()
        await eventually(lambda: made.open_ids == others)
        async with made.client(name="mortal") as back:
            assert (await back.heartbeat(60)).lapsed
            await back.place_order(request(price=await far(back)))


async def test_a_client_that_dies_with_its_connector_loses_its_orders_after_a_whole_ttl(tmp_path: Path) -> None:
    """F9: a restart neither loses nor doubles an order. F30: a stop ends soon and takes away own orders only."""
    async with with_others("binance", tmp_path) as (made, others):
        await kill_a_holder(made, ttl_s=4)
        await made.restart()
        await eventually(lambda: made.open_ids == others)


async def test_a_client_that_outlives_its_connector_keeps_its_orders(tmp_path: Path) -> None:
    """F30: the connector was away for longer than the lease lasts, and that was not the client's doing."""
    async with gateway("binance", tmp_path) as made, made.client(name="maker") as maker:
        asked = request(price=await far(maker))
        await maker.place_order(asked)
        await maker.heartbeat(3)
        await made.kill()
        await asyncio.sleep(3.2)  # the lease's whole life
        await made.start()
        assert (await maker.heartbeat(60)).lapsed is False
        assert made.open_ids == {asked.client_order_id}


async def test_an_order_in_flight_when_the_lease_ends_is_canceled_once_it_is_there(tmp_path: Path) -> None:
    async with with_others("binance", tmp_path) as (made, others), made.client(name="mortal", deadline_s=5) as mortal:
        asked = request(price=await far(mortal))
        await mortal.heartbeat(6)
        made.fault(kind="delay", on="place_order", delay_ms=9_000)
        with pytest.raises(OutcomeUnknown):
            await mortal.place_order(asked)
        assert made.open_ids == others
        await eventually(
            lambda: made.simulator.engine.orders("sim-key", SYMBOL)[-1].client_order_id == asked.client_order_id
        )
        await eventually(lambda: made.open_ids == others)
        order = await mortal.get_order(OrderRef(symbol=SYMBOL, client_order_id=asked.client_order_id))
        assert order.status == "CANCELED"
