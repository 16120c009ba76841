"""The connector's streams: one upstream, many readers, nothing lost unsaid."""

from __future__ import annotations

import asyncio
import gc
import resource
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import grpc
import pytest

from opensqt.connector.streams.keys import StreamKey
from opensqt.model.errors import StreamOverflow, Unreachable
from opensqt.model.market import Price
from opensqt.model.order import OrderRef, OrderRequest, Side
from opensqt.model.stream import Batch, Cursor, Stream
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import gateway_service_pb2 as gateway_pb
from opensqt.proto import types_pb2
from opensqt.proto.exchange_service_pb2_grpc import ExchangeServiceStub
from tests.service.connector_rig import Rig, Venue, client, place, reason_of, rig
from tests.support import eventually

BTC = pb.SubscribePriceRequest(symbol="BTCUSDT")
PRICE = StreamKey("price", "BTCUSDT")


class Relayed:
    """A stream that comes from no feed in this process, such as another connector's."""

    def __init__(self, source: Stream[Any]) -> None:
        self._source = source

    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> Batch[Any]:
        return await anext(aiter(self._source))

    async def aclose(self) -> None:
        await self._source.aclose()


class RelayingVenue(Venue):
    """Hands out streams that come from no feed here."""

    def subscribe_orders(self, symbol: str = "", *, cursor: Cursor | None = None) -> Any:
        return Relayed(super().subscribe_orders(symbol, cursor=cursor))


class CountingVenue(Venue):
    """Counts price subscriptions, and can refuse them."""

    def __init__(self, refusals: int = 0) -> None:
        super().__init__()
        self.subscribed = 0
        self.refusals = refusals

    def subscribe_price(self, symbol: str, *, cursor: Cursor | None = None) -> Any:
        self.subscribed += 1
        if self.refusals:
            self.refusals -= 1
            raise Unreachable("the venue hung up")
        return super().subscribe_price(symbol, cursor=cursor)


@pytest.fixture
async def running() -> AsyncIterator[Rig]:
    async with rig() as running:
        yield running


async def read(stream: Any, count: int) -> list[Any]:
    """The next *count* updates of a stream, however they are batched."""
    updates: list[Any] = []
    while len(updates) < count:
        response = await stream.read()
        assert response is not grpc.aio.EOF
        updates += response.updates
    return updates


async def buy(venue: Venue, client_order_id: str) -> None:
    await venue.place_order(
        OrderRequest(
            symbol="BTCUSDT",
            side=Side.BUY,
            quantity=Decimal("0.1"),
            price=Decimal(50),
            client_order_id=client_order_id,
        )
    )


async def place_and_cancel(venue: Venue, first: int, last: int) -> None:
    for number in range(first, last):
        await buy(venue, f"o{number}")
        await venue.cancel_order(OrderRef(symbol="BTCUSDT", client_order_id=f"o{number}"))


async def test_a_stream_starts_with_a_snapshot_and_goes_on_with_what_changes(running: Rig) -> None:
    stream = running.exchange.SubscribePrice(BTC)
    first = await stream.read()
    assert (first.snapshot, first.gap, [price.bid for price in first.updates]) == (True, False, ["100"])
    running.venue.tick(1)
    second = await stream.read()
    assert (second.snapshot, second.gap, second.epoch) == (False, False, first.epoch)
    assert (second.sequence, [price.bid for price in second.updates]) == (first.sequence + 1, ["200.1"])


async def test_each_of_the_five_streams_gives_its_snapshot(running: Rig) -> None:
    await running.exchange.PlaceOrder(place("resting"))
    await running.exchange.PlaceOrder(place("bought", price="101", symbol="ETHUSDT"))
    stub = running.exchange
    (order,) = (await stub.SubscribeOrders(pb.SubscribeOrdersRequest()).read()).updates
    assert order.order.client_order_id == "resting"
    (account,) = (await stub.SubscribeAccount(pb.SubscribeAccountRequest()).read()).updates
    assert account.asset == "USDT"
    positions = (await stub.SubscribePositions(pb.SubscribePositionsRequest()).read()).updates
    assert {one.symbol: one.quantity for one in positions}["ETHUSDT"] == "0.1"
    klines = (await stub.SubscribeKlines(pb.SubscribeKlinesRequest(symbol="BTCUSDT", interval="1m")).read()).updates
    assert klines[-1].close == "100.05"


