"""Our errors through a real gRPC server and back, and what a status means that is not ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from opensqt.model.errors import (
    BY_REASON,
    BackOff,
    Banned,
    ConnectorUnavailable,
    CredentialsRefused,
    DuplicateOrder,
    ExchangeError,
    InsufficientMargin,
    InvalidRequest,
    LeaseExpired,
    Maintenance,
    OrderDenied,
    OrderNotFound,
    OrderRejected,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    StreamOverflow,
    TokenRefused,
    UnknownSymbol,
    Unreachable,
    Unsupported,
    VenueError,
)
from opensqt.model.order import Order
from opensqt.proto import exchange_service_pb2 as service_pb
from opensqt.proto import exchange_service_pb2_grpc as service_grpc
from opensqt.proto import types_pb2 as pb
from opensqt.telemetry import logging
from opensqt.wire import errors as wire_errors
from tests.support.grpc_server import serving

Code = grpc.StatusCode


class Failing(service_grpc.ExchangeServiceServicer):
    """Fails every GetAccount with what the test put here."""

    def __init__(self) -> None:
        self.error: BaseException = Unreachable("unset")
        self.bare: tuple[Code, str] | None = None

    async def GetAccount(self, _request: Any, context: Any) -> None:  # noqa: N802 - gRPC's name
        if self.bare is not None:
            await context.abort(*self.bare)
        context.set_trailing_metadata((("x-correlation-id", "c1"),))
        await wire_errors.abort(context, self.error)


@pytest.fixture
async def failing() -> AsyncIterator[tuple[Failing, Any]]:
    servicer = Failing()
    async with (
        serving(lambda server: service_grpc.add_ExchangeServiceServicer_to_server(servicer, server)) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield servicer, service_grpc.ExchangeServiceStub(channel)


async def failure(stub: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetAccount(service_pb.GetAccountRequest(), timeout=5)
    return caught.value


def facts(error: ExchangeError) -> tuple[Any, ...]:
    return type(error), error.message, error.venue_code, error.symbol, error.retry_after_s


@pytest.mark.parametrize("kind", sorted(BY_REASON.values(), key=lambda kind: kind.reason), ids=lambda kind: kind.reason)
async def test_each_error_comes_back_through_a_real_server_as_it_was(
    kind: type[ExchangeError], failing: tuple[Failing, Any]
) -> None:
    servicer, stub = failing
    servicer.error = kind("what happened: ä", venue_code="-2019", symbol="BTCUSDT", retry_after_s=1.25)
    told = await failure(stub)
    assert facts(wire_errors.from_rpc_error(told)) == facts(servicer.error)
    assert told.code() is wire_errors.code_of(servicer.error)


async def test_what_is_absent_stays_absent(failing: tuple[Failing, Any]) -> None:
    servicer, stub = failing
    servicer.error = RateLimited("slow down")
    error = wire_errors.from_rpc_error(await failure(stub))
    assert facts(error) == (RateLimited, "slow down", "", "", None)


async def test_trailing_metadata_set_before_survives_the_abort(failing: tuple[Failing, Any]) -> None:
    _, stub = failing
    assert dict((await failure(stub)).trailing_metadata())["x-correlation-id"] == "c1"


async def test_no_secret_leaves_with_an_error(failing: tuple[Failing, Any]) -> None:
    """F33: no secret shows in a log, an error or a page."""
    servicer, stub = failing
    logging.register_secrets("canary-secret-77")
    servicer.error = VenueError("GET /x?signature=0123456789abcdef key canary-secret-77", venue_code="canary-secret-77")
    told = await failure(stub)
    everything = f"{told!r} {told.trailing_metadata()} {wire_errors.from_rpc_error(told)}"
    assert "canary" not in everything
    assert "0123456789abcdef" not in everything


async def test_an_error_that_is_not_ours_is_internal_and_tells_nothing(failing: tuple[Failing, Any]) -> None:
    servicer, stub = failing
    servicer.error = RuntimeError("/home/somebody/secret.py line 7")
    told = await failure(stub)
    assert told.code() is Code.INTERNAL
    assert "somebody" not in f"{told!r}{told.trailing_metadata()}"
    assert isinstance(wire_errors.from_rpc_error(told), VenueError)
    assert isinstance(wire_errors.from_rpc_error(told, placing=True), OutcomeUnknown)


async def test_a_message_without_end_still_fits_the_metadata(failing: tuple[Failing, Any]) -> None:
    servicer, stub = failing
    servicer.error = OrderRejected("x" * 100_000, venue_code="y" * 100_000)
    error = wire_errors.from_rpc_error(await failure(stub))
    assert type(error) is OrderRejected
    assert len(error.message) == 1000


@pytest.mark.parametrize(
    ("code", "reading", "placing"),
    [
        (Code.UNAVAILABLE, Unreachable, OutcomeUnknown),
        (Code.DEADLINE_EXCEEDED, Unreachable, OutcomeUnknown),
        (Code.CANCELLED, Unreachable, OutcomeUnknown),
        (Code.UNAUTHENTICATED, TokenRefused, TokenRefused),
        (Code.PERMISSION_DENIED, PermissionDenied, PermissionDenied),
        (Code.UNIMPLEMENTED, Unsupported, Unsupported),
        (Code.INVALID_ARGUMENT, InvalidRequest, OutcomeUnknown),
        (Code.RESOURCE_EXHAUSTED, RateLimited, OutcomeUnknown),
        (Code.ABORTED, OutcomeUnknown, OutcomeUnknown),
        (Code.UNKNOWN, VenueError, OutcomeUnknown),
        (Code.DATA_LOSS, VenueError, OutcomeUnknown),
    ],
)
async def test_a_status_that_is_not_from_the_connectors_hand(
    code: Code, reading: type[ExchangeError], placing: type[ExchangeError], failing: tuple[Failing, Any]
) -> None:
    servicer, stub = failing
    servicer.bare = (code, "from a proxy")
    told = await failure(stub)
    assert type(wire_errors.from_rpc_error(told)) is reading
    assert type(wire_errors.from_rpc_error(told, placing=True)) is placing


async def test_a_bare_not_found_does_not_prove_that_an_order_does_not_exist(failing: tuple[Failing, Any]) -> None:
    """F3: a query that fails, or could not be made, is no proof of absence."""
    servicer, stub = failing
    servicer.bare = (Code.NOT_FOUND, "no such route")
    assert not isinstance(wire_errors.from_rpc_error(await failure(stub)), OrderNotFound)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (InvalidRequest, Code.INVALID_ARGUMENT),
        (UnknownSymbol, Code.INVALID_ARGUMENT),
        (OrderDenied, Code.INVALID_ARGUMENT),
        (OrderNotFound, Code.NOT_FOUND),
        (DuplicateOrder, Code.ALREADY_EXISTS),
        (OrderRejected, Code.FAILED_PRECONDITION),
        (InsufficientMargin, Code.FAILED_PRECONDITION),
        (RateLimited, Code.RESOURCE_EXHAUSTED),
        (Banned, Code.RESOURCE_EXHAUSTED),
        (BackOff, Code.RESOURCE_EXHAUSTED),
        (CredentialsRefused, Code.UNAUTHENTICATED),
        (TokenRefused, Code.UNAUTHENTICATED),
        (LeaseExpired, Code.FAILED_PRECONDITION),
        (PermissionDenied, Code.PERMISSION_DENIED),
        (Unreachable, Code.UNAVAILABLE),
        (Maintenance, Code.UNAVAILABLE),
        (ConnectorUnavailable, Code.UNAVAILABLE),
        (OutcomeUnknown, Code.ABORTED),
        (StreamOverflow, Code.RESOURCE_EXHAUSTED),
        (Unsupported, Code.UNIMPLEMENTED),
    ],
)
def test_the_status_codes_are_those_that_were_promised(kind: type[ExchangeError], code: Code) -> None:
    assert wire_errors.code_of(kind("x")) is code


def test_the_reason_of_an_unproven_order_is_the_promised_one() -> None:
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in wire_errors.to_status(OutcomeUnknown("x")).details)
    assert (info.domain, info.reason) == ("opensqt", "ORDER_OUTCOME_UNKNOWN")


@pytest.mark.parametrize("kind", sorted(BY_REASON.values(), key=lambda kind: kind.reason), ids=lambda kind: kind.reason)
def test_each_error_comes_back_from_a_batch_item_as_it_was(kind: type[ExchangeError]) -> None:
    error = kind("why", venue_code="-1", symbol="BTCUSDT", retry_after_s=0.5)
    wire = wire_errors.encode_order_result(error).SerializeToString()
    result = wire_errors.decode_order_result(pb.OrderResult.FromString(wire))
    assert not isinstance(result, Order)
    assert facts(result) == facts(error)


@pytest.mark.parametrize(
    "item",
    [
        pb.OrderResult(),
        pb.OrderResult(order=pb.Order(symbol="BTCUSDT", quantity="x")),
        wire_errors.encode_order_result(RuntimeError("boom")),
    ],
    ids=["empty", "malformed", "internal"],
)
def test_a_batch_item_that_cannot_be_read_leaves_its_outcome_unknown(item: pb.OrderResult) -> None:
    assert isinstance(wire_errors.decode_order_result(item), OutcomeUnknown)


def test_an_error_of_a_newer_connector_keeps_its_reason_in_words() -> None:
    result = wire_errors.decode_order_result(pb.OrderResult(error=pb.Error(reason="MOON_PHASE", message="full")))
    assert type(result) is VenueError
    assert "MOON_PHASE" in str(result)


def test_details_that_are_torn_are_left_alone() -> None:
    metadata = grpc.aio.Metadata((wire_errors.DETAILS_KEY, b"\xff\xff torn"))
    error = grpc.aio.AioRpcError(Code.UNAVAILABLE, grpc.aio.Metadata(), metadata, details="gone")
    assert isinstance(wire_errors.from_rpc_error(error), Unreachable)


def test_details_of_another_domain_are_not_taken_for_ours() -> None:
    info = error_details_pb2.ErrorInfo(domain="elsewhere", reason="ORDER_NOT_FOUND")
    other = status_pb2.Status(code=5)
    other.details.add().Pack(info)
    metadata = grpc.aio.Metadata((wire_errors.DETAILS_KEY, other.SerializeToString()))
    error = grpc.aio.AioRpcError(Code.NOT_FOUND, grpc.aio.Metadata(), metadata, details="?")
    assert not isinstance(wire_errors.from_rpc_error(error), OrderNotFound)
