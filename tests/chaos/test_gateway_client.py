"""A client's lease and streams through a connector that is killed under them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import structlog

from opensqt.client.exchange import RemoteExchange
from opensqt.model.errors import ConnectorUnavailable, LeaseExpired
from tests.chaos.gateway_rig import SYMBOL, far, gateway, request
from tests.support import eventually
from tests.support.proxy import proxy
from tests.support.wait import WITHIN_S


async def test_a_lease_survives_a_connector_that_is_killed_and_its_orders_stay(tmp_path: Path) -> None:
    """The connector gives each stored lease its whole time anew: the client may have been cut off by its end."""
    async with gateway("binance", tmp_path) as made, made.client(name="grid") as exchange:
        async with exchange.lease(ttl_s=2) as lease:
            placed = await exchange.place_order(request(price=await far(exchange)))
            await made.kill()
            await eventually(lambda: not lease.held)
            await made.start()
            await eventually(lambda: lease.held)
            assert made.open_ids == {placed.client_order_id}
        assert made.open_ids == {placed.client_order_id}


async def hold_until_lost(exchange: RemoteExchange, placed: asyncio.Event) -> None:
    # Long enough that a busy machine does not lose it before the order is placed.
    async with exchange.lease(ttl_s=8):
        await exchange.place_order(request(price=await far(exchange)))
        placed.set()
        await asyncio.Event().wait()


async def test_a_client_that_was_cut_off_learns_that_its_orders_are_gone_and_may_begin_anew(tmp_path: Path) -> None:
    async with (
        gateway("binance", tmp_path) as made,
        proxy(made.address) as network,
        made.client(name="grid", base_url=network.address) as exchange,
    ):
        placed = asyncio.Event()
        strategy = asyncio.create_task(hold_until_lost(exchange, placed))
        await eventually(lambda: placed.is_set() or strategy.done())
        network.blackhole()
        await eventually(lambda: not made.open_ids)
        assert not strategy.done()
        network.heal()
        with pytest.raises(LeaseExpired, match="the lease of grid had ended"):
            await asyncio.wait_for(strategy, WITHIN_S)
        async with exchange.lease(ttl_s=10):
            again = await exchange.place_order(request(price=await far(exchange)))
        assert made.open_ids == {again.client_order_id}


async def test_five_streams_come_back_from_a_kill_after_one_series_of_attempts(tmp_path: Path) -> None:
    """F6: no fill or update is missed across a reconnect or a lost frame."""
    async with gateway("binance", tmp_path) as made, made.client(retry_scale=0.5) as exchange:
        streams = [
            exchange.subscribe_price(SYMBOL),
            exchange.subscribe_orders(),
            exchange.subscribe_klines(SYMBOL, "1m"),
            exchange.subscribe_account(),
            exchange.subscribe_positions(),
        ]
        for stream in streams:
            await anext(stream)
        with structlog.testing.capture_logs() as logs:
            reading = asyncio.gather(*map(anext, streams))
            await made.restart()
            async with asyncio.timeout(40):
                assert all(batch.gap for batch in await reading)
    told = [line["attempt"] for line in logs if "attempt" in line]
    assert told == sorted(set(told))


async def test_a_stream_ends_when_the_connector_never_comes_back(tmp_path: Path) -> None:
    async with gateway("binance", tmp_path) as made, made.client(retry_scale=0.001, attempts=3) as exchange:
        stream = exchange.subscribe_price(SYMBOL)
        await anext(stream)
        await made.kill()
        ends = await asyncio.gather(_end(stream), return_exceptions=True)
    assert [type(end) for end in ends] == [ConnectorUnavailable]
    assert "not reached again in 3 attempts" in str(ends[0])


async def _end(stream: object) -> None:
    async for _ in stream:
        continue
