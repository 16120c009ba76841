"""RemoteExchange through restarts of a real connector: it comes back by itself and tells the gap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

from opensqt.client.exchange import RemoteExchange
from opensqt.config.connector import ConnectorServerSettings
from opensqt.config.remote import RemoteSettings
from opensqt.connector.server import Connector
from opensqt.model import client_order_id
from opensqt.model.order import OrderRequest, OrderStatus, Side
from opensqt.testing.exchange import InMemoryExchange

BTC = "BTCUSDT"


@asynccontextmanager
async def connector(port: int = 0) -> AsyncIterator[tuple[Connector, InMemoryExchange]]:
    exchange = InMemoryExchange()
    exchange.set_price(BTC, Decimal(45_000), Decimal("45000.1"))
    async with Connector(exchange, ConnectorServerSettings(port=port, metrics_port=None, drain_s=0)) as server:
        yield server, exchange


def an_order() -> OrderRequest:
    return OrderRequest(
        symbol=BTC,
        side=Side.BUY,
        quantity=Decimal("0.01"),
        price=Decimal(44_000),
        client_order_id=client_order_id.new(),
    )


async def test_every_stream_comes_back_with_a_gap_told() -> None:
    """F6: no fill or update is missed across a reconnect or a lost frame."""
    async with connector() as (first, _):
        remote = RemoteExchange(RemoteSettings(base_url=first.address, retry_scale=0.05))
        await remote.start()
        streams = [
            remote.subscribe_price(BTC),
            remote.subscribe_orders(),
            remote.subscribe_klines(BTC, "1m"),
            remote.subscribe_account(),
            remote.subscribe_positions(),
        ]
        for stream in streams:
            assert not (await anext(stream)).gap
    async with connector(int(first.address.rpartition(":")[2])):
        async with asyncio.timeout(20):
            batches = await asyncio.gather(*(anext(stream) for stream in streams))
        assert [(batch.gap, batch.snapshot) for batch in batches] == [(True, True)] * 5
        await remote.close()


async def test_a_read_made_while_the_connector_restarts_is_answered() -> None:
    async with connector() as (first, _):
        remote = RemoteExchange(RemoteSettings(base_url=first.address, deadline_s=20))
        await remote.start()
    asking = asyncio.create_task(remote.get_account())
    async with connector(int(first.address.rpartition(":")[2])):
        assert (await asking).asset == "USDT"
        await remote.close()


async def test_an_order_placed_while_the_connector_restarts_is_placed_once() -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    request = an_order()
    async with connector() as (first, _):
        remote = RemoteExchange(RemoteSettings(base_url=first.address, deadline_s=20))
        await remote.start()
    placing = asyncio.create_task(remote.place_order(request))
    async with connector(int(first.address.rpartition(":")[2])) as (_, exchange):
        assert (await placing).status is OrderStatus.OPEN
        assert [one.client_order_id for one in await exchange.get_open_orders()] == [request.client_order_id]
        await remote.close()
