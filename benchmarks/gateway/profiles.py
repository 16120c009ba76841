"""Where the connector's process spends its time: the profile behind a goal that was missed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from benchmarks.gateway import rig
from benchmarks.gateway.rig import Options
from benchmarks.gateway.streams import readers
from benchmarks.process import Server
from opensqt.proto import exchange_service_pb2 as pb

_FOR_S = 4


async def profile(rows: list[str], options: Options) -> None:
    """Print a profile of the connector under the load of each row."""
    for row in rows:
        if row not in _LOADS:
            print(f"{row}: no profile of its own; see {', '.join(_LOADS)}")
            continue
        async with rig.connector(options, f"profile-{row}") as server:
            print(f"\n{row}: the profiler itself weighs on many small calls")
            print(await _LOADS[row](server))


async def _reading(server: Server) -> str:
    async with rig.client(server.address) as ours:
        return await _while(server, lambda: ours.stub.GetAccount(pb.GetAccountRequest()))


async def _placing(server: Server) -> str:
    orders = rig.new_orders()
    async with rig.client(server.address) as ours:
        return await _while(server, lambda: ours.stub.PlaceOrder(next(orders)))


async def _streaming(server: Server) -> str:
    async with AsyncExitStack() as stack:
        many = await stack.enter_async_context(readers(server.address))
        await stack.enter_async_context(many.subscribed(clock=False))
        return str(await server.ask(what="flood", for_s=_FOR_S, profiled=True))


async def _while(server: Server, call: Callable[[], Awaitable[object]]) -> str:
    async def again() -> None:
        while True:
            await call()

    caller = asyncio.create_task(again())
    try:
        return str(await server.ask(what="wait", for_s=_FOR_S, profiled=True))
    finally:
        caller.cancel()
        (outcome,) = await asyncio.gather(caller, return_exceptions=True)
        if not isinstance(outcome, asyncio.CancelledError):
            raise RuntimeError("the caller ended early") from outcome


_LOADS: dict[str, Callable[[Server], Awaitable[str]]] = {"read": _reading, "place": _placing, "fanout": _streaming}
