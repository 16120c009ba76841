"""The connection to a connector: opened with ten attempts, called with deadlines, never repeating what is unsafe."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from opensqt.config.load import ConfigError
from opensqt.config.remote import RemoteSettings
from opensqt.exchange import gateway_codec, status, wire
from opensqt.model.errors import (
    ConnectorUnavailable,
    ExchangeError,
    OutcomeUnknown,
    RequestError,
    Unreachable,
    Unsupported,
)
from opensqt.proto import exchange_service_pb2_grpc, gateway_service_pb2, gateway_service_pb2_grpc
from opensqt.telemetry.logging import get_logger, protect

ATTEMPTS = 10
_LONGEST_WAIT_S = 60
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0

_OPTIONS: tuple[wire.Option, ...] = (
    *wire.CHANNEL_OPTIONS,
    # How long to wait is decided here, by attempts that are counted and logged, so the channel itself tries soon.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)

log = get_logger("remote")


def wait_s(attempt: int, scale: float = 1.0) -> float:
    """Answer how long to wait after a failed attempt: 1, 2, 4, 8, 16, 32, 60, 60, 60 s."""
    return float(min(2 ** (attempt - 1), _LONGEST_WAIT_S)) * scale


def told(attempt: int, what: str, error: ExchangeError, scale: float) -> str:
    """Say in one line that an attempt failed, and what comes next."""
    then = "giving up" if attempt >= ATTEMPTS else f"next in {wait_s(attempt, scale):g} s"
    return f"attempt {attempt} of {ATTEMPTS} to {what} failed: {error}; {then}"


class _NotReady(Exception):
    """The connector can't be used yet; trying again may help."""


class Link:
    """One channel to one connector.

    Args:
        settings: Where it is and how patiently it is asked.

    Raises:
        ConfigError: The certificate file can't be read.
    """

    def __init__(self, settings: RemoteSettings) -> None:
        self.address = settings.base_url
        self.scale = settings.retry_scale
        self._deadline_s = settings.deadline_s
        token = settings.token.get_secret_value()
        protect(token)
        self.metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self._authority = _read_authority(settings)
        self._channel: grpc.aio.Channel | None = None
        self._exchange: Any = None
        self._gateway: Any = None

    @property
    def exchange(self) -> Any:
        """The stub of ExchangeService."""
        return self._opened(self._exchange)

    @property
    def gateway(self) -> Any:
        """The stub of GatewayService."""
        return self._opened(self._gateway)

    async def open(self) -> None:
        """Connect, and wait until the connector says that it is serving.

        Raises:
            ConnectorUnavailable: The tenth attempt failed too, or something else answers there.
            AccessError: The connector does not take the token.
        """
        await self.close()
        try:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception_type(_NotReady),
                stop=stop_after_attempt(ATTEMPTS),
                wait=lambda state: wait_s(state.attempt_number, self.scale),
                after=self._log_failure,
                reraise=True,
            ):
                with attempt:
                    await self._attempt()
        except _NotReady as error:
            raise ConnectorUnavailable(
                f"connector {self.address}: not ready after {ATTEMPTS} attempts ({error});"
                " start exchange-connector there or set exchanges.remote.base_url"
            ) from None
        log.info("connected to the connector", address=self.address)

    async def close(self) -> None:
        """Close the channel; calls in flight end. Idempotent."""
        channel, self._channel = self._channel, None
        self._exchange = self._gateway = None
        if channel is not None:
            await channel.close()

    async def call(self, method: Any, request: Any, *, placing: bool = False) -> Any:
        """Make one unary call within the deadline, again when that is safe and may help.

        Args:
            method: Of a stub.
            request: Its message; a repeat sends the very same.
            placing: Whether it places or cancels: then a lost answer is OutcomeUnknown, never Unreachable.

        Raises:
            ExchangeError: What the connector told, or what became of the call.
        """
        deadline = time.monotonic() + self._deadline_s
        pause = _FIRST_PAUSE_S
        lost: OutcomeUnknown | None = None
        while True:
            await self._ready(deadline, lost)
            try:
                return await method(request, timeout=max(deadline - time.monotonic(), 0.001), metadata=self.metadata)
            except grpc.aio.AioRpcError as failure:
                error = status.from_rpc_error(failure, placing=placing)
                again = failure.code() is grpc.StatusCode.UNAVAILABLE and isinstance(
                    error, OutcomeUnknown if placing else Unreachable
                )
            lost = error if isinstance(error, OutcomeUnknown) else lost
            # After a lost answer only the connector's word on this very order proves what became of it: it answers
            # a repeated id with the first outcome. Being refused for something else proves nothing.
            if not again or time.monotonic() + pause >= deadline:
                raise error if lost is None or isinstance(error, RequestError) else lost
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    async def _ready(self, deadline: float, lost: OutcomeUnknown | None) -> None:
        """Wait for the connection before anything is sent: what fails here can't have reached the connector."""
        channel = self._opened(self._channel)
        if channel.get_state() is grpc.ChannelConnectivity.READY:
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
        request = health_pb2.HealthCheckRequest(service=wire.EXCHANGE_SERVICE)
        check = health_pb2_grpc.HealthStub(channel).Check
        try:
            health = await check(request, timeout=self._deadline_s, metadata=self.metadata)
        except grpc.aio.AioRpcError as failure:
            error = status.from_rpc_error(failure)
            if isinstance(error, Unsupported) or failure.code() is grpc.StatusCode.NOT_FOUND:
                raise ConnectorUnavailable(
                    f"connector {self.address}: what answers there is no exchange-connector"
                ) from None
            if isinstance(error, Unreachable):
                # gRPC wraps what happened in what it did about it; the end of it is what helps.
                why = (failure.details() or "").rpartition("last error: UNKNOWN: ")[2]
                raise _NotReady(f"{failure.code().name}: {why}") from None
            raise error from None
        if health.status != health_pb2.HealthCheckResponse.SERVING:
            raise _NotReady(f"it answers but is not serving{await self._reasons(channel)}")

    async def _reasons(self, channel: grpc.aio.Channel) -> str:
        ask = gateway_service_pb2_grpc.GatewayServiceStub(channel).GetStatus  # type: ignore[no-untyped-call]
        try:
            answer = await ask(gateway_service_pb2.GetStatusRequest(), timeout=self._deadline_s, metadata=self.metadata)
        except grpc.aio.AioRpcError as failure:
            return f" and does not say why ({failure.code().name})"
        bad = [check for check in gateway_codec.decode_status(answer).checks if not check.ok]
        return ": " + ", ".join(f"{check.name}: {check.reason}" for check in bad) if bad else ""

    def _make_channel(self) -> grpc.aio.Channel:
        if self._authority is None:
            return grpc.aio.insecure_channel(self.address, options=_OPTIONS)
        credentials = grpc.ssl_channel_credentials(root_certificates=self._authority)
        return grpc.aio.secure_channel(self.address, credentials, options=_OPTIONS)

    def _log_failure(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, _NotReady):
            text = told(
                state.attempt_number, f"reach the connector at {self.address}", Unreachable(str(error)), self.scale
            )
            log.warning(text, attempt=state.attempt_number, attempts=ATTEMPTS)

    def _opened(self, thing: Any) -> Any:
        if thing is None:
            raise Unreachable(f"connector {self.address}: not connected; start was not called or close was")
        return thing


def _read_authority(settings: RemoteSettings) -> bytes | None:
    if settings.tls_ca_file is None:
        return None
    try:
        return settings.tls_ca_file.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"exchanges.remote.tls_ca_file: {str(settings.tls_ca_file)!r} can't be read: {error.strerror}"
        ) from None
