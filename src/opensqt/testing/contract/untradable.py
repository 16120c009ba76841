"""A symbol that stops trading while it is held: it is seen, closed and canceled, and nothing is opened."""

from __future__ import annotations

from decimal import Decimal

import pytest

from opensqt.model.errors import OrderDenied, OrderRejected
from opensqt.model.order import OrderStatus, Side
from opensqt.testing.contract.bench import LOT, SYMBOL, Bench, ref
from opensqt.testing.contract.wait import eventually

NOT_OPENED = (OrderDenied, OrderRejected)
"""Denied once the state is known, and refused by the venue before."""


class TestUntradableSymbols:
    async def test_an_order_that_opens_is_refused_and_then_denied(self, bench: Bench) -> None:
        await bench.take(Side.BUY)
        await bench.market.stop_trading()
        with pytest.raises(NOT_OPENED):
            await bench.exchange.place_order(bench.order(Side.BUY, await bench.far(Side.BUY)))
        await self._is_known(bench)
        with pytest.raises(OrderDenied, match=f"{SYMBOL}: does not trade"):
            await bench.exchange.place_order(bench.order(Side.BUY, await bench.far(Side.BUY)))
        assert await bench.exchange.get_open_orders(SYMBOL) == []

    async def test_what_is_held_is_seen_and_can_be_closed(self, bench: Bench) -> None:
        await bench.take(Side.BUY)
        await bench.holds(LOT)
        await bench.market.stop_trading()
        await self._is_known(bench)
        assert [(one.symbol, one.quantity) for one in await bench.exchange.get_positions() if not one.is_flat] == [
            (SYMBOL, LOT)
        ]
        await bench.take(Side.SELL, reduce_only=True)
        await bench.holds(Decimal(0))

    async def test_an_open_order_is_seen_and_can_be_canceled(self, bench: Bench) -> None:
        one, other = await bench.resting(), await bench.resting()
        await bench.market.stop_trading()
        await self._is_known(bench)
        shown = await bench.exchange.get_open_orders()
        assert {order.client_order_id for order in shown} == {one.client_order_id, other.client_order_id}
        await bench.exchange.cancel_order(ref(one))
        await bench.becomes(ref(one), OrderStatus.CANCELED)
        canceled = await bench.exchange.cancel_all_orders(SYMBOL)
        assert [order.client_order_id for order in canceled] == [other.client_order_id]

    async def _is_known(self, bench: Bench) -> None:
        """Wait until the exchange says that the symbol does not trade."""

        async def known() -> bool:
            rules = (await bench.exchange.get_exchange_info()).rules(SYMBOL)
            return rules is not None and not rules.tradable

        await eventually(known, what=f"{SYMBOL} untradable")
