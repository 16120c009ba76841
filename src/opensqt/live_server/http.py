"""The HTTP endpoints: page, WebSocket, health, status and metrics, and the check of the origin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from aiohttp import web

from opensqt.live_server.broadcast import Broadcaster
from opensqt.live_server.metrics import LiveServerMetrics
from opensqt.live_server.sockets import Sockets
from opensqt.live_server.view import View
from opensqt.service.http import add_metrics, own_hosts
from opensqt.version import __version__

STATIC = Path(__file__).parent / "static"
LIBRARY = STATIC / "vendor" / "lightweight-charts.mjs"

# The hash is that of the style element which lightweight-charts makes for its TradingView logo.
_LOGO_STYLE = "sha256-3pRED1tOXas1FXFoPb9TGCjmYe9XQsmO9OV23khV2nY="
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:;"
        f" style-src 'self' '{_LOGO_STYLE}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Server": "opensqt",
    "Cache-Control": "no-cache",
}


class PageHandlers:
    """The request handlers of one page.

    Args:
        view: The state that is shown.
        broadcaster: Knows the connected clients.
        sockets: Serves `/ws`.
        metrics: For `/metrics`.
        allowed_hosts: Host names of this server besides localhost and plain addresses.
    """

    def __init__(
        self,
        view: View,
        broadcaster: Broadcaster,
        sockets: Sockets,
        metrics: LiveServerMetrics,
        *,
        allowed_hosts: Sequence[str] = (),
    ) -> None:
        self._view = view
        self._broadcaster = broadcaster
        self._sockets = sockets
        self._metrics = metrics
        self._allowed_hosts = allowed_hosts

    def application(self) -> web.Application:
        """Make the aiohttp application."""
        app = web.Application(middlewares=[own_hosts(self._allowed_hosts, option="server.allowed_hosts")])
        app.router.add_get("/", self._page)
        app.router.add_get("/live", self._page)
        app.router.add_get("/ws", self._socket)
        app.router.add_get("/health", self._health)
        app.router.add_get("/status", self._status)
        add_metrics(app, self._metrics_text)
        app.router.add_static("/static", STATIC)
        app.on_response_prepare.append(_add_headers)
        app.on_shutdown.append(self._close_sockets)
        return app

    async def _page(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(STATIC / "index.html")

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        # Programs send none. A browser always sends one, and only that of the server's own page is accepted.
        if origin is not None and urlsplit(origin).netloc != request.host:
            raise web.HTTPForbidden(text=f"origin {origin!r}: expected this server's own page\n")
        return await self._sockets.handle(request)

    async def _health(self, _request: web.Request) -> web.StreamResponse:
        reasons = self._view.reasons()
        return _json({"status": "stale" if reasons else "ok", "reasons": reasons}, 503 if reasons else 200)

    async def _status(self, _request: web.Request) -> web.StreamResponse:
        data = {
            **self._view.status().data,
            "version": __version__,
            "clients": len(self._broadcaster),
            "candles": len(self._view.candles),
            "openOrders": len(self._view.open_orders),
            "fills": len(self._view.fills.recent),
        }
        return _json(data)

    async def _metrics_text(self) -> bytes:
        return self._metrics.text(
            clients=len(self._broadcaster), connected=self._view.connected, price_age_s=self._view.price_age_s()
        )

    async def _close_sockets(self, _app: web.Application) -> None:
        await self._sockets.close()


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = _HEADERS["Server"]


def _json(data: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(data), status=status, content_type="application/json")
