"""A market data topic: late and repeated updates, closed candles, and whether a stream without data is stalled."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.errors import Unreachable
from opensqt.model.market import Candle, Price
from opensqt.venues.market.topic import CandleTopic, MarketTopic, candle_feed, price_feed

MINUTE = 60_000


def price(bid: int, time_ms: int) -> Price:
    return Price(symbol="BTCUSDT", bid=Decimal(bid), ask=Decimal(bid + 1), event_time_ms=time_ms)


def candle(number: int, volume: int = 1, *, closed: bool = False) -> Candle:
    one = Decimal(1)
    return Candle(
        symbol="BTCUSDT",
        interval="1m",
        open_time_ms=number * MINUTE,
        open=one,
        high=one,
        low=one,
        close=one,
        volume=Decimal(volume),
        closed=closed,
        event_time_ms=number * MINUTE + volume,
    )


class Rig:
    """The venue and the callbacks of a topic."""

    def __init__(self) -> None:
        self.responses: list[Any] = []
        self.changes: list[tuple[bool, str]] = []
        self.gaps = 0
        self.now_s = 0.0
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        """What happens while the next query is under way."""

    async def query(self) -> list[Any]:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        if isinstance(self.responses, Exception):
            raise self.responses
        return self.responses

    async def nothing(self) -> None:
        return

    def on_gap(self) -> None:
        self.gaps += 1

    def parts(self) -> dict[str, Any]:
        return {
            "watch": self.nothing,
            "unwatch": self.nothing,
            "query": self.query,
            "on_freshness_change": lambda fresh, reason: self.changes.append((fresh, reason)),
            "clock_s": lambda: self.now_s,
        }


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture
def prices(rig: Rig) -> MarketTopic[Price]:
    return MarketTopic[Price]("price:BTCUSDT", price_feed(), **rig.parts())


@pytest.fixture
def candles(rig: Rig) -> CandleTopic:
    return CandleTopic("kline:BTCUSDT:1m", candle_feed(), on_gap=rig.on_gap, **rig.parts())


def test_a_late_and_a_repeated_price_are_not_published(prices: MarketTopic[Price]) -> None:
    for update in (price(10, 5), price(9, 4), price(10, 5), price(10, 6), price(11, 6)):
        prices.handle(update, None)
    assert prices.feed.sequence == 2
    assert prices.last == price(11, 6)


async def test_no_data_while_the_venue_has_newer_data_is_a_stall(rig: Rig, prices: MarketTopic[Price]) -> None:
    """F13: a channel that stalls while pings go on is noticed."""
    prices.handle(price(10, 5), None)
    rig.responses = [price(12, 9)]
    assert await prices.check_stalled()
    assert not prices.fresh
    assert prices.feed.snapshot == (price(12, 9),)


async def test_no_data_while_the_venue_has_none_either_is_a_quiet_market(rig: Rig, prices: MarketTopic[Price]) -> None:
    prices.handle(price(10, 5), None)
    rig.now_s = 60
    rig.responses = [price(10, 5)]
    assert not await prices.check_stalled()
    assert prices.unverified_s() == 0


async def test_a_failed_check_proves_nothing(rig: Rig, prices: MarketTopic[Price]) -> None:
    """F3: a query that fails, or could not be made, is no proof of absence."""
    prices.handle(price(10, 5), None)
    rig.now_s = 60
    rig.responses = Unreachable("gone")  # type: ignore[assignment]
    assert not await prices.check_stalled()
    assert prices.unverified_s() == 60


async def test_a_price_is_stale_after_a_failed_check_until_the_venue_verifies_it(
    rig: Rig, prices: MarketTopic[Price]
) -> None:
    """F13, F31: the venue could not be queried, so it is not known whether the price is current."""
    prices.handle(price(10, 5), None)
    rig.now_s = 60
    rig.responses = Unreachable("gone")  # type: ignore[assignment]
    await prices.check_stalled()
    assert not prices.fresh
    rig.responses = [price(10, 5)]
    await prices.check_stalled()
    assert rig.changes[-1] == (True, "")


async def test_a_stalled_stream_is_stale_until_it_publishes_an_update_itself(
    rig: Rig, prices: MarketTopic[Price]
) -> None:
    """F13: a query that succeeds after a reconnect proves nothing about the stream."""
    prices.handle(price(10, 5), None)
    rig.now_s = 11
    rig.responses = [price(12, 9)]
    await prices.check_stalled()
    prices.subscription.on_lost("connection aborted")
    await prices.catch_up()
    assert rig.changes[-1] == (False, "no data for 11 s while the venue has newer data")
    prices.handle(price(12, 10), None)
    assert rig.changes[-1] == (True, "")


async def test_a_query_after_a_reconnect_is_no_sign_of_life_for_a_check_under_way(
    rig: Rig, prices: MarketTopic[Price]
) -> None:
    """F13: what that query published is not taken for an update of the stream."""
    prices.handle(price(10, 5), None)
    rig.responses = [price(12, 9)]
    await prices.check_stalled()
    rig.responses, rig.meanwhile = [price(13, 12)], prices.catch_up
    assert not await prices.check_stalled()
    assert prices.feed.snapshot == (price(13, 12),)
    assert not prices.fresh


async def test_an_update_of_the_stream_during_a_check_is_a_sign_of_life(rig: Rig, prices: MarketTopic[Price]) -> None:
    prices.handle(price(10, 5), None)

    async def published() -> None:
        rig.now_s += 1
        prices.handle(price(12, 9), None)

    rig.responses, rig.meanwhile = [price(13, 12)], published
    assert not await prices.check_stalled()
    assert prices.fresh


async def test_a_stalled_stream_is_fresh_again_when_the_market_is_quiet_too(
    rig: Rig, prices: MarketTopic[Price]
) -> None:
    prices.handle(price(10, 5), None)
    rig.responses = [price(12, 9)]
    await prices.check_stalled()
    assert not await prices.check_stalled()
    assert rig.changes[-1] == (True, "")


def test_a_stalled_topic_is_checked_and_its_connection_replaced_at_intervals(
    rig: Rig, prices: MarketTopic[Price]
) -> None:
    """F16: one stream that stays without data uses up neither the venue's limits nor its connections."""
    checked, replaced = list[float](), list[float]()
    while rig.now_s < 40:
        rig.now_s += 0.5
        if prices.needs_check(10):
            prices.last_query_s = rig.now_s
            checked.append(rig.now_s)
            if prices.begin_replacement(10):
                replaced.append(rig.now_s)
    assert checked[0] == replaced[0] == 10.5
    assert {round(later - before, 1) for before, later in itertools.pairwise(checked)} == {3.0}
    assert min(later - before for before, later in itertools.pairwise(replaced)) > 10


