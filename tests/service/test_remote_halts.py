"""Halts through RemoteExchange and SyncExchange, and a start that asks only for an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest

import opensqt
from opensqt.client.exchange import RemoteExchange
from opensqt.config.remote import RemoteSettings
from opensqt.model import client_order_id
from opensqt.model.errors import ConnectorUnavailable, InvalidRequest, TradingHalted
from opensqt.model.order import OrderRef, OrderRequest, OrderStatus, OrderType, Side
from tests.service.connector_rig import Rig, rig
from tests.support import eventually
from tests.support.blocking import in_thread


@pytest.fixture
async def made() -> AsyncIterator[Rig]:
    async with rig() as made:
        yield made


def settings(made: Rig, **more: object) -> RemoteSettings:
    return RemoteSettings(**{"base_url": made.connector.address, "name": "risk", "retry_scale": 0.001, **more})


@pytest.fixture
async def exchange(made: Rig) -> AsyncIterator[RemoteExchange]:
    async with RemoteExchange(settings(made)) as exchange:
        yield exchange


def request(**more: object) -> OrderRequest:
    fields = {"symbol": "BTCUSDT", "side": Side.BUY, "quantity": Decimal("0.1"), "price": Decimal(90)}
    return OrderRequest(**(fields | {"client_order_id": client_order_id.new("rh")} | more))


async def test_trading_is_halted_and_resumed(exchange: RemoteExchange) -> None:
    """F39: the halt names what it concerns, and every refusal is of a class of its own."""
    order = await exchange.place_order(request())
    halted = await exchange.halt_trading("h1", symbol="BTCUSDT", reason="margin call", ttl_s=60)
    assert (halted.halt.client, halted.halt.reason, halted.in_flight) == ("risk", "margin call", ())
    assert halted.open == (OrderRef(symbol="BTCUSDT", client_order_id=order.client_order_id),)
    with pytest.raises(TradingHalted, match="margin call") as refused:
        await exchange.place_order(request())
    assert (refused.value.symbol, refused.value.retry_after_s) == ("BTCUSDT", 1)
    (one,) = (await exchange.get_status()).halts
    assert (one.halt_id, one.expires_ms > one.since_ms, one.applies_to("ETHUSDT")) == ("h1", True, False)
    assert [one.halt_id for one in await exchange.resume_trading("h1")] == ["h1"]
    assert (await exchange.place_order(request())).status is OrderStatus.OPEN


async def test_its_holder_closes_a_position_during_a_halt(exchange: RemoteExchange) -> None:
    market = {"order_type": OrderType.MARKET, "price": None}
    await exchange.place_order(request(**market))
    await exchange.halt_trading("h1")
    closing = request(**market, side=Side.SELL, reduce_only=True)
    with pytest.raises(TradingHalted):
        await exchange.place_order(closing)
    with pytest.raises(TradingHalted):
        await exchange.place_during_halt(replace(closing, reduce_only=False), "h1")
    assert (await exchange.place_during_halt(closing, "h1")).status is OrderStatus.FILLED


@pytest.mark.parametrize("ttl_s", [-1, 0.5, 3601])
async def test_a_time_out_of_bounds_is_refused_before_anything_is_sent(exchange: RemoteExchange, ttl_s: float) -> None:
    with pytest.raises(InvalidRequest, match="expected 1 to 3600 seconds"):
        await exchange.halt_trading("h1", ttl_s=ttl_s)
    assert (await exchange.get_status()).halts == ()


async def test_the_blocking_exchange_does_the_same(made: Rig) -> None:
    def script() -> list[str]:
        with opensqt.connect_sync(made.connector.address) as exchange:
            exchange.halt_trading("h1")
            try:
                exchange.place_order(request())
            except TradingHalted:
                return [one.halt_id for one in exchange.resume_trading()]
            return []

    assert await in_thread(script) == ["h1"]


async def test_a_connector_that_does_not_serve_can_be_asked_all_the_same(made: Rig) -> None:
    """F39: the kill switch is needed most when something is not well."""
    made.venue.set_unhealthy("the venue does not answer")
    await eventually(lambda: not made.connector.health.status.healthy)
    with pytest.raises(ConnectorUnavailable, match="the venue does not answer"):
        await RemoteExchange(settings(made, attempts=1)).start()
    exchange = RemoteExchange(settings(made))
    await exchange.start(serving=False)
    try:
        assert not (await exchange.get_status()).healthy
        await exchange.halt_trading("h1")
    finally:
        await exchange.close()
