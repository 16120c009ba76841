"""One call from arrival to answer: correlation id, refusal while stopping, errors as statuses, log, metrics."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import structlog
from google.protobuf.message import DecodeError, Message

from opensqt.connector.metrics import Metrics
from opensqt.exchange import status, wire
from opensqt.exchange.caller import on_behalf_of
from opensqt.model.errors import ExchangeError, InvalidRequest, Unreachable
from opensqt.telemetry import logging

Context = grpc.aio.ServicerContext[Any, Any]
Handler = Callable[[Any, Context], Awaitable[Any]]

STOPPING = "the connector is stopping"
_log = logging.get_logger("connector.calls")
ANYBODY = "local"
"""A client that nothing names."""
_PLAIN_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)


class Calls:
    """Wraps the handlers of every method, and knows how many unary calls are being answered."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._stopping = False
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def in_flight(self) -> int:
        """Unary calls that were not answered yet."""
        return self._in_flight

    def refuse(self) -> None:
        """Answer every new call with UNAVAILABLE from now on."""
        self._stopping = True

    async def idle(self, *, timeout_s: float) -> bool:
        """Wait until no unary call is in flight; answer whether that came in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def unary(self, method: str, handler: Handler, *, audited: bool) -> Handler:
        """Wrap the handler of a unary method; an *audited* one is logged at INFO, others at DEBUG."""

        async def answer(request: Any, context: Context) -> Any:
            started = time.perf_counter()
            correlation_id, client = _correlate(context)
            context.set_trailing_metadata(((wire.CORRELATION_ID, correlation_id),))
            self._in_flight += 1
            self._idle.clear()
            code = grpc.StatusCode.OK
            try:
                if self._stopping:
                    raise Unreachable(STOPPING)
                with on_behalf_of(client):
                    return await handler(_sound(request), context)
            except asyncio.CancelledError:
                code = grpc.StatusCode.CANCELLED
                raise
            except Exception as error:  # noqa: BLE001 - the edge of the process: each failure becomes a status
                code = status.code_of(error)
                _log_failure(method, error)
                await status.abort(context, error)
            finally:
                self._in_flight -= 1
                if not self._in_flight:
                    self._idle.set()
                seconds = time.perf_counter() - started
                self._metrics.count_request(method, code.name, seconds)
                (_log.info if audited else _log.debug)(
                    "call", method=method, peer=context.peer(), code=code.name, ms=round(seconds * 1000, 2)
                )

        return answer

    def stream(self, method: str, handler: Handler) -> Handler:
        """Wrap the handler of a streaming method."""

        async def answer(request: Any, context: Context) -> None:
            correlation_id, client = _correlate(context)
            code = grpc.StatusCode.OK
            _log.debug("stream opened", method=method, peer=context.peer())
            try:
                if self._stopping:
                    raise Unreachable(STOPPING)
                # At once, so that a client knows that it is connected though the market may be silent.
                await context.send_initial_metadata(((wire.CORRELATION_ID, correlation_id),))
                with on_behalf_of(client):
                    await handler(_sound(request), context)
            except asyncio.CancelledError:
                code = grpc.StatusCode.CANCELLED
                raise
            except Exception as error:  # noqa: BLE001 - the edge of the process: each failure becomes a status
                code = status.code_of(error)
                _log_failure(method, error)
                await status.abort(context, error)
            finally:
                self._metrics.count_request(method, code.name)
                _log.debug("stream closed", method=method, peer=context.peer(), code=code.name)

        return answer


def reader(message: type[Message]) -> Callable[[bytes], Message | InvalidRequest]:
    """Make the deserializer of a method's requests.

    It answers an error instead of raising one: gRPC would tell the caller UNKNOWN and the exception's text. The
    wrapped handler raises it, so that it is told, logged and counted like any other bad request.
    """

    def read(data: bytes) -> Message | InvalidRequest:
        try:
            return message.FromString(data)
        except DecodeError:
            return InvalidRequest(f"request: {len(data)} bytes that are no {message.DESCRIPTOR.name}")

    return read


def _sound(request: Message | InvalidRequest) -> Message:
    if isinstance(request, InvalidRequest):
        raise request
    return request


def _correlate(context: Context) -> tuple[str, str]:
    """Answer the caller's correlation id, or a new one, and its name, and put both on every log line of this call."""
    correlation_id, client = "", ANYBODY
    for key, value in context.invocation_metadata() or ():
        if key in (wire.CORRELATION_ID, wire.CLIENT_NAME) and isinstance(value, str) and _PLAIN_ID.fullmatch(value):
            if key == wire.CORRELATION_ID:
                correlation_id = value
            else:
                client = value
    correlation_id = correlation_id or secrets.token_hex(8)
    structlog.contextvars.bind_contextvars(correlation_id=correlation_id, client=client)
    return correlation_id, client


def _log_failure(method: str, error: Exception) -> None:
    if isinstance(error, ExchangeError):
        _log.info("call failed", method=method, reason=error.reason, error=str(error), venue_code=error.venue_code)
    else:
        _log.error("call failed unexpectedly", method=method, exc_info=error)
