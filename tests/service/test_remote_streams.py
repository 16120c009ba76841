"""RemoteExchange's streams: they come back by themselves, where they were, and tell what they missed."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import grpc
import pytest
import structlog

from opensqt.client.exchange import RemoteExchange
from opensqt.config.remote import RemoteSettings
from opensqt.model.errors import (
    ConnectorUnavailable,
    CredentialsRefused,
    ExchangeError,
    StreamOverflow,
    UnknownSymbol,
    Unreachable,
    VenueError,
)
from opensqt.model.market import Price
from opensqt.model.stream import Cursor
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import types_pb2
from opensqt.wire import codec
from tests.service.scripted_connector import HOLD, ScriptedConnector, connected
from tests.support import eventually
from tests.support.grpc_server import serving

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


def price(bid: int) -> Price:
    return Price(symbol="BTCUSDT", bid=Decimal(bid), ask=Decimal(bid + 1))


def message(
    sequence: int, *, epoch: str = "e1", snapshot: bool = False, gap: bool = False
) -> pb.SubscribePriceResponse:
    return pb.SubscribePriceResponse(
        updates=[codec.encode_price(price(sequence))],
        snapshot=snapshot,
        gap=gap,
        position=types_pb2.StreamPosition(epoch=epoch, sequence=sequence),
    )


@pytest.fixture
def connector() -> ScriptedConnector:
    return ScriptedConnector()


def positions(connector: ScriptedConnector) -> list[tuple[str, int] | None]:
    asked = connector.received["SubscribePrice"]
    return [(one.position.epoch, one.position.sequence) if one.HasField("position") else None for one in asked]


async def test_a_batch_is_handed_over_whole_with_its_place(connector: ScriptedConnector) -> None:
    connector.script("SubscribePrice", [message(7, snapshot=True), HOLD])
    async with connected(connector) as exchange:
        batch = await anext(exchange.subscribe_price("BTCUSDT"))
    assert batch.updates == (price(7),)
    assert (batch.cursor, batch.snapshot, batch.gap) == (Cursor("e1", 7), True, False)


@pytest.mark.parametrize("end", [UNAVAILABLE, Unreachable("draining"), VenueError("?"), grpc.StatusCode.INTERNAL, None])
async def test_a_stream_that_breaks_resumes_after_the_last_batch(end: object, connector: ScriptedConnector) -> None:
    ending = [] if end is None else [end]
    connector.script("SubscribePrice", [message(1), message(2), *ending], [message(3), HOLD])
    async with connected(connector) as exchange:
        stream = exchange.subscribe_price("BTCUSDT")
        while (await anext(stream)).sequence != 3:
            continue
    assert positions(connector) == [None, ("e1", 2)]


async def test_a_gap_is_told_after_the_connector_came_back_without_its_past(connector: ScriptedConnector) -> None:
    """F6: no fill or update is missed across a reconnect or a lost frame."""
    fresh = message(1, epoch="e2", snapshot=True, gap=True)
    connector.script("SubscribePrice", [message(9), UNAVAILABLE], [fresh, HOLD])
    async with connected(connector) as exchange:
        stream = exchange.subscribe_price("BTCUSDT")
        await anext(stream)
        batch = await anext(stream)
    assert (batch.gap, batch.snapshot, batch.epoch) == (True, True, "e2")


async def test_a_stream_survives_a_restart_of_the_connector() -> None:
    """F6: a real server goes away and another comes up on its port."""
    old, new = ScriptedConnector(), ScriptedConnector()
    old.script("SubscribePrice", [message(1), HOLD])
    new.script("SubscribePrice", [message(2), HOLD])
    async with serving(old.register) as port:
        exchange = RemoteExchange(RemoteSettings(base_url=f"127.0.0.1:{port}", retry_scale=0.05))
        await exchange.start()
        stream = exchange.subscribe_price("BTCUSDT")
        await anext(stream)
    async with serving(new.register, port=port):
        assert (await anext(stream)).sequence == 2
        assert positions(new) == [("e1", 1)]
        await exchange.close()


async def test_a_cursor_handed_in_is_resumed(connector: ScriptedConnector) -> None:
    connector.script("SubscribePrice", [message(5), HOLD])
    async with connected(connector) as exchange:
        await anext(exchange.subscribe_price("BTCUSDT", cursor=Cursor("e1", 4)))
    assert positions(connector) == [("e1", 4)]


async def test_a_connector_of_before_is_resumed_by_epoch_and_sequence(connector: ScriptedConnector) -> None:
    """F6: a client that is newer than its connector misses nothing either."""
    old = pb.SubscribePriceResponse(updates=[codec.encode_price(price(1))], epoch="e1", sequence=1)
    connector.script("SubscribePrice", [old, UNAVAILABLE], [old, HOLD])
    async with connected(connector) as exchange:
        stream = exchange.subscribe_price("BTCUSDT")
        assert [(await anext(stream)).cursor for _ in range(2)] == [Cursor("e1", 1)] * 2
    first, again = connector.received["SubscribePrice"]
    assert not first.HasField("cursor")
    assert again.cursor == types_pb2.Cursor(epoch="e1", sequence=1)


@pytest.mark.parametrize("error", [UnknownSymbol("no"), StreamOverflow("too slow"), CredentialsRefused("token")])
async def test_what_asking_again_does_not_mend_is_the_readers_to_see(
    error: ExchangeError, connector: ScriptedConnector
) -> None:
    connector.script("SubscribePrice", [error])
    async with connected(connector) as exchange:
        stream = exchange.subscribe_price("BTCUSDT")
        with pytest.raises(type(error)):
            await anext(stream)
        with pytest.raises(type(error)):
            await anext(stream)
    assert len(connector.received["SubscribePrice"]) == 1


async def test_after_ten_attempts_a_stream_gives_up(connector: ScriptedConnector) -> None:
    connector.script("SubscribePrice", [UNAVAILABLE])
    async with connected(connector, retry_scale=0.0001) as exchange:
        with structlog.testing.capture_logs() as logs, pytest.raises(ConnectorUnavailable, match="price BTCUSDT"):
            await anext(exchange.subscribe_price("BTCUSDT"))
    assert len(connector.received["SubscribePrice"]) == 10
    assert [line["attempt"] for line in logs if "attempt" in line] == list(range(1, 11))


async def test_the_count_of_attempts_starts_anew_after_a_success(connector: ScriptedConnector) -> None:
    connector.script(
        "SubscribePrice", *[[UNAVAILABLE]] * 8, [message(1), UNAVAILABLE], *[[UNAVAILABLE]] * 8, [message(2)]
    )
    async with connected(connector, retry_scale=0.0001) as exchange:
        stream = exchange.subscribe_price("BTCUSDT")
        assert [(await anext(stream)).sequence for _ in range(2)] == [1, 2]


async def test_an_update_that_cannot_be_read_is_set_aside_and_told_as_a_gap(connector: ScriptedConnector) -> None:
    """F25: one unknown field or value never stops a stream."""
    mixed = message(2)
    mixed.updates.add(symbol="BTCUSDT", bid="not a number")
    connector.script("SubscribePrice", [mixed, UNAVAILABLE], [message(3), HOLD])
    async with connected(connector) as exchange:
        stream = exchange.subscribe_price("BTCUSDT")
        with structlog.testing.capture_logs() as logs:
            batch = await anext(stream)
        assert (batch.updates, batch.gap) == ((price(2),), True)
        assert (await anext(stream)).gap is False
    assert any("price.bid 'not a number'" in str(line.get("error")) for line in logs)


async def test_a_read_that_is_given_up_loses_nothing(connector: ScriptedConnector) -> None:
    connector.script("SubscribePrice", [message(1), HOLD], [message(2), HOLD])
    async with connected(connector) as exchange:
        stream = exchange.subscribe_price("BTCUSDT")
        await anext(stream)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(stream)
        connector.end_streams()
        assert (await anext(stream)).sequence == 2
    assert positions(connector) == [None, ("e1", 1)]


async def test_a_reader_that_is_behind_gets_the_newest_price(connector: ScriptedConnector) -> None:
    connector.script("SubscribePrice", [message(1, snapshot=True), *map(message, range(2, 300)), HOLD])
    async with connected(connector) as exchange:
        stream = exchange.subscribe_price("BTCUSDT")
        await anext(stream)
        await eventually(lambda: connector.held)
        # What the client has not taken off the connection yet comes in batches of its own; without conflation 298 do.
        batches = [await anext(stream)]
        while batches[-1].sequence != 299:
            batches.append(await anext(stream))
    assert len(batches) < 100
    assert batches[-1].updates == (price(299),)


async def test_a_reader_that_gives_its_reads_up_does_not_use_up_the_attempts(connector: ScriptedConnector) -> None:
    connector.script("SubscribePrice", [UNAVAILABLE])
    async with connected(connector, retry_scale=10) as exchange:
        stream = exchange.subscribe_price("BTCUSDT")
        with structlog.testing.capture_logs() as logs:
            reading = asyncio.create_task(anext(stream))
            await eventually(lambda: any("attempt" in line for line in logs))
        reading.cancel()
        for _ in range(15):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await anext(stream)
    assert len(connector.received["SubscribePrice"]) == 1


async def test_closing_a_stream_ends_a_pending_read_and_the_call(connector: ScriptedConnector) -> None:
    """F26: memory does not grow with subscriptions that end."""
    connector.script("SubscribePrice", [HOLD])
    async with connected(connector) as exchange:
        stream = exchange.subscribe_price("BTCUSDT")
        reading = asyncio.create_task(anext(stream, None))
        await eventually(lambda: connector.streams_open == 1)
        await stream.aclose()
        assert await reading is None
        await eventually(lambda: connector.streams_open == 0)


async def test_closing_a_stream_between_attempts_ends_the_wait(connector: ScriptedConnector) -> None:
    connector.script("SubscribePrice", [UNAVAILABLE])
    async with connected(connector, retry_scale=10) as exchange:
        stream = exchange.subscribe_price("BTCUSDT")
        reading = asyncio.create_task(anext(stream, None))
        await eventually(lambda: connector.received["SubscribePrice"])
        await stream.aclose()
        assert await reading is None


async def test_a_cancelled_reader_is_cancelled(connector: ScriptedConnector) -> None:
    """F26: a swallowed CancelledError is how memory grows."""
    connector.script("SubscribePrice", [HOLD])
    async with connected(connector) as exchange:
        reading = asyncio.create_task(anext(exchange.subscribe_price("BTCUSDT")))
        await eventually(lambda: connector.streams_open == 1)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await eventually(lambda: connector.streams_open == 0)


async def test_a_reader_that_is_cancelled_while_its_stream_is_closed_is_cancelled(
    connector: ScriptedConnector,
) -> None:
    """F26: memory does not grow with subscriptions that end."""
    connector.script("SubscribePrice", [HOLD])
    async with connected(connector) as exchange:
        stream = exchange.subscribe_price("BTCUSDT")
        reading = asyncio.create_task(anext(stream, None))
        await eventually(lambda: connector.streams_open == 1)
        reading.cancel()
        await stream.aclose()
        with pytest.raises(asyncio.CancelledError):
            await reading


async def test_closing_the_exchange_tells_every_reader(connector: ScriptedConnector) -> None:
    connector.script("SubscribePrice", [HOLD])
    async with connected(connector) as exchange:
        reading = asyncio.create_task(anext(exchange.subscribe_price("BTCUSDT")))
        await eventually(lambda: connector.streams_open == 1)
        await exchange.close()
        with pytest.raises(Unreachable, match="closed"):
            await reading


async def test_streams_that_end_leave_nothing_behind(connector: ScriptedConnector) -> None:
    """F26: memory does not grow with subscriptions that end."""
    connector.script("SubscribePrice", [message(1), HOLD])
    async with connected(connector) as exchange:
        for _ in range(100):
            stream = exchange.subscribe_price("BTCUSDT")
            await anext(stream)
            await stream.aclose()
        await eventually(lambda: connector.streams_open == 0)
        assert exchange.streams_open == 0
