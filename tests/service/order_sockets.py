"""Order requests of the venues, each over REST or over a WebSocket: the fields are the same, and the venue's own."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from opensqt.simulator import Simulator
from opensqt.simulator.dialects.bybit import security as bybit_security
from opensqt.simulator.faults import Fault
from opensqt.simulator.settings import AccountSettings
from tests.service import ccxt_venues, okx_clients
from tests.service.venue_clients import settings
from tests.support import eventually

START_MS = 1_700_000_000_000


@dataclass(frozen=True)
class Answer:
    """What a venue answered, without the envelope."""

    code: str
    """Empty where the venue did what was asked."""
    content: Any


Do = Callable[[str, Any], Awaitable[Answer]]
"""Sends one operation with its fields, and returns the answer."""


class OrderClient:
    """A bare client of one venue: says what it sends, shows what comes back."""

    exchange: ClassVar[str]
    path: ClassVar[str]
    """Where order requests are sent."""
    settings: ClassVar[dict[str, Any]] = {}
    """More settings of the simulator."""
    answers_to_place: ClassVar[int] = 1
    """Frames that answer an order."""

    def __init__(self, simulator: Simulator, session: aiohttp.ClientSession) -> None:
        self.simulator = simulator
        self.session = session
        self.key, self.secret, self.passphrase = "sim-key", "sim-secret", "sim-pass"
        self.skew_ms = 0
        self.numbers = itertools.count(1)

    @property
    def now_ms(self) -> int:
        return int(time.time() * 1000) + self.skew_ms

    async def connect(self) -> None:
        self.socket = await self.listen(self.path)

    async def listen(self, path: str) -> aiohttp.ClientWebSocketResponse:
        """Connect; a pong is a message, and comes after everything that was sent before it."""
        return await self.session.ws_connect(self.simulator.url + path, autoping=False)

    async def login(self) -> Any:
        """Log in, and return the answer; None where each request is signed."""

    async def events(self) -> aiohttp.ClientWebSocketResponse:
        """Connect to the account's own stream: orders, fills, positions and balance."""
        raise NotImplementedError

    def message(self, operation: str, fields: Any, number: Any) -> dict[str, Any]:
        """Write a request."""
        raise NotImplementedError

    async def rest(self, operation: str, fields: Any) -> Answer:
        """Send an operation over REST."""
        raise NotImplementedError

    async def ask(self, operation: str, fields: Any) -> Answer:
        """Send an operation over the WebSocket, and wait for its answer."""
        return self.read(await self.send(operation, fields))

    async def send(self, operation: str, fields: Any, number: Any = None) -> Any:
        """Send an operation over the WebSocket, and return the frame with its result."""
        await self.post(operation, fields, number)
        while not self.final(frame := await self.heard()):
            pass
        return frame

    async def post(self, operation: str, fields: Any, number: Any = None) -> None:
        await self.socket.send_json(self.message(operation, fields, number or str(next(self.numbers))))

    async def heard(self) -> Any:
        return await self.socket.receive_json(timeout=60)

    async def rest_of(self, socket: aiohttp.ClientWebSocketResponse | None = None) -> list[Any]:
        """Return the frames that come before the venue's pong, which follows everything that it has sent."""
        heard = socket or self.socket
        await heard.ping(b"end")
        frames = []
        while (message := await heard.receive(timeout=60)).type is not aiohttp.WSMsgType.PONG:
            frames.append(message.json())
        return frames

    def rows(self, frames: list[Any]) -> dict[str, list[Any]]:
        """Return the rows of an account's events by their subject: frames are cut differently from run to run."""
        rows: dict[str, list[Any]] = {}
        for frame in frames:
            arg = frame.get("arg", {})
            subject = frame.get("e") or frame.get("topic") or frame.get("channel") or arg.get("channel") or arg["topic"]
            data = frame.get("data", frame.get("result", [frame]))
            rows.setdefault(subject, []).extend(data if isinstance(data, list) else [data])
        return rows

    async def end(self) -> int | None:
        """Wait for the end of the connection, and return its close code."""
        while (await self.socket.receive(timeout=60)).type is aiohttp.WSMsgType.TEXT:
            pass
        return self.socket.close_code

    def final(self, frame: Any) -> bool:
        """Whether a frame has the result of a request, and does not only acknowledge it."""
        return True

    def number(self, frame: Any) -> Any:
        """Return the id of the request that a frame answers."""
        return frame.get("id")

    def limit(self, price: Any, name: str = "") -> Any:
        """Write a limit order of 0.010 BTC."""
        raise NotImplementedError

    def named(self, name: str) -> Any:
        """Write the cancel of an order by the client's own id."""
        raise NotImplementedError

    def several(self, orders: list[Any]) -> Any:
        """Write a batch of orders."""
        return orders

    def repriced(self, name: str, price: Any) -> Any:
        """Write the change of an order's price; None where an order can't be changed in place."""
        raise NotImplementedError

    def name_of(self, answer: Answer) -> str:
        """Return the client's own id of an order in an answer."""
        raise NotImplementedError

    def read(self, frame: Any) -> Answer:
        """Read an answer."""
        raise NotImplementedError

    async def scenario(self, do: Do) -> list[Answer]:
        """Trade a little of everything, and return the answers."""
        raise NotImplementedError

    @property
    def bid(self) -> Any:
        return self.simulator.engine.best("BTCUSDT").bid


