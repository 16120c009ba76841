"""Our own clients before a connector that asks who they are: the page reads, the market maker trades."""

from __future__ import annotations

from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from opensqt.client.exchange import RemoteExchange
from opensqt.config.remote import RemoteSettings
from opensqt.model.errors import PermissionDenied, TokenRefused
from opensqt.model.order import OrderRef, OrderRequest, Side
from tests.service.connector_rig import Rig
from tests.service.gatekeeper import MAKER, PAGE, guarded, token, write
from tests.support import eventually
from tests.support.authority import Authority
from tests.support.live_server import SYMBOL, connect, serve

BUY = OrderRequest(symbol=SYMBOL, side=Side.BUY, quantity=Decimal("0.1"), price=Decimal(99), client_order_id="a")


def remote(running: Rig, name: str, **settings: Any) -> RemoteExchange:
    """A client that shows a token, or other settings."""
    given = {"base_url": running.connector.address, "retry_scale": 0.001, "token": token(name), **settings}
    return RemoteExchange(RemoteSettings(**given))


async def test_the_page_shows_everything_with_the_role_read(tmp_path: Path) -> None:
    async with (
        guarded(tmp_path) as running,
        remote(running, "maker") as maker,
        remote(running, "page") as exchange,
        serve(exchange) as address,
        connect(address) as page,
    ):
        await maker.place_order(BUY)
        await eventually(lambda: page.open_orders() == ["a"])
        with pytest.raises(PermissionDenied, match="client page: its role, read, does not allow CancelOrder"):
            await exchange.cancel_order(OrderRef(symbol=SYMBOL, client_order_id="a"))
        assert [one.client_order_id for one in await maker.get_open_orders()] == ["a"]


async def test_a_client_whose_token_is_revoked_is_told_so_on_every_stream_and_call(tmp_path: Path) -> None:
    async with guarded(tmp_path) as running, remote(running, "page") as exchange:
        stream = aiter(exchange.subscribe_price(SYMBOL))
        assert (await anext(stream)).updates
        write(tmp_path / "clients.yaml", MAKER)
        with pytest.raises(TokenRefused, match="does not know this token"):
            await anext(stream)
        with pytest.raises(TokenRefused):
            await exchange.get_account()


async def test_a_client_with_a_wrong_token_does_not_start(tmp_path: Path) -> None:
    async with guarded(tmp_path) as running:
        with pytest.raises(TokenRefused):
            await remote(running, "nobody").start()


async def test_a_client_that_shows_its_certificate_trades(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server, maker = authority.issue("server"), authority.issue("maker-host")
    tls = {"tls_cert_file": server.certificate, "tls_key_file": server.key, "tls_client_ca_file": authority.file}
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(guarded(tmp_path, PAGE, MAKER | {"certificate": "maker-host"}, **tls))
        shows = {"token": "", "tls_ca_file": authority.file, "tls_cert_file": maker.certificate}
        exchange = remote(running, "maker", **shows, tls_key_file=maker.key)
        await stack.enter_async_context(exchange)
        assert (await exchange.place_order(BUY)).client_order_id == "a"
        assert (await exchange.get_rate_budget()).client == "maker"
