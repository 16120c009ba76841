"""Two market makers of one account, symbol and PostgreSQL: one trades, the other waits, and the first is ended."""

from __future__ import annotations

import re
import signal
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from opensqt.market_maker.store.store import Store
from opensqt.simulator.engine.events import Event, Execution, OrderChanged
from tests.service.grid_rig import SYMBOL, Chain, get, one_order_a_level
from tests.support import Process, eventually
from tests.support.blocking import in_thread

_STANDBY = re.compile(rb"in standby on ([\d.]+:\d+)\n")
KILL, STOP = signal.SIGKILL, signal.SIGSTOP


@dataclass
class Pair:
    """The makers that run, and what was measured."""

    chain: Chain
    url: str
    stack: AsyncExitStack
    seconds: list[float] = field(default_factory=list)
    """From the end of one to the first order of the next that the exchange accepted."""
    accepted: list[float] = field(default_factory=list)
    """When the exchange accepted an order, monotonic."""

    def record(self, event: Event) -> None:
        """Note an order of the account; called by the simulator."""
        if isinstance(event, OrderChanged) and event.execution is Execution.NEW:
            self.accepted.append(time.monotonic())

    async def start(self) -> Process:
        """Start a market maker that waits if another one trades."""
        settings = {"OPENSQT__APP__DATABASE_URL": self.url}
        return await self.stack.enter_async_context(self.chain.maker("--standby", **settings))

    async def take_over(self, first: Process, second: Process, how: signal.Signals) -> None:
        """End the first one in the middle of its trading, and wait until the second one trades."""
        await in_standby(second)
        orders = len(self.accepted)
        await eventually(lambda: len(self.accepted) > orders, what="the first one trades")
        ended_at = time.monotonic()
        first.send(how)
        # What the first one had on its way is accepted within a second; the next one needs five to take over.
        alone_at = ended_at + 3
        try:
            await eventually(lambda: self.accepted[-1] > alone_at, every_s=0.01, what="the next one trades")
        except AssertionError as error:
            raise AssertionError(f"{error}; after {len(self.seconds)} take-overs; {await _state(second)}") from None
        self.seconds.append(next(at for at in self.accepted if at > alone_at) - ended_at)

    async def books_equal(self) -> None:
        """Compare what the makers stored with the exchange's ledger; none of them runs any more."""
        account = self.chain.account
        assert account["duplicate_client_order_ids"] == []
        assert one_order_a_level(self.chain.open_orders)
        store = await Store.open(self.url)
        own = {one.client_order_id for one in await store.orders(SYMBOL)}
        await store.close()
        assert {one["client_order_id"] for one in account["orders"]} <= own, "an order that no database knows"

    @property
    def p99_s(self) -> float:
        ordered = sorted(self.seconds)
        return ordered[max(0, -(-99 * len(ordered) // 100) - 1)]

    def figures(self) -> str:
        """Return what was measured, as a line."""
        return (
            f"{len(self.seconds)} take-overs, from the end of one to the first order of the next:"
            f" p50 {statistics.median(self.seconds):.2f} s, p99 {self.p99_s:.2f} s, max {max(self.seconds):.2f} s"
        )


@asynccontextmanager
async def pair(chain: Chain, url: str) -> AsyncIterator[Pair]:
    """Run market makers on a chain until the end of the block."""
    async with AsyncExitStack() as stack:
        made = Pair(chain, url, stack)
        stack.callback(chain.sim.engine.subscribe(made.record))
        yield made


async def in_standby(maker: Process) -> None:
    """Wait until it is connected and sees who trades."""
    found = await eventually(lambda: _STANDBY.search(maker.stdout), what="it waits in standby")
    maker.address = found[1].decode()


async def _state(maker: Process) -> str:
    """Return how a market maker is, and the end of what it wrote."""
    said = maker.output[-4000:]
    if maker.returncode is not None:
        return f"it ended with {maker.returncode}: {said}"
    status = await in_thread(get, maker, "/status")
    shown = {name: status.get(name) for name in ("phase", "problems", "halted", "holder", "price", "position", "risk")}
    return f"{shown}: {said}"
