"""Bitget USDT-margined perpetuals, v2 mix API of a classic account: https://www.bitget.com/api-doc/contract/intro."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar

import ccxt.pro

from opensqt.config.venue import VenueSettings
from opensqt.model.account import Account, MarginMode, Position, PositionMode
from opensqt.model.errors import (
    BackOff,
    ExchangeError,
    OrderNotFound,
    OutcomeUnknown,
    PermissionDenied,
    Unsupported,
    VenueError,
)
from opensqt.model.funding import FundingPayment
from opensqt.model.market import Candle, Price
from opensqt.model.order import Fill, Order, OrderRef, OrderRequest, PositionSide
from opensqt.model.venue import Capabilities, MarginModeScope, SymbolRules
from opensqt.venues.account.state import flat, sides
from opensqt.venues.bitget.errors import CODES, STALE_RULES, UNIFIED_ACCOUNT, BitgetAckResolver, refusals
from opensqt.venues.bitget.funding import FUNDING, funding_pages, parse_funding_payment
from opensqt.venues.bitget.limits import RATE_LIMITS
from opensqt.venues.bitget.parse import (
    ASSET,
    FILL,
    INTERVALS,
    MARGIN_MODE,
    MARGIN_MODE_BY_TEXT,
    ORDER,
    POSITION,
    PRIVATE_ARGS,
    BitgetParser,
    closing_orders,
    parse_account,
    parse_candle,
    parse_fill,
    parse_order,
    parse_position,
    parse_price,
)
from opensqt.venues.bitget.public import BitgetPublic
from opensqt.venues.bitget.requests import BitgetRequests, order_ref, order_request
from opensqt.venues.bitget.unified.adapter import COUNTDOWN, MAX_BATCH, UnifiedAccount
from opensqt.venues.bitget.unified.errors import CODES as UNIFIED_CODES
from opensqt.venues.bitget.unified.errors import STALE_RULES as UNIFIED_STALE_RULES
from opensqt.venues.events import Event
from opensqt.venues.parsing import Row, read_each
from opensqt.venues.regions import region_of
from opensqt.venues.rows import FrameFields, RowError, all_rows, first, lookup, member, objects, sort_number
from opensqt.venues.transport.ccxt_client import CcxtMixin, new_client
from opensqt.venues.transport.symbol_list import ListPlace
from opensqt.venues.venue import WITHDRAWAL_WARNING, Venue

Result = TypeVar("Result", Order, Order | ExchangeError)
_PRODUCT = {"productType": "USDT-FUTURES"}
_MARGIN = {"marginCoin": ASSET}
_HISTORY_MS = 89 * 86_400_000
_ORDERS_REMEMBERED = 20_000
_LONGEST_WAIT_S = 5
_TRADING = {"coow", "trade", "uta_trade"}
"""Rights of a key, of which each of these lets it place futures orders."""
_WITHDRAWING = {"wwow", "withdraw"}


class CcxtBitget(CcxtMixin, ccxt.pro.bitget):  # type: ignore[misc]
    """The client of ccxt, at the venue's time."""

    symbol_list = ListPlace(("data",), "symbol")
    text_frames = frozenset({"pong"})


