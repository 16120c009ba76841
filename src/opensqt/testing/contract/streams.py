"""The streams: each starts with a snapshot, continues in order, and resumes where a reader left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from opensqt.model.account import Position
from opensqt.model.errors import ExchangeError, UnknownSymbol
from opensqt.model.order import ClosedBy, OrderStatus, OrderUpdate, Side
from opensqt.model.stream import Cursor, Stream
from opensqt.testing.contract.bench import LOT, SYMBOL, Bench, first, read_until, ref

Subscribe = Callable[..., Stream[Any]]


def prices(bench: Bench, **at: Any) -> Stream[Any]:
    """Subscribe to the prices of `SYMBOL`."""
    return bench.exchange.subscribe_price(SYMBOL, **at)


def orders(bench: Bench, **at: Any) -> Stream[Any]:
    """Subscribe to the orders of `SYMBOL`."""
    return bench.exchange.subscribe_orders(SYMBOL, **at)


def klines(bench: Bench, **at: Any) -> Stream[Any]:
    """Subscribe to the klines of `SYMBOL`."""
    return bench.exchange.subscribe_klines(SYMBOL, "1m", **at)


def account(bench: Bench, **at: Any) -> Stream[Any]:
    """Subscribe to the account."""
    return bench.exchange.subscribe_account(**at)


def positions(bench: Bench, **at: Any) -> Stream[Any]:
    """Subscribe to the positions of `SYMBOL`."""
    return bench.exchange.subscribe_positions(SYMBOL, **at)


def funding(bench: Bench, **at: Any) -> Stream[Any]:
    """Subscribe to the funding payments of `SYMBOL`."""
    if not bench.info.capabilities.funding_payments:
        pytest.skip("capability: no funding payments are declared")
    return bench.exchange.subscribe_funding_payments(SYMBOL, **at)


def has_quantity(quantity: Decimal, position: Position) -> bool:
    """Return whether a position has a quantity."""
    return position.quantity == quantity


EVERY_STREAM = pytest.mark.parametrize("subscribe", [prices, orders, klines, account, positions, funding])


class TestEveryStream:
    @EVERY_STREAM
    async def test_the_first_batch_is_a_snapshot_without_a_gap(self, bench: Bench, subscribe: Subscribe) -> None:
        batch = await first(subscribe(bench))
        assert (batch.snapshot, batch.gap) == (True, False)
        assert batch.epoch

    @EVERY_STREAM
    async def test_a_reader_that_comes_back_at_once_missed_nothing(self, bench: Bench, subscribe: Subscribe) -> None:
        stream = subscribe(bench)
        batch = await first(stream)
        await stream.aclose()
        again = await first(subscribe(bench, cursor=batch.cursor))
        assert (again.epoch, again.snapshot, again.gap) == (batch.epoch, False, False)

    @EVERY_STREAM
    async def test_a_position_that_is_no_longer_known_is_a_gap(self, bench: Bench, subscribe: Subscribe) -> None:
        """F6: no fill or update is missed across a reconnect or a lost frame."""
        batch = await first(subscribe(bench, cursor=Cursor("anotherLife", 41)))
        assert (batch.snapshot, batch.gap) == (True, True)

    @EVERY_STREAM
    async def test_closing_ends_a_pending_read(self, bench: Bench, subscribe: Subscribe) -> None:
        """F26: memory does not grow with subscriptions that end."""
        stream = subscribe(bench)
        await first(stream)

        async def read_to_the_end() -> None:
            async for _ in stream:
                continue

        reading = asyncio.create_task(read_to_the_end())
        await asyncio.sleep(0)
        await stream.aclose()
        await stream.aclose()
        async with asyncio.timeout(5):
            await reading

    @EVERY_STREAM
    async def test_closing_the_exchange_ends_the_reader_with_an_error(self, bench: Bench, subscribe: Subscribe) -> None:
        stream = subscribe(bench)
        await first(stream)
        await bench.exchange.close()
        with pytest.raises(ExchangeError):
            await first(stream)

    @pytest.mark.parametrize("topic", ["price", "orders", "klines", "positions"])
    async def test_an_unknown_symbol_is_refused(self, bench: Bench, topic: str) -> None:
        more = ("1m",) if topic == "klines" else ()
        with pytest.raises(UnknownSymbol):
            await first(getattr(bench.exchange, f"subscribe_{topic}")("NOPEUSDT", *more))


class TestOrderStream:
    async def test_the_snapshot_is_the_open_orders(self, bench: Bench) -> None:
        order = await bench.resting()
        await bench.exchange.cancel_order(ref(await bench.resting()))
        batch = await first(orders(bench))
        assert [update.order.client_order_id for update in batch.updates] == [order.client_order_id]

    async def test_the_states_of_an_order_come_in_order_with_its_fills(self, bench: Bench) -> None:
        """F6: no fill or update is missed across a reconnect or a lost frame."""
        stream = orders(bench)
        await first(stream)
        order = await bench.resting_first()
        for _ in range(2):
            await bench.market.hit(order, LOT / 2)
        seen = await read_until(stream, lambda update: update.order.status is OrderStatus.FILLED)
        filled = [update.order.filled_quantity for update in seen]
        assert filled == sorted(filled)
        assert [update.fill.quantity for update in seen if update.fill] == [LOT / 2, LOT / 2]
        assert {update.order.client_order_id for update in seen} == {order.client_order_id}

    async def test_a_cancel_is_published(self, bench: Bench) -> None:
        stream = orders(bench)
        await first(stream)
        order = await bench.resting()
        await bench.exchange.cancel_order(ref(order))
        seen = await read_until(stream, lambda update: update.order.status is OrderStatus.CANCELED)
        canceled = seen[-1].order
        assert (canceled.client_order_id, canceled.closed_by) == (order.client_order_id, ClosedBy.OWNER)

    async def test_what_happened_while_away_is_caught_up(self, bench: Bench) -> None:
        """F6: no fill or update is missed across a reconnect or a lost frame."""
        stream = orders(bench)
        left = (await first(stream)).cursor
        await stream.aclose()
        order = await bench.resting_first()
        await bench.market.hit(order, LOT)
        await bench.becomes(ref(order), OrderStatus.FILLED)
        seen = await read_until(orders(bench, cursor=left), lambda update: update.order.status is OrderStatus.FILLED)
        assert sum((update.fill.quantity for update in seen if update.fill), Decimal(0)) == LOT

    async def test_a_sleeping_reader_misses_nothing(self, bench: Bench) -> None:
        """F7: no update vanishes between two reads of a stream, or a gap is reported."""
        streams = [orders(bench) for _ in range(3)]
        for stream in streams:
            await first(stream)
        placed = [(await bench.resting()).client_order_id for _ in range(10)]

        def is_last(update: OrderUpdate) -> bool:
            return update.order.client_order_id == placed[-1]

        for stream in streams:
            seen = await read_until(stream, is_last)
            names = dict.fromkeys(update.order.client_order_id for update in seen)
            assert list(names) == placed

    async def test_no_symbol_means_all(self, bench: Bench) -> None:
        stream = bench.exchange.subscribe_orders()
        await first(stream)
        order = await bench.resting()
        seen = await read_until(stream, lambda update: update.order.client_order_id == order.client_order_id)
        assert seen[-1].order.symbol == SYMBOL


class TestPriceStream:
    async def test_a_change_is_published(self, bench: Bench) -> None:
        stream = prices(bench)
        before = (await first(stream)).updates[-1]
        await bench.market.tick()
        seen = await read_until(stream, lambda update: update != before)
        assert seen[-1].bid < seen[-1].ask


class TestKlineStream:
    async def test_the_closing_candle_is_always_published(self, bench: Bench) -> None:
        stream = klines(bench)
        await first(stream)
        await bench.market.tick()
        await bench.market.next_minute()
        await bench.market.tick()
        seen = await read_until(stream, lambda candle: candle.closed)
        history = await bench.exchange.get_historical_klines(
            SYMBOL, "1m", start_ms=seen[-1].open_time_ms, end_ms=seen[-1].open_time_ms
        )
        assert [(one.open, one.high, one.low, one.close, one.volume) for one in history] == [
            (one.open, one.high, one.low, one.close, one.volume) for one in seen[-1:]
        ]


class TestAccountStream:
    async def test_a_fill_changes_the_balance(self, bench: Bench) -> None:
        stream = account(bench)
        start = (await first(stream)).updates[-1]
        await bench.take(Side.BUY)
        seen = await read_until(stream, lambda update: update.wallet_balance < start.wallet_balance)
        assert seen[-1].wallet_balance == (await bench.exchange.get_account()).wallet_balance


class TestPositionStream:
    async def test_long_flip_and_flat_have_their_sign(self, bench: Bench) -> None:
        """F12: the sign and the side of a position are kept, and flat is an explicit zero."""
        stream = positions(bench)
        await first(stream)
        for side, quantity, held in [(Side.BUY, LOT, LOT), (Side.SELL, LOT * 2, -LOT), (Side.BUY, LOT, Decimal(0))]:
            await bench.take(side, quantity)
            seen = await read_until(stream, partial(has_quantity, held))
            assert seen[-1].symbol == SYMBOL

    async def test_the_snapshot_holds_the_position(self, bench: Bench) -> None:
        """F12: the sign and the side of a position are kept, and flat is an explicit zero."""
        await bench.take(Side.SELL)
        stream = positions(bench)
        seen = await read_until(stream, lambda update: not update.is_flat)
        assert seen[-1].quantity == -LOT
