"""What a hostile or broken client may send: bytes, messages full of nonsense, and every method to send them to."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import grpc
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2
from hypothesis import strategies as st

from opensqt.proto import exchange_service_pb2, gateway_service_pb2
from tests.support.wait import WITHIN_S

SERVICES = (
    exchange_service_pb2.DESCRIPTOR.services_by_name["ExchangeService"],
    gateway_service_pb2.DESCRIPTOR.services_by_name["GatewayService"],
)
METHODS: dict[str, MethodDescriptor] = {method.name: method for service in SERVICES for method in service.methods}
"""Every method of ours by its name."""

TEXTS = (
    "", " ", "BTCUSDT", "ETHUSDT", "NONEUSDT", "btcusdt", "BTCUSDT\n", "BTCUSDT\x00", "a\r\nevent=forged level=info",
    "0", "-0", "1", "0.001", "100.1", "-1", "NaN", "-Infinity", "sNaN123", "1e400", "1E-400", "1_000", "\u0661\u0662",
    "+1", ".5", "5.", "0x10", "9" * 31, "9" * 5000, "1m", "7m", "\u202e", "\U0001f4a3" * 200, "%s%n", "{0.__class__}",
    "../../etc/passwd", "' OR 1=1 --", "a", "A" * 32, "a" * 33, "-", "\x1b[2J",
)  # fmt: skip
"""Hostile where a number, a symbol or an id is wanted; a few good ones too, to get past the first check."""
_NUMBERS = (0, 1, -1, 7, 99, 2**31 - 1, -(2**31))
_BIG = (2**63 - 1, -(2**63), 2**53 + 1)

ANSWERS = frozenset(
    grpc.StatusCode[name]
    for name in (
        "OK", "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION", "UNIMPLEMENTED", "ABORTED",
        "UNAVAILABLE", "RESOURCE_EXHAUSTED",
    )
)  # fmt: skip
"""What may be answered; UNKNOWN and INTERNAL would be a bug of ours that a client can reach."""


def messages(descriptor: Descriptor, *, depth: int = 0) -> st.SearchStrategy[Message]:
    """Messages of a type whose fields are absent, sound or hostile."""
    fields = {field.name: _field(field, depth) for field in descriptor.fields}
    made = GetMessageClass(descriptor)
    return st.fixed_dictionaries({}, optional=fields).map(lambda given: made(**given))


def _field(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    one = _value(field, depth)
    return st.lists(one, max_size=4) if field.is_repeated else one


def _value(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING:
            return st.sampled_from(TEXTS) | st.text(max_size=40)
        case FieldDescriptor.CPPTYPE_MESSAGE:
            return messages(field.message_type, depth=depth + 1)
        case FieldDescriptor.CPPTYPE_BOOL:
            return st.booleans()
        case FieldDescriptor.CPPTYPE_INT64:
            return st.sampled_from(_NUMBERS + _BIG)
        case FieldDescriptor.CPPTYPE_UINT64:
            return st.sampled_from((0, 1, 2**64 - 1))
        case _:
            return st.sampled_from(_NUMBERS)


def send(
    channel: grpc.Channel,
    method: str,
    request: bytes,
    *,
    timeout: float = 10,
    metadata: Mapping[str, str | bytes] | None = None,
) -> tuple[grpc.StatusCode, str, str]:
    """Call a method with raw bytes; of a stream read the first response.

    Returns:
        Code, text, and the reason in ErrorInfo; both empty when it is OK.
    """
    described = METHODS[method]
    path = f"/{described.containing_service.full_name}/{method}"
    given = tuple((metadata or {}).items())
    try:
        if described.server_streaming:
            stream = channel.unary_stream(path)(request, timeout=timeout, metadata=given)
            next(stream)
            stream.cancel()
        else:
            channel.unary_unary(path)(request, timeout=timeout, metadata=given)
    except grpc.RpcError as failed:
        return told(failed)
    return grpc.StatusCode.OK, "", ""


def told(failed: Any) -> tuple[grpc.StatusCode, str, str]:
    """What a failed call tells: code, text, and the reason in ErrorInfo."""
    return failed.code(), failed.details() or "", reason_of(failed)


def reason_of(error: grpc.Call) -> str:
    """The stable reason that a failed call carries in google.rpc.ErrorInfo; empty without one."""
    packed = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    info = error_details_pb2.ErrorInfo()
    ours = any(detail.Unpack(info) for detail in status_pb2.Status.FromString(packed).details)
    return info.reason if ours and info.domain == "opensqt" else ""


def eventually(condition: Any, *, within_s: float = WITHIN_S, what: str = "condition") -> None:
    """Wait, without an event loop, until *condition* is true."""
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} not met within {within_s} s; last value: {value!r}"
        time.sleep(0.02)
