"""OKX's own SDK, unmodified, as the table of SDKs uses it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from okx.Account import AccountAPI
from okx.MarketData import MarketAPI
from okx.PublicData import PublicAPI
from okx.Trade import TradeAPI
from okx.websocket.WsPrivateAsync import WsPrivateAsync
from okx.websocket.WsPublicAsync import WsPublicAsync

from opensqt.simulator import Simulator
from tests.service import okx_clients
from tests.service.sdk_client import Answer
from tests.support.blocking import in_thread

HEARD_WITHIN_S = 60.0
SWAP = "BTC-USDT-SWAP"
ORDER = {"instId": SWAP, "tdMode": "cross", "side": "buy", "ordType": "limit", "sz": "1"}


class OkxRefusal(Exception):
    """An answer with a code; the SDK raises nothing for it."""


class Okx:
    refused = OkxRefusal

    def __init__(self, simulator: Simulator, secret: str = "sim-secret") -> None:
        key = {"api_key": "sim-key", "api_secret_key": secret, "passphrase": "sim-pass"}
        self._simulator = simulator
        # One client for each part of the API; every name that is called here stands in one of them.
        self._apis = [api(**key, domain=simulator.url) for api in (TradeAPI, AccountAPI)]
        self._apis += [api(domain=simulator.url) for api in (MarketAPI, PublicAPI)]

    async def call(self, name: str, **options: Any) -> Any:
        method = next(getattr(api, name) for api in self._apis if hasattr(api, name))
        return await in_thread(method, **options)

    async def rows(self, name: str, *, code: str = "0", **options: Any) -> list[Answer]:
        answer = await self.call(name, **options)
        if answer["code"] != code:
            raise OkxRefusal(answer)
        return answer["data"]

    async def _row(self, name: str, **options: Any) -> Answer:
        (row,) = await self.rows(name, **options)
        return row

    async def place(self, price: Any = None, *, side: str = "buy", name: str = "") -> Answer:
        kind = {"ordType": "market"} if price is None else {"px": str(price)}
        return await self._row("place_order", **ORDER | kind | {"side": side}, **{"clOrdId": name} if name else {})

    async def find(self, order_id: Any) -> Answer:
        return await self._row("get_order", instId=SWAP, ordId=order_id)

    async def open_orders(self) -> list[Answer]:
        return await self.rows("get_order_list", instType="SWAP")

    async def cancel(self, name: str) -> Answer:
        return await self._row("cancel_order", instId=SWAP, clOrdId=name)

    closed = find

    async def place_batch(self, price: Any) -> list[Answer]:
        good = {**ORDER, "px": str(price)}
        return await self.rows("place_multiple_orders", code="2", orders_data=[good, {**good, "sz": "0.15"}, good])

    async def cancel_batch(self, order_ids: list[Any]) -> list[Answer]:
        orders = [{"instId": SWAP, "ordId": one} for one in order_ids]
        return await self.rows("cancel_multiple_orders", orders_data=orders)

    async def account(self) -> Answer:
        balance = await self._row("get_account_balance")
        (detail,) = balance["details"]
        return detail

    async def set_leverage(self) -> Answer:
        where = {"instId": SWAP, "mgnMode": "cross"}
        await self.rows("set_leverage", **where, lever="5")
        return await self._row("get_leverage", **where)

    async def positions(self) -> list[Answer]:
        return await self.rows("get_positions", instType="SWAP")

    async def fills(self) -> list[Answer]:
        return await self.rows("get_fills", instType="SWAP")

    async def candles(self, limit: int) -> list[Any]:
        return await self.rows("get_candlesticks", instId=SWAP, limit=str(limit))

    async def symbols(self) -> set[str]:
        return {row["instId"] for row in await self.rows("get_instruments", instType="SWAP")}

    async def cancel_unknown(self) -> None:
        await self.rows("cancel_order", instId=SWAP, ordId="1")

    def refusal(self, error: Any) -> tuple[Any, ...]:
        (answer,) = error.args
        return answer["code"], *(row["sCode"] for row in answer["data"])

    @asynccontextmanager
    async def _subscribed(self, kind: str, arg: dict[str, str]) -> AsyncIterator[Callable[[], Awaitable[Answer]]]:
        """The SDK's stream client at work. It insists on TLS, so that one stands before the simulator."""
        heard: asyncio.Queue[Answer] = asyncio.Queue()
        async with okx_clients.secure_front(self._simulator) as url:
            key = ("sim-key", "sim-pass", "sim-secret")
            socket = (
                WsPrivateAsync(*key, f"{url}/ws/v5/private")
                if kind == "private"
                else WsPublicAsync(f"{url}/ws/v5/public")
            )
            work = await socket.start()

            async def frame() -> Answer:
                return await asyncio.wait_for(heard.get(), HEARD_WITHIN_S)

            try:
                await socket.subscribe([arg], lambda text: heard.put_nowait(json.loads(text)))
                expected = ["login", "subscribe"] if kind == "private" else ["subscribe"]
                events = [await frame() for _ in expected]
                assert [event["event"] for event in events] == expected
                assert events[-1]["arg"] == arg
                yield frame
            finally:
                await socket.stop()
                await asyncio.gather(work, return_exceptions=True)

    @asynccontextmanager
    async def own_orders(self) -> AsyncIterator[Callable[[], Awaitable[list[Answer]]]]:
        async with self._subscribed("private", {"channel": "orders", "instType": "SWAP"}) as frame:

            async def rows() -> list[Answer]:
                return (await frame())["data"]

            yield rows

    @asynccontextmanager
    async def quotes(self) -> AsyncIterator[Callable[[], Awaitable[Answer]]]:
        async with self._subscribed("public", {"channel": "bbo-tbt", "instId": SWAP}) as frame:

            async def quote() -> Answer:
                said = await frame()
                (book,) = said["data"]
                bid, ask = book["bids"][0][0], book["asks"][0][0]
                return {"channel": said["arg"]["channel"], "symbol": said["arg"]["instId"], "bid": bid, "ask": ask}

            yield quote

    def close(self) -> None:
        for client in self._apis:
            client.close()