class BitgetAdapter(Venue):
    """Bitget behind the interface of `Venue`."""

    name = "bitget"
    capabilities = Capabilities(
        max_batch=50,
        intervals=frozenset(INTERVALS),
        margin_modes=frozenset(MarginMode),
        set_leverage=True,
        margin_mode_scope=MarginModeScope.SYMBOL,
        set_position_mode=True,
        funding_payments=True,
    )
    codes = CODES | UNIFIED_CODES
    frame_fields = FrameFields(channel=("arg", "channel"), symbol=("arg", "instId"))
    rate_limits = RATE_LIMITS
    stale_rules = STALE_RULES | UNIFIED_STALE_RULES
    symbol_state = ("symbolStatus", frozenset({"normal"}))
    needs_passphrase = True
    batches_one_symbol = True
    announces_ready = True

    def __init__(self, settings: VenueSettings, client: Any, rest: Any) -> None:
        super().__init__(settings, client, rest)
        self._requests = BitgetRequests(rest, client.nonce)
        self.public = BitgetPublic(self, self._requests)
        self._ack_resolver = BitgetAckResolver(self)
        self.symbols: dict[str, str] = {}
        """Canonical names by the venue's own."""
        self._parser = BitgetParser(self, lambda name: self.symbols.get(name, ""), self.remember_side)
        self._position_sides: OrderedDict[str, PositionSide] = OrderedDict()
        """By order id, of the latest orders in hedge mode: the trades of a response lack the position side."""
        self._unified: UnifiedAccount | None = None
        """The private side of a unified account; None for a classic one, and until the account is checked."""
        self._sides_queried: OrderedDict[str, None] = OrderedDict()
        """Orders whose trades were looked up in the list of orders once, whether they were in it or not."""
        self._margin_modes: dict[str, MarginMode] = {}
        """By symbol: each order has to name it."""

    @classmethod
    def make_client(cls, settings: VenueSettings) -> Any:
        """Return the client for the venue, its demo trading, or a simulator."""
        options = {
            "uta": False,
            "defaultType": "swap",
            "fetchMarkets": {"types": ["swap"]},
            "timeframes": INTERVALS,
        }
        client = new_client(CcxtBitget, settings, options)
        region_of(settings)
        if settings.base_url:
            api = client.urls["api"]
            api.update({name: settings.base_url for name in api if name not in ("ws", "demo")})
            for access in ("public", "private"):
                api["ws"][access] = f"ws{settings.base_url.removeprefix('http')}/v2/ws/{access}"
            api["ws"]["utaPrivate"] = f"ws{settings.base_url.removeprefix('http')}/v3/ws/private"
        elif settings.testnet:
            client.enable_demo_trading(True)
        return client

    def parse_rules(self, market: Row) -> SymbolRules:
        """Read the rules and remember the symbol's name; the largest order is missing in ccxt's market."""
        rules = super().parse_rules(market)
        self.symbols[market["id"]] = rules.symbol
        largest = market["info"].get("maxOrderQty")
        return replace(rules, max_quantity=Decimal(largest)) if largest else rules

    def market_quantities(self, market: Row) -> tuple[str, str]:
        """Return the largest quantity of a market order; the venue has no smallest of its own."""
        largest = market["info"].get("maxMarketOrderQty") or ""
        return "", largest if largest and Decimal(largest) else ""

    # Orders

    async def place(self, request: OrderRequest) -> Order:
        """Send one order: https://www.bitget.com/api-doc/contract/trade/Place-Order."""
        sent_ms = self._now_ms()
        if self._unified is not None:
            return await self._unified.place(request, sent_ms)
        order_params = order_request(request, await self._margin_mode(request.symbol))
        params = self._symbol_params(request.symbol) | _MARGIN | order_params
        row = await self._requests.change("OrderPlaceOrder", params, request.symbol)
        order = await self._ack_resolver.resolve_placed(request, row.get("orderId") or "", sent_ms)
        return self.remember_side(order)

    async def place_batch(self, requests: Sequence[OrderRequest]) -> list[Order | ExchangeError]:
        """Send up to fifty orders of one symbol; the response lists the accepted ones and the refused ones.

        https://www.bitget.com/api-doc/contract/trade/Batch-Order: `symbol` is a field of the request, not of an order.
        """
        symbol, sent_ms = requests[0].symbol, self._now_ms()
        if self._unified is not None:
            return await self._unified.place_batch(requests, sent_ms)
        margin_mode = await self._margin_mode(symbol)
        orders = [order_request(request, margin_mode) for request in requests]
        params = self._symbol_params(symbol) | _MARGIN | {"marginMode": MARGIN_MODE[margin_mode], "orderList": orders}
        response = await self._requests.change("OrderBatchPlaceOrder", params, symbol)
        order_ids = {row["clientOid"]: row.get("orderId") or "" for row in response.get("successList") or ()}
        refused = refusals(response.get("failureList"), "clientOid", symbol)
        accepted = [request for request in requests if request.client_order_id in order_ids]
        results = refused | await self._ack_resolver.resolve_placed_batch(accepted, order_ids, sent_ms)
        missing = OutcomeUnknown("the venue's response lacks this order", symbol=symbol)
        return [self.remember_side(results.get(request.client_order_id, missing)) for request in requests]

    async def cancel(self, ref: OrderRef) -> Order:
        """Cancel one order; the response holds its ids only, so the result is queried."""
        if self._unified is not None:
            return await self._unified.cancel(ref)
        params = self._symbol_params(ref.symbol) | _MARGIN | order_ref(ref)
        await self._requests.change("OrderCancelOrder", params, ref.symbol)
        return await self._ack_resolver.resolve_canceled(ref)

    async def cancel_batch(self, symbol: str, refs: Sequence[OrderRef]) -> list[Order | ExchangeError]:
        """Cancel up to fifty orders, each by either of its ids."""
        if self._unified is not None:
            return await self._unified.cancel_batch(symbol, refs)
        if not refs:
            # An empty list would cancel every order of the symbol.
            return []
        params = self._symbol_params(symbol) | _MARGIN | {"orderIdList": [order_ref(ref) for ref in refs]}
        rows = (await self._requests.change("OrderBatchCancelOrders", params, symbol)).get("failureList")
        refused = refusals(rows, "clientOid", symbol) | refusals(rows, "orderId", symbol)
        errors = {ref: refused.get(ref.client_order_id or ref.order_id) for ref in refs}
        accepted = [ref for ref, error in errors.items() if error is None]
        results = await self._ack_resolver.resolve_canceled_batch(symbol, accepted)
        return [errors[ref] or results[ref] for ref in refs]

    async def cancel_all(self, symbol: str) -> None:
        """Cancel every open order of a symbol: a batch without a list means all of them."""
        if self._unified is not None:
            await self._unified.cancel_all(symbol)
            return
        try:
            await self._requests.change("OrderBatchCancelOrders", self._symbol_params(symbol) | _MARGIN, symbol)
        except OrderNotFound:
            return

    async def set_countdown(self, symbol: str, timeout_s: int) -> None:
        """Start, renew or stop the countdown of a unified account; a classic one has none."""
        if self._unified is None:
            await super().set_countdown(symbol, timeout_s)
        else:
            await self._unified.set_countdown(timeout_s)

    async def order(self, ref: OrderRef) -> Order:
        """Query one order."""
        if self._unified is not None:
            return await self._unified.order(ref)
        row = await self._requests.query("OrderDetail", self._symbol_params(ref.symbol) | order_ref(ref), ref.symbol)
        return self.remember_side(self._order(row))

    async def open_orders(self, symbol: str = "") -> list[Order]:
        """Query the open orders, page by page."""
        if self._unified is not None:
            return await self._unified.open_orders(symbol)
        params = self._symbol_params(symbol) if symbol else dict(_PRODUCT)
        pages = self._requests.pages("OrderOrdersPending", params, "entrustedList", "orderId", symbol)
        newest_first = await self.read_open_orders(ORDER, pages, self._order)
        return [self.remember_side(order) for order in reversed(newest_first)]

    async def closed_orders(self, symbol: str) -> list[Order]:
        """Query the newest page of closed orders."""
        if self._unified is not None:
            return await self._unified.closed_orders(symbol)
        params = self._symbol_params(symbol)
        pages = self._requests.pages("OrderOrdersHistory", params, "entrustedList", "orderId", symbol, newest_only=True)
        return self.read_rows(ORDER, await all_rows(pages), self._order)

    async def fills(self, symbol: str, since_ms: int) -> list[Fill]:
        """Query trades; the venue sends the newest first, and keeps three months of them."""
        if self._unified is not None:
            return await self._unified.fills(symbol, since_ms)
        params = self._symbol_params(symbol)
        if since_ms:
            params["startTime"] = str(max(since_ms, await self.market_now_ms(symbol) - _HISTORY_MS))
        pages = self._requests.pages("OrderFills", params, "fillList", "tradeId", symbol, newest_only=not since_ms)
        rows = await all_rows(pages)
        await self._learn_sides(symbol, rows)
        fills = self.read_rows(FILL, rows, self._fill)
        return sorted(fills, key=lambda fill: (fill.event_time_ms, sort_number(fill.trade_id)))

    # The account

    async def account(self) -> Account:
        """Query the balance of the margin asset."""
        if self._unified is not None:
            return await self._unified.account()
        rows = await self._requests.query("AccountAccounts", _PRODUCT)
        return parse_account(next((row for row in objects(rows, "data") if member(row, "marginCoin") == ASSET), {}))

    async def check_account(self) -> None:
        """Find out whether the account is unified: the venue refuses every call of the classic API for one then."""
        try:
            await self._requests.query("AccountAccounts", _PRODUCT)
        except Unsupported as error:
            if error.venue_code != UNIFIED_ACCOUNT:
                raise
            self._unified = UnifiedAccount(self)
            self.cancels_by_id_alone = True
            self.batches_one_symbol = False
            # An order names its margin mode, so that a side may be held under both. There is no setting of it.
            self.holds_by_margin_mode = True
            self.countdown_rules = COUNTDOWN
            self.capabilities = replace(self.capabilities, max_batch=MAX_BATCH, margin_mode_scope=MarginModeScope.NONE)
            self.account_mode = await self._unified.account_mode()
        else:
            self.account_mode = "classic"

    async def positions(self, symbol: str = "") -> list[Position]:
        """Query the positions; the venue sends open ones only, so a flat one is made of its absence."""
        if self._unified is not None:
            return await self._unified.positions(symbol)
        endpoint = "PositionSinglePosition" if symbol else "PositionAllPosition"
        params = (self._symbol_params(symbol) if symbol else _PRODUCT) | _MARGIN
        rows = await self._requests.query(endpoint, params, symbol)
        found = self.read_rows(
            POSITION, objects(rows or [], "data"), lambda raw: parse_position(raw, self._symbol(raw["symbol"]))
        )
        if self.set_aside.hides("position", symbol):
            # A row that can't be read must not pass for a position that is flat.
            return found
        missing = set(sides(self.position_mode)) - {one.position_side for one in found} if symbol else set()
        if missing:
            leverage = await self.leverage(symbol)
            margin_mode = self._margin_modes[symbol]
            found += [replace(flat(symbol, side), leverage=leverage, margin_mode=margin_mode) for side in missing]
        return found

    async def load_position_mode(self) -> None:
        """Query the account's position mode, which is among the settings of any symbol, and keep it."""
        if self._unified is not None:
            self.position_mode = await self._unified.load_position_mode()
            return
        for symbol in self.settings.symbols or tuple(self.rules)[:1]:
            # The margin modes of these symbols are known before their first order.
            hedge = (await self._account_settings(symbol))["posMode"] == "hedge_mode"
        self.position_mode = PositionMode.HEDGE if hedge else PositionMode.ONE_WAY

    async def set_position_mode(self, mode: PositionMode) -> None:
        """Switch the position mode."""
        if self._unified is not None:
            await self._unified.set_position_mode(mode)
            return
        params = _PRODUCT | {"posMode": "hedge_mode" if mode is PositionMode.HEDGE else "one_way_mode"}
        await self._requests.change("AccountSetPositionMode", params)

    async def change_leverage(self, symbol: str, leverage: int) -> None:
        """Set the leverage of a symbol in its margin mode; under isolated margin each side has its own in hedge mode.

        https://www.bitget.com/api-doc/contract/account/Change-Leverage
        """
        if self._unified is not None:
            await self._unified.change_leverage(symbol, leverage)
            return
        params = self._symbol_params(symbol) | _MARGIN | {"leverage": str(leverage)}
        isolated = await self.current_margin_mode(symbol) is MarginMode.ISOLATED
        for side in ("long", "short") if isolated and self.is_hedge else ("",):
            more = {"holdSide": side} if side else {}
            await self._requests.change("AccountSetLeverage", params | more, symbol)

    async def leverage(self, symbol: str) -> Decimal:
        """Query the leverage of a symbol in its margin mode."""
        if self._unified is not None:
            return await self._unified.leverage(symbol)
        row = await self._account_settings(symbol)
        cross = self._margin_modes[symbol] is MarginMode.CROSS
        fields = ("crossedMarginLeverage",) if cross else ("isolatedLongLever", "isolatedShortLever")
        found = {str(row[field]) for field in fields if row.get(field)}
        if len(found) != 1:
            values = " and ".join(sorted(found)) or "nothing"
            raise VenueError(f"leverage of {symbol}: expected one, the venue reports {values}", symbol=symbol)
        return Decimal(found.pop())

    async def current_margin_mode(self, symbol: str) -> MarginMode:
        """Query the margin mode of a symbol, and keep it for its orders."""
        await self._account_settings(symbol)
        return self._margin_modes[symbol]

    async def change_margin_mode(self, symbol: str, mode: MarginMode) -> None:
        """Set the margin mode of a symbol. In a unified account each order names its own."""
        if self._unified is not None:
            await super().change_margin_mode(symbol, mode)
            return
        params = self._symbol_params(symbol) | _MARGIN | {"marginMode": MARGIN_MODE[mode]}
        await self._requests.change("AccountSetMarginMode", params, symbol)

    async def funding_payments(self, symbol: str, since_ms: int) -> list[FundingPayment]:
        """Query funding payments; the venue keeps three months of them."""
        now_ms = await self.account_now_ms(symbol) if since_ms else 0
        if self._unified is not None:
            return await self._unified.funding_payments(symbol, since_ms, now_ms)
        return await self.read_funding_payments(
            FUNDING,
            funding_pages(self._requests, _PRODUCT, since_ms, now_ms),
            lambda raw: parse_funding_payment(raw, self._symbol(raw["symbol"])),
            symbol,
        )

    async def key_warnings(self) -> list[str]:
        """Warn of a key that may withdraw, and refuse one that may not trade."""
        try:
            rights = await self._rights()
        except BackOff as error:
            # The limit is one query a second, and another process has started just before this one.
            await asyncio.sleep(min(error.retry_after_s or 1, _LONGEST_WAIT_S))
            rights = await self._rights()
        except ExchangeError as error:
            return [f"the rights of the key could not be queried: {error}"]
        if rights and not _TRADING & set(rights):
            raise PermissionDenied("this key may not place futures orders: allow it to read and write futures orders")
        if _WITHDRAWING & set(rights):
            return [WITHDRAWAL_WARNING]
        return []

    # The market

    async def price(self, symbol: str) -> Price:
        """Query the best bid and ask."""
        rows = await self._requests.query("MarketTicker", self._symbol_params(symbol), symbol, public=True)
        return self.require_price(parse_price(first(rows, "data"), symbol), symbol)

    async def candles(
        self, symbol: str, interval: str, limit: int, start_ms: int | None = None, end_ms: int | None = None
    ) -> list[Candle]:
        """Query candles: up to a thousand a request of the last month, two hundred of the time before."""
        rows = await self._requests.candles(self._symbol_params(symbol), interval, limit, start_ms, end_ms)
        candles = read_each(self.set_aside, "candle", symbol, rows, lambda row: parse_candle(row, symbol, interval))
        return await self.with_last_open(candles)

    # Streams

    def parse(self, frame: Any) -> Iterable[Event] | None:
        """Return the events of one frame; the market's frames are the same for every account."""
        events = None if self._unified is None else self._unified.parse(frame)
        return self._parser.parse(frame) if events is None else events

    def is_private(self, url: str) -> bool:
        """Return whether a connection carries the account's events."""
        return url.endswith("/private")

    async def watch_private(self) -> None:
        """Log in, and hold the three channels of the account until the connection ends."""
        if self._unified is not None:
            await self._unified.watch_private()
            return
        kind = "demo" if self.settings.testnet and not self.settings.base_url else "ws"
        url = self.client.urls["api"][kind]["private"]
        self._parser.acks.expect_all()
        await self.client.authenticate({"url": url})
        # The mixin consumes the frames, so the future of ccxt fails with the connection, and never completes before.
        await self.client.watch(url, "account", {"op": "subscribe", "args": PRIVATE_ARGS}, "account")

    async def watch_price(self, symbol: str) -> None:
        """Hold the subscription to the best level of the book, the quickest channel that has it."""
        await self.client.watch_order_book(self.unified(symbol), 1)

    async def unwatch_price(self, symbol: str) -> None:
        """Unsubscribe."""
        await self.client.un_watch_order_book(self.unified(symbol), {"limit": 1})

    # Symbols and sides

    def _symbol_params(self, symbol: str) -> Row:
        return _PRODUCT | {"symbol": self.market_id(symbol)}

    def _symbol(self, name: str) -> str:
        return self.symbols[name.upper()]

    def _order(self, row: Any) -> Order:
        name = member(row, "symbol")
        if not self.is_listed(name):
            raise RowError(f"symbol {name!r}: expected a USDT-margined perpetual")
        return parse_order(row, self._symbol(name))

    def _fill(self, row: Row) -> Fill:
        return parse_fill(row, self._symbol(row["symbol"]), self._position_sides.get(str(row.get("orderId"))))

    async def _learn_sides(self, symbol: str, rows: list[Any]) -> None:
        """Learn from the orders which position each trade closed: its row does not name the position.

        Its `side` is said to be that of the position and, elsewhere, that of the trade; an order names the position.
        """
        unknown = closing_orders(rows) - self._position_sides.keys() - self._sides_queried.keys()
        if unknown:
            for order in await self.closed_orders(symbol):
                self.remember_side(order)
            self._sides_queried |= dict.fromkeys(unknown)
            while len(self._sides_queried) > _ORDERS_REMEMBERED:
                self._sides_queried.popitem(last=False)

    def remember_side(self, order: Result) -> Result:
        """Remember the position that an order belongs to; in one-way mode there is nothing to remember."""
        if isinstance(order, Order) and order.position_side is not PositionSide.BOTH:
            self._position_sides[order.order_id] = order.position_side
            if len(self._position_sides) > _ORDERS_REMEMBERED:
                self._position_sides.popitem(last=False)
        return order

    def side_of(self, order_id: str) -> PositionSide | None:
        """Return the position that an order belongs to, as far as it is remembered."""
        return self._position_sides.get(order_id)

    def _now_ms(self) -> int:
        """Return the market's time of the latest frame, or the venue's clock before the first one."""
        return self._market_time_ms or int(self.client.nonce())

    async def _rights(self) -> list[str]:
        if self._unified is not None:
            return await self._unified.rights()
        response = await self.rest.send("privateSpotGetV2SpotAccountInfo")
        return list(response["data"].get("authorities") or ())

    async def _account_settings(self, symbol: str) -> Row:
        found: Row = await self._requests.query("AccountAccount", self._symbol_params(symbol) | _MARGIN, symbol)
        self._margin_modes[symbol] = lookup(MARGIN_MODE_BY_TEXT, member(found, "marginMode"), "marginMode")
        return found

    async def _margin_mode(self, symbol: str) -> MarginMode:
        """Return the margin mode of a symbol; it is queried before the symbol's first order."""
        known = self._margin_modes.get(symbol)
        return known if known is not None else await self.current_margin_mode(symbol)
