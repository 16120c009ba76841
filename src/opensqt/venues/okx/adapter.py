"""OKX USDT-margined perpetual swaps, counted in contracts: https://www.okx.com/docs-v5/en/."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import ccxt.pro

from opensqt.config.venue import VenueSettings
from opensqt.model.account import Account, Position, PositionMode
from opensqt.model.countdown import CountdownRules
from opensqt.model.errors import ExchangeError, OrderNotFound, OutcomeUnknown, PermissionDenied, VenueError
from opensqt.model.funding import FundingPayment
from opensqt.model.market import INTERVALS_MS, Candle, Price
from opensqt.model.order import AmendRequest, Fill, Order, OrderRef, OrderRequest, TimeInForce
from opensqt.model.venue import Capabilities, MarginModeScope
from opensqt.venues.account.amendments import AmendResults, confirm_amended
from opensqt.venues.account.state import flat, sides
from opensqt.venues.events import Event
from opensqt.venues.okx.errors import CODES, STALE_RULES, amend_refusal, error_code, refusal
from opensqt.venues.okx.funding import FUNDING, funding_pages, parse_funding_payment
from opensqt.venues.okx.limits import RATE_LIMITS
from opensqt.venues.okx.parse import (
    ASSET,
    FILL,
    INTERVALS,
    MULTI_CURRENCY,
    ORDER,
    PRIVATE_ARGS,
    OkxParser,
    account_mode,
    parse_account,
    parse_candle,
    parse_fill,
    parse_order,
    parse_price,
)
from opensqt.venues.okx.public import OkxPublic
from opensqt.venues.okx.requests import TAG, OkxRequests, amend_request, order_ref, order_request
from opensqt.venues.parsing import Row, acknowledged_order, read_each
from opensqt.venues.regions import region_of
from opensqt.venues.rows import FrameFields, RowError, all_rows, first
from opensqt.venues.transport.ccxt_client import CcxtMixin, new_client
from opensqt.venues.transport.errors import PARSE_ERRORS, VenueReply
from opensqt.venues.transport.symbol_list import ListPlace
from opensqt.venues.venue import WITHDRAWAL_WARNING, Venue

_RECENT_MS = 3 * 86_400_000
"""Age of the trades that the fast endpoint has; the other one goes three months back and may be late."""
_CANCEL_QUERY_DELAYS_S = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)
"""A cancel is acknowledged before it is done: pauses before the queries of the order."""
_AMEND_RESULT_TIMEOUT_S = 1.0
"""How long the orders channel may take to report an acknowledged amendment; then the order is queried."""
_CANCEL_ALL_ROUNDS = 20
_LIMIT_LASTS_S = 2.0


class CcxtOkx(CcxtMixin, ccxt.pro.okx):  # type: ignore[misc]
    """The client of ccxt, with the row's code in its errors; the rows of a batch raise no error."""

    symbol_list = ListPlace(("data",), "instId")
    text_frames = frozenset({"pong"})

    def handle_errors(self, code: int, reason: str, url: str, *rest: Any) -> None:
        """Leave the rows of a batch to `refusal`; add the duration of a rate limit, which the venue does not send."""
        response = rest[3]
        if isinstance(response, dict) and "/trade/" in url and "batch-orders" in url and response.get("data"):
            return
        try:
            super().handle_errors(code, reason, url, *rest)
        except ccxt.BaseError as error:
            reply = getattr(error, "reply", None)
            if isinstance(reply, VenueReply) and reply.http_status == 429 and reply.retry_after_s is None:
                error.reply = replace(reply, retry_after_s=_LIMIT_LASTS_S)
            raise

    def code_and_message(self, response: Any) -> tuple[str, str]:
        """Return the code of a refused row, or else of the whole response."""
        code, message = super().code_and_message(response)
        rows = response.get("data") if isinstance(response, dict) else None
        if code in ("1", "2") and rows and isinstance(rows[0], dict) and rows[0].get("sCode"):
            code, message = str(rows[0]["sCode"]), str(rows[0].get("sMsg", ""))
        return error_code(code, message), message