def test_a_price_without_an_update_or_a_check_is_marked_stale(rig: Rig, prices: MarketTopic[Price]) -> None:
    """F31: for example while the watchdog waits for the check of another topic."""
    prices.handle(price(10, 5), None)
    rig.now_s = 11
    assert prices.mark_stale_if_unverified(10) == ""
    rig.now_s = 13
    assert (
        prices.mark_stale_if_unverified(10)
        == "no data for 13 s, and the venue has not said yet whether there is newer data"
    )
    prices.handle(price(10, 6), None)
    assert (rig.changes[-1], prices.mark_stale_if_unverified(10)) == ((True, ""), "")


def test_the_data_age_is_that_of_the_stream_and_not_of_a_query(rig: Rig, prices: MarketTopic[Price]) -> None:
    assert prices.data_age_s() is None
    prices.handle(price(10, 5), None)
    rig.now_s = 4
    prices.mark_fresh()
    assert (prices.data_age_s(), prices.unverified_s()) == (4, 0)


def test_a_candle_forms_forwards_only(candles: CandleTopic) -> None:
    for update in (candle(1, 1), candle(1, 3), candle(1, 2), candle(1, 4, closed=True), candle(1, 9)):
        candles.handle(update, None)
    assert candles.feed.snapshot == (candle(1, 4, closed=True),)
    assert candles.feed.sequence == 3


async def test_a_lost_closed_candle_is_queried_and_published_once(rig: Rig, candles: CandleTopic) -> None:
    """F7: the next candle began, and the one before it was never seen to close."""
    candles.handle(candle(1, 1), None)
    candles.handle(candle(2, 1), None)
    assert rig.gaps == 1
    rig.responses = [candle(0, 7, closed=True), candle(1, 5, closed=True), candle(2, 2)]
    await candles.catch_up()
    candles.handle(candle(1, 5, closed=True), None)
    assert candles.feed.snapshot == (candle(1, 5, closed=True), candle(2, 2))
    candles.handle(candle(2, 3), None)
    assert rig.gaps == 1


def test_memory_of_closed_candles_is_bounded(candles: CandleTopic) -> None:
    """F27: memory does not grow with time."""
    for number in range(1_000):
        candles.handle(candle(number, closed=True), None)
    assert len(candles.closed_bars) == 100
    assert len(candles.feed.snapshot) == 100


def test_idle_time_counts_from_when_the_last_reader_left(rig: Rig, prices: MarketTopic[Price]) -> None:
    reader = prices.feed.subscribe()
    rig.now_s = 10
    assert prices.update_idle_s() == 0
    reader.entries.close()
    assert prices.update_idle_s() == 0
    rig.now_s = 13
    assert prices.update_idle_s() == 3
