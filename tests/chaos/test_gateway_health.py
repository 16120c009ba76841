"""Health through the whole gateway: whatever part dies, readiness is lost with the reason, and is back once healed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from grpc_health.v1 import health_pb2

from opensqt.client.exchange import RemoteExchange
from opensqt.model.errors import CredentialsRefused, ExchangeError
from opensqt.model.order import Order, OrderRef, Side
from opensqt.simulator.keys import ApiKey
from tests.chaos.adapter_rig import SYMBOL, code_of
from tests.chaos.gateway_inside import NOT_SERVING, SERVING, SHIPPED, Inside, inside
from tests.chaos.gateway_rig import far, request
from tests.support import eventually

PRICE = f"price:{SYMBOL}"


@pytest.fixture
async def running(large: bool) -> AsyncIterator[Inside]:
    """With --large everything is as patient as it is shipped, and readiness still has to be gone within 15 s."""
    async with inside("binance", still=False, **(SHIPPED if large else {})) as running:
        yield running


async def test_every_task_of_the_adapter_that_is_cancelled_is_told(running: Inside) -> None:
    """F31: each in turn."""
    async with running.client() as client:
        await anext(client.subscribe_price(SYMBOL))
        await anext(client.subscribe_klines(SYMBOL, "1m"))
        tasks = {task.get_name(): task for task in running.exchange.tasks.running}
        assert set(tasks) == {
            *("private", "reconcile", "balance", "key", "fills", "watchdog", "clock", "symbols", "funding"),
            *(PRICE, f"kline:{SYMBOL}:1m"),
        }
        for name, task in tasks.items():
            task.cancel()
            await running.loses_readiness(f"task:{name}", "was cancelled")


async def test_every_task_of_the_connector_that_is_cancelled_is_told(running: Inside) -> None:
    """F31: each in turn; with the last, the one that tells, the connector itself has to end."""
    async with running.client() as client:
        await anext(client.subscribe_price(SYMBOL))
        tasks = {task.get_name(): task for task in running.connector.tasks}
        assert {"own-orders", "leases", "journal-pruning"} <= set(tasks)
        monitor = tasks.pop("health")
        for name, task in tasks.items():
            task.cancel()
            await running.loses_readiness(f"task:{name}", "was cancelled")
        ends = asyncio.create_task(running.connector.failed())
        monitor.cancel()
        await eventually(ends.done)


async def test_a_task_that_dies_of_a_bug_is_told(running: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """F31: health never says yes while a part is dead."""

    async def bug(**_arguments: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(running.exchange.account_state, "reconcile", bug)
    await running.loses_readiness("task:reconcile", "RuntimeError('a bug')")


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "unreachable", "on": "any", "times": 0},
        {"kind": "error_before", "on": "any", "times": 0},
        {"kind": "delay", "on": "any", "times": 0, "delay_ms": 60_000},
    ],
    ids=["unreachable", "503", "no answer"],
)
async def test_a_venue_that_does_not_answer_is_told_until_it_does(running: Inside, fault: dict[str, Any]) -> None:
    """F31: health never says yes while a part is dead."""
    running.fault(**fault)
    await running.loses_readiness("venue")
    running.simulator.faults.clear()
    await running.recovers()


async def test_two_lost_answers_among_good_ones_are_no_outage() -> None:
    """F31: health that flaps with every hiccup is read by nobody."""
    async with inside("binance", stale_after_s=10.0) as running:
        running.fault(kind="unreachable", on="open_orders", times=2)
        await running.stays(SERVING, 2)
        assert not running.simulator.faults.listing()[0]["active"]


async def test_a_venue_that_asks_for_a_long_silence_is_told_with_the_reason(
    running: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F16, F31: nothing can be traded in it."""
    monkeypatch.setattr("opensqt.venues.transport.rest.RESPONSE_DEADLINE_S", 1.0)
    running.fault(kind="rate_limited", on="any", retry_after_s=4)
    await running.loses_readiness("venue", "it requested a pause")
    await running.recovers()


async def test_a_key_that_is_revoked_is_told_until_it_is_good_again(running: Inside) -> None:
    """F31: the stream that was logged in with it is gone, too."""
    key = running.simulator.keys["sim-key"]
    running.simulator.keys.revoke("sim-key")
    await running.loses_readiness("credentials")
    await running.loses_readiness("private_stream")
    running.simulator.keys.add(
        ApiKey(**{name: getattr(key, name) for name in ("key", "secret", "passphrase", "account")})
    )
    await running.recovers()


