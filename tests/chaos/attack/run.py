"""One run: a calm time, then attack after attack, while an honest client trades; what it, memory and health saw.

Attackers are on other machines in life. Here they share the cores with the connector, the honest client and the
simulated exchange, so they may run at a lower priority: what they then take is the connector's time alone, and not that
of the client that measures. How many attacks they made tells that they were not held off by it.
"""

from __future__ import annotations

import asyncio
import os
import resource
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import grpc
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import SecretStr

from benchmarks.process import resident_mb
from opensqt.client.exchange import RemoteExchange
from opensqt.model.errors import ExchangeError
from opensqt.model.order import OrderRef
from tests.chaos.adapter_rig import UNLIMITED
from tests.chaos.attack.attackers import ATTACKS, SERVICE
from tests.chaos.gateway_rig import SYMBOL, Gateway, far, gateway, request
from tests.support import eventually

CALM = "calm"
FULL_DISKS = "full disks"
KINDS = (*ATTACKS, FULL_DISKS)
_LOOK_EVERY_S = 0.2
_PAUSE_S = 0.01
"""Between a cancel and the next order."""
_TOKENS = {"trader": ("sqt_trader", "trade"), "reader": ("sqt_reader", "read")}


@dataclass
class Report:
    """What was seen, by the kind of attack that went on."""

    placed_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """How long each order that was taken took."""
    refused: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Errors that the trader got, by their name and text."""
    health: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """How often each state was answered."""
    memory_mb: dict[str, float] = field(default_factory=dict)
    """The most that the connector held."""
    attacks: Counter[str] = field(default_factory=Counter)
    """Calls, streams and connections that the attackers made."""
    attacked_s: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """How long they made them."""
    lost: set[str] = field(default_factory=set)
    """Orders that the trader was told of and the ledger does not have, or has open at the end."""
    strangers: set[str] = field(default_factory=set)
    """Orders in the ledger that the trader did not send."""

    def p99_ms(self, *kinds: str) -> float:
        """Return the 99th percentile over some kinds."""
        times = [one for kind in kinds for one in self.placed_ms[kind]]
        return statistics.quantiles(times, n=100)[98] if len(times) > 1 else float("nan")

    @property
    def growth_mb(self) -> float:
        """The most that memory grew over the calm time's."""
        return max(self.memory_mb.values()) - self.memory_mb[CALM]


class _Run:
    def __init__(self, made: Gateway, exchange: RemoteExchange) -> None:
        self._made = made
        self._exchange = exchange
        self.kind = CALM
        self.report = Report()
        self.sent: set[str] = set()
        self.taken: set[str] = set()
        self.turns = 0
        """How many orders have come to their end."""

    async def trade(self) -> None:
        """Place orders that rest and cancel them, until cancelled."""
        price = await far(self._exchange)
        while True:
            asked = request(price=price)
            kind, began_s = self.kind, time.monotonic()
            self.sent.add(asked.client_order_id)
            try:
                await self._exchange.place_order(asked)
            except ExchangeError as error:
                self.report.refused[kind][f"{type(error).__name__}: {error.message}"] += 1
                await asyncio.sleep(error.retry_after_s or _PAUSE_S)
            else:
                self.taken.add(asked.client_order_id)
                if kind == self.kind:
                    self.report.placed_ms[kind].append((time.monotonic() - began_s) * 1000)
                await self._cancel(asked.client_order_id)
            self.turns += 1
            await asyncio.sleep(_PAUSE_S)

    async def _cancel(self, client_order_id: str) -> None:
        try:
            await self._exchange.cancel_order(OrderRef(symbol=SYMBOL, client_order_id=client_order_id))
        except ExchangeError as error:
            self.report.refused[self.kind][f"cancel: {type(error).__name__}: {error.message}"] += 1

    async def look(self) -> None:
        """Ask for health and memory, until cancelled."""
        async with grpc.aio.insecure_channel(self._made.address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            while True:
                kind = self.kind
                try:
                    answer = await stub.Check(health_pb2.HealthCheckRequest(service=SERVICE), timeout=20)
                    state = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
                except grpc.aio.AioRpcError as error:
                    state = error.code().name
                if kind == self.kind:
                    self.report.health[kind][state] += 1
                memory = self.report.memory_mb
                memory[kind] = max(memory.get(kind, 0.0), resident_mb(self._made.pid))
                await asyncio.sleep(_LOOK_EVERY_S)

    async def serving(self) -> bool:
        async with grpc.aio.insecure_channel(self._made.address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=SERVICE), timeout=20)
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def fill_disks(self, *, full: bool) -> None:
        """Let the connector write nothing more to any file, or as before."""
        _, hard = resource.prlimit(self._made.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self._made.pid, resource.RLIMIT_FSIZE, (1 if full else hard, hard))


