"""How an open order is amended: its place in the queue, its fills, and what the venues make of the rest."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.order import OrderStatus, Side, TimeInForce
from opensqt.simulator.engine.events import Execution, OrderChanged
from opensqt.simulator.engine.order import ClosingReason, RefusalReason, Refused, SimOrder
from opensqt.simulator.ledger import ledger
from opensqt.simulator.settings import VenueRules

KEY = "sim-key"


def amend(venue: Any, order: SimOrder, *, price: str | None = None, quantity: str | None = None) -> SimOrder:
    return venue.engine.amend(
        KEY,
        order.symbol,
        order_id=order.order_id,
        price=None if price is None else Decimal(price),
        quantity=None if quantity is None else Decimal(quantity),
        text="a1",
    )


def test_an_amended_order_keeps_its_ids_and_rests_where_it_was_amended_to(venue):
    order = venue.buy("1", "44990", client_order_id="mine")
    amended = amend(venue, order, price="44980", quantity="2")
    assert (amended.order_id, amended.client_order_id, amended.amendments) == (order.order_id, "mine", 1)
    assert venue.engine.book("BTCUSDT").bids == ((Decimal(44980), Decimal(2)),)
    assert venue.published(OrderChanged)[-1].execution is Execution.AMENDED


def test_a_smaller_quantity_alone_keeps_the_place_in_the_queue(venue):
    """F35: the simulator fills only what a market would, and the same seed gives the same ledger."""
    order = venue.buy("2", "44990")
    venue.outside(Side.BUY, "1", "44990")
    amend(venue, order, quantity="1")
    venue.outside(Side.SELL, "1", "44990")
    assert venue.now(order).status is OrderStatus.FILLED


@pytest.mark.parametrize("changes", [{"quantity": "2"}, {"price": "44991"}], ids=["more", "price"])
def test_more_or_another_price_goes_to_the_end_of_the_queue(venue, changes):
    """F35: the simulator fills only what a market would, and the same seed gives the same ledger."""
    order = venue.buy("1", "44990")
    there = changes.get("price", "44990")
    venue.outside(Side.BUY, "1", there)
    amend(venue, order, **changes)
    venue.outside(Side.SELL, "1", there)
    assert venue.now(order).filled_quantity == 0


def test_where_the_venue_says_so_a_smaller_quantity_goes_to_the_end_too(open_venue):
    venue = open_venue(rules=VenueRules(amended_keeps_place=False))
    order = venue.buy("2", "44990")
    venue.outside(Side.BUY, "1", "44990")
    amend(venue, order, quantity="1")
    venue.outside(Side.SELL, "1", "44990")
    assert venue.now(order).filled_quantity == 0


def test_a_quantity_counts_what_is_filled(venue):
    order = venue.buy("1", "44990")
    venue.outside(Side.SELL, "0.5", "44990")
    amended = amend(venue, order, quantity="2")
    assert (amended.filled_quantity, amended.remaining) == (Decimal("0.5"), Decimal("1.5"))
    assert venue.engine.book("BTCUSDT").bids == ((Decimal(44990), Decimal("1.5")),)


def test_a_new_price_that_crosses_takes_and_rests_the_remainder(venue):
    order = venue.buy("1", "44990")
    venue.outside(Side.SELL, "0.4", "45001")
    amended = amend(venue, order, price="45001")
    assert (amended.filled_quantity, amended.status) == (Decimal("0.4"), OrderStatus.PARTIALLY_FILLED)
    assert venue.quantity() == Decimal("0.4")
    assert venue.engine.book("BTCUSDT").bids == ((Decimal(45001), Decimal("0.6")),)


@pytest.mark.parametrize("rule", ["refuse", "cancel"])
def test_a_post_only_order_never_takes_by_an_amendment(open_venue, rule):
    """F18: it is refused and stays, or the venue cancels it."""
    venue = open_venue(rules=VenueRules(amended_post_only=rule))
    order = venue.buy("1", "44990", time_in_force=TimeInForce.POST_ONLY)
    venue.outside(Side.SELL, "1", "45001")
    if rule == "refuse":
        with pytest.raises(Refused) as caught:
            amend(venue, order, price="45001")
        assert caught.value.reason is RefusalReason.POST_ONLY_WOULD_CROSS
        assert venue.now(order) == order
    else:
        ended = amend(venue, order, price="45001")
        assert (ended.status, ended.closing_reason) == (OrderStatus.CANCELED, ClosingReason.POST_ONLY)
        assert ended.price == order.price
        assert venue.engine.book("BTCUSDT").bids == ()
    assert venue.quantity() == 0


@pytest.mark.parametrize(
    ("rule", "status", "quantity"),
    [("cancel", OrderStatus.CANCELED, "2"), ("fill", OrderStatus.FILLED, "0.5")],
)
def test_one_amended_to_no_more_than_is_filled_ends_as_the_venue_has_it(open_venue, rule, status, quantity):
    venue = open_venue(rules=VenueRules(amended_to_filled=rule))
    order = venue.buy("2", "44990")
    venue.outside(Side.SELL, "0.5", "44990")
    ended = amend(venue, order, quantity="0.5")
    assert (ended.status, ended.quantity, ended.filled_quantity) == (status, Decimal(quantity), Decimal("0.5"))
    assert venue.engine.book("BTCUSDT").bids == ()


def test_where_the_venue_refuses_less_than_is_filled_nothing_changes(open_venue):
    venue = open_venue(rules=VenueRules(amended_to_filled="refuse"))
    order = venue.buy("2", "44990")
    venue.outside(Side.SELL, "0.5", "44990")
    before = venue.now(order)
    with pytest.raises(Refused) as caught:
        amend(venue, order, quantity="0.4")
    assert caught.value.reason is RefusalReason.BELOW_FILLED
    assert venue.now(order) == before


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"price": "44990.05"}, RefusalReason.PRICE_STEP),
        ({"quantity": "1.0005"}, RefusalReason.QUANTITY_STEP),
        ({"quantity": "900"}, RefusalReason.INSUFFICIENT_MARGIN),
        ({"price": "90000"}, RefusalReason.PRICE_BAND),
    ],
)
def test_an_amendment_is_held_to_the_rules_of_a_new_order(venue, changes, reason):
    order = venue.buy("1", "44990")
    with pytest.raises(Refused) as caught:
        amend(venue, order, **changes)
    assert caught.value.reason is reason
    assert venue.now(order) == order
    assert venue.engine.book("BTCUSDT").bids == ((Decimal(44990), Decimal(1)),)


def test_margin_is_needed_only_for_what_is_added(venue):
    """2 of 45,000 at ten times leverage take 9,000 of the 10,000: one more of them would not fit beside it."""
    order = venue.buy("2", "45000")
    assert amend(venue, order, price="44900").status is OrderStatus.OPEN
    with pytest.raises(Refused):
        amend(venue, order, quantity="3")


def test_a_reduce_only_order_does_not_grow_beyond_the_position(venue):
    """F19: an exit that is amended never flips the position."""
    venue.outside(Side.SELL, "1", "45000")
    venue.buy("1")
    exit_order = venue.sell("0.5", "45100", reduce_only=True)
    assert amend(venue, exit_order, quantity="1").quantity == 1
    with pytest.raises(Refused) as caught:
        amend(venue, exit_order, quantity="1.1")
    assert caught.value.reason is RefusalReason.REDUCE_ONLY


def test_an_order_that_has_ended_can_not_be_amended(venue):
    order = venue.buy("1", "44990")
    venue.engine.cancel(KEY, "BTCUSDT", order_id=order.order_id)
    with pytest.raises(Refused) as caught:
        amend(venue, order, price="44980")
    assert caught.value.reason is RefusalReason.ORDER_CLOSED


def test_the_ledger_counts_the_amendments(venue):
    order = venue.buy("1", "44990")
    for price in ("44980", "44970"):
        amend(venue, order, price=price)
    (row,) = ledger(venue.engine)["accounts"][KEY]["orders"]
    assert (row["price"], row["amendments"]) == ("44970", 2)
