"""The demo's four processes: started in the order of their dependencies, ended in reverse order."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from opensqt.cli.children import Child, ChildFailed
from opensqt.cli.plan import DemoGrid, market_maker_settings, plan
from opensqt.cli.watch import Web
from opensqt.client.exchange import RemoteExchange
from opensqt.config.remote import RemoteSettings
from opensqt.model.errors import ConfigError, ExchangeError

PAGE_PORT = 8081
FEE_RATE = Decimal("0.0002")
"""The simulator's maker fee, for venues whose rules do not contain it."""
_START_S = 180.0
"""Seconds until a part counts as hung; one that dies is noticed at once."""
_BEFORE_MS = 365 * 86_400_000
"""How long ago a generated market begins that is faster than the clock."""
_SILENT_S = 5.0
"""Seconds of a usual start; what takes longer is reported with its reason."""
_KEYS = {"API_KEY": "sim-key", "API_SECRET": "sim-secret", "PASSPHRASE": "sim-pass"}
"""The simulator's one account; its keys are published and not secret."""
_CANDLES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """Settings of the demo, from the command line."""

    exchange: str
    symbol: str
    seed: int
    replay: tuple[Path, ...]
    """Files of the symbol; empty generates the market."""
    volume: str | None
    rules: Path | None
    start_price: Decimal | None
    """Of a generated symbol without rules."""
    speed: Decimal
    duration_s: float | None
    """None runs until Ctrl-C or the end of the recording."""
    summary: Path | None
    folder: Path | None
    """None makes a temporary one."""
    plain: bool
    port: int | None
    """Of the page; None takes 8081 when it is free, else any."""


