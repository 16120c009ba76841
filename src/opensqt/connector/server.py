"""The connector put together: what it is made of, the order in which it starts, and the order in which it stops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Self

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from opensqt.config.connector import ConnectorServerSettings
from opensqt.connector.auth.audit import Audit
from opensqt.connector.auth.audit_file import AuditFile
from opensqt.connector.auth.identity import Identity
from opensqt.connector.auth.limits import OrderLimits
from opensqt.connector.collector import ScrapeCollector, ScrapeSources
from opensqt.connector.connections import ConnectionLimit
from opensqt.connector.health import STOPPING, HealthMonitor
from opensqt.connector.metrics.loop_lag import LoopLag
from opensqt.connector.metrics.registry import ConnectorMetrics
from opensqt.connector.orders.amend_resolve import AmendResolver
from opensqt.connector.orders.amending import Amendments
from opensqt.connector.orders.cancel_all import CancelAll
from opensqt.connector.orders.claim_keeper import ClaimKeeper
from opensqt.connector.orders.claims import Claims
from opensqt.connector.orders.dead_machine import DeadMachineSwitch
from opensqt.connector.orders.halt_keeper import HaltKeeper
from opensqt.connector.orders.halts import Halts
from opensqt.connector.orders.journal import MEMORY, Journal, JournalError
from opensqt.connector.orders.lease_keeper import LeaseKeeper
from opensqt.connector.orders.leases import Leases
from opensqt.connector.orders.manager import PLACING, OrderManager, Resolve
from opensqt.connector.orders.resolver import Resolver
from opensqt.connector.reload.files import Reloads
from opensqt.connector.rpc.amend_calls import AmendCalls
from opensqt.connector.rpc.dispatch import Calls, Handler, reader
from opensqt.connector.rpc.exchange_service import ExchangeCalls
from opensqt.connector.rpc.gateway_service import GatewayCalls
from opensqt.connector.rpc.halt_calls import HaltCalls
from opensqt.connector.rpc.reflection import Symbols
from opensqt.connector.rpc.setting_calls import SettingCalls
from opensqt.connector.rpc.stream_service import Streams
from opensqt.connector.rpc.tracing import traced
from opensqt.connector.streams.readers import StreamReaders
from opensqt.connector.tasks import Tasks
from opensqt.model.errors import ConfigError, ExchangeError, Unreachable
from opensqt.model.exchange import Exchange
from opensqt.model.order import OrderRequest
from opensqt.proto import exchange_service_pb2, gateway_service_pb2
from opensqt.service import memory
from opensqt.service.http import metrics_server, own_hosts
from opensqt.service.listen import ListenAddress
from opensqt.telemetry import logging
from opensqt.wire import options

_log = logging.get_logger("connector")
FINISH_CALLS_S = 6.0
_END_STREAMS_S = 1.0
_CLOSE_PART_S = 0.5
"""Six parts are closed; with the above it keeps a stop under 10 s whatever hangs."""
PRUNE_EVERY_S = 3600.0
_RECHECK_EVERY_S = 1.0
"""So soon after a client's credentials have expired its streams end."""


