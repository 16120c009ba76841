"""No order outlives its call: what waits to be sent when the call ends is never sent, however the venue comes back."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import grpc
import pytest
from pydantic import SecretStr

from opensqt.config.connector import ConnectorServerSettings
from opensqt.config.venue import VenueSettings
from opensqt.connector.orders.journal import State
from opensqt.connector.orders.resolver import Resolver
from opensqt.connector.server import Connector
from opensqt.model.errors import ClockSkew
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import gateway_service_pb2 as gateway_pb
from opensqt.proto import types_pb2
from opensqt.proto.exchange_service_pb2_grpc import ExchangeServiceStub
from opensqt.proto.gateway_service_pb2_grpc import GatewayServiceStub
from opensqt.simulator import Simulator, SimulatorSettings
from opensqt.simulator.faults import Fault, FaultKind
from opensqt.venues.adapter import VenueAdapter
from opensqt.venues.factory import VENUES, venue_type
from opensqt.venues.ratelimit.limiter import RateLimiter
from tests.chaos.adapter_rig import UNLIMITED, code_of
from tests.service.connector_rig import client, order, place, reason_of, refused_in_time
from tests.support import eventually

HOURS_MS = 10_000_000
BATCH = 55
"""More than one request takes on any venue: Bitget's takes fifty."""


class Clock:
    """The rate limiter's clock, which a test can put forward."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


@dataclass
class Rig:
    simulator: Simulator
    connector: Connector
    exchange: ExchangeServiceStub
    gateway: GatewayServiceStub
    limiter: RateLimiter
    clock: Clock
    price: Decimal = Decimal(0)
    ids: set[str] = field(default_factory=set)

    def hang(self, *operations: Any) -> None:
        """Let these requests hang for good: the venue neither answers nor executes them, also when it is back."""
        for operation in operations:
            self.simulator.faults.add(Fault(kind=FaultKind.DELAY, on=operation, delay_ms=HOURS_MS, times=0))

    def hold(self) -> None:
        """Let everything wait for the rate limit, as after a pause that the venue requested."""
        self.limiter.pause(1_000)

    def let_pass(self) -> None:
        self.clock.ahead_s += 2_000
        self.limiter.dispatch()

    @property
    def orders(self) -> dict[str, dict[str, Any]]:
        """The ledger's orders by their client id."""
        account = self.simulator.ledger()["accounts"]["sim-key"]
        return {one["client_order_id"]: one for one in account["orders"]}

    def arrived(self, operation: str) -> int:
        """How many requests of an operation the venue has received."""
        count: int = self.simulator.ledger()["statistics"]["requests"].get(operation, 0)
        return count

    async def settled(self) -> None:
        """Wait until nothing is on its way, and everything that the venue was asked is answered."""
        await eventually(lambda: not self.connector.orders.in_flight(), what="every outcome")
        # What is asked now is sent after all that was queued before.
        await self.exchange.PlaceOrder(self.place("last"), timeout=60)

    def place(self, name: str) -> pb.PlaceOrderRequest:
        return place(name, quantity="0.003", price=str(self.price))

    def batch(self, names: Iterable[str]) -> pb.BatchPlaceOrdersRequest:
        return pb.BatchPlaceOrdersRequest(
            orders=[order(name, quantity="0.003", price=str(self.price)) for name in names]
        )

    async def states(self, names: Iterable[str]) -> dict[str, State | None]:
        records = {name: await self.connector.journal.find(name) for name in names}
        return {name: None if record is None else record.state for name, record in records.items()}


@asynccontextmanager
async def running(venue: str, *, request_timeout_s: float = 5) -> AsyncIterator[Rig]:
    simulated = SimulatorSettings(exchange=venue, port=0, past_minutes=20, server=UNLIMITED)
    async with Simulator(simulated) as simulator:
        for rules in simulator.engine.symbols():
            simulator.market.pause(rules.symbol)
        settings = VenueSettings(
            name=venue,
            api_key=SecretStr("sim-key"),
            secret=SecretStr("sim-secret"),
            passphrase=SecretStr("sim-pass"),
            base_url=simulator.url,
            symbols=("BTCUSDT",),
            request_timeout_s=request_timeout_s,
        )
        kind, clock = venue_type(venue), Clock()
        limiter = RateLimiter(kind.rate_limits, queue_timeout_s=10_000, clock_s=clock)
        server = ConnectorServerSettings(port=0, metrics_port=None, drain_s=0, order_wait_s=60)
        resolve = Resolver(recv_window_ms=0, visibility_margin_ms=0)
        async with (
            Connector(
                VenueAdapter(kind, settings, rate_limiter=limiter), server, journal=":memory:", resolve=resolve
            ) as connector,
            client(connector.address) as channel,
        ):
            exchange, gateway = ExchangeServiceStub(channel), GatewayServiceStub(channel)
            rig = Rig(simulator, connector, exchange, gateway, limiter, clock)
            bid = Decimal((await exchange.GetLatestPrice(pb.GetLatestPriceRequest(symbol="BTCUSDT"))).price.bid)
            rig.price = (bid * Decimal("0.9")).quantize(Decimal(1))
            yield rig


