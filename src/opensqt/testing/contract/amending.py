"""Amending: an open order keeps its ids and its fills, and gets another price or another quantity."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from opensqt.model import client_order_id
from opensqt.model.errors import (
    DuplicateOrder,
    InvalidRequest,
    OrderDenied,
    OrderNotFound,
    OrderRejected,
    PostOnlyWouldCross,
    UnknownSymbol,
    Unsupported,
)
from opensqt.model.order import AmendRequest, Order, OrderRef, OrderStatus, OrderUpdate, Side, TimeInForce
from opensqt.testing.contract.bench import LOT, SYMBOL, Bench, read_until, ref, venue_ref

amends = pytest.mark.needs_capability("amending", lambda able: able.amend_order)
Named = Callable[[Order], OrderRef]


def amendment(order: OrderRef, **changes: Any) -> AmendRequest:
    """Make an amendment with a new id."""
    return AmendRequest(**{"order": order, "amend_id": client_order_id.new("am"), **changes})


async def lower(bench: Bench, order: Order) -> Decimal:
    """Return a price at which a resting buy order rests, too."""
    assert order.price is not None
    return order.price - 10 * bench.rules.price_step


@amends
class TestAmendOrder:
    @pytest.mark.parametrize("named", [ref, venue_ref], ids=["client id", "order id"])
    async def test_it_rests_at_the_new_price_with_the_new_quantity_under_its_ids(
        self, bench: Bench, named: Named
    ) -> None:
        order = await bench.resting()
        price = await lower(bench, order)
        amended = await bench.exchange.amend_order(amendment(named(order), price=price, quantity=LOT * 2))
        found = await bench.exchange.get_order(ref(order))
        for one in (amended, found):
            assert (one.order_id, one.client_order_id) == (order.order_id, order.client_order_id)
            assert (one.price, one.quantity, one.status) == (price, LOT * 2, OrderStatus.OPEN)
        assert len(await bench.exchange.get_open_orders(SYMBOL)) == 1

    async def test_what_is_not_asked_for_stays(self, bench: Bench) -> None:
        order = await bench.resting()
        price = await lower(bench, order)
        first = await bench.exchange.amend_order(amendment(ref(order), price=price))
        assert (first.price, first.quantity) == (price, LOT)
        second = await bench.exchange.amend_order(amendment(ref(order), quantity=LOT * 2))
        assert (second.price, second.quantity) == (price, LOT * 2)

    async def test_its_quantity_is_counted_with_what_is_filled(self, bench: Bench) -> None:
        order = await bench.resting_first()
        await bench.market.hit(order, LOT / 2)
        await bench.becomes(ref(order), OrderStatus.PARTIALLY_FILLED)
        amended = await bench.exchange.amend_order(amendment(ref(order), quantity=LOT * 2))
        assert (amended.filled_quantity, amended.remaining_quantity) == (LOT / 2, LOT * 3 / 2)
        assert amended.status is OrderStatus.PARTIALLY_FILLED

    async def test_one_whose_new_price_crosses_takes(self, bench: Bench) -> None:
        order = await bench.resting()
        await bench.exchange.amend_order(amendment(ref(order), price=await bench.crossing(Side.BUY)))
        filled = await bench.becomes(ref(order), OrderStatus.FILLED)
        assert filled.filled_quantity == LOT
        await bench.holds(LOT)

    async def test_a_post_only_one_never_takes(self, bench: Bench) -> None:
        """F18: it is refused and stays, or the venue ends it; either is reported."""
        order = await bench.resting(time_in_force=TimeInForce.POST_ONLY)
        try:
            result = await bench.exchange.amend_order(amendment(ref(order), price=await bench.crossing(Side.BUY)))
            assert result.status in (OrderStatus.CANCELED, OrderStatus.EXPIRED)
        except PostOnlyWouldCross:
            result = order
        found = await bench.exchange.get_order(ref(order))
        assert (found.status, found.price, found.filled_quantity) == (result.status, order.price, Decimal(0))
        assert (await bench.position()).is_flat

    async def test_one_amended_to_less_than_is_filled_is_reported_as_it_is(self, bench: Bench) -> None:
        order = await bench.resting_first()
        await bench.market.hit(order, LOT / 2)
        await bench.becomes(ref(order), OrderStatus.PARTIALLY_FILLED)
        try:
            result = await bench.exchange.amend_order(amendment(ref(order), quantity=LOT / 10 * 4))
            assert result.status.is_closed
        except OrderRejected:
            result = await bench.exchange.get_order(ref(order))
            assert result.status is OrderStatus.PARTIALLY_FILLED
        found = await bench.exchange.get_order(ref(order))
        assert (found.status, found.filled_quantity) == (result.status, LOT / 2)

    async def test_one_that_a_fill_ended_first_is_returned_as_filled(self, bench: Bench) -> None:
        """F4: a fill that crosses an amendment is counted, and nothing is placed in its stead."""
        order = await bench.resting_first()
        await bench.market.hit(order, LOT)
        result = await bench.exchange.amend_order(amendment(ref(order), price=await bench.far(Side.BUY)))
        assert (result.status, result.filled_quantity, result.price) == (OrderStatus.FILLED, LOT, order.price)
        assert await bench.exchange.get_open_orders(SYMBOL) == []

    async def test_one_that_has_what_is_asked_for_is_returned_as_it_is(self, bench: Bench) -> None:
        order = await bench.resting()
        same = await bench.exchange.amend_order(amendment(ref(order), price=order.price, quantity=LOT))
        assert (same.price, same.quantity, same.status) == (order.price, LOT, OrderStatus.OPEN)

    @pytest.mark.parametrize("changes", [{"price": "0.05"}, {"quantity": "0.0005"}, {"quantity": "0"}], ids=str)
    async def test_a_rule_is_checked_before_it_is_sent(self, bench: Bench, changes: dict[str, str]) -> None:
        """F23: a price that misses the step is refused here, not at the venue."""
        order = await bench.resting()
        assert order.price is not None
        more = {"price": order.price, "quantity": LOT}
        wrong = {name: Decimal(text) + (more[name] if text != "0" else 0) for name, text in changes.items()}
        with pytest.raises((OrderDenied, InvalidRequest)):
            await bench.exchange.amend_order(amendment(ref(order), **wrong))
        found = await bench.exchange.get_order(ref(order))
        assert (found.price, found.quantity) == (order.price, LOT)

    @pytest.mark.parametrize(
        "missing",
        [OrderRef(symbol=SYMBOL, client_order_id="neverPlaced1"), OrderRef(symbol=SYMBOL, order_id="987654321")],
        ids=["client id", "order id"],
    )
    async def test_one_that_never_was_is_not_found(self, bench: Bench, missing: OrderRef) -> None:
        with pytest.raises(OrderNotFound):
            await bench.exchange.amend_order(amendment(missing, price=await bench.far(Side.BUY)))

    async def test_an_unknown_symbol_is_refused(self, bench: Bench) -> None:
        nowhere = amendment(OrderRef(symbol="NOPEUSDT", client_order_id="neverPlaced1"), price=Decimal(1))
        with pytest.raises(UnknownSymbol):
            await bench.exchange.amend_order(nowhere)

    async def test_the_orders_stream_has_it(self, bench: Bench) -> None:
        order = await bench.resting()
        price = await lower(bench, order)

        def has_it(update: OrderUpdate) -> bool:
            return update.order.client_order_id == order.client_order_id and update.order.price == price

        stream = bench.exchange.subscribe_orders(SYMBOL)
        try:
            await bench.exchange.amend_order(amendment(ref(order), price=price))
            seen = await read_until(stream, has_it)
        finally:
            await stream.aclose()
        assert seen[-1].order.order_id == order.order_id

    async def test_the_same_id_again_changes_nothing_again(self, bench: Bench) -> None:
        """F1: an amendment is never sent twice, nor lost from sight, when a reply is lost. An adapter knows no ids."""
        order = await bench.resting()
        price = await lower(bench, order)
        first = amendment(ref(order), price=price)
        assert (await bench.exchange.amend_order(first)).price == price
        await bench.exchange.amend_order(amendment(ref(order), price=order.price))
        again = await bench.exchange.amend_order(first)
        assert again.order_id == order.order_id
        found = await bench.exchange.get_order(ref(order))
        assert found.price == (order.price if bench.idempotent else price)

    async def test_another_amendment_under_the_same_id_is_refused(self, bench: Bench) -> None:
        order = await bench.resting()
        first = amendment(ref(order), price=await lower(bench, order))
        await bench.exchange.amend_order(first)
        other = amendment(ref(order), amend_id=first.amend_id, quantity=LOT * 2)
        if bench.idempotent:
            with pytest.raises(DuplicateOrder):
                await bench.exchange.amend_order(other)
        else:
            assert (await bench.exchange.amend_order(other)).quantity == LOT * 2


class TestAmendCapability:
    async def test_an_order_is_amended_where_that_is_declared_and_else_nothing_is_sent(self, bench: Bench) -> None:
        order = await bench.resting()
        request = amendment(ref(order), quantity=LOT * 2)
        if bench.info.capabilities.amend_order:
            assert (await bench.exchange.amend_order(request)).quantity == LOT * 2
        else:
            with pytest.raises(Unsupported):
                await bench.exchange.amend_order(request)
            assert (await bench.exchange.get_order(ref(order))).quantity == LOT