async def test_a_fill_reaches_the_orders_stream_with_its_order(running: Rig) -> None:
    stream = running.exchange.SubscribeOrders(pb.SubscribeOrdersRequest())
    assert (await stream.read()).snapshot
    await running.exchange.PlaceOrder(place("a"))
    running.venue.fill(OrderRef(symbol="BTCUSDT", client_order_id="a"), Decimal("0.04"))
    opened, filled = await read(stream, 2)
    assert opened.order.status == types_pb2.ORDER_STATUS_OPEN
    assert (filled.order.filled_quantity, filled.fill.quantity) == ("0.04", "0.04")


async def test_a_snapshot_never_tells_a_fill_again(running: Rig) -> None:
    """F8: a fill counts once, however often it is reported."""
    early = running.exchange.SubscribeOrders(pb.SubscribeOrdersRequest())
    await early.read()
    await running.exchange.PlaceOrder(place("a"))
    running.venue.fill(OrderRef(symbol="BTCUSDT", client_order_id="a"), Decimal("0.04"))
    await read(early, 2)
    (order,) = (await running.exchange.SubscribeOrders(pb.SubscribeOrdersRequest()).read()).updates
    assert (order.order.filled_quantity, order.HasField("fill")) == ("0.04", False)


async def test_a_stream_of_one_symbol_leaves_the_others_out(running: Rig) -> None:
    stream = running.exchange.SubscribeOrders(pb.SubscribeOrdersRequest(symbol="ETHUSDT"))
    await stream.read()
    await running.exchange.PlaceOrder(place("btc"))
    await running.exchange.PlaceOrder(place("eth", symbol="ETHUSDT"))
    assert [update.order.client_order_id for update in await read(stream, 1)] == ["eth"]


def kept_prices() -> int:
    return sum(isinstance(one, Price) and one.bid == Decimal("200.1") for one in gc.get_objects())


async def test_every_client_reads_the_exchanges_own_feed_and_an_update_is_kept_once(running: Rig) -> None:
    feed = running.venue.venue.price_feeds["BTCUSDT"]
    streams = [running.exchange.SubscribePrice(BTC) for _ in range(10)]
    first = [await stream.read() for stream in streams]
    assert {(response.snapshot, response.epoch, response.sequence) for response in first} == {
        (True, feed.epoch, feed.sequence)
    }
    assert (feed.readers, running.connector.streams.counts) == (10, {PRICE: 10})
    # Earlier tests of this process may have left such a price behind.
    before = kept_prices()
    running.venue.tick(1)
    await asyncio.gather(*(stream.read() for stream in streams))
    assert kept_prices() - before == 1


async def test_the_last_client_that_leaves_leaves_no_reader_behind(running: Rig) -> None:
    stream = running.exchange.SubscribePrice(BTC)
    await stream.read()
    stream.cancel()
    await eventually(lambda: running.connector.streams.counts == {})
    assert running.venue.venue.price_feeds["BTCUSDT"].readers == 0


async def test_a_client_resumes_after_its_position_without_a_gap() -> None:
    async with rig() as running:
        stream = running.exchange.SubscribeOrders(pb.SubscribeOrdersRequest())
        seen = await stream.read()
        stream.cancel()
        await place_and_cancel(running.venue, 0, 5)
        again = running.exchange.SubscribeOrders(pb.SubscribeOrdersRequest(position=seen.position))
        response = await again.read()
    assert (response.snapshot, response.gap, len(response.updates)) == (False, False, 10)


async def test_a_client_of_before_resumes_by_epoch_and_sequence() -> None:
    async with rig() as running:
        stream = running.exchange.SubscribeOrders(pb.SubscribeOrdersRequest())
        seen = await stream.read()
        stream.cancel()
        await place_and_cancel(running.venue, 0, 5)
        cursor = types_pb2.Cursor(epoch=seen.epoch, sequence=seen.sequence)
        again = running.exchange.SubscribeOrders(pb.SubscribeOrdersRequest(cursor=cursor))
        response = await again.read()
    assert (response.snapshot, response.gap, len(response.updates)) == (False, False, 10)


