"""A program that reads prices by one of the two clients and prints the sequence of each batch; a test stops it."""

from __future__ import annotations

import asyncio
import sys

import opensqt


async def read(address: str) -> None:
    async with opensqt.connect(address) as exchange, exchange.subscribe_price("BTCUSDT") as prices:
        async for batch in prices:
            print(batch.sequence, flush=True)


def read_blocking(address: str) -> None:
    with opensqt.connect_sync(address) as exchange, exchange.subscribe_price("BTCUSDT") as prices:
        for batch in prices:
            print(batch.sequence, flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "async":
        asyncio.run(read(sys.argv[2]))
    else:
        read_blocking(sys.argv[2])
