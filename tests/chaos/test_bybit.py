"""What can go wrong on Bybit alone: replies that only say that a request was taken, rights, limits by the second."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
import structlog

from opensqt.model.account import PositionMode
from opensqt.model.errors import ExchangeError, PermissionDenied, PostOnlyWouldCross
from opensqt.model.order import OrderRef, OrderRequest, OrderStatus, OrderType, PositionSide, Side, TimeInForce
from opensqt.simulator import Simulator, SimulatorSettings
from opensqt.simulator.settings import AccountSettings
from opensqt.venues.factory import create_exchange
from tests.chaos.adapter_rig import LOT, SYMBOL, on_simulator, settings
from tests.support import eventually


async def test_without_a_word_of_the_stream_the_order_is_asked_for() -> None:
    """F13, F18: what became of an order is not guessed while the stream is mute."""
    async with on_simulator("bybit") as rig:
        rig.fault(kind="mute", channel="private")
        resting = await rig.exchange.place_order(rig.request(price=await rig.far()))
        assert resting.status is OrderStatus.OPEN
        crossing = await rig.front(Side.SELL) + 100
        with pytest.raises(PostOnlyWouldCross):
            await rig.exchange.place_order(rig.request(price=crossing, time_in_force=TimeInForce.POST_ONLY))
        canceled = await rig.exchange.cancel_order(OrderRef(symbol=SYMBOL, order_id=resting.order_id))
        assert canceled.status is OrderStatus.CANCELED


async def test_an_order_that_neither_stream_nor_query_tells_is_answered_as_taken() -> None:
    """F1: the reply proved that the venue has it."""
    async with on_simulator("bybit") as rig:
        rig.fault(kind="mute", channel="private", for_ms=3_000)
        rig.fault(kind="hide_orders", for_ms=2_000)
        request = rig.request(price=await rig.far())
        order = await rig.exchange.place_order(request)
        assert (order.status, order.client_order_id) == (OrderStatus.OPEN, request.client_order_id)
        assert [row["order_id"] for row in rig.account["orders"]] == [order.order_id]
        await rig.agrees()


async def test_a_batch_without_a_word_of_the_stream_asks_for_each_of_its_orders_once() -> None:
    """F2: a batch is answered item by item, and a failed one is never sent again item by item."""
    async with on_simulator("bybit") as rig:
        rig.fault(kind="mute", channel="private", for_ms=3_000)
        requests = [rig.request(price=await rig.far(level)) for level in range(10)]
        answers = await rig.exchange.batch_place_orders(requests)
        assert not [answer for answer in answers if isinstance(answer, ExchangeError)]
        assert rig.simulator.ledger()["statistics"]["requests"]["get_order"] == 10


async def test_more_orders_than_the_venue_takes_in_a_second_wait_and_are_not_refused() -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    async with on_simulator("bybit") as rig:
        price = await rig.far()
        orders = await asyncio.gather(*(rig.exchange.place_order(rig.request(price=price)) for _ in range(25)))
        assert {order.status for order in orders} == {OrderStatus.OPEN}
        assert "10006" not in rig.simulator.ledger()["statistics"]["refused"]


async def test_a_fill_and_its_order_that_are_told_apart_end_up_together() -> None:
    """F6, F8: shuffled frames, so that fills come ahead of their orders."""
    async with on_simulator("bybit") as rig:
        rig.fault(kind="reorder", channel="orders", window=6, times=0)
        for _ in range(3):
            await rig.exchange.place_order(rig.request(Side.BUY, order_type=OrderType.MARKET))
            await rig.exchange.place_order(rig.request(Side.SELL, order_type=OrderType.MARKET))
        await rig.agrees()


async def test_fills_that_only_a_query_tells_have_their_profit_and_their_position() -> None:
    """F12, F36: in hedge mode the venue's trade query names neither."""
    async with on_simulator("bybit", PositionMode.HEDGE) as rig:
        for side, position_side in (
            (Side.BUY, PositionSide.LONG),
            (Side.SELL, PositionSide.SHORT),
            (Side.SELL, PositionSide.LONG),
        ):
            request = rig.request(side, order_type=OrderType.MARKET, position_side=position_side)
            await rig.exchange.place_order(request)
        listed = await rig.exchange.list_fills(SYMBOL, since_ms=1)
        wanted = [(row["position_side"], Decimal(row["realized_pnl"])) for row in rig.account["fills"]]
        assert [(fill.position_side, fill.realized_pnl) for fill in listed] == wanted
        assert any(profit for _, profit in wanted)


async def test_funding_is_no_fill() -> None:
    """F8: the venue lists it among the executions, streamed and asked for."""
    settled = SimulatorSettings(exchange="bybit", port=0, clock="manual", start_ms=1_700_006_400_000 - 2000)
    async with Simulator(settled) as simulator, create_exchange(settings(simulator)) as exchange:
        bought = {"symbol": SYMBOL, "side": Side.BUY, "quantity": LOT, "client_order_id": "funded"}
        await exchange.place_order(OrderRequest(**bought, order_type=OrderType.MARKET))
        await simulator.advance(3000)
        assert simulator.engine.funding_payments("sim-key")
        fills = await exchange.list_fills(SYMBOL, since_ms=1)
        assert {fill.trade_id for fill in fills} == {fill.trade_id for fill in simulator.engine.fills("sim-key")}


async def test_a_key_that_may_not_trade_ends_the_start() -> None:
    """F34: a key that can withdraw, or can't trade, is reported before the first order."""
    async with _with_rights(may_trade=False) as simulator:
        with pytest.raises(PermissionDenied, match="may not trade"):
            await create_exchange(settings(simulator)).start()


async def test_a_key_that_may_withdraw_is_warned_of_at_the_start() -> None:
    """F34: a key that can withdraw, or can't trade, is reported before the first order."""
    async with _with_rights(may_withdraw=True) as simulator:
        with structlog.testing.capture_logs() as lines:
            async with create_exchange(settings(simulator)):
                pass
        assert [line for line in lines if "withdraw" in line["event"]]


async def test_a_leverage_that_is_in_force_already_is_no_error() -> None:
    """F21: the leverage in force is the one that was asked for."""
    async with on_simulator("bybit", leverage={SYMBOL: 10}) as rig:
        (position,) = await rig.exchange.get_positions(SYMBOL)
        assert position.leverage == 10


async def test_a_connection_that_is_cut_between_login_and_subscription_is_made_again() -> None:
    """F6: no fill or update is missed across a reconnect or a lost frame."""
    async with on_simulator("bybit") as rig:
        rig.fault(kind="cut", channel="private", times=5, every_ms=60)
        await eventually(lambda: rig.simulator.ledger()["statistics"]["connections_opened"]["private"] >= 4)
        await rig.trade(2)
        await rig.agrees()


def _with_rights(**rights: bool) -> Simulator:
    return Simulator(SimulatorSettings(exchange="bybit", port=0, accounts=(AccountSettings(**rights),)))


async def test_the_answer_to_a_ping_is_no_malformed_frame() -> None:
    """F25: ccxt numbers its pings, and the answer has the number as text."""
    async with on_simulator("bybit") as rig:
        client = rig.exchange.client
        for socket in list(client.clients.values()):
            await socket.send(client.ping(socket))
        await rig.trade(1)
        await rig.agrees()
        assert rig.exchange.malformed_frames == 0
