"""OKX USDT-margined perpetual swaps, counted in contracts: https://www.okx.com/docs-v5/en/."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import ccxt

from opensqt.config.venue import VenueSettings
from opensqt.model.account import Account, Position, PositionMode
from opensqt.model.errors import ExchangeError, OrderNotFound, OutcomeUnknown, PermissionDenied, VenueError
from opensqt.model.market import INTERVALS_MS, Candle, Price
from opensqt.model.order import Fill, Order, OrderRef, OrderRequest, TimeInForce
from opensqt.model.venue import Capabilities, SymbolRules
from opensqt.venues.account.state import flat, sides
from opensqt.venues.okx import errors as venue_errors
from opensqt.venues.okx import parse
from opensqt.venues.okx.limits import RATE_LIMITS
from opensqt.venues.okx.requests import Requests, client_for
from opensqt.venues.transport.errors import PARSE_ERRORS
from opensqt.venues.venue import Event, StreamReady, Venue, acknowledged_order

Row = dict[str, Any]
_RECENT_MS = 3 * 86_400_000
"""How far back the quick trades endpoint reaches; the other one goes three months back and may lag."""
_CANCEL_LOOKS_S = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)
"""A cancel is acknowledged before it is done: when to look whether it is."""
_CANCEL_ALL_ROUNDS = 20
_PRIVATE_CHANNELS = (
    {"channel": "orders", "instType": "SWAP"},
    {"channel": "positions", "instType": "SWAP"},
    {"channel": "account"},
)


class Okx(Venue):
    """What OKX does differently."""

    name = "okx"
    capabilities = Capabilities(max_batch=20, intervals=frozenset(INTERVALS_MS))
    codes = venue_errors.CODES
    rate_limits = RATE_LIMITS
    stale_rules = venue_errors.STALE_RULES
    needs_passphrase = True
    announces_ready = True

    def __init__(self, settings: VenueSettings, client: Any, rest: Any) -> None:
        super().__init__(settings, client, rest)
        self._by_id: dict[str, SymbolRules] = {}
        self._requests = Requests(client, rest)
        self._unacknowledged: set[str] = set()

    @classmethod
    def make_client(cls, settings: VenueSettings) -> Any:
        """Make the client for the venue, its demo trading, or a simulator."""
        return client_for(settings)

    async def load_rules(self) -> None:
        """Load the rules, and know them by the venue's names too."""
        await super().load_rules()
        self._by_id = {self.market_id(symbol): rules for symbol, rules in self.rules.items()}

    # Orders

    async def place(self, request: OrderRequest) -> Order:
        """Send one order; https://www.okx.com/docs-v5/en/#order-book-trading-trade-post-place-order."""
        rows = await self._requests.change("privatePostTradeOrder", self._ordered(request), request.symbol)
        return await self._settled(acknowledged_order(request, rows[0]["ordId"], int(rows[0].get("ts") or 0)))

    async def place_batch(self, requests: Sequence[OrderRequest]) -> list[Order | ExchangeError]:
        """Send up to twenty orders."""
        symbol = requests[0].symbol
        rows = await self._requests.change(
            "privatePostTradeBatchOrders", [self._ordered(request) for request in requests], symbol
        )
        if len(rows) != len(requests):
            raise OutcomeUnknown(f"the venue answered {len(rows)} of {len(requests)} orders", symbol=symbol)
        answers = [
            venue_errors.refusal(row, request.symbol)
            or acknowledged_order(request, row["ordId"], int(row.get("ts") or 0))
            for row, request in zip(rows, requests, strict=True)
        ]
        settle = [self._settled(answer) for answer in answers if isinstance(answer, Order)]
        settled = iter(await asyncio.gather(*settle))
        return [next(settled) if isinstance(answer, Order) else answer for answer in answers]

    async def cancel(self, ref: OrderRef) -> Order:
        """Cancel one order, and look until it is closed: the venue acknowledges before it has done so."""
        await self._requests.change("privatePostTradeCancelOrder", self._ref_params(ref), ref.symbol)
        return await self._closed(ref)

    async def cancel_batch(self, symbol: str, refs: Sequence[OrderRef]) -> list[Order | ExchangeError]:
        """Cancel up to twenty orders."""
        params = [self._ref_params(ref) for ref in refs]
        rows = await self._requests.change("privatePostTradeCancelBatchOrders", params, symbol)
        if len(rows) != len(refs):
            raise OutcomeUnknown(f"the venue answered {len(rows)} of {len(refs)} cancels", symbol=symbol)

        async def answer(row: Row, ref: OrderRef) -> Order | ExchangeError:
            try:
                return venue_errors.refusal(row, symbol) or await self._closed(ref)
            except ExchangeError as error:
                return error

        return list(await asyncio.gather(*(answer(row, ref) for row, ref in zip(rows, refs, strict=True))))

    async def cancel_all(self, symbol: str) -> None:
        """Cancel what is open, in batches: the venue has no such request for swaps."""
        asked: set[str] = set()
        for _ in range(_CANCEL_ALL_ROUNDS):
            found = [order for order in await self.open_orders(symbol) if order.order_id not in asked]
            if not found:
                return
            for start in range(0, len(found), self.capabilities.max_batch):
                chunk = found[start : start + self.capabilities.max_batch]
                params = [{"instId": self.market_id(symbol), "ordId": order.order_id} for order in chunk]
                rows = await self._requests.change("privatePostTradeCancelBatchOrders", params, symbol)
                for row in rows:
                    refusal = venue_errors.refusal(row, symbol)
                    if refusal is not None and not isinstance(refusal, OrderNotFound | OutcomeUnknown):
                        raise refusal
                asked |= {order.order_id for order in chunk}

    async def order(self, ref: OrderRef) -> Order:
        """Ask for one order."""
        rows = await self._requests.ask("privateGetTradeOrder", self._ref_params(ref), ref.symbol)
        return parse.order(rows[0], self.rules[ref.symbol])

    async def open_orders(self, symbol: str = "") -> list[Order]:
        """Ask for the open orders, all pages."""
        rows = await self._requests.pages("privateGetTradeOrdersPending", "ordId", self._where(symbol), symbol)
        return self.parse_rows(self._ours(rows), lambda row: parse.order(row, self._by_id[row["instId"]]))

    async def fills(self, symbol: str, since_ms: int) -> list[Fill]:
        """Ask for trades, newest page first."""
        recent = not since_ms or since_ms > int(self.client.nonce()) - _RECENT_MS
        endpoint = "privateGetTradeFills" if recent else "privateGetTradeFillsHistory"
        query = self._where(symbol) | ({"begin": str(since_ms)} if since_ms else {})
        rows = await self._requests.pages(endpoint, "billId", query, symbol, only_first=not since_ms)
        return self.parse_rows(reversed(rows), lambda row: parse.fill(row, self.rules[symbol]))

    # The account

    async def account(self) -> Account:
        """Ask for the balance of the margin asset."""
        (row,) = await self._requests.ask("privateGetAccountBalance", {"ccy": parse.ASSET})
        return parse.account(row)

    async def positions(self, symbol: str = "") -> list[Position]:
        """Ask for the positions; one that was never opened is not told, so that a flat one is made of its absence."""
        rows = await self._requests.ask("privateGetAccountPositions", self._where(symbol), symbol)
        found = self.parse_rows(self._ours(rows), lambda row: parse.position(row, self._by_id[row["instId"]]))
        expected = tuple(sides(self.position_mode))
        found = [position for position in found if position.position_side in expected]
        missing = set(expected) - {position.position_side for position in found} if symbol else set()
        if missing:
            self.leverages[symbol] = await self._leverage(symbol)
        return found + [flat(symbol, side) for side in expected if side in missing]

    async def load_position_mode(self) -> None:
        """Find out the account's position mode, and that the key and the account may trade swaps."""
        (config,) = await self._requests.ask("privateGetAccountConfig")
        if "trade" not in str(config.get("perm", "trade")).split(","):
            raise PermissionDenied("this OKX key may not trade: allow trading for it, or use public-only mode")
        if config.get("acctLv") == "1":
            raise PermissionDenied("this OKX account is in spot mode: switch it to futures mode, then swaps can trade")
        hedge = config["posMode"] == "long_short_mode"
        self.position_mode = PositionMode.HEDGE if hedge else PositionMode.ONE_WAY

    async def set_position_mode(self, mode: PositionMode) -> None:
        """Ask the venue to switch the mode."""
        wanted = "long_short_mode" if mode is PositionMode.HEDGE else "net_mode"
        await self._requests.change("privatePostAccountSetPositionMode", {"posMode": wanted})

    async def set_leverage(self, symbol: str, leverage: int) -> Decimal:
        """Set the cross-margin leverage of a symbol, and ask what it is."""
        params = {"instId": self.market_id(symbol), "mgnMode": "cross", "lever": str(leverage)}
        await self._requests.change("privatePostAccountSetLeverage", params, symbol)
        return await self._leverage(symbol)

    async def key_warnings(self) -> list[str]:
        """Tell whether the key may withdraw."""
        (config,) = await self._requests.ask("privateGetAccountConfig")
        if "withdraw" in str(config.get("perm", "")).split(","):
            return ["this key may withdraw: take that right from it, trading does not need it"]
        return []

    # The market

    async def price(self, symbol: str) -> Price:
        """Ask for the best bid and ask."""
        (row,) = await self._requests.ask("publicGetMarketBooks", {"instId": self.market_id(symbol), "sz": "1"}, symbol)
        found = parse.price(row, self.rules[symbol])
        if found is None:
            raise VenueError(f"price of {symbol}: one side of the book is empty", symbol=symbol)
        return found

    async def candles(
        self, symbol: str, interval: str, limit: int, start_ms: int | None = None, end_ms: int | None = None
    ) -> list[Candle]:
        """Ask for candles."""
        params = {"instId": self.market_id(symbol), "bar": parse.BARS[interval]}
        if start_ms is not None:
            params["before"] = str(start_ms - 1)
            newest_ms = start_ms + (limit - 1) * INTERVALS_MS[interval]
            end_ms = newest_ms if end_ms is None else min(newest_ms, end_ms)
        rows = await self._requests.candles(params, limit, end_ms, symbol)
        return [parse.candle(row, self.rules[symbol], interval) for row in reversed(rows)]

    # Streams

    def parse(self, frame: Any) -> Iterable[Event] | None:
        """Read one frame: `{"arg": ..., "data": [...]}`, or an `event` that answers what we sent."""
        if "event" in frame:
            return self._parse_event(frame)
        arg = frame["arg"]
        channel, rows = arg["channel"], frame["data"]
        if channel == "bbo-tbt":
            prices = [parse.price(row, self._by_id[arg["instId"]]) for row in rows]
            return [price for price in prices if price is not None]
        if channel.startswith("candle"):
            interval = parse.INTERVALS[channel.removeprefix("candle")]
            return [parse.candle(row, self._by_id[arg["instId"]], interval) for row in rows]
        if channel == "orders":
            return [parse.order_update(row, self._by_id[row["instId"]]) for row in self._ours(rows)]
        if channel == "positions":
            found = [parse.position(row, self._by_id[row["instId"]]) for row in self._ours(rows)]
            return [position for position in found if position.position_side in sides(self.position_mode)]
        if channel == "account":
            return parse.balance_changes(rows)
        self.count_unknown(str(channel))
        return ()

    def is_private(self, url: str) -> bool:
        """Whether a connection carries the account's events."""
        return "/ws/v5/private" in url

    async def watch_private(self) -> None:
        """Sign in and hold the account's channels; a refusal ends the connection, so that the next try begins anew."""
        url = self.client.get_url("orders", "private")
        self._unacknowledged = {arg["channel"] for arg in _PRIVATE_CHANNELS}
        try:
            async with asyncio.timeout(self.settings.request_timeout_s):
                await self.client.authenticate({"access": "private"})
            await self._hold(url, "account events", list(_PRIVATE_CHANNELS))
        except (ccxt.BaseError, TimeoutError):
            self.client.abort_connection(self.client.client(url))
            raise

    async def watch_price(self, symbol: str) -> None:
        """Hold the subscription to the best bid and ask, told tick by tick."""
        await self._hold(self.client.get_url("bbo-tbt"), f"price:{symbol}", [self._arg("bbo-tbt", symbol)])

    async def unwatch_price(self, symbol: str) -> None:
        """Give the subscription up."""
        await self._let_go(self.client.get_url("bbo-tbt"), f"price:{symbol}", self._arg("bbo-tbt", symbol))

    async def watch_candles(self, symbol: str, interval: str) -> None:
        """Hold the subscription to candles."""
        channel = f"candle{parse.BARS[interval]}"
        await self._hold(self.client.get_url(channel), f"{channel}:{symbol}", [self._arg(channel, symbol)])

    async def unwatch_candles(self, symbol: str, interval: str) -> None:
        """Give the subscription up."""
        channel = f"candle{parse.BARS[interval]}"
        await self._let_go(self.client.get_url(channel), f"{channel}:{symbol}", self._arg(channel, symbol))

    def _parse_event(self, frame: Row) -> Iterable[Event] | None:
        event = frame["event"]
        if event in ("login", "error"):
            return None
        channel = frame.get("arg", {}).get("channel")
        if event == "subscribe" and channel in self._unacknowledged:
            self._unacknowledged.discard(channel)
            if not self._unacknowledged:
                return (StreamReady(),)
        elif event not in ("subscribe", "unsubscribe", "channel-conn-count"):
            self.count_unknown(str(event))
        return ()

    def _arg(self, channel: str, symbol: str) -> dict[str, str]:
        return {"channel": channel, "instId": self.market_id(symbol)}

    async def _hold(self, url: str, name: str, args: list[dict[str, str]]) -> None:
        await self.client.watch(url, name, {"op": "subscribe", "args": args}, name)

    async def _let_go(self, url: str, name: str, arg: dict[str, str]) -> None:
        socket = self.client.clients.get(url)
        if socket is None or socket.connection is None or socket.connection.closed:
            return
        socket.subscriptions.pop(name, None)
        socket.futures.pop(name, None)
        await socket.send({"op": "unsubscribe", "args": [arg]})

    # Ours to the venue's

    def _ordered(self, request: OrderRequest) -> Row:
        return parse.order_params(request, self.rules[request.symbol], self.market_id(request.symbol))

    def _ref_params(self, ref: OrderRef) -> Row:
        params = {"instId": self.market_id(ref.symbol)}
        if ref.client_order_id:
            return params | {"clOrdId": ref.client_order_id}
        return params | {"ordId": ref.order_id}

    async def _leverage(self, symbol: str) -> Decimal:
        params = {"instId": self.market_id(symbol), "mgnMode": "cross"}
        rows = await self._requests.ask("privateGetAccountLeverageInfo", params, symbol)
        if not rows:
            raise VenueError(f"leverage of {symbol}: the venue does not tell it", symbol=symbol)
        return Decimal(rows[0]["lever"])

    def _where(self, symbol: str) -> Row:
        return {"instType": "SWAP"} | ({"instId": self.market_id(symbol)} if symbol else {})

    # The venue's to ours

    def _ours(self, rows: Iterable[Row]) -> Iterable[Row]:
        return (row for row in rows if row["instId"] in self._by_id)

    async def _settled(self, order: Order) -> Order:
        """Look what became of a post-only order: the venue accepts one that would take, and cancels it then."""
        if order.time_in_force is not TimeInForce.POST_ONLY:
            return order
        try:
            return await self.order(OrderRef(symbol=order.symbol, order_id=order.order_id))
        except (ExchangeError, *PARSE_ERRORS):
            # It was accepted; the stream tells the rest.
            return order

    async def _closed(self, ref: OrderRef) -> Order:
        """Look until an order whose cancel was acknowledged is closed."""
        for pause_s in _CANCEL_LOOKS_S:
            await asyncio.sleep(pause_s)
            try:
                order = await self.order(ref)
            except ExchangeError as error:
                text = f"the cancel was acknowledged; the order could not be asked for: {error}"
                raise OutcomeUnknown(text, symbol=ref.symbol) from error
            if order.status.is_closed:
                return order
        raise OutcomeUnknown("the cancel was acknowledged; the order is still open", symbol=ref.symbol)
