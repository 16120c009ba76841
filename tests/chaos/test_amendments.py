"""Amendments whose replies are lost, that fills cross, and whose connector is killed: each is made at most once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from opensqt.model import client_order_id
from opensqt.model.errors import OutcomeUnknown, PostOnlyWouldCross, RateLimited, TradingHalted, Unreachable
from opensqt.model.order import AmendRequest, Order, OrderRef, OrderStatus, Side, TimeInForce
from opensqt.simulator import Simulator
from opensqt.venues.factory import VENUES, venue_type
from tests.chaos.adapter_rig import LOST_REPLIES, code_of, on_simulator
from tests.chaos.gateway_inside import inside
from tests.chaos.gateway_rig import LOT, SYMBOL, far, gateway, request
from tests.support import eventually
from tests.support.each import small

PART = Decimal("0.001")
AMENDING = sorted(name for name in VENUES if venue_type(name).capabilities.amend_order)


@pytest.fixture(params=AMENDING)
def venue(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def quick(venue: str) -> dict[str, Any]:
    """Settings of a connector that proves soon that nothing was done."""
    exchange = {"name": venue, "symbols": [SYMBOL], "recv_window_ms": 1_000, "visibility_margin_s": 0.5}
    return {"exchange": {**exchange, "reconcile_interval_s": 1.0}}


def to(order: Order, price: Decimal, **more: Any) -> AmendRequest:
    ref = OrderRef(symbol=SYMBOL, client_order_id=order.client_order_id)
    return AmendRequest(order=ref, amend_id=client_order_id.new("am"), price=price, **more)


async def insist(call: Callable[[], Awaitable[Order]]) -> Order:
    """Amend as a client that trusts its id: again and again until it is told what became of the order."""
    while True:
        try:
            return await call()
        except (OutcomeUnknown, Unreachable, RateLimited) as error:
            await asyncio.sleep(error.retry_after_s or 0.1)


def asked(simulator: Simulator) -> int:
    """How often the venue was asked to amend."""
    return int(simulator.ledger()["statistics"]["requests"].get("amend_order", 0))


async def test_lost_replies_leave_each_order_amended_once(venue: str, tmp_path: Path) -> None:
    """F1: accepted and the reply lost, three ways, and lost before it arrived; the client repeats its id."""
    async with gateway(venue, tmp_path, config=quick(venue)) as made, made.client(deadline_s=30) as exchange:
        price = await far(exchange)
        for level, fault in enumerate(LOST_REPLIES):
            order = await exchange.place_order(request(price=price - 10 * level))
            made.fault(on="amend_order", **fault)
            wanted = price - 10 * level - 1
            amended = await insist(partial(exchange.amend_order, to(order, wanted, quantity=LOT * 2)))
            assert (amended.price, amended.quantity, amended.status) == (wanted, LOT * 2, OrderStatus.OPEN)
        # Only what never arrived was sent again, and by the connector, not by the transport.
        assert asked(made.simulator) == len(LOST_REPLIES) + 1
        rows = made.account["orders"]
        assert [row["amendments"] for row in rows] == [1] * len(LOST_REPLIES)
        assert [Decimal(row["price"]) for row in rows] == [price - 10 * level - 1 for level in range(len(rows))]
        assert (await exchange.get_status()).unresolved_orders == 0


@pytest.mark.parametrize("venue", small(AMENDING, "binance", "okx"))
async def test_a_connector_killed_before_the_answer_knows_after_its_restart(venue: str, tmp_path: Path) -> None:
    """F9: the request waits at the venue when the connector is killed; it is made all the same, once.

    At test size for a venue that answers with the amended order, and one that only acknowledges the request.
    """
    async with gateway(venue, tmp_path, config=quick(venue)) as made, made.client(deadline_s=60) as exchange:
        price = await far(exchange)
        order = await exchange.place_order(request(price=price))
        made.fault(kind="delay", on="amend_order", delay_ms=1_000)
        amending = asyncio.create_task(insist(partial(exchange.amend_order, to(order, price - 1))))
        await eventually(lambda: asked(made.simulator))
        await made.restart()
        amended = await amending
        assert (amended.price, amended.status) == (price - 1, OrderStatus.OPEN)
        (row,) = made.account["orders"]
        assert (row["amendments"], Decimal(row["price"])) == (1, price - 1)


async def test_a_connector_killed_between_journal_and_send_sends_it_once(tmp_path: Path) -> None:
    """F9: it waits for the rate limit when the connector is killed, so that it is on disk and was not sent."""
    patient = {"exchange": quick("binance")["exchange"] | {"request_timeout_s": 120.0}}
    async with gateway("binance", tmp_path, config=patient) as made, made.client(deadline_s=60) as exchange:
        price = await far(exchange)
        order = await exchange.place_order(request(price=price))
        made.fault(kind="rate_limited", on="open_orders", retry_after_s=60)
        with pytest.raises(RateLimited):
            await exchange.get_open_orders(SYMBOL)
        amending = asyncio.create_task(insist(partial(exchange.amend_order, to(order, price - 1))))

        async def waits() -> bool:
            return (await exchange.get_rate_budget()).waiting > 0

        await eventually(waits)
        assert asked(made.simulator) == 0
        await made.restart()
        assert (await amending).price == price - 1
        (row,) = made.account["orders"]
        assert row["amendments"] == 1


@pytest.mark.parametrize("filled", [PART, LOT], ids=["in part", "whole"])
async def test_a_fill_that_crosses_an_amendment_is_counted(venue: str, filled: Decimal) -> None:
    """F4: the amendment waits at the venue while the order fills."""
    async with on_simulator(venue) as rig:
        front = await rig.front(Side.BUY)
        order = await rig.exchange.place_order(rig.request(price=front))
        rig.fault(kind="delay", on="amend_order", delay_ms=800)
        amending = asyncio.create_task(rig.exchange.amend_order(to(order, front - 100)))
        await eventually(lambda: asked(rig.simulator))
        rig.hit(Side.BUY, filled)
        told = await amending
        assert told.filled_quantity == filled
        if filled == LOT:
            assert (told.status, told.price) == (OrderStatus.FILLED, front)
        else:
            assert (told.status, told.price) == (OrderStatus.PARTIALLY_FILLED, front - 100)
        await rig.agrees()
        (row,) = rig.account["orders"]
        assert (Decimal(row["price"]), row["status"]) == (told.price, told.status)


async def test_a_post_only_order_amended_into_the_market_never_takes(venue: str) -> None:
    """F18: the venue refuses it or cancels the order; what is reported is what the ledger has."""
    async with on_simulator(venue) as rig:
        order = await rig.exchange.place_order(rig.request(price=await rig.far(), time_in_force=TimeInForce.POST_ONLY))
        crossing = (await rig.exchange.get_latest_price(SYMBOL)).ask + 10
        (outcome,) = await asyncio.gather(rig.exchange.amend_order(to(order, crossing)), return_exceptions=True)
        (row,) = rig.account["orders"]
        assert rig.account["fills"] == []
        assert Decimal(row["price"]) == order.price
        ended = isinstance(outcome, Order) and outcome.status.is_closed
        assert (row["status"] != "OPEN") is ended
        assert ended or isinstance(outcome, PostOnlyWouldCross)


@pytest.mark.parametrize("ended", [False, True], ids=["open", "ended"])
async def test_a_refusal_says_nothing_of_an_order_that_ended_meanwhile(venue: str, ended: bool) -> None:
    """F3: a venue may refuse an amendment and end the order by it; only the order proves that it is still open."""
    async with on_simulator(venue) as rig:
        order = await rig.exchange.place_order(rig.request(price=await rig.far()))
        assert order.price is not None
        rig.fault(kind="delay", on="amend_order", delay_ms=500)
        rig.fault(kind="refuse", on="amend_order", code=code_of(venue, PostOnlyWouldCross))
        amending = asyncio.create_task(rig.exchange.amend_order(to(order, order.price - 1)))
        await eventually(lambda: asked(rig.simulator))
        if ended:
            rig.simulator.engine.cancel("sim-key", SYMBOL, order_id=order.order_id)
            assert (await amending).status is OrderStatus.CANCELED
        else:
            with pytest.raises(PostOnlyWouldCross):
                await amending
        await rig.agrees()


@pytest.mark.parametrize("mute", [False, True], ids=["streamed", "queried"])
async def test_what_the_stream_does_not_report_is_found_by_queries(venue: str, mute: bool) -> None:
    """F7: an acknowledged amendment is told as done only when the order shows it."""
    async with on_simulator(venue) as rig:
        order = await rig.exchange.place_order(rig.request(price=await rig.far()))
        assert order.price is not None
        if mute:
            rig.fault(kind="mute", channel="private", for_ms=5_000)
        told = await rig.exchange.amend_order(to(order, order.price - 1, quantity=LOT * 2))
        (row,) = rig.account["orders"]
        assert (Decimal(row["price"]), Decimal(row["quantity"])) == (told.price, told.quantity)
        assert (told.price, told.quantity) == (order.price - 1, LOT * 2)
        await rig.agrees()


async def test_the_kill_switch_waits_for_an_amendment_that_waits_at_the_venue(venue: str) -> None:
    """F39: nothing is open or in flight when cancel-all ends."""
    async with inside(venue) as made, made.client() as exchange:
        price = await far(exchange)
        order = await exchange.place_order(request(price=price))
        made.fault(kind="delay", on="amend_order", delay_ms=1_500)
        amending = asyncio.create_task(insist(partial(exchange.amend_order, to(order, price - 1))))
        await eventually(lambda: asked(made.simulator))
        await exchange.cancel_all_orders(SYMBOL)
        assert made.connector.orders.in_flight() == []
        (row,) = made.simulator.ledger()["accounts"]["sim-key"]["orders"]
        assert row["status"] == "CANCELED"
        assert (await amending).status is OrderStatus.CANCELED


async def test_a_halt_takes_back_an_amendment_that_waits_to_be_sent() -> None:
    """F39: what waits for the rate limit when trading is halted is not sent."""
    async with inside("binance", request_timeout_s=120.0) as made, made.client() as exchange:
        price = await far(exchange)
        order = await exchange.place_order(request(price=price))
        made.fault(kind="rate_limited", on="open_orders", retry_after_s=60)
        with pytest.raises(RateLimited):
            await exchange.get_open_orders(SYMBOL)
        amending = asyncio.create_task(exchange.amend_order(to(order, price - 1)))
        await eventually(lambda: made.connector.amendments.pending)
        await exchange.halt_trading("stop")
        with pytest.raises(TradingHalted):
            await amending
        assert asked(made.simulator) == 0