@pytest.mark.parametrize("venue", sorted(VENUES))
async def test_the_rest_of_a_batch_whose_call_ended_is_never_sent(venue: str) -> None:
    """F53: the venue takes requests and answers none; by its deadline the caller knows which orders were not sent."""
    async with running(venue) as rig:
        # What was sent stays unresolved, for the venue answers no question for it either.
        rig.hang("batch_place", "place_order", "get_order", "open_orders")
        hurried, left = ([f"{name}{number}" for number in range(BATCH)] for name in ("hurried", "left"))
        hurrying = rig.exchange.BatchPlaceOrders(rig.batch(hurried), timeout=3)
        await eventually(lambda: rig.arrived("batch_place"), what="a request")
        leaving = rig.exchange.BatchPlaceOrders(rig.batch(left))
        answer = await hurrying
        leaving.cancel()
        await eventually(lambda: not rig.connector.calls.in_flight, what="the end of the calls")
        arrived = rig.arrived("batch_place")
        status = await rig.gateway.GetStatus(gateway_pb.GetStatusRequest())
        rig.simulator.faults.clear()
        await rig.settled()
        assert rig.orders.keys() == {"last"}
        size = venue_type(venue).capabilities.max_batch
        reasons = [one.error.reason for one in answer.results]
        assert reasons == ["ORDER_OUTCOME_UNKNOWN"] * size + ["UNREACHABLE"] * (BATCH - size)
        assert "never sent" in answer.results[-1].error.message
        assert set((await rig.states(hurried + left)).values()) == {State.ABSENT}
        # What was answered as unknown is unresolved from then on; so is what was sent for the caller that went away.
        assert status.unresolved_orders == arrived * size
        assert (await rig.gateway.GetStatus(gateway_pb.GetStatusRequest())).unresolved_orders == 0


@pytest.mark.parametrize("venue", sorted(VENUES))
async def test_what_waits_for_the_rate_limit_when_its_call_ends_is_never_sent(venue: str) -> None:
    """F53: an order, a batch, an amendment, and an order whose caller goes away; a cancel that waits is sent."""
    async with running(venue) as rig:
        await rig.exchange.PlaceOrder(rig.place("first"))
        await rig.exchange.PlaceOrder(rig.place("unwanted"))
        rig.hold()
        left = rig.exchange.PlaceOrder(rig.place("left"))
        cancel = pb.CancelOrderRequest(order=types_pb2.OrderRef(symbol="BTCUSDT", client_order_id="unwanted"))
        canceling = rig.exchange.CancelOrder(cancel)
        await eventually(lambda: rig.limiter.queued_by_lane()["order"] >= 1, what="an order that waits")
        left.cancel()
        told = [await refused_in_time(lambda: rig.exchange.PlaceOrder(rig.place("single"), timeout=1))]
        if venue_type(venue).capabilities.amend_order:
            ref = types_pb2.OrderRef(symbol="BTCUSDT", client_order_id="first")
            amendment = gateway_pb.AmendOrderRequest(order=ref, amend_id="amend", price=str(rig.price - 1))
            told.append(await refused_in_time(lambda: rig.gateway.AmendOrder(amendment, timeout=1)))
        batch = await rig.exchange.BatchPlaceOrders(rig.batch(["b0", "b1", "b2"]), timeout=1)
        rig.let_pass()
        assert (await canceling).order.status == types_pb2.ORDER_STATUS_CANCELED
        await rig.settled()
        assert rig.orders.keys() == {"first", "unwanted", "last"}
        assert Decimal(rig.orders["first"]["price"]) == rig.price
        assert {(one.code(), reason_of(one)) for one in told} == {(grpc.StatusCode.UNAVAILABLE, "UNREACHABLE")}
        assert [one.error.reason for one in batch.results] == ["UNREACHABLE"] * 3
        assert set((await rig.states(["left", "single", "b0", "b1", "b2"])).values()) == {State.ABSENT}
        # Proven absent, the id may be sent again.
        assert (await rig.exchange.PlaceOrder(rig.place("single"))).order.status == types_pb2.ORDER_STATUS_OPEN


@pytest.mark.parametrize("venue", sorted(VENUES))
async def test_an_order_refused_for_its_time_is_not_sent_again_for_a_call_that_ended(venue: str) -> None:
    """F53: the refusal proves that nothing happened; the clock's measurement before the second try waits meanwhile."""
    async with running(venue) as rig:
        rig.simulator.faults.add(Fault(kind=FaultKind.DELAY, on="place_order", delay_ms=2_000))
        rig.simulator.faults.add(Fault(kind=FaultKind.REFUSE, on="place_order", code=code_of(venue, ClockSkew)))
        late = rig.exchange.PlaceOrder(rig.place("late"))
        await eventually(lambda: rig.arrived("place_order"), what="a request")
        rig.hold()
        await eventually(lambda: rig.limiter.queued_by_lane()["order"], what="the measurement that waits")
        late.cancel()
        await eventually(lambda: not rig.connector.calls.in_flight, what="the end of the call")
        rig.let_pass()
        await rig.settled()
        assert rig.orders.keys() == {"last"}
        assert await rig.states(["late"]) == {"late": State.ABSENT}
