"""Clients for the simulated OKX: ccxt with nothing changed but its addresses, and a bare signed one."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ssl
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import ccxt.pro
import orjson
import pytest
from yarl import URL

from opensqt.simulator import Simulator
from tests.service.venue_clients import settings
from tests.support.authority import Authority


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


@asynccontextmanager
async def secure_front(simulator: Simulator) -> AsyncIterator[str]:
    """Put TLS before the simulator, with a certificate that this process trusts, and answer its address."""
    host, port = simulator.address.split(":")

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(_pump(reader, behind_writer), _pump(behind_reader, writer))

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        authority = Authority(Path(folder))
        pair = authority.issue("localhost")
        patch.setenv("SSL_CERT_FILE", str(authority.file))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        server = await asyncio.start_server(forward, "localhost", 0, ssl=context)
        try:
            yield f"wss://localhost:{server.sockets[0].getsockname()[1]}"
        finally:
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