class Binance(OrderClient):
    exchange = "binance"
    path = "/ws-fapi/v1"
    operations: ClassVar = {
        "place": ("POST", "/fapi/v1/order", "order.place"),
        "amend": ("PUT", "/fapi/v1/order", "order.modify"),
        "cancel": ("DELETE", "/fapi/v1/order", "order.cancel"),
        "find": ("GET", "/fapi/v1/order", "order.status"),
        "place_stop": ("POST", "/fapi/v1/algoOrder", "algoOrder.place"),
        "cancel_stop": ("DELETE", "/fapi/v1/algoOrder", "algoOrder.cancel"),
        "account": ("GET", "/fapi/v3/account", "v2/account.status"),
        "positions": ("GET", "/fapi/v3/positionRisk", "v2/account.position"),
        "balance": ("GET", "/fapi/v3/balance", "v2/account.balance"),
    }

    def signature(self, text: str) -> str:
        return hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).hexdigest()

    async def rest(self, operation: str, fields: Any) -> Answer:
        method, path, _ = self.operations[operation]
        query = urlencode({**fields, "timestamp": self.now_ms})
        url = URL(f"{self.simulator.url}{path}?{query}&signature={self.signature(query)}", encoded=True)
        async with self.session.request(method, url, headers={"X-MBX-APIKEY": self.key}) as response:
            body = await response.json()
        return Answer("", body) if response.status == 200 else Answer(str(body["code"]), body["msg"])

    def message(self, operation: str, fields: Any, number: Any) -> dict[str, Any]:
        method = self.operations[operation][2] if operation in self.operations else operation
        params = {**fields, "apiKey": self.key, "timestamp": self.now_ms}
        signed = "&".join(f"{name}={params[name]}" for name in sorted(params))
        return {"id": number, "method": method, "params": params | {"signature": self.signature(signed)}}

    def read(self, frame: Any) -> Answer:
        if frame["status"] == 200:
            return Answer("", frame["result"])
        return Answer(str(frame["error"]["code"]), frame["error"]["msg"])

    async def events(self) -> aiohttp.ClientWebSocketResponse:
        headers = {"X-MBX-APIKEY": self.key}
        async with self.session.post(f"{self.simulator.url}/fapi/v1/listenKey", headers=headers) as response:
            key = (await response.json())["listenKey"]
        return await self.listen(f"/private/ws?listenKey={key}")

    def limit(self, price: Any, name: str = "", side: str = "BUY") -> dict[str, Any]:
        named = {"newClientOrderId": name} if name else {}
        order = {"symbol": "BTCUSDT", "side": side, "type": "LIMIT", "timeInForce": "GTC", **named}
        return {**order, "quantity": "0.010", "price": str(price)}

    def named(self, name: str) -> Any:
        return {"symbol": "BTCUSDT", "origClientOrderId": name}

    def name_of(self, answer: Answer) -> str:
        return str(answer.content["clientOrderId"])

    def repriced(self, name: str, price: Any) -> Any:
        return {**self.named(name), "side": "BUY", "quantity": "0.010", "price": str(price)}

    async def scenario(self, do: Do) -> list[Answer]:
        bid, pair = self.bid, {"symbol": "BTCUSDT"}
        market = {**pair, "side": "BUY", "type": "MARKET", "quantity": "0.020", "newOrderRespType": "RESULT"}
        stop = {**pair, "algoType": "CONDITIONAL", "side": "SELL", "type": "STOP_MARKET", "quantity": "0.010"}
        stop |= {"triggerPrice": str(bid - 2000), "clientAlgoId": "stop1"}
        amended = {**pair, "origClientOrderId": "a1", "side": "BUY", "quantity": "0.030", "price": str(bid - 90)}
        return [
            await do("place", self.limit(bid - 100, "a1")),
            await do("amend", amended),
            await do("amend", amended),
            await do("find", {**pair, "origClientOrderId": "a1"}),
            await do("place", self.limit(bid - 100, "a1")),
            await do("place", market),
            await do("place", self.limit(bid + 500, "exit", "SELL") | {"reduceOnly": "true"}),
            await do("place", {**self.limit(bid - 100), "quantity": "0.0001"}),
            await do("place", {**self.limit(bid - 100), "quantity": "900"}),
            await do("place_stop", stop),
            await do("cancel_stop", {"clientAlgoId": "stop1"}),
            await do("cancel", {**pair, "origClientOrderId": "a1"}),
            await do("cancel", {**pair, "orderId": 1}),
            await do("positions", {}),
            await do("account", {}),
            await do("balance", {}),
        ]


