"""Bybit v5, USDT perpetuals of a unified account: https://bybit-exchange.github.io/docs/v5/intro."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

import ccxt.pro

from opensqt.config.venue import VenueSettings
from opensqt.model.account import Account, Position, PositionMode
from opensqt.model.errors import ExchangeError, OrderNotFound, OutcomeUnknown, PermissionDenied, VenueError
from opensqt.model.market import INTERVALS_MS, Candle, Price
from opensqt.model.order import Fill, Order, OrderRef, OrderRequest, OrderUpdate, PositionSide
from opensqt.model.venue import Capabilities
from opensqt.venues.account.acks import PendingAck, PendingAcks, wait_for_acks
from opensqt.venues.bybit import errors as venue_errors
from opensqt.venues.bybit import parse
from opensqt.venues.bybit.limits import RATE_LIMITS
from opensqt.venues.bybit.requests import Requests, order_params, ref_params, refusals
from opensqt.venues.transport.ccxt_client import CcxtMixin
from opensqt.venues.transport.errors import PARSE_ERRORS
from opensqt.venues.venue import Event, StreamReady, Venue, acknowledged_order

Row = dict[str, Any]
_ACK_TIMEOUT_S = 1.0
"""How long the private stream gets to tell what became of an order before the venue is asked."""
_PRIVATE = ["order.linear", "execution.linear", "position.linear", "wallet"]
_PRIVATE_ID = "private"
_LOGIN_LASTS_MS = 10_000


class _Client(CcxtMixin, ccxt.pro.bybit):  # type: ignore[misc]
    """ccxt's client, with the venue's time in its login and the venue's headers in its errors."""

    async def authenticate(self, url: str, params: Row | None = None) -> Any:
        """Log a connection in, with an end of the login's life that the venue's clock has not passed."""
        socket, name = self.client(url), "authenticated"
        future = socket.reusableFuture(name)
        if name not in socket.subscriptions:
            expires = str(self.nonce() + _LOGIN_LASTS_MS)
            signature = self.hmac(
                self.encode(f"GET/realtime{expires}"), self.encode(self.secret), hashlib.sha256, "hex"
            )
            self.watch(url, name, {"op": "auth", "args": [self.apiKey, expires, signature]}, name)
        return await future

    def handle_errors(self, *arguments: Any) -> None:
        """Note how long to wait, which the venue tells in headers of its own."""
        try:
            super().handle_errors(*arguments)
        except ccxt.BaseError as error:
            error.reply = venue_errors.explained(error.reply, arguments[4], self.nonce())
            raise

    def code_and_message(self, response: Any) -> tuple[str, str]:
        """Pick the venue's own code and text out of an answer."""
        if not isinstance(response, dict):
            return "", ""
        message = str(response.get("retMsg", ""))
        return venue_errors.code_of(response.get("retCode", ""), message), message


