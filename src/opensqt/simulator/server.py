"""The HTTP and WebSocket server: one port, the venue's own paths, and the fault script in front of every request."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from socket import SO_SNDBUF, SOL_SOCKET
from urllib.parse import parse_qsl

from aiohttp import web

from opensqt.service.http import listen
from opensqt.service.listen import ListenAddress
from opensqt.simulator.dialects.base import (
    ERROR_AFTER_EXECUTION,
    ERROR_WITHOUT_EXECUTION,
    Call,
    Dialect,
    ErrorReply,
    HttpReply,
    Route,
)
from opensqt.simulator.faults import Armed, Fault, FaultKind, FaultScript, RequestPlan
from opensqt.simulator.settings import ServerRules
from opensqt.simulator.sockets import Socket, Subscriptions
from opensqt.simulator.statistics import Statistics
from opensqt.telemetry import logging

_log = logging.get_logger("simulator.server")
_TICK_S = 0.05
_KERNEL_BUFFER = 128 * 1024
Control = Callable[[web.Request], Awaitable[web.Response]]


class Server:
    """Serves one dialect.

    Args:
        control: Handles the requests under `/_sim`.
        rules: Buffers and pings.
    """

    def __init__(
        self,
        dialect: Dialect,
        subscriptions: Subscriptions,
        script: FaultScript,
        statistics: Statistics,
        control: Control,
        rules: ServerRules,
    ) -> None:
        self._dialect = dialect
        self._subscriptions = subscriptions
        self._script = script
        self._statistics = statistics
        self._control = control
        self._rules = rules
        self._runner: web.AppRunner | None = None
        self._actions: set[asyncio.Task[None]] = set()
        self.failed: BaseException | None = None
        self.port = 0
        script.watch(self._start_action)

    async def start(self, host: str, port: int) -> None:
        """Start to listen.

        Raises:
            ConfigError: The port is in use, or the host is not an address of this machine.
        """
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=False, shutdown_timeout=1)
        await listen(self._runner, ListenAddress(host, port))
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        for action in self._actions:
            action.cancel()
        await asyncio.gather(*self._actions, return_exceptions=True)
        for socket in list(self._subscriptions.sockets):
            socket.cut()
        if self._runner is not None:
            await self._runner.cleanup()

    async def run(self) -> None:
        """Send what is due at intervals and ping the connections, until cancelled."""
        loop = asyncio.get_running_loop()
        ping_every_s = self._rules.ping_every_ms / 1000
        ping_at = loop.time() + ping_every_s
        while True:
            await asyncio.sleep(_TICK_S)
            self._dialect.tick()
            now = loop.time()
            if now < ping_at:
                continue
            ping_at = now + ping_every_s
            for socket in list(self._subscriptions.sockets):
                if (now - socket.pong_at) * 1000 > self._rules.pong_within_ms:
                    socket.cut()
                else:
                    socket.ping()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        if path == "/_sim" or path.startswith("/_sim/"):
            return await self._control(request)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._socket(request)
        return await self._rest(request)

    async def _rest(self, request: web.Request) -> web.Response:
        route = self._dialect.route(request.method, request.path)
        call = await _read(request, route)
        if route is None:
            return self._respond(self._dialect.fail(self._dialect.unknown_path(request.method, request.path)), call)
        operation = self._dialect.operation(call)
        self._statistics.requests[operation] += 1
        plan = self._script.plan_request(operation)
        if plan.delay_before_ms:
            await asyncio.sleep(plan.delay_before_ms / 1000)
        reply = self._outcome(call, plan)
        if plan.delay_after_ms:
            await asyncio.sleep(plan.delay_after_ms / 1000)
        if reply is None:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        return self._respond(reply, call)

    def _outcome(self, call: Call, plan: RequestPlan) -> HttpReply | None:
        """Execute the call, as far as the plan allows, and return the reply; None closes the connection."""
        outcome_fault = plan.outcome_fault
        if outcome_fault is not None and outcome_fault.kind is FaultKind.UNREACHABLE:
            return None
        try:
            if outcome_fault is not None and outcome_fault.kind in ERROR_WITHOUT_EXECUTION:
                raise self._dialect.fault_error(outcome_fault)
            call.ignored = plan.ignored
            reply = self._do(call, outcome_fault is not None)
            if outcome_fault is not None and outcome_fault.kind in ERROR_AFTER_EXECUTION:
                raise self._dialect.fault_error(outcome_fault)
        except ErrorReply as error:
            self._statistics.refused[error.code] += 1
            reply = self._dialect.fail(error)
        return None if outcome_fault is not None and outcome_fault.kind is FaultKind.DROP_REPLY else reply

    def _do(self, call: Call, spoiled: bool) -> HttpReply:
        """Admit and handle the call; when a fault replaces the reply anyway, a refusal is its reply too."""
        try:
            self._dialect.admit(call)
            self._dialect.check(call)
            return self._dialect.handle(call)
        except ErrorReply as error:
            if not spoiled:
                raise
            return self._dialect.fail(error)

    def _respond(self, reply: HttpReply, call: Call | None) -> web.Response:
        self._statistics.statuses[reply.status] += 1
        headers = {**(call.reply_headers if call is not None else {}), **reply.headers}
        return web.Response(status=reply.status, body=reply.body, content_type="application/json", headers=headers)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        params = dict(parse_qsl(request.query_string, keep_blank_values=True))
        channels = self._dialect.channels_of(request.path, params)
        if self._script.try_refuse_connection(channels):
            self._statistics.statuses[503] += 1
            return web.Response(status=503)
        ws = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=1024 * 1024)
        transport = request.transport
        if transport is None:
            return ws
        if (connection := transport.get_extra_info("socket")) is not None:
            # Our own bounded buffer must notice a slow reader, instead of megabytes in the kernel's buffer hiding it.
            connection.setsockopt(SOL_SOCKET, SO_SNDBUF, _KERNEL_BUFFER)
        socket = Socket(ws, transport, self._script, self._statistics, buffer=self._rules.socket_buffer)
        socket.headers, socket.address = request.headers, request.remote or ""
        try:
            self._dialect.connect(socket, request.path, params)
        except ErrorReply as error:
            self._subscriptions.remove(socket)
            return self._respond(self._dialect.fail(error), None)
        self._subscriptions.add(socket)
        self._statistics.connections_opened["private" if socket.private else "market"] += 1
        try:
            # The handshake is sent first: what connect() queued stays in the buffer until serve() writes it.
            with contextlib.suppress(ConnectionError):
                await ws.prepare(request)
                await socket.serve(self._dialect.receive)
        finally:
            self._dialect.disconnected(socket)
            self._subscriptions.remove(socket)
        return ws

    def _start_action(self, armed: Armed) -> None:
        action = asyncio.get_running_loop().create_task(self._repeat(armed))
        self._actions.add(action)
        action.add_done_callback(self._on_action_done)

    def _on_action_done(self, action: asyncio.Task[None]) -> None:
        self._actions.discard(action)
        if not action.cancelled() and (error := action.exception()) is not None:
            _log.error("fault failed", exc_info=error)
            self.failed = error

    async def _repeat(self, armed: Armed) -> None:
        while self._script.live(armed):
            if self._script.try_action(armed):
                self._apply_action(armed.fault)
            await asyncio.sleep(armed.fault.every_ms / 1000)

    def _apply_action(self, fault: Fault) -> None:
        if fault.kind is FaultKind.EXPIRE_LISTEN_KEY:
            self._dialect.expire_keys(fault.copies if "copies" in fault.model_fields_set else 1)
            return
        for socket in [socket for socket in self._subscriptions.sockets if socket.concerned_by(fault)]:
            socket.cut()


async def _read(request: web.Request, route: Route | None) -> Call:
    query = request.raw_path.partition("?")[2]
    body = (await request.read()).decode("utf-8", errors="replace") if request.can_read_body else ""
    fields = body if request.content_type != "application/json" else ""
    params = {**dict(parse_qsl(query, keep_blank_values=True)), **dict(parse_qsl(fields, keep_blank_values=True))}
    return Call(
        route=route if route is not None else _NOWHERE,
        params=params | ((route.arguments(request.path) or {}) if route is not None else {}),
        query=query,
        body=body,
        headers=request.headers,
        address=request.remote or "",
        path=request.path,
    )


def _nothing(_call: Call) -> None:
    return None


_NOWHERE = Route("", "", "any", _nothing)
