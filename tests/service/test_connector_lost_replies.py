"""Orders at most once over the whole way: gRPC client, connector, Binance adapter, simulator, its ledger."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import grpc
import pytest
from pydantic import SecretStr

from opensqt.config.connector import ConnectorServerSettings
from opensqt.config.venue import VenueSettings
from opensqt.connector.orders.resolve import resolve
from opensqt.connector.server import Connector
from opensqt.model.exchange import Exchange
from opensqt.model.order import Order, OrderRequest, OrderStatus
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import types_pb2
from opensqt.proto.exchange_service_pb2_grpc import ExchangeServiceStub
from opensqt.simulator import Simulator, SimulatorSettings
from opensqt.simulator.faults import Fault, FaultKind
from opensqt.venues.factory import create_exchange
from tests.service.connector_rig import client, order, place
from tests.support import eventually

# Binance has two kinds of 503: with -1008 nothing was done; with this one it may have been.
UNKNOWN_503 = {
    "status": 503,
    "code": "-1000",
    "message": "Unknown error, please check your request or try again later.",
}
LOST = {
    "dropped reply": {"kind": FaultKind.DROP_REPLY},
    "503 after": {"kind": FaultKind.ERROR_AFTER, **UNKNOWN_503},
    "unknown outcome": {"kind": FaultKind.TIMEOUT_UNKNOWN},
}


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(SimulatorSettings(exchange="binance", seed=7, port=0)) as simulator:
        yield simulator


@asynccontextmanager
async def connector(
    simulator: Simulator, journal: str = ":memory:", *, proof_after_ms: int = 10_000
) -> AsyncIterator[tuple[Connector, Any]]:
    venue = VenueSettings(
        name="binance", api_key=SecretStr("sim-key"), secret=SecretStr("sim-secret"), base_url=simulator.url
    )
    settings = ConnectorServerSettings(port=0, metrics_port=None, drain_s=0, order_wait_s=60)

    async def resolve_within(exchange: Exchange, request: OrderRequest, sent_ns: int) -> Order | None:
        return await resolve(exchange, request, sent_ns=sent_ns, recv_window_ms=proof_after_ms, visibility_margin_ms=0)

    async with (
        Connector(create_exchange(venue), settings, journal=journal, resolve=resolve_within) as running,
        client(running.address) as channel,
    ):
        yield running, ExchangeServiceStub(channel)


async def resting_price(stub: Any) -> str:
    price = (await stub.GetLatestPrice(pb.GetLatestPriceRequest(symbol="BTCUSDT"))).price
    return str((Decimal(price.bid) * Decimal("0.9")).quantize(Decimal(1)))


def accepted(simulator: Simulator) -> Counter[str]:
    """How many orders the venue accepted under each client id."""
    account = simulator.ledger()["accounts"]["sim-key"]
    assert account["duplicate_client_order_ids"] == []
    return Counter(one["client_order_id"] for one in account["orders"])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", LOST.values(), ids=LOST)
async def test_a_lost_reply_leaves_one_order_however_long_queries_hide_it(
    simulator: Simulator, fault: dict[str, Any], large: bool
) -> None:
    """F1: accepted, reply lost, hidden for 3 s; 1,000 intents leave one order each, none unresolved."""
    count, at_once = (1000, 60) if large else (15, 15)
    simulator.faults.add(Fault(**fault, on="place_order", times=0))
    simulator.faults.add(Fault(kind=FaultKind.HIDE_ORDERS, for_ms=3000))
    async with connector(simulator) as (running, stub):
        price = await resting_price(stub)
        limit = asyncio.Semaphore(at_once)

        async def insist(client_order_id: str) -> Any:
            async with limit:
                request = place(client_order_id, quantity="0.001", price=price)
                answer = await stub.PlaceOrder(request, timeout=120)
                cancel = pb.CancelOrderRequest(
                    order=types_pb2.OrderRef(symbol="BTCUSDT", client_order_id=client_order_id)
                )
                await stub.CancelOrder(cancel)
                return answer.order

        ids = [f"f1x{number}" for number in range(count)]
        orders = await asyncio.gather(*map(insist, ids))
        assert [one.client_order_id for one in orders] == ids
        assert accepted(simulator) == Counter(ids)
        await eventually(lambda: running.orders.unresolved == 0)


async def test_a_batch_whose_reply_is_lost_gives_five_right_answers_and_no_duplicate(simulator: Simulator) -> None:
    """F2: 3 of 5 accepted, 2 refused, reply lost."""
    simulator.faults.add(Fault(kind=FaultKind.DROP_REPLY, on="batch_place"))
    async with connector(simulator, proof_after_ms=500) as (running, stub):
        price = await resting_price(stub)
        good = [order(f"good{number}", quantity="0.001", price=price) for number in range(3)]
        too_big = [order(f"big{number}", quantity="900", price=price) for number in range(2)]
        batch = pb.BatchPlaceOrdersRequest(orders=[*good, *too_big])
        results = (await stub.BatchPlaceOrders(batch, timeout=50)).results
        assert [one.WhichOneof("result") for one in results] == ["order"] * 3 + ["error"] * 2
        assert {one.error.reason for one in results[3:]} == {"UNREACHABLE"}
        assert running.orders.unresolved == 0
        assert simulator.ledger()["statistics"]["requests"]["batch_place"] == 1
        open_ids = {one.client_order_id for one in (await stub.GetOpenOrders(pb.GetOpenOrdersRequest())).orders}
    assert open_ids == {"good0", "good1", "good2"}


async def test_a_request_that_never_arrived_is_proven_absent_and_may_be_sent_again(simulator: Simulator) -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    simulator.faults.add(Fault(kind=FaultKind.ERROR_BEFORE, on="place_order", **UNKNOWN_503))
    async with connector(simulator, proof_after_ms=500) as (_, stub):
        request = place("absent", quantity="0.001", price=await resting_price(stub))
        with pytest.raises(grpc.aio.AioRpcError, match="proven absent"):
            await stub.PlaceOrder(request, timeout=50)
        assert accepted(simulator)["absent"] == 0
        assert (await stub.PlaceOrder(request)).order.status == types_pb2.ORDER_STATUS_OPEN
    assert accepted(simulator)["absent"] == 1


async def test_an_order_of_a_run_that_was_cut_off_is_found_by_the_next(simulator: Simulator, tmp_path: Path) -> None:
    """F1, F9: the journal carries the intent over the end of the process that sent it."""
    journal = str(tmp_path / "journal.db")
    simulator.faults.add(Fault(kind=FaultKind.DROP_REPLY, on="place_order"))
    simulator.faults.add(Fault(kind=FaultKind.UNREACHABLE, on="get_order", times=0))
    async with connector(simulator, journal) as (_, stub):
        request = place("cut", quantity="0.001", price=await resting_price(stub))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.PlaceOrder(request, timeout=2)
        assert caught.value.code() is grpc.StatusCode.ABORTED
    simulator.faults.clear()
    async with connector(simulator, journal) as (_, stub):
        answer = (await stub.PlaceOrder(request)).order
        assert answer.status == types_pb2.ORDER_STATUS_OPEN
    assert accepted(simulator) == Counter(["cut"])
    (row,) = simulator.ledger()["accounts"]["sim-key"]["orders"]
    assert row["status"] == OrderStatus.OPEN
