"""What became of orders that the venue took without saying more than their ids."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from opensqt.model.errors import ExchangeError, OrderNotFound, OutcomeUnknown, Unreachable
from opensqt.model.order import Order, OrderRef, OrderRequest, OrderStatus, Side, TimeInForce
from opensqt.venues.bitget.outcomes import Outcomes
from opensqt.venues.venue import acknowledged_order


class Answers:
    """Answers from lists, and counts how often it is asked."""

    def __init__(self, *known: Order, failure: ExchangeError | None = None) -> None:
        self.known = {order.client_order_id: order for order in known}
        self.failure = failure
        self.asked: list[str] = []

    async def order(self, ref: OrderRef) -> Order:
        self.asked.append("order")
        if self.failure is not None:
            raise self.failure
        if ref.client_order_id not in self.known:
            raise OrderNotFound("no such order")
        return self.known[ref.client_order_id]

    async def open_orders(self, symbol: str = "") -> list[Order]:
        self.asked.append("open")
        return [order for order in self.known.values() if order.status.is_open]

    async def closed_orders(self, symbol: str) -> list[Order]:
        self.asked.append("closed")
        return [order for order in self.known.values() if order.status.is_closed]


def request(name: str, force: TimeInForce = TimeInForce.POST_ONLY, **more: bool) -> OrderRequest:
    return OrderRequest(
        symbol="BTCUSDT", side=Side.BUY, quantity=Decimal(1), client_order_id=name, price=Decimal(9),
        time_in_force=force, **more,
    )  # fmt: skip


def order(name: str, status: OrderStatus = OrderStatus.OPEN) -> Order:
    return replace(acknowledged_order(request(name), f"id-{name}", 1), status=status)


async def test_a_plain_limit_order_is_open_without_asking() -> None:
    answers = Answers()
    placed = await Outcomes(answers).placed(request("a", TimeInForce.GTC), "7", 5)
    assert (placed.status, placed.order_id, placed.event_time_ms, answers.asked) == (OrderStatus.OPEN, "7", 5, [])


async def test_a_post_only_order_is_asked_for_as_it_may_be_canceled() -> None:
    """F18: a post-only order never takes."""
    answers = Answers(order("a", OrderStatus.CANCELED))
    assert (await Outcomes(answers).placed(request("a"), "7", 5)).status is OrderStatus.CANCELED


@pytest.mark.parametrize("failure", [OrderNotFound("hidden"), Unreachable("gone")])
async def test_one_that_cannot_be_asked_for_is_open_as_it_was_accepted(failure: ExchangeError) -> None:
    """F3: a failed query is no refusal."""
    placed = await Outcomes(Answers(failure=failure)).placed(request("a"), "7", 5)
    assert (placed.status, placed.order_id) == (OrderStatus.OPEN, "7")


async def test_one_without_an_id_that_cannot_be_asked_for_is_in_doubt() -> None:
    """F1: reduce-only orders that take the place of others are answered without an id."""
    asked_for = request("a", TimeInForce.GTC, reduce_only=True)
    with pytest.raises(OutcomeUnknown):
        await Outcomes(Answers()).placed(asked_for, "", 5)
    assert (await Outcomes(Answers(order("a"))).placed(asked_for, "", 5)).order_id == "id-a"


async def test_a_large_batch_is_looked_up_in_one_list_and_only_what_is_missing_is_asked_for() -> None:
    """F2: a batch is answered item by item, and a failed one is never sent again item by item.
    F16: the venue's limits are kept, no ban follows, and cancels still pass.
    """
    names = "abcdefgh"
    answers = Answers(*(order(name) for name in names[:-1]), order("h", OrderStatus.CANCELED))
    requests = [request(name) for name in names]
    told = await Outcomes(answers).placed_batch(requests, {name: f"id-{name}" for name in names}, 5)
    assert [told[name].status for name in names] == [OrderStatus.OPEN] * 7 + [OrderStatus.CANCELED]  # type: ignore[union-attr]
    assert answers.asked == ["open", "order"]


async def test_a_large_batch_of_cancels_is_looked_up_in_one_list() -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    refs = [OrderRef(symbol="BTCUSDT", client_order_id=name) for name in "abcdefgh"]
    answers = Answers(*(order(name, OrderStatus.CANCELED) for name in "abcdefgh"))
    told = await Outcomes(answers).canceled_batch("BTCUSDT", refs)
    assert {one.status for one in told.values() if isinstance(one, Order)} == {OrderStatus.CANCELED}
    assert (len(told), answers.asked) == (8, ["closed"])


async def test_a_cancel_that_the_queries_do_not_show_leaves_the_order_in_doubt() -> None:
    """F4: a fill that crosses a cancel is counted, and its slot is not used too early."""
    ref = OrderRef(symbol="BTCUSDT", client_order_id="a")
    answers = Answers(order("a"))
    with pytest.raises(OutcomeUnknown, match="still OPEN"):
        await Outcomes(answers).canceled(ref)
    assert len(answers.asked) > 1
    with pytest.raises(OutcomeUnknown):
        await Outcomes(Answers()).canceled(ref)
