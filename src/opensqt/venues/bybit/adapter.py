"""Bybit v5, USDT perpetuals of a unified account: https://bybit-exchange.github.io/docs/v5/intro."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Any

import ccxt.pro

from opensqt.config.venue import VenueSettings
from opensqt.model.account import Account, MarginMode, Position, PositionMode
from opensqt.model.countdown import CountdownRules
from opensqt.model.errors import ExchangeError, OrderNotFound, OutcomeUnknown, PermissionDenied, Unreachable, VenueError
from opensqt.model.funding import FundingPayment
from opensqt.model.market import INTERVALS_MS, Candle, Price
from opensqt.model.order import AmendRequest, Fill, Order, OrderRef, OrderRequest, PositionSide
from opensqt.model.venue import Capabilities, MarginModeScope
from opensqt.venues.account.acks import PendingAck, PendingAcks, wait_for_acks
from opensqt.venues.account.amendments import confirm_amended
from opensqt.venues.bybit.errors import CODES, STALE_RULES, UNCHANGED, error_code, refusal, with_retry_after
from opensqt.venues.bybit.funding import FUNDING, funding_pages, parse_funding_payment
from opensqt.venues.bybit.limits import RATE_LIMITS
from opensqt.venues.bybit.parse import (
    ASSET,
    FILL,
    INTERVALS,
    MARGIN_MODE,
    ORDER,
    POSITION,
    PRIVATE_ID,
    PRIVATE_TOPICS,
    PROTECTION_TOPIC,
    BybitParser,
    account_mode,
    parse_account,
    parse_candle,
    parse_fill,
    parse_order,
    parse_price,
)
from opensqt.venues.bybit.public import BybitPublic
from opensqt.venues.bybit.requests import BybitRequests, amend_request, order_ref, order_request
from opensqt.venues.events import Event
from opensqt.venues.parsing import Row, acknowledged_order, read_each
from opensqt.venues.regions import region_of
from opensqt.venues.rows import FrameFields, all_rows, first, lookup, member, objects
from opensqt.venues.transport.ccxt_client import CcxtMixin, is_open, new_client
from opensqt.venues.transport.errors import PARSE_ERRORS
from opensqt.venues.transport.symbol_list import ListPlace
from opensqt.venues.venue import WITHDRAWAL_WARNING, Venue

_ACK_TIMEOUT_S = 1.0
"""Time in which the account stream must report the result of a request, before the order is queried."""
_LOGIN_LASTS_MS = 10_000
_SUBSCRIBED_WITHIN_S = 3.0
_SILENT_FOR = "max_active_time=30s"
"""The venue cuts a private connection that was silent for this long; 10 minutes unless the address says otherwise. A
machine that loses its power does not close its connection, and the window of the protection begins with the cut."""
_PAST_STATES = ("Settling", "Delivering", "Closed")
"""States of a symbol that is still listed and no longer trades."""


class CcxtBybit(CcxtMixin, ccxt.pro.bybit):  # type: ignore[misc]
    """The client of ccxt, with the venue's time in its login and the venue's headers in its errors."""

    symbol_list = ListPlace(("result", "list"), "symbol")

    async def authenticate(self, url: str, params: Row | None = None) -> Any:
        """Log a connection in; the expiry of the login is counted from the venue's time."""
        socket, name = self.client(url), "authenticated"
        future = socket.reusableFuture(name)
        if name not in socket.subscriptions:
            expires = str(self.nonce() + _LOGIN_LASTS_MS)
            signature = self.hmac(
                self.encode(f"GET/realtime{expires}"), self.encode(self.secret), hashlib.sha256, "hex"
            )
            self.watch(url, name, {"op": "auth", "args": [self.apiKey, expires, signature]}, name)
        return await future

    async def public_get_v5_market_instruments_info(self, params: Row | None = None) -> Any:
        """Query symbols. Those of one state are listed at a time: with the future ones come those of the past.

        https://bybit-exchange.github.io/docs/v5/market/instrument
        """
        query = super().public_get_v5_market_instruments_info
        response = await query(params or {})
        if (params or {}).get("status") == "PreLaunch":
            rows = response["result"]["list"]
            for state in _PAST_STATES:
                rows += (await query({**(params or {}), "status": state}))["result"]["list"]
        return response

    def handle_errors(self, *arguments: Any) -> None:
        """Add the time to wait, which the venue sends in headers of its own."""
        try:
            super().handle_errors(*arguments)
        except ccxt.BaseError as error:
            error.reply = with_retry_after(error.reply, arguments[4], self.nonce())
            raise

    def code_and_message(self, response: Any) -> tuple[str, str]:
        """Return the venue's own code and text of a response."""
        if not isinstance(response, dict):
            return "", ""
        message = str(response.get("retMsg", ""))
        result = response.get("result")
        # A refused margin mode has its reasons in a list.
        reasons = result.get("reasons") if isinstance(result, dict) else None
        if isinstance(reasons, list):
            message = "; ".join([message, *(str(one.get("reasonMsg")) for one in reasons if isinstance(one, dict))])
        return error_code(response.get("retCode", ""), message), message


