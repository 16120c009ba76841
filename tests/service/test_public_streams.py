"""Order books, public trades and mark prices through a connector: for plain clients, and for readers that are slow."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import grpc
import pytest

import opensqt
from opensqt.client.exchange import RemoteExchange
from opensqt.config.remote import RemoteSettings
from opensqt.model.errors import InvalidRequest, StaleData, Unsupported
from opensqt.model.order import Side
from opensqt.model.stream import Cursor, Stream
from opensqt.proto import gateway_service_pb2 as pb
from opensqt.streams.conflation import TRADES_KEPT
from tests.service.connector_rig import Rig, Venue, reason_of, rig
from tests.support import eventually
from tests.support.blocking import in_thread

SYMBOL = "BTCUSDT"
ONE = Decimal(1)


def remote(running: Rig) -> RemoteExchange:
    return RemoteExchange(RemoteSettings(base_url=running.connector.address, retry_scale=0.01))


def trade(running: Rig, number: int) -> None:
    running.venue.add_trade(SYMBOL, Decimal(100), Decimal(number), Side.SELL)


async def read(call: Any, kind: str) -> Any:
    async with asyncio.timeout(60):
        return getattr(await call.read(), kind)


PLAIN = {
    "SubscribeOrderBook": pb.SubscribeOrderBookRequest(symbol=SYMBOL),
    "SubscribeTrades": pb.SubscribeTradesRequest(symbol=SYMBOL),
    "SubscribeMarkPrice": pb.SubscribeMarkPriceRequest(symbol=SYMBOL),
}


@pytest.mark.parametrize("method", PLAIN)
async def test_a_plain_call_begins_with_a_snapshot_and_resumes_at_its_position(method: str) -> None:
    async with rig() as running:
        trade(running, 1)
        subscribe = getattr(running.gateway, method)
        first = await subscribe(PLAIN[method]).read()
        assert (first.snapshot, first.gap, len(first.updates)) == (True, False, 1)
        assert first.sent_ns
        request = type(PLAIN[method])(symbol=SYMBOL, position=first.position)
        again = await subscribe(request).read()
        assert (again.snapshot, again.gap, again.position) == (False, False, first.position)


@pytest.mark.parametrize("depth", [-1, 51])
async def test_a_depth_out_of_range_is_refused(depth: int) -> None:
    async with rig() as running:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await running.gateway.SubscribeOrderBook(pb.SubscribeOrderBookRequest(symbol=SYMBOL, depth=depth)).read()
        assert reason_of(refused.value) == InvalidRequest.reason
        assert f"depth {depth}" in (refused.value.details() or "")


async def test_an_invalid_book_has_no_levels_on_the_wire_and_its_reason() -> None:
    """F14: a book with a hole in it is not traded on."""
    async with rig() as running:
        call = running.gateway.SubscribeOrderBook(PLAIN["SubscribeOrderBook"])
        assert (await call.read()).updates[0].valid
        running.venue.invalidate_order_book(SYMBOL, "a change is missing")
        (book,) = (await call.read()).updates
        assert (book.valid, book.invalid_reason, len(book.bids)) == (False, "a change is missing", 0)


async def test_a_reader_of_a_book_that_was_away_gets_the_newest_alone() -> None:
    """A slow reader never decides by an old book."""
    async with rig() as running, remote(running) as exchange, exchange.subscribe_order_book(SYMBOL, 1) as books:
        await anext(books)
        for number in range(500):
            running.venue.tick(number)
            if number % 50 == 0:
                await asyncio.sleep(0)
        bid = running.venue.tick(500)
        last = await eventually(lambda: _next_with(books, bid), what="the newest book")
        assert len(last.updates) == 1


async def _next_with(books: Stream[Any], bid: Decimal) -> Any:
    batch = await anext(books)
    return batch if batch.updates and batch.updates[-1].bids[0][0] == bid else None


async def test_a_reader_of_trades_that_is_far_behind_gets_the_newest_and_the_gap_is_reported() -> None:
    """F7, F28: trades are no prices, so none is left out without a word, and memory is bounded."""
    async with rig() as running, remote(running) as exchange, exchange.subscribe_trades(SYMBOL) as trades:
        await anext(trades)
        for number in range(1, 5 * TRADES_KEPT + 1):
            trade(running, number)
            if number % 100 == 0:
                await asyncio.sleep(0.001)
        seen, gaps, batches = [], 0, 0
        while not seen or seen[-1] != 5 * TRADES_KEPT:
            batch = await anext(trades)
            batches += 1
            gaps += batch.gap
            assert len(batch.updates) <= TRADES_KEPT
            seen += [int(one.quantity) for one in batch.updates]
        assert seen == sorted(set(seen))
        assert bool(gaps) == (len(seen) < 5 * TRADES_KEPT)


async def test_a_reader_of_trades_that_keeps_up_gets_each_of_them() -> None:
    """F7: no update vanishes between two reads of a stream, or a gap is reported."""
    async with rig() as running, remote(running) as exchange, exchange.subscribe_trades(SYMBOL) as trades:
        await anext(trades)
        seen: list[int] = []
        for first in range(1, 1001, 100):
            for number in range(first, first + 100):
                trade(running, number)
            while not seen or seen[-1] != first + 99:
                batch = await anext(trades)
                assert not batch.gap
                seen += [int(one.quantity) for one in batch.updates]
        assert seen == list(range(1, 1001))


async def test_an_old_book_raises_in_place_of_its_hand_over() -> None:
    """A slow reader never decides by an old book."""
    async with rig() as running, remote(running) as exchange:
        books = exchange.subscribe_order_book(SYMBOL, max_age_s=0.001)
        with pytest.raises(StaleData, match="order_book BTCUSDT"):
            await anext(books)


async def test_a_blocking_client_reads_all_three() -> None:
    async with rig() as running:
        trade(running, 7)

        def read_all() -> tuple[Any, Any, Any]:
            with opensqt.connect_sync(running.connector.address) as exchange:
                return (
                    next(exchange.subscribe_order_book(SYMBOL, 1, timeout_s=60)).updates[-1],
                    next(exchange.subscribe_trades(SYMBOL, timeout_s=60)).updates[-1],
                    next(exchange.subscribe_mark_price(SYMBOL, timeout_s=60)).updates[-1],
                )

        book, last, mark = await in_thread(read_all)
        assert book.bids[0][0] < mark.mark < book.asks[0][0]
        assert last.quantity == 7


async def test_a_book_of_two_depths_is_two_streams_of_one_kind() -> None:
    async with rig() as running, remote(running) as exchange:
        running.venue.set_order_book(
            SYMBOL, [(Decimal(100), ONE), (Decimal(99), ONE)], [(Decimal(101), ONE), (Decimal(102), ONE)]
        )
        flat, deep = exchange.subscribe_order_book(SYMBOL, 1), exchange.subscribe_order_book(SYMBOL, 2)
        assert [len((await anext(books)).updates[-1].bids) for books in (flat, deep)] == [1, 2]
        names = {str(key) for key in running.connector.streams.counts}
        assert names == {"order_book:BTCUSDT:1", "order_book:BTCUSDT:2"}


class WithoutBooks(Venue):
    """A venue that has no stream of order books."""

    def subscribe_order_book(self, symbol: str, depth: int = 20, *, cursor: Cursor | None = None, **_: Any) -> Any:
        raise Unsupported("no stream of order books")


async def test_a_stream_that_the_venue_has_not_is_unsupported() -> None:
    async with rig(WithoutBooks()) as running, remote(running) as exchange:
        with pytest.raises(Unsupported):
            await anext(exchange.subscribe_order_book(SYMBOL))