class Bybit(OrderClient):
    exchange = "bybit"
    path = "/v5/trade"
    operations: ClassVar = {
        "place": ("create", "order.create"),
        "amend": ("amend", "order.amend"),
        "cancel": ("cancel", "order.cancel"),
        "place_batch": ("create-batch", "order.create-batch"),
        "amend_batch": ("amend-batch", "order.amend-batch"),
        "cancel_batch": ("cancel-batch", "order.cancel-batch"),
    }

    async def login(self) -> Any:
        await self.socket.send_json(self.auth())
        return await self.heard()

    def auth(self, expires_ms: int = 10_000) -> dict[str, Any]:
        expires = self.now_ms + expires_ms
        signature = bybit_security.sign(self.secret, f"GET/realtime{expires}")
        return {"op": "auth", "reqId": "login", "args": [self.key, expires, signature]}

    async def rest(self, operation: str, fields: Any) -> Answer:
        path, text = f"/v5/order/{self.operations[operation][0]}", json.dumps(fields)
        now = str(self.now_ms)
        headers = {
            "X-BAPI-API-KEY": self.key,
            "X-BAPI-TIMESTAMP": now,
            "X-BAPI-SIGN": bybit_security.sign(self.secret, f"{now}{self.key}{text}"),
            "Content-Type": "application/json",
        }
        async with self.session.post(self.simulator.url + path, data=text, headers=headers) as response:
            body = await response.json(content_type=None)
        if body["retCode"]:
            return Answer(str(body["retCode"]), body["retMsg"])
        return Answer("", [body["result"], body["retExtInfo"]])

    def message(self, operation: str, fields: Any, number: Any) -> dict[str, Any]:
        name = self.operations[operation][1] if operation in self.operations else operation
        return {"reqId": number, "header": {"X-BAPI-TIMESTAMP": str(self.now_ms)}, "op": name, "args": [fields]}

    def read(self, frame: Any) -> Answer:
        if frame["retCode"]:
            return Answer(str(frame["retCode"]), frame["retMsg"])
        return Answer("", [frame["data"], frame["retExtInfo"]])

    def number(self, frame: Any) -> Any:
        return frame.get("reqId")

    async def events(self) -> aiohttp.ClientWebSocketResponse:
        stream = await self.listen("/v5/private")
        await stream.send_json(self.auth())
        await stream.send_json({"op": "subscribe", "args": ["order", "execution", "position", "wallet"]})
        assert [(await stream.receive_json(timeout=60))["success"] for _ in range(2)] == [True, True]
        return stream

    def limit(self, price: Any, name: str = "", side: str = "Buy") -> dict[str, Any]:
        order = {"category": "linear", "symbol": "BTCUSDT", "side": side, "orderType": "Limit", "qty": "0.010"}
        return {**order, "price": str(price), **({"orderLinkId": name} if name else {})}

    def named(self, name: str) -> Any:
        return {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": name}

    def name_of(self, answer: Answer) -> str:
        return str(answer.content[0]["orderLinkId"])

    def several(self, orders: list[Any]) -> Any:
        return {"category": "linear", "request": orders}

    def repriced(self, name: str, price: Any) -> Any:
        return {**self.named(name), "price": str(price)}

    async def scenario(self, do: Do) -> list[Answer]:
        bid = self.bid
        orders = [self.limit(bid - 80, f"b{number}") for number in range(3)]
        orders[1]["price"] = "1.05"
        stop = {"triggerPrice": str(bid - 2000), "triggerDirection": 2, "orderType": "Market", "reduceOnly": True}
        return [
            await do("place", self.limit(bid - 100, "a1")),
            await do("amend", {**self.named("a1"), "qty": "0.030", "price": str(bid - 90)}),
            await do("amend", {**self.named("a1"), "qty": "0.030"}),
            await do("place", self.limit(bid - 100, "a1")),
            await do("place", {**self.limit(0, "m1"), "orderType": "Market", "qty": "0.020"}),
            await do("place", self.limit(bid + 500, "exit", "Sell") | {"reduceOnly": True}),
            await do("place", {**self.limit(bid - 100), "qty": "0.0001"}),
            await do("place", {**self.limit(bid - 100), "qty": "900"}),
            await do("place", self.limit(0, "stop1", "Sell") | stop),
            await do("place_batch", {"category": "linear", "request": orders}),
            await do("amend_batch", {"category": "linear", "request": [self.named("b0") | {"qty": "0.011"}]}),
            await do("cancel_batch", {"category": "linear", "request": [self.named("b0"), self.named("b1")]}),
            await do("cancel", self.named("stop1")),
            await do("cancel", self.named("a1")),
            await do("cancel", self.named("a1")),
            await do("place", {**self.limit(0, "m2", "Sell"), "orderType": "Market", "qty": "0", "reduceOnly": True}),
        ]


class Okx(OrderClient):
    exchange = "okx"
    path = "/ws/v5/private"
    operations: ClassVar = {
        "place": ("order", "order"),
        "amend": ("amend-order", "amend-order"),
        "cancel": ("cancel-order", "cancel-order"),
        "place_batch": ("batch-orders", "batch-orders"),
        "amend_batch": ("amend-batch-orders", "batch-amend-orders"),
        "cancel_batch": ("cancel-batch-orders", "batch-cancel-orders"),
    }

    async def login(self) -> Any:
        await self.socket.send_json(self.auth())
        return await self.heard()

    def auth(self) -> dict[str, Any]:
        timestamp = str(self.now_ms // 1000)
        signature = okx_clients.sign(self.secret, f"{timestamp}GET/users/self/verify")
        arg = {"apiKey": self.key, "passphrase": self.passphrase, "timestamp": timestamp, "sign": signature}
        return {"op": "login", "args": [arg]}

    async def rest(self, operation: str, fields: Any) -> Answer:
        bare = okx_clients.Bare(self.simulator.url, self.session)
        _, body = await bare.signed("POST", f"/api/v5/trade/{self.operations[operation][0]}", fields)
        return self._answer(body)

    def _answer(self, body: Any) -> Answer:
        failed = [row for row in body["data"] if row["sCode"] != "0"]
        code = failed[0]["sCode"] if failed and len(failed) == len(body["data"]) else body["code"]
        return Answer("" if code in ("0", "2") else code, body["data"])

    def message(self, operation: str, fields: Any, number: Any) -> dict[str, Any]:
        name = self.operations[operation][1] if operation in self.operations else operation
        return {"id": number, "op": name, "args": fields if isinstance(fields, list) else [fields]}

    def read(self, frame: Any) -> Answer:
        return self._answer(frame)

    async def events(self) -> aiohttp.ClientWebSocketResponse:
        stream = await self.listen(self.path)
        names = ("orders", "positions")
        args = [{"channel": name, "instType": "SWAP"} for name in names] + [{"channel": "account"}]
        await stream.send_json(self.auth())
        assert (await stream.receive_json(timeout=60))["event"] == "login"
        await stream.send_json({"op": "subscribe", "args": args})
        await self.rest_of(stream)
        return stream

    def limit(self, price: Any, name: str = "", side: str = "buy") -> dict[str, Any]:
        order = {"instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": side, "ordType": "limit", "sz": "1"}
        return {**order, "px": str(price), **({"clOrdId": name} if name else {})}

    def named(self, name: str) -> Any:
        return {"instId": "BTC-USDT-SWAP", "clOrdId": name}

    def name_of(self, answer: Answer) -> str:
        return str(answer.content[0]["clOrdId"])

    def repriced(self, name: str, price: Any) -> Any:
        return {**self.named(name), "newPx": str(price)}

    async def scenario(self, do: Do) -> list[Answer]:
        bid = self.bid
        orders = [self.limit(bid - 80, f"b{number}") for number in range(3)]
        orders[1]["sz"] = "0.05"
        return [
            await do("place", self.limit(bid - 100, "a1")),
            await do("amend", {**self.named("a1"), "newSz": "3", "newPx": str(bid - 90), "reqId": "r1"}),
            await do("amend", {**self.named("a1"), "newPx": str(bid - 89)}),
            await do("place", self.limit(bid - 100, "a1")),
            await do("place", {**self.limit(0, "m1"), "ordType": "market", "sz": "2"}),
            await do("place", self.limit(bid + 500, "exit", "sell") | {"reduceOnly": True}),
            await do("place", self.limit(bid + 500, "post") | {"ordType": "post_only"}),
            await do("place", {**self.limit(bid - 100), "sz": "0.05"}),
            await do("place", {**self.limit(bid - 100), "sz": "90000"}),
            await do("place_batch", orders),
            await do("amend_batch", [self.named("b0") | {"newSz": "2"}, self.named("none") | {"newSz": "2"}]),
            await do("cancel_batch", [self.named("b0"), self.named("b1")]),
            await do("cancel", self.named("a1")),
            await do("cancel", self.named("a1")),
            await do("cancel_batch", [self.named("none")]),
        ]


class Gate(OrderClient):
    exchange = "gate"
    path = "/v4/ws/usdt"
    answers_to_place = 2
    operations: ClassVar = {
        "place": ("POST", "orders", "order_place"),
        "amend": ("PUT", "orders/{order_id}", "order_amend"),
        "cancel": ("DELETE", "orders/{order_id}", "order_cancel"),
        "place_batch": ("POST", "batch_orders", "order_batch_place"),
        "cancel_batch": ("POST", "batch_cancel_orders", "order_cancel_ids"),
        "cancel_all": ("DELETE", "orders", "order_cancel_cp"),
        "find": ("GET", "orders/{order_id}", "order_status"),
        "list": ("GET", "orders", "order_list"),
    }

    async def login(self) -> Any:
        await self.socket.send_json(self.auth())
        return await self.heard()

    def auth(self, parameter: str = "") -> dict[str, Any]:
        now = str(self.now_ms // 1000)
        payload = {"api_key": self.key, "timestamp": now, "req_id": "login"}
        payload["signature"] = self.sign(f"api\nfutures.login\n{parameter}\n{now}")
        return {"time": int(now), "channel": "futures.login", "event": "api", "payload": payload}

    def sign(self, text: str) -> str:
        return hmac.new(self.secret.encode(), text.encode(), hashlib.sha512).hexdigest()

    async def rest(self, operation: str, fields: Any) -> Answer:
        method, path, _ = self.operations[operation]
        rest, query, text, now = fields, "", "", str(self.now_ms // 1000)
        if "{order_id}" in path:
            path = path.format(**fields)
            rest = {name: value for name, value in fields.items() if name != "order_id"}
        path = f"/api/v4/futures/usdt/{path}"
        if method in ("GET", "DELETE"):
            query = urlencode(rest)
        else:
            text = json.dumps(rest)
        content = hashlib.sha512(text.encode()).hexdigest()
        sign = self.sign(f"{method}\n{path}\n{query}\n{content}\n{now}")
        headers = {"KEY": self.key, "SIGN": sign, "Timestamp": now, "Content-Type": "application/json"}
        url = f"{self.simulator.url}{path}{'?' + query if query else ''}"
        async with self.session.request(method, url, data=text or None, headers=headers) as response:
            body = await response.json()
        return Answer("", body) if response.status < 400 else Answer(body["label"], body["message"])

    def message(self, operation: str, fields: Any, number: Any) -> dict[str, Any]:
        name = self.operations[operation][2] if operation in self.operations else operation
        payload = {"req_id": number, "req_param": fields}
        return {"time": self.now_ms // 1000, "channel": f"futures.{name}", "event": "api", "payload": payload}

    def read(self, frame: Any) -> Answer:
        if "errs" in frame["data"]:
            return Answer(frame["data"]["errs"]["label"], frame["data"]["errs"]["message"])
        return Answer("", frame["data"]["result"])

    def final(self, frame: Any) -> bool:
        return not frame.get("ack", False)

    def number(self, frame: Any) -> Any:
        return frame.get("request_id")

    async def events(self) -> aiohttp.ClientWebSocketResponse:
        stream = await self.listen(self.path)
        for name, more in (("orders", ["!all"]), ("usertrades", ["!all"]), ("positions", ["!all"]), ("balances", [])):
            now = self.now_ms // 1000
            channel = f"futures.{name}"
            sign = self.sign(f"channel={channel}&event=subscribe&time={now}")
            auth = {"method": "api_key", "KEY": self.key, "SIGN": sign}
            message = {"time": now, "channel": channel, "event": "subscribe", "payload": ["20000001", *more]}
            await stream.send_json(message | {"auth": auth})
            assert (await stream.receive_json(timeout=60))["result"] == {"status": "success"}
        return stream

    def limit(self, price: Any, name: str = "", size: int = 10) -> dict[str, Any]:
        return {"contract": "BTC_USDT", "size": size, "price": str(price), **({"text": f"t-{name}"} if name else {})}

    def named(self, name: str) -> Any:
        return {"order_id": f"t-{name}"}

    def name_of(self, answer: Answer) -> str:
        return str(answer.content["text"]).removeprefix("t-")

    def repriced(self, name: str, price: Any) -> Any:
        return {**self.named(name), "price": str(price)}

    async def scenario(self, do: Do) -> list[Answer]:
        bid = self.bid
        orders = [self.limit(bid - 80, f"b{number}") for number in range(3)]
        orders[1]["price"] = "90000"
        return [
            await do("place", self.limit(bid - 100, "a1")),
            await do("amend", {**self.named("a1"), "size": 30, "price": str(bid - 90), "amend_text": "more"}),
            await do("amend", {**self.named("a1"), "size": -30}),
            await do("find", self.named("a1")),
            await do("place", self.limit(0, "m1", 20) | {"tif": "ioc"}),
            await do("place", self.limit(bid + 500, "exit", -10) | {"reduce_only": True}),
            await do("place", self.limit(bid + 500, "post") | {"tif": "poc"}),
            await do("place", self.limit(bid + 500, "fok", 900_000) | {"tif": "fok"}),
            await do("place", self.limit(bid - 100, size=900_000)),
            await do("place", self.limit(bid - 100) | {"text": "mine"}),
            await do("place_batch", orders),
            await do("list", {"contract": "BTC_USDT", "status": "open"}),
            await do("cancel_batch", ["t-b0", "t-none"]),
            await do("cancel", self.named("a1")),
            await do("cancel", self.named("a1")),
            await do("cancel", self.named("none")),
            await do("cancel_all", {"contract": "BTC_USDT", "side": "ask"}),
            await do("cancel_all", {"contract": "BTC_USDT"}),
            await do("place", {"contract": "BTC_USDT", "size": 0, "close": True, "price": "0", "tif": "ioc"}),
        ]


class Bitget(OrderClient):
    """Orders of a classic account (API v2)."""

    exchange = "bitget"
    path = "/v2/ws/private"
    settings: ClassVar = {"server": ccxt_venues.UNPACED.model_copy(update={"messages_per_second": 1000})}
    operations: ClassVar = {
        "place": ("/api/v2/mix/order/place-order", "place-order"),
        "cancel": ("/api/v2/mix/order/cancel-order", "cancel-order"),
    }
    topics: ClassVar = [
        {"instType": "USDT-FUTURES", "channel": name, key: "default"}
        for name, key in (("orders", "instId"), ("fill", "instId"), ("positions", "instId"), ("account", "coin"))
    ]

    async def login(self) -> Any:
        await self.socket.send_json(self.auth())
        return await self.heard()

    def sign(self, text: str) -> str:
        return okx_clients.sign(self.secret, text)

    def auth(self) -> dict[str, Any]:
        now = str(self.now_ms)
        arg = {"apiKey": self.key, "passphrase": self.passphrase, "timestamp": now}
        return {"op": "login", "args": [arg | {"sign": self.sign(f"{now}GET/user/verify")}]}

    def headers(self, signed: str) -> dict[str, str]:
        now = str(self.now_ms)
        headers = {"ACCESS-KEY": self.key, "ACCESS-PASSPHRASE": self.passphrase, "ACCESS-TIMESTAMP": now}
        return headers | {"ACCESS-SIGN": self.sign(f"{now}{signed}"), "Content-Type": "application/json"}

    async def post_rest(self, path: str, fields: Any) -> Any:
        text = json.dumps(fields)
        headers = self.headers(f"POST{path}{text}")
        async with self.session.post(self.simulator.url + path, data=text, headers=headers) as response:
            return await response.json()

    async def get_rest(self, path: str, params: dict[str, str]) -> Any:
        path = f"{path}?{urlencode(params)}"
        async with self.session.get(self.simulator.url + path, headers=self.headers(f"GET{path}")) as response:
            return await response.json()

    async def rest(self, operation: str, fields: Any) -> Answer:
        body = await self.post_rest(self.operations[operation][0], fields)
        return Answer("" if body["code"] == "00000" else body["code"], body["data"] or body["msg"])

    def message(self, operation: str, fields: Any, number: Any) -> dict[str, Any]:
        channel = self.operations[operation][1] if operation in self.operations else operation
        params = {name: value for name, value in fields.items() if name not in ("symbol", "productType")}
        arg = {"id": number, "instType": "USDT-FUTURES", "instId": fields.get("symbol", "BTCUSDT")}
        return {"op": "trade", "args": [{**arg, "channel": channel, "params": params}]}

    def read(self, frame: Any) -> Answer:
        if frame["event"] == "error":
            return Answer(str(frame["code"]), frame["msg"])
        return Answer("", frame["arg"][0]["params"])

    def number(self, frame: Any) -> Any:
        return frame["arg"][0].get("id")

    async def events(self) -> aiohttp.ClientWebSocketResponse:
        stream = await self.listen(self.path)
        await stream.send_json(self.auth())
        assert (await stream.receive_json(timeout=60))["code"] == 0
        await stream.send_json({"op": "subscribe", "args": self.topics})
        return stream

    def limit(self, price: Any, name: str = "", side: str = "buy") -> dict[str, Any]:
        pair = {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "marginMode": "crossed", "marginCoin": "USDT"}
        order = {**pair, "side": side, "orderType": "limit", "force": "gtc", "size": "0.010", "price": str(price)}
        return {**order, **({"clientOid": name} if name else {})}

    def named(self, name: str) -> Any:
        return {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "marginCoin": "USDT", "clientOid": name}

    def name_of(self, answer: Answer) -> str:
        return str(answer.content["clientOid"])

    def repriced(self, name: str, price: Any) -> Any:
        return None

    async def scenario(self, do: Do) -> list[Answer]:
        bid = self.bid
        stops = {"presetStopLossPrice": str(bid - 2000), "presetStopSurplusPrice": str(bid + 2000)}
        return [
            await do("place", self.limit(bid - 100, "a1")),
            await do("place", self.limit(bid - 100, "a1")),
            await do("place", {**self.limit(0, "m1"), "orderType": "market", "size": "0.020", **stops}),
            await do("place", self.limit(bid + 500, "exit", "sell") | {"reduceOnly": "YES"}),
            await do("place", self.limit(bid + 500, "post") | {"force": "post_only"}),
            await do("place", {**self.limit(bid - 100), "size": "0.0005"}),
            await do("place", {**self.limit(bid - 100), "size": "900"}),
            await do("place", {**self.limit(bid - 100), "marginMode": "isolated"}),
            await do("cancel", self.named("a1")),
            await do("cancel", self.named("a1")),
            await do("cancel", self.named("none")),
            await do("cancel", self.named("exit")),
        ]


class BitgetUnified(Bitget):
    """Orders of a unified account (API v3)."""

    path = "/v3/ws/private"
    settings: ClassVar = Bitget.settings | {"accounts": (AccountSettings(account_mode="unified"),)}
    operations: ClassVar = {
        "place": ("/api/v3/trade/place-order", "place-order"),
        "amend": ("/api/v3/trade/modify-order", "modify-order"),
        "cancel": ("/api/v3/trade/cancel-order", "cancel-order"),
        "place_batch": ("/api/v3/trade/place-batch", "batch-place"),
        "amend_batch": ("/api/v3/trade/batch-modify-order", "batch-modify"),
        "cancel_batch": ("/api/v3/trade/cancel-batch", "batch-cancel"),
    }
    topics: ClassVar = [{"instType": "UTA", "topic": name} for name in ("order", "fill", "position", "account")]

    async def rest(self, operation: str, fields: Any) -> Answer:
        answer = await super().rest(operation, fields)
        if answer.code or not isinstance(answer.content, list):
            return answer
        # Over the WebSocket each row has a code, one that was done too.
        return Answer("", [{"code": "0", "msg": "Success", **row} for row in answer.content])

    def message(self, operation: str, fields: Any, number: Any) -> dict[str, Any]:
        topic = self.operations[operation][1] if operation in self.operations else operation
        args = [
            {name: value for name, value in row.items() if name != "category"}
            for row in (fields if isinstance(fields, list) else [fields])
        ]
        return {"op": "trade", "id": number, "category": "usdt-futures", "topic": topic, "args": args}

    def read(self, frame: Any) -> Answer:
        if frame["event"] == "error":
            return Answer(frame["code"], frame["msg"])
        rows = [{key: row[key] for key in row if key not in ("symbol", "cTime")} for row in frame["args"]]
        return Answer("", rows if frame["topic"].startswith("batch-") else rows[0])

    def number(self, frame: Any) -> Any:
        return frame.get("id")

    def limit(self, price: Any, name: str = "", side: str = "buy") -> dict[str, Any]:
        order = {"category": "USDT-FUTURES", "symbol": "BTCUSDT", "side": side, "orderType": "limit", "qty": "0.010"}
        return {**order, "timeInForce": "gtc", "price": str(price), **({"clientOid": name} if name else {})}

    def named(self, name: str) -> Any:
        return {"category": "USDT-FUTURES", "symbol": "BTCUSDT", "clientOid": name}

    def repriced(self, name: str, price: Any) -> Any:
        return {**self.named(name), "price": str(price)}

    async def scenario(self, do: Do) -> list[Answer]:
        bid = self.bid
        orders = [self.limit(bid - 80, f"b{number}") for number in range(3)]
        orders[1]["qty"] = "900"
        return [
            await do("place", self.limit(bid - 100, "a1")),
            await do("amend", {**self.named("a1"), "qty": "0.030", "price": str(bid - 90)}),
            await do("amend", {**self.named("a1"), "qty": "0.030"}),
            await do("amend", {**self.named("a1"), "qty": "0.0305"}),
            await do("amend", {**self.named("none"), "qty": "0.030"}),
            await do("place", {**self.limit(0, "m1"), "orderType": "market", "qty": "0.020"}),
            await do("place", self.limit(bid + 500, "exit", "sell") | {"reduceOnly": "YES"}),
            await do("place", self.limit(bid - 70, "post") | {"timeInForce": "post_only"}),
            await do("amend", {**self.named("post"), "price": str(bid + 500)}),
            await do("amend", {**self.named("post"), "price": str(bid + 500), "autoCancel": "yes"}),
            await do("place", {**self.limit(bid - 100), "qty": "900"}),
            await do("place_batch", orders),
            await do("amend_batch", [{**self.named("b0"), "qty": "0.011"}, {**self.named("b2"), "qty": "0.010"}]),
            await do("cancel_batch", [self.named("b0"), self.named("none")]),
            await do("cancel", self.named("a1")),
            await do("cancel", self.named("none")),
        ]


CLIENTS: list[type[OrderClient]] = [Binance, Bitget, BitgetUnified, Bybit, Gate, Okx]


def delayed_login(*, before: bool = True) -> Fault:
    """A fault: the login comes into force late, or is only answered late."""
    return Fault.model_validate({"kind": "delay", "on": "login", "delay_ms": 700, "before": before})


async def in_one_window(client: Any, window_ms: int, act: Callable[[], Awaitable[Any]]) -> Any:
    """Return what *act* returns once it began and ended in one window of a limit, however busy the machine is."""
    clock = client.simulator.market.clock

    async def attempt() -> list[Any]:
        client.simulator.engine.cancel_all("sim-key", "BTCUSDT")
        clock.skew_ms += window_ms - clock.server_ms() % window_ms
        client.skew_ms, window = clock.skew_ms, clock.server_ms() // window_ms
        result = await act()
        return [result] if clock.server_ms() // window_ms == window else []

    return (await eventually(attempt))[0]


def open_window(client: Any) -> None:
    """Set both clocks to just after a full minute, so that no window of a limit ends within the test."""
    clock = client.simulator.market.clock
    clock.skew_ms = client.skew_ms = 1000 - clock.server_ms() % 60_000


@asynccontextmanager
async def order_client(kind: type[OrderClient], *, log_in: bool = True, **more: Any) -> AsyncIterator[Any]:
    """Start a venue whose market stands still at a given time, and connect a client to it."""
    venue = settings(exchange=kind.exchange, **{"clock": "manual", "start_ms": START_MS} | kind.settings | more)
    async with Simulator(venue) as simulator, aiohttp.ClientSession() as session:
        client = kind(simulator, session)
        await client.connect()
        if log_in:
            await client.login()
        yield client
