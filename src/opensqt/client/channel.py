"""The connection to a connector: opened with ten attempts, called with deadlines, never repeating what is unsafe."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from opensqt.client.backoff import NotReady, Patience, Recovery
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
from opensqt.telemetry.logging import get_logger, protect
from opensqt.wire import errors as wire_errors
from opensqt.wire import gateway_codec, options

_CALL_BACKOFF_S = 0.05, 1.0

_OPTIONS: tuple[options.Option, ...] = (
    *options.CHANNEL_OPTIONS,
    # How long to wait is decided here, by attempts that are counted and logged, so the channel itself tries soon.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # By default all channels of a process to one address share a connection and its back-off: an attempt would end with
    # the failure of the one before it, and try nothing.
    ("grpc.use_local_subchannel_pool", 1),
)
_LAST_ERROR = re.compile("last error: [A-Z_]+: ")
_READY = grpc.ChannelConnectivity.READY

log = get_logger("remote")


class Link:
    """One channel to one connector.

    Args:
        settings: Where it is, who we are to it, and how patiently it is asked.

    Raises:
        ConfigError: A certificate file can't be read.
    """

    def __init__(self, settings: RemoteSettings) -> None:
        self.address = settings.base_url
        self.patience = Patience(settings.attempts, settings.retry_scale)
        self.deadline_s = settings.deadline_s
        self._identity = _identity(settings)
        self._credentials = _credentials(settings)
        tracing.adopt()
        self._channel: grpc.aio.Channel | None = None
        self._exchange: Any = None
        self._gateway: Any = None
        self._recovery = Recovery(self.address, self.patience, self._answers)

    @property
    def exchange(self) -> Any:
        """The stub of ExchangeService."""
        return self._opened(self._exchange)

    @property
    def gateway(self) -> Any:
        """The stub of GatewayService."""
        return self._opened(self._gateway)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Answer what goes with one call: who we are, and the trace that it belongs to."""
        return self._identity + tracing.outgoing()

    async def open(self) -> None:
        """Connect, and wait until the connector says that it is serving and knows us.

        Raises:
            ConnectorUnavailable: The last attempt failed too, or something else answers there.
            AccessError: The connector does not take the token or the certificate.
        """
        await self.close()
        try:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception_type(NotReady),
                stop=stop_after_attempt(self.patience.attempts),
                wait=lambda state: self.patience.wait_s(state.attempt_number),
                after=self._log_failure,
                reraise=True,
            ):
                with attempt:
                    await self._attempt()
        except NotReady as error:
            raise ConnectorUnavailable(
                f"connector {self.address}: not ready after {self.patience.attempts} attempts ({error});"
                f" {_advice(str(error), tls=self._credentials is not None)}"
            ) from None
        log.info("connected to the connector", address=self.address)

    async def close(self) -> None:
        """Close the channel; calls in flight end. Idempotent."""
        channel, self._channel = self._channel, None
        self._exchange = self._gateway = None
        await self._recovery.close()
        if channel is not None:
            await channel.close()

    async def recover(self, error: ExchangeError) -> bool:
        """Wait for the connector, with all others of this link, where it is what failed.

        Args:
            error: What the caller met.

        Returns:
            True when it answers again; False when it is well and serving, so that the trouble is the caller's own.

        Raises:
            ConnectorUnavailable: The last attempt failed too.
        """
        if self._opened(self._channel).get_state() is _READY and await self._serves():
            return False
        if why := await self._recovery.wait(error):
            raise ConnectorUnavailable(
                f"connector {self.address}: not reached again in {self.patience.attempts} attempts ({why})"
            )
        return True

    async def call(self, method: Any, request: Any, *, placing: bool = False, deadline_s: float | None = None) -> Any:
        """Make one unary call within the deadline, again when that is safe and may help.

        Args:
            method: Of a stub.
            request: Its message; a repeat sends the very same.
            placing: Whether it places or cancels: then a lost answer is OutcomeUnknown, never Unreachable.
            deadline_s: Instead of the settings' own.

        Raises:
            ExchangeError: What the connector told, or what became of the call.
        """
        deadline = time.monotonic() + (deadline_s or self.deadline_s)
        backoff = Backoff(*_CALL_BACKOFF_S)
        lost: OutcomeUnknown | None = None
        while True:
            await self._ready(deadline, lost)
            try:
                with traced(method):
                    return await method(
                        request,
                        timeout=max(deadline - time.monotonic(), 0.001),
                        metadata=self.metadata(),
                    )
            except grpc.aio.AioRpcError as failure:
                error = wire_errors.from_rpc_error(failure, placing=placing)
                again = failure.code() is grpc.StatusCode.UNAVAILABLE and isinstance(
                    error, OutcomeUnknown if placing else Unreachable
                )
            lost = error if isinstance(error, OutcomeUnknown) else lost
            # After a lost answer only the connector's word on this very order proves what became of it: it answers
            # a repeated id with the first outcome. Being refused for something else proves nothing.
            pause = backoff.next_s()
            if not again or time.monotonic() + pause >= deadline:
                raise error if lost is None or isinstance(error, RequestError) else lost
            await asyncio.sleep(pause)

    async def _ready(self, deadline: float, lost: OutcomeUnknown | None) -> None:
        """Wait for the connection before anything is sent: what fails here can't have reached the connector."""
        channel = self._opened(self._channel)
        if channel.get_state() is _READY:
            return
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0)):
                await channel.channel_ready()
        except (TimeoutError, grpc.aio.UsageError):
            raise lost or Unreachable(f"connector {self.address}: no connection; nothing was sent") from None

    async def _attempt(self) -> None:
        channel = self._make_channel()
        ready = False
        try:
            await self._prove(channel)
            ready = True
        finally:
            if not ready:
                await channel.close()
        self._channel = channel
        self._exchange = exchange_service_pb2_grpc.ExchangeServiceStub(channel)  # type: ignore[no-untyped-call]
        self._gateway = gateway_service_pb2_grpc.GatewayServiceStub(channel)  # type: ignore[no-untyped-call]

    async def _prove(self, channel: grpc.aio.Channel) -> None:
        health = await self._asked(
            health_pb2_grpc.HealthStub(channel).Check, health_pb2.HealthCheckRequest(service=options.EXCHANGE_SERVICE)
        )
        # Health is told to anybody; that the connector knows us shows in a call of its own.
        gateway = gateway_service_pb2_grpc.GatewayServiceStub(channel)  # type: ignore[no-untyped-call]
        told = await self._asked(gateway.GetStatus, gateway_service_pb2.GetStatusRequest())
        if health.status != health_pb2.HealthCheckResponse.SERVING:
            bad = [check for check in gateway_codec.decode_status(told).checks if not check.ok]
            reasons = ", ".join(f"{check.name}: {check.reason}" for check in bad)
            raise NotReady(f"it answers but is not serving{': ' * bool(reasons)}{reasons}")

    async def _asked(self, method: Any, request: Any) -> Any:
        """Make one call of the start; whatever fails then says whether trying again may help."""
        try:
            return await method(request, timeout=self.deadline_s, metadata=self.metadata())
        except grpc.aio.AioRpcError as failure:
            error = wire_errors.from_rpc_error(failure)
            if isinstance(error, Unsupported) or failure.code() is grpc.StatusCode.NOT_FOUND:
                raise ConnectorUnavailable(
                    f"connector {self.address}: what answers there is no exchange-connector"
                ) from None
            if isinstance(error, Unreachable):
                # gRPC wraps what happened in what it did about it; the end of it is what helps.
                why = _LAST_ERROR.split(failure.details() or "")[-1]
                raise NotReady(f"{failure.code().name}: {why}") from None
            if isinstance(error, AccessError):
                raise type(error)(
                    f"connector {self.address} does not let this client in: {error.message};"
                    " check CONNECTOR_TOKEN (exchanges.remote.token) or the client certificate"
                ) from None
            raise error from None

    async def _serves(self) -> bool:
        """Say whether the connector is reached and says that it is well."""
        try:
            return bool((await self._health()).status == health_pb2.HealthCheckResponse.SERVING)
        except grpc.aio.AioRpcError:
            return False

    async def _answers(self) -> None:
        """Reach the connector; one that is not serving will do, for its streams tell what they can."""
        try:
            await self._health()
        except grpc.aio.AioRpcError as failure:
            if isinstance(error := wire_errors.from_rpc_error(failure), Unreachable):
                raise NotReady(error.message) from None

    async def _health(self) -> Any:
        check = health_pb2_grpc.HealthStub(self._opened(self._channel)).Check
        request = health_pb2.HealthCheckRequest(service=options.EXCHANGE_SERVICE)
        return await check(request, timeout=self.deadline_s, metadata=self.metadata(), wait_for_ready=False)

    def _make_channel(self) -> grpc.aio.Channel:
        if self._credentials is None:
            return grpc.aio.insecure_channel(self.address, options=_OPTIONS)
        return grpc.aio.secure_channel(self.address, self._credentials, options=_OPTIONS)

    def _log_failure(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, NotReady):
            what = f"reach the connector at {self.address}"
            text = self.patience.told(state.attempt_number, what, Unreachable(str(error)))
            log.warning(text, attempt=state.attempt_number, attempts=self.patience.attempts)

    def _opened(self, thing: Any) -> Any:
        if thing is None:
            raise Unreachable(f"connector {self.address}: not connected; start was not called or close was")
        return thing


