"""OKX's own SDK, unmodified, trades on the simulator. Its REST side is synchronous, so it runs in threads.

Its streams insist on TLS, so that one stands before the simulator here, with an authority that this process trusts.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from okx.Account import AccountAPI
from okx.MarketData import MarketAPI
from okx.PublicData import PublicAPI
from okx.Trade import TradeAPI
from okx.websocket.WsPrivateAsync import WsPrivateAsync
from okx.websocket.WsPublicAsync import WsPublicAsync

from opensqt.simulator import Simulator
from tests.service.okx_clients import okx
from tests.service.venue_clients import below
from tests.support.blocking import in_thread

INSTRUMENT = "BTC-USDT-SWAP"
OPENSSL = shutil.which("openssl")
pytestmark = [
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),  # how the SDK uses its HTTP library
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
]
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with okx() as simulator:
        yield simulator


class Sdk:
    """The SDK's clients, their calls made in a thread."""

    def __init__(self, url: str) -> None:
        key = {"api_key": "sim-key", "api_secret_key": "sim-secret", "passphrase": "sim-pass", "domain": url}
        self.trade, self.account = TradeAPI(**key), AccountAPI(**key)
        self.market, self.public = MarketAPI(domain=url), PublicAPI(domain=url)

    async def call(self, api: Any, name: str, **options: Any) -> Any:
        return await in_thread(getattr(api, name), **options)

    async def rows(self, api: Any, name: str, **options: Any) -> list[dict[str, Any]]:
        answer = await self.call(api, name, **options)
        assert answer["code"] == "0", answer
        return answer["data"]

    async def limit(self, price: Any, **more: Any) -> dict[str, Any]:
        order = {"instId": INSTRUMENT, "tdMode": "cross", "side": "buy", "ordType": "limit", "sz": "1"}
        (row,) = await self.rows(self.trade, "place_order", **order, px=str(price), **more)
        return row

    def close(self) -> None:
        for client in (self.trade, self.account, self.market, self.public):
            client.close()


@pytest.fixture
async def sdk(simulator: Simulator) -> AsyncIterator[Sdk]:
    sdk = Sdk(simulator.url)
    yield sdk
    sdk.close()


async def test_an_order_is_placed_queried_and_canceled(sdk: Sdk, simulator: Simulator) -> None:
    placed = await sdk.limit(below(simulator), clOrdId="sdk1")
    assert placed["clOrdId"] == "sdk1"
    (found,) = await sdk.rows(sdk.trade, "get_order", instId=INSTRUMENT, ordId=placed["ordId"])
    assert (found["state"], found["sz"]) == ("live", "1")
    pending = await sdk.rows(sdk.trade, "get_order_list", instType="SWAP")
    assert [row["ordId"] for row in pending] == [placed["ordId"]]
    (canceled,) = await sdk.rows(sdk.trade, "cancel_order", instId=INSTRUMENT, clOrdId="sdk1")
    assert canceled["ordId"] == placed["ordId"]
    assert simulator.engine.open_orders("sim-key") == []


async def test_a_batch_is_placed_and_canceled(sdk: Sdk, simulator: Simulator) -> None:
    good = {"instId": INSTRUMENT, "tdMode": "cross", "side": "buy", "ordType": "limit", "sz": "1"}
    good["px"] = str(below(simulator))
    answer = await sdk.call(sdk.trade, "place_multiple_orders", orders_data=[good, {**good, "sz": "0.15"}, good])
    assert answer["code"] == "2"
    assert [row["sCode"] for row in answer["data"]] == ["0", "51121", "0"]
    placed = [{"instId": INSTRUMENT, "ordId": row["ordId"]} for row in answer["data"] if row["ordId"]]
    canceled = await sdk.rows(sdk.trade, "cancel_multiple_orders", orders_data=placed)
    assert [row["sCode"] for row in canceled] == ["0", "0"]


async def test_a_position_is_read(sdk: Sdk, simulator: Simulator) -> None:
    order = {"instId": INSTRUMENT, "tdMode": "cross", "side": "sell", "ordType": "market", "sz": "2"}
    await sdk.rows(sdk.trade, "place_order", **order)
    (position,) = await sdk.rows(sdk.account, "get_positions", instType="SWAP")
    assert (position["pos"], position["posSide"], position["mgnMode"]) == ("-2", "net", "cross")
    fills = await sdk.rows(sdk.trade, "get_fills", instType="SWAP")
    assert sum(float(row["fillSz"]) for row in fills) == 2


