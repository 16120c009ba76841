"""One marathon: eight clients, one connector, one venue, a script of faults, and the verdict."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opensqt.client.exchange import RemoteExchange
from opensqt.model.errors import ExchangeError, InsufficientMargin
from opensqt.model.venue import Check, ExchangeStatus
from opensqt.simulator.faults import FaultKind
from opensqt.venues.factory import venue_type
from tests.chaos.gateway_rig import Gateway, gateway
from tests.chaos.marathon.access import Access
from tests.chaos.marathon.book import Book
from tests.chaos.marathon.clients import DEADLINE_S, Client, Tally
from tests.chaos.marathon.keeper import Keeper, complaints
from tests.chaos.marathon.readers import Comer, Intruder, Sleeper, Watcher
from tests.chaos.marathon.script import CRASH, KILL, SKEW, STALL, Rhythm, Step, script
from tests.chaos.marathon.traders import Batcher, Greedy, Holder, Maker
from tests.chaos.marathon.verdict import Difference, differences, ended_with_lease

SYMBOLS = ("BTCUSDT", "ETHUSDT")
CAST: dict[str, type[Client]] = {
    "maker": Maker,
    "batcher": Batcher,
    "greedy": Greedy,
    "holder": Holder,
    "watcher": Watcher,
    "sleeper": Sleeper,
    "comer": Comer,
    "intruder": Intruder,
}
"""Who takes part. The names are the prefixes of their orders too."""
WATCHERS = ("watcher", "sleeper")
READERS = ("watcher", "sleeper", "comer", "intruder")
JUDGE = "judge"
LIMITS = {"greedy": {"max_orders_per_second": 15, "max_open_orders": 50, "max_order_notional": "10000"}}
_PATIENCE = {"deadline_s": DEADLINE_S, "retry_scale": 0.05}


@dataclass(frozen=True, slots=True)
class Settings:
    """What kind of marathon."""

    venue: str = "binance"
    seed: int = 7
    duration_s: float = 600.0
    settle_s: float = 90.0
    """How long the books may take to agree after the last fault."""
    rhythm: Rhythm = field(default_factory=Rhythm)


@dataclass(slots=True)
class Verdict:
    """What came of it."""

    differences: list[Difference] = field(default_factory=list)
    settled_after_s: float | None = None
    faults: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By kind: how many the script asked for, and how often they happened."""
    figures: dict[str, Any] = field(default_factory=dict)
    log: str = ""
    """All that the connectors said."""

    @property
    def passed(self) -> bool:
        return not self.differences


