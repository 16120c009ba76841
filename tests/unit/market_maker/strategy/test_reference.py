"""The reference price: what counts, what does not, when it is held, and that it comes back by itself."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from opensqt.market_maker.orders.slots import LiveOrder
from opensqt.market_maker.strategy.inputs import MarkUpdate, OrderBookUpdate, PriceInput, PriceUpdate, TradeUpdate
from opensqt.market_maker.strategy.own_orders import SHOWN_S, OwnOrders
from opensqt.market_maker.strategy.price_inputs import InputName
from opensqt.market_maker.strategy.reference import FIRST_WAIT_S, PriceGuard, ReferenceSettings
from opensqt.model.market import MarkPrice, OrderBook, Price, PublicTrade
from opensqt.model.order import OrderStatus, Side

SYMBOL = "BTCUSDT"
ALL = frozenset(InputName)
LEVEL = Decimal(10)
NOW_NS = 1_700_000_000_000_000_000


def stamped(**given: Any) -> dict[str, Any]:
    return {"symbol": SYMBOL, "event_time_ms": NOW_NS // 1_000_000, "received_ns": NOW_NS, **given}


def best(bid: str, ask: str, *, quantity: str = "1", **more: Any) -> PriceUpdate:
    size = Decimal(quantity)
    return PriceUpdate(
        Price(bid=Decimal(bid), ask=Decimal(ask), bid_quantity=size, ask_quantity=size, **stamped(**more))
    )


def book(bids: list[tuple[str, str]], asks: list[tuple[str, str]], **more: Any) -> OrderBookUpdate:
    sides = [tuple((Decimal(price), Decimal(quantity)) for price, quantity in side) for side in (bids, asks)]
    return OrderBookUpdate(OrderBook(bids=sides[0], asks=sides[1], **stamped(**more)))


def trade(price: str, **more: Any) -> TradeUpdate:
    quantity = Decimal(1)
    return TradeUpdate(
        PublicTrade(trade_id="1", price=Decimal(price), quantity=quantity, side=Side.BUY, **stamped(**more))
    )


def mark(price: str, **more: Any) -> MarkUpdate:
    return MarkUpdate(MarkPrice(mark=Decimal(price), **stamped(**more)))


def order(side: Side, price: str, quantity: str, name: str = "a") -> LiveOrder:
    return LiveOrder(
        client_order_id=name,
        level=0,
        side=side,
        price=Decimal(price),
        quantity=Decimal(quantity),
        status=OrderStatus.OPEN,
    )


class Feed:
    """A guard, the time and our orders."""

    def __init__(self, *, expected: frozenset[InputName] = ALL, real_time: bool = True, **limits: Any) -> None:
        self.now = 100.0
        self.own = OwnOrders()
        self.guard = PriceGuard(
            SYMBOL, ReferenceSettings(**limits), expected=expected, real_time=real_time, now=self.now
        )

    def show(self, *events: PriceInput, after: float = 0.0) -> Feed:
        self.now += after
        for event in events:
            self.guard.take(event, self.now)
        self.guard.update(self.own, LEVEL, self.now)
        return self

    @property
    def price(self) -> Decimal | None:
        return self.guard.market.reference if self.guard.market else None

    @property
    def reason(self) -> str:
        return self.guard.hold.reason if self.guard.hold else ""


def usual(**limits: Any) -> Feed:
    return Feed(**limits).show(best("999", "1001"), trade("1000"), mark("1000"))


def test_the_reference_is_the_middle_one_of_book_trade_and_mark() -> None:
    """One input that is off does not move the price."""
    feed = usual()
    assert feed.price == 1000
    assert feed.show(trade("1004")).price == 1000
    assert feed.show(best("1003", "1005")).price == 1004


def test_our_own_orders_are_no_part_of_the_book() -> None:
    """F40: with its own bid as the market's, the grid walked its bid up 135 USDT in a second."""
    feed = usual()
    feed.own.note(order(Side.BUY, "999.5", "0.03"))
    shown = book([("999.5", "0.03"), ("999", "1")], [("1001", "1")])
    feed.show(shown, best("999.5", "1001", quantity="0.03"))
    assert feed.guard.market is not None
    assert (feed.guard.market.bid, feed.guard.market.ask) == (999, 1001)
    feed.show(book([("999.5", "0.04"), ("999", "1")], [("1001", "1")]))
    assert feed.guard.market.bid == Decimal("999.5"), "somebody else is there, too"


def test_an_order_that_is_gone_counts_until_the_book_can_have_heard_of_it() -> None:
    """F40: the book comes by another way than the news of the order, and may show it a moment longer."""
    feed = usual()
    mine = order(Side.BUY, "999.5", "0.03")
    feed.own.note(mine)
    feed.show(book([("999.5", "0.03"), ("999", "1")], [("1001", "1")]))
    feed.own.note(replace(mine, status=OrderStatus.CANCELED))
    shown = book([("999.5", "0.03"), ("999", "1")], [("1001", "1")])
    feed.show(shown, after=0.1)
    assert feed.guard.market is not None
    assert feed.guard.market.bid == 999
    feed.show(shown, after=SHOWN_S + 0.1)
    feed.show(shown, after=0.1)
    assert feed.guard.market.bid == Decimal("999.5"), "by now it is somebody else's"