async def test_account_and_market_are_read(sdk: Sdk) -> None:
    (balance,) = await sdk.rows(sdk.account, "get_account_balance")
    assert [(row["ccy"], row["cashBal"]) for row in balance["details"]] == [("USDT", "10000")]
    (config,) = await sdk.rows(sdk.account, "get_account_config")
    assert config["posMode"] == "net_mode"
    await sdk.rows(sdk.account, "set_leverage", instId=INSTRUMENT, lever="5", mgnMode="cross")
    (leverage,) = await sdk.rows(sdk.account, "get_leverage", instId=INSTRUMENT, mgnMode="cross")
    assert leverage["lever"] == "5"
    assert len(await sdk.rows(sdk.market, "get_candlesticks", instId=INSTRUMENT, limit="7")) == 7
    instruments = await sdk.rows(sdk.public, "get_instruments", instType="SWAP")
    assert {row["instId"] for row in instruments} == {INSTRUMENT, "ETH-USDT-SWAP"}


async def test_a_refusal_is_answered_with_the_venues_code(sdk: Sdk) -> None:
    answer = await sdk.call(sdk.trade, "cancel_order", instId=INSTRUMENT, ordId="1")
    assert (answer["code"], answer["data"][0]["sCode"]) == ("1", "51400")


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed certificate for localhost: its file and its key's."""
    pem, key = tmp_path / "tls.pem", tmp_path / "tls.key"
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", str(key), "-out", str(pem)]
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([str(OPENSSL), *made, *subject], check=True, capture_output=True)
    return pem, key


@pytest.fixture
async def secure_url(
    simulator: Simulator, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[str]:
    """Where TLS stands before the simulator; the SDK's default trust is told of its certificate."""
    pem, key = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    host, port = simulator.address.split(":")

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(_pump(reader, behind_writer), _pump(behind_reader, writer))

    server = await asyncio.start_server(forward, "localhost", 0, ssl=context)
    yield f"wss://localhost:{server.sockets[0].getsockname()[1]}/ws/v5"
    server.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        return  # the other side is gone, and with it what there is to forward
    finally:
        writer.close()


@asynccontextmanager
async def consuming(socket: Any) -> AsyncIterator[None]:
    """The SDK's stream client at work."""
    work = await socket.start()
    try:
        yield
    finally:
        await socket.stop()
        await asyncio.gather(work, return_exceptions=True)


@needs_openssl
async def test_the_fill_arrives_over_the_orders_channel(sdk: Sdk, secure_url: str) -> None:
    heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    socket = WsPrivateAsync("sim-key", "sim-pass", "sim-secret", f"{secure_url}/private")
    async with consuming(socket):
        await socket.subscribe(
            [{"channel": "orders", "instType": "SWAP"}], lambda text: heard.put_nowait(json.loads(text))
        )
        events = [await asyncio.wait_for(heard.get(), 60) for _ in range(2)]
        assert [event["event"] for event in events] == ["login", "subscribe"]
        order = {"instId": INSTRUMENT, "tdMode": "cross", "side": "buy", "ordType": "market", "sz": "1"}
        (bought,) = await sdk.rows(sdk.trade, "place_order", **order)
        rows = [row async for row in _until_filled(heard)]
    assert {row["ordId"] for row in rows} == {bought["ordId"]}
    assert (rows[-1]["accFillSz"], rows[-1]["fillFeeCcy"], rows[-1]["execType"]) == ("1", "USDT", "T")


@needs_openssl
async def test_a_market_channel_is_heard(secure_url: str) -> None:
    heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    socket = WsPublicAsync(f"{secure_url}/public")
    async with consuming(socket):
        arg = {"channel": "bbo-tbt", "instId": INSTRUMENT}
        await socket.subscribe([arg], lambda text: heard.put_nowait(json.loads(text)))
        acknowledged, frame = [await asyncio.wait_for(heard.get(), 60) for _ in range(2)]
    assert (acknowledged["event"], acknowledged["arg"]) == ("subscribe", arg)
    assert frame["arg"] == arg
    assert float(frame["data"][0]["bids"][0][0]) < float(frame["data"][0]["asks"][0][0])


async def _until_filled(heard: asyncio.Queue[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    while True:
        frame = await asyncio.wait_for(heard.get(), 60)
        for row in frame["data"]:
            yield row
            if row["state"] == "filled":
                return