class DemoProcesses:
    """The processes of one demo.

    Args:
        settings: The venue to simulate and the symbol to trade.
        folder: Folder of logs, settings and the store.
        web: HTTP client for the processes.
    """

    def __init__(self, settings: DemoSettings, folder: Path, web: Web) -> None:
        self.folder = folder
        self.web = web
        self.plan: DemoGrid | None = None
        self.remote: RemoteExchange | None = None
        self._settings = settings
        self.simulator = Child("simulator", "opensqt.simulator", self._simulator_arguments(), folder=folder)
        # Processes that need another one's address get their arguments when that address is known.
        self.connector = self._child("connector", "opensqt.connector")
        self.market_maker = self._child("market_maker", "opensqt.market_maker")
        self.live_server = self._child("live_server", "opensqt.live_server")

    @property
    def page(self) -> str:
        """The page's address."""
        return f"http://{self.live_server.address}"

    async def start(self, report: Callable[[str], None]) -> None:
        """Start all processes and return when the grid is running and the page is served.

        Raises:
            ChildFailed: A process ended or was not ready in time.
        """
        report("starting the simulated exchange ...")
        await self.simulator.start()
        await self.simulator.ready(_START_S)
        report("starting the connector ...")
        url = f"http://{self.simulator.address}"
        arguments = ["--exchange", self._settings.exchange, "--base-url", url, "--port", "0", "--metrics-port", "0"]
        arguments += ["--journal", str(self.folder / "connector.db")]
        self.connector = self._child("connector", "opensqt.connector", *arguments, env=_KEYS)
        await self.connector.start()
        await self.connector.ready(_START_S)
        self.remote = RemoteExchange(RemoteSettings(base_url=self.connector.address, retry_scale=0.02))
        await self._call_or_child_failed(self.remote.start())
        self.plan = await self._call_or_child_failed(self._planned(self.remote))
        report("starting the market maker and the live server ...")
        self._write_settings(self.plan)
        config = ["--config", str(self.folder / "market_maker.yaml"), "--port", "0"]
        self.market_maker = self._child("market_maker", "opensqt.market_maker", *config)
        port = self._settings.port if self._settings.port is not None else _free(PAGE_PORT)
        config = ["--config", str(self.folder / "live_server.yaml"), "--port", str(port)]
        self.live_server = self._child("live_server", "opensqt.live_server", *config)
        await self.market_maker.start()
        await self.live_server.start()
        if self._settings.replay:
            await self._release_market()
        children = (self.market_maker, self.live_server)
        await asyncio.gather(*(self._wait_healthy(child, report) for child in children))
        report(f"the page: {self.page}")

    def check(self) -> None:
        """Check that all processes still run.

        Raises:
            ChildFailed: A process has ended.
        """
        ended = self.ended()
        if ended:
            raise ChildFailed(f"{ended[0].name} ended with code {ended[0].exit_code}", ended[0])

    def ended(self) -> list[Child]:
        """Return the processes that were started and have ended."""
        return [child for child in self._children() if child.exit_code is not None]

    async def stop(self) -> dict[str, int]:
        """End all running processes, each client before its server, and return the exit codes. Idempotent."""
        if self.remote is not None:
            await self.remote.close()
        codes = {}
        try:
            for child in self._children():
                code = await child.stop()
                if code is not None:
                    codes[child.name] = code
        finally:
            for child in self._children():
                child.kill()
        return codes

    def _children(self) -> tuple[Child, ...]:
        return self.market_maker, self.live_server, self.connector, self.simulator

    def _child(self, name: str, module: str, *arguments: str, env: dict[str, str] | None = None) -> Child:
        return Child(name, module, arguments, folder=self.folder, env=env)

    def _simulator_arguments(self) -> list[str]:
        settings = self._settings
        arguments = ["--exchange", settings.exchange, "--port", "0", "--seed", str(settings.seed)]
        arguments += ["--speed", str(settings.speed)]
        price = f"@{settings.start_price}" if settings.start_price is not None else ""
        arguments += ["--symbol", f"{settings.symbol}{price}"]
        if settings.rules is not None:
            arguments += ["--rules", str(settings.rules)]
        if not settings.replay and settings.speed > 1:
            # A market that is faster than the clock has times of the future, which a market maker does not take.
            arguments += ["--start-ms", str(int(time.time() * 1000) - _BEFORE_MS)]
        if settings.replay:
            # Held until a client subscribes: a recording may be as short as the start of four processes.
            arguments += ["--clock", "held"]
        for path in settings.replay:
            arguments += ["--replay", f"{settings.symbol}={path}"]
        if settings.volume is not None:
            arguments += ["--volume", settings.volume]
        return arguments

    async def _planned(self, remote: RemoteExchange) -> DemoGrid:
        symbol = self._settings.symbol
        info = await remote.get_exchange_info()
        rules = info.rules(symbol)
        if rules is None:
            known = ", ".join(rules.symbol for rules in info.symbols)
            raise ConfigError(f"--symbol {symbol}: not traded on the simulator; expected one of {known}")
        price = await remote.get_latest_price(symbol)
        candles = await remote.get_historical_klines(symbol, "1m", limit=_CANDLES)
        return plan(
            price.mid,
            [candle for candle in candles if candle.closed],
            rules,
            fee_rate=rules.maker_fee if rules.maker_fee is not None else FEE_RATE,
            speed=self._settings.speed,
        )

    def _write_settings(self, made: DemoGrid) -> None:
        settings, connector = self._settings, self.connector.address
        grid = market_maker_settings(
            made,
            symbol=settings.symbol,
            connector=connector,
            database=str(self.folder / "market_maker.db"),
            fee_rate=FEE_RATE,
            exchange=settings.exchange,
        )
        page = {"exchanges": {"remote": {"base_url": connector}}, "trading": {"symbol": settings.symbol}}
        for name, content in (("market_maker", grid), ("live_server", page)):
            (self.folder / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    async def _release_market(self) -> None:
        """Release the held market once a client has subscribed to its prices."""
        base = f"http://{self.simulator.address}/_sim"
        try:
            async with asyncio.timeout(_START_S):
                while not await self._market_is_watched(base):
                    self.check()
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise ChildFailed("market_maker did not subscribe to prices", self.market_maker) from None
        await self.web.post(f"{base}/clock", {"release": True})

    async def _wait_healthy(self, child: Child, report: Callable[[str], None]) -> None:
        """Wait until the process serves and reports that it is healthy; report what it waits for."""
        base = f"http://{await child.ready(_START_S)}"
        reasons = reported = ""
        began = time.monotonic()
        try:
            async with asyncio.timeout(_START_S):
                while reasons := await self.web.health(base):
                    self.check()
                    if reasons != reported and time.monotonic() > began + _SILENT_S:
                        reported = reasons
                        report(f"{child.name} is not healthy yet: {reasons}")
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise ChildFailed(f"{child.name} did not become healthy: {reasons}", child) from None
        except aiohttp.ClientError as error:
            raise ChildFailed(f"{child.name}: no response on its port: {error}", child) from error

    async def _market_is_watched(self, base: str) -> bool:
        _, ledger = await self.web.get(f"{base}/ledger")
        return bool(ledger["statistics"]["connections_open"]["market"])

    async def _call_or_child_failed(self, call: Awaitable[Any]) -> Any:
        """Await a call; raise its failure as that of the process behind it."""
        try:
            return await call
        except (ExchangeError, aiohttp.ClientError) as error:
            self.check()
            raise ChildFailed(f"connector: {error}", self.connector) from error


def _free(port: int) -> int:
    """Return the port if it is free, else 0 for any free port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port
