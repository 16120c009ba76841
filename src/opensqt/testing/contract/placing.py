"""Placing one order, of every type and time in force."""

from __future__ import annotations

from decimal import Decimal

import pytest

from opensqt.model.errors import (
    DuplicateOrder,
    InsufficientMargin,
    InvalidRequest,
    OrderDenied,
    PositionModeMismatch,
    PostOnlyWouldCross,
    ReduceOnlyRefused,
    UnknownSymbol,
)
from opensqt.model.order import ClosedBy, CloseReason, OrderStatus, OrderType, PositionSide, Side, TimeInForce
from opensqt.model.venue import Capabilities
from opensqt.testing.contract.bench import LOT, SYMBOL, Bench, ref

MALFORMED = (InvalidRequest, OrderDenied)
"""Refused before it is sent: as malformed, or by a rule of the symbol."""
ENDED_SHORT = (OrderStatus.EXPIRED, OrderStatus.CANCELED)
SIDES = pytest.mark.parametrize("side", list(Side))


def with_force(force: TimeInForce) -> pytest.MarkDecorator:
    """Skip where a time in force is not declared."""

    def has(able: Capabilities) -> bool:
        return force in able.time_in_force

    return pytest.mark.needs_capability(force, has)


reduces = pytest.mark.needs_capability("reduce-only", lambda able: able.reduce_only)
markets = pytest.mark.needs_capability("market orders", lambda able: able.market_orders)


class TestLimitOrders:
    @SIDES
    async def test_one_away_from_the_market_rests(self, bench: Bench, side: Side) -> None:
        request = bench.order(side, await bench.far(side))
        order = await bench.exchange.place_order(request)
        assert order.status is OrderStatus.OPEN
        assert order.order_id
        assert (
            order.symbol,
            order.side,
            order.quantity,
            order.price,
            order.client_order_id,
            order.filled_quantity,
        ) == (
            SYMBOL,
            side,
            request.quantity,
            request.price,
            request.client_order_id,
            Decimal(0),
        )

    @SIDES
    async def test_one_that_crosses_takes_at_its_limit_or_better(self, bench: Bench, side: Side) -> None:
        limit = await bench.crossing(side)
        order = await bench.exchange.place_order(bench.order(side, limit))
        order = await bench.becomes(ref(order), OrderStatus.FILLED)
        assert order.filled_quantity == LOT
        assert order.average_price is not None
        assert (order.average_price - limit) * side.sign <= 0

    @SIDES
    async def test_one_that_is_hit_fills_at_its_limit(self, bench: Bench, side: Side) -> None:
        order = await bench.resting_first(side)
        await bench.market.hit(order, LOT)
        filled = await bench.becomes(ref(order), OrderStatus.FILLED)
        assert (filled.average_price, filled.remaining_quantity) == (order.price, Decimal(0))

    async def test_one_that_is_hit_in_part_works_on(self, bench: Bench) -> None:
        order = await bench.resting_first()
        await bench.market.hit(order, Decimal("0.004"))
        partly = await bench.becomes(ref(order), OrderStatus.PARTIALLY_FILLED)
        assert (partly.filled_quantity, partly.remaining_quantity) == (Decimal("0.004"), Decimal("0.006"))
        assert [one.client_order_id for one in await bench.exchange.get_open_orders(SYMBOL)] == [order.client_order_id]


@markets
class TestMarketOrders:
    @SIDES
    async def test_one_takes_at_once(self, bench: Bench, side: Side) -> None:
        order = await bench.take(side)
        assert order.filled_quantity == LOT
        assert order.average_price is not None
        assert order.average_price > 0

    async def test_one_with_a_price_is_denied(self, bench: Bench) -> None:
        priced = bench.order(Side.BUY, await bench.far(Side.BUY), order_type=OrderType.MARKET)
        with pytest.raises(OrderDenied, match="price"):
            await bench.exchange.place_order(priced)