def _advice(why: str, *, tls: bool) -> str:
    """Say what to look at when the connector was not reached."""
    if "CERTIFICATE_VERIFY_FAILED" in why or "not a valid hostname" in why or "Peer name" in why:
        return (
            "its certificate is not trusted: exchanges.remote.tls_ca_file has to be the authority that signed it, and"
            " its name or address the one in exchanges.remote.base_url"
        )
    if tls and "WRONG_VERSION_NUMBER" in why:
        return "what answers there speaks plain text: leave out exchanges.remote.tls and tls_ca_file, or give it TLS"
    if not tls and "Socket closed" in why:
        return "it closed the connection, as a connector with TLS does: set exchanges.remote.tls_ca_file"
    return "start exchange-connector there or set exchanges.remote.base_url"


def _identity(settings: RemoteSettings) -> tuple[tuple[str, str], ...]:
    token = settings.token.get_secret_value()
    protect(token)
    given = ((options.AUTHORIZATION, f"Bearer {token}" if token else ""), (options.CLIENT_NAME, settings.name))
    return tuple((key, value) for key, value in given if value)


def _credentials(settings: RemoteSettings) -> grpc.ChannelCredentials | None:
    if not settings.speaks_tls:
        return None
    return grpc.ssl_channel_credentials(*read_certificates(settings))
