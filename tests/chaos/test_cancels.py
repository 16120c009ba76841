"""Fills that cross a cancel, and exits whose position is gone: each fill counts once, nothing flips, nothing loops."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from opensqt.model.errors import ExchangeError, OrderRejected, OutcomeUnknown, ReduceOnlyRefused
from opensqt.model.order import OrderRef, OrderStatus, OrderType, Side
from opensqt.venues.factory import VENUES
from tests.chaos.adapter_rig import LOT, PART, SYMBOL, UNLIMITED, Adapter, Rig, on_simulator
from tests.support import eventually
from tests.support.each import at_once


@pytest.mark.parametrize("told", ["by the stream", "by queries only"])
async def test_fills_between_a_cancel_and_its_answer_count_once_each(adapter: Adapter, told: str, large: bool) -> None:
    """F4: the cancel waits at the venue while the order fills, piece by piece."""
    count = 500 if large else 20
    async with adapter(server=UNLIMITED) as rig:
        request = rig.request(price=await rig.front(Side.BUY), quantity=PART * (count + 7))
        order = await rig.exchange.place_order(request)
        rig.fault(kind="delay", on="cancel_order", delay_ms=1_000)
        if told == "by queries only":
            rig.fault(kind="mute", channel="private", for_ms=2_500)
        ref = OrderRef(symbol=SYMBOL, order_id=order.order_id)
        canceling = asyncio.create_task(rig.exchange.cancel_order(ref))
        await eventually(lambda: _asked(rig, "cancel_order") == 1)
        for _ in range(count):
            rig.hit(Side.BUY, PART)
        assert rig.account["orders"][0]["status"] == "PARTIALLY_FILLED"
        answer = await canceling
        assert (answer.status, answer.filled_quantity) == (OrderStatus.CANCELED, PART * count)
        await rig.agrees()
        assert sum((fill.quantity for fill in rig.told), Decimal(0)) == PART * count


async def test_the_last_fill_of_an_order_may_meet_its_cancel(adapter: Adapter) -> None:
    """F4: nothing is left to cancel when the cancel is looked at; the answer is the fill."""
    async with adapter() as rig:
        order = await rig.exchange.place_order(rig.request(price=await rig.front(Side.BUY)))
        rig.fault(kind="delay", on="cancel_order", delay_ms=500)
        ref = OrderRef(symbol=SYMBOL, client_order_id=order.client_order_id)
        canceling = asyncio.create_task(rig.exchange.cancel_order(ref))
        await eventually(lambda: _asked(rig, "cancel_order") == 1)
        for _ in range(3):
            rig.hit(Side.BUY, PART)
        answer = await canceling
        assert (answer.status, answer.filled_quantity) == (OrderStatus.FILLED, LOT)
        await rig.agrees()


async def test_a_late_list_of_open_orders_does_not_bring_a_canceled_one_back() -> None:
    """F6: who lost the stream for a moment and asks would take it for open, and hear no more of it."""
    async with on_simulator("binance") as rig:
        gone, stays = [await rig.exchange.place_order(rig.request(price=await rig.far(level))) for level in range(2)]
        ref = OrderRef(symbol=SYMBOL, order_id=gone.order_id)
        before = _asked(rig, "open_orders")
        rig.fault(kind="delay", on="open_orders", delay_ms=1_000, before=False, times=0)
        listing = asyncio.create_task(rig.exchange.get_open_orders(SYMBOL))
        await eventually(lambda: _asked(rig, "open_orders") > before)
        await rig.exchange.cancel_order(ref)
        assert [order.order_id for order in await listing] == [stays.order_id]
        assert _closed(rig, ref)


@pytest.mark.parametrize("before", [True, False], ids=["before acceptance", "after acceptance"])
async def test_cancel_all_waits_for_an_order_on_its_way(adapter: Adapter, before: bool) -> None:
    """F39: the venue takes its time for the order, so that the first list of open orders may be without it."""
    async with adapter() as rig:
        rig.fault(kind="delay", on="place_order", delay_ms=1_000, before=before)
        placing = asyncio.create_task(rig.exchange.place_order(rig.request(price=await rig.far())))
        await eventually(lambda: _asked(rig, "place_order") == 1)
        canceled = await rig.exchange.cancel_all_orders(SYMBOL)
        assert [order.status for order in canceled] == [OrderStatus.CANCELED]
        assert [order["status"] for order in rig.account["orders"]] == ["CANCELED"]
        assert (await placing).order_id == canceled[0].order_id


async def test_cancel_all_names_an_order_that_it_canceled_before_it_saw_it() -> None:
    """F39: the order gets to the venue after the list of open orders, and before the cancel of them all.

    On all venues at once: nearly all of it is waiting.
    """

    async def check(venue: str) -> None:
        async with on_simulator(venue) as rig:
            price = await rig.far()
            listed = _asked(rig, "open_orders")
            rig.fault(kind="delay", on="place_order", delay_ms=2_000)
            rig.fault(kind="delay", on="open_orders", delay_ms=500, before=False)
            placing = asyncio.create_task(rig.exchange.place_order(rig.request(price=price)))
            await eventually(lambda: _asked(rig, "place_order") == 1)
            canceling = asyncio.create_task(rig.exchange.cancel_all_orders(SYMBOL))
            await eventually(lambda: _asked(rig, "open_orders") > listed)
            rig.simulator.faults.clear()
            # OKX has no request that cancels all: there the orders are listed once more.
            for operation in ("cancel_all", "open_orders"):
                rig.fault(kind="delay", on=operation, delay_ms=3_000)
            canceled = await canceling
            assert [order["status"] for order in rig.account["orders"]] == ["CANCELED"]
            assert [order.order_id for order in canceled] == [(await placing).order_id]

    await at_once(sorted(VENUES), check)


async def test_cancel_all_that_leaves_an_order_open_fails_and_names_it() -> None:
    """F39: the venue says yes to each cancel and does nothing; an answer of nothing would be taken for done.

    On all venues at once: nearly all of it is waiting.
    """

    async def check(venue: str) -> None:
        async with on_simulator(venue) as rig:
            order = await rig.exchange.place_order(rig.request(price=await rig.far()))
            for operation in ("cancel_all", "batch_cancel", "cancel_order"):
                rig.fault(kind="ignore", on=operation, times=0)
            with pytest.raises(OutcomeUnknown, match=order.order_id):
                await rig.exchange.cancel_all_orders(SYMBOL)
            assert rig.account["orders"][0]["status"] == "OPEN"

    await at_once(sorted(VENUES), check)


async def test_exits_of_a_position_that_was_shrunk_never_flip_it(adapter: Adapter) -> None:
    """F19: resting exits for the whole position; half of it is sold by hand, and then the exits are hit."""
    async with adapter() as rig:
        await rig.exchange.place_order(rig.request(Side.BUY, order_type=OrderType.MARKET, quantity=2 * LOT))
        price = await rig.front(Side.SELL)
        for _ in range(2):
            await rig.exchange.place_order(rig.request(Side.SELL, price, reduce_only=True))
        await rig.exchange.place_order(rig.request(Side.SELL, order_type=OrderType.MARKET, quantity=LOT + PART))
        rig.hit(Side.SELL, 2 * LOT)
        # What an exit that was cut or dropped is called then is each venue's own affair.
        await eventually(lambda: all(order.status.is_closed for order in rig.orders.values()))
        await eventually(lambda: set(rig.fills) == {fill["trade_id"] for fill in rig.account["fills"]})
        assert sum((fill.quantity for fill in rig.told if fill.side is Side.SELL), Decimal(0)) == 2 * LOT
        assert all(Decimal(one["quantity"]) == 0 for one in rig.account["positions"])


async def test_an_exit_of_nothing_is_refused_by_its_name(adapter: Adapter) -> None:
    """F19: whoever is told so does not send it again."""
    async with adapter() as rig:
        await rig.exchange.place_order(rig.request(Side.BUY, order_type=OrderType.MARKET))
        await rig.exchange.place_order(rig.request(Side.SELL, order_type=OrderType.MARKET))
        request = rig.request(Side.SELL, await rig.front(Side.SELL), reduce_only=True)
        refused: ExchangeError | None = None
        try:
            order = await rig.exchange.place_order(request)
        except (ReduceOnlyRefused, OrderRejected) as error:
            refused = error
        else:
            ref = OrderRef(symbol=SYMBOL, order_id=order.order_id)
            ended = await eventually(lambda: _closed(rig, ref))
            assert ended.filled_quantity == 0
        assert refused is None or isinstance(refused, ReduceOnlyRefused)
        rig.hit(Side.SELL, LOT)
        await rig.agrees()
        assert all(Decimal(one["quantity"]) == 0 for one in rig.account["positions"])


def _asked(rig: Rig, operation: str) -> int:
    return int(rig.simulator.ledger()["statistics"]["requests"].get(operation, 0))


def _closed(rig: Rig, ref: OrderRef) -> object:
    order = rig.orders.get(ref.order_id)
    return order if order is not None and order.status.is_closed else None