class Marathon:
    """The run itself.

    Args:
        settings: What kind.
        made: The gateway, its connector running.
        access: What each client shows to it.
    """

    def __init__(self, settings: Settings, made: Gateway, access: Access) -> None:
        self.settings = settings
        self.keeper = Keeper(made)
        self.tally = Tally()
        self.asked: Counter[str] = Counter()
        self.began = time.monotonic()
        self.ended: float | None = None
        draw = random.Random(settings.seed)
        since_ms = made.simulator.engine.now_ms()
        self.clients = [
            role(name, Book(name, SYMBOLS, since_ms), self._connect, random.Random(draw.random()), self.tally)
            for name, role in CAST.items()
        ]
        self._gateway = made
        self._access = access

    @property
    def books(self) -> list[Book]:
        return [client.book for client in self.clients]

    @property
    def account(self) -> dict[str, Any]:
        """The ledger's account."""
        return self._gateway.account

    @property
    def hits(self) -> Counter[str]:
        """How often each kind of fault happened."""
        found: Counter[str] = Counter()
        for fault in self._gateway.simulator.faults.listing():
            found[fault["kind"]] += fault["hits"]
        return found

    def differences(self) -> list[Difference]:
        """Compare all books with the ledger, as they are now."""
        found = differences(self.books, self._gateway.account, watchers=WATCHERS, readers=READERS)
        return found + [Difference("connector", mistake) for mistake in self.keeper.mistakes]

    async def run(self) -> Verdict:
        """Run to the end and judge."""
        steps = script(
            self.settings.seed,
            self.settings.duration_s,
            self.settings.rhythm,
            refusal=refusal(self.settings.venue),
            clients=len(self.clients),
        )
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(client.run()) for client in self.clients]
            keeping = group.create_task(self.keeper.run())
            for step in steps:
                await asyncio.sleep(self.began + step.at_s - time.monotonic())
                self._do(step, group)
            await asyncio.sleep(self.began + self.settings.duration_s - time.monotonic())
            faults = self._faults()
            verdict = await self._settle()
            for task in running:
                task.cancel()
            keeping.cancel()
        verdict.faults = faults
        return verdict

    def _do(self, step: Step, group: asyncio.TaskGroup) -> None:
        self.asked[step.what] += 1
        if step.fault is not None:
            self._gateway.simulator.faults.add(step.fault)
        elif step.what == KILL:
            self.keeper.kill()
        elif step.what == STALL:
            group.create_task(self.keeper.stall(step.value / 1000))
        elif step.what == SKEW:
            self._gateway.simulator.market.clock.skew_ms = step.value
        elif step.what == CRASH:
            self.clients[step.value].crash()

    def _faults(self) -> dict[str, tuple[int, int]]:
        done = self.hits + Counter({KILL: self.keeper.kills, STALL: self.keeper.stalls})
        # An order is hidden by what is set, not by an event that could be counted.
        done += Counter({what: self.asked[what] for what in (SKEW, CRASH, FaultKind.HIDE_ORDERS.value)})
        return {what: (asked, done[what]) for what, asked in sorted(self.asked.items())}

    async def _settle(self) -> Verdict:
        """Let the faults cease and the clients come to an end, and wait until all books agree."""
        simulator = self._gateway.simulator
        simulator.faults.clear()
        simulator.market.clock.skew_ms = 0
        self.ended = time.monotonic()
        for client in self.clients:
            client.busy = False
        found: list[Difference] = []
        status = ExchangeStatus()
        while time.monotonic() - self.ended < self.settings.settle_s:
            await asyncio.sleep(0.5)
            if not all(client.settled for client in self.clients):
                found = [Difference(c.name, "did not come to an end") for c in self.clients if not c.settled]
                continue
            for symbol in SYMBOLS:
                simulator.market.pause(symbol)
            status = await self._status()
            found = self.differences() + _sickness(status)
            if not found:
                break
        after_s = time.monotonic() - self.ended
        return self._judge(found, status, None if found else after_s)

    async def _status(self) -> ExchangeStatus:
        try:
            async with self._connect(JUDGE) as exchange:
                return await exchange.get_status()
        except ExchangeError as error:
            return ExchangeStatus(checks=(Check(name="connector", ok=False, reason=str(error)),))

    def _judge(self, found: list[Difference], status: ExchangeStatus, settled_after_s: float | None) -> Verdict:
        ledger = self._gateway.simulator.ledger()
        statistics, account = ledger["statistics"], ledger["accounts"]["sim-key"]
        if statistics["http_418"]:
            found = [*found, Difference("ledger", f"{statistics['http_418']} answers were 418: the address was banned")]
        figures = {
            "orders": len(account["orders"]),
            "fills": len(account["fills"]),
            "open orders": sum(row["status"] in ("OPEN", "PARTIALLY_FILLED") for row in account["orders"]),
            "duplicate orders": len(account["duplicate_client_order_ids"]),
            "HTTP 418": statistics["http_418"],
            "HTTP 429": statistics["http_429"],
            "requests to the venue": sum(statistics["requests"].values()),
            "unresolved": status.unresolved_orders,
            "calls": sum(self.tally.calls.values()),
            "errors told": dict(self.tally.errors.most_common()),
            "gaps told": sum(book.gaps for book in self.books),
            "lives of clients": dict(self.tally.lives),
            "starts of the connector": self.keeper.starts,
            "starts that failed": self.keeper.failed_starts,
            "orders canceled at a lease's end": ended_with_lease(self.books, account),
            "refused to the client that may only read": sum(
                client.denied for client in self.clients if isinstance(client, Intruder)
            ),
        }
        return Verdict(differences=found, settled_after_s=settled_after_s, figures=figures)

    @asynccontextmanager
    async def _connect(self, name: str) -> AsyncIterator[RemoteExchange]:
        async with self._gateway.client(**self._access.client(name), **_PATIENCE) as exchange:
            yield exchange


async def marathon(
    settings: Settings, folder: Path, watch: Callable[[Marathon], AbstractAsyncContextManager[None]]
) -> Verdict:
    """Run one marathon with its own venue and connector.

    Args:
        settings: What kind.
        folder: For journal, settings and logs.
        watch: Shows the run while it lasts.
    """
    roles = {name: "read" if name in READERS else "trade" for name in CAST} | {JUDGE: "read"}
    access = Access(folder, roles, LIMITS)
    config = {"exchange": {"name": settings.venue, "symbols": list(SYMBOLS)}, "server": access.server}
    async with gateway(settings.venue, folder, still=False, config=config, seed=settings.seed) as made:
        run = Marathon(settings, made, access)
        async with watch(run):
            verdict = await run.run()
        await made.close()
    verdict.log = made.output
    verdict.differences += [Difference("connector", line) for line in complaints(made.output)]
    return verdict


def refusal(venue: str) -> str:
    """Return a code by which the venue refuses an order."""
    codes = venue_type(venue).codes
    return next(code for code, kind in codes.items() if kind is InsufficientMargin)


def _sickness(status: ExchangeStatus) -> list[Difference]:
    found = [
        Difference("connector", f"is not healthy: {check.name}: {check.reason}")
        for check in status.checks
        if not check.ok
    ]
    if status.unresolved_orders:
        found.append(Difference("connector", f"{status.unresolved_orders} orders are unresolved"))
    return found
