"""What a client of the real connector learns of its role, its limits and the end of its token."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from opensqt.client.exchange import RemoteExchange
from opensqt.config.remote import RemoteSettings
from opensqt.model import client_order_id
from opensqt.model.errors import OrderDenied, PermissionDenied, RateLimited, TokenRefused
from opensqt.model.order import Order, OrderRequest, Side
from tests.service.connector_rig import Rig
from tests.service.gatekeeper import MAKER, PAGE, guarded, token, write

BTC = "BTCUSDT"


@asynccontextmanager
async def let_in(made: Rig, name: str) -> AsyncIterator[RemoteExchange]:
    settings = RemoteSettings(base_url=made.connector.address, token=token(name), retry_scale=0.001, deadline_s=5)
    async with RemoteExchange(settings) as exchange:
        yield exchange


@asynccontextmanager
async def alone(folder: Path, **client: Any) -> AsyncIterator[RemoteExchange]:
    """A client, the only one that the connector knows."""
    given: Mapping[str, Any] = {**MAKER, **client}
    async with guarded(folder, given) as made, let_in(made, given["name"]) as exchange:
        yield exchange


def request(price: int = 90, symbol: str = BTC) -> OrderRequest:
    return OrderRequest(
        symbol=symbol,
        side=Side.BUY,
        quantity=Decimal("0.1"),
        price=Decimal(price),
        client_order_id=client_order_id.new(),
    )


async def until_revoked(exchange: RemoteExchange, clients: Path) -> None:
    async with exchange.lease(ttl_s=1):
        write(clients, PAGE)
        await asyncio.Event().wait()


async def test_the_token_tells_who_we_are(tmp_path: Path) -> None:
    async with alone(tmp_path, name="maker") as exchange:
        assert (await exchange.get_rate_budget()).client == "maker"


async def test_a_token_that_is_not_known_is_refused_at_the_start(tmp_path: Path) -> None:
    async with guarded(tmp_path, PAGE) as made:
        with pytest.raises(TokenRefused, match="refuses this client"):
            async with let_in(made, "stranger"):
                pytest.fail("let in")


async def test_a_reader_reads_and_may_neither_place_nor_hold_a_lease(tmp_path: Path) -> None:
    async with alone(tmp_path, role="read") as exchange:
        assert (await exchange.get_latest_price(BTC)).bid == 100
        assert (await anext(exchange.subscribe_orders())).snapshot
        with pytest.raises(PermissionDenied):
            await exchange.place_order(request())
        with pytest.raises(PermissionDenied):
            async with exchange.lease():
                pytest.fail("held")


async def test_an_item_of_a_batch_beyond_the_limits_does_not_hide_the_others(tmp_path: Path) -> None:
    async with alone(tmp_path, symbols=[BTC], max_order_notional=10) as exchange:
        requests = [request(), request(symbol="ETHUSDT"), request(price=101)]
        fine, foreign, large = await exchange.batch_place_orders(requests)
    assert isinstance(fine, Order)
    assert [type(foreign), type(large)] == [PermissionDenied, OrderDenied]


async def test_too_many_orders_a_second_are_told_with_a_wait(tmp_path: Path) -> None:
    async with alone(tmp_path, max_orders_per_second=1) as exchange:
        await exchange.place_order(request())
        with pytest.raises(RateLimited) as caught:
            await exchange.place_order(request())
    assert caught.value.retry_after_s


async def test_a_revoked_token_ends_the_block_of_a_lease_and_the_streams(tmp_path: Path) -> None:
    async with guarded(tmp_path) as made, let_in(made, "maker") as exchange:
        stream = exchange.subscribe_price(BTC)
        await anext(stream)
        with pytest.raises(TokenRefused):
            await until_revoked(exchange, tmp_path / "clients.yaml")
        with pytest.raises(TokenRefused):
            await anext(stream)
