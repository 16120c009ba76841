"""grpc.health.v1: what was last published is kept at once, and no client's reading is waited for by whom publishes.

The servicer of grpcio-health-checking holds a lock around its write to a watcher and asks for the same lock to take in
a new status. One watcher that reads nothing then stops all health, and the stop of the process with it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from opensqt.connector.connections import address_of
from opensqt.telemetry import logging

SERVING: int = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING: int = health_pb2.HealthCheckResponse.NOT_SERVING
UNKNOWN: int = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN

TAKE_WITHIN_S = 5.0
"""A watcher that does not take a status within this time is dropped."""
MAX_WATCHERS = 1000
MAX_WATCHERS_OF_AN_ADDRESS = 200

_log = logging.get_logger("connector.health")


class HealthService(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """Answers Check and Watch from what was published; `publish` never waits."""

    def __init__(self) -> None:
        self._states: dict[str, int] = {}
        self._watchers: dict[str, set[asyncio.Event]] = {}
        self._addresses: Counter[str] = Counter()
        self.dropped = 0
        """Watchers that did not take a status in time."""

    @property
    def watching(self) -> int:
        """Watch calls that are served."""
        return self._addresses.total()

    def publish(self, service: str, state: int) -> None:
        """Keep a status and wake who watches it."""
        if self._states.get(service) == state:
            return
        self._states[service] = state
        for changed in self._watchers.get(service, ()):
            changed.set()

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        """Return the status of a service."""
        state = self._states.get(request.service)
        if state is None:
            try:
                await context.abort(grpc.StatusCode.NOT_FOUND)
            finally:
                del context  # as in `Watch`
        return health_pb2.HealthCheckResponse(status=state)

    async def Watch(self, request: Any, context: Any) -> None:  # noqa: N802 - gRPC's name
        """Send the status of a service, now and at each change; a watcher that is slow gets the newest only."""
        refusal = await self._serve(request, context)
        try:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, refusal)
        finally:
            del context  # the call keeps this frame: without its name for the call there is no circle to collect

    async def _serve(self, request: Any, context: Any) -> str:
        """Serve a watcher, and return why it is served no longer."""
        address = address_of(context.peer())
        if self._addresses[address] >= MAX_WATCHERS_OF_AN_ADDRESS or self.watching >= MAX_WATCHERS:
            count = f"{self._addresses[address]} health watchers of this address, {self.watching} in all"
            return f"{count}; no more at once"
        changed = asyncio.Event()
        self._watchers.setdefault(request.service, set()).add(changed)
        self._addresses[address] += 1
        try:
            await self._send_changes(request.service, changed, context)
        except TimeoutError:
            self.dropped += 1
            _log.warning("health watcher dropped; it does not read", peer=context.peer(), dropped=self.dropped)
        finally:
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]
            watchers = self._watchers[request.service]
            watchers.discard(changed)
            if not watchers:
                del self._watchers[request.service]
        return f"nothing was read for {TAKE_WITHIN_S:.0f} s"

    async def _send_changes(self, service: str, changed: asyncio.Event, context: Any) -> None:
        sent: int | None = None
        while True:
            changed.clear()
            state = self._states.get(service, UNKNOWN)
            if state != sent:
                async with asyncio.timeout(TAKE_WITHIN_S):
                    await context.write(health_pb2.HealthCheckResponse(status=state))
                sent = state
            await changed.wait()