async def test_a_stream_from_no_feed_here_resumes_at_its_own_places() -> None:
    async with rig(RelayingVenue()) as running:
        stream = running.exchange.SubscribeOrders(pb.SubscribeOrdersRequest())
        seen = await stream.read()
        await buy(running.venue, "first")
        assert [update.order.client_order_id for update in (await stream.read()).updates] == ["first"]
        stream.cancel()
        await place_and_cancel(running.venue, 0, 5)
        cursor = types_pb2.Cursor(epoch=seen.epoch, sequence=seen.sequence)
        response = await running.exchange.SubscribeOrders(pb.SubscribeOrdersRequest(cursor=cursor)).read()
    assert (response.snapshot, response.gap, len(response.updates)) == (False, False, 11)


async def test_a_position_that_can_not_be_resumed_gets_a_snapshot_and_is_told_of_the_gap(running: Rig) -> None:
    """F7: no update vanishes between two reads of a stream, or a gap is reported."""
    elsewhere = types_pb2.StreamPosition(epoch="0123456789abcdef", sequence=7)
    response = await running.exchange.SubscribeOrders(pb.SubscribeOrdersRequest(position=elsewhere)).read()
    assert (response.snapshot, response.gap) == (True, True)


async def test_a_gap_upstream_is_told_to_every_client(running: Rig) -> None:
    """F7: no update vanishes between two reads of a stream, or a gap is reported."""
    streams = [running.exchange.SubscribeOrders(pb.SubscribeOrdersRequest()) for _ in range(3)]
    epochs = {(await stream.read()).epoch for stream in streams}
    await buy(running.venue, "open")
    await asyncio.gather(*(read(stream, 1) for stream in streams))
    running.venue.inject_gap()
    for stream in streams:
        response = await stream.read()
        assert (response.snapshot, response.gap) == (True, True)
        assert response.epoch not in epochs
        assert [update.order.client_order_id for update in response.updates] == ["open"]


async def test_an_upstream_that_fails_is_tried_again_while_clients_wait() -> None:
    """F6: no fill or update is missed across a reconnect or a lost frame."""
    venue = CountingVenue(refusals=2)
    async with rig(venue) as running:
        stream = running.exchange.SubscribePrice(BTC)
        assert (await stream.read()).snapshot
        assert venue.subscribed == 3


async def test_an_upstream_that_stays_down_is_told_by_health() -> None:
    """F31: health never says yes while a part is dead."""
    async with rig(CountingVenue(refusals=1000)) as running:
        stream = running.exchange.SubscribePrice(BTC)
        await stream.initial_metadata()

        async def failed_checks() -> list[str]:
            answer = await running.gateway.GetStatus(gateway_pb.GetStatusRequest())
            return [f"{check.name}: {check.reason}" for check in answer.checks if not check.ok]

        assert await eventually(failed_checks) == ["stream:price:BTCUSDT: the venue hung up"]