class BybitAdapter(Venue):
    """Bybit behind the interface of `Venue`.

    The response to an order only acknowledges the request; the account stream reports the result.
    """

    name = "bybit"
    capabilities = Capabilities(
        max_batch=10,
        intervals=frozenset(INTERVALS),
        margin_modes=frozenset(MarginMode),
        set_leverage=True,
        margin_mode_scope=MarginModeScope.ACCOUNT,
        set_position_mode=True,
        funding_payments=True,
        amend_order=True,
    )
    codes = CODES
    frame_fields = FrameFields(channel=("topic",), symbol=("data", "s"))
    rate_limits = RATE_LIMITS
    stale_rules = STALE_RULES
    unchanged = UNCHANGED
    symbol_state = ("status", frozenset({"Trading"}))
    announces_ready = True
    countdown_rules = CountdownRules(
        by_symbol=False,
        cancels="every open derivatives order of the account, whoever placed it; the time counts from the loss of the"
        " private connection",
        shortest_s=3,
        longest_s=300,
    )

    def __init__(self, settings: VenueSettings, client: Any, rest: Any) -> None:
        super().__init__(settings, client, rest)
        self._requests = BybitRequests(rest)
        self._acks = PendingAcks()
        self._parser = BybitParser(self, self._acks.resolve, lambda: self.margin_mode)
        self.public = BybitPublic(self, self._requests)
        self._protected: Any = None
        """The socket that subscribed to the topic of the protection."""
        self._parser.on_protection = self._on_protection

    @classmethod
    def make_client(cls, settings: VenueSettings) -> Any:
        """Return the client for the venue, its test network, or a simulator."""
        options = {"recvWindow": settings.recv_window_ms, "fetchMarkets": {"types": ["linear"]}}
        client = new_client(CcxtBybit, settings, options)
        region = region_of(settings)
        if settings.base_url:
            _set_addresses(client, settings.base_url, f"ws{settings.base_url.removeprefix('http')}")
        elif region is not None:
            _set_addresses(client, f"https://{region.rest}", f"wss://{region.stream}")
        elif settings.testnet:
            client.set_sandbox_mode(True)
        client.urls["api"]["ws"]["private"]["contract"] += f"?{_SILENT_FOR}"
        return client

    def market_quantities(self, market: Row) -> tuple[str, str]:
        """Return the largest quantity of a market order; the venue has no smallest of its own."""
        return "", market["info"].get("lotSizeFilter", {}).get("maxMktOrderQty") or ""

    # Orders

    async def place(self, request: OrderRequest) -> Order:
        """Send one order: https://bybit-exchange.github.io/docs/v5/order/create-order."""
        with self._acks.expect(_ref(request)) as ack:
            response = await self._requests.change("OrderCreate", self._order_request(request), request.symbol)
            await wait_for_acks([ack], _ACK_TIMEOUT_S)
            return await self._resolve_placed(request, response["result"], int(response["time"]), ack)

    async def place_batch(self, requests: Sequence[OrderRequest]) -> list[Order | ExchangeError]:
        """Send up to ten orders."""
        with ExitStack() as stack:
            acks = [stack.enter_context(self._acks.expect(_ref(request))) for request in requests]
            params = [self._order_request(request) for request in requests]
            response = await self._requests.change("OrderCreateBatch", {"request": params}, requests[0].symbol)
            rows = response["result"]["list"]
            errors = [
                refusal(row, request.symbol)
                for row, request in zip(response["retExtInfo"]["list"], requests, strict=True)
            ]
            await wait_for_acks([ack for ack, error in zip(acks, errors, strict=True) if error is None], _ACK_TIMEOUT_S)
            return [
                error or await self._resolve_placed(request, row, int(response["time"]), ack)
                for request, row, ack, error in zip(requests, rows, acks, errors, strict=True)
            ]

    async def amend(self, order: Order, request: AmendRequest) -> Order:
        """Amend one order: https://bybit-exchange.github.io/docs/v5/order/amend-order."""
        ref = OrderRef(symbol=order.symbol, order_id=order.order_id)
        with self._acks.expect(ref, until=request.is_done) as ack:
            params = amend_request(order, request, self.market_id(order.symbol))
            await self._requests.change("OrderAmend", params, order.symbol)
            await wait_for_acks([ack], _ACK_TIMEOUT_S)
            return ack.order or await confirm_amended(self.order, ref, request)

    async def cancel(self, ref: OrderRef) -> Order:
        """Cancel one order."""
        with self._acks.expect(ref, closed=True) as ack:
            await self._requests.change("OrderCancel", self._order_ref(ref), ref.symbol)
            await wait_for_acks([ack], _ACK_TIMEOUT_S)
            result = _resolve_canceled(ref, ack)
            if isinstance(result, ExchangeError):
                raise result
            return result

    async def cancel_batch(self, symbol: str, refs: Sequence[OrderRef]) -> list[Order | ExchangeError]:
        """Cancel up to ten orders."""
        with ExitStack() as stack:
            acks = [stack.enter_context(self._acks.expect(ref, closed=True)) for ref in refs]
            params = {"request": [self._order_ref(ref) for ref in refs]}
            response = await self._requests.change("OrderCancelBatch", params, symbol)
            errors = [refusal(row, symbol) for row in response["retExtInfo"]["list"]]
            await wait_for_acks([ack for ack, error in zip(acks, errors, strict=True) if error is None], _ACK_TIMEOUT_S)
            return [error or _resolve_canceled(ref, ack) for ref, ack, error in zip(refs, acks, errors, strict=True)]

    async def cancel_all(self, symbol: str) -> None:
        """Cancel every open order of a symbol."""
        await self._requests.change("OrderCancelAll", {"symbol": self.market_id(symbol)}, symbol)

    async def prepare_countdown(self, timeout_s: int) -> None:
        """Set the window of the disconnection protection: the venue needs up to ten seconds to apply it."""
        if await self._requests.protection() != timeout_s:
            await self._requests.set_protection(timeout_s)

    async def set_countdown(self, symbol: str, timeout_s: int) -> None:
        """Let the venue count this connection for its disconnection protection (DCP), or do so no longer.

        https://bybit-exchange.github.io/docs/v5/order/dcp

        Raises:
            PermissionDenied: The venue has not enabled the protection for this account.
            Unreachable: The private connection is lost, or the venue has not applied the window yet.
        """
        if not timeout_s:
            await self._leave_protection()
            return
        window_s = await self._requests.protection()
        if window_s is None:
            text = "disconnection protection (DCP) is not enabled for this account: ask Bybit's client manager for it"
            raise PermissionDenied(f"bybit: {text}")
        if window_s != timeout_s:
            await self._requests.set_protection(timeout_s)
            if await self._requests.protection() != timeout_s:
                raise Unreachable("bybit has not applied the window of its disconnection protection yet")
        socket = self._private_socket()
        if socket is None:
            raise Unreachable("the private connection is lost: bybit counts from its loss")
        if self._protected is not socket:
            await self._change_protection(socket, "subscribe")
            self._protected = socket

    async def order(self, ref: OrderRef) -> Order:
        """Query one order: among the open and the last 500 closed ones, then in the history."""
        for endpoint in ("OrderRealtime", "OrderHistory"):
            result = await self._requests.query(endpoint, self._order_ref(ref), ref.symbol)
            for row in objects(member(result, "list"), "list"):
                return parse_order(row)
        raise OrderNotFound(f"{ref.client_order_id or ref.order_id}: the venue knows no such order", symbol=ref.symbol)

    async def open_orders(self, symbol: str = "") -> list[Order]:
        """Query the open orders."""
        pages = self._requests.pages("OrderRealtime", self._symbol_params(symbol), 50, symbol)
        return await self.read_open_orders(ORDER, pages, parse_order)

    async def fills(self, symbol: str, since_ms: int) -> list[Fill]:
        """Query trades, a week in each window; their profits come from another query."""
        params = self._symbol_params(symbol)
        now_ms = await self.market_now_ms(symbol) if since_ms else 0
        rows = await self._requests.fills(params, symbol, since_ms, now_ms)
        profits = await self._requests.profits(params["symbol"], rows, symbol)
        return self.read_rows(
            FILL,
            rows,
            lambda row: parse_fill(row, hedge=self.is_hedge, profit=profits.get(str(row.get("execId")), "0")),
        )

    # The account

    async def account(self) -> Account:
        """Query the wallet of the unified account."""
        result = await self._requests.query("AccountWalletBalance", {"accountType": "UNIFIED"})
        return parse_account(first(member(result, "list"), "list"))

    async def check_account(self) -> None:
        """Query the kind of the account; those that are unified trade."""
        self.account_mode = account_mode(await self._requests.query("AccountInfo", {}))

    async def positions(self, symbol: str = "") -> list[Position]:
        """Query the positions of one symbol, flat ones included, or all that are held."""
        rows = await all_rows(self._requests.pages("PositionList", self._symbol_params(symbol), 200, symbol))
        return self.read_rows(POSITION, rows, self._parser.position)

    async def load_position_mode(self) -> None:
        """Query the position mode, which the venue keeps by symbol and shows in positions only, and keep it."""
        symbols = [symbol for symbol in self.settings.symbols or list(self.rules)[:1] if symbol in self.rules]
        hedged = {p.position_side is not PositionSide.BOTH for each in symbols for p in await self.positions(each)}
        if len(hedged) > 1:
            raise VenueError(f"position mode: differs among {', '.join(symbols)}; set one for all of them at the venue")
        self.position_mode = PositionMode.HEDGE if True in hedged else PositionMode.ONE_WAY
        # The account has one margin mode, and no row of a position shows it.
        info = await self._requests.query("AccountInfo", {})
        self.margin_mode = lookup(MARGIN_MODE, member(info, "marginMode"), "marginMode")
        self.account_mode = account_mode(info)

    async def set_position_mode(self, mode: PositionMode) -> None:
        """Switch the position mode of every USDT perpetual."""
        params = {"coin": ASSET, "mode": "3" if mode is PositionMode.HEDGE else "0"}
        await self.accept_unchanged(self._requests.change("PositionSwitchMode", params))

    async def change_leverage(self, symbol: str, leverage: int) -> None:
        """Set the leverage of a symbol."""
        params = {"symbol": self.market_id(symbol), "buyLeverage": str(leverage), "sellLeverage": str(leverage)}
        await self.accept_unchanged(self._requests.change("PositionSetLeverage", params, symbol))

    async def current_margin_mode(self, symbol: str) -> MarginMode:
        """Query the margin mode of the account, and keep it: no row of a position shows it."""
        info = await self._requests.query("AccountInfo", {}, symbol)
        self.margin_mode = lookup(MARGIN_MODE, member(info, "marginMode"), "marginMode")
        return self.margin_mode

    async def change_margin_mode(self, symbol: str, mode: MarginMode) -> None:
        """Set the margin mode of the account: https://bybit-exchange.github.io/docs/v5/account/set-margin-mode."""
        params = {"setMarginMode": "ISOLATED_MARGIN" if mode is MarginMode.ISOLATED else "REGULAR_MARGIN"}
        send = self.rest.send("privatePostV5AccountSetMarginMode", params, changes=True, symbol=symbol)
        await self.accept_unchanged(send)

    async def funding_payments(self, symbol: str, since_ms: int) -> list[FundingPayment]:
        """Query funding payments; the venue keeps two years of them, and half a year is asked for."""
        pages = funding_pages(self._requests, since_ms, await self.account_now_ms(symbol) if since_ms else 0)
        return await self.read_funding_payments(
            FUNDING, pages, lambda raw: parse_funding_payment(raw, hedge=self.is_hedge), symbol
        )

    async def key_warnings(self) -> list[str]:
        """Warn of a key that may withdraw, and refuse one that may not trade."""
        key = await self._requests.query("UserQueryApi", {})
        rights: dict[str, list[str]] = key["permissions"]
        if key.get("readOnly") == 1 or "Order" not in (rights.get("ContractTrade") or []):
            raise PermissionDenied("bybit: this key may not trade contracts; allow it `Orders` under `Contract`")
        if "Withdraw" in (rights.get("Wallet") or []):
            return [WITHDRAWAL_WARNING]
        return []

    # The market

    async def price(self, symbol: str) -> Price:
        """Query the best bid and ask: of the book, because only its response has the market's time."""
        params = {"symbol": self.market_id(symbol), "limit": "1"}
        row = await self._requests.query("MarketOrderbook", params, symbol, public=True)
        return self.require_price(parse_price(row, symbol), symbol)

    async def candles(
        self, symbol: str, interval: str, limit: int, start_ms: int | None = None, end_ms: int | None = None
    ) -> list[Candle]:
        """Query candles; of a window that holds more than the limit, the venue would return the newest."""
        params = {"symbol": self.market_id(symbol), "interval": INTERVALS[interval], "limit": str(limit)}
        if start_ms is not None:
            length_ms = INTERVALS_MS[interval]
            first_ms = -(-start_ms // length_ms) * length_ms
            last_ms = first_ms + (limit - 1) * length_ms
            params |= {"start": str(first_ms)}
            end_ms = last_ms if end_ms is None else min(end_ms, last_ms)
        if end_ms is not None:
            params["end"] = str(end_ms)
        result = await self._requests.query("MarketKline", params, symbol, public=True)
        rows = reversed(objects(member(result, "list"), "list"))
        candles = read_each(self.set_aside, "candle", symbol, rows, lambda row: parse_candle(row, symbol, interval))
        return await self.with_last_open(candles)

    # Streams

    def parse(self, frame: Any) -> Iterable[Event] | None:
        """Return the events of one frame."""
        return self._parser.parse(frame)

    def is_private(self, url: str) -> bool:
        """Return whether a connection carries the account's events."""
        return url.partition("?")[0].endswith("/v5/private")

    async def watch_private(self) -> None:
        """Log in, and hold the account stream."""
        client, url = self.client, self._private_url
        try:
            await client.authenticate(url)
            message = {"op": "subscribe", "req_id": PRIVATE_ID, "args": PRIVATE_TOPICS}
            await client.watch_multiple(url, [PRIVATE_ID], message, [PRIVATE_ID], {"id": PRIVATE_ID})
        except asyncio.CancelledError:
            raise
        except ccxt.BaseError:
            # A refused login or subscription is repeated on a new connection: this one may be half logged in.
            client.abort_connection(client.client(url))
            raise

    async def unwatch_price(self, symbol: str) -> None:
        """Unsubscribe."""
        name, url = self.unified(symbol), self.client.urls["api"]["ws"]["public"]["linear"]
        topics = [f"orderbook.1.{self.market_id(symbol)}"]
        hashes = ([f"unsubscribe:bidask:{name}"], [f"bidask:{name}"])
        await self.client.un_watch_topics(self.client.implode_hostname(url), "orderbook", [name], *hashes, topics)
        self._parser.forget_price(symbol)

    @property
    def _private_url(self) -> str:
        return str(self.client.implode_hostname(self.client.urls["api"]["ws"]["private"]["contract"]))

    def _private_socket(self) -> Any:
        """Return the private connection, or None while it is lost."""
        socket = self.client.clients.get(self._private_url)
        return socket if is_open(socket) else None

    async def _leave_protection(self) -> None:
        socket, self._protected = self._protected, None
        if is_open(socket):
            await self._change_protection(socket, "unsubscribe")

    async def _change_protection(self, socket: Any, operation: str) -> None:
        """Subscribe a connection to the topic of the protection, or unsubscribe it, and wait for the response."""
        name = f"{PROTECTION_TOPIC} {operation}"
        socket.subscriptions.pop(name, None)
        message = {"op": operation, "req_id": name, "args": [PROTECTION_TOPIC]}
        try:
            async with asyncio.timeout(_SUBSCRIBED_WITHIN_S):
                frame = await self.client.watch(self._private_url, name, message, name)
        except (TimeoutError, ccxt.BaseError) as error:
            raise Unreachable(f"bybit did not respond to {operation} {PROTECTION_TOPIC}: {error!r}") from error
        if frame.get("success") is not True and "already" not in str(frame.get("ret_msg")):
            raise VenueError(f"bybit refused to {operation} {PROTECTION_TOPIC}: {frame.get('ret_msg')}")

    def _on_protection(self, frame: Row) -> None:
        socket = self._private_socket()
        if socket is not None:
            socket.resolve(frame, str(frame["req_id"]))

    # Parameters and results

    def _symbol_params(self, symbol: str) -> Row:
        return {"symbol": self.market_id(symbol)} if symbol else {"settleCoin": ASSET}

    def _order_request(self, request: OrderRequest) -> Row:
        return order_request(request, self.market_id(request.symbol))

    def _order_ref(self, ref: OrderRef) -> Row:
        return order_ref(ref, self.market_id(ref.symbol))

    async def _resolve_placed(self, request: OrderRequest, row: Row, time_ms: int, ack: PendingAck) -> Order:
        """Return an order that the venue acknowledged: as streamed, as queried, or as sent."""
        if ack.order is not None:
            return ack.order
        try:
            return await self.order(OrderRef(symbol=request.symbol, order_id=row["orderId"]))
        except (ExchangeError, *PARSE_ERRORS):
            # Only the acknowledgement is known; the stream or the next reconciliation brings the rest.
            return acknowledged_order(request, row["orderId"], self._market_time_ms or time_ms)


def _set_addresses(client: Any, rest: str, stream: str) -> None:
    api = client.urls["api"]
    api["public"] = api["private"] = rest
    api["ws"]["public"]["linear"] = f"{stream}/v5/public/linear"
    api["ws"]["private"]["contract"] = f"{stream}/v5/private"


def _ref(request: OrderRequest) -> OrderRef:
    return OrderRef(symbol=request.symbol, client_order_id=request.client_order_id)


def _resolve_canceled(ref: OrderRef, ack: PendingAck) -> Order | ExchangeError:
    """Return an order whose cancel was acknowledged, or that the stream has not reported its end."""
    text = "the cancel was acknowledged; the stream has not reported the end of the order yet"
    return ack.order or OutcomeUnknown(text, symbol=ref.symbol)