class Bybit(Venue):
    """What Bybit does differently: a reply to an order only says that it was taken, the stream tells the rest."""

    name = "bybit"
    capabilities = Capabilities(max_batch=10, intervals=frozenset(INTERVALS_MS))
    codes = venue_errors.CODES
    rate_limits = RATE_LIMITS
    stale_rules = venue_errors.STALE_RULES
    announces_ready = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._requests = Requests(self.rest)
        self._acks = PendingAcks()
        self._touches: dict[str, parse.Touch] = {}

    @classmethod
    def make_client(cls, settings: VenueSettings) -> Any:
        """Make the client for the venue, its test network, or a simulator."""
        client = _Client(
            {
                "apiKey": settings.api_key.get_secret_value(),
                "secret": settings.secret.get_secret_value(),
                "enableRateLimit": False,
                "timeout": int(settings.request_timeout_s * 1000),
                "options": {"recvWindow": settings.recv_window_ms, "fetchMarkets": {"types": ["linear"]}},
            }
        )
        client.number = str
        if settings.base_url:
            client.timeout_on_exit = 0  # no TLS to wind down
            api, address = client.urls["api"], f"ws{settings.base_url.removeprefix('http')}/v5"
            api["public"] = api["private"] = settings.base_url
            api["ws"]["public"]["linear"] = f"{address}/public/linear"
            api["ws"]["private"]["contract"] = f"{address}/private"
        elif settings.testnet:
            client.set_sandbox_mode(True)
        return client

    # Orders

    async def place(self, request: OrderRequest) -> Order:
        """https://bybit-exchange.github.io/docs/v5/order/create-order."""
        with self._acks.expect(_ref(request)) as ack:
            answer = await self._requests.post(
                "OrderCreate", order_params(self.market_id(request.symbol), request), request.symbol
            )
            await wait_for_acks([ack], _ACK_TIMEOUT_S)
            return await self._placed(request, answer["result"], int(answer["time"]), ack)

    async def place_batch(self, requests: Sequence[OrderRequest]) -> list[Order | ExchangeError]:
        """Send up to ten orders."""
        symbol = requests[0].symbol
        with ExitStack() as stack:
            acks = [stack.enter_context(self._acks.expect(_ref(request))) for request in requests]
            params = [order_params(self.market_id(request.symbol), request) for request in requests]
            answer = await self._requests.post("OrderCreateBatch", {"request": params}, symbol)
            rows = answer["result"]["list"]
            refused = refusals(answer, symbol)
            await wait_for_acks(
                [ack for ack, refusal in zip(acks, refused, strict=True) if refusal is None], _ACK_TIMEOUT_S
            )
            return [
                refusal or await self._placed(request, row, int(answer["time"]), ack)
                for request, row, ack, refusal in zip(requests, rows, acks, refused, strict=True)
            ]

    async def cancel(self, ref: OrderRef) -> Order:
        """Cancel one order."""
        with self._acks.expect(ref, closed=True) as ack:
            await self._requests.post("OrderCancel", ref_params(self.market_id(ref.symbol), ref), ref.symbol)
            await wait_for_acks([ack], _ACK_TIMEOUT_S)
            ended = _ended(ref, ack)
            if isinstance(ended, ExchangeError):
                raise ended
            return ended

    async def cancel_batch(self, symbol: str, refs: Sequence[OrderRef]) -> list[Order | ExchangeError]:
        """Cancel up to ten orders."""
        with ExitStack() as stack:
            acks = [stack.enter_context(self._acks.expect(ref, closed=True)) for ref in refs]
            params = {"request": [ref_params(self.market_id(ref.symbol), ref) for ref in refs]}
            answer = await self._requests.post("OrderCancelBatch", params, symbol)
            refused = refusals(answer, symbol)
            await wait_for_acks(
                [ack for ack, refusal in zip(acks, refused, strict=True) if refusal is None], _ACK_TIMEOUT_S
            )
            return [refusal or _ended(ref, ack) for ref, ack, refusal in zip(refs, acks, refused, strict=True)]

    async def cancel_all(self, symbol: str) -> None:
        """Cancel every open order of a symbol."""
        await self._requests.post("OrderCancelAll", {"symbol": self.market_id(symbol)}, symbol)

    async def order(self, ref: OrderRef) -> Order:
        """Ask for one order: among the open and the last 500 closed ones, then in the history."""
        for endpoint in ("OrderRealtime", "OrderHistory"):
            answer = await self._requests.get(endpoint, ref_params(self.market_id(ref.symbol), ref), ref.symbol)
            for row in answer["list"]:
                return parse.order(row)
        raise OrderNotFound(f"{ref.client_order_id or ref.order_id}: the venue knows no such order", symbol=ref.symbol)

    async def open_orders(self, symbol: str = "") -> list[Order]:
        """Ask for the open orders."""
        rows = await self._requests.pages("OrderRealtime", self._which(symbol), 50, symbol)
        return self.parse_rows((row for row in rows if row["symbol"] in self.rules), parse.order)

    async def fills(self, symbol: str, since_ms: int) -> list[Fill]:
        """Ask for trades, a week in each window. What they earned is told by another query."""
        which = self._which(symbol)
        if since_ms:
            rows = await self._requests.trades(which, symbol, since_ms, await self.market_now_ms(symbol))
        else:
            rows = await self._requests.newest_trades(which, symbol)
        profits = await self._requests.profits(which["symbol"], rows, symbol)
        return self.parse_rows(rows, lambda row: self._fill(row, profits.get(row["execId"], "0")))

    # The account

    async def account(self) -> Account:
        """Ask for the unified account's wallet."""
        return parse.account((await self._requests.get("AccountWalletBalance", {"accountType": "UNIFIED"}))["list"][0])

    async def positions(self, symbol: str = "") -> list[Position]:
        """Ask for one symbol's positions, flat ones included, or for all that are held."""
        rows = await self._requests.pages("PositionList", self._which(symbol), 200, symbol)
        return self.parse_rows((row for row in rows if row["symbol"] in self.rules), parse.position)

    async def load_position_mode(self) -> None:
        """Find out the account's position mode, which the venue keeps by symbol and tells by positions alone."""
        symbols = [symbol for symbol in self.settings.symbols or list(self.rules)[:1] if symbol in self.rules]
        hedged = {p.position_side is not PositionSide.BOTH for each in symbols for p in await self.positions(each)}
        if len(hedged) > 1:
            raise VenueError(f"position mode: differs among {', '.join(symbols)}; set one for all of them at the venue")
        self.position_mode = PositionMode.HEDGE if True in hedged else PositionMode.ONE_WAY

    async def set_position_mode(self, mode: PositionMode) -> None:
        """Ask the venue to switch the mode of every USDT perpetual."""
        params = {"coin": parse.ASSET, "mode": "3" if mode is PositionMode.HEDGE else "0"}
        await self._requests.settle("PositionSwitchMode", params)

    async def set_leverage(self, symbol: str, leverage: int) -> Decimal:
        """Set the leverage of a symbol, and ask what it is."""
        params = {"symbol": self.market_id(symbol), "buyLeverage": str(leverage), "sellLeverage": str(leverage)}
        await self._requests.settle("PositionSetLeverage", params, symbol)
        held = await self.positions(symbol)
        if not held or held[0].leverage is None:
            raise VenueError(f"leverage of {symbol}: the venue does not tell it", symbol=symbol)
        return held[0].leverage

    async def key_warnings(self) -> list[str]:
        """Tell whether the key may withdraw, and refuse one that may not trade."""
        key = await self._requests.get("UserQueryApi", {})
        rights: dict[str, list[str]] = key["permissions"]
        if key.get("readOnly") == 1 or "Order" not in (rights.get("ContractTrade") or []):
            raise PermissionDenied("bybit: this key may not trade contracts; allow it `Orders` under `Contract`")
        if "Withdraw" in (rights.get("Wallet") or []):
            return ["this key may withdraw: take that right from it, trading does not need it"]
        return []

    # The market

    async def price(self, symbol: str) -> Price:
        """Ask for the best bid and ask: the book, as it alone tells the market's time."""
        params = {"symbol": self.market_id(symbol), "limit": "1"}
        row = await self._requests.get("MarketOrderbook", params, symbol, public=True)
        return parse.price(symbol, parse.level(row["b"][0]), parse.level(row["a"][0]), row.get("cts") or row["ts"])

    async def candles(
        self, symbol: str, interval: str, limit: int, start_ms: int | None = None, end_ms: int | None = None
    ) -> list[Candle]:
        """Ask for candles; of a window that holds more than asked for, the venue would answer the newest."""
        params = {"symbol": self.market_id(symbol), "interval": parse.INTERVAL[interval], "limit": str(limit)}
        if start_ms is not None:
            length_ms = INTERVALS_MS[interval]
            first_ms = -(-start_ms // length_ms) * length_ms
            last_ms = first_ms + (limit - 1) * length_ms
            params |= {"start": str(first_ms)}
            end_ms = last_ms if end_ms is None else min(end_ms, last_ms)
        if end_ms is not None:
            params["end"] = str(end_ms)
        rows = (await self._requests.get("MarketKline", params, symbol, public=True))["list"][::-1]
        last_closed = bool(rows) and await self.has_passed(symbol, int(rows[-1][0]) + INTERVALS_MS[interval] - 1)
        return [parse.candle(symbol, interval, row, closed=row is not rows[-1] or last_closed) for row in rows]

    # Streams

    def parse(self, frame: Any) -> Iterable[Event] | None:
        """Read one frame; its field names are in the venue's WebSocket documents."""
        kind, _, rest = str(frame.get("topic", "")).partition(".")
        if kind == "orderbook":
            symbol = frame["data"]["s"]
            price = self._touches.setdefault(symbol, parse.Touch()).take(frame)
            return () if price is None else (price,)
        if kind == "kline":
            return parse.streamed_candles(rest.partition(".")[2], frame["data"])
        if kind == "order":
            return self._each(frame["data"], self._on_order)
        if kind == "execution":
            return self._each((row for row in frame["data"] if parse.is_trade(row)), self._fill)
        if kind == "position":
            return self._each(frame["data"], parse.position)
        if kind == "wallet":
            return parse.balances(frame)
        if kind:
            self.count_unknown(kind)
            return ()
        ready = frame.get("req_id") == _PRIVATE_ID and frame.get("success") is True
        return (StreamReady(),) if ready else None

    def is_private(self, url: str) -> bool:
        """Whether a connection carries the account's events."""
        return url.endswith("/v5/private")

    async def watch_private(self) -> None:
        """Log in, and hold the account's streams."""
        client = self.client
        url = client.implode_hostname(client.urls["api"]["ws"]["private"]["contract"])
        try:
            await client.authenticate(url)
            message = {"op": "subscribe", "req_id": _PRIVATE_ID, "args": _PRIVATE}
            await client.watch_multiple(url, [_PRIVATE_ID], message, [_PRIVATE_ID], {"id": _PRIVATE_ID})
        except asyncio.CancelledError:
            raise
        except ccxt.BaseError:
            # What was refused is tried again on a new connection: this one may be logged in half.
            client.abort_connection(client.client(url))
            raise

    async def unwatch_price(self, symbol: str) -> None:
        """Give the subscription up."""
        name, url = self.unified(symbol), self.client.urls["api"]["ws"]["public"]["linear"]
        topics = [f"orderbook.1.{self.market_id(symbol)}"]
        hashes = ([f"unsubscribe:bidask:{name}"], [f"bidask:{name}"])
        await self.client.un_watch_topics(self.client.implode_hostname(url), "orderbook", [name], *hashes, topics)
        self._touches.pop(symbol, None)

    # Ours to the venue's

    def _which(self, symbol: str) -> Row:
        return {"symbol": self.market_id(symbol)} if symbol else {"settleCoin": parse.ASSET}

    # The venue's to ours

    async def _placed(self, request: OrderRequest, row: Row, time_ms: int, ack: PendingAck) -> Order:
        """Answer what became of an order that the venue took: as streamed, as asked for, or as sent."""
        if ack.order is not None:
            return ack.order
        try:
            return await self.order(OrderRef(symbol=request.symbol, order_id=row["orderId"]))
        except (ExchangeError, *PARSE_ERRORS):
            # It was taken, and that is all that is known; the stream or the next comparison tells more.
            return acknowledged_order(request, row["orderId"], self._market_time_ms or time_ms)

    def _fill(self, row: Row, profit: str = "0") -> Fill:
        return parse.fill(row, one_way=self.position_mode is PositionMode.ONE_WAY, profit=profit)

    def _on_order(self, row: Row) -> Event:
        order = parse.order(row)
        self._acks.resolve(order)
        return OrderUpdate(order=order)

    def _each(self, rows: Iterable[Row], read: Callable[[Row], Event]) -> Iterator[Event]:
        """Read the rows of a frame; one that can't be read hides no other, and has the frame reported."""
        wrong: Exception | None = None
        for row in rows:
            try:
                if row["symbol"] in self.rules:
                    yield read(row)
            except PARSE_ERRORS as error:
                wrong = error
        if wrong is not None:
            raise wrong


def _ref(request: OrderRequest) -> OrderRef:
    return OrderRef(symbol=request.symbol, client_order_id=request.client_order_id)


def _ended(ref: OrderRef, ack: PendingAck) -> Order | ExchangeError:
    """Answer the end of an order whose cancel was taken, or that it was not told yet."""
    return ack.order or OutcomeUnknown("the cancel was taken; its end was not told yet", symbol=ref.symbol)
