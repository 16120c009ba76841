"""How orders trade with each other."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest

from opensqt.model.order import OrderStatus, Side, TimeInForce
from opensqt.simulator.engine.events import BookTicker, DepthUpdate, Execution, OrderChanged, SimTrade
from opensqt.simulator.engine.order import ClosingReason, RefusalReason, Refused
from opensqt.simulator.settings import AccountSettings, VenueRules


def test_a_resting_order_fills_only_after_the_queue_ahead_of_it(venue):
    """F35: the simulator fills only what a market would, and the same seed gives the same ledger."""
    venue.outside(Side.BUY, "2", "44990")
    order = venue.buy("1", "44990")
    venue.outside(Side.SELL, "2", "44990")
    assert venue.now(order).filled_quantity == 0
    venue.outside(Side.SELL, "0.4", "44990")
    assert venue.now(order).filled_quantity == Decimal("0.4")


def test_a_withdrawn_quote_lets_those_behind_it_move_up(venue):
    """F35: the simulator fills only what a market would, and the same seed gives the same ledger."""
    ahead = venue.outside(Side.BUY, "2", "44990")
    order = venue.buy("1", "44990")
    venue.engine.withdraw_outside("BTCUSDT", ahead)
    venue.outside(Side.SELL, "1", "44990")
    assert venue.now(order).status is OrderStatus.FILLED


def test_a_better_price_trades_before_an_older_order(venue):
    """F35: the simulator fills only what a market would, and the same seed gives the same ledger."""
    older = venue.buy("1", "44990")
    better = venue.outside(Side.BUY, "1", "44991")
    venue.outside(Side.SELL, "1", "44990")
    assert venue.engine.outside_quantity("BTCUSDT", better) == 0
    assert venue.now(older).filled_quantity == 0


def test_a_taker_pays_each_makers_price(venue):
    venue.outside(Side.SELL, "0.3", "45001")
    venue.outside(Side.SELL, "0.3", "45002")
    order = venue.buy("0.5", "45005")
    assert order.status is OrderStatus.FILLED
    assert order.filled_notional == Decimal("0.3") * 45001 + Decimal("0.2") * 45002


def test_what_a_limit_order_could_not_take_rests_at_its_price(venue):
    venue.outside(Side.SELL, "0.3", "45001")
    order = venue.buy("0.5", "45001")
    assert order.status is OrderStatus.PARTIALLY_FILLED
    assert venue.engine.book("BTCUSDT").bids == ((Decimal(45001), Decimal("0.2")),)


def test_an_ioc_order_never_rests(venue):
    venue.outside(Side.SELL, "0.3", "45001")
    order = venue.buy("0.5", "45001", time_in_force=TimeInForce.IOC)
    assert (order.status, order.filled_quantity) == (OrderStatus.EXPIRED, Decimal("0.3"))
    assert venue.engine.book("BTCUSDT").bids == ()


def test_a_fok_order_that_can_not_be_filled_whole_takes_nothing(venue):
    venue.outside(Side.SELL, "0.3", "45001")
    order = venue.buy("0.5", "45001", time_in_force=TimeInForce.FOK)
    assert (order.status, order.filled_quantity) == (OrderStatus.EXPIRED, 0)
    assert venue.engine.book("BTCUSDT").asks == ((Decimal(45001), Decimal("0.3")),)


def test_a_fok_order_that_can_be_filled_whole_is(venue):
    venue.outside(Side.SELL, "0.3", "45001")
    venue.outside(Side.SELL, "0.3", "45002")
    assert venue.buy("0.5", "45002", time_in_force=TimeInForce.FOK).status is OrderStatus.FILLED


def test_a_market_order_takes_what_is_there_and_the_rest_expires(venue):
    venue.outside(Side.SELL, "0.3", "45001")
    order = venue.buy("0.5")
    assert (order.status, order.filled_quantity) == (OrderStatus.EXPIRED, Decimal("0.3"))
    assert order.closing_reason is ClosingReason.NOT_FILLED_AT_ONCE


def test_a_post_only_order_that_would_take_is_refused(venue):
    """F18: a post-only order never takes."""
    venue.outside(Side.SELL, "0.3", "45001")
    with pytest.raises(Refused) as refused:
        venue.buy("0.5", "45001", time_in_force=TimeInForce.POST_ONLY)
    assert refused.value.reason is RefusalReason.POST_ONLY_WOULD_CROSS
    assert venue.engine.orders("sim-key") == []


def test_a_venue_may_take_a_crossing_post_only_order_and_expire_it(open_venue):
    """F18: a post-only order never takes."""
    venue = open_venue(rules=VenueRules(post_only_crossing="expire"))
    venue.outside(Side.SELL, "0.3", "45001")
    order = venue.buy("0.5", "45001", time_in_force=TimeInForce.POST_ONLY)
    assert (order.status, order.closing_reason) == (OrderStatus.EXPIRED, ClosingReason.POST_ONLY)
    assert [event.execution for event in venue.published(OrderChanged)] == [Execution.NEW, Execution.EXPIRED]


def test_a_post_only_order_that_rests_is_a_maker(venue):
    order = venue.buy("0.5", "45001", time_in_force=TimeInForce.POST_ONLY)
    venue.outside(Side.SELL, "0.5", "45000")
    fill = venue.engine.fills("sim-key")[0]
    assert (fill.order_id, fill.is_maker, fill.price) == (order.order_id, True, Decimal(45001))


def test_an_account_never_trades_with_itself(venue):
    resting = venue.buy("0.5", "45000")
    order = venue.sell("0.5", "44999")
    assert venue.now(resting).closing_reason is ClosingReason.SELF_TRADE
    assert (order.status, order.filled_quantity) == (OrderStatus.OPEN, 0)
    assert venue.published(SimTrade) == []


def test_two_accounts_trade_with_each_other(open_venue):
    venue = open_venue(accounts=(AccountSettings(), AccountSettings(key="other")))
    resting = venue.buy("0.5", "45000", account="other")
    venue.sell("0.5", "45000")
    assert venue.now(resting).status is OrderStatus.FILLED
    assert [venue.engine.fills(key)[0].trade_id for key in ("other", "sim-key")] == ["1", "1"]


def test_fees_are_exact_for_maker_and_taker(venue):
    venue.buy("0.003", "44999.9")
    venue.outside(Side.SELL, "0.003", "44999.9")
    venue.outside(Side.SELL, "0.007", "45000.1")
    venue.buy("0.007")
    maker, taker = venue.engine.fills("sim-key")
    assert maker.fee == Decimal("0.003") * Decimal("44999.9") * Decimal("0.0002")
    assert taker.fee == Decimal("0.007") * Decimal("45000.1") * Decimal("0.0005")


def test_a_canceled_order_leaves_the_book_and_keeps_what_it_filled(venue):
    order = venue.buy("0.5", "45000")
    venue.outside(Side.SELL, "0.2", "45000")
    canceled = venue.engine.cancel("sim-key", "BTCUSDT", order_id=order.order_id)
    assert (canceled.status, canceled.filled_quantity) == (OrderStatus.CANCELED, Decimal("0.2"))
    assert venue.engine.book("BTCUSDT").bids == ()


def test_a_closed_order_can_not_be_canceled(venue):
    order = venue.buy("0.5", "45000")
    venue.outside(Side.SELL, "0.5", "45000")
    with pytest.raises(Refused) as refused:
        venue.engine.cancel("sim-key", "BTCUSDT", order_id=order.order_id)
    assert refused.value.reason is RefusalReason.ORDER_CLOSED


def test_cancel_all_leaves_other_symbols_alone(venue):
    venue.buy("0.1", "44000")
    kept = venue.buy("0.1", "1990", symbol="ETHUSDT")
    assert len(venue.engine.cancel_all("sim-key", "BTCUSDT")) == 1
    assert venue.engine.open_orders("sim-key") == [kept]


def test_depth_updates_follow_each_other_without_a_hole(venue):
    """F14: a book with a hole in it is never traded on."""
    for step in range(5):
        venue.outside(Side.BUY, "1", str(44990 + step))
        venue.outside(Side.SELL, "0.5", "44990")
        venue.mark(str(45000 + step))
    updates = venue.published(DepthUpdate)
    assert all(later.first_update_id == earlier.last_update_id + 1 for earlier, later in itertools.pairwise(updates))
    assert updates[-1].last_update_id == venue.engine.book("BTCUSDT").last_update_id


def test_applying_every_depth_update_gives_the_book(venue):
    """F14: a book with a hole in it is never traded on."""
    bids: dict[Decimal, Decimal] = {}
    for step in (0, 3, 1, 2):
        venue.outside(Side.BUY, "1", str(44990 + step))
        venue.outside(Side.SELL, "1.5", "44991")
    for update in venue.published(DepthUpdate):
        bids |= dict(update.bids)
    left = sorted(((price, quantity) for price, quantity in bids.items() if quantity), reverse=True)
    assert tuple(left) == venue.engine.book("BTCUSDT").bids


def test_the_best_prices_are_published_only_when_they_change(venue):
    venue.outside(Side.BUY, "1", "44990")
    venue.outside(Side.BUY, "1", "44980")
    venue.outside(Side.BUY, "2", "44990")
    assert [(event.bid, event.bid_quantity) for event in venue.published(BookTicker)] == [(44990, 1), (44990, 3)]


def test_the_public_trade_says_who_took(venue):
    venue.outside(Side.BUY, "1", "44990")
    venue.outside(Side.SELL, "1", "44990")
    trade = venue.published(SimTrade)[0]
    assert (trade.price, trade.quantity, trade.buyer_is_maker) == (44990, 1, True)
