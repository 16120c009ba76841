"""The three streams of public data that an exchange may have: order books, public trades, mark prices."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from opensqt.model.errors import ExchangeError, InvalidRequest, UnknownSymbol
from opensqt.model.market import OrderBook
from opensqt.model.order import Side
from opensqt.model.stream import Cursor, Stream
from opensqt.testing.contract.bench import LOT, SYMBOL, Bench, first, read_until

HAS_BOOKS = pytest.mark.needs_capability("stream of order books", lambda able: able.order_book_depth > 0)
HAS_TRADES = pytest.mark.needs_capability("stream of public trades", lambda able: able.public_trades)
HAS_MARK_PRICES = pytest.mark.needs_capability("stream of mark prices", lambda able: able.mark_price)
EVERY_TOPIC = pytest.mark.parametrize(
    "topic",
    [
        pytest.param("order_book", marks=HAS_BOOKS),
        pytest.param("trades", marks=HAS_TRADES),
        pytest.param("mark_price", marks=HAS_MARK_PRICES),
    ],
)


def subscribed(bench: Bench, topic: str, symbol: str = SYMBOL, **at: Any) -> Stream[Any]:
    """Subscribe to a topic of a symbol."""
    stream: Stream[Any] = getattr(bench.exchange, f"subscribe_{topic}")(symbol, **at)
    return stream


class TestEveryPublicStream:
    @EVERY_TOPIC
    async def test_the_first_batch_is_a_snapshot_without_a_gap(self, bench: Bench, topic: str) -> None:
        batch = await first(subscribed(bench, topic))
        assert (batch.snapshot, batch.gap) == (True, False)
        assert batch.epoch

    @EVERY_TOPIC
    async def test_a_reader_that_comes_back_at_once_missed_nothing(self, bench: Bench, topic: str) -> None:
        stream = subscribed(bench, topic)
        batch = await first(stream)
        await stream.aclose()
        again = await first(subscribed(bench, topic, cursor=batch.cursor))
        assert (again.epoch, again.snapshot, again.gap) == (batch.epoch, False, False)

    @EVERY_TOPIC
    async def test_a_position_that_is_no_longer_known_is_a_gap(self, bench: Bench, topic: str) -> None:
        """F6: no update is missed across a reconnect without a word."""
        batch = await first(subscribed(bench, topic, cursor=Cursor("anotherLife", 41)))
        assert (batch.snapshot, batch.gap) == (True, True)

    @EVERY_TOPIC
    async def test_closing_ends_a_pending_read(self, bench: Bench, topic: str) -> None:
        """F26: memory does not grow with subscriptions that end."""
        stream = subscribed(bench, topic)
        await first(stream)

        async def read_to_the_end() -> None:
            async for _ in stream:
                continue

        reading = asyncio.create_task(read_to_the_end())
        await asyncio.sleep(0)
        await stream.aclose()
        async with asyncio.timeout(5):
            await reading

    @EVERY_TOPIC
    async def test_closing_the_exchange_ends_the_reader_with_an_error(self, bench: Bench, topic: str) -> None:
        stream = subscribed(bench, topic)
        await first(stream)
        await bench.exchange.close()
        with pytest.raises(ExchangeError):
            await first(stream)

    @EVERY_TOPIC
    async def test_an_unknown_symbol_is_refused(self, bench: Bench, topic: str) -> None:
        with pytest.raises(UnknownSymbol):
            await first(subscribed(bench, topic, "NOPEUSDT"))


@HAS_BOOKS
class TestOrderBookStream:
    async def test_its_levels_are_best_first_and_begin_with_the_best_bid_and_ask(self, bench: Bench) -> None:
        book = (await first(subscribed(bench, "order_book"))).updates[-1]
        price = await bench.exchange.get_latest_price(SYMBOL)
        assert book.valid
        assert (book.bids[0], book.asks[0]) == ((price.bid, price.bid_quantity), (price.ask, price.ask_quantity))
        for side, sign in ((book.bids, -1), (book.asks, 1)):
            prices = [level[0] * sign for level in side]
            assert prices == sorted(set(prices))
            assert all(quantity > 0 for _price, quantity in side)

    async def test_a_depth_of_one_is_the_best_bid_and_ask(self, bench: Bench) -> None:
        deep = (await first(subscribed(bench, "order_book"))).updates[-1]
        flat = (await first(subscribed(bench, "order_book", depth=1))).updates[-1]
        assert (flat.bids, flat.asks) == (deep.bids[:1], deep.asks[:1])

    async def test_a_change_is_published_with_a_later_sequence(self, bench: Bench) -> None:
        stream = subscribed(bench, "order_book")
        before = (await first(stream)).updates[-1]
        await bench.market.tick()

        def differs(book: OrderBook) -> bool:
            return (book.bids, book.asks) != (before.bids, before.asks)

        after = (await read_until(stream, differs))[-1]
        assert after.sequence > before.sequence

    @pytest.mark.parametrize("depth", [0, -1, 1_000])
    async def test_a_depth_out_of_range_is_refused(self, bench: Bench, depth: int) -> None:
        with pytest.raises(InvalidRequest, match=f"depth {depth}"):
            await first(subscribed(bench, "order_book", depth=depth))


@HAS_TRADES
class TestTradeStream:
    async def test_a_trade_is_published_once_with_the_side_of_the_taker(self, bench: Bench) -> None:
        stream = subscribed(bench, "trades")
        await first(stream)
        order = await bench.take(Side.SELL)
        seen = await read_until(stream, lambda trade: trade.side is Side.SELL and trade.quantity == LOT)
        assert seen[-1].price == order.average_price
        assert len({trade.trade_id for trade in seen}) == len(seen)

    async def test_the_snapshot_holds_the_latest_trades_oldest_first(self, bench: Bench) -> None:
        await bench.take(Side.BUY)
        await bench.take(Side.SELL)
        stream = subscribed(bench, "trades")
        seen = await read_until(stream, lambda trade: trade.side is Side.SELL and trade.quantity == LOT)
        assert seen[-2].side is Side.BUY
        times = [trade.event_time_ms for trade in seen]
        assert times == sorted(times)


@HAS_MARK_PRICES
class TestMarkPriceStream:
    async def test_it_is_near_the_market_and_knows_the_next_funding_if_there_is_one(self, bench: Bench) -> None:
        mark = (await first(subscribed(bench, "mark_price"))).updates[-1]
        price = await bench.exchange.get_latest_price(SYMBOL)
        assert abs(mark.mark - price.mid) < price.mid / 50
        if mark.funding_rate is not None:
            assert abs(mark.funding_rate) < 1
            assert mark.next_funding_ms > mark.event_time_ms

    async def test_a_change_is_published(self, bench: Bench) -> None:
        stream = subscribed(bench, "mark_price")
        before = (await first(stream)).updates[-1]
        await bench.market.next_minute()
        seen = await read_until(stream, lambda price: price.mark != before.mark)
        assert seen[-1].event_time_ms >= before.event_time_ms
