"""A venue's adapter on its simulator, with a reader that keeps all it is told and a ledger to compare it with."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from typing import Any

from opensqt.config.venue import VenueSettings
from opensqt.model import client_order_id
from opensqt.model.account import PositionMode
from opensqt.model.errors import ExchangeError
from opensqt.model.order import Fill, Order, OrderRequest, Side
from opensqt.simulator import Simulator, SimulatorSettings
from opensqt.simulator.faults import Fault
from opensqt.simulator.settings import AccountSettings, ServerRules, SymbolSettings
from opensqt.venues.adapter import VenueAdapter
from opensqt.venues.factory import venue_type
from opensqt.venues.ratelimit.limiter import RateLimiter
from tests.support import eventually, required

SYMBOL = "BTCUSDT"
LOT = Decimal("0.003")
PART = Decimal("0.001")
UNLIMITED = ServerRules(weight_per_minute=10_000_000, orders_per_10s=1_000_000, orders_per_minute=1_000_000)
"""For proofs that send more than an account may."""

LOST_REPLIES = (
    {"kind": "drop_reply"},
    {"kind": "error_after", "status": 503},
    {"kind": "timeout_unknown"},
    {"kind": "error_before", "status": 502},
)
"""The ways in which an answer is lost; after the last of them nothing was done."""


Adapter = Callable[..., AbstractAsyncContextManager["Rig"]]
"""`on_simulator`, its venue given."""


class Rig:
    """One adapter and its simulator."""

    def __init__(self, simulator: Simulator, exchange: VenueAdapter) -> None:
        self.simulator = simulator
        self.exchange = exchange
        self.orders: dict[str, Order] = {}
        """The last word on each order, by the venue's id, as a reader of the stream knows it."""
        self.fills: Counter[str] = Counter()
        """How often each trade id was told."""
        self.told: list[Fill] = []
        self.gaps = 0
        self.filled: dict[str, Decimal] = {}

    @property
    def account(self) -> dict[str, Any]:
        """The ledger's account."""
        account: dict[str, Any] = self.simulator.ledger()["accounts"]["sim-key"]
        return account

    def fault(self, **fields: Any) -> None:
        self.simulator.faults.add(Fault(**fields))

    def request(self, side: Side = Side.BUY, price: Decimal | None = None, **more: Any) -> OrderRequest:
        fields: dict[str, Any] = {
            "symbol": SYMBOL,
            "side": side,
            "quantity": LOT,
            "price": price,
            "client_order_id": client_order_id.new("ch"),
        }
        return OrderRequest(**(fields | more))

    async def front(self, side: Side) -> Decimal:
        """A price that rests before everybody else's."""
        price = await self.exchange.get_latest_price(SYMBOL)
        step = Decimal("0.1")
        return price.bid + step if side is Side.BUY else price.ask - step

    async def far(self, levels: int = 0) -> Decimal:
        """A price to buy at that rests far from the market."""
        price = await self.exchange.get_latest_price(SYMBOL)
        return price.bid - 1000 - 10 * levels

    def hit(self, side: Side, quantity: Decimal) -> None:
        """Let an outside participant trade against a resting order of *side*."""
        self.simulator.market.send_outside_order(SYMBOL, side.opposite, quantity)

    async def trade(self, rounds: int, between: Callable[[int], None] | None = None) -> None:
        """Place orders and have each filled in two parts; *between* is called between the parts."""
        for number in range(rounds):
            side = Side.BUY if number % 2 else Side.SELL
            await self.exchange.place_order(self.request(side, await self.front(side)))
            self.hit(side, PART)
            if between is not None:
                between(number)
            self.hit(side, LOT - PART)

    async def read(self) -> None:
        """Read the orders stream for ever."""
        async for batch in self.exchange.subscribe_orders():
            self.gaps += batch.gap
            for update in batch.updates:
                before = self.filled.get(update.order.order_id, Decimal(0))
                assert update.order.filled_quantity >= before, "filled quantity went back"
                self.filled[update.order.order_id] = update.order.filled_quantity
                self.orders[update.order.order_id] = update.order
                if update.fill is not None:
                    self.fills[update.fill.trade_id] += 1
                    self.told.append(update.fill)

    def differences(self) -> list[str]:
        """Compare what the reader knows with the ledger."""
        account = self.account
        wanted = {fill["trade_id"]: 1 for fill in account["fills"]}
        found = [f"fills: {dict(self.fills)} for {wanted}"] if dict(self.fills) != wanted else []
        for order in account["orders"]:
            known = self.orders.get(order["order_id"])
            if known is None:
                found.append(f"order {order['order_id']} never told")
            elif (known.status, known.filled_quantity) != (order["status"], Decimal(order["filled_quantity"])):
                found.append(f"order {known} for {order}")
        held = {(p["symbol"], p["position_side"]): Decimal(p["quantity"]) for p in account["positions"]}
        told = {
            (p.symbol, p.position_side): p.quantity for p in self.exchange.subscribe_positions().entries.feed.snapshot
        }
        nonzero = {key: quantity for key, quantity in told.items() if quantity}
        if nonzero != {key: quantity for key, quantity in held.items() if quantity}:
            found.append(f"positions {nonzero} for {held}")
        return found

    async def agrees(self, within_s: float = 10) -> None:
        """Wait until what the reader knows equals the ledger."""
        try:
            await eventually(lambda: not self.differences(), within_s=required(within_s), what="ledger equality")
        except AssertionError as error:
            raise AssertionError("; ".join(self.differences())) from error


def code_of(venue: str, error: type[ExchangeError]) -> str:
    """Answer a code by which a venue says *error*."""
    return next(code for code, kind in venue_type(venue).codes.items() if kind is error)


def settings(simulator: Simulator, **more: Any) -> VenueSettings:
    """Answer how to reach a simulator."""
    fields: dict[str, Any] = {
        "name": simulator.settings.exchange,
        "api_key": "sim-key",
        "secret": "sim-secret",
        "passphrase": "sim-pass",
        "base_url": simulator.url,
        "symbols": (SYMBOL,),
        "reconcile_interval_s": 1.0,
    }
    return VenueSettings(**(fields | more))


@asynccontextmanager
async def on_simulator(
    venue: str,
    mode: PositionMode = PositionMode.ONE_WAY,
    *,
    still: bool = True,
    server: Any = None,
    listed: Sequence[SymbolSettings] = (),
    rate_limiter: RateLimiter | None = None,
    account: Mapping[str, Any] | None = None,
    **more: Any,
) -> AsyncIterator[Rig]:
    """Start a simulator and an adapter on it; a still market trades only with whom the test sends."""
    simulated: dict[str, Any] = {"exchange": venue, "port": 0, "past_minutes": 20}
    simulated["accounts"] = (AccountSettings(position_mode=mode, **(account or {})),)
    if server is not None:
        simulated["server"] = server
    if listed:
        simulated["symbols"] = tuple(listed)
    async with Simulator(SimulatorSettings(**simulated)) as simulator:
        if still:
            for rules in simulator.engine.symbols():
                simulator.market.pause(rules.symbol)
        async with VenueAdapter(venue_type(venue), settings(simulator, **more), rate_limiter=rate_limiter) as exchange:
            rig = Rig(simulator, exchange)
            reading = asyncio.create_task(rig.read())
            try:
                yield rig
                assert not reading.done() or reading.exception() is None, reading.exception()
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
