"""Pending acknowledgements: the account stream's updates resolve them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from opensqt.model.order import Order, OrderRef, OrderStatus, Side
from opensqt.venues.account.acks import PendingAcks, wait_for_acks


def order(status: OrderStatus = OrderStatus.OPEN, **more: Any) -> Order:
    named = {"symbol": "BTCUSDT", "client_order_id": "client1", "order_id": "77"} | more
    return Order(side=Side.BUY, quantity=Decimal(1), status=status, **named)


BY_CLIENT_ID = OrderRef(symbol="BTCUSDT", client_order_id="client1")
BY_ORDER_ID = OrderRef(symbol="BTCUSDT", order_id="77")


async def test_an_update_resolves_the_acknowledgements_by_either_id() -> None:
    acks = PendingAcks()
    with acks.expect(BY_CLIENT_ID) as one, acks.expect(BY_ORDER_ID) as other:
        acks.resolve(order())
        await wait_for_acks([one, other], 10)
        assert one.order == other.order == order()


async def test_an_update_ahead_of_the_response_is_kept() -> None:
    acks = PendingAcks()
    with acks.expect(BY_CLIENT_ID) as ack:
        acks.resolve(order())
        acks.resolve(order(OrderStatus.FILLED))
        assert ack.order == order()


async def test_an_acknowledgement_of_the_end_ignores_other_updates() -> None:
    acks = PendingAcks()
    with acks.expect(BY_CLIENT_ID, closed=True) as ack:
        acks.resolve(order())
        assert ack.order is None
        acks.resolve(order(OrderStatus.CANCELED))
        assert ack.order == order(OrderStatus.CANCELED)


async def test_an_update_of_another_order_or_symbol_resolves_nothing() -> None:
    acks = PendingAcks()
    with acks.expect(BY_CLIENT_ID) as ack:
        acks.resolve(order(client_order_id="other", order_id="78"))
        acks.resolve(order(symbol="ETHUSDT"))
        await wait_for_acks([ack], 0)
        assert ack.order is None


async def test_an_acknowledgement_is_forgotten_after_its_block() -> None:
    acks = PendingAcks()
    with acks.expect(BY_CLIENT_ID), acks.expect(BY_CLIENT_ID):
        pass
    assert acks.pending == {}
