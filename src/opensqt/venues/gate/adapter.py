"""Gate USDT-settled perpetuals: https://www.gate.com/docs/developers/apiv4/en/#futures."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import ccxt

from opensqt.config.venue import VenueSettings
from opensqt.model.account import Account, MarginMode, Position, PositionMode
from opensqt.model.errors import (
    ExchangeError,
    OrderNotFound,
    OutcomeUnknown,
    Unsupported,
    VenueError,
)
from opensqt.model.market import INTERVALS_MS, Candle, Price
from opensqt.model.order import Fill, Order, OrderRef, OrderRequest, OrderType, PositionSide, Side
from opensqt.model.venue import Capabilities, SymbolRules
from opensqt.venues.gate import errors as venue_errors
from opensqt.venues.gate import parse
from opensqt.venues.gate.client import PRIVATE, make
from opensqt.venues.gate.frames import INTERVALS, Frames
from opensqt.venues.gate.limits import RATE_LIMITS
from opensqt.venues.transport.ccxt_client import cancel_and_wait
from opensqt.venues.transport.errors import PARSE_ERRORS, VenueReply, translate
from opensqt.venues.transport.rest import Rest
from opensqt.venues.venue import Event, Venue

Row = parse.Row
_USDT = {"settle": "usdt"}
_ORDERS_PAGE = 100
_FILLS_PAGE = 1_000
_BOOKED_WITHIN_MS = 10_000
"""A trade that closed something, and is not in the account book after so long, earned nothing."""


class Gate(Venue):
    """What Gate does differently."""

    name = "gate"
    capabilities = Capabilities(
        max_batch=10, intervals=INTERVALS, margin_modes=frozenset(MarginMode), client_order_id_length=28
    )
    codes = venue_errors.CODES
    rate_limits = RATE_LIMITS
    stale_rules = venue_errors.STALE_RULES
    announces_ready = True

    def __init__(self, settings: VenueSettings, client: Any, rest: Rest) -> None:
        super().__init__(settings, client, rest)
        self._contracts: dict[str, SymbolRules] = {}
        self._frames = Frames(self.count_unknown)

    @classmethod
    def make_client(cls, settings: VenueSettings) -> Any:
        """Make the client for the venue, its test network, or a simulator."""
        return make(settings)

    async def load_rules(self) -> None:
        """Load the rules, and note which contract is whose."""
        await super().load_rules()
        contracts = {self.market_id(symbol): rules for symbol, rules in self.rules.items()}
        self._contracts = self._frames.contracts = contracts

    # Orders

    async def place(self, request: OrderRequest) -> Order:
        """https://www.gate.com/docs/developers/apiv4/en/#place-futures-order."""
        try:
            row = await self._send("PostSettleOrders", self._order_params(request), request.symbol, changes=True)
        except ExchangeError as refused:
            if refused.venue_code != venue_errors.KILLED:
                raise venue_errors.of_order(refused) from refused
            # Killed for FOK: the order was taken and is over, and can be asked for.
            try:
                return await self.order(OrderRef(symbol=request.symbol, client_order_id=request.client_order_id))
            except OrderNotFound:
                raise refused from None
        return self._order(row)

    async def place_batch(self, requests: Sequence[OrderRequest]) -> list[Order | ExchangeError]:
        """Send up to ten orders."""
        symbol = requests[0].symbol
        bodies = [{**_USDT, **self._order_params(request)} for request in requests]
        send = self.client.privateFuturesPostSettleBatchOrders
        rows = await self.rest.call(lambda: send([dict(body) for body in bodies]), changes=True, symbol=symbol)
        if not isinstance(rows, list):
            raise OutcomeUnknown("the venue's answer could not be read", symbol=symbol)
        return [self._order_or_error(row, symbol) for row in rows]

    async def cancel(self, ref: OrderRef) -> Order:
        """Cancel one order."""
        return self._order(await self._send("DeleteSettleOrdersOrderId", parse.named(ref), ref.symbol, changes=True))

    async def cancel_batch(self, symbol: str, refs: Sequence[OrderRef]) -> list[Order | ExchangeError]:
        """Cancel one by one: the venue's batch takes no client ids and answers no orders, and cancels cost little."""
        return await asyncio.gather(*(self._cancel_or_error(ref) for ref in refs))

    async def cancel_all(self, symbol: str) -> None:
        """Cancel every open order of a symbol."""
        await self._send("DeleteSettleOrders", {"contract": self.market_id(symbol)}, symbol, changes=True)

    async def order(self, ref: OrderRef) -> Order:
        """Ask for one order. By client id one that ended without a fill is known for a minute only."""
        found = self._order(await self._send("GetSettleOrdersOrderId", parse.named(ref), ref.symbol))
        if found.symbol != ref.symbol:
            raise OrderNotFound(f"no order of {ref.symbol} has this id", symbol=ref.symbol)
        return found

    async def open_orders(self, symbol: str = "") -> list[Order]:
        """Ask for the open orders."""
        params = {"status": "open"} | ({"contract": self.market_id(symbol)} if symbol else {})
        rows = await self._pages("GetSettleOrders", params, symbol, _ORDERS_PAGE)
        return self.parse_rows((row for row in rows if row["contract"] in self._contracts), self._order)

    async def fills(self, symbol: str, since_ms: int) -> list[Fill]:
        """Ask for trades; what one earned stands in the account book, which may lag: what it lacks is told later."""
        params = {"contract": self.market_id(symbol)}
        if since_ms:
            # Newest first: what comes in between shifts the pages, so that rows repeat, and none is missed.
            params["from"] = str(since_ms // 1000)
            rows = await self._pages("GetSettleMyTradesTimerange", params, symbol, _FILLS_PAGE)
        else:
            rows = await self._send("GetSettleMyTrades", params | {"limit": str(_FILLS_PAGE)}, symbol)
        fills = {fill.trade_id: fill for fill in self.parse_rows(rows, self._fill)}
        closing = parse.closing(rows) & fills.keys()
        profits = await self._profits(symbol, [fills[name] for name in closing]) if closing else {}
        found = []
        for fill in sorted(fills.values(), key=lambda fill: (fill.event_time_ms, int(fill.trade_id))):
            name, booked_ms = fill.trade_id, fill.event_time_ms + _BOOKED_WITHIN_MS
            if name in closing and name not in profits and await self.market_now_ms(symbol) < booked_ms:
                break
            found.append(replace(fill, realized_pnl=profits.get(name, fill.realized_pnl)))
        return found

    async def _profits(self, symbol: str, fills: Sequence[Fill]) -> dict[str, Decimal]:
        """Ask what trades earned, before fees."""
        times = [fill.event_time_ms // 1000 for fill in fills]
        params = {"contract": self.market_id(symbol), "type": "pnl", "from": str(min(times))}
        params["to"] = str(max(times) + _BOOKED_WITHIN_MS // 1000)
        found: dict[str, Decimal] = {}
        for row in await self._pages("GetSettleAccountBook", params, symbol, _FILLS_PAGE):
            name = str(row.get("trade_id") or "")
            found[name] = found.get(name, Decimal(0)) + parse.number(row["change"])
        return found

    # The account

    async def account(self) -> Account:
        """Ask for the balance of the futures account."""
        row = await self._send("GetSettleAccounts")
        self.client.uid = str(row.get("user") or self.client.uid or "")
        return parse.account(row)

    async def positions(self, symbol: str = "") -> list[Position]:
        """Ask for one symbol's positions, flat ones included, or for all that are held."""
        if not symbol:
            rows = await self._pages("GetSettlePositions", {"holding": "true"}, "", _ORDERS_PAGE)
        else:
            rows = await self._positions_of(symbol)
        ours = (row for row in rows if row["contract"] in self._contracts and self._frames.is_ours(row))
        found = self.parse_rows(ours, lambda row: parse.position(row, self._contracts[row["contract"]]))
        self._frames.holdings.begin([symbol] if symbol else self.rules, found)
        return found

    async def load_position_mode(self) -> None:
        """Find out the account's position mode."""
        row = await self._send("GetSettleAccounts")
        mode = row.get("position_mode") or ("dual" if row.get("in_dual_mode") else "single")
        if mode not in ("single", "dual"):
            raise Unsupported(f"position mode {mode}: expected single or dual; switch it on the venue's site")
        self.position_mode = PositionMode.HEDGE if mode == "dual" else PositionMode.ONE_WAY
        self._frames.hedge = self._hedge

    async def set_position_mode(self, mode: PositionMode) -> None:
        """Ask the venue to switch the mode."""
        dual = "true" if mode is PositionMode.HEDGE else "false"
        await self._send("PostSettleDualMode", {"dual_mode": dual}, changes=True)

    async def set_leverage(self, symbol: str, leverage: int) -> Decimal:
        """Set the leverage of a symbol under cross margin, and ask what it is."""
        params = {"contract": self.market_id(symbol), "leverage": "0", "cross_leverage_limit": str(leverage)}
        dual = "DualComp" if self._hedge else ""
        await self._send(f"PostSettle{dual}PositionsContractLeverage", params, symbol, changes=True)
        held = await self.positions(symbol)
        if not held or held[0].leverage is None:
            raise VenueError(f"leverage of {symbol}: the venue does not tell it", symbol=symbol)
        return held[0].leverage

    async def key_warnings(self) -> list[str]:
        """Tell what the key may do; one that may not trade futures is refused here, before the first order."""
        try:
            found = await self.rest.send("privateAccountGetMainKeys")
            detail = await self.rest.send("privateAccountGetDetail")
        except ExchangeError as error:
            return [f"what the key may do could not be asked: {error}"]
        return parse.key_warnings(found, detail)

    # The market

    async def price(self, symbol: str) -> Price:
        """Ask for the best bid and ask."""
        params = {"contract": self.market_id(symbol), "limit": "1"}
        row = await self.rest.send("publicFuturesGetSettleOrderBook", _USDT | params, symbol=symbol)
        return parse.book_price(row, self.rules[symbol])

    async def candles(
        self, symbol: str, interval: str, limit: int, start_ms: int | None = None, end_ms: int | None = None
    ) -> list[Candle]:
        """Ask for candles; a limit and a window exclude each other there."""
        params: Row = {**_USDT, "contract": self.market_id(symbol), "interval": interval}
        length_ms = INTERVALS_MS[interval]
        span_ms = (limit - 1) * length_ms
        if start_ms is None and end_ms is None:
            params["limit"] = str(limit)
        else:
            first_ms = start_ms if start_ms is not None else (end_ms or 0) - span_ms
            last_ms = first_ms + span_ms if end_ms is None else min(end_ms, first_ms + span_ms)
            params |= {"from": str(-(-first_ms // 1000)), "to": str(last_ms // 1000)}
        rows = await self.rest.send("publicFuturesGetSettleCandlesticks", params, symbol=symbol)
        rows = sorted(rows, key=lambda row: int(row["t"]))
        over = bool(rows) and await self.has_passed(symbol, parse.milliseconds(rows[-1]["t"]) + length_ms - 1)
        rules = self.rules[symbol]
        return [parse.candle(row, rules, interval, closed=row is not rows[-1] or over) for row in rows]

    # Streams

    def parse(self, frame: Any) -> Iterable[Event] | None:
        """Read one frame; its field names are in the venue's WebSocket documents."""
        return self._frames.read(frame)

    def is_private(self, url: str) -> bool:
        """Whether a connection carries the account's events."""
        return url.endswith(PRIVATE)

    async def watch_private(self) -> None:
        """Hold the account's four channels; each is signed for, and wants the user's number."""
        client = self.client
        if not client.uid:
            client.uid = str((await self.rest.send("privateAccountGetDetail"))["user_id"])
        self._frames.begin()
        calls = (client.watch_orders, client.watch_my_trades, client.watch_positions, client.watch_balance)
        watching = [asyncio.ensure_future(call()) for call in calls]
        try:
            await asyncio.gather(*watching)
        finally:
            for each in watching:
                await cancel_and_wait(each)

    async def unwatch_price(self, symbol: str) -> None:
        """Give the subscription up; ccxt has no call of its own for it."""
        await self._unsubscribe("futures.book_ticker", [self.market_id(symbol)], f"bidask:{self.unified(symbol)}")

    async def unwatch_candles(self, symbol: str, interval: str) -> None:
        """Give the subscription up."""
        payload = [interval, self.market_id(symbol)]
        await self._unsubscribe("futures.candlesticks", payload, f"candles:{interval}:{self.unified(symbol)}")

    async def _unsubscribe(self, channel: str, payload: list[str], message_hash: str) -> None:
        client, ended = self.client, f"unsubscribe:{message_hash}"
        url = client.urls["api"]["swap"]["usdt"]
        await client.un_subscribe_public_multiple(url, "", [], [ended], [message_hash], payload, channel)

    # Ours to the venue's

    @property
    def _hedge(self) -> bool:
        return self.position_mode is PositionMode.HEDGE

    async def _send(self, name: str, params: Row | None = None, symbol: str = "", *, changes: bool = False) -> Any:
        endpoint = f"privateFutures{name}"
        return await self.rest.send(endpoint, _USDT | (params or {}), changes=changes, symbol=symbol)

    async def _pages(self, name: str, params: Row, symbol: str, size: int) -> list[Row]:
        """Ask for every page of a list."""
        rows: list[Row] = []
        while True:
            page = await self._send(name, params | {"limit": str(size), "offset": str(len(rows))}, symbol)
            rows += page
            if len(page) < size:
                return rows

    async def _positions_of(self, symbol: str) -> list[Row]:
        """Ask for the one position of a symbol, or for its two; of what was never traded the venue knows none."""
        contract = self.market_id(symbol)
        dual = "DualComp" if self._hedge else ""
        try:
            found = await self._send(f"GetSettle{dual}PositionsContract", {"contract": contract}, symbol)
        except ExchangeError as error:
            if error.venue_code != venue_errors.NO_POSITION:
                raise
            modes = [mode for mode, side in parse.SIDES.items() if (side is not PositionSide.BOTH) is self._hedge]
            return [{"contract": contract, "size": 0, "entry_price": 0, "leverage": 0, "mode": mode} for mode in modes]
        return found if isinstance(found, list) else [found]

    def _order_params(self, request: OrderRequest) -> Row:
        contracts = request.side.sign * request.quantity / self.rules[request.symbol].contract_size
        closes = Side.SELL if request.position_side is PositionSide.LONG else Side.BUY
        market = request.order_type is OrderType.MARKET or request.price is None
        return {
            "contract": self.market_id(request.symbol),
            "size": int(contracts) if contracts == int(contracts) else format(contracts, "f"),
            "price": "0" if market else format(request.price, "f"),
            "tif": "ioc" if market else parse.TIF[request.time_in_force],
            "text": parse.PREFIX + request.client_order_id,
            # In dual mode the sign and this flag say together which position is meant.
            "reduce_only": request.side is closes if self._hedge else request.reduce_only,
        }

    # The venue's to ours

    async def _cancel_or_error(self, ref: OrderRef) -> Order | ExchangeError:
        try:
            return await self.cancel(ref)
        except ExchangeError as error:
            return error
        except PARSE_ERRORS as error:
            return OutcomeUnknown(f"the venue's answer could not be read: {error!r}", symbol=ref.symbol)

    def _order(self, row: Row) -> Order:
        return parse.order(row, self._contracts[row["contract"]], hedge=self._hedge)

    def _fill(self, row: Row) -> Fill:
        return parse.fill(row, self._contracts[row["contract"]], hedge=self._hedge)

    def _order_or_error(self, row: Row, symbol: str) -> Order | ExchangeError:
        if row.get("succeeded", True):
            return self._order(row)
        text = str(row.get("detail") or row.get("message") or "")
        reply = VenueReply(error=ccxt.ExchangeError, http_status=400, code=str(row.get("label", "")), message=text)
        return venue_errors.of_order(translate(reply, self.codes, changes=True, symbol=symbol))
