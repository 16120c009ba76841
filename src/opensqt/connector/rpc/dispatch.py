"""One call from arrival to answer: the client and its permission, errors as statuses, log, audit, metrics."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import unquote

import grpc
import structlog
from google.protobuf.message import DecodeError, Message

from opensqt.connector.auth.audit import Audit, describe, reason_of
from opensqt.connector.auth.clients import Client, Credential, Role
from opensqt.connector.auth.roles import REQUIRED, Access, permit, plain_name
from opensqt.connector.connections import address_of
from opensqt.connector.health import STOPPING
from opensqt.connector.metrics.registry import ConnectorMetrics
from opensqt.connector.orders.outcomes import outcomes
from opensqt.connector.rpc.pacing import Pacer, TradingActivity
from opensqt.model.client_context import on_behalf_of
from opensqt.model.errors import ExchangeError, InvalidRequest, RateLimited, TokenRefused, Unreachable
from opensqt.telemetry import logging
from opensqt.wire import errors as wire_errors
from opensqt.wire import options

Context = grpc.aio.ServicerContext[Any, Any]
Handler = Callable[[Any, Context], Awaitable[Any]]

AUDITED = frozenset(method for method, role in REQUIRED.items() if role is Role.TRADE) - {"Heartbeat"}
"""Methods that change the account. A heartbeat does not, and comes every few seconds."""

_FREEING = frozenset(
    {"CancelOrder", "BatchCancelOrders", "CancelAllOrders", "Heartbeat", "HaltTrading", "ResumeTrading"}
)
"""Methods that must not wait until others of the same client are answered: what they do makes it safer."""

_log = logging.get_logger("connector.calls")
_PLAIN_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_BUSY_RETRY_S = 0.1
_READ_EVERY_S = 0.002
_REFUSAL_EVERY_S = 0.02
"""Seconds between two calls that don't trade, and between two that are turned away, while somebody trades."""


