"""A countdown of an account cancels its orders on the market's own clock."""

from __future__ import annotations

from opensqt.model.order import OrderStatus
from opensqt.simulator.engine.countdowns import CountdownScope
from opensqt.simulator.engine.events import OrderChanged
from opensqt.simulator.engine.order import ClosingReason
from tests.unit.simulator.conftest import KEY, START_MS, Venue

WHOLE = CountdownScope(account=KEY)


def test_a_countdown_that_is_not_renewed_cancels_at_its_time_and_says_why(venue: Venue) -> None:
    """F46: orders outlive the machine."""
    order = venue.buy("0.01", "40000")
    assert venue.engine.start_countdown(WHOLE, 5_000) == START_MS + 5_000
    venue.engine.advance(START_MS + 4_999)
    assert venue.now(order).status is OrderStatus.OPEN
    venue.engine.advance(START_MS + 60_000)
    ended = venue.now(order)
    assert (ended.status, ended.closing_reason) == (OrderStatus.CANCELED, ClosingReason.COUNTDOWN)
    assert ended.updated_ms == START_MS + 5_000
    assert venue.published(OrderChanged)[-1].order == ended


def test_a_countdown_that_is_set_anew_begins_anew(venue: Venue) -> None:
    order = venue.buy("0.01", "40000")
    venue.engine.start_countdown(WHOLE, 5_000)
    venue.clock.advance(4_000)
    venue.engine.start_countdown(WHOLE, 5_000)
    venue.engine.advance(START_MS + 8_999)
    assert venue.now(order).status is OrderStatus.OPEN
    venue.engine.advance(START_MS + 9_000)
    assert venue.now(order).status is OrderStatus.CANCELED


def test_a_countdown_that_is_stopped_cancels_nothing(venue: Venue) -> None:
    order = venue.buy("0.01", "40000")
    venue.engine.start_countdown(WHOLE, 5_000)
    venue.engine.stop_countdown(WHOLE)
    venue.engine.advance(START_MS + 60_000)
    assert venue.now(order).status is OrderStatus.OPEN


def test_a_countdown_ends_once(venue: Venue) -> None:
    venue.engine.start_countdown(WHOLE, 5_000)
    venue.engine.advance(START_MS + 5_000)
    order = venue.buy("0.01", "40000")
    venue.engine.advance(START_MS + 60_000)
    assert venue.now(order).status is OrderStatus.OPEN


def test_a_countdown_of_a_symbol_or_a_tag_cancels_no_other_orders(venue: Venue) -> None:
    """F30: somebody else's orders are not canceled."""
    own = venue.buy("0.01", "40000", tag="mine")
    other = venue.buy("0.01", "40000", tag="yours")
    ether = venue.buy("0.01", "1500", symbol="ETHUSDT")
    venue.engine.start_countdown(CountdownScope(account=KEY, tag="mine"), 5_000)
    venue.engine.start_countdown(CountdownScope(account=KEY, symbol="ETHUSDT"), 6_000)
    venue.engine.advance(START_MS + 5_500)
    assert [venue.now(one).status.value for one in (own, other, ether)] == ["CANCELED", "OPEN", "OPEN"]
    venue.engine.advance(START_MS + 6_000)
    assert [venue.now(one).status.value for one in (own, other, ether)] == ["CANCELED", "OPEN", "CANCELED"]


def test_an_order_that_comes_after_the_end_of_a_countdown_meets_it_no_more(venue: Venue) -> None:
    venue.engine.start_countdown(WHOLE, 5_000)
    venue.clock.advance(7_000)
    order = venue.buy("0.01", "40000")
    assert venue.now(order).status is OrderStatus.OPEN
