"""Our errors as gRPC statuses with google.rpc details, and back: one table each way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from opensqt.model.errors import (
    BY_REASON,
    AccessError,
    BackOff,
    ConnectorUnavailable,
    DuplicateOrder,
    ExchangeError,
    InvalidRequest,
    LeaseExpired,
    Maintenance,
    OrderNotFound,
    OrderRejected,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    RequestError,
    SettingRefused,
    StreamOverflow,
    TokenRefused,
    TradingClaimed,
    TradingHalted,
    Unreachable,
    Unsupported,
    VenueError,
)
from opensqt.model.order import Order
from opensqt.proto import types_pb2 as pb
from opensqt.telemetry.logging import redact
from opensqt.wire import codec

DOMAIN = "opensqt"
DETAILS_KEY = "grpc-status-details-bin"
INTERNAL_REASON = "INTERNAL"
_MESSAGE_LIMIT = 1000
"""Characters; the status travels in trailing metadata, which is held to 8 KB."""

Code = grpc.StatusCode

CODE_OF: dict[type[ExchangeError], grpc.StatusCode] = {
    ExchangeError: Code.UNKNOWN,
    RequestError: Code.INVALID_ARGUMENT,
    OrderRejected: Code.FAILED_PRECONDITION,
    OrderNotFound: Code.NOT_FOUND,
    DuplicateOrder: Code.ALREADY_EXISTS,
    LeaseExpired: Code.FAILED_PRECONDITION,
    TradingClaimed: Code.FAILED_PRECONDITION,
    TradingHalted: Code.FAILED_PRECONDITION,
    SettingRefused: Code.FAILED_PRECONDITION,
    Unsupported: Code.UNIMPLEMENTED,
    BackOff: Code.RESOURCE_EXHAUSTED,
    Maintenance: Code.UNAVAILABLE,
    AccessError: Code.UNAUTHENTICATED,
    PermissionDenied: Code.PERMISSION_DENIED,
    Unreachable: Code.UNAVAILABLE,
    OutcomeUnknown: Code.ABORTED,
    StreamOverflow: Code.RESOURCE_EXHAUSTED,
    ConnectorUnavailable: Code.UNAVAILABLE,
}
"""Ours to gRPC. A class that is not named takes its nearest parent's code."""

_OF_CODE: dict[grpc.StatusCode, type[ExchangeError]] = {
    Code.UNAVAILABLE: Unreachable,
    Code.DEADLINE_EXCEEDED: Unreachable,
    Code.CANCELLED: Unreachable,
    Code.UNAUTHENTICATED: TokenRefused,
    Code.PERMISSION_DENIED: PermissionDenied,
    Code.UNIMPLEMENTED: Unsupported,
    Code.INVALID_ARGUMENT: InvalidRequest,
    Code.RESOURCE_EXHAUSTED: RateLimited,
    Code.ABORTED: OutcomeUnknown,
}
"""gRPC to ours, for a status without our details: gRPC itself, a proxy, or a newer connector made it.

NOT_FOUND is left out on purpose: without our word for it, it does not prove that an order does not exist.
"""

_NEVER_HANDLED = frozenset({Code.UNAUTHENTICATED, Code.PERMISSION_DENIED, Code.UNIMPLEMENTED})
"""Codes that gRPC and proxies only give before the call reached its handler."""


def code_of(error: BaseException) -> grpc.StatusCode:
    """Return the gRPC status code of an error; INTERNAL for what is not ours."""
    return next((CODE_OF[kind] for kind in type(error).__mro__ if kind in CODE_OF), Code.INTERNAL)


def to_status(error: BaseException) -> status_pb2.Status:
    """Describe an error as google.rpc.Status: redacted message, ErrorInfo, and RetryInfo where a wait helps."""
    number = code_of(error).value[0]
    info = error_details_pb2.ErrorInfo(domain=DOMAIN, reason=INTERNAL_REASON)
    if not isinstance(error, ExchangeError):
        return status_pb2.Status(code=number, message="internal error; see the connector's log", details=[_pack(info)])
    facts = encode_error(error)
    info.reason = facts.reason
    info.metadata.update({name: text for name in ("venue_code", "symbol") if (text := getattr(facts, name))})
    status = status_pb2.Status(code=number, message=facts.message, details=[_pack(info)])
    if facts.HasField("retry_after"):
        status.details.append(_pack(error_details_pb2.RetryInfo(retry_delay=facts.retry_after)))
    return status


