"""A reply says that a request was taken; the stream's word says what became of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from opensqt.model.order import Order, OrderRef, OrderStatus, Side
from opensqt.venues.account.acks import Words, heard


def order(status: OrderStatus = OrderStatus.OPEN, **more: Any) -> Order:
    named = {"symbol": "BTCUSDT", "client_order_id": "mine", "order_id": "77"} | more
    return Order(side=Side.BUY, quantity=Decimal(1), status=status, **named)


OURS = OrderRef(symbol="BTCUSDT", client_order_id="mine")
THEIRS = OrderRef(symbol="BTCUSDT", order_id="77")


async def test_a_word_is_heard_by_whoever_named_the_order_with_either_id() -> None:
    words = Words()
    with words.expected(OURS) as one, words.expected(THEIRS) as other:
        words.tell(order())
        await heard([one, other], 10)
        assert one.order == other.order == order()


async def test_a_word_that_came_before_the_reply_is_kept() -> None:
    words = Words()
    with words.expected(OURS) as word:
        words.tell(order())
        words.tell(order(OrderStatus.FILLED))
        assert word.order == order()


async def test_who_waits_for_the_end_does_not_take_another_word() -> None:
    words = Words()
    with words.expected(OURS, closed=True) as word:
        words.tell(order())
        assert word.order is None
        words.tell(order(OrderStatus.CANCELED))
        assert word.order == order(OrderStatus.CANCELED)


async def test_a_word_on_another_order_or_symbol_is_not_ours() -> None:
    words = Words()
    with words.expected(OURS) as word:
        words.tell(order(client_order_id="other", order_id="78"))
        words.tell(order(symbol="ETHUSDT"))
        await heard([word], 0)
        assert word.order is None


async def test_nobody_is_kept_waiting_for() -> None:
    words = Words()
    with words.expected(OURS), words.expected(OURS):
        pass
    assert words._waiting == {}
