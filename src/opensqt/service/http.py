"""HTTP servers of the programs: an application on one address, the check of its name, and the metrics endpoint."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CONTENT_TYPE_LATEST

from opensqt.service.listen import ListenAddress


async def listen(runner: web.BaseRunner, address: ListenAddress) -> str:
    """Serve on an address, and return it as HOST:PORT with the port that was taken.

    Raises:
        ConfigError: The address can't be listened on; the runner is cleaned up then.
    """
    await runner.setup()
    try:
        await web.TCPSite(runner, address.host, address.port, reuse_address=True).start()
    except OSError as error:
        await runner.cleanup()
        raise address.refusal(error) from None
    host, port, *_ = runner.addresses[0]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class HttpServer:
    """Serves one application on one address.

    Args:
        application: The application to serve.
        address: The address to listen on.
        shutdown_timeout_s: Seconds that requests in progress may take when it closes.
    """

    def __init__(
        self, application: web.Application, address: ListenAddress, *, shutdown_timeout_s: float = 0.2
    ) -> None:
        self._application = application
        self._listen_on = address
        self._shutdown_timeout_s = shutdown_timeout_s
        self._runner: web.AppRunner | None = None
        self.address = ""
        """HOST:PORT; empty before the start."""

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigError: The address can't be listened on.
        """
        self._runner = web.AppRunner(self._application, access_log=None, shutdown_timeout=self._shutdown_timeout_s)
        self.address = await listen(self._runner, self._listen_on)

    async def close(self) -> None:
        """Stop listening. Idempotent."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()


def own_hosts(allowed: Sequence[str], *, option: str) -> Middleware:
    """Return a middleware that answers 421 to a request by a name that is not this server's.

    A page of another site can let its own name point at this address (DNS rebinding); its scripts could then read what
    is served here. Such a request carries that name as its host. Plain addresses, `localhost` and a request without a
    host, which no browser sends, are served.

    Args:
        allowed: Further names of this server.
        option: The setting that lists them; the answer names it.
    """
    names = frozenset(("localhost", *(name.lower() for name in allowed)))

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Host")
        if given is not None and not (_host_of(given) in names or _is_address(_host_of(given))):
            raise web.HTTPMisdirectedRequest(text=f"host {given!r} is not served; add it to {option} if it is yours\n")
        return await handler(request)

    return check


def _host_of(authority: str) -> str:
    try:
        return urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def add_metrics(application: web.Application, text: Callable[[], Awaitable[bytes]]) -> None:
    """Serve `/metrics`.

    Args:
        application: Gets the route.
        text: Returns the metrics in Prometheus' text format.
    """

    async def get_metrics(_request: web.Request) -> web.Response:
        return web.Response(body=await text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    application.router.add_get("/metrics", get_metrics)


def metrics_server(text: Callable[[], Awaitable[bytes]], address: ListenAddress, check: Middleware) -> HttpServer:
    """Return a server of `/metrics` alone.

    Args:
        text: Returns the metrics in Prometheus' text format.
        address: The address to listen on.
        check: Checks the name that a request uses, see `own_hosts`.
    """
    application = web.Application(middlewares=[check])
    add_metrics(application, text)
    return HttpServer(application, address)
