"""Bitget USDT-margined perpetuals, v2 mix API of a classic account: https://www.bitget.com/api-doc/contract/intro."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar

from opensqt.config.venue import VenueSettings
from opensqt.model.account import Account, Position, PositionMode
from opensqt.model.errors import BackOff, ExchangeError, OrderNotFound, OutcomeUnknown, PermissionDenied, VenueError
from opensqt.model.market import INTERVALS_MS, Candle, Price
from opensqt.model.order import Fill, Order, OrderRef, OrderRequest, OrderType, OrderUpdate, PositionSide
from opensqt.model.venue import Capabilities, SymbolRules
from opensqt.venues.account.state import flat, sides
from opensqt.venues.bitget import errors as venue_errors
from opensqt.venues.bitget import parse
from opensqt.venues.bitget.client import connect
from opensqt.venues.bitget.frames import INTERVALS, PRIVATE_ARGS, Frames
from opensqt.venues.bitget.limits import RATE_LIMITS
from opensqt.venues.bitget.outcomes import Outcomes
from opensqt.venues.bitget.pages import Pages
from opensqt.venues.venue import Event, Venue

Row = dict[str, Any]
Answer = TypeVar("Answer", Order, Order | ExchangeError)
_PRODUCT = {"productType": "USDT-FUTURES"}
_MARGIN = {"marginCoin": parse.ASSET}
_HISTORY_MS = 89 * 86_400_000
_ORDERS_KNOWN = 20_000
_LONGEST_WAIT_S = 5


class Bitget(Venue):
    """What Bitget does differently."""

    name = "bitget"
    capabilities = Capabilities(max_batch=50, intervals=frozenset(INTERVALS))
    codes = venue_errors.CODES
    rate_limits = RATE_LIMITS
    stale_rules = venue_errors.STALE_RULES
    needs_passphrase = True
    announces_ready = True

    def __init__(self, settings: VenueSettings, client: Any, rest: Any) -> None:
        super().__init__(settings, client, rest)
        self._pages = Pages(rest, client.nonce)
        self._outcomes = Outcomes(self)
        self._names: dict[str, str] = {}
        self._frames = Frames(
            lambda name: self._names.get(name, ""),
            order_update=self._order_update,
            set_aside=self.parse_rows,
            unknown=self.count_unknown,
        )
        self._position_sides: OrderedDict[str, PositionSide] = OrderedDict()
        """Of the latest orders in hedge mode: trades that a request tells do not say it."""

    @classmethod
    def make_client(cls, settings: VenueSettings) -> Any:
        """Make the client for the venue, its demo trading, or a simulator."""
        return connect(settings)

    def parse_rules(self, market: Row) -> SymbolRules:
        """Read the rules; ccxt leaves out the largest order, and the names are kept for what streams tell."""
        rules = super().parse_rules(market)
        self._names[market["id"]] = rules.symbol
        largest = market["info"].get("maxOrderQty")
        return replace(rules, max_quantity=Decimal(largest)) if largest else rules

    # Orders

    async def place(self, request: OrderRequest) -> Order:
        """https://www.bitget.com/api-doc/contract/trade/Place-Order."""
        sent_ms = self._now_ms()
        params = self._where(request.symbol) | _MARGIN | self._order_params(request)
        answer = await self.rest.send("privateMixPostV2MixOrderPlaceOrder", params, changes=True, symbol=request.symbol)
        return self._noted(await self._outcomes.placed(request, answer["data"].get("orderId") or "", sent_ms))

    async def place_batch(self, requests: Sequence[OrderRequest]) -> list[Order | ExchangeError]:
        """Send up to fifty orders; the answer lists those that were taken and those that were not."""
        symbol, sent_ms = requests[0].symbol, self._now_ms()
        orders = [self._order_params(request) for request in requests]
        params = self._where(symbol) | _MARGIN | {"marginMode": "crossed", "orderList": orders}
        answer = await self.rest.send("privateMixPostV2MixOrderBatchPlaceOrder", params, changes=True, symbol=symbol)
        taken = {row["clientOid"]: row.get("orderId") or "" for row in answer["data"].get("successList") or ()}
        refused = venue_errors.refusals(answer["data"].get("failureList"), "clientOid", symbol)
        accepted = [request for request in requests if request.client_order_id in taken]
        results = refused | await self._outcomes.placed_batch(accepted, taken, sent_ms)
        left_out = OutcomeUnknown("the venue's answer leaves this order out", symbol=symbol)
        return [self._noted(results.get(request.client_order_id, left_out)) for request in requests]

    async def cancel(self, ref: OrderRef) -> Order:
        """Cancel one order; the venue answers its ids, so what became of it is asked."""
        params = self._where(ref.symbol) | _MARGIN | parse.ids(ref)
        await self.rest.send("privateMixPostV2MixOrderCancelOrder", params, changes=True, symbol=ref.symbol)
        return await self._outcomes.canceled(ref)

    async def cancel_batch(self, symbol: str, refs: Sequence[OrderRef]) -> list[Order | ExchangeError]:
        """Cancel up to fifty orders, by whichever id each is named."""
        if not refs:
            # Sent with an empty list it would cancel everything.
            return []
        params = self._where(symbol) | _MARGIN | {"orderIdList": [parse.ids(ref) for ref in refs]}
        answer = await self.rest.send("privateMixPostV2MixOrderBatchCancelOrders", params, changes=True, symbol=symbol)
        rows = answer["data"].get("failureList")
        refused = venue_errors.refusals(rows, "clientOid", symbol) | venue_errors.refusals(rows, "orderId", symbol)
        refusals = {ref: refused.get(ref.client_order_id or ref.order_id) for ref in refs}
        accepted = [ref for ref, error in refusals.items() if error is None]
        results = await self._outcomes.canceled_batch(symbol, accepted)
        return [refusals[ref] or results[ref] for ref in refs]

    async def cancel_all(self, symbol: str) -> None:
        """Cancel every open order of a symbol: a batch that lists none means all of them."""
        try:
            await self.rest.send(
                "privateMixPostV2MixOrderBatchCancelOrders", self._where(symbol) | _MARGIN, changes=True, symbol=symbol
            )
        except OrderNotFound:
            return

    async def order(self, ref: OrderRef) -> Order:
        """Ask for one order."""
        params = self._where(ref.symbol) | parse.ids(ref)
        answer = await self.rest.send("privateMixGetV2MixOrderDetail", params, symbol=ref.symbol)
        return self._noted(parse.order(answer["data"], self._symbol))

    async def open_orders(self, symbol: str = "") -> list[Order]:
        """Ask for the open orders, page by page."""
        params = self._where(symbol) if symbol else dict(_PRODUCT)
        rows = await self._pages.all("privateMixGetV2MixOrderOrdersPending", params, "entrustedList", "orderId", symbol)
        known = (row for row in reversed(rows) if self._known(row["symbol"]))
        return [self._noted(order) for order in self.parse_rows(known, lambda row: parse.order(row, self._symbol))]

    async def closed_orders(self, symbol: str) -> list[Order]:
        """Ask for the latest orders that ended, one page of them."""
        endpoint, params = "privateMixGetV2MixOrderOrdersHistory", self._where(symbol)
        rows = await self._pages.all(endpoint, params, "entrustedList", "orderId", symbol, newest_only=True)
        return self.parse_rows(rows, lambda row: parse.order(row, self._symbol))

    async def fills(self, symbol: str, since_ms: int) -> list[Fill]:
        """Ask for trades; the venue tells the newest first, and keeps three months of them."""
        params = self._where(symbol)
        if since_ms:
            params["startTime"] = str(max(since_ms, await self.market_now_ms(symbol) - _HISTORY_MS))
        rows = await self._pages.all(
            "privateMixGetV2MixOrderFills", params, "fillList", "tradeId", symbol, newest_only=not since_ms
        )
        rows.sort(key=lambda row: (int(row["cTime"]), int(row["tradeId"])))
        sides_known = self._position_sides
        return self.parse_rows(rows, lambda row: parse.fill(row, self._symbol, sides_known.get(str(row["orderId"]))))

    # The account

    async def account(self) -> Account:
        """Ask for the balance of the margin asset."""
        answer = await self.rest.send("privateMixGetV2MixAccountAccounts", _PRODUCT)
        return parse.account(next((row for row in answer["data"] if row["marginCoin"] == parse.ASSET), {}))

    async def positions(self, symbol: str = "") -> list[Position]:
        """Ask for the positions; the venue tells those that hold something."""
        path = "SinglePosition" if symbol else "AllPosition"
        params = (self._where(symbol) if symbol else _PRODUCT) | _MARGIN
        answer = await self.rest.send(f"privateMixGetV2MixPosition{path}", params, symbol=symbol)
        known = (row for row in answer["data"] or () if self._known(row["symbol"]))
        held = self.parse_rows(known, lambda row: parse.position(row, self._symbol(row["symbol"])))
        missing = set(sides(self.position_mode)) - {one.position_side for one in held} if symbol else set()
        if missing:
            leverage = Decimal(str((await self._settings_of(symbol))["crossedMarginLeverage"]))
            held += [replace(flat(symbol, side), leverage=leverage) for side in missing]
        return held

    async def load_position_mode(self) -> None:
        """Find out the account's position mode, which is told with any symbol."""
        hedge = (await self._settings_of(next(iter(self.rules))))["posMode"] == "hedge_mode"
        self.position_mode = PositionMode.HEDGE if hedge else PositionMode.ONE_WAY

    async def set_position_mode(self, mode: PositionMode) -> None:
        """Ask the venue to switch the mode."""
        params = _PRODUCT | {"posMode": "hedge_mode" if mode is PositionMode.HEDGE else "one_way_mode"}
        await self.rest.send("privateMixPostV2MixAccountSetPositionMode", params, changes=True)

    async def set_leverage(self, symbol: str, leverage: int) -> Decimal:
        """Set the leverage of a symbol in cross margin, and ask what it is."""
        params = self._where(symbol) | _MARGIN | {"leverage": str(leverage)}
        await self.rest.send("privateMixPostV2MixAccountSetLeverage", params, changes=True, symbol=symbol)
        found = (await self._settings_of(symbol)).get("crossedMarginLeverage")
        if not found:
            raise VenueError(f"leverage of {symbol}: the venue does not tell it", symbol=symbol)
        return Decimal(str(found))

    async def key_warnings(self) -> list[str]:
        """Tell whether the key may withdraw, and refuse one that may not trade."""
        try:
            rights = await self._rights()
        except BackOff as error:
            # Once a second is all that this may be asked: another start was just before ours.
            await asyncio.sleep(min(error.retry_after_s or 1, _LONGEST_WAIT_S))
            rights = await self._rights()
        except ExchangeError as error:
            return [f"what the key may do could not be asked: {error}"]
        if rights and not {"coow", "trade"} & set(rights):
            raise PermissionDenied("this key may not place futures orders: allow it to read and write futures orders")
        if "wwow" in rights:
            return ["this key may withdraw: take that right from it, trading does not need it"]
        return []

    # The market

    async def price(self, symbol: str) -> Price:
        """Ask for the best bid and ask."""
        answer = await self.rest.send("publicMixGetV2MixMarketTicker", self._where(symbol), symbol=symbol)
        row = answer["data"][0]
        return parse.price(symbol, [row["bidPr"], row["bidSz"]], [row["askPr"], row["askSz"]], row["ts"])

    async def candles(
        self, symbol: str, interval: str, limit: int, start_ms: int | None = None, end_ms: int | None = None
    ) -> list[Candle]:
        """Ask for candles: of the last month up to a thousand at once, of before two hundred."""
        rows = await self._pages.candles(self._where(symbol), interval, limit, start_ms, end_ms)
        over = bool(rows) and await self.has_passed(symbol, int(rows[-1][0]) + INTERVALS_MS[interval] - 1)
        return [parse.candle(symbol, interval, row, closed=row is not rows[-1] or over) for row in rows]

    # Streams

    def parse(self, frame: Any) -> Iterable[Event] | None:
        """Read one frame."""
        return self._frames.parse(frame)

    def is_private(self, url: str) -> bool:
        """Whether a connection carries the account's events."""
        return url.endswith("/private")

    async def watch_private(self) -> None:
        """Log in, and hold the three channels of the account: nothing but the connection's end settles the future."""
        kind = "demo" if self.settings.testnet and not self.settings.base_url else "ws"
        url = self.client.urls["api"][kind]["private"]
        self._frames.begin()
        await self.client.authenticate({"url": url})
        await self.client.watch(url, "account", {"op": "subscribe", "args": PRIVATE_ARGS}, "account")

    async def watch_price(self, symbol: str) -> None:
        """Hold the subscription to the best level of the book, the quickest channel that tells it."""
        await self.client.watch_order_book(self.unified(symbol), 1)

    async def unwatch_price(self, symbol: str) -> None:
        """Give the subscription up."""
        await self.client.un_watch_order_book(self.unified(symbol), {"limit": 1})

    # Ours to the venue's

    def _where(self, symbol: str) -> Row:
        return _PRODUCT | {"symbol": self.market_id(symbol)}

    def _order_params(self, request: OrderRequest) -> Row:
        params = {
            "marginMode": "crossed",
            "size": format(request.quantity, "f"),
            "orderType": request.order_type.value.lower(),
            "clientOid": request.client_order_id,
            **parse.sides(request),
        }
        if request.order_type is OrderType.LIMIT and request.price is not None:
            params |= {"price": format(request.price, "f"), "force": parse.TIME_IN_FORCE[request.time_in_force]}
        return params

    # The venue's to ours

    def _known(self, name: str) -> bool:
        return name.upper() in self._names

    def _symbol(self, name: str) -> str:
        return self._names[name.upper()]

    def _order_update(self, row: Row) -> OrderUpdate:
        update = parse.order_update(row, self._symbol)
        self._noted(update.order)
        return update

    def _noted(self, order: Answer) -> Answer:
        """Remember whose position an order is about; in one-way mode there is nothing to remember."""
        if isinstance(order, Order) and order.position_side is not PositionSide.BOTH:
            self._position_sides[order.order_id] = order.position_side
            if len(self._position_sides) > _ORDERS_KNOWN:
                self._position_sides.popitem(last=False)
        return order

    def _now_ms(self) -> int:
        """Answer the market's time as last told, or the venue's clock before it was."""
        return self._market_time_ms or int(self.client.nonce())

    async def _rights(self) -> list[str]:
        answer = await self.rest.send("privateSpotGetV2SpotAccountInfo")
        return list(answer["data"].get("authorities") or ())

    async def _settings_of(self, symbol: str) -> Row:
        answer = await self.rest.send("privateMixGetV2MixAccountAccount", self._where(symbol) | _MARGIN, symbol=symbol)
        found: Row = answer["data"]
        return found
