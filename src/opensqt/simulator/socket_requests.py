"""Requests over a WebSocket: executed with the faults of the fault script, in the order in which they came."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from opensqt.simulator.dialects.base import ERROR_AFTER_EXECUTION, ERROR_WITHOUT_EXECUTION, Call, ErrorReply, Route
from opensqt.simulator.faults import Fault, FaultKind, FaultScript, RequestPlan
from opensqt.simulator.sockets import Socket
from opensqt.simulator.statistics import Statistics
from opensqt.telemetry import logging

_log = logging.get_logger("simulator.socket_requests")


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketRequest:
    """One request of a client over a WebSocket.

    Attributes:
        call: The same request as REST has it, whose operation is its name in a fault script; changed only by faults.
        execute: Admits and executes the request and returns its answer, or raises the venue's refusal.
        refuse: Writes the answer with a refusal.
        fault_error: Returns the venue's error of a fault.
        send: Sends the answer.
    """

    call: Call
    execute: Callable[[], bytes]
    refuse: Callable[[ErrorReply], bytes]
    fault_error: Callable[[Fault], ErrorReply]
    send: Callable[[bytes], None]


def login_call(socket: Socket, path: str = "") -> Call:
    """Return the call that stands for a login in the fault script."""
    return Call(Route("", path, "login", lambda _call: None), {}, "", "", {}, socket.address)


class SocketRequests:
    """Executes requests, at once or after the delay of a fault."""

    def __init__(self, script: FaultScript, statistics: Statistics) -> None:
        self._script = script
        self._statistics = statistics
        self._delayed: set[asyncio.Task[None]] = set()
        self.failed: BaseException | None = None

    def take(self, socket: Socket, request: SocketRequest) -> None:
        """Execute a request and send its answer."""
        operation = request.call.route.operation
        self._statistics.requests[operation] += 1
        plan = self._script.plan_request(operation, over_socket=True)
        if plan.delay_before_ms:
            self._start(self._execute_later(socket, request, plan))
        else:
            self._execute(socket, request, plan)

    async def stop(self) -> None:
        """Drop the requests and answers that wait for their delay."""
        for task in self._delayed:
            task.cancel()
        await asyncio.gather(*self._delayed, return_exceptions=True)

    async def _execute_later(self, socket: Socket, request: SocketRequest, plan: RequestPlan) -> None:
        await asyncio.sleep(plan.delay_before_ms / 1000)
        self._execute(socket, request, plan)

    def _execute(self, socket: Socket, request: SocketRequest, plan: RequestPlan) -> None:
        answer = self._outcome(request, plan)
        if plan.delay_after_ms:
            self._start(self._send_later(socket, request, plan, answer))
        else:
            self._send(socket, request, plan, answer)

    async def _send_later(self, socket: Socket, request: SocketRequest, plan: RequestPlan, answer: bytes) -> None:
        await asyncio.sleep(plan.delay_after_ms / 1000)
        self._send(socket, request, plan, answer)

    def _start(self, later: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(later)
        self._delayed.add(task)
        task.add_done_callback(self._on_done)

    def _outcome(self, request: SocketRequest, plan: RequestPlan) -> bytes:
        """Execute the request, as far as the plan allows, and return its answer; empty if it is not executed."""
        fault = plan.outcome_fault
        if fault is not None and fault.kind in (FaultKind.UNREACHABLE, FaultKind.LOSE_REQUEST):
            return b""
        try:
            if fault is not None and fault.kind in ERROR_WITHOUT_EXECUTION:
                raise request.fault_error(fault)
            request.call.ignored = plan.ignored
            answer = request.execute()
            if fault is not None and fault.kind in ERROR_AFTER_EXECUTION:
                raise request.fault_error(fault)
        except ErrorReply as error:
            self._statistics.refused[error.code] += 1
            return request.refuse(error)
        return answer

    def _send(self, socket: Socket, request: SocketRequest, plan: RequestPlan, answer: bytes) -> None:
        kind = plan.outcome_fault.kind if plan.outcome_fault is not None else None
        if kind in (FaultKind.UNREACHABLE, FaultKind.DROP_REPLY):
            socket.cut()
        elif kind not in (FaultKind.LOSE_REQUEST, FaultKind.LOSE_ANSWER):
            request.send(answer)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._delayed.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("request failed", exc_info=error)
            self.failed = error