def test_a_side_that_is_only_ours_holds_the_price() -> None:
    """F40: no asks but our own is no market to bid in."""
    feed = usual()
    feed.own.note(order(Side.SELL, "1001", "0.03"))
    feed.show(book([("999", "1")], [("1001", "0.03")]), best("999", "1001", quantity="0.03"))
    assert feed.reason == "no asks in the book but our own"
    assert feed.price == 1000


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([best("999", "1009")], "the spread of 1 % is above max_spread (0.5 %)"),
        ([best("1014", "1016")], "the book (1015) is 1.5 % from the mark price (1000)"),
        ([trade("985")], "the last trade (985) is 1.5 % from the mark price (1000)"),
        ([mark("1020")], "the book (1000) is 2 % from the mark price (1020)"),
    ],
)
def test_inputs_that_disagree_hold_the_price_until_they_agree_again(events: list[PriceInput], reason: str) -> None:
    """F40: the quotes stay where they are, and it ends by itself."""
    feed = usual()
    feed.show(*events, after=0.1)
    assert feed.reason.startswith(reason)
    assert feed.price == 1000
    feed.show(best("999", "1001"), trade("1000"), mark("1000"), after=0.5)
    assert feed.guard.hold is None
    assert feed.guard.holds == 1


def test_a_jump_is_believed_when_all_have_agreed_on_it_for_a_while() -> None:
    """F40: a real jump is followed within seconds, and not before."""
    feed = usual()
    there = (best("1029", "1031"), trade("1030"), mark("1030"))
    feed.show(*there, after=0.1)
    assert feed.reason.startswith("a jump of 3 % to 1030 is above max_jump (1 %)")
    feed.show(*there, after=1.0)
    assert feed.price == 1000
    feed.show(*there, after=1.1)
    assert (feed.reason, feed.price) == ("", 1030)


def test_a_jump_that_goes_back_is_never_believed() -> None:
    """F40: agreement has to last; what comes back in between begins anew."""
    feed = usual()
    for _ in range(3):
        feed.show(best("1029", "1031"), trade("1030"), mark("1030"), after=0.1)
        assert feed.guard.hold is not None
        feed.show(best("999", "1001"), trade("1000"), mark("1000"), after=1.5)
        assert (feed.reason, feed.price) == ("", 1000)


def test_a_steady_move_is_followed_at_once() -> None:
    """A market that moves 5 % in ten seconds is not held."""
    feed = usual()
    for step in range(1, 101):
        at = 1000 + Decimal(step) / 2
        feed.show(best(str(at - 1), str(at + 1)), trade(str(at)), mark(str(at)), after=0.1)
        assert feed.guard.hold is None
    assert feed.price == 1050


def test_no_buy_is_laid_more_than_a_level_above_the_mark() -> None:
    """F40: a hole or a sweep within the limits moves book and trade, but not the mark."""
    feed = usual(max_mark_distance=Decimal("0.05"), max_spread=Decimal("0.05"))
    for _ in range(10):
        feed.show(best("999", "1041"), trade("1040"), after=0.1)
    market = feed.guard.market
    assert market is not None
    assert market.buy_limit <= 1000 + LEVEL + Decimal("0.1")
    feed.show(best("989", "991"), trade("990"), after=0.1)
    market = feed.guard.market
    assert market is not None
    assert (market.buy_limit, market.sell_limit) == (990, pytest.approx(990, abs=Decimal("0.2")))


def test_a_lasting_distance_from_the_mark_is_learned() -> None:
    """A perpetual that trades 0.3 % above its mark price is quoted there, after a few minutes."""
    feed = Feed().show(best("1002", "1004"), trade("1003"), mark("1000"))
    for _ in range(400):
        feed.show(best("1002", "1004"), trade("1003"), mark("1000"), after=0.5)
    assert feed.guard.market is not None
    assert feed.guard.market.buy_limit == 1003


def test_without_a_mark_a_move_has_to_last_before_it_lifts_the_buys() -> None:
    """F40: where a venue has no mark price, the lowest price of the last seconds takes its place."""
    feed = Feed(expected=ALL - {InputName.MARK}, max_spread=Decimal("0.05")).show(best("999", "1001"), trade("1000"))
    feed.show(best("999", "1031"), after=0.5)
    assert feed.guard.market is not None
    assert feed.guard.market.reference == 1015 if feed.guard.hold is None else True
    assert feed.guard.market.buy_limit <= 1000 + LEVEL


