"""The page of the connector's Prometheus metrics."""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from opensqt.model.errors import ConfigError


class MetricsPage:
    """Serves `/metrics` over HTTP.

    Args:
        text: Answers the page.
        host: Address to listen on.
        port: 0 takes any free one.
    """

    def __init__(self, text: Callable[[], Awaitable[bytes]], *, host: str, port: int) -> None:
        self._text = text
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None
        self.address = ""

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigError: The port is in use.
        """
        app = web.Application()
        app.router.add_get("/metrics", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self.close()
            if error.errno == errno.EADDRINUSE:
                text = f"metrics port {self._port}: already in use; give another with --metrics-port (0: any)"
            else:
                why = os.strerror(error.errno) if error.errno else error.strerror
                text = f"metrics {self._host}:{self._port}: can't be had: {why}; see --metrics-host and --metrics-port"
            raise ConfigError(text) from None
        host, port, *_ = self._runner.addresses[0]
        self.address = f"{host}:{port}"

    async def close(self) -> None:
        """Stop listening. Idempotent."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def _answer(self, _request: web.Request) -> web.Response:
        return web.Response(body=await self._text(), headers={"Content-Type": CONTENT_TYPE_LATEST})
