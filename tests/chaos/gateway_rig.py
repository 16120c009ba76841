"""A simulator in this process, a real connector process before it that can be killed, and clients of the connector."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from opensqt.client.exchange import RemoteExchange
from opensqt.config.remote import RemoteSettings
from opensqt.model import client_order_id
from opensqt.model.order import OrderRequest, Side
from opensqt.simulator import Simulator, SimulatorSettings
from opensqt.simulator.faults import Fault
from tests.chaos.adapter_rig import UNLIMITED
from tests.support import Process, start
from tests.support.wait import WITHIN_S

SYMBOL = "BTCUSDT"
LOT = Decimal("0.003")
KEYS = {"API_KEY": "sim-key", "API_SECRET": "sim-secret", "PASSPHRASE": "sim-pass"}


class Gateway:
    """One connector over one simulator; it keeps its port and its journal over restarts."""

    def __init__(
        self,
        simulator: Simulator,
        folder: Path,
        config: Mapping[str, Any],
        environ: Mapping[str, str],
        *,
        forked: bool = True,
    ) -> None:
        self.simulator = simulator
        self.forked = forked
        self.environ = environ
        self.folder = folder
        self.config = folder / "connector.yaml"
        self.config.write_text(yaml.safe_dump(json.loads(json.dumps(config))))
        self.process: Process | None = None
        self.address = ""
        self.kills = 0
        self.output = ""
        """What the runs that ended have said."""
        self._run: AsyncExitStack | None = None

    @property
    def pid(self) -> int:
        """The connector's process."""
        assert self.process is not None
        return self.process.pid

    @property
    def account(self) -> dict[str, Any]:
        """The ledger's account."""
        account: dict[str, Any] = self.simulator.ledger()["accounts"]["sim-key"]
        return account

    @property
    def open_ids(self) -> set[str]:
        """The client ids of the orders that the venue holds open."""
        return {
            order["client_order_id"]
            for order in self.account["orders"]
            if order["status"] in ("OPEN", "PARTIALLY_FILLED")
        }

    async def start(self, within_s: float = WITHIN_S) -> None:
        """Start the connector, again on the port that it had."""
        port = self.address.rpartition(":")[2] or "0"
        arguments = ["--config", str(self.config), "--exchange", self.simulator.settings.exchange]
        arguments += ["--base-url", self.simulator.url, "--port", port, "--metrics-port", "0"]
        arguments += ["--journal", str(self.folder / "journal.db")]
        self._run = AsyncExitStack()
        self.process = await self._run.enter_async_context(
            start(
                "opensqt.connector",
                *arguments,
                env={"PYTHONFAULTHANDLER": "1", **self.environ},
                cwd=self.folder,
                forked=self.forked,
            )
        )
        self.address = await self.process.ready(within_s)

    async def kill(self) -> None:
        """End the connector with SIGKILL."""
        await self._end(signal.SIGKILL)
        self.kills += 1

    async def stop(self) -> int:
        """End the connector with SIGTERM and answer its exit code."""
        return await self._end(signal.SIGTERM)

    async def restart(self) -> None:
        """Kill the connector and start it again."""
        await self.kill()
        await self.start()

    @asynccontextmanager
    async def client(self, **settings: Any) -> AsyncIterator[RemoteExchange]:
        """Connect a client; *settings* are fields of RemoteSettings."""
        given = {"base_url": self.address, "retry_scale": 0.2, "deadline_s": 20, **settings}
        async with RemoteExchange(RemoteSettings(**given)) as exchange:
            yield exchange

    def fault(self, **fields: Any) -> None:
        self.simulator.faults.add(Fault(**fields))

    def hit(self, side: Side, quantity: Decimal) -> None:
        """Let an outside participant trade against a resting order of *side*."""
        self.simulator.market.send_outside_order(SYMBOL, side.opposite, quantity)

    async def gone(self, within_s: float | None = WITHIN_S) -> int:
        """Wait until the connector has ended, by whatever, and answer its exit code; then it can be started again."""
        assert self.process is not None
        assert self._run is not None
        process, run = self.process, self._run
        try:
            return await process.wait(within_s)
        finally:
            self.process = self._run = None
            self.output += process.output
            await run.aclose()

    async def _end(self, number: signal.Signals) -> int:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send(number)
        return await self.gone()

    async def close(self) -> None:
        if self.process is not None:
            await self.stop()


@asynccontextmanager
async def gateway(
    venue: str,
    folder: Path,
    *,
    still: bool = True,
    config: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    forked: bool = True,
    **simulated: Any,
) -> AsyncIterator[Gateway]:
    """Run a simulator and a connector; a still market trades only with whom the test sends.

    Args:
        venue: Whose protocol.
        folder: For the journal and the settings file.
        still: Whether the market's own activity is paused.
        config: Settings of the connector, as in configs/connector.yaml; `exchange.name` and the like come from here.
        environ: The connector's environment; by default the simulated account's key.
        forked: Whether the connector starts as a fork, as in `start`.
        simulated: Fields of SimulatorSettings.
    """
    # A reconciliation each second alone would use all of Binance's weight in a test of a minute.
    given = {"exchange": venue, "port": 0, "past_minutes": 20, "server": UNLIMITED, **simulated}
    settings = {"exchange": {"name": venue, "symbols": [SYMBOL], "reconcile_interval_s": 1.0}, **(config or {})}
    async with Simulator(SimulatorSettings(**given)) as simulator:
        if still:
            for rules in simulator.engine.symbols():
                simulator.market.pause(rules.symbol)
        made = Gateway(simulator, folder, settings, KEYS if environ is None else environ, forked=forked)
        await made.start()
        try:
            yield made
        finally:
            await made.close()


def request(side: Side = Side.BUY, price: Decimal | None = None, **more: Any) -> OrderRequest:
    """An order of one lot with a new id."""
    fields: dict[str, Any] = {"symbol": SYMBOL, "side": side, "quantity": LOT, "price": price}
    return OrderRequest(**(fields | {"client_order_id": client_order_id.new("gw")} | more))


async def far(exchange: RemoteExchange, levels: int = 0) -> Decimal:
    """A price to buy at that rests far from the market."""
    return (await exchange.get_latest_price(SYMBOL)).bid - 1000 - 10 * levels


async def every(seconds: float, action: Any) -> None:
    """Do *action* again and again."""
    while True:
        await asyncio.sleep(seconds)
        await action()
