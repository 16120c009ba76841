"""The live server over real sockets: what clients get, and that none harms another."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from decimal import Decimal

from aiohttp import ClientSession

from opensqt.live_server.sockets import TOO_SLOW
from opensqt.model.account import Account
from opensqt.model.errors import Unreachable, Unsupported
from opensqt.model.order import OrderRef, OrderUpdate, Side
from opensqt.model.stream import Cursor, Stream
from opensqt.model.venue import ExchangeInfo
from opensqt.testing.exchange import InMemoryExchange
from tests.support.live_server import (
    SYMBOL,
    UPGRADE,
    Client,
    buy,
    connect,
    exchange_with_history,
    fetch,
    order,
    serve,
)
from tests.support.wait import eventually


async def fill_once(exchange: InMemoryExchange, number: int) -> None:
    """Place a buy and have it filled."""
    ref = OrderRef(symbol=SYMBOL, client_order_id=f"B{number}")
    await exchange.place_order(buy("2990.00", client_order_id=f"B{number}"))
    exchange.fill(ref, Decimal("0.010"))


async def test_each_client_gets_history_and_open_orders_as_it_connects():
    """FR-15; it used to be sent once, at the start."""
    exchange = exchange_with_history()
    await exchange.place_order(buy("2990.00", client_order_id="B1"))
    async with serve(exchange) as address:
        for _ in range(2):
            async with connect(address) as client:
                await eventually(lambda c=client: c.of("position") and c.of("account") and c.of("trades"))
                assert len(client.of("history")[0]) == 100
                assert [one["clientOrderId"] for one in client.of("orders")[0]] == ["B1"]


async def test_an_order_and_its_fill_reach_the_client():
    exchange = exchange_with_history()
    async with serve(exchange) as address, connect(address) as client:
        await fill_once(exchange, 1)
        fill = (await eventually(lambda: client.of("trade_event")))[0]
        assert (fill["side"], fill["price"], fill["amount"]) == ("buy", "2990.00", "0.010")
        statuses = [one["status"] for one in client.of("orders") if isinstance(one, dict)]
        assert statuses == ["OPEN", "FILLED"]


async def test_the_shown_profit_is_that_of_the_fills():
    """F36: a round trip, to the cent, and again for a server that starts later."""
    exchange = exchange_with_history()
    async with serve(exchange) as address, connect(address) as client:
        await fill_once(exchange, 1)
        await exchange.place_order(order(Side.SELL, "3005.00", "0.010", client_order_id="S1"))
        exchange.fill(OrderRef(symbol=SYMBOL, client_order_id="S1"), Decimal("0.010"))
        await eventually(lambda: len(client.of("trade_event")) == 2)
        fills = await exchange.list_fills(SYMBOL, since_ms=0)
        expected = sum((one.realized_pnl - one.fee for one in fills), Decimal(0))
        shown = await eventually(lambda: [one for one in client.of("position") if one["fills"] == 2])
        assert expected == Decimal("0.15") - sum((one.fee for one in fills), Decimal(0))
        assert Decimal(shown[-1]["realizedPnL"]) == expected
        async with serve(exchange) as later, connect(later) as other:
            found = await eventually(lambda: [one for one in other.of("position") if one["fills"] == 2])
            assert Decimal(found[0]["realizedPnL"]) == expected


async def test_a_fill_missed_by_the_stream_is_found_by_asking():
    """F6: no fill or update is missed across a reconnect or a lost frame."""
    exchange = exchange_with_history()
    async with serve(exchange) as address, connect(address) as client:
        await eventually(lambda: client.of("trades"))
        exchange.inject_gap()
        await fill_once(exchange, 1)
        await eventually(lambda: client.of("trade_event"))
        assert len({one["id"] for one in client.of("trade_event")}) == len(client.of("trade_event")) == 1


async def test_a_stream_that_overflowed_is_taken_up_again_and_its_fills_are_asked_for():
    """F7: 20 fills in one turn of the loop, room for 8."""
    exchange = exchange_with_history(feed_capacity=8)
    refs = [OrderRef(symbol=SYMBOL, client_order_id=f"B{number}") for number in range(20)]
    for ref in refs:
        await exchange.place_order(buy("2990.00", client_order_id=ref.client_order_id))
    async with serve(exchange) as address, connect(address) as client:
        await eventually(lambda: len(client.open_orders()) == 20)
        for ref in refs:
            exchange.fill(ref, Decimal("0.010"))
        await eventually(lambda: len(client.of("trade_event")) == 20 and client.open_orders() == [])
        assert len({one["id"] for one in client.of("trade_event")}) == 20


async def test_without_a_key_there_is_the_market_and_nothing_else():
    """A connector that runs with --public-only."""
    exchange = PublicExchange()
    exchange.set_price(SYMBOL, Decimal("2999.90"), Decimal("3000.10"))
    async with serve(exchange) as address, connect(address) as client:
        await eventually(lambda: client.of("price"))
        assert client.of("status")[-1]["trading"] is False
        assert client.of("account") == client.of("position") == []


class PublicExchange(InMemoryExchange):
    """Answers what is private as a connector without a key does."""

    async def get_exchange_info(self) -> ExchangeInfo:
        info = await super().get_exchange_info()
        return replace(info, capabilities=replace(info.capabilities, trading=False))

    async def get_account(self) -> Account:
        raise Unsupported("public only")

    def subscribe_orders(self, symbol: str = "", *, cursor: Cursor | None = None) -> Stream[OrderUpdate]:
        raise Unsupported("public only")


async def test_a_stopped_reader_among_ten_harms_no_other():
    """F28: it is closed, the others get every event."""
    exchange = exchange_with_history()
    async with serve(exchange, outbox_limit=200) as address, asyncio.TaskGroup() as tasks, ClientSession() as session:
        host, port = address.split(":")
        stopped = await stop_reading(host, int(port))
        sockets = [await session.ws_connect(f"http://{address}/ws") for _ in range(9)]
        clients = [Client(one) for one in sockets]
        for client in clients:
            tasks.create_task(client.read())
        number = 0
        while 'live_server_clients_closed_total{reason="too_slow"} 1.0' not in (await fetch(address, "/metrics")).text:
            for _ in range(100):
                number += 1
                await fill_once(exchange, number)
            assert number < 20_000
        for client in clients:
            await eventually(lambda c=client: len(c.of("trade_event")) == number, what="all fills")
            ids = [one["id"] for one in client.of("trade_event")]
            assert len(set(ids)) == number
            await client.socket.close()
        stopped.close()


async def test_a_client_that_is_only_slow_is_closed_with_a_code():
    exchange = exchange_with_history()
    async with serve(exchange, outbox_limit=5) as address, ClientSession() as session:
        socket_ = await session.ws_connect(f"http://{address}/ws")
        refs = [OrderRef(symbol=SYMBOL, client_order_id=f"B{number}") for number in range(10)]
        for ref in refs:
            await exchange.place_order(buy("2990.00", client_order_id=ref.client_order_id))
        # One turn of the loop publishes more than there is room for.
        for ref in refs:
            exchange.fill(ref, Decimal("0.010"))
        async for _ in socket_:
            pass
        assert socket_.close_code == TOO_SLOW


async def test_a_hundred_clients_get_the_same_events():
    """FR-15."""
    exchange = exchange_with_history()
    async with serve(exchange) as address, asyncio.TaskGroup() as tasks, ClientSession() as session:
        clients = [Client(await session.ws_connect(f"http://{address}/ws")) for _ in range(100)]
        readers = [tasks.create_task(client.read()) for client in clients]
        for number in range(20):
            await fill_once(exchange, number)
        await eventually(lambda: all(len(one.of("trade_event")) == 20 for one in clients), what="20 fills each")
        assert len({tuple(fill["id"] for fill in one.of("trade_event")) for one in clients}) == 1
        for client in clients:
            await client.socket.close()
        await asyncio.gather(*readers)


async def test_a_client_that_vanishes_is_let_go():
    exchange = exchange_with_history()
    async with serve(exchange) as address, ClientSession() as session:
        gone = await session.ws_connect(f"http://{address}/ws")
        gone._response.connection.transport.abort()  # type: ignore[union-attr] # noqa: SLF001 - aiohttp has no other way to lose it

        async def clients() -> bool:
            return "live_server_clients 0.0" in (await fetch(address, "/metrics")).text

        await eventually(clients)


async def test_a_lost_exchange_is_told_and_so_is_its_return():
    """F31: the page says so, and so does /health."""
    exchange = exchange_with_history()
    async with serve(exchange) as address, connect(address) as client:
        exchange.set_unhealthy("no private data for 12 s")
        await eventually(lambda: any(one["stale"] for one in client.of("status")))
        answer = await fetch(address, "/health")
        assert answer.status == 503
        assert "no private data for 12 s" in answer.text
        exchange.set_unhealthy("")
        await eventually(lambda: client.of("risk_status")[-1]["severity"] == "info")
        assert (await fetch(address, "/health")).status == 200


async def test_a_failed_question_is_asked_again():
    exchange = exchange_with_history()
    async with serve(exchange) as address, connect(address) as client:
        before = len(client.of("account"))
        exchange.fail_next(Unreachable("no route"), on="get_account", times=3)
        await eventually(lambda: len(client.of("account")) > before + 3)


async def test_what_a_client_sends_changes_nothing():
    """REQ-GRPC-022."""
    exchange = exchange_with_history()
    async with serve(exchange) as address, connect(address) as client:
        await client.socket.send_json({"type": "place_order", "data": {"symbol": SYMBOL, "side": "BUY"}})
        count = len(client.of("status"))
        await eventually(lambda: len(client.of("status")) > count + 1)
        assert await exchange.get_open_orders(SYMBOL) == []


async def test_more_clients_than_allowed_are_refused():
    async with serve(exchange_with_history(), max_clients=1) as address, connect(address):
        assert (await fetch(address, "/ws", UPGRADE)).status == 503


async def stop_reading(host: str, port: int) -> socket.socket:
    """Open a WebSocket with the smallest buffer and never read from it."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    plain.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(plain, (host, port))
    lines = [f"GET /ws HTTP/1.1\r\nHost: {host}:{port}", *(f"{name}: {value}" for name, value in UPGRADE.items())]
    await loop.sock_sendall(plain, ("\r\n".join(lines) + "\r\n\r\n").encode())
    return plain
