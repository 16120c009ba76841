"""Public trades of one symbol: each once, a hole filled by a query, or reported as a gap."""

from __future__ import annotations

from decimal import Decimal

import pytest

from opensqt.model.market import PublicTrade
from opensqt.model.order import Side
from opensqt.streams.conflation import TRADES_KEPT
from opensqt.streams.market_feeds import trade_feed
from opensqt.venues.market.trades import TradeTopic


def trade(number: int) -> PublicTrade:
    return PublicTrade(
        symbol="BTCUSDT",
        trade_id=str(number),
        price=Decimal(100),
        quantity=Decimal(1),
        side=Side.BUY,
        event_time_ms=number,
    )


class Rig:
    """The venue's responses, and a topic that queries them."""

    def __init__(self, *, ids_are_consecutive: bool = True) -> None:
        self.response: list[PublicTrade] = []
        self.gaps = 0
        self.topic = TradeTopic(
            "trades:BTCUSDT",
            trade_feed(),
            watch=self.nothing,
            unwatch=self.nothing,
            query=self.query,
            on_freshness_change=lambda fresh, reason: None,
            ids_are_consecutive=ids_are_consecutive,
            on_gap=self.on_gap,
        )

    async def nothing(self) -> None:
        return

    async def query(self) -> list[PublicTrade]:
        return self.response

    def on_gap(self) -> None:
        self.gaps += 1

    @property
    def published(self) -> list[int]:
        return [int(one.trade_id) for one in self.topic.feed.snapshot]


async def test_a_repeated_trade_is_published_once() -> None:
    """F8: nothing counts twice."""
    rig = Rig()
    for number in (1, 2, 2, 1, 3):
        rig.topic.handle(trade(number), None)
    assert rig.topic.feed.sequence == 3


async def test_a_hole_in_consecutive_ids_is_filled_by_a_query() -> None:
    """F7: no update vanishes between two reads of a stream, or a gap is reported."""
    rig = Rig()
    for number in (1, 2, 5):
        rig.topic.handle(trade(number), None)
    assert rig.gaps == 1
    rig.response = [trade(number) for number in range(1, 6)]
    epoch = rig.topic.feed.epoch
    await rig.topic.catch_up()
    assert sorted(rig.published) == [1, 2, 3, 4, 5]
    assert rig.topic.feed.epoch == epoch


@pytest.mark.parametrize("number", [3, 1])
async def test_the_next_trade_and_a_late_one_are_no_hole(number: int) -> None:
    rig = Rig()
    rig.topic.handle(trade(2), None)
    rig.topic.handle(trade(number), None)
    assert rig.gaps == 0


async def test_ids_of_a_venue_that_are_not_consecutive_show_no_hole() -> None:
    rig = Rig(ids_are_consecutive=False)
    for number in (1, 9):
        rig.topic.handle(trade(number), None)
    assert rig.gaps == 0


async def test_what_a_query_does_not_reach_back_to_is_a_gap() -> None:
    """F7: no update vanishes between two reads of a stream, or a gap is reported."""
    rig = Rig()
    rig.topic.handle(trade(1), None)
    reader = rig.topic.feed.subscribe()
    await anext(reader)
    rig.response = [trade(8), trade(9)]
    await rig.topic.catch_up()
    batch = await anext(reader)
    assert (batch.gap, batch.snapshot) == (True, True)
    assert [one.trade_id for one in batch.updates] == ["1", "8", "9"]


async def test_a_market_without_trades_has_an_empty_snapshot() -> None:
    rig = Rig()
    await rig.topic.catch_up()
    batch = await anext(rig.topic.feed.subscribe())
    assert (batch.snapshot, batch.updates) == (True, ())


async def test_a_reader_that_is_too_slow_gets_the_newest_and_the_gap_is_told() -> None:
    """F7: memory is bounded, and what a slow reader misses is reported."""
    rig = Rig()
    rig.topic.handle(trade(1), None)
    reader = rig.topic.feed.subscribe()
    await anext(reader)
    for number in range(2, TRADES_KEPT + 12):
        rig.topic.handle(trade(number), None)
    batch = await anext(reader)
    assert (batch.gap, len(batch.updates), batch.updates[-1].trade_id) == (True, TRADES_KEPT, str(TRADES_KEPT + 11))


async def test_a_reader_within_the_limit_gets_every_trade() -> None:
    """F7: no update vanishes between two reads of a stream, or a gap is reported."""
    rig = Rig()
    rig.topic.handle(trade(1), None)
    reader = rig.topic.feed.subscribe()
    await anext(reader)
    for number in range(2, TRADES_KEPT + 2):
        rig.topic.handle(trade(number), None)
    batch = await anext(reader)
    assert (batch.gap, len(batch.updates)) == (False, TRADES_KEPT)
