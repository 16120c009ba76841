"""Frames that are lost, repeated, late or never come: what a reader knows ends up equal to the ledger."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.account import PositionMode
from opensqt.model.order import OrderStatus, OrderType, PositionSide, Side
from opensqt.venues.factory import VENUES
from tests.chaos.adapter_rig import LOT, PART, SYMBOL, UNLIMITED, Adapter, Rig, on_simulator
from tests.support import eventually
from tests.support.each import at_once


@pytest.mark.timeout(300)
async def test_a_lossy_stream_that_is_cut_in_mid_fill_ends_up_equal_to_the_ledger(
    adapter: Adapter, large: bool
) -> None:
    """F6: 1 % of the frames lost (more, where there are few) and the socket cut again and again, in mid-fill."""
    rounds, cuts, lost = (400, 50, "0.01") if large else (60, 8, "0.08")
    async with adapter(server=UNLIMITED) as rig:
        rig.fault(kind="drop_frames", channel="private", probability=lost, times=0)

        def cut(number: int) -> None:
            if number % (rounds // cuts) == 0:
                rig.fault(kind="cut", channel="private")

        await rig.trade(rounds, cut)
        await rig.agrees()
        assert rig.gaps == 0
        statistics = rig.simulator.ledger()["statistics"]
        assert statistics["frames_dropped"] > 0
        assert statistics["connections_opened"]["private"] > cuts // 4


@pytest.mark.parametrize("times", [1, 2, 5])
async def test_a_lost_frame_on_a_healthy_socket_is_made_good(adapter: Adapter, times: int) -> None:
    """F6: the socket never breaks, so only comparing can tell that something is missing."""
    async with adapter() as rig:
        side = Side.BUY
        await rig.exchange.place_order(rig.request(side, await rig.front(side)))
        await eventually(lambda: rig.orders)
        rig.fault(kind="drop_frames", channel="private", times=times)
        rig.hit(side, PART)
        rig.hit(side, LOT - PART)
        await rig.agrees()
        assert rig.simulator.ledger()["statistics"]["connections_opened"]["private"] == 1


async def test_every_fill_told_three_times_counts_once(adapter: Adapter) -> None:
    """F8: repeated and shuffled frames, and the same trades again by query."""
    async with adapter() as rig:
        rig.fault(kind="repeat", channel="private", copies=3, times=0)
        rig.fault(kind="reorder", channel="private", window=4, times=0)
        await rig.trade(12)
        rig.simulator.faults.clear()
        rig.fault(kind="cut", channel="private")
        await rig.agrees()


async def test_a_late_word_does_not_undo_a_newer_one(adapter: Adapter) -> None:
    """F6: shuffled frames; the reader itself asserts that no filled quantity goes back."""
    async with adapter() as rig:
        rig.fault(kind="reorder", channel="private", window=5, times=0)
        await rig.trade(10)
        rig.simulator.faults.clear()
        await rig.agrees()


async def test_an_unknown_event_and_a_malformed_row_do_not_stop_the_stream() -> None:
    """F25: they are set aside and counted, and what they hid is found by comparing.

    On all venues at once: nearly all of it is waiting.
    """

    async def check(venue: str) -> None:
        async with on_simulator(venue) as rig:
            rig.fault(kind="unknown_field", channel="private", times=3)
            rig.fault(kind="malformed", channel="private", times=3)
            await rig.trade(6)
            await rig.agrees()
            assert rig.exchange.venue.set_aside.total
            await eventually(lambda: not rig.exchange.venue.set_aside, what="every row read in the end")

    await at_once(sorted(VENUES), check)


async def test_a_mute_private_stream_is_noticed_and_replaced() -> None:
    """F13: pings are answered, data is not sent; what the venue answered to us was never streamed.

    On all venues at once: nearly all of it is waiting.
    """

    async def check(venue: str) -> None:
        async with on_simulator(venue, stale_after_s=0.5) as rig:
            rig.fault(kind="mute", channel="private")
            await rig.trade(2)
            assert await eventually(lambda: _broken(rig, "private_stream"))
            rig.simulator.faults.clear()
            await rig.agrees()

    await at_once(sorted(VENUES), check)


async def test_an_account_with_nothing_to_tell_is_not_taken_for_a_mute_stream(adapter: Adapter) -> None:
    """F31: the stream told the order before the answer did, and then there is nothing more to tell."""
    async with adapter(stale_after_s=0.3, reconcile_interval_s=0.1) as rig:
        rig.fault(kind="delay", on="place_order", delay_ms=200, before=False)
        await rig.exchange.place_order(rig.request(price=await rig.far()))
        asked = rig.simulator.ledger()["statistics"]["requests"]["open_orders"]
        await eventually(lambda: rig.simulator.ledger()["statistics"]["requests"]["open_orders"] > asked + 8)
        assert rig.simulator.ledger()["statistics"]["connections_opened"]["private"] == 1


async def test_a_mute_price_stream_is_noticed_while_the_market_moves() -> None:
    """F13: readiness is lost for a channel that says nothing while the venue knows newer prices.

    On all venues at once: nearly all of it is waiting.
    """

    async def check(venue: str) -> None:
        async with on_simulator(venue, still=False, stale_after_s=0.5) as rig:
            stream = rig.exchange.subscribe_price(SYMBOL)
            await anext(stream)
            rig.fault(kind="mute", channel="price")
            assert await eventually(lambda: _broken(rig, f"market_data:price:{SYMBOL}"))
            rig.simulator.faults.clear()
            await eventually(lambda: not _broken(rig, f"market_data:price:{SYMBOL}"))

    await at_once(sorted(VENUES), check)


async def test_a_quiet_market_is_not_taken_for_a_broken_stream(adapter: Adapter) -> None:
    """F31: nothing new at the venue either, so the last price stays good."""
    async with adapter(stale_after_s=0.2) as rig:
        stream = rig.exchange.subscribe_price(SYMBOL)
        await anext(stream)
        asked = rig.simulator.ledger()["statistics"]["requests"]["market_data"]
        await eventually(lambda: rig.simulator.ledger()["statistics"]["requests"]["market_data"] >= asked + 3)
        assert not _broken(rig, f"market_data:price:{SYMBOL}")
        assert rig.simulator.ledger()["statistics"]["connections_opened"]["market"] == 1


async def test_many_candle_streams_share_a_connection_and_survive_its_cut(adapter: Adapter) -> None:
    """F6: the subscriptions are renewed without sending more than the venue takes."""
    async with adapter(still=False) as rig:
        intervals = (await rig.exchange.get_exchange_info()).capabilities.intervals
        # Kept until the end: a channel that nobody reads is closed after a while, and not opened again.
        streams = [
            rig.exchange.subscribe_klines(symbol, interval)
            for symbol in (SYMBOL, "ETHUSDT")
            for interval in sorted(intervals)
        ]
        for stream in streams:
            await anext(stream)
        topics = list(rig.exchange.market.topics.values())
        first = await eventually(lambda: _shared_socket(topics))
        rig.fault(kind="cut", channel="market")
        await eventually(lambda: _shared_socket(topics) not in (None, first) and _connections(rig, "opened") > 1)
        assert _connections(rig, "opened") == 2


async def test_readers_share_one_upstream_that_ends_after_the_last_and_begins_again(adapter: Adapter) -> None:
    """F26: whoever reads, one connection a topic; nobody reads, none."""
    async with adapter(still=False, linger_s=0.1) as rig:
        for opened in (1, 2):
            readers = [rig.exchange.subscribe_price(SYMBOL) for _ in range(10)]
            for reader in readers:
                await anext(reader)
            await eventually(lambda: _connections(rig, "open") == 1)
            assert _connections(rig, "opened") == opened
            for reader in readers:
                await reader.aclose()
            await eventually(lambda: _connections(rig, "open") == 0)
        assert not any("market_data" in check.name for check in (await rig.exchange.get_status()).checks)


async def test_one_thousand_frames_in_a_burst_reach_three_readers_in_order(adapter: Adapter) -> None:
    """F7: one of the readers sleeps through all of it and still misses nothing."""
    async with adapter(server=UNLIMITED) as rig:
        readers = [rig.exchange.subscribe_orders() for _ in range(3)]
        for reader in readers:
            await anext(reader)
        price = await rig.far()
        awake = [asyncio.create_task(_order_words(reader, 1_000)) for reader in readers[:2]]
        for _ in range(10):
            await rig.exchange.batch_place_orders([rig.request(price=price, quantity=PART) for _ in range(50)])
            await rig.exchange.cancel_all_orders(SYMBOL)
        seen = [*(await asyncio.gather(*awake)), await _order_words(readers[2], 1_000)]
        assert seen[0] == seen[1] == seen[2]
        assert len(seen[0]) == 1_000


@pytest.mark.parametrize("mode", list(PositionMode))
async def test_long_flip_and_flat_are_streamed_with_their_sign(adapter: Adapter, mode: PositionMode) -> None:
    """F12: the sign is exact and a flat position is told as zero, in both modes."""
    async with adapter(mode) as rig:
        hedge = mode is PositionMode.HEDGE
        long_side = PositionSide.LONG if hedge else PositionSide.BOTH
        short_side = PositionSide.SHORT if hedge else PositionSide.BOTH
        stream = rig.exchange.subscribe_positions(SYMBOL)
        await anext(stream)
        held: dict[PositionSide, Decimal] = dict.fromkeys(PositionSide, Decimal(0))

        async def market(side: Side, position_side: PositionSide, quantity: Decimal = LOT) -> tuple[Any, Any]:
            await rig.exchange.place_order(
                rig.request(side, order_type=OrderType.MARKET, position_side=position_side, quantity=quantity)
            )
            while True:  # the venue may report a position again that has not changed
                for update in reversed((await anext(stream)).updates):
                    if update.position_side is position_side and update.quantity != held[position_side]:
                        held[position_side] = update.quantity
                        return update.position_side, update.quantity

        assert await market(Side.BUY, long_side) == (long_side, LOT)
        if not hedge:
            assert await market(Side.SELL, short_side, 2 * LOT) == (short_side, -LOT)
            assert await market(Side.BUY, short_side) == (short_side, 0)
            return
        assert await market(Side.SELL, short_side) == (short_side, -LOT)
        assert await market(Side.SELL, long_side) == (long_side, 0)
        assert await market(Side.BUY, short_side) == (short_side, 0)


def _shared_socket(topics: list[Any]) -> Any:
    sockets = {topic.socket for topic in topics}
    return sockets.pop() if len(sockets) == 1 else None


def _connections(rig: Rig, which: str) -> int:
    return int(rig.simulator.ledger()["statistics"][f"connections_{which}"]["market"])


def _broken(rig: Rig, name: str) -> bool:
    check = next(check for check in rig.exchange.health.evaluate().checks if check.name == name)
    return not check.ok


async def _order_words(reader: Any, enough: int) -> list[tuple[str, OrderStatus]]:
    words: list[tuple[str, OrderStatus]] = []
    while len(words) < enough:
        words += [(update.order.order_id, update.order.status) for update in (await anext(reader)).updates]
    return words
