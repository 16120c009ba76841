"""A client of a connector that takes a lease, rests orders and waits to be killed.

python -m tests.chaos.lease_holder HOST:PORT NAME TTL_S ORDERS
"""

from __future__ import annotations

import asyncio
import sys

from opensqt.client.exchange import RemoteExchange
from opensqt.config.remote import RemoteSettings
from tests.chaos.gateway_rig import far, request


async def main(address: str, name: str, ttl_s: float, orders: int) -> None:
    async with (
        RemoteExchange(RemoteSettings(base_url=address, name=name, deadline_s=20)) as exchange,
        exchange.lease(ttl_s=ttl_s),
    ):
        for level in range(orders):
            await exchange.place_order(request(price=await far(exchange, level)))
        print(f"lease-holder ready on {address}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])))