class Connector:
    """A gRPC server over one exchange.

    It starts and closes the exchange. Use it as an async context manager, or call `start` and `stop`.

    Args:
        exchange: Not started yet.
        settings: How to listen; by default any free loopback port, without a metrics page.
        journal: Path of the order journal.
        keep_days: How long the journal remembers closed orders.
        resolve: How the outcome of an order is found out when its answer was lost.
        resolve_amendment: How that of an amendment is.
    """

    def __init__(
        self,
        exchange: Exchange,
        settings: ConnectorServerSettings | None = None,
        *,
        journal: str = MEMORY,
        keep_days: float = 7.0,
        resolve: Resolve | None = None,
        resolve_amendment: AmendResolver | None = None,
    ) -> None:
        self.settings = settings or ConnectorServerSettings(port=0, metrics_port=None, drain_s=0)
        self.address = ""
        """HOST:PORT, once started."""
        self.metrics_address = ""
        self.exchange = exchange
        self.metrics = ConnectorMetrics(exchange.name)
        self.tasks = Tasks()
        self.journal = Journal(journal)
        self._keep_s = keep_days * 86_400
        leases = Leases()
        halts = Halts()
        self.orders = OrderManager(
            exchange,
            self.journal,
            self.tasks,
            resolve or Resolver(),
            halts=halts,
            refusal=leases.refusal,
            guard=self._guard if self.settings.dead_machine_s else None,
        )
        self.dead_machine = DeadMachineSwitch(
            self.settings.dead_machine_s, exchange, leases, self.orders.own, self.journal, self.tasks
        )
        self.amendments = Amendments(
            exchange,
            self.journal,
            self.tasks,
            self.orders,
            halts=halts,
            refusal=leases.refusal,
            resolve=resolve_amendment,
        )
        self.cancel_all = CancelAll(exchange, self.orders, halts)
        self.halts = HaltKeeper(halts, self.journal, self.tasks)
        self.metrics.watch_halts(lambda: halts.count)
        self.leases = LeaseKeeper(leases, exchange, self.orders, self.journal, self.tasks, self.metrics)
        self.claims = ClaimKeeper(Claims(), self.orders, self.journal, self.tasks)
        self.streams = StreamReaders(exchange, self.metrics, limit=self.settings.stream_buffer)
        self.identity = Identity(self.settings)
        self.reloads = Reloads()
        self._audit_file = AuditFile(self.settings.audit_file) if self.settings.audit_file is not None else None
        self.calls = Calls(
            self.metrics,
            self.identity.access,
            Audit(self._audit_file),
            max_calls=self.settings.max_calls_in_flight,
            max_streams=self.settings.max_streams,
        )
        self.health = HealthMonitor(
            exchange,
            lambda: [
                *self.tasks.checks(),
                *self.streams.checks(),
                *self.leases.checks(),
                *self.dead_machine.checks(),
                *self.halts.checks(),
                *self.identity.checks(),
                *self.reloads.checks(),
                *(self._audit_file.checks() if self._audit_file is not None else ()),
            ],
            self.journal.probe,
            self.metrics,
            interval_s=self.settings.health_interval_s,
        )
        self._lag = LoopLag()
        collector = ScrapeCollector(
            self.metrics,
            ScrapeSources(
                exchange=exchange,
                streams=self.streams,
                status=lambda: self.health.status,
                calls_in_flight=lambda: self.calls.in_flight,
                orders_unresolved=lambda: self.orders.unresolved,
                resolution_seconds=self.orders.resolution_seconds,
                journal_commit_seconds=self.journal.commit_seconds,
                journal_commit_sizes=self.journal.commit_sizes,
                journal_failures=lambda: self.journal.failures,
                loop_lag_seconds=self._lag.seconds,
                audit_lines_dropped=lambda: self._audit_file.dropped if self._audit_file is not None else 0,
                health_watchers_dropped=lambda: self.health.service.dropped,
                connections_closed=lambda: self._connections.closed,
                dead_machine=self.dead_machine,
            ),
        )
        metrics_address = ListenAddress(
            self.settings.metrics_host,
            self.settings.metrics_port or 0,
            host_option="--metrics-host",
            port_option="--metrics-port",
            what="metrics",
        )
        self._metrics_server = metrics_server(
            collector.page,
            metrics_address,
            own_hosts(self.settings.metrics_allowed_hosts, option="server.metrics_allowed_hosts"),
        )
        self._connections = ConnectionLimit(self.settings.max_connections)
        self._server: grpc.aio.Server | None = None
        self._monitor: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Look at the port, open the journal, prove the credentials, then serve.

        Raises:
            ConfigError: The port or the journal can't be had.
            ExchangeError: What the exchange's start raised.
        """
        try:
            # Refused now rather than after the exchange was queried; bound only when all else is there.
            ListenAddress(self.settings.host, self.settings.port).check_free()
            self.identity.start(self.reloads, self.calls.recheck)
            if self._audit_file is not None:
                self._audit_file.open()
            await self.journal.open()
            if self.settings.metrics_port is not None:
                await self._metrics_server.start()
                self.metrics_address = self._metrics_server.address
            await self.exchange.start()
            await self.orders.start()
            await self.amendments.start()
            await self.halts.start()
            await self.leases.start()
            await self.claims.start()
            await self.dead_machine.start()
            await self.health.start()
            self._monitor = self.tasks.spawn("health", self.health.run(), forever=True)
            self.tasks.spawn("health-supervision", self.health.supervise(), forever=True)
            self.tasks.spawn("journal-pruning", self._prune(), forever=True)
            self.tasks.spawn("loop-lag", self._lag.run(), forever=True)
            self.tasks.spawn("freed-memory", memory.trim_regularly(), forever=True)
            if self.reloads.files:
                self.tasks.spawn("reloads", self.reloads.run(), forever=True)
            if self.identity.access.proven:
                self.tasks.spawn("credentials", self._recheck(), forever=True)
            self._server = self._listen()
            await self._server.start()
            port = int(self.address.rpartition(":")[2])
            self.tasks.spawn("connections", self._connections.run(port), forever=True)
        except BaseException:
            await self._release()
            raise
        _log.info("serving", address=self.address, exchange=self.exchange.name, metrics=self.metrics_address)

    async def failed(self) -> None:
        """Return when the connector can't vouch for its health any more; it should then be stopped."""
        if self._monitor is not None:
            await asyncio.wait({self._monitor})

    async def stop(self) -> None:
        """Stop within 10 s: NOT_SERVING, refuse new calls, finish those in flight, end streams, release. Idempotent."""
        if self._server is None:
            return
        if self._monitor is not None:
            self.tasks.dismiss(self._monitor)
            await asyncio.wait({self._monitor})
        self.calls.refuse()
        self.leases.suspend()
        self.claims.suspend()
        self.halts.suspend()
        self.health.stop()
        _log.info("stopping", calls_in_flight=self.calls.in_flight, streams=sum(self.streams.counts.values()))
        # The port stays open for a moment: whoever probes now must see NOT_SERVING, not a refused connection.
        visible = asyncio.create_task(asyncio.sleep(self.settings.drain_s))
        left_armed = asyncio.create_task(
            _in_time("dead-machine switch", self.dead_machine.stop(), within_s=FINISH_CALLS_S / 2)
        )
        loop = asyncio.get_running_loop()
        finish_by = loop.time() + FINISH_CALLS_S
        if not await self.calls.idle(timeout_s=FINISH_CALLS_S):
            _log.warning("calls cut off", calls_in_flight=self.calls.in_flight)
        # Orders whose caller has gone are on their way, too.
        if not await self.tasks.finished(PLACING, timeout_s=max(0.0, finish_by - loop.time())):
            _log.warning("orders cut off; the next run resolves them")
        await left_armed
        await visible
        await self._release()
        _log.info("stopped")

    async def _guard(self, client: str, requests: Sequence[OrderRequest]) -> Mapping[str, ExchangeError]:
        return await self.dead_machine.refusals(client, requests)

    def _listen(self) -> grpc.aio.Server:
        host, port = self.settings.host, self.settings.port
        host = f"[{host}]" if ":" in host else host
        limit = options.stream_limit(self.settings.max_streams)
        server = grpc.aio.server(options=(*options.SERVER_OPTIONS, limit))
        self._register(server)
        try:
            bound = self.identity.listen(server, f"{host}:{port}")
        except RuntimeError:
            raise ConfigError(f"port {port}: can't be had on {host}; give another with --port (0: any)") from None
        self.address = f"{host}:{bound}"
        return server

    def _register(self, server: grpc.aio.Server) -> None:
        limits = OrderLimits(
            self.identity.access,
            price=self.exchange.get_latest_price,
            open_count=self.orders.own.open_count,
            owned_ids=self.orders.own.owned_ids,
        )
        exchange_calls = ExchangeCalls(
            self.exchange,
            self.orders,
            self.cancel_all,
            limits,
            self.claims.rules,
            order_wait_s=self.settings.order_wait_s,
        )
        gateway_calls = GatewayCalls(
            self.exchange,
            self.orders,
            self.health,
            self.leases,
            self.halts,
            self.claims,
            self.dead_machine,
            limits,
        )
        amend_calls = AmendCalls(self.amendments, limits, self.claims.rules, order_wait_s=self.settings.order_wait_s)
        halt_calls = HaltCalls(self.halts, self.orders, limits)
        unary = {
            name: self.calls.unary(name, handler)
            for part in (
                exchange_calls.trading,
                exchange_calls.reading,
                gateway_calls.trading,
                gateway_calls.reading,
                halt_calls.trading,
                amend_calls.trading,
                SettingCalls(self.exchange, limits).trading,
            )
            for name, handler in part.items()
        }
        streams = {name: self.calls.stream(name, handler) for name, handler in Streams(self.streams).handlers.items()}
        handlers = unary | streams
        services = (
            exchange_service_pb2.DESCRIPTOR.services_by_name["ExchangeService"],
            gateway_service_pb2.DESCRIPTOR.services_by_name["GatewayService"],
        )
        for service in services:
            methods = {
                method.name: _method(method, handlers[method.name])
                for method in service.methods
                if method.name in handlers
            }
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, methods),))
        health_pb2_grpc.add_HealthServicer_to_server(self.health.service, server)
        names = [service.full_name for service in services]
        known = [*names, health.SERVICE_NAME, reflection.SERVICE_NAME]
        reflection.enable_server_reflection(known, server, Symbols(descriptor_pool.Default()))

    async def _recheck(self) -> None:
        while True:
            await asyncio.sleep(_RECHECK_EVERY_S)
            self.calls.recheck()

    async def _prune(self) -> None:
        while True:
            await asyncio.sleep(PRUNE_EVERY_S)
            try:
                forgotten = await self.orders.prune(keep_s=self._keep_s)
            except ExchangeError as error:
                _log.info("journal not pruned; the venue must first report which orders are open", reason=str(error))
            except JournalError as error:
                # Health reports it by its own probe, and only for as long as it lasts.
                _log.warning("journal not pruned", reason=str(error))
            else:
                _log.debug("journal pruned", forgotten=forgotten)

    async def _release(self) -> None:
        """End what runs and close what is open, from the outside in."""
        self.calls.end_streams(Unreachable(STOPPING))
        server, self._server = self._server, None
        if server is not None:
            await _in_time("server", server.stop(grace=_END_STREAMS_S), within_s=_END_STREAMS_S + _CLOSE_PART_S)
        await _in_time("tasks", self.tasks.close())
        await _in_time("metrics server", self._metrics_server.close())
        await _in_time("exchange", self.exchange.close())
        await _in_time("journal", self.journal.close())
        if self._audit_file is not None:
            await _in_time("audit file", self._audit_file.close())


async def _in_time(part: str, closing: Awaitable[None], *, within_s: float = _CLOSE_PART_S) -> None:
    try:
        async with asyncio.timeout(within_s):
            await closing
    except TimeoutError:
        _log.error("did not close in time; going on without it", part=part)


def _method(method: MethodDescriptor, handler: Handler) -> grpc.RpcMethodHandler[Any, Any]:
    """Bind a handler to its method: a unary one answers a message, a streaming one writes bytes itself."""
    read = reader(GetMessageClass(method.input_type))
    if method.client_streaming:
        return grpc.stream_stream_rpc_method_handler(handler, request_deserializer=read, response_serializer=None)
    if method.server_streaming:
        return grpc.unary_stream_rpc_method_handler(handler, request_deserializer=read, response_serializer=None)
    write = GetMessageClass(method.output_type).SerializeToString
    handler = traced(f"{method.containing_service.full_name}/{method.name}", handler)
    return grpc.unary_unary_rpc_method_handler(handler, request_deserializer=read, response_serializer=write)
