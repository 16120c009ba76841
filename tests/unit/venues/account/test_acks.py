"""A reply says that a request was taken; the stream's word says what became of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from opensqt.model.order import Order, OrderRef, OrderStatus, Side
from opensqt.venues.account.acks import PendingAcks, wait_for_acks


def order(status: OrderStatus = OrderStatus.OPEN, **more: Any) -> Order:
    named = {"symbol": "BTCUSDT", "client_order_id": "mine", "order_id": "77"} | more
    return Order(side=Side.BUY, quantity=Decimal(1), status=status, **named)


OURS = OrderRef(symbol="BTCUSDT", client_order_id="mine")
THEIRS = OrderRef(symbol="BTCUSDT", order_id="77")


async def test_a_word_is_heard_by_whoever_named_the_order_with_either_id() -> None:
    acks = PendingAcks()
    with acks.expect(OURS) as one, acks.expect(THEIRS) as other:
        acks.resolve(order())
        await wait_for_acks([one, other], 10)
        assert one.order == other.order == order()


async def test_a_word_that_came_before_the_reply_is_kept() -> None:
    acks = PendingAcks()
    with acks.expect(OURS) as ack:
        acks.resolve(order())
        acks.resolve(order(OrderStatus.FILLED))
        assert ack.order == order()


async def test_who_waits_for_the_end_does_not_take_another_word() -> None:
    acks = PendingAcks()
    with acks.expect(OURS, closed=True) as ack:
        acks.resolve(order())
        assert ack.order is None
        acks.resolve(order(OrderStatus.CANCELED))
        assert ack.order == order(OrderStatus.CANCELED)


async def test_a_word_on_another_order_or_symbol_is_not_ours() -> None:
    acks = PendingAcks()
    with acks.expect(OURS) as ack:
        acks.resolve(order(client_order_id="other", order_id="78"))
        acks.resolve(order(symbol="ETHUSDT"))
        await wait_for_acks([ack], 0)
        assert ack.order is None


async def test_nobody_is_kept_waiting_for() -> None:
    acks = PendingAcks()
    with acks.expect(OURS), acks.expect(OURS):
        pass
    assert acks._waiting == {}