class OkxAdapter(Venue):
    """OKX behind the interface of `Venue`."""

    name = "okx"
    capabilities = Capabilities(
        max_batch=20,
        intervals=frozenset(INTERVALS),
        # No setting: each order names its margin mode, and this adapter's are cross.
        margin_mode_scope=MarginModeScope.NONE,
        set_leverage=True,
        set_position_mode=True,
        funding_payments=True,
        amend_order=True,
    )
    codes = CODES
    frame_fields = FrameFields(channel=("arg", "channel"), symbol=("arg", "instId"))
    rate_limits = RATE_LIMITS
    stale_rules = STALE_RULES
    symbol_state = ("state", frozenset({"live"}))
    needs_passphrase = True
    announces_ready = True
    holds_by_margin_mode = True
    counts_coins = False
    countdown_rules = CountdownRules(
        by_symbol=False,
        cancels=f"every open order with the tag {TAG!r}, which OpenSQT gives to each of its orders; no others",
        shortest_s=10,
        longest_s=120,
    )

    def __init__(self, settings: VenueSettings, client: Any, rest: Any) -> None:
        super().__init__(settings, client, rest)
        self._requests = OkxRequests(client, rest)
        self._parser = OkxParser(self)
        self.public = OkxPublic(self, self._requests)
        self._parser.on_amended = self._take_amend_result
        self._amend_results = AmendResults()

    @classmethod
    def make_client(cls, settings: VenueSettings) -> Any:
        """Return the client for the venue, its demo trading, or a simulator."""
        client = new_client(CcxtOkx, settings, {"fetchMarkets": {"types": ["swap"]}})
        region = region_of(settings)
        if settings.base_url:
            client.urls["api"]["rest"] = settings.base_url
            client.urls["api"]["ws"] = f"ws{settings.base_url.removeprefix('http')}/ws/v5"
        elif settings.testnet:
            client.set_sandbox_mode(True)
        if region is not None:
            rest, stream = region.rest, region.stream
            if settings.testnet:
                rest, stream = region.test_rest, region.test_stream
            client.urls["api"]["rest"] = f"https://{rest}"
            client.urls["api"]["ws"] = f"wss://{stream}:443/ws/v5"
        return client

    def market_quantities(self, market: Row) -> tuple[str, str]:
        """Return the largest quantity of a market order, in contracts; the venue has no smallest of its own."""
        return "", market["info"].get("maxMktSz") or ""

    # Orders

    async def place(self, request: OrderRequest) -> Order:
        """Send one order: https://www.okx.com/docs-v5/en/#order-book-trading-trade-post-place-order."""
        rows = await self._requests.change("privatePostTradeOrder", self._order_request(request), request.symbol)
        return await self._resolve_placed(acknowledged_order(request, rows[0]["ordId"], int(rows[0].get("ts") or 0)))

    async def place_batch(self, requests: Sequence[OrderRequest]) -> list[Order | ExchangeError]:
        """Send up to twenty orders."""
        symbol = requests[0].symbol
        rows = await self._requests.change(
            "privatePostTradeBatchOrders", [self._order_request(request) for request in requests], symbol
        )
        if len(rows) != len(requests):
            raise OutcomeUnknown(f"the venue responded for {len(rows)} of {len(requests)} orders", symbol=symbol)
        results = [_placed(row, request) for row, request in zip(rows, requests, strict=True)]
        accepted = [result for result in results if isinstance(result, Order)]
        resolved = iter(await asyncio.gather(*(self._resolve_placed(order) for order in accepted)))
        return [next(resolved) if isinstance(result, Order) else result for result in results]

    async def amend(self, order: Order, request: AmendRequest) -> Order:
        """Amend one order. The venue acknowledges it before it is done; the orders channel reports the result.

        https://www.okx.com/docs-v5/en/#order-book-trading-trade-post-amend-order
        """
        ref = OrderRef(symbol=order.symbol, order_id=order.order_id)
        with self._amend_results.expect(request.amend_id) as future:
            params = amend_request(order, request, self.market_id(order.symbol), self.rules[order.symbol])
            await self._requests.change("privatePostTradeAmendOrder", params, order.symbol)
            await asyncio.wait({future}, timeout=_AMEND_RESULT_TIMEOUT_S)
            if not future.done():
                return await confirm_amended(self.order, ref, request)
        result = future.result()
        if isinstance(result, ExchangeError):
            raise result
        return result

    async def cancel(self, ref: OrderRef) -> Order:
        """Cancel one order, and query it until it is closed: the venue acknowledges a cancel before it is done."""
        await self._requests.change("privatePostTradeCancelOrder", self._order_ref(ref), ref.symbol)
        return await self._resolve_canceled(ref)

    async def cancel_batch(self, symbol: str, refs: Sequence[OrderRef]) -> list[Order | ExchangeError]:
        """Cancel up to twenty orders."""
        params = [self._order_ref(ref) for ref in refs]
        rows = await self._requests.change("privatePostTradeCancelBatchOrders", params, symbol)
        if len(rows) != len(refs):
            raise OutcomeUnknown(f"the venue responded for {len(rows)} of {len(refs)} cancels", symbol=symbol)

        async def resolve(row: Row, ref: OrderRef) -> Order | ExchangeError:
            try:
                return refusal(row, symbol) or await self._resolve_canceled(ref)
            except ExchangeError as error:
                return error

        return list(await asyncio.gather(*(resolve(row, ref) for row, ref in zip(rows, refs, strict=True))))

    async def cancel_all(self, symbol: str) -> None:
        """Cancel the open orders in batches, until none is left: the venue has no such request for swaps."""
        canceled: set[str] = set()
        for _ in range(_CANCEL_ALL_ROUNDS):
            found = [order for order in await self.open_orders(symbol) if order.order_id not in canceled]
            if not found:
                return
            for start in range(0, len(found), self.capabilities.max_batch):
                chunk = found[start : start + self.capabilities.max_batch]
                params = [{"instId": self.market_id(symbol), "ordId": order.order_id} for order in chunk]
                rows = await self._requests.change("privatePostTradeCancelBatchOrders", params, symbol)
                for row in rows:
                    error = refusal(row, symbol)
                    if error is not None and not isinstance(error, OrderNotFound | OutcomeUnknown):
                        raise error
                canceled |= {order.order_id for order in chunk}

    async def set_countdown(self, symbol: str, timeout_s: int) -> None:
        """Start, renew or stop the countdown of the orders with our tag.

        https://www.okx.com/docs-v5/en/#order-book-trading-trade-post-cancel-all-after
        """
        await self._requests.change("privatePostTradeCancelAllAfter", {"timeOut": str(timeout_s), "tag": TAG})

    async def order(self, ref: OrderRef) -> Order:
        """Query one order."""
        rows = await self._requests.query("privateGetTradeOrder", self._order_ref(ref), ref.symbol)
        return parse_order(first(rows, "data"), self.rules[ref.symbol])

    async def open_orders(self, symbol: str = "") -> list[Order]:
        """Query the open orders, all pages."""
        pages = self._requests.pages("privateGetTradeOrdersPending", "ordId", self._symbol_params(symbol), symbol)
        return await self.read_open_orders(ORDER, pages, lambda raw: parse_order(raw, self._parser.rules_of(raw)))

    async def fills(self, symbol: str, since_ms: int) -> list[Fill]:
        """Query trades, newest page first."""
        recent = not since_ms or since_ms > int(self.client.nonce()) - _RECENT_MS
        endpoint = "privateGetTradeFills" if recent else "privateGetTradeFillsHistory"
        query = self._symbol_params(symbol) | ({"begin": str(since_ms)} if since_ms else {})
        rows = await all_rows(self._requests.pages(endpoint, "billId", query, symbol, newest_only=not since_ms))
        return self.read_rows(FILL, reversed(rows), lambda raw: parse_fill(raw, self.rules[symbol]))

    # The account

    async def account(self) -> Account:
        """Query the balance: of the margin asset, or of every currency where all of them serve as margin."""
        multi_currency = self.account_mode == MULTI_CURRENCY
        params = {} if multi_currency else {"ccy": ASSET}
        response = first(await self._requests.query("privateGetAccountBalance", params), "data")
        return parse_account(response, multi_currency=multi_currency)

    async def check_account(self) -> None:
        """Query the mode of the account; swaps are traded in futures mode and in multi-currency margin mode."""
        self.account_mode = account_mode(first(await self._requests.query("privateGetAccountConfig"), "data"))

    async def positions(self, symbol: str = "") -> list[Position]:
        """Query the positions; the venue leaves out one that was never opened, so a flat one is made of its absence."""
        rows = await self._requests.query("privateGetAccountPositions", self._symbol_params(symbol), symbol)
        found = self._parser.positions(rows)
        expected = tuple(sides(self.position_mode))
        missing = set(expected) - {position.position_side for position in found} if symbol else set()
        if self.set_aside.hides("position", symbol):
            # A row that can't be read must not pass for a position that was never opened.
            return found
        if missing:
            self.leverages[symbol] = await self.leverage(symbol)
        return found + [flat(symbol, side) for side in expected if side in missing]

    async def load_position_mode(self) -> None:
        """Query the account's position mode, and keep it; check that the key may trade."""
        (config,) = await self._requests.query("privateGetAccountConfig")
        if "trade" not in str(config.get("perm", "trade")).split(","):
            raise PermissionDenied("this OKX key may not trade: allow trading for it, or use public-only mode")
        self.account_mode = account_mode(config)
        hedge = config["posMode"] == "long_short_mode"
        self.position_mode = PositionMode.HEDGE if hedge else PositionMode.ONE_WAY

    async def set_position_mode(self, mode: PositionMode) -> None:
        """Switch the position mode."""
        wanted = "long_short_mode" if mode is PositionMode.HEDGE else "net_mode"
        await self._requests.change("privatePostAccountSetPositionMode", {"posMode": wanted})

    async def change_leverage(self, symbol: str, leverage: int) -> None:
        """Set the cross-margin leverage of a symbol."""
        params = {"instId": self.market_id(symbol), "mgnMode": "cross", "lever": str(leverage)}
        await self._requests.change("privatePostAccountSetLeverage", params, symbol)

    async def leverage(self, symbol: str) -> Decimal:
        """Query the cross-margin leverage of a symbol."""
        params = {"instId": self.market_id(symbol), "mgnMode": "cross"}
        rows = await self._requests.query("privateGetAccountLeverageInfo", params, symbol)
        if not rows:
            raise VenueError(f"leverage of {symbol}: the venue does not report it", symbol=symbol)
        return Decimal(rows[0]["lever"])

    async def funding_payments(self, symbol: str, since_ms: int) -> list[FundingPayment]:
        """Query funding payments; the venue keeps three months of them."""
        name, now_ms = self.market_id(symbol) if symbol else "", await self.account_now_ms(symbol) if since_ms else 0
        pages = funding_pages(self._requests, name, symbol, since_ms, now_ms)
        return await self.read_funding_payments(
            FUNDING, pages, lambda raw: parse_funding_payment(raw, self._parser.rules_of(raw)), symbol
        )

    async def key_warnings(self) -> list[str]:
        """Warn of a key that may withdraw."""
        (config,) = await self._requests.query("privateGetAccountConfig")
        if "withdraw" in str(config.get("perm", "")).split(","):
            return [WITHDRAWAL_WARNING]
        return []

    # The market

    async def price(self, symbol: str) -> Price:
        """Query the best bid and ask."""
        query = {"instId": self.market_id(symbol), "sz": "1"}
        row = first(await self._requests.query("publicGetMarketBooks", query, symbol), "data")
        return self.require_price(parse_price(row, self.rules[symbol]), symbol)

    async def candles(
        self, symbol: str, interval: str, limit: int, start_ms: int | None = None, end_ms: int | None = None
    ) -> list[Candle]:
        """Query candles."""
        params = {"instId": self.market_id(symbol), "bar": INTERVALS[interval]}
        if start_ms is not None:
            params["before"] = str(start_ms - 1)
            newest_ms = start_ms + (limit - 1) * INTERVALS_MS[interval]
            end_ms = newest_ms if end_ms is None else min(newest_ms, end_ms)
        rules, rows = self.rules[symbol], await self._requests.candles(params, limit, end_ms, symbol)
        return read_each(
            self.set_aside, "candle", symbol, reversed(rows), lambda row: parse_candle(row, rules, interval)
        )

    # Streams

    def parse(self, frame: Any) -> Iterable[Event] | None:
        """Return the events of one frame."""
        return self._parser.parse(frame)

    def is_private(self, url: str) -> bool:
        """Return whether a connection carries the account's events."""
        return "/ws/v5/private" in url

    async def watch_private(self) -> None:
        """Log in, and hold the account's channels; a refusal ends the connection, so the next attempt makes another."""
        url = self.client.get_url("orders", "private")
        self._parser.acks.expect_all()
        try:
            async with asyncio.timeout(self.settings.request_timeout_s):
                await self.client.authenticate({"access": "private"})
            await self._hold(url, "account events", PRIVATE_ARGS)
        except (ccxt.BaseError, TimeoutError):
            self.client.abort_connection(self.client.client(url))
            raise

    async def watch_price(self, symbol: str) -> None:
        """Hold the subscription to the best bid and ask, tick by tick."""
        await self._hold(self.client.get_url("bbo-tbt"), f"price:{symbol}", [self._arg("bbo-tbt", symbol)])

    async def unwatch_price(self, symbol: str) -> None:
        """Unsubscribe."""
        await self._unsubscribe(self.client.get_url("bbo-tbt"), f"price:{symbol}", self._arg("bbo-tbt", symbol))

    async def watch_candles(self, symbol: str, interval: str) -> None:
        """Hold the subscription to candles."""
        channel = f"candle{INTERVALS[interval]}"
        await self._hold(self.client.get_url(channel), f"{channel}:{symbol}", [self._arg(channel, symbol)])

    async def unwatch_candles(self, symbol: str, interval: str) -> None:
        """Unsubscribe."""
        channel = f"candle{INTERVALS[interval]}"
        await self._unsubscribe(self.client.get_url(channel), f"{channel}:{symbol}", self._arg(channel, symbol))

    def _arg(self, channel: str, symbol: str) -> dict[str, str]:
        return {"channel": channel, "instId": self.market_id(symbol)}

    async def _hold(self, url: str, name: str, args: list[dict[str, str]]) -> None:
        await self.client.watch(url, name, {"op": "subscribe", "args": args}, name)

    async def _unsubscribe(self, url: str, name: str, arg: dict[str, str]) -> None:
        socket = self.client.clients.get(url)
        if socket is None or socket.connection is None or socket.connection.closed:
            return
        socket.subscriptions.pop(name, None)
        socket.futures.pop(name, None)
        await socket.send({"op": "unsubscribe", "args": [arg]})

    # Parameters and results

    def _order_request(self, request: OrderRequest) -> Row:
        return order_request(request, self.market_id(request.symbol), self.rules[request.symbol])

    def _order_ref(self, ref: OrderRef) -> Row:
        return order_ref(ref, self.market_id(ref.symbol))

    def _symbol_params(self, symbol: str) -> Row:
        return {"instType": "SWAP"} | ({"instId": self.market_id(symbol)} if symbol else {})

    def _take_amend_result(self, raw: Row) -> None:
        """Take in the result of an amendment, which a row of the orders channel reports by its id."""
        try:
            rules = self.listed_rules(raw.get("instId"))
            outcome = amend_refusal(raw, rules.symbol) or parse_order(raw, rules)
            self._amend_results.resolve(str(raw["reqId"]), outcome)
        except RowError:
            # The row is set aside where the others are read; a query proves the outcome.
            return

    async def _resolve_placed(self, order: Order) -> Order:
        """Query an accepted post-only order: the venue cancels one that would have taken after it accepted it."""
        if order.time_in_force is not TimeInForce.POST_ONLY:
            return order
        try:
            return await self.order(OrderRef(symbol=order.symbol, order_id=order.order_id))
        except (ExchangeError, *PARSE_ERRORS):
            # The order was accepted; the stream reports the rest.
            return order

    async def _resolve_canceled(self, ref: OrderRef) -> Order:
        """Query an order whose cancel was acknowledged until it is closed."""
        for delay_s in _CANCEL_QUERY_DELAYS_S:
            await asyncio.sleep(delay_s)
            try:
                order = await self.order(ref)
            except ExchangeError as error:
                text = f"the cancel was acknowledged; the order could not be queried: {error}"
                raise OutcomeUnknown(text, symbol=ref.symbol) from error
            if order.status.is_closed:
                return order
        raise OutcomeUnknown("the cancel was acknowledged; the order is still open", symbol=ref.symbol)


def _placed(row: Any, request: OrderRequest) -> Order | ExchangeError:
    """Read one item of a batch. One that can't be read leaves only its own outcome unknown."""
    try:
        return refusal(row, request.symbol) or acknowledged_order(request, row["ordId"], int(row.get("ts") or 0))
    except PARSE_ERRORS as error:
        return OutcomeUnknown(f"the venue's response could not be read: {error!r}", symbol=request.symbol)
