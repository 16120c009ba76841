"""One simulated venue: engine, market and server, started and stopped together."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Any, Self

from opensqt.model.errors import ConfigError
from opensqt.simulator.control import Control
from opensqt.simulator.dialects import DIALECTS
from opensqt.simulator.dialects.base import World
from opensqt.simulator.engine.engine import SimEngine
from opensqt.simulator.faults import FaultScript
from opensqt.simulator.keys import Keyring
from opensqt.simulator.ledger import ledger
from opensqt.simulator.market.market import Market, open_market
from opensqt.simulator.server import Server
from opensqt.simulator.settings import SimulatorSettings
from opensqt.simulator.socket_requests import SocketRequests
from opensqt.simulator.sockets import Subscriptions
from opensqt.simulator.statistics import Statistics
from opensqt.telemetry import logging

_log = logging.get_logger("simulator")
_STEP_MS = 1000


class Simulator:
    """A venue on one port of this machine; use it as an async context manager.

    Attributes:
        faults: The fault script; add to it or clear it at any time.
        engine: The matching engine with its accounts.
        market: The outside world, to pause it or to send an outside order.
        keys: The API keys that may sign in; give an account one more key, or revoke one.
        subscriptions: The open connections and the topics that they subscribed to.
        statistics: The server's counters.
    """

    def __init__(self, settings: SimulatorSettings | None = None) -> None:
        self.settings = settings or SimulatorSettings()
        if self.settings.exchange not in DIALECTS:
            raise ConfigError(f"exchange {self.settings.exchange!r}: expected one of {', '.join(sorted(DIALECTS))}")
        if "rules" not in self.settings.model_fields_set:
            venue_rules = DIALECTS[self.settings.exchange].venue_rules
            self.settings = self.settings.model_copy(update={"rules": venue_rules})
        self.settings = _with_account_modes(self.settings)
        self.market: Market = open_market(self.settings)
        self.settings = self.market.settings
        for note in self.market.notes:
            _log.warning(note)
        self.engine: SimEngine = self.market.engine
        self.faults = FaultScript(_monotonic_ms, seed=self.settings.seed)
        self.statistics = Statistics()
        self.subscriptions = Subscriptions()
        self.keys = Keyring(self.settings.accounts)
        self._requests = SocketRequests(self.faults, self.statistics)
        world = World(
            settings=self.settings,
            engine=self.engine,
            market=self.market,
            subscriptions=self.subscriptions,
            script=self.faults,
            monotonic_ms=_monotonic_ms,
            keys=self.keys,
            requests=self._requests,
        )
        self._dialect = DIALECTS[self.settings.exchange](world)
        control = Control(self._dialect, self.market, self.faults, ledger=self.ledger, advance=self.advance)
        self._server = Server(
            self._dialect, self.subscriptions, self.faults, self.statistics, control, self.settings.server
        )
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def url(self) -> str:
        """Base URL, e.g. `http://127.0.0.1:9400`."""
        return f"http://{self.settings.host}:{self._server.port}"

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"{self.settings.host}:{self._server.port}"

    def ledger(self) -> dict[str, Any]:
        """Return the content of `GET /_sim/ledger`."""
        statistics = self.statistics.as_json(self.subscriptions.open_connections())
        return ledger(self.engine, finished=self.market.finished, statistics=statistics)

    async def advance(self, milliseconds: int) -> None:
        """Advance a manual clock, and send everything that follows from it.

        A long step is divided into short ones, so that streams are written in between and no reader looks slow.

        Raises:
            ValueError: The clock is live, or the step is below zero.
        """
        self.market.advance(min(milliseconds, _STEP_MS))
        while (milliseconds := milliseconds - _STEP_MS) > 0:
            await asyncio.sleep(0)
            self.market.advance(min(milliseconds, _STEP_MS))
        self._dialect.tick(everything=True)

    async def start(self) -> None:
        """Listen, and start the market."""
        await self._server.start(self.settings.host, self.settings.port)
        self._unsubscribe = self.engine.subscribe(self._dialect.observe)
        self._tasks = [asyncio.create_task(self._server.run(), name="server")]
        if self.settings.clock != "manual":
            self._tasks.append(asyncio.create_task(self.market.run(), name="market"))

    async def stop(self) -> None:
        """Stop, and raise the error of a task that failed."""
        for task in self._tasks:
            task.cancel()
        outcomes = await asyncio.gather(*self._tasks, return_exceptions=True)
        self._unsubscribe()
        await self._server.stop()
        await self._requests.stop()
        for outcome in [*outcomes, self._server.failed, self._requests.failed]:
            if isinstance(outcome, Exception):
                raise outcome

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until *stop* is set; raise the error of a task that fails before."""
        waiter = asyncio.create_task(stop.wait())
        watched: set[asyncio.Task[Any]] = {waiter, *self._tasks}
        try:
            while not waiter.done():
                done, watched = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            waiter.cancel()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def _with_account_modes(settings: SimulatorSettings) -> SimulatorSettings:
    """Give each account without a mode the venue's first one, and check the others."""
    known = DIALECTS[settings.exchange].account_modes
    for account in settings.accounts:
        if account.account_mode not in ("", *known):
            raise ConfigError(f"account_mode {account.account_mode!r}: expected one of {', '.join(known)}")
    accounts = tuple(
        account.model_copy(update={"account_mode": account.account_mode or known[0]}) for account in settings.accounts
    )
    return settings.model_copy(update={"accounts": accounts})


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000
