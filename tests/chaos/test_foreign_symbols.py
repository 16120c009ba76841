"""An order is named by its symbol and its id: under another symbol nothing is canceled, on all five venues."""

from __future__ import annotations

from decimal import Decimal

import pytest

from opensqt.model.errors import ExchangeError, OrderNotFound
from opensqt.model.order import Order, OrderRef
from tests.chaos.adapter_rig import Adapter, Rig, on_simulator

OTHER = "ETHUSDT"


async def foreign_order(rig: Rig) -> Order:
    """An order of the other symbol, far from its market."""
    price = (await rig.exchange.get_latest_price(OTHER)).bid - 100
    return await rig.exchange.place_order(rig.request(symbol=OTHER, price=price, quantity=Decimal("0.1")))


def state_of(rig: Rig, order: Order) -> str:
    (state,) = [one["status"] for one in rig.account["orders"] if one["client_order_id"] == order.client_order_id]
    return str(state)


@pytest.mark.parametrize("by", ["client_order_id", "order_id"])
async def test_a_cancel_under_another_symbol_leaves_the_order(adapter: Adapter, by: str) -> None:
    """Gate's cancel goes without a symbol: a client that may trade BTCUSDT canceled somebody's ETHUSDT order."""
    async with adapter() as rig:
        order = await foreign_order(rig)
        ref = OrderRef(symbol="BTCUSDT", **{by: getattr(order, by)})
        with pytest.raises(ExchangeError):
            await rig.exchange.cancel_order(ref)
        (answer,) = await rig.exchange.batch_cancel_orders([ref])
        assert isinstance(answer, ExchangeError)
        assert state_of(rig, order) == "OPEN"
        right = OrderRef(symbol=OTHER, client_order_id=order.client_order_id)
        assert (await rig.exchange.cancel_order(right)).status.is_closed


async def test_gate_is_sent_no_cancel_of_an_order_of_which_the_symbol_is_not_known() -> None:
    async with on_simulator("gate") as rig:
        with pytest.raises(OrderNotFound):
            await rig.exchange.cancel_order(OrderRef(symbol="BTCUSDT", client_order_id="nobody-knows-it"))
        asked = rig.simulator.ledger()["statistics"]["requests"]
        assert not [name for name in asked if "cancel" in name], asked
