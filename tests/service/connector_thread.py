"""A real connector in a thread of its own, for tests that call it without an event loop of theirs."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc

from opensqt.wire import options
from tests.service.connector_rig import Rig, Venue, rig
from tests.support.logs import logging_restored

T = TypeVar("T")


@dataclass
class Running:
    """The connector and a channel to it."""

    rig: Rig
    loop: asyncio.AbstractEventLoop
    channel: grpc.Channel

    def on_loop(self, do: Callable[[], T]) -> T:
        """Do something in the connector's own thread."""

        async def call() -> T:
            return do()

        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(10)

    def tasks(self) -> int:
        """How many tasks the connector's loop has."""
        return self.on_loop(lambda: len(asyncio.all_tasks(self.loop)))

    def health(self, service: str = "") -> int:
        """What grpc.health.v1 answers to a newcomer."""
        with grpc.insecure_channel(self.rig.connector.address, options=[("grpc.use_local_subchannel_pool", 1)]) as own:
            asked = health_pb2.HealthCheckRequest(service=service)
            status: int = health_pb2_grpc.HealthStub(own).Check(asked, timeout=10).status
            return status


@contextmanager
def _unheard() -> Iterator[None]:
    """Its log lines would come between those of the test run, for no test captures what another thread says."""
    with logging_restored():
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        yield


@contextmanager
def connector_thread(
    venue: Venue | None = None, *, over: AbstractAsyncContextManager[Venue] | None = None, **settings: object
) -> Iterator[Running]:
    """Run a connector over an exchange in memory until the block is left; *settings* are fields of ServerSettings.

    What *over* makes is made in the connector's own loop.
    """
    ready: list[tuple[Rig, asyncio.AbstractEventLoop, asyncio.Event]] = []
    is_ready = threading.Event()

    async def serve() -> None:
        async with over or nullcontext(venue) as made, rig(made, **settings) as running:
            stop = asyncio.Event()
            ready.append((running, asyncio.get_running_loop(), stop))
            is_ready.set()
            await stop.wait()

    def run() -> None:
        try:
            with _unheard():
                asyncio.run(serve())
        finally:
            is_ready.set()

    thread = threading.Thread(target=run, name="connector", daemon=True)
    thread.start()
    is_ready.wait(30)
    made, loop, stop = ready[0]
    with grpc.insecure_channel(made.connector.address, options=[*options.CHANNEL_OPTIONS]) as channel:
        yield Running(made, loop, channel)
    loop.call_soon_threadsafe(stop.set)
    thread.join(20)
    assert not thread.is_alive()