@with_force(TimeInForce.POST_ONLY)
class TestPostOnly:
    async def test_one_that_does_not_cross_rests(self, bench: Bench) -> None:
        order = await bench.resting(time_in_force=TimeInForce.POST_ONLY)
        assert order.status is OrderStatus.OPEN
        assert order.time_in_force is TimeInForce.POST_ONLY

    @SIDES
    async def test_one_that_would_cross_is_refused_and_never_takes(self, bench: Bench, side: Side) -> None:
        """F18: a post-only order never takes."""
        request = bench.order(side, await bench.crossing(side), time_in_force=TimeInForce.POST_ONLY)
        with pytest.raises(PostOnlyWouldCross):
            await bench.exchange.place_order(request)
        assert (await bench.position()).is_flat
        assert await bench.exchange.list_fills(SYMBOL, since_ms=0) == []


@with_force(TimeInForce.IOC)
class TestImmediateOrCancel:
    async def test_one_takes_what_is_there_and_the_rest_ends(self, bench: Bench) -> None:
        price = await bench.exchange.get_latest_price(SYMBOL)
        wanted = price.ask_quantity + LOT
        request = bench.order(Side.BUY, price.ask, wanted, time_in_force=TimeInForce.IOC)
        await bench.exchange.place_order(request)
        order = await bench.becomes(ref(request), OrderStatus.EXPIRED)
        assert order.filled_quantity == price.ask_quantity
        assert (order.closed_by, order.close_reason) == (ClosedBy.VENUE, CloseReason.TIME_IN_FORCE)

    async def test_one_that_meets_nothing_ends_unfilled(self, bench: Bench) -> None:
        request = bench.order(Side.BUY, await bench.far(Side.BUY), time_in_force=TimeInForce.IOC)
        await bench.exchange.place_order(request)
        order = await bench.becomes(ref(request), OrderStatus.EXPIRED)
        assert (order.filled_quantity, order.close_reason) == (Decimal(0), CloseReason.TIME_IN_FORCE)


@with_force(TimeInForce.FOK)
class TestFillOrKill:
    async def test_one_that_can_be_filled_whole_is(self, bench: Bench) -> None:
        request = bench.order(Side.BUY, await bench.crossing(Side.BUY), time_in_force=TimeInForce.FOK)
        await bench.exchange.place_order(request)
        assert (await bench.becomes(ref(request), OrderStatus.FILLED)).filled_quantity == LOT

    async def test_one_that_cannot_ends_without_a_fill(self, bench: Bench) -> None:
        price = await bench.exchange.get_latest_price(SYMBOL)
        request = bench.order(Side.BUY, price.ask, price.ask_quantity + LOT, time_in_force=TimeInForce.FOK)
        await bench.exchange.place_order(request)
        order = await bench.becomes(ref(request), OrderStatus.EXPIRED)
        assert (order.filled_quantity, order.close_reason) == (Decimal(0), CloseReason.TIME_IN_FORCE)


@reduces
class TestReduceOnly:
    async def test_one_without_a_position_is_refused(self, bench: Bench) -> None:
        with pytest.raises(ReduceOnlyRefused):
            await bench.exchange.place_order(bench.order(Side.SELL, await bench.far(Side.SELL), reduce_only=True))

    @markets
    async def test_one_takes_from_the_position(self, bench: Bench) -> None:
        await bench.take(Side.BUY)
        await bench.take(Side.SELL, Decimal("0.004"), reduce_only=True)
        assert (await bench.holds(Decimal("0.006"))).quantity == Decimal("0.006")

    @markets
    async def test_a_larger_one_never_flips_the_position(self, bench: Bench) -> None:
        """F19: a reduce-only order never flips or opens a position."""
        await bench.take(Side.BUY)
        request = bench.order(Side.SELL, await bench.crossing(Side.SELL), LOT * 2, reduce_only=True)
        try:
            await bench.exchange.place_order(request)
        except ReduceOnlyRefused:
            assert (await bench.position()).quantity == LOT
        else:
            await bench.becomes(ref(request), OrderStatus.FILLED, *ENDED_SHORT)
            assert (await bench.holds(Decimal(0))).is_flat


