"""One campaign: a market maker on a market with faults, killed again and again, and the comparison at its end."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from opensqt.simulator.faults import FaultKind
from opensqt.simulator.settings import AccountSettings, ServerRules
from tests.chaos.campaign.compare import differences, orphans
from tests.chaos.campaign.parts import Part, make_connector, make_maker, running_after_s, status
from tests.chaos.campaign.recording import Recorded
from tests.chaos.marathon.run import refusal
from tests.chaos.marathon.script import Rhythm, script
from tests.service.grid_rig import FEE, SYMBOL, Ledger, plain, simulator, store_fills
from tests.support.ports import free_ports
from tests.support.wait import WITHIN_S

NEVER_S = 1e9
STANDS_STILL_S = 8.0
MOVES_ON_S = 2.0
RESERVED_MS = 12 * 3600 * 1000
"""End of a recording that is left for the time in which the two sides agree."""
SETTLING_SPEED, FASTEST = Decimal(60), Decimal(3000)
"""Speeds of a recording: at the end, and the highest at which prices move as in a market."""
RECORDED_DEPOSIT = Decimal(100_000)
"""USDT: the fall of a month is carried with it."""
_KILL_S = 5.0
"""About what a kill takes, with the time until the next."""
_AGAIN_IN_START = 0.25
"""Share of the kills that are followed by another one while the program starts."""
_START_S = 0.2, 1.5
"""Least and most time from such a start to the kill."""
_OVERSEEN = frozenset({FaultKind.REFUSE_CONNECT})


@dataclass(frozen=True, slots=True)
class Settings:
    """What kind of campaign."""

    venue: str = "binance"
    mode: str = "long"
    seed: int = 7
    replay: Recorded | None = None
    speed: Decimal | None = None
    """Seconds of the market in one second; None is 1, and in a recording the speed at which it lasts for all kills."""
    maker_kills: int = 200
    connector_kills: int = 50
    kill_every_s: tuple[float, float] = (0.5, 4.0)
    """Least and most time between the recovery from one kill and the next."""
    within_s: float | None = None
    """Seconds after which it ends with the kills that there were; None is without a limit."""
    fault_every_s: float = 2.0
    funding_every_s: float = 60.0
    settle_s: float = 2 * WITHIN_S
    """How long the two sides may take to agree after the last fault."""
    trading: Mapping[str, str] = field(default_factory=dict)
    """Keys of the section `trading` that differ from this campaign's."""


