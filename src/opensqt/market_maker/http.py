"""The HTTP endpoints: /health, /status and /metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from aiohttp import web

from opensqt.market_maker.health import CONNECTING
from opensqt.market_maker.portfolio import Portfolio
from opensqt.market_maker.service import MarketMaker
from opensqt.market_maker.standby import Standby
from opensqt.service.http import add_metrics, own_hosts


class Endpoints:
    """The endpoints of one market maker; before it is there they report that it is connecting.

    Args:
        allowed_hosts: Host names of this server, besides localhost and plain addresses.
    """

    def __init__(self, allowed_hosts: Sequence[str] = ()) -> None:
        self._allowed_hosts = allowed_hosts
        self.maker: MarketMaker | Portfolio | None = None
        self.standby: Standby | None = None
        """Set while the process waits to take over."""

    def application(self) -> web.Application:
        """Make the aiohttp application."""
        app = web.Application(middlewares=[own_hosts(self._allowed_hosts, option="telemetry.metrics_allowed_hosts")])
        app.router.add_get("/health", self._get_health)
        app.router.add_get("/status", self._get_status)
        add_metrics(app, self._metrics)
        return app

    async def _get_health(self, _request: web.Request) -> web.Response:
        found: dict[str, Any] = {}
        if self.maker is not None:
            problems = self.maker.problems()
        elif self.standby is not None and self.standby.waits:
            problems = self.standby.problems()
            found = {"standby": self.standby.text}
        else:
            problems = [CONNECTING]
        body = orjson.dumps({"healthy": not problems, "problems": problems, **found})
        return web.Response(body=body, status=503 if problems else 200, content_type="application/json")

    async def _get_status(self, request: web.Request) -> web.Response:
        status: dict[str, Any] | None = {"phase": "CONNECTING", "problems": [CONNECTING]}
        if self.maker is None and self.standby is not None and self.standby.waits:
            status = self.standby.status()
        if self.maker is not None:
            wanted = request.query.get("symbol")
            status = self.maker.status() if wanted is None else self.maker.status_of(wanted)
        if status is None:
            raise web.HTTPNotFound(text=f"symbol {wanted}: expected one that is traded here")
        return web.Response(body=orjson.dumps(status), content_type="application/json")

    async def _metrics(self) -> bytes:
        if self.maker is None and self.standby is not None and self.standby.waits:
            return self.standby.metrics_text()
        return self.maker.metrics_text() if self.maker else b""
