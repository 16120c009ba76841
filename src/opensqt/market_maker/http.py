"""The HTTP side: /health, /status and /metrics."""

from __future__ import annotations

import errno

import orjson
from aiohttp import web

from opensqt.market_maker.service import MarketMaker
from opensqt.model.errors import ConfigError

CONNECTING = "starting: connecting to the exchange"


class HttpServer:
    """Serves what `maker` tells; before there is one, that it is not there yet."""

    def __init__(self) -> None:
        self.maker: MarketMaker | None = None
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> str:
        """Listen, and answer HOST:PORT.

        Raises:
            ConfigError: The port is in use or the address is not ours.
        """
        app = web.Application()
        app.router.add_get("/health", self._get_health)
        app.router.add_get("/status", self._get_status)
        app.router.add_get("/metrics", self._get_metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port, reuse_address=True).start()
        except OSError as error:
            await self.close()
            if error.errno == errno.EADDRINUSE:
                raise ConfigError(f"port {port}: already in use; give another with --port") from None
            raise ConfigError(f"telemetry.metrics_host {host!r}: {error.strerror}") from None
        return f"{host}:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Stop listening. Idempotent."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _get_health(self, _request: web.Request) -> web.Response:
        problems = self.maker.problems() if self.maker else [CONNECTING]
        body = orjson.dumps({"healthy": not problems, "problems": problems})
        return web.Response(body=body, status=503 if problems else 200, content_type="application/json")

    async def _get_status(self, _request: web.Request) -> web.Response:
        told = self.maker.status() if self.maker else {"phase": "CONNECTING", "problems": [CONNECTING]}
        return web.Response(body=orjson.dumps(told), content_type="application/json")

    async def _get_metrics(self, _request: web.Request) -> web.Response:
        text = self.maker.metrics.text() if self.maker else b""
        return web.Response(body=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