async def test_a_refused_right_to_trade_is_told_though_reading_goes_on(
    running: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F31: until a while has passed, for only another order could tell."""
    monkeypatch.setattr("opensqt.venues.account.stream.REFUSAL_COUNTS_S", 2.0)
    async with running.client() as client:
        order = request(price=await far(client))
        running.fault(kind="refuse", on="place_order", code=code_of("binance", CredentialsRefused))
        with pytest.raises(ExchangeError):
            await client.place_order(order)
        await running.loses_readiness("credentials")
        await running.recovers()


@pytest.mark.parametrize("channel", ["private", "orders"])
async def test_a_mute_private_stream_is_told_for_as_long_as_it_is_mute(running: Inside, channel: str) -> None:
    """F13, F31: pings are answered and its connection is replaced again and again; a new one alone proves nothing."""
    async with running.client() as client:
        running.fault(kind="mute", channel=channel)
        trading = asyncio.create_task(_trade(client))
        await running.loses_readiness("private_stream", "no update for")
        await running.loses_readiness("private_stream", "replaced, and no update since")
        running.simulator.faults.clear()
        await running.recovers()
        trading.cancel()
        await asyncio.gather(trading, return_exceptions=True)


async def test_a_private_stream_that_can_not_be_connected_is_told_until_it_can(running: Inside) -> None:
    """F31: health never says yes while a part is dead."""
    running.fault(kind="refuse_connect", channel="private", times=0)
    running.fault(kind="cut", channel="private")
    await running.loses_readiness("private_stream")
    assert not (await running.channel("orders")).connected
    running.simulator.faults.clear()
    await running.recovers()
    assert (await running.channel("orders")).connected


async def test_a_comparison_that_never_comes_leaves_a_silent_stream_unvouched_for(
    running: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F31: neither data nor a reconciliation."""

    async def hangs(**_arguments: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(running.exchange.account_state, "reconcile", hangs)
    await running.loses_readiness("private_stream", "no data and no reconciliation")


async def test_a_quiet_account_and_a_quiet_market_are_healthy() -> None:
    """F31: silence with nothing to tell is no failure, however long."""
    async with inside("binance", stale_after_s=1.0, reconcile_interval_s=2.0) as running, running.client() as client:
        await anext(client.subscribe_price(SYMBOL))
        await anext(client.subscribe_orders())
        await running.stays(SERVING, 4)
        assert (await running.channel(PRICE)).connected


async def test_a_mute_price_channel_is_told_to_who_reads_it_for_as_long_as_it_is_mute(venue: str) -> None:
    """F13: by readiness, by its own check as it changes, and by the age of its data."""
    await _mute(venue, "price", PRICE)


async def test_a_mute_candle_channel_is_told_too() -> None:
    """F13: a channel that stalls while pings go on is noticed."""
    await _mute("binance", "kline", f"kline:{SYMBOL}:1m")


async def test_a_clock_that_can_not_be_asked_is_told_until_it_can() -> None:
    """F24: a clock that drifts or jumps does not stop trading unnoticed.
    F31: health never says yes while a part is dead.
    """
    async with inside("binance", clock_interval_s=0.3) as running:
        running.fault(kind="error_before", on="time", times=0)
        await running.loses_readiness("clock", "could not be queried")
        running.simulator.faults.clear()
        await running.recovers()


@pytest.mark.parametrize("skew_ms", [-3_000, 3_000])
async def test_a_clock_that_drifts_is_followed_and_is_no_failure(venue: str, skew_ms: int) -> None:
    """F24: orders are taken all the while, though the venue refuses the first timestamp that is off."""
    async with inside(venue, clock_interval_s=0.5, reconcile_interval_s=2.0) as running, running.client() as client:
        running.simulator.engine.clock.skew_ms = skew_ms
        price = await far(client)
        for _ in range(3):
            await client.place_order(request(price=price))

        async def followed() -> bool:
            offset_ms = (await client.get_status()).clock_offset_ms
            return offset_ms is not None and abs(offset_ms - skew_ms) < 500

        await eventually(followed)
        await running.stays(SERVING, 0.5)


async def test_a_clock_that_jumps_is_told_until_it_is_found_there_again() -> None:
    """F24: orders are taken all the while."""
    async with inside("binance", clock_interval_s=1.0) as running, running.client() as client:
        running.simulator.engine.clock.skew_ms = 90_000
        await running.loses_readiness("clock", "jumped by")
        await client.place_order(request(price=await far(client)))
        await running.recovers()


async def _mute(venue: str, topic: str, name: str) -> None:
    async with inside(venue, still=False) as running, running.client() as client:
        # Both are kept until the end: a channel that nobody reads is closed after a while, and then nothing is told.
        prices, candles = client.subscribe_price(SYMBOL), client.subscribe_klines(SYMBOL, "1m")
        reading = [asyncio.create_task(_read_on(stream)) for stream in (prices, candles)]
        # A market that stands still has nothing newer, and the data is then rightly good.
        reading.append(asyncio.create_task(_move(running)))
        watch = running.health.Watch(health_pb2.HealthCheckRequest(service=f"market_data:{name}"))
        assert await comes(watch, SERVING)

        async def tells() -> bool:
            return (await running.channel(name)).data_age_ms is not None

        await eventually(tells)
        running.fault(kind="mute", channel=topic)
        await running.loses_readiness(f"market_data:{name}", "while the venue has newer data")
        assert await comes(watch, NOT_SERVING)
        assert ((await running.channel(name)).data_age_ms or 0) > 2_000
        before = _opened(running)
        await eventually(lambda: _opened(running) > before, what="another connection")
        await running.stays(NOT_SERVING, 0.5)
        running.simulator.faults.clear()
        assert await comes(watch, SERVING)
        await running.recovers()
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


async def _read_on(stream: AsyncIterator[object]) -> None:
    async for _ in stream:
        pass


async def _move(running: Inside) -> None:
    """Trade outside all the time, so that price and candle never stay the same for long."""
    lot = running.simulator.engine.symbol(SYMBOL).quantity_step
    while True:
        for side in Side:
            running.simulator.market.send_outside_order(SYMBOL, side, lot)
        await asyncio.sleep(0.02)


def _opened(running: Inside) -> int:
    return int(running.simulator.ledger()["statistics"]["connections_opened"]["market"])


async def _trade(client: RemoteExchange) -> None:
    price = await far(client)
    while True:
        await client.cancel_order(ref(await client.place_order(request(price=price))))
        await asyncio.sleep(0.1)


async def comes(watch: Any, status: int) -> bool:
    """Wait until a watcher of health is told so."""
    while (await watch.read()).status != status:
        pass
    return True


def ref(order: Order) -> OrderRef:
    return OrderRef(symbol=order.symbol, client_order_id=order.client_order_id)
