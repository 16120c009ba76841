"""The HTTP side: /health, /status and /metrics."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

from opensqt.config.load import ConfigError


class HttpServer:
    """Serves what the given functions answer.

    Args:
        health: Answers why the grid is not healthy; empty when it is.
        status: Answers the status.
        metrics: Answers the metrics in text format.
    """

    def __init__(
        self, health: Callable[[], list[str]], status: Callable[[], dict[str, Any]], metrics: Callable[[], bytes]
    ) -> None:
        self._health = health
        self._status = status
        self._metrics = metrics
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
        problems = self._health()
        body = orjson.dumps({"healthy": not problems, "problems": problems})
        return web.Response(body=body, status=503 if problems else 200, content_type="application/json")

    async def _get_status(self, _request: web.Request) -> web.Response:
        return web.Response(body=orjson.dumps(self._status()), content_type="application/json")

    async def _get_metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
