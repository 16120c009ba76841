"""The connector's process itself in trouble: stopped for a while, or without room on its disk."""

from __future__ import annotations

import asyncio
import resource
import signal
from pathlib import Path

import pytest

from opensqt.client.exchange import RemoteExchange
from opensqt.model.errors import Unreachable
from opensqt.model.order import OrderStatus
from tests.chaos.gateway_rig import SYMBOL, Gateway, far, gateway, request
from tests.support import eventually


async def healthy(client: RemoteExchange) -> bool:
    return (await client.get_status()).healthy


async def reason(client: RemoteExchange, check: str) -> str:
    """Why a check failed; empty while it has not."""
    return next((told.reason for told in (await client.get_status()).checks if told.name == check and not told.ok), "")


async def test_a_process_that_stood_still_signs_afresh_and_trades_on(tmp_path: Path, large: bool) -> None:
    """F24: orders at every stage of being sent when it is stopped for longer than the venue's window."""
    stall_s, window_ms = (6.0, 5_000) if large else (1.2, 1_000)
    account = {"name": "binance", "symbols": [SYMBOL], "reconcile_interval_s": 1.0, "recv_window_ms": window_ms}
    async with gateway("binance", tmp_path, config={"exchange": account}) as made, made.client() as client:
        price = await far(client)
        placing = [asyncio.create_task(client.place_order(request(price=price))) for _ in range(8)]
        await eventually(lambda: made.account["orders"])
        _send(made, signal.SIGSTOP)
        placing += [asyncio.create_task(client.place_order(request(price=price))) for _ in range(4)]
        await asyncio.sleep(stall_s)  # the stall is what is tested
        _send(made, signal.SIGCONT)
        assert {order.status for order in await asyncio.gather(*placing)} == {OrderStatus.OPEN}
        assert len(made.account["orders"]) == len(placing)
        await eventually(lambda: healthy(client))


async def test_a_disk_without_room_is_told_until_there_is_some_and_no_order_is_sent_meanwhile(tmp_path: Path) -> None:
    """F31, F32, F1: what can't be written down first is not sent, and is sent by the same id once it can.

    What was sent before is answered for meanwhile as it always is.
    """
    async with gateway("binance", tmp_path) as made, made.client() as client:
        assert made.process is not None
        price = await far(client)
        order, earlier, next_one = (request(price=price) for _ in range(3))
        placed = await client.place_order(earlier)
        await client.place_order(next_one)  # what became of the earlier one is written with it
        _, most = resource.prlimit(made.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(made.pid, resource.RLIMIT_FSIZE, (4_096, most))
        assert await eventually(lambda: reason(client, "journal"))
        with pytest.raises(Unreachable, match="nothing was sent"):
            await client.place_order(order)
        again, *refused = await client.batch_place_orders([earlier, request(price=price)])
        assert (again, [type(one) for one in refused]) == (placed, [Unreachable]), "what was sent is not denied"
        assert made.open_ids == {earlier.client_order_id, next_one.client_order_id}
        resource.prlimit(made.pid, resource.RLIMIT_FSIZE, (most, most))
        await eventually(lambda: healthy(client))
        assert (await client.place_order(order)).status is OrderStatus.OPEN
        assert made.open_ids == {one.client_order_id for one in (order, earlier, next_one)}


def _send(made: Gateway, number: signal.Signals) -> None:
    assert made.process is not None
    made.process.send(number)