@dataclass(slots=True)
class Outcome:
    """What came of it."""

    differences: list[str] = field(default_factory=list)
    recovery_s: dict[str, list[float]] = field(default_factory=dict)
    """By what was killed: the seconds until the market maker traded again."""
    faults: int = 0
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether everything agreed."""
        return not self.differences


class Campaign:
    """The run itself.

    Args:
        settings: What kind.
        ledger: The venue's, its market running.
        folder: For databases and logs.
    """

    def __init__(self, settings: Settings, ledger: Ledger, folder: Path) -> None:
        self.settings = settings
        self.ledger = ledger
        self.folder = folder
        self.outcome = Outcome(recovery_s={"maker": [], "connector": []})
        self._draw = random.Random(settings.seed)
        self._anchor: str | None = None
        port = free_ports()
        self.trading = {
            "symbol": SYMBOL,
            "price_interval": "5",
            "order_quantity": "100",
            "reconcile_interval": "2",
            "grid_mode": settings.mode,
            **settings.trading,
        }
        venue = settings.venue
        self.connector = make_connector(folder, venue, ledger.sim.url, port)
        variables = {f"OPENSQT__TRADING__{key.upper()}": value for key, value in self.trading.items()}
        # A busy machine opens the circuit breaker, and for its usual quarter of an hour nothing would be traded.
        variables["OPENSQT__RISK_CONTROL__BREAKER__COOL_DOWN_SECONDS"] = "10"
        variables[f"OPENSQT__EXCHANGES__{venue.upper()}__FEE_RATE"] = str(FEE)
        self.maker = make_maker(folder, f"127.0.0.1:{port}", variables)

    async def run(self) -> Outcome:
        """Run to the end and compare."""
        await self.connector.start()
        await self.maker.start()
        await running_after_s(self.maker, time.monotonic())
        self._anchor = (await status(self.maker))["anchor"]
        from_ms, began = self.ledger.sim.engine.now_ms(), time.monotonic()
        troubles = [asyncio.create_task(self._faults())]
        if self.settings.replay is None:
            troubles.append(asyncio.create_task(self._funding()))
        try:
            await self._kills()
        finally:
            for trouble in troubles:
                trouble.cancel()
            await asyncio.wait(troubles)
            self.ledger.sim.faults.clear()
        self.outcome.figures |= {
            "from": _utc(from_ms),
            "to": _utc(self.ledger.sim.engine.now_ms()),
            "seconds": round(time.monotonic() - began),
        }
        await self._settle()
        await self._end()
        return self.outcome

    @property
    def kills(self) -> int:
        """How many there were."""
        return self.maker.kills + self.connector.kills

    async def _kills(self) -> None:
        plan = ["maker"] * self.settings.maker_kills + ["connector"] * self.settings.connector_kills
        self._draw.shuffle(plan)
        began = time.monotonic()
        within_s = self.settings.within_s or NEVER_S
        for done, what in enumerate(plan):
            elapsed_s = time.monotonic() - began
            if elapsed_s >= within_s:
                break
            each_s = elapsed_s / done if done else _KILL_S
            self._keep_pace(min((len(plan) - done) * each_s, within_s - elapsed_s))
            await asyncio.sleep(self._draw.uniform(*self.settings.kill_every_s))
            killed: Part = self.maker if what == "maker" else self.connector
            since = time.monotonic()
            await killed.kill()
            if self._draw.random() < _AGAIN_IN_START:
                await killed.start_and_kill(self._draw.uniform(*_START_S))
            await killed.start()
            if killed is self.connector and self.maker.process and self.maker.process.returncode is not None:
                self.maker.mistakes.append("the market maker ended with its connector")
                await self.maker.kill()
                await self.maker.start()
            self.outcome.recovery_s[what].append(await running_after_s(self.maker, since))

    def _keep_pace(self, left_s: float) -> None:
        """Let the rest of a recording last for so many seconds."""
        sim, recorded = self.ledger.sim, self.settings.replay
        if recorded is None or self.settings.speed is not None:
            return
        left_ms = recorded.end_ms - RESERVED_MS - sim.engine.now_ms()
        speed = Decimal(left_ms) / Decimal(1000 * max(left_s, 1.0))
        sim.market.clock.set_speed(min(max(speed, SETTLING_SPEED), FASTEST))

    async def _faults(self) -> None:
        """Add one fault after the other, of every kind that an honest venue may show."""
        steps = script(
            self.settings.seed,
            24 * 3600,
            Rhythm(fault_s=self.settings.fault_every_s, kill_s=NEVER_S, stall_s=NEVER_S, crash_s=NEVER_S),
            refusal=refusal(self.settings.venue),
            clients=1,
        )
        began = time.monotonic()
        for step in steps:
            await asyncio.sleep(began + step.at_s - time.monotonic())
            if step.fault is not None and step.fault.kind not in _OVERSEEN:
                self.outcome.faults += 1
                self.ledger.sim.faults.add(step.fault)

    async def _funding(self) -> None:
        """Pay funding now and then, as no campaign lasts the eight hours between two payments."""
        while True:
            await asyncio.sleep(self.settings.funding_every_s)
            self.ledger.sim.engine.pay_funding()

    async def _settle(self) -> None:
        """Stop the market, and wait until the market maker, its store and the ledger agree.

        A market that stands still for long is a stale price, and its quotes are pulled. So it moves on again and again.
        """
        if self.settings.replay is not None:
            self.ledger.sim.market.clock.set_speed(SETTLING_SPEED)
        began = time.monotonic()
        deadline = began + self.settings.settle_s
        found = ["the market maker was not asked"]
        while found and time.monotonic() < deadline:
            self.ledger.sim.market.pause(SYMBOL)
            still_until = time.monotonic() + STANDS_STILL_S
            while found and time.monotonic() < still_until:
                await asyncio.sleep(0.5)
                found = await self.differences()
            if found:
                self.ledger.sim.market.resume(SYMBOL)
                await asyncio.sleep(MOVES_ON_S)
        self.outcome.differences += found
        self.outcome.figures["seconds to agree"] = round(time.monotonic() - began, 1)

    async def differences(self) -> list[str]:
        """Return what differs now."""
        stored, found = await store_fills(self.folder / "grid.db"), await status(self.maker)
        moved = (
            [f"the anchor was {self._anchor}, it is {found['anchor']}"] if found.get("anchor") != self._anchor else []
        )
        return [*moved, *differences(self.ledger, stored, found, self.trading)]

    async def _end(self) -> None:
        """Stop both, and note what they leave behind."""
        self.outcome.figures["orphans"] = len(orphans(self.ledger, await status(self.maker)))
        if self.ledger.sim.market.finished:
            self.outcome.differences.append("the recording ended before the campaign")
        if code := await self.maker.end():
            self.outcome.differences.append(f"the market maker ended with {code}")
        if self.ledger.open_orders:
            self.outcome.differences.append(f"{len(self.ledger.open_orders)} orders are left after its end")
        if code := await self.connector.end():
            self.outcome.differences.append(f"the connector ended with {code}")
        self.outcome.differences += self.maker.mistakes + self.connector.mistakes
        account = self.ledger.account
        self.outcome.figures |= {
            "orders": len(account["orders"]),
            "fills": len(account["fills"]),
            "faults": self.outcome.faults,
            "kills of the maker": self.maker.kills,
            "kills of the connector": self.connector.kills,
            "kills in a start": self.maker.kills_in_start + self.connector.kills_in_start,
            "starts that failed": self.maker.failed_starts + self.connector.failed_starts,
            "duplicate orders": len(account["duplicate_client_order_ids"]),
            "position": plain(self.ledger.position),
            "fees": account["fees"],
            "funding": account["funding"],
            "realized profit": account["realized_pnl"],
            "equity": plain(Decimal(account["wallet_balance"]) + Decimal(account["unrealized_pnl"])),
        }


async def campaign(settings: Settings, folder: Path, watch: Callable[[Campaign], Any] | None = None) -> Outcome:
    """Run one campaign in *folder*.

    Args:
        settings: What kind.
        folder: For databases and logs; it must exist.
        watch: Called with the campaign before it begins.
    """
    kills = settings.maker_kills + settings.connector_kills
    recorded = settings.replay
    played = {"replay": recorded.path, "accounts": (AccountSettings(balance=RECORDED_DEPOSIT),)} if recorded else {}
    speed = settings.speed or (min(recorded.speed(kills * _KILL_S), FASTEST) if recorded else Decimal(1))
    # A start queries everything, and so many starts a minute are more than an address may ask.
    async with simulator(
        exchange=settings.venue,
        seed=settings.seed,
        speed=speed,
        # Until it has read the limits, a connector takes those of Binance for granted: in a window of five seconds the
        # starts before it do not use them up.
        server=ServerRules(weight_per_minute=100_000, weight_window_s=5),
        **played,
    ) as sim:
        if recorded:
            sim.market.clock.set_speed(SETTLING_SPEED)  # until the kills begin
        run = Campaign(settings, Ledger(sim), folder)
        if watch is not None:
            watch(run)
        return await run.run()


def _utc(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M")
