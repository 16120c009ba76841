"""Every error that an exchange may raise, through every method: each carries ErrorInfo and comes back as it was."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from opensqt.model.errors import (
    BY_REASON,
    AccessError,
    BackOff,
    ExchangeError,
    InvalidRequest,
    OutcomeUnknown,
    RequestError,
    UnknownSymbol,
    Unreachable,
    Unsupported,
    VenueError,
)
from opensqt.model.exchange import Exchange
from opensqt.model.order import OrderRequest
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import gateway_service_pb2 as gateway_pb
from opensqt.wire import errors as wire_errors
from tests.service.connector_rig import Rig, Venue, order, place, reason_of, rig
from tests.service.test_connector_deadlines import ASKED, REQUESTS, STREAMS, UNARY
from tests.support import eventually

CLASSES = sorted(BY_REASON.values(), key=lambda kind: kind.reason)
REQUEST_ERRORS = [kind for kind in CLASSES if issubclass(kind, RequestError)]
NOTHING_HAPPENED = (RequestError, BackOff, AccessError, Unreachable, VenueError)
"""What ends an order at once or, where the venue's word is odd, once it was found absent; the rest is resolved."""
ALSO = {"GetExchangeInfo": pb.GetExchangeInfoRequest(), "GetRateBudget": gateway_pb.GetRateBudgetRequest()}
READING = [name for name in (*UNARY, *ALSO) if "Place" not in name and name != "CancelAllOrders"]
FAILING = ASKED | {"get_exchange_info", "get_rate_budget"}


class Refusing(Venue):
    """Raises `error`, once there is one, from everything that it is asked."""

    error: ExchangeError | None = None

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        error = super().__getattribute__("error") if name in FAILING or name.startswith("subscribe_") else None
        if error is None:
            return found

        async def fail(*_arguments: Any, **_named: Any) -> Any:
            raise error

        def fail_at_once(*_arguments: Any, **_named: Any) -> Any:
            raise error

        return fail_at_once if name.startswith("subscribe_") else fail


async def absent(_exchange: Exchange, _request: OrderRequest, _sent_ns: int) -> None:
    """The venue's word that an order does not exist."""
    return


@pytest.fixture
async def refusing() -> AsyncIterator[Rig]:
    async with rig(Refusing(), resolve=absent) as running:
        yield running
        forgive(running)


def refuse(running: Rig, kind: type[ExchangeError]) -> ExchangeError:
    assert isinstance(running.venue, Refusing)
    running.venue.error = kind("what happened: ä", venue_code="-2019", symbol="BTCUSDT", retry_after_s=1.5)
    return running.venue.error


def forgive(running: Rig) -> None:
    assert isinstance(running.venue, Refusing)
    running.venue.error = None


def facts(error: ExchangeError) -> tuple[Any, ...]:
    return type(error), error.message, error.venue_code, error.symbol, error.retry_after_s


def method(running: Rig, name: str) -> Any:
    return getattr(running.exchange if hasattr(running.exchange, name) else running.gateway, name)


@pytest.mark.parametrize("name", READING)
async def test_each_error_of_a_call_comes_back_as_it_was(refusing: Rig, name: str) -> None:
    for kind in CLASSES:
        raised = refuse(refusing, kind)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await method(refusing, name)((REQUESTS | ALSO)[name], timeout=10)
        assert reason_of(caught.value) == kind.reason
        assert caught.value.code() is wire_errors.code_of(raised)
        assert facts(wire_errors.from_rpc_error(caught.value)) == facts(raised)


@pytest.mark.parametrize("kind", CLASSES)
async def test_cancel_all_ends_at_once_where_waiting_can_not_help_and_else_tries_again(
    kind: type[ExchangeError],
) -> None:
    """F39: a venue that can't be asked has not said that nothing is left.

    The connector's own limit ends the attempts: a deadline of the caller would leave the answer 0.25 s to arrive.
    """
    final = issubclass(kind, InvalidRequest | UnknownSymbol | Unsupported | AccessError)
    async with rig(Refusing(), resolve=absent, order_wait_s=60 if final else 0.3) as running:
        raised = refuse(running, kind)
        with pytest.raises(grpc.aio.AioRpcError, match="what happened: ä") as caught:
            await running.exchange.CancelAllOrders(REQUESTS["CancelAllOrders"])
        assert reason_of(caught.value) == (raised.reason if final else OutcomeUnknown.reason)
        forgive(running)


@pytest.mark.parametrize("name", STREAMS)
async def test_each_refusal_of_a_stream_comes_back_as_it_was(refusing: Rig, name: str) -> None:
    """What is no refusal of the request itself is tried again, and the reader waits."""
    for kind in REQUEST_ERRORS:
        raised = refuse(refusing, kind)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await method(refusing, name)(REQUESTS[name], timeout=10).read()
        assert reason_of(caught.value) == kind.reason
        assert facts(wire_errors.from_rpc_error(caught.value)) == facts(raised)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.reason)
async def test_an_order_ends_with_the_venues_error_or_once_it_is_proven_absent_as_unreachable(
    refusing: Rig, kind: type[ExchangeError]
) -> None:
    """F1: an error that leaves the outcome open is never told as one that settles it."""
    raised = refuse(refusing, kind)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await refusing.exchange.PlaceOrder(place("a"), timeout=10)
    told = wire_errors.from_rpc_error(caught.value)
    if isinstance(raised, NOTHING_HAPPENED):
        assert facts(told) == facts(raised)
    else:
        assert (type(told), "proven absent" in told.message) == (Unreachable, True)


async def test_an_order_that_the_stream_told_of_is_not_absent_though_queries_do_not_show_it() -> None:
    """F1: a venue whose queries lag behind further than allowed for must not have it sent again."""

    async def told_and_not_found(_exchange: Exchange, asked: OrderRequest, _sent_ns: int) -> None:
        own = running.connector.orders.own
        await eventually(lambda: own.last_streamed(asked.client_order_id), what="the stream's word")

    async with rig(resolve=told_and_not_found) as running:
        running.venue.fail_next(OutcomeUnknown("the reply was lost"), on="place_order", after=True)
        placed = (await running.exchange.PlaceOrder(place("a"), timeout=10)).order
        (only,) = await running.venue.get_open_orders()
        assert (placed.order_id, running.connector.orders.unresolved) == (only.order_id, 0)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.reason)
async def test_an_error_of_a_whole_batch_is_each_items_own(refusing: Rig, kind: type[ExchangeError]) -> None:
    """F2: a batch is answered item by item, and a failed one is never sent again item by item."""
    raised = refuse(refusing, kind)
    batch = pb.BatchPlaceOrdersRequest(orders=[order("a"), order("b")])
    results = (await refusing.exchange.BatchPlaceOrders(batch, timeout=10)).results
    for told in map(wire_errors.decode_order_result, results):
        assert isinstance(told, ExchangeError)
        assert type(told) is (kind if isinstance(raised, NOTHING_HAPPENED) else Unreachable)