async def abort(context: grpc.aio.ServicerContext[Any, Any], error: BaseException) -> NoReturn:
    """End a call with *error*; trailing metadata set before stays."""
    status = to_status(error)
    trailing = (*(context.trailing_metadata() or ()), (DETAILS_KEY, status.SerializeToString()))
    try:
        await context.abort(code_of(error), status.message, trailing_metadata=trailing)
    finally:
        # The call keeps the exception that this raises, and the exception keeps this frame. A frame that named the call
        # would close a circle, and 50 objects would wait for the garbage collector.
        del context
    raise AssertionError("abort returned")


def from_rpc_error(error: grpc.aio.AioRpcError, *, placing: bool = False) -> ExchangeError:
    """Return our error for a failed call.

    Args:
        error: As grpc.aio raised it.
        placing: Whether the call may have placed or canceled an order: then a status that does not come from
            the connector's own hand means that the outcome is unknown.
    """
    status = _status_in(error.trailing_metadata() or ())
    if status is not None:
        ours = _from_details(status)
        if ours is not None:
            return ours
    code, details = error.code(), redact(error.details() or "")[:_MESSAGE_LIMIT]
    if placing and code not in _NEVER_HANDLED:
        return OutcomeUnknown(f"the connector's answer was lost ({code.name}: {details})")
    kind = _OF_CODE.get(code, VenueError)
    return kind(f"connector: {code.name}: {details}")


def is_connectors_own(error: grpc.aio.AioRpcError) -> bool:
    """Return whether the connector itself gave the status, and not gRPC or a proxy."""
    status = _status_in(error.trailing_metadata() or ())
    return status is not None and _from_details(status) is not None


def encode_error(error: ExchangeError) -> pb.Error:
    """Encode an error as an item of a batch's answer, its text redacted."""
    retry_after = None
    if error.retry_after_s is not None:
        retry_after = Duration()
        retry_after.FromNanoseconds(max(0, round(error.retry_after_s * 1_000_000_000)))
    return pb.Error(
        reason=error.reason,
        message=redact(error.message)[:_MESSAGE_LIMIT],
        venue_code=redact(error.venue_code)[:100],
        symbol=redact(error.symbol)[:100],
        retry_after=retry_after,
    )


def decode_error(message: pb.Error) -> ExchangeError:
    """Decode the error of one item; a reason that this version does not know becomes a VenueError."""
    kind = BY_REASON.get(message.reason, VenueError)
    return kind(
        message.message if message.reason in BY_REASON else f"{message.reason}: {message.message}",
        venue_code=message.venue_code,
        symbol=message.symbol,
        retry_after_s=_seconds(message.retry_after) if message.HasField("retry_after") else None,
    )


def encode_order_result(result: Order | BaseException) -> pb.OrderResult:
    """Encode one item of a batch's answer; what is not ours becomes a neutral error."""
    if isinstance(result, Order):
        return pb.OrderResult(order=codec.encode_order(result))
    if isinstance(result, ExchangeError):
        return pb.OrderResult(error=encode_error(result))
    neutral = to_status(result).message
    return pb.OrderResult(error=pb.Error(reason=INTERNAL_REASON, message=neutral))


def decode_order_result(message: pb.OrderResult) -> Order | ExchangeError:
    """Decode one item of a batch's answer; one that can't be read is an order whose outcome is unknown."""
    kind = message.WhichOneof("result")
    if kind == "error":
        if message.error.reason == INTERNAL_REASON:
            return OutcomeUnknown(f"connector: {message.error.message}")
        return decode_error(message.error)
    if kind is None:
        return OutcomeUnknown("the connector's answer for this order is empty")
    try:
        return codec.decode_order(message.order)
    except codec.MalformedMessage as error:
        return OutcomeUnknown(f"the connector's answer can't be read: {error}", symbol=message.order.symbol)


def _pack(message: Any) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed


def _status_in(metadata: Iterable[tuple[str, str | bytes]]) -> status_pb2.Status | None:
    for key, value in metadata:
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                # Not ours: only the code is left to go by.
                return None
    return None


def _error_info(status: status_pb2.Status) -> error_details_pb2.ErrorInfo | None:
    info = error_details_pb2.ErrorInfo()
    if any(detail.Unpack(info) for detail in status.details) and info.domain == DOMAIN:
        return info
    return None


def _from_details(status: status_pb2.Status) -> ExchangeError | None:
    info = _error_info(status)
    if info is None or info.reason not in BY_REASON:
        return None
    retry = error_details_pb2.RetryInfo()
    waits = any(detail.Unpack(retry) for detail in status.details)
    return BY_REASON[info.reason](
        status.message,
        venue_code=info.metadata.get("venue_code", ""),
        symbol=info.metadata.get("symbol", ""),
        retry_after_s=_seconds(retry.retry_delay) if waits else None,
    )


def _seconds(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1_000_000_000