class Calls:
    """Wraps the handlers of every method, and knows how many unary calls are being answered.

    Args:
        metrics: Counts each call.
        access: Who may what.
        audit: Records each trading call and each refusal.
        max_calls: Unary calls that one client may have in flight; cancels and heartbeats have as many of their own.
        max_streams: Streams that one client may have open.
    """

    def __init__(
        self,
        metrics: ConnectorMetrics,
        access: Access | None = None,
        audit: Audit | None = None,
        *,
        max_calls: int = 256,
        max_streams: int = 1000,
    ) -> None:
        self._metrics = metrics
        self._access = access or Access()
        self._calls = _ClientQuota("calls in flight", max_calls)
        self._freeing = _ClientQuota("cancels and heartbeats in flight", max_calls)
        self._open = _ClientQuota("streams open", max_streams)
        self._audit = audit or Audit()
        self._streams: set[OpenStream] = set()
        self._trading = TradingActivity()
        self._reads = Pacer(self._trading, _READ_EVERY_S)
        self._refusals = Pacer(self._trading, _REFUSAL_EVERY_S)
        self._stopping = False
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def in_flight(self) -> int:
        """Unary calls that were not answered yet."""
        return self._in_flight

    def refuse(self) -> None:
        """Refuse every new call with UNAVAILABLE from now on."""
        self._stopping = True

    def end_streams(self, error: ExchangeError) -> None:
        """End every open stream with *error*."""
        for stream in tuple(self._streams):
            stream.end(error)

    async def idle(self, *, timeout_s: float) -> bool:
        """Wait until no unary call is in flight; return whether that came in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def recheck(self) -> None:
        """End the open streams of clients that would be refused by now."""
        for stream in tuple(self._streams):
            try:
                client = self._access.identify(stream.shown, stream.said)
                if client.name != stream.client:
                    raise TokenRefused(f"this credential is not client {stream.client}'s any more")
            except TokenRefused as error:
                self._audit.refused(stream.method, stream.peer, error, client=stream.client)
                stream.end(error)

    def unary(self, method: str, handler: Handler) -> Handler:
        """Wrap the handler of a unary method."""
        share = self._freeing if method in _FREEING else self._calls
        trades = REQUIRED.get(method) is Role.TRADE

        async def answer(request: Any, context: Context) -> Any:
            started = time.perf_counter()
            correlation_id, said, authorization = _arrive(context)
            context.set_trailing_metadata(((options.CORRELATION_ID, correlation_id),))
            self._in_flight += 1
            self._idle.clear()
            client: Client | None = None
            response, failure, code = None, None, grpc.StatusCode.OK
            try:
                client, _ = self._admit(method, context, said, authorization)
                structlog.contextvars.bind_contextvars(correlation_id=correlation_id, client=client.name)
                with share.of(client.name), on_behalf_of(client.name):
                    self._check_serving()
                    if trades:
                        with self._trading.call():
                            response = await handler(sound(request), context)
                    else:
                        await self._reads.acquire(client.name)
                        response = await handler(sound(request), context)
                    return response
            except asyncio.CancelledError:
                code = grpc.StatusCode.CANCELLED
                raise
            except Exception as error:  # noqa: BLE001 - the edge of the process: each failure becomes a status
                failure, code = error, wire_errors.code_of(error)
                await self._fail(method, context, error, known=client is not None)
            finally:
                self._in_flight -= 1
                if not self._in_flight:
                    self._idle.set()
                # The answer goes out first: nobody waits for the record of the call.
                asyncio.get_running_loop().call_soon(
                    self._record_call,
                    _Ended(method, _peer(context), code.name, time.perf_counter() - started, request),
                    client is not None,
                    response,
                    failure,
                )
                # gRPC keeps the exception of a refused call, and with it this frame: what it names lives as long.
                request = response = failure = None
                del context

        return answer

    def stream(self, method: str, handler: Handler) -> Handler:
        """Wrap the handler of a streaming method."""

        async def answer(request: Any, context: Context) -> None:
            correlation_id, said, authorization = _arrive(context)
            client: Client | None = None
            code = grpc.StatusCode.OK
            try:
                client, shown = self._admit(method, context, said, authorization)
                structlog.contextvars.bind_contextvars(correlation_id=correlation_id, client=client.name)
                stream = OpenStream(method, client.name, shown, said, _peer(context))
                _log.debug("stream opened", method=method, peer=stream.peer)
                with self._open.of(client.name), on_behalf_of(client.name), stream.among(self._streams):
                    self._check_serving()
                    # At once, so that a client knows that it is connected though the market may be silent.
                    await context.send_initial_metadata(((options.CORRELATION_ID, correlation_id),))
                    await handler(sound(request), context)
            except asyncio.CancelledError:
                code = grpc.StatusCode.CANCELLED
                raise
            except grpc.aio.InternalError:
                # A write that waited for a slow client, and the client has gone: nobody is left to be answered.
                code = grpc.StatusCode.CANCELLED
            except Exception as error:  # noqa: BLE001 - the edge of the process: each failure becomes a status
                code = wire_errors.code_of(error)
                self._metrics.count_error(reason_of(error))
                await self._fail(method, context, error, known=client is not None)
            finally:
                self._metrics.count_request(method, code.name)
                if client is not None:
                    _log.debug("stream closed", method=method, peer=_peer(context), code=code.name)
                del context, request  # as in a unary call

        return answer

    def _admit(self, method: str, context: Context, said: str, authorization: str | None) -> tuple[Client, Credential]:
        """Identify the client and check its permission; a refusal is logged here, and nowhere else."""
        client: Client | None = None
        try:
            shown = self._access.credential(context, authorization)
            client = self._access.identify(shown, said)
            permit(client, method)
        except ExchangeError as error:
            self._audit.refused(method, _peer(context), error, client=client.name if client else "")
            raise
        return client, shown

    async def _fail(self, method: str, context: Context, error: Exception, *, known: bool) -> NoReturn:
        """End a call with *error*. One of a client that is not let in is held back while somebody trades."""
        try:
            if known:
                _log_failure(method, error)
            else:
                await self._refusals.acquire(address_of(context.peer()))
            error.__traceback__ = None  # it was logged, and its frames hold the request
            await wire_errors.abort(context, error)
        finally:
            del context

    def _record_call(self, ended: _Ended, known: bool, response: Any, failure: Exception | None) -> None:
        """Count a unary call and log it, unless the client was refused: that was logged before."""
        reason = reason_of(failure)
        self._metrics.count_request(ended.method, ended.code, ended.seconds)
        if reason:
            self._metrics.count_error(reason)
        fields = {"method": ended.method, "peer": ended.peer, "code": ended.code, "ms": round(ended.seconds * 1000, 2)}
        if known and ended.method in AUDITED:
            self._metrics.count_orders(*outcomes(ended.request, response, reason))
            self._audit.call(fields | {"reason": reason} | describe(ended.request, response))
        elif known:
            _log.debug("call", **fields)

    def _check_serving(self) -> None:
        if self._stopping:
            raise Unreachable(STOPPING)


@dataclass(slots=True)
class _Ended:
    """A unary call that was answered."""

    method: str
    peer: str
    code: str
    seconds: float
    request: Any


class _ClientQuota:
    """How much of something each client has at once."""

    def __init__(self, what: str, limit: int) -> None:
        self._what = what
        self._limit = limit
        self._had: dict[str, int] = {}

    def of(self, client: str) -> _InUse:
        """Have one more while the block runs."""
        return _InUse(self, client)

    def take(self, client: str) -> None:
        """Have one more.

        Raises:
            RateLimited: The client has as many as it may have.
        """
        had = self._had.get(client, 0)
        if had >= self._limit:
            raise RateLimited(f"client {client}: {had} {self._what}; no more at once", retry_after_s=_BUSY_RETRY_S)
        self._had[client] = had + 1

    def give_back(self, client: str) -> None:
        """Have one less."""
        self._had[client] -= 1
        if not self._had[client]:
            del self._had[client]


class _InUse:
    """One of what a client may have, while a block runs. A generator would cost more than all that it does."""

    __slots__ = ("_client", "_quota")

    def __init__(self, quota: _ClientQuota, client: str) -> None:
        self._quota = quota
        self._client = client

    def __enter__(self) -> None:
        self._quota.take(self._client)

    def __exit__(self, *_error: object) -> None:
        self._quota.give_back(self._client)


class OpenStream:
    """An open stream, which can be ended from outside."""

    def __init__(self, method: str, client: str, shown: Credential, said: str, peer: str) -> None:
        self.method = method
        self.client = client
        self.shown = shown
        self.said = said
        self.peer = peer
        self._task: asyncio.Task[Any] | None = asyncio.current_task()
        self._ended_by: ExchangeError | None = None

    def end(self, error: ExchangeError) -> None:
        """Raise *error* in the block that `among` is around."""
        if self._ended_by is None and self._task is not None:
            self._ended_by = error
            self._task.cancel()

    @contextmanager
    def among(self, streams: set[OpenStream]) -> Iterator[None]:
        """Be one of *streams* while the block runs."""
        streams.add(self)
        try:
            yield
        except asyncio.CancelledError:
            # As asyncio.timeout does: what we caused is taken back, what the client or the server caused goes on.
            if self._ended_by is None or self._task is None or self._task.uncancel() > 0:
                raise
            raise self._ended_by from None
        finally:
            streams.discard(self)


def reader(message: type[Message]) -> Callable[[bytes], Message | InvalidRequest]:
    """Make the deserializer of a method's requests.

    It returns an error instead of raising one: gRPC would answer UNKNOWN and the exception's text. The wrapped handler
    raises it, so that it is answered, logged and counted like any other bad request.
    """

    def read(data: bytes) -> Message | InvalidRequest:
        try:
            return message.FromString(data)
        except DecodeError:
            return InvalidRequest(f"request: {len(data)} bytes that are no {message.DESCRIPTOR.name}")

    return read


def sound(request: Any) -> Any:
    """Return a request that `reader` could read, else raise why not; the requests of a stream pass as they are."""
    if isinstance(request, InvalidRequest):
        raise request
    return request


def _arrive(context: Context) -> tuple[str, str, str | None]:
    """Read off a call: the caller's correlation id or a new one, the name it gives itself, its authorization."""
    correlation_id = said = ""
    authorization: str | None = None
    for key, value in context.invocation_metadata() or ():
        if key == options.CORRELATION_ID:
            if isinstance(value, str) and _PLAIN_ID.fullmatch(value):
                correlation_id = value
        elif key == options.CLIENT_NAME:
            said = plain_name(value) if isinstance(value, str) else ""
        elif key == options.AUTHORIZATION:
            # Two of them leave open who it is, so neither counts.
            authorization = value if authorization is None and isinstance(value, str) else ""
    return correlation_id or f"{random.getrandbits(64):016x}", said, authorization


def _peer(context: Context) -> str:
    """Return the client's address as people write it; gRPC escapes the brackets of IPv6."""
    return unquote(context.peer())


def _log_failure(method: str, error: Exception) -> None:
    if isinstance(error, ExchangeError):
        _log.info("call failed", method=method, reason=error.reason, error=str(error), venue_code=error.venue_code)
    else:
        _log.error("call failed unexpectedly", method=method, exc_info=error)
