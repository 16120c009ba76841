"""A connector process before a venue, fed with nonsense: nothing reaches the venue, the log and the memory."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import grpc
from aiohttp import ClientSession

from benchmarks.process import resident_mb
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import types_pb2
from opensqt.proto.exchange_service_pb2_grpc import ExchangeServiceStub
from opensqt.wire import options
from tests.chaos.gateway_rig import Gateway, gateway
from tests.service.connector_rig import order
from tests.service.hostile import TEXTS

LONGEST_LINE = 32_768
"""Room for the audit of a batch of a hundred."""
SOUND = {"BTCUSDT", "ETHUSDT"}
NUMBERS = [text for text in TEXTS if text not in ("1", "0.001", "100.1", "9" * 31, "9" * 5000)]


def hostile_orders() -> list[types_pb2.OrderRequest]:
    """Orders that each have one thing wrong with them."""
    made = [order("a", quantity=text) for text in NUMBERS] + [order("a", price=text) for text in NUMBERS]
    made += [order("a", symbol=text) for text in TEXTS if text not in SOUND]
    made += [order(text) for text in TEXTS if not (text.isascii() and text.isalnum() and len(text) <= 32)]
    made += [order("a", side=99), order("a", order_type=-1), order("a", time_in_force=7), order("a", quantity="1e400")]
    return [*made, types_pb2.OrderRequest(), order("a", quantity="0.0001"), order("a", price="0.00000001")]


def lines_of(made: Gateway) -> list[str]:
    assert made.process is not None
    return made.process.stderr.decode().splitlines()


async def test_no_malformed_order_reaches_the_venue_and_none_forges_a_line_of_the_log(tmp_path: Path) -> None:
    """F33: by the ledger's count of requests, and the lines of the log one by one."""
    async with gateway("binance", tmp_path) as made, grpc.aio.insecure_channel(made.address) as channel:
        stub = ExchangeServiceStub(channel)
        before = len(lines_of(made))
        orders = hostile_orders()
        codes = {await stub.PlaceOrder(pb.PlaceOrderRequest(order=one), timeout=20).code() for one in orders}
        for start in range(0, len(orders), 100):
            batch = pb.BatchPlaceOrdersRequest(orders=orders[start : start + 100])
            results = (await stub.BatchPlaceOrders(batch, timeout=20)).results
            assert {one.WhichOneof("result") for one in results} == {"error"}
        assert codes <= {grpc.StatusCode.INVALID_ARGUMENT}
        asked = made.simulator.ledger()["statistics"]["requests"]
        assert {name: count for name, count in asked.items() if "place" in name} == {}
        lines = lines_of(made)[before:]
    told = [json.loads(line) for line in lines]
    assert {line["event"] for line in told} <= {"call", "call failed"}
    assert len(told) <= 3 * len(orders)
    assert max(map(len, lines)) <= LONGEST_LINE


async def test_names_that_clients_give_themselves_fill_neither_metrics_nor_memory(tmp_path: Path, large: bool) -> None:
    """F26: a client may call itself anything, at each call anew."""
    count = 50_000 if large else 1_000
    async with gateway("binance", tmp_path) as made, grpc.aio.insecure_channel(made.address) as channel:
        stub = ExchangeServiceStub(channel)

        async def call(number: int) -> None:
            names = ((options.CLIENT_NAME, f"name{number}"), (options.CORRELATION_ID, f"id{number}"))
            await stub.GetExchangeInfo(pb.GetExchangeInfoRequest(), metadata=names, timeout=60)

        await call(0)
        page, before = await metrics(made), resident_mb(made.pid)
        for start in range(1, count, 50):
            await asyncio.gather(*map(call, range(start, start + 50)))
        after = await metrics(made)
        assert not any("name1" in line for line in after)
        # What the adapter does meanwhile may add a family or two; a line for each name would be a thousand.
        assert len(after) <= len(page) + count // 10
        assert resident_mb(made.pid) - before < 40


async def metrics(made: Gateway) -> list[str]:
    address = next(json.loads(line)["metrics"] for line in lines_of(made) if '"serving"' in line)
    async with ClientSession() as session, session.get(f"http://{address}/metrics") as answer:
        return (await answer.text()).splitlines()
