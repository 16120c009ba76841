"""`opensqt status` and `opensqt cancel-all` as a person runs them, beside a connector on its simulator."""

from __future__ import annotations

from decimal import Decimal

import pytest

from opensqt.client.exchange import RemoteExchange
from opensqt.config.remote import RemoteSettings
from opensqt.market_maker.orders.ids import OrderIds
from opensqt.model.order import OrderRequest, Side
from tests.support import start


async def run(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, str, str]:
    async with start("opensqt.cli", *arguments, env={"COLUMNS": "160", **(env or {})}) as process:
        code = await process.wait()
    return code, process.stdout.decode(), process.stderr.decode()


@pytest.fixture
async def connector():
    options = ("--exchange", "binance", "--simulated", "--port", "0", "--metrics-port", "0")
    async with start("opensqt.connector", *options) as process:
        await process.ready(60)
        yield process


async def test_what_is_open_is_shown_and_then_ended(connector) -> None:
    """F30: the kill switch takes our orders and leaves what is not ours."""
    async with RemoteExchange(RemoteSettings(base_url=connector.address)) as exchange:
        price = (await exchange.get_latest_price("BTCUSDT")).bid
        ours = OrderIds("SQ1", "BTCUSDT").make(-9, Side.BUY, 1)
        for client_order_id in (ours, "web1"):
            await exchange.place_order(
                OrderRequest(
                    symbol="BTCUSDT",
                    side=Side.BUY,
                    quantity=Decimal("0.002"),
                    client_order_id=client_order_id,
                    price=(price * Decimal("0.9")).quantize(Decimal("0.1")),
                )
            )
        code, shown, _ = await run("status", "--address", connector.address)
        assert code == 0
        assert "open orders (2)" in shown
        assert ours in shown
        code, said, _ = await run(
            "cancel-all", "--symbol", "BTCUSDT", "--yes", env={"EXCHANGE_GRPC_ADDRESS": connector.address}
        )
        assert (code, "done" in said) == (0, True)
        assert [order.client_order_id for order in await exchange.get_open_orders("BTCUSDT")] == ["web1"]
        code, _, error = await run("cancel-all", "--everything", "--address", connector.address)
        assert (code, "give --yes" in error) == (2, True)
        assert len(await exchange.get_open_orders("BTCUSDT")) == 1


async def test_no_connector_is_code_4_and_one_sentence() -> None:
    code, _, error = await run("status", "--address", "127.0.0.1:1")
    last = error.strip().splitlines()[-1]
    assert code == 4
    assert last.startswith("error: ")
    assert "127.0.0.1:1" in last
    assert "Traceback" not in error


async def test_an_address_that_is_none_is_code_2() -> None:
    code, _, error = await run("status", "--address", "nowhere")
    assert (code, "expected HOST:PORT" in error) == (2, True)