async def attack(
    venue: str,
    folder: Path,
    *,
    calm_s: float,
    turn_s: float,
    rounds: int,
    kinds: Sequence[str] = KINDS,
    attackers_nice: int = 0,
    forked: bool = True,
    progress: Callable[[str], None] = lambda line: None,
) -> Report:
    """Trade in calm, then through *rounds* of one turn of each kind of attack.

    Args:
        venue: Whose protocol the simulated exchange speaks.
        folder: For the connector's files.
        calm_s: How long the calm time is.
        turn_s: How long one turn is.
        rounds: How many turns of each kind.
        kinds: Of the attacks.
        attackers_nice: By how much the priority of the attackers is below ours.
        forked: Whether the connector starts as a fork of a process that has imported it; it then holds more memory.
        progress: Is told of each turn.
    """
    config = {
        "exchange": {"name": venue, "symbols": [SYMBOL], "reconcile_interval_s": 1.0},
        "server": {"clients_file": str(_clients(folder)), "audit_file": str(folder / "audit.jsonl")},
    }
    token = SecretStr(_TOKENS["trader"][0])
    async with (
        gateway(venue, folder, server=UNLIMITED, config=config, forked=forked) as made,
        made.client(token=token) as exchange,
        _attackers(made.address, attackers_nice) as turn_to,
    ):
        run = _Run(made, exchange)
        trading, looking = asyncio.create_task(run.trade()), asyncio.create_task(run.look())
        try:
            await asyncio.sleep(calm_s)
            for number in range(rounds):
                for kind in kinds:
                    run.kind = kind
                    await _turn(run, kind, turn_s, turn_to)
                    run.kind = f"after {kind}"
                    # What was sent in this turn meets none of the next one's.
                    turns = run.turns
                    await eventually(lambda: run.turns > turns, what=f"the order sent in {kind} ends")  # noqa: B023 - awaited in this turn
                    await eventually(run.serving, what=f"health after {kind}")
                    orders = len(run.report.placed_ms[kind])
                    progress(f"round {number + 1}: {kind}: {orders} orders, {dict(run.report.health[kind])}")
        finally:
            for task in (trading, looking):
                task.cancel()
            await asyncio.wait({trading, looking})
        for task in (trading, looking):
            if not task.cancelled():
                task.result()
        await exchange.cancel_all_orders(SYMBOL)
        await eventually(lambda: _nothing_unresolved(exchange), what="no order is in doubt")
        ledger = {order["client_order_id"] for order in made.account["orders"]}
        run.report.lost = made.open_ids | (run.taken - ledger)
        run.report.strangers = ledger - run.sent
        return run.report


async def _turn(run: _Run, kind: str, turn_s: float, turn_to: Callable[[str], Awaitable[int]]) -> None:
    if kind == FULL_DISKS:
        run.fill_disks(full=True)
        await asyncio.sleep(turn_s)
        run.fill_disks(full=False)
        return
    began_s = time.monotonic()
    await turn_to(kind)
    await asyncio.sleep(turn_s)
    await eventually(lambda: run.report.placed_ms[kind], what=f"an order in {kind}")
    run.report.attacks[kind] += await turn_to("")
    run.report.attacked_s[kind] += time.monotonic() - began_s


async def _nothing_unresolved(exchange: RemoteExchange) -> bool:
    return (await exchange.get_status()).unresolved_orders == 0


@asynccontextmanager
async def _attackers(address: str, nice: int) -> AsyncIterator[Callable[[str], Awaitable[int]]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos.attack.attackers", address, _TOKENS["reader"][0]),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    # On a machine with other work whoever measures may be real-time (chrt), but never who attacks.
    os.sched_setscheduler(process.pid, os.SCHED_OTHER, os.sched_param(0))
    os.setpriority(os.PRIO_PROCESS, process.pid, os.getpriority(os.PRIO_PROCESS, 0) + nice)
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    async def turn_to(kind: str) -> int:
        """Attack by *kind* from now on, and return how many attacks the kind before it has made."""
        stdin.write(f"{kind}\n".encode())
        await stdin.drain()
        return int(await stdout.readline())

    try:
        yield turn_to
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _clients(folder: Path) -> Path:
    file = folder / "clients.yaml"
    clients = [
        {"name": name, "role": role, "token_sha256": sha256(token.encode()).hexdigest()}
        for name, (token, role) in _TOKENS.items()
    ]
    file.write_text(yaml.safe_dump({"clients": clients}))
    file.chmod(0o600)
    return file