def test_inputs_grow_old_and_what_is_missing_is_named() -> None:
    """The reference works with what is left; alone it says so."""
    feed = usual()
    feed.show(best("999", "1001"), mark("1000"), after=11)
    assert feed.guard.missing == (InputName.TRADE,)
    assert feed.price == 1000
    structlog.reset_defaults()
    with capture_logs() as logs:
        feed.show(best("1000", "1002"), after=11)
    assert feed.guard.missing == (InputName.TRADE, InputName.MARK)
    assert feed.price == 1001
    assert [entry["missing"] for entry in logs] == ["trade, mark"]
    feed.show(after=16)
    assert feed.reason == "no book, no trade, no mark"


def test_trade_and_mark_make_a_price_without_a_book() -> None:
    """A book that is invalid does not stop the grid while two other inputs agree."""
    feed = usual()
    feed.show(OrderBookUpdate(OrderBook(invalid_reason="a hole in its sequence", **stamped())), after=20)
    feed.show(trade("1002"), mark("1003"))
    assert feed.guard.missing == (InputName.BOOK,)
    assert feed.price == Decimal("1002.5")


def test_the_first_price_waits_for_the_mark() -> None:
    """F40: the anchor is never set from a book that nothing vouches for."""
    feed = Feed().show(best("999", "1001"), trade("1000"))
    assert (feed.price, feed.reason) == (None, "waiting for mark before the first price")
    feed.show(best("999", "1001"), trade("1000"), after=FIRST_WAIT_S + 1)
    assert feed.price == 1000


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (best("999", "1001", symbol="ETHUSDT"), "another symbol"),
        (book([("999", "1")], [("1001", "1")], symbol="ETHUSDT"), "another symbol"),
        (trade("1000", symbol="ETHUSDT"), "another symbol"),
        (mark("1000", symbol="ETHUSDT"), "another symbol"),
        (best("999", "1001", event_time_ms=NOW_NS // 1_000_000 + 86_400_000), "a time of the future"),
        (mark("1000", event_time_ms=NOW_NS // 1_000_000 + 86_400_000), "a time of the future"),
        (best("1001", "999"), "crossed"),
        (trade("0"), "no price"),
        (mark("NaN"), "no price"),
    ],
)
def test_what_can_not_be_true_is_refused_and_counted(event: PriceInput, reason: str) -> None:
    """F40: a price of another symbol, or of the future, is never used; it is counted and reported."""
    feed = Feed(expected=frozenset())
    structlog.reset_defaults()
    with capture_logs() as logs:
        feed.show(event)
    assert feed.price is None
    assert feed.guard.data.refused == {reason: 1}
    assert logs[0]["event"] == "price input refused"
    assert "price inputs refused, 1 so far" in feed.guard.problems(feed.now)[0]
    assert feed.guard.problems(feed.now + 61) == []


def test_a_simulated_market_may_run_ahead_of_our_clock() -> None:
    """A rehearsal at five times the speed is soon minutes ahead."""
    ahead_ms = NOW_NS // 1_000_000 + 600_000
    feed = Feed(expected=frozenset(), real_time=False).show(best("999", "1001", event_time_ms=ahead_ms))
    assert feed.price == 1000


def test_a_trade_is_as_old_as_its_own_time_says() -> None:
    """The snapshot of a quiet market's trades may be hours old."""
    feed = Feed().show(best("999", "1001"), mark("1000"), trade("900", event_time_ms=NOW_NS // 1_000_000 - 3_600_000))
    assert (feed.price, feed.reason) == (1000, "")


def test_a_hold_is_reported_when_it_lasts_and_logged_on_change() -> None:
    """A hold of a moment is no outage; a longer one names what to do."""
    feed = usual()
    structlog.reset_defaults()
    with capture_logs() as logs:
        feed.show(mark("1020"), after=0.1)
        for _ in range(20):
            feed.show(mark("1020"), after=0.1)
        assert feed.guard.problems(feed.now) == []
        feed.show(best("999", "1001"), trade("1000"), mark("1020"), after=4)
        assert feed.guard.problems(feed.now)[0].startswith("price held for 6 s: the book (1000) is 2 %")
        feed.show(mark("1000"), after=0.1)
    assert [entry["event"] for entry in logs] == [
        "price held: the quotes stay where they are",
        "price is trusted again",
    ]
    assert feed.guard.problems(feed.now) == []


def test_the_next_funding_comes_with_the_mark() -> None:
    """Funding-aware quotes read rate and time from the market."""
    next_ms = NOW_NS // 1_000_000 + 3_600_000
    feed = Feed().show(best("999", "1001"), mark("1000", funding_rate=Decimal("0.0003"), next_funding_ms=next_ms))
    assert feed.guard.market is not None
    assert (feed.guard.market.mark, feed.guard.market.funding_rate) == (1000, Decimal("0.0003"))
    assert feed.guard.market.next_funding_ms == next_ms


def test_min_spread_keeps_entries_away_from_the_price() -> None:
    """An entry is at least this far from the reference, an exit need not be."""
    market = usual(min_spread=Decimal("0.002")).guard.market
    assert market is not None
    assert (market.entry_limit(Side.BUY), market.entry_limit(Side.SELL)) == (998, 1002)
    assert (market.buy_limit, market.sell_limit) == (1000, 1000)
