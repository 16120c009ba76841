"""The connection to a connector: ten attempts to open it, deadlines for calls, retries only where they are safe."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from opensqt.client.backoff import NotReady, Reconnect, RetryPolicy
from opensqt.client.tracing import traced
from opensqt.config.remote import RemoteSettings, read_certificates
from opensqt.model.errors import (
    AccessError,
    ConnectorUnavailable,
    ExchangeError,
    OutcomeUnknown,
    RequestError,
    Unreachable,
    Unsupported,
)
from opensqt.proto import exchange_service_pb2_grpc, gateway_service_pb2, gateway_service_pb2_grpc
from opensqt.service.backoff import Backoff
from opensqt.telemetry import tracing
from opensqt.telemetry.logging import get_logger, register_secrets
from opensqt.wire import errors as wire_errors
from opensqt.wire import gateway_codec, options

_CALL_BACKOFF_S = 0.05, 1.0

_OPTIONS: tuple[options.Option, ...] = (
    *options.CHANNEL_OPTIONS,
    # The retry policy is applied here, with attempts that are counted and logged, so the channel itself retries soon.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # By default all channels of a process to one address share a connection and its back-off: an attempt would end with
    # the failure of the one before it, and try nothing.
    ("grpc.use_local_subchannel_pool", 1),
)
_LAST_ERROR = re.compile("last error: [A-Z_]+: ")
_READY = grpc.ChannelConnectivity.READY

log = get_logger("remote")


class ConnectorChannel:
    """The way to one connector: a connection for calls, and one for streams, so that no call waits behind a stream.

    Args:
        settings: Address of the connector, identity of the client, retry policy.

    Raises:
        ConfigError: A certificate file can't be read.
    """

    def __init__(self, settings: RemoteSettings) -> None:
        self.address = settings.base_url
        self.retry_policy = RetryPolicy(settings.attempts, settings.retry_scale)
        self.deadline_s = settings.deadline_s
        self._identity = _identity(settings)
        self._credentials = _credentials(settings)
        tracing.use_existing_provider()
        self._channel: grpc.aio.Channel | None = None
        self._stream_channel: grpc.aio.Channel | None = None
        self._exchange: Any = None
        self._gateway: Any = None
        self._streams: Any = None
        self._acknowledged: Any = None
        self._slots = asyncio.Semaphore(options.MAX_CALLS_AT_ONCE)
        self._reconnect = Reconnect(self.address, self.retry_policy, self._check_reachable)

    @property
    def exchange(self) -> Any:
        """The stub of ExchangeService."""
        return self._require_open(self._exchange)

    @property
    def gateway(self) -> Any:
        """The stub of GatewayService."""
        return self._require_open(self._gateway)

    @property
    def streams(self) -> Any:
        """The stub of ExchangeService for its streams, on a connection of their own."""
        return self._require_open(self._streams)

    @property
    def acknowledged_streams(self) -> Any:
        """The stub of GatewayService for streams that are acknowledged, on the connection of the streams."""
        return self._require_open(self._acknowledged)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return the metadata of one call: the client's identity, and the trace that the call belongs to."""
        return self._identity + tracing.outgoing()

    async def open(self, *, serving: bool = True) -> None:
        """Connect, and wait until the connector is serving and accepts this client.

        Args:
            serving: Whether it has to be serving. Else it only has to answer, so that a person can look at it and
                cancel orders while the venue fails.

        Raises:
            ConnectorUnavailable: The last attempt failed too, or another program listens there.
            AccessError: The connector refuses the token or the certificate.
        """
        await self.close()
        try:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception_type(NotReady),
                stop=stop_after_attempt(self.retry_policy.attempts),
                wait=lambda state: self.retry_policy.delay_s(state.attempt_number),
                after=self._log_failure,
                reraise=True,
            ):
                with attempt:
                    await self._attempt(serving=serving)
        except NotReady as error:
            raise ConnectorUnavailable(
                f"connector {self.address}: not ready after {self.retry_policy.attempts} attempts ({error});"
                f" {hint_for(str(error), tls=self._credentials is not None)}"
            ) from None
        log.info("connected to the connector", address=self.address)

    async def close(self) -> None:
        """Close the channel; calls in flight end. Idempotent."""
        channels = self._channel, self._stream_channel
        self._channel = self._stream_channel = None
        self._exchange = self._gateway = self._streams = self._acknowledged = None
        await self._reconnect.close()
        for channel in channels:
            if channel is not None:
                await channel.close()

    async def recover(self, error: ExchangeError) -> bool:
        """Wait until the connector is reached again, if it is the connector that failed.

        All streams of this channel share one series of attempts.

        Args:
            error: The error of the stream's call.

        Returns:
            True when the connector responds again; False when it is serving all the time, so that the failure
            concerns the stream only.

        Raises:
            ConnectorUnavailable: The last attempt failed too.
        """
        if self._require_open(self._channel).get_state() is _READY and await self._is_serving():
            return False
        if reason := await self._reconnect.wait(error):
            raise ConnectorUnavailable(
                f"connector {self.address}: not reached again in {self.retry_policy.attempts} attempts ({reason})"
            )
        return True

    async def call(
        self,
        method: Any,
        request: Any,
        *,
        placing: bool = False,
        once: bool = False,
        deadline_s: float | None = None,
    ) -> Any:
        """Make one unary call within the deadline, and retry it where that is safe and may help.

        Args:
            method: Method of a stub.
            request: Its message; a retry sends the very same.
            placing: Whether it places or cancels orders: a lost response is OutcomeUnknown then, never Unreachable.
            once: Whether it changes something that another client may change next, so that a call that may have been
                executed is never sent again: a lost response is OutcomeUnknown, too.
            deadline_s: Overrides the deadline of the settings.

        Raises:
            ExchangeError: The connector's error, or the failure of the call.
        """
        deadline = time.monotonic() + (deadline_s or self.deadline_s)
        backoff = Backoff(*_CALL_BACKOFF_S)
        lost: OutcomeUnknown | None = None
        while True:
            try:
                async with self._slot(deadline, lost):
                    with traced(method):
                        return await method(
                            request,
                            timeout=max(deadline - time.monotonic(), 0.001),
                            metadata=self.metadata(),
                        )
            except grpc.aio.AioRpcError as failure:
                error = wire_errors.from_rpc_error(failure, placing=placing or once)
                again = failure.code() is grpc.StatusCode.UNAVAILABLE and isinstance(
                    error, OutcomeUnknown if placing else Unreachable
                )
                again = again and not once
            lost = error if isinstance(error, OutcomeUnknown) else lost
            # After a lost response only the connector's report on this very order proves its outcome: the connector
            # returns the first outcome for a repeated id. A refusal for another reason proves nothing.
            pause = backoff.next_s()
            if not again or time.monotonic() + pause >= deadline:
                raise error if lost is None or isinstance(error, RequestError) else lost
            await asyncio.sleep(pause)

    @asynccontextmanager
    async def _slot(self, deadline: float, lost: OutcomeUnknown | None) -> AsyncIterator[None]:
        """Wait until a call can be sent at once: one that fails here can't have reached the connector."""
        slots = self._slots
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0)):
                await slots.acquire()
        except TimeoutError:
            reason = f"{options.MAX_CALLS_AT_ONCE} calls are not answered yet"
            raise lost or Unreachable(f"connector {self.address}: {reason}; nothing was sent") from None
        try:
            await self._ready(deadline, lost)
            yield
        finally:
            slots.release()

    async def _ready(self, deadline: float, lost: OutcomeUnknown | None) -> None:
        """Wait for the connection before anything is sent: a call that fails here can't have reached the connector."""
        channel = self._require_open(self._channel)
        if channel.get_state() is _READY:
            return
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0)):
                await channel.channel_ready()
        except (TimeoutError, grpc.aio.UsageError):
            raise lost or Unreachable(f"connector {self.address}: no connection; nothing was sent") from None

    async def _attempt(self, *, serving: bool) -> None:
        channel = self._make_channel()
        ready = False
        try:
            await self._verify(channel, serving=serving)
            ready = True
        finally:
            if not ready:
                await channel.close()
        self._channel = channel
        self._stream_channel = streams = self._make_channel()
        self._slots = asyncio.Semaphore(options.MAX_CALLS_AT_ONCE)
        self._streams = exchange_service_pb2_grpc.ExchangeServiceStub(streams)  # type: ignore[no-untyped-call]
        self._acknowledged = gateway_service_pb2_grpc.GatewayServiceStub(streams)  # type: ignore[no-untyped-call]
        self._exchange = exchange_service_pb2_grpc.ExchangeServiceStub(channel)  # type: ignore[no-untyped-call]
        self._gateway = gateway_service_pb2_grpc.GatewayServiceStub(channel)  # type: ignore[no-untyped-call]

    async def _verify(self, channel: grpc.aio.Channel, *, serving: bool) -> None:
        health = await self._call_at_start(
            health_pb2_grpc.HealthStub(channel).Check, health_pb2.HealthCheckRequest(service=options.EXCHANGE_SERVICE)
        )
        # The health service responds to any client; only another call shows that the connector accepts this one.
        gateway = gateway_service_pb2_grpc.GatewayServiceStub(channel)  # type: ignore[no-untyped-call]
        response = await self._call_at_start(gateway.GetStatus, gateway_service_pb2.GetStatusRequest())
        if serving and health.status != health_pb2.HealthCheckResponse.SERVING:
            bad = [check for check in gateway_codec.decode_status(response).checks if not check.ok]
            reasons = ", ".join(f"{check.name}: {check.reason}" for check in bad)
            raise NotReady(f"it answers but is not serving{': ' * bool(reasons)}{reasons}")

    async def _call_at_start(self, method: Any, request: Any) -> Any:
        """Make one call while connecting; the error that is raised says whether a retry may help."""
        try:
            return await method(request, timeout=self.deadline_s, metadata=self.metadata())
        except grpc.aio.AioRpcError as failure:
            error = wire_errors.from_rpc_error(failure)
            if isinstance(error, Unsupported) or failure.code() is grpc.StatusCode.NOT_FOUND:
                raise ConnectorUnavailable(
                    f"connector {self.address}: another program than exchange-connector listens there"
                ) from None
            if isinstance(error, Unreachable):
                # gRPC wraps the cause in a report of its own attempts; only the end of that text helps.
                reason = _LAST_ERROR.split(failure.details() or "")[-1]
                raise NotReady(f"{failure.code().name}: {reason}") from None
            if isinstance(error, AccessError):
                raise type(error)(
                    f"connector {self.address} refuses this client: {error.message};"
                    " check CONNECTOR_TOKEN (exchanges.remote.token) or the client certificate"
                ) from None
            raise error from None

    async def _is_serving(self) -> bool:
        """Return whether the connector is reached and reports SERVING."""
        try:
            return bool((await self._health()).status == health_pb2.HealthCheckResponse.SERVING)
        except grpc.aio.AioRpcError:
            return False

    async def _check_reachable(self) -> None:
        """Check that the connector responds. It need not be serving: its streams deliver what they have."""
        try:
            await self._health()
            # The connection of the streams is one of its own, with a back-off of its own.
            async with asyncio.timeout(self.deadline_s):
                await self._require_open(self._stream_channel).channel_ready()
        except TimeoutError:
            raise NotReady("no connection for the streams") from None
        except grpc.aio.AioRpcError as failure:
            if isinstance(error := wire_errors.from_rpc_error(failure), Unreachable):
                raise NotReady(error.message) from None

    async def _health(self) -> Any:
        check = health_pb2_grpc.HealthStub(self._require_open(self._channel)).Check
        request = health_pb2.HealthCheckRequest(service=options.EXCHANGE_SERVICE)
        return await check(request, timeout=self.deadline_s, metadata=self.metadata(), wait_for_ready=False)

    def _make_channel(self) -> grpc.aio.Channel:
        if self._credentials is None:
            return grpc.aio.insecure_channel(self.address, options=_OPTIONS)
        return grpc.aio.secure_channel(self.address, self._credentials, options=_OPTIONS)

    def _log_failure(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, NotReady):
            action = f"reach the connector at {self.address}"
            text = self.retry_policy.describe_failure(state.attempt_number, action, Unreachable(str(error)))
            log.warning(text, attempt=state.attempt_number, attempts=self.retry_policy.attempts)

    def _require_open(self, thing: Any) -> Any:
        if thing is None:
            raise Unreachable(f"connector {self.address}: not connected; start was not called or close was")
        return thing


