"""HTTP servers of the programs: an application on one address, and the endpoint of Prometheus metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
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


def add_metrics(application: web.Application, text: Callable[[], Awaitable[bytes]]) -> None:
    """Serve `/metrics`.

    Args:
        application: Gets the route.
        text: Returns the metrics in Prometheus' text format.
    """

    async def get_metrics(_request: web.Request) -> web.Response:
        return web.Response(body=await text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    application.router.add_get("/metrics", get_metrics)


def metrics_server(text: Callable[[], Awaitable[bytes]], address: ListenAddress) -> HttpServer:
    """Return a server of `/metrics` alone.

    Args:
        text: Returns the metrics in Prometheus' text format.
        address: The address to listen on.
    """
    application = web.Application()
    add_metrics(application, text)
    return HttpServer(application, address)