@pytest.mark.parametrize(
    ("method", "request_", "said"),
    [
        ("SubscribePrice", pb.SubscribePriceRequest(), "symbol '': expected"),
        ("SubscribePrice", pb.SubscribePriceRequest(symbol="NONEUSDT"), "NONEUSDT"),
        ("SubscribeOrders", pb.SubscribeOrdersRequest(symbol="NONEUSDT"), "NONEUSDT"),
        ("SubscribePositions", pb.SubscribePositionsRequest(symbol="NONEUSDT"), "NONEUSDT"),
        ("SubscribeKlines", pb.SubscribeKlinesRequest(symbol="BTCUSDT", interval="7m"), "interval '7m': expected"),
        ("SubscribeAccount", pb.SubscribeAccountRequest(cursor=types_pb2.Cursor()), "cursor.epoch '': expected"),
        (
            "SubscribeAccount",
            pb.SubscribeAccountRequest(position=types_pb2.StreamPosition(sequence=1)),
            "position.epoch '': expected",
        ),
    ],
)
async def test_a_bad_subscription_is_refused_by_field_value_and_what_was_expected(
    running: Rig, method: str, request_: Any, said: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await getattr(running.exchange, method)(request_).read()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert said in caught.value.details()
    await eventually(lambda: running.connector.streams.counts == {})


async def test_a_burst_reaches_every_client_whole_and_in_order_though_one_sleeps(running: Rig, large: bool) -> None:
    """F7: 1,000 updates in a burst, 3 readers, one asleep."""
    count = 10_000 if large else 500
    async with client(running.connector.address) as one, client(running.connector.address) as other:
        stubs = [running.exchange, ExchangeServiceStub(one), ExchangeServiceStub(other)]
        streams = [stub.SubscribeOrders(pb.SubscribeOrdersRequest()) for stub in stubs]
        for stream in streams:
            await stream.read()
        sleeper, *awake = streams
        reading = [asyncio.create_task(read(stream, 2 * count)) for stream in awake]
        await place_and_cancel(running.venue, 0, count)
        received = [*await asyncio.gather(*reading), await read(sleeper, 2 * count)]
    wanted = [f"o{number}" for number in range(count) for _ in range(2)]
    assert [[update.order.client_order_id for update in updates] for updates in received] == [wanted] * 3


async def test_a_client_too_slow_for_orders_is_closed_and_told_of_the_gap_on_its_return() -> None:
    """F7: no update vanishes between two reads of a stream, or a gap is reported.
    F28: a slow reader harms no other and its memory is bounded.
    """
    async with rig(stream_buffer=16) as running:
        stream = running.exchange.SubscribeOrders(pb.SubscribeOrdersRequest())
        seen = await stream.read()
        await running.exchange.PlaceOrder(place("a"))
        for _ in range(50):
            running.venue.fill(OrderRef(symbol="BTCUSDT", client_order_id="a"), Decimal("0.001"))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await read(stream, 51)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert reason_of(caught.value) == StreamOverflow.reason
        again = await running.exchange.SubscribeOrders(pb.SubscribeOrdersRequest(position=seen.position)).read()
        assert (again.snapshot, again.gap) == (True, True)
        assert again.updates[0].order.filled_quantity == "0.050"


async def test_a_client_too_slow_for_prices_gets_the_newest_and_nobody_waits_for_it(running: Rig) -> None:
    """F28: a slow reader harms no other and its memory is bounded."""
    count = 10_000
    async with client(running.connector.address, narrow=True) as channel:
        sleeper = ExchangeServiceStub(channel).SubscribePrice(BTC)
        await sleeper.read()
        awake = running.exchange.SubscribePrice(BTC)
        await awake.read()
        for number in range(count):
            last = running.venue.tick(number)
            if number % 500 == 499:
                while Decimal((await awake.read()).updates[-1].bid) != last:
                    pass
        received = [0]
        while received[-1] != last:
            received += [Decimal(price.bid) for price in (await sleeper.read()).updates]
    assert received == sorted(received)
    assert len(received) < count


async def test_a_closing_candle_reaches_a_client_that_slept_through_it() -> None:
    now_ns = 1_700_000_000_000 * 1_000_000
    venue = Venue(clock=lambda: now_ns)
    async with rig(venue) as running:
        stream = running.exchange.SubscribeKlines(pb.SubscribeKlinesRequest(symbol="BTCUSDT", interval="1m"))
        await stream.read()
        for minute in range(3):
            now_ns += 60_000_000_000
            for number in range(700):
                venue.tick(minute * 700 + number)
        closed: set[int] = set()
        while len(closed) < 3:
            closed |= {kline.open_time_ms for kline in (await stream.read()).updates if kline.closed}
    assert len(closed) == 3


def resident_kb() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 1024


@pytest.mark.timeout(900)
async def test_clients_that_come_and_go_leave_nothing_behind(large: bool) -> None:
    """F26: 100,000 subscribe and cancel, memory flat."""
    rounds = 100_000 if large else 2_000
    async with rig() as running:
        stub, connector = running.exchange, running.connector
        before_kb = before_objects = 0
        own = {task.get_name() for task in connector.tasks}
        for number in range(rounds):
            stream = stub.SubscribePrice(BTC) if number % 2 else stub.SubscribeOrders(pb.SubscribeOrdersRequest())
            await (stream.read() if number % 10 else stream.initial_metadata())
            stream.cancel()
            if number == rounds // 4:
                gc.collect()
                before_kb, before_objects = resident_kb(), len(gc.get_objects())
        await eventually(lambda: connector.streams.counts == {})
        await eventually(lambda: {task.get_name() for task in connector.tasks} == own)
        assert running.venue.venue.order_feed.readers == 1  # the connector's own
        gc.collect()
        assert len(gc.get_objects()) - before_objects < rounds / 4
        assert resident_kb() - before_kb < 20_000
