"""The other client: a process of its own that reads prices, so that it can be stopped in the middle."""

from __future__ import annotations

import sys

import uvloop

from benchmarks.gateway import rig
from opensqt.proto import exchange_service_pb2 as pb


def main() -> int:
    """Subscribe at the address that is given, and read until the end."""
    uvloop.run(_read(sys.argv[1]))
    return 0


async def _read(address: str) -> None:
    async with rig.client(address) as client:
        call = client.stub.SubscribePrice(pb.SubscribePriceRequest(symbol=rig.SYMBOL))
        await call.wait_for_connection()
        print(f"reader ready on {address}", flush=True)
        async for _ in call:
            pass


if __name__ == "__main__":
    sys.exit(main())
