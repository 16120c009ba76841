"""The live server as a service: it connects, serves, and stops cleanly."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress

from aiohttp import web

from opensqt.config.live_server import LiveServerSettings
from opensqt.live_server.broadcast import Broadcaster
from opensqt.live_server.fills import FillBook
from opensqt.live_server.http import LIBRARY, PageHandlers
from opensqt.live_server.metrics import LiveServerMetrics
from opensqt.live_server.read_only_exchange import ReadOnlyExchange
from opensqt.live_server.sockets import Sockets
from opensqt.live_server.view import View, WatchedSymbol
from opensqt.live_server.view_updater import Intervals, ViewUpdater
from opensqt.model.errors import ConfigError, ExchangeError
from opensqt.service.listen import ListenAddress
from opensqt.service.stop import Stopped, unless_stopped
from opensqt.telemetry.logging import get_logger

log = get_logger("live_server")
_DAY_MS = 86_400_000
_PROFIT_DAYS = 7


class LiveServer:
    """One page server over one exchange.

    Args:
        exchange: Not started; closed at the end.
        settings: Symbol, chart, addresses.
        intervals: Seconds between repeated actions; tests use shorter ones.
        outbox_limit: Messages that may be queued for one client.
    """

    def __init__(
        self,
        exchange: ReadOnlyExchange,
        settings: LiveServerSettings,
        *,
        intervals: Intervals | None = None,
        outbox_limit: int = 1000,
    ) -> None:
        self._exchange = exchange
        self._settings = settings
        self._address = ListenAddress(settings.server.host, settings.server.port)
        self._intervals = intervals or Intervals(refresh=settings.server.refresh_interval)
        self._broadcaster = Broadcaster(limit=outbox_limit)

    async def run(self, stop: asyncio.Event, ready: Callable[[str], None]) -> None:
        """Serve until *stop* is set.

        Args:
            stop: Set when it has to end.
            ready: Called with HOST:PORT when the page is served and has data to show.

        Raises:
            ConfigError: The port is in use, or the exchange does not trade the symbol.
            ConnectorUnavailable: The connector did not respond to the last attempt.
            AccessError: It refuses this client.
        """
        if not LIBRARY.is_file():
            raise ConfigError(f"{LIBRARY}: missing; it is made when the package is built: run pip install again")
        # The port is taken before the exchange is queried, which may take minutes: a port in use is reported at once.
        # It does not listen yet: until there is data to show, browsers are refused.
        with self._address.bind() as listener, suppress(Stopped):
            await unless_stopped(stop, self._serve(listener, ready))

    async def _serve(self, listener: socket.socket, ready: Callable[[str], None]) -> None:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._exchange.close)
            await self._exchange.start()
            view = await self._make_view()
            metrics = LiveServerMetrics(view.watched.info.name)
            view_updater = ViewUpdater(self._exchange, view, self._broadcaster, metrics, intervals=self._intervals)
            reading = asyncio.create_task(view_updater.run())
            stack.push_async_callback(_end, reading)
            loaded = asyncio.create_task(view_updater.loaded.wait())
            stack.push_async_callback(_end, loaded)
            await asyncio.wait({reading, loaded}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                server = self._settings.server
                sockets = Sockets(view, self._broadcaster, metrics, max_clients=server.max_clients)
                handlers = PageHandlers(view, self._broadcaster, sockets, metrics, allowed_hosts=server.allowed_hosts)
                runner = web.AppRunner(
                    handlers.application(), access_log=None, shutdown_timeout=2, handle_signals=False
                )
                await runner.setup()
                stack.push_async_callback(runner.cleanup)
                try:
                    await web.SockSite(runner, listener).start()
                except OSError as error:
                    raise self._address.refusal(error) from None
                host, port = listener.getsockname()[:2]
                log.info("serving", port=port, symbol=view.watched.symbol, exchange=view.watched.info.name)
                ready(f"{host}:{port}")
            await reading

    async def _make_view(self) -> View:
        settings = self._settings
        symbol, interval = settings.trading.symbol, settings.chart.interval
        info = await self._exchange.get_exchange_info()
        rules = info.rules(symbol)
        if rules is None:
            raise ConfigError(f"trading.symbol: {symbol!r} is not traded on {info.name}")
        if interval not in info.capabilities.intervals:
            raise ConfigError(f"chart.interval: {interval!r}: {info.name} has {', '.join(info.capabilities.intervals)}")
        since_ms = settings.profit.since_ms
        if since_ms is None:
            # By the venue's own clock: a recorded market lives in the past.
            newest = await self._exchange.get_historical_klines(symbol, interval, limit=1)
            now_ms = newest[-1].open_time_ms if newest else 0
            since_ms = max(0, now_ms - now_ms % _DAY_MS - _PROFIT_DAYS * _DAY_MS)
        watched = WatchedSymbol(
            symbol=symbol,
            interval=interval,
            info=info,
            rules=rules,
            candles=settings.chart.candles,
            stale_after_s=settings.server.stale_after_seconds,
        )
        return View(watched, FillBook(since_ms=since_ms, quote_asset=rules.quote_asset))


async def _end(task: asyncio.Task[object]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, ExchangeError):
        await task
