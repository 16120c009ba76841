"""Clients of a simulated Bybit: ccxt and the venue's SDK with nothing changed but their addresses, and a bare one."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import aiohttp
import ccxt.pro

from opensqt.simulator import Simulator
from opensqt.simulator.dialects.bybit.security import sign
from tests.service.venue_clients import settings


class Bare:
    """Bybit's REST and streams with nothing in between: says what it sends, shows what comes back."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session
        self.key = "sim-key"
        self.secret = "sim-secret"
        self.skew_ms = 0

    def now_ms(self) -> int:
        return int(time.time() * 1000) + self.skew_ms

    def _headers(self, payload: str) -> dict[str, str]:
        timestamp = str(self.now_ms())
        return {
            "X-BAPI-API-KEY": self.key,
            "X-BAPI-TIMESTAMP": timestamp,
            "X-BAPI-RECV-WINDOW": "5000",
            "X-BAPI-SIGN": sign(self.secret, f"{timestamp}{self.key}5000{payload}"),
        }

    async def get(self, path: str, *, signed: bool = True, **params: Any) -> tuple[int, Any, Any]:
        query = urlencode(params)
        headers = self._headers(query) if signed else {}
        async with self.session.get(f"{self.url}{path}?{query}", headers=headers) as response:
            return response.status, await response.json(), response.headers

    async def post(self, path: str, **fields: Any) -> tuple[int, Any, Any]:
        body = json.dumps(fields)
        headers = self._headers(body) | {"Content-Type": "application/json"}
        async with self.session.post(self.url + path, data=body, headers=headers) as response:
            return response.status, await response.json(content_type=None), response.headers

    async def limit(self, side: str, price: Any, qty: str = "0.010", **more: Any) -> Any:
        fields = {"category": "linear", "symbol": "BTCUSDT", "orderType": "Limit", "timeInForce": "GTC"}
        _, body, _ = await self.post(
            "/v5/order/create", **(fields | {"side": side, "price": str(price), "qty": qty} | more)
        )
        return body

    async def listen(self, *topics: str, private: bool = False) -> aiohttp.ClientWebSocketResponse:
        """Connect, log in where it takes that, subscribe, and read the acknowledgements."""
        path = "/v5/private" if private else "/v5/public/linear"
        socket = await self.session.ws_connect(self.url + path)
        if private:
            expires = str(self.now_ms() + 10_000)
            await socket.send_json(
                {"op": "auth", "args": [self.key, expires, sign(self.secret, f"GET/realtime{expires}")]}
            )
            assert (await socket.receive_json(timeout=60))["success"] is True
        if topics:
            await socket.send_json({"op": "subscribe", "req_id": "1", "args": list(topics)})
            assert (await socket.receive_json(timeout=60))["success"] is True
        return socket


@asynccontextmanager
async def bybit(**more: Any) -> AsyncIterator[tuple[Simulator, Bare]]:
    async with Simulator(settings(exchange="bybit", **more)) as simulator, aiohttp.ClientSession() as session:
        yield simulator, Bare(simulator.url, session)


@asynccontextmanager
async def ccxt_on(simulator: Simulator) -> AsyncIterator[Any]:
    exchange = ccxt.pro.bybit({"apiKey": "sim-key", "secret": "sim-secret", "enableRateLimit": False})
    address = simulator.url.replace("http", "ws", 1)
    exchange.urls["api"].update(public=simulator.url, private=simulator.url)
    exchange.urls["api"]["ws"]["public"]["linear"] = f"{address}/v5/public/linear"
    exchange.urls["api"]["ws"]["private"]["contract"] = f"{address}/v5/private"
    exchange.options["fetchMarkets"]["types"] = ["linear"]
    exchange.has["fetchCurrencies"] = False
    try:
        yield exchange
    finally:
        await exchange.close()


async def until(socket: aiohttp.ClientWebSocketResponse, topic: str) -> Any:
    """Answer the next frame of a topic."""
    while True:
        message = await socket.receive_json(timeout=60)
        if message.get("topic") == topic:
            return message
