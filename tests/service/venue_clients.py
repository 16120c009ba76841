"""Clients for the simulator's tests: a bare signed one, and ccxt with nothing changed but its URLs."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import aiohttp
import ccxt.pro
from yarl import URL

from opensqt.simulator import Simulator, SimulatorSettings


def settings(**more: Any) -> SimulatorSettings:
    return SimulatorSettings(**{"port": 0, "seed": 7, "past_minutes": 60} | more)


class Bare:
    """Binance's REST and streams with nothing in between: says what it sends, shows what comes back."""

    def __init__(self, url: str, session: aiohttp.ClientSession, key: str = "sim-key", secret: str = "sim-secret"):
        self.url = url
        self.session = session
        self.key = key
        self.secret = secret
        self.skew_ms = 0

    async def get(self, path: str, **params: Any) -> tuple[int, Any, Any]:
        async with self.session.get(self.url + path, params=params) as response:
            return response.status, await response.json(), response.headers

    async def signed(self, method: str, path: str, **params: Any) -> tuple[int, Any, Any]:
        query = urlencode({"timestamp": int(time.time() * 1000) + self.skew_ms, **params})
        signature = hmac.new(self.secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        return await self.keyed(method, f"{path}?{query}&signature={signature}")

    async def keyed(self, method: str, path: str) -> tuple[int, Any, Any]:
        url = URL(self.url + path, encoded=True)  # what was signed goes out as it is
        async with self.session.request(method, url, headers={"X-MBX-APIKEY": self.key}) as response:
            return response.status, await response.json(), response.headers

    async def limit(self, side: str, price: Any, quantity: str = "0.010", **more: Any) -> tuple[int, Any, Any]:
        order = {"symbol": "BTCUSDT", "type": "LIMIT", "timeInForce": "GTC", "newOrderRespType": "RESULT"}
        return await self.signed("POST", "/fapi/v1/order", **order, side=side, price=price, quantity=quantity, **more)

    async def control(self, path: str, body: Any = None, method: str = "POST") -> Any:
        async with self.session.request(method, self.url + path, json=body) as response:
            return await response.json()

    async def listen(self, path: str) -> aiohttp.ClientWebSocketResponse:
        return await self.session.ws_connect(self.url + path)

    async def user_stream(self) -> aiohttp.ClientWebSocketResponse:
        _, body, _ = await self.keyed("POST", "/fapi/v1/listenKey")
        return await self.listen(f"/private/ws?listenKey={body['listenKey']}")


@asynccontextmanager
async def venue(**more: Any) -> AsyncIterator[tuple[Simulator, Bare]]:
    async with Simulator(settings(**more)) as simulator, aiohttp.ClientSession() as session:
        yield simulator, Bare(simulator.url, session)


@asynccontextmanager
async def ccxt_on(simulator: Simulator, **options: Any) -> AsyncIterator[Any]:
    exchange = ccxt.pro.binanceusdm(
        {"apiKey": "sim-key", "secret": "sim-secret", "enableRateLimit": False, "options": options}
    )
    urls = exchange.urls["api"]
    for version in ("", "V2", "V3"):
        for access in ("Public", "Private"):
            urls[f"fapi{access}{version}"] = f"{simulator.url}/fapi/v{version.strip('V') or 1}"
    urls["sapi"] = f"{simulator.url}/sapi/v1"
    urls["ws"]["linear"] = simulator.url.replace("http", "ws", 1) + "/ws"
    exchange.options["fetchMarkets"] = {"types": ["linear"]}
    try:
        yield exchange
    finally:
        await exchange.close()


def open_window(simulator: Simulator, bare: Bare) -> None:
    """Set both clocks to just after a full minute, so that no rate window ends within the test."""
    clock = simulator.market.clock
    clock.skew_ms = bare.skew_ms = 1000 - clock.server_ms() % 60_000


def below(simulator: Simulator, steps: int = 1000, symbol: str = "BTCUSDT") -> Decimal:
    """A price so many steps under the best bid: rests, and is not reached soon."""
    return simulator.engine.best(symbol).bid - steps * simulator.engine.symbol(symbol).price_step


async def until(socket: aiohttp.ClientWebSocketResponse, event: str) -> Any:
    """Answer the next message of this kind."""
    while True:
        message = await socket.receive_json(timeout=60)
        data = message.get("data", message) if isinstance(message, dict) else message[0]
        if data.get("e") == event:
            return data