class TestDenials:
    @pytest.mark.parametrize("field", ["quantity", "price"])
    async def test_an_order_that_misses_a_step_is_denied_and_not_sent(self, bench: Bench, field: str) -> None:
        """F23: price and quantity keep to the venue's steps and limits."""
        fields = {"price": await bench.far(Side.BUY), "quantity": LOT}
        step = bench.rules.price_step if field == "price" else bench.rules.quantity_step
        fields[field] += step / 2
        with pytest.raises(OrderDenied) as caught:
            await bench.exchange.place_order(bench.order(Side.BUY, **fields))
        assert f"{field} {fields[field]}: expected a multiple of {step}" in str(caught.value)
        assert await bench.exchange.get_open_orders() == []

    async def test_an_order_of_nothing_is_denied_and_not_sent(self, bench: Bench) -> None:
        """F23: price and quantity keep to the venue's steps and limits."""
        with pytest.raises(OrderDenied, match=r"quantity 0\.000: expected above zero"):
            await bench.exchange.place_order(bench.order(Side.BUY, await bench.far(Side.BUY), Decimal("0.000")))
        assert await bench.exchange.get_open_orders() == []

    async def test_an_order_worth_less_than_the_minimum_is_denied_and_not_sent(self, bench: Bench) -> None:
        """F23: price and quantity keep to the venue's steps and limits."""
        if not bench.rules.min_notional:
            pytest.skip(f"capability: {bench.info.name} declares no minimum notional")
        with pytest.raises(OrderDenied, match=r"notional [\d.]+: expected at least"):
            await bench.exchange.place_order(bench.order(Side.BUY, bench.rules.price_step))
        assert await bench.exchange.get_open_orders() == []

    async def test_a_limit_order_without_a_price_is_denied(self, bench: Bench) -> None:
        with pytest.raises(OrderDenied, match="price None"):
            await bench.exchange.place_order(bench.order(Side.BUY, None, order_type=OrderType.LIMIT))

    @pytest.mark.parametrize("name", ["", "with-hyphen", "a" * 33, "ä"])
    async def test_a_client_order_id_that_not_every_venue_takes_is_refused(self, bench: Bench, name: str) -> None:
        """F22: a client order id keeps the venue's rule and comes back unchanged."""
        with pytest.raises(MALFORMED, match="client_order_id"):
            await bench.exchange.place_order(bench.order(Side.BUY, await bench.far(Side.BUY), client_order_id=name))

    @pytest.mark.parametrize("number", ["NaN", "Infinity"])
    async def test_a_quantity_that_is_no_number_is_refused(self, bench: Bench, number: str) -> None:
        with pytest.raises(MALFORMED, match="quantity"):
            await bench.exchange.place_order(bench.order(Side.BUY, await bench.far(Side.BUY), Decimal(number)))

    async def test_an_unknown_symbol_is_refused(self, bench: Bench) -> None:
        with pytest.raises(UnknownSymbol, match="NOPEUSDT"):
            await bench.exchange.place_order(bench.order(Side.BUY, Decimal(100), symbol="NOPEUSDT"))

    async def test_more_than_the_account_can_carry_is_refused(self, bench: Bench) -> None:
        with pytest.raises(InsufficientMargin):
            await bench.resting(quantity=Decimal(100))

    async def test_a_position_side_of_the_other_mode_is_refused(self, bench: Bench) -> None:
        """F20: hedge mode and one-way mode are never mixed up."""
        with pytest.raises((PositionModeMismatch, OrderDenied)):
            await bench.resting(position_side=PositionSide.LONG)


class TestSameIdTwice:
    async def test_the_same_order_again_is_returned_or_refused_but_never_placed_again(self, bench: Bench) -> None:
        """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
        request = bench.order(Side.BUY, await bench.far(Side.BUY))
        placed = await bench.exchange.place_order(request)
        if bench.idempotent:
            assert (await bench.exchange.place_order(request)).order_id == placed.order_id
        else:
            with pytest.raises(DuplicateOrder):
                await bench.exchange.place_order(request)
        assert [one.order_id for one in await bench.exchange.get_open_orders(SYMBOL)] == [placed.order_id]

    async def test_another_order_under_the_same_id_is_refused(self, bench: Bench) -> None:
        placed = await bench.resting()
        other = bench.order(Side.BUY, placed.price, LOT * 2, client_order_id=placed.client_order_id)
        with pytest.raises(DuplicateOrder):
            await bench.exchange.place_order(other)
        (still,) = await bench.exchange.get_open_orders(SYMBOL)
        assert still.quantity == LOT