def hint_for(reason: str, *, tls: bool) -> str:
    """Return what to check when the connector was not reached for this *reason*."""
    if "CERTIFICATE_VERIFY_FAILED" in reason or "not a valid hostname" in reason or "Peer name" in reason:
        return (
            "its certificate is not trusted: exchanges.remote.tls_ca_file must be the authority that signed it, and its"
            " name or address must be the one in exchanges.remote.base_url"
        )
    if tls and "WRONG_VERSION_NUMBER" in reason:
        return "it does not use TLS: leave out exchanges.remote.tls and tls_ca_file, or start it with TLS"
    if not tls and "Socket closed" in reason:
        return "it closed the connection, as a connector with TLS does: set exchanges.remote.tls_ca_file"
    return "start exchange-connector there or set exchanges.remote.base_url"


def _identity(settings: RemoteSettings) -> tuple[tuple[str, str], ...]:
    token = settings.token.get_secret_value()
    register_secrets(token)
    given = ((options.AUTHORIZATION, f"Bearer {token}" if token else ""), (options.CLIENT_NAME, settings.name))
    return tuple((key, value) for key, value in given if value)


def _credentials(settings: RemoteSettings) -> grpc.ChannelCredentials | None:
    if not settings.uses_tls:
        return None
    return grpc.ssl_channel_credentials(*read_certificates(settings))
