"""Clients for the simulated OKX: ccxt with nothing changed but its addresses, and a bare signed one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
import ccxt.pro
import orjson
from yarl import URL

from opensqt.simulator import Simulator
from tests.service.venue_clients import settings


def okx(**more: Any) -> Simulator:
    return Simulator(settings(exchange="okx", **more))


@asynccontextmanager
async def ccxt_okx(simulator: Simulator, **options: Any) -> AsyncIterator[Any]:
    exchange = ccxt.pro.okx(
        {
            "apiKey": "sim-key",
            "secret": "sim-secret",
            "password": "sim-pass",
            "enableRateLimit": False,
            "options": options,
        }
    )
    exchange.urls["api"]["rest"] = simulator.url
    exchange.urls["api"]["ws"] = simulator.url.replace("http", "ws", 1) + "/ws/v5"
    try:
        yield exchange
    finally:
        await exchange.close()


def sign(secret: str, text: str) -> str:
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()


class Bare:
    """OKX's REST and streams with nothing in between: says what it sends, shows what comes back."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session
        self.key, self.secret, self.passphrase = "sim-key", "sim-secret", "sim-pass"
        self.skew_s = 0.0
        self.drop: str = ""
        """A header that is left out."""

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.session.get(self.url + path) as response:
            return response.status, await response.json()

    async def signed(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        moment = datetime.fromtimestamp(time.time() + self.skew_s, tz=UTC)
        timestamp = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        content = "" if body is None else orjson.dumps(body).decode()
        headers = {
            "OK-ACCESS-KEY": self.key,
            "OK-ACCESS-PASSPHRASE": self.passphrase,
            "OK-ACCESS-TIMESTAMP": timestamp,
            "OK-ACCESS-SIGN": sign(self.secret, f"{timestamp}{method}{path}{content}"),
            "Content-Type": "application/json",
        }
        headers.pop(self.drop, None)
        url = URL(self.url + path, encoded=True)  # what was signed goes out as it is
        async with self.session.request(method, url, headers=headers, data=content or None) as response:
            return response.status, await response.json()

    def connect(self, kind: str) -> Any:
        return self.session.ws_connect(f"{self.url}/ws/v5/{kind}")

    def login(self) -> dict[str, Any]:
        timestamp = str(int(time.time() + self.skew_s))
        signature = sign(self.secret, f"{timestamp}GET/users/self/verify")
        arg = {"apiKey": self.key, "passphrase": self.passphrase, "timestamp": timestamp, "sign": signature}
        return {"op": "login", "args": [arg]}


@asynccontextmanager
async def venue(**more: Any) -> AsyncIterator[tuple[Simulator, Bare]]:
    async with okx(**more) as simulator, aiohttp.ClientSession() as session:
        yield simulator, Bare(simulator.url, session)
