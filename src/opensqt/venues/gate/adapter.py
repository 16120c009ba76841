"""Gate USDT-settled perpetuals: https://www.gate.com/docs/developers/apiv4/en/#futures."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import ccxt.pro

from opensqt.config.venue import VenueSettings
from opensqt.model.account import Account, MarginMode, Position, PositionMode
from opensqt.model.countdown import CountdownRules
from opensqt.model.errors import ExchangeError, OrderNotFound, OutcomeUnknown, PermissionDenied, Unsupported
from opensqt.model.funding import FundingPayment
from opensqt.model.market import INTERVALS_MS, Candle, Price
from opensqt.model.order import AmendRequest, Fill, Order, OrderRef, OrderRequest
from opensqt.model.venue import Capabilities, MarginModeScope
from opensqt.venues.events import Event
from opensqt.venues.gate.errors import CODES, KILLED, STALE_RULES, UNCHANGED, order_error, refusal
from opensqt.venues.gate.funding import FUNDING, funding_pages, parse_funding_payment
from opensqt.venues.gate.limits import RATE_LIMITS
from opensqt.venues.gate.parse import (
    CLASSIC,
    FILL,
    INTERVALS,
    ORDER,
    CandleRow,
    GateParser,
    account_mode,
    closing_trades,
    key_warnings,
    parse_account,
    parse_candle,
    parse_fill,
    parse_order,
    parse_price,
    parse_unified_account,
)
from opensqt.venues.gate.public import GatePublic
from opensqt.venues.gate.requests import BOOKED_WITHIN_MS, USDT, GateRequests, amend_request, order_ref, order_request
from opensqt.venues.parsing import Row, read_each
from opensqt.venues.regions import region_of
from opensqt.venues.rows import FrameFields, RowError, all_rows, decode_message, member, objects, sort_number
from opensqt.venues.transport.ccxt_client import CcxtMixin, cancel_and_wait, new_client
from opensqt.venues.transport.errors import outcome_of
from opensqt.venues.transport.rest import Rest
from opensqt.venues.transport.symbol_list import ListPlace
from opensqt.venues.venue import Venue

_PRIVATE = "#private"
"""Ends the address of the private connection: it is never sent, and gives the account stream its own socket."""


class CcxtGate(CcxtMixin, ccxt.pro.gate):  # type: ignore[misc]
    """The client of ccxt, with orders that expire when they are late, and a separate private connection."""

    symbol_list = ListPlace((), "name")
    recv_window_ms = 5_000

    def sign(self, path: str, *arguments: Any, **options: Any) -> Any:
        """Sign a request; what changes orders gets an expiry, because its timestamp alone is valid for a minute."""
        signed = super().sign(path, *arguments, **options)
        changes_orders = "order" in path or "countdown" in path
        if signed["method"] != "GET" and path.rpartition("/")[2] != "leverage" and changes_orders:
            signed["headers"]["x-gate-exptime"] = str(int(self.nonce()) + self.recv_window_ms)
        return signed

    def get_url_by_market_type(self, *arguments: Any) -> str:
        """Return the address of private channels; ccxt calls this for those only."""
        return f"{super().get_url_by_market_type(*arguments)}{_PRIVATE}"

    def code_and_message(self, response: Any) -> tuple[str, str]:
        """Return the label and the text of a response."""
        if not isinstance(response, dict):
            return "", ""
        return str(response.get("label", "")), str(response.get("message") or response.get("detail") or "")

    def retry_after_s(self, headers: dict[str, str]) -> float | None:
        """Return the seconds until the limit resets; the header has the time since the epoch."""
        for name, value in headers.items():
            if name.lower() == "x-gate-ratelimit-reset-timestamp" and value.isdecimal():
                return max(0.0, int(value) - self.nonce() / 1000)
        return super().retry_after_s(headers)


class GateAdapter(Venue):
    """Gate behind the interface of `Venue`."""

    name = "gate"
    capabilities = Capabilities(
        max_batch=10,
        intervals=frozenset(INTERVALS),
        margin_modes=frozenset(MarginMode),
        client_order_id_length=28,
        set_leverage=True,
        margin_mode_scope=MarginModeScope.SYMBOL,
        set_position_mode=True,
        funding_payments=True,
        amend_order=True,
    )
    codes = CODES
    frame_fields = FrameFields(channel=("channel",), symbol=("result", "s"))
    rate_limits = RATE_LIMITS
    stale_rules = STALE_RULES
    unchanged = UNCHANGED
    symbol_state = ("status", frozenset({"trading"}))
    announces_ready = True
    cancels_by_id_alone = True
    counts_coins = False
    countdown_rules = CountdownRules(
        by_symbol=True,
        cancels="every open order of a contract that a lease holder has orders in, whoever placed it",
        shortest_s=5,
        longest_s=86_400,
    )

    def __init__(self, settings: VenueSettings, client: Any, rest: Rest) -> None:
        super().__init__(settings, client, rest)
        self._requests = GateRequests(rest)
        self._parser = GateParser(self)
        self.public = GatePublic(self, self._requests)

    @classmethod
    def make_client(cls, settings: VenueSettings) -> Any:
        """Return the client for the venue, its test network, or a simulator."""
        options = {
            "defaultType": "swap",
            "fetchMarkets": {"types": ["swap"]},
            "swap": {"fetchMarkets": {"settlementCurrencies": ["usdt"]}},
            "unifiedAccount": False,
            "watchPositions": {"fetchPositionsSnapshot": False},
        }
        client = new_client(CcxtGate, settings, options)
        client.recv_window_ms = settings.recv_window_ms
        region = region_of(settings)
        if settings.base_url:
            _set_addresses(client, settings.base_url, f"ws{settings.base_url.removeprefix('http')}")
        elif region is not None:
            _set_addresses(client, f"https://{region.rest}", f"wss://{region.stream}")
        elif settings.testnet:
            client.set_sandbox_mode(True)
        return client

    def untradable_reason(self, market: Row) -> str:
        """Return the state; a contract whose delisting was announced has `trading`, and takes only what closes."""
        reason = super().untradable_reason(market)
        return reason or ("in_delisting" if market["info"].get("in_delisting") is True else "")

    def contract_size(self, market: Row) -> Any:
        """Return the multiplier of the list itself: ccxt takes one coin in place of none."""
        return market["info"].get("quanto_multiplier")

    def market_quantities(self, market: Row) -> tuple[str, str]:
        """Return the largest quantity of a market order, in contracts: the smaller one of two limits."""
        sizes = [str(market["info"].get(field) or "0") for field in ("market_order_size_max", "order_size_max")]
        return "", min((size for size in sizes if Decimal(size)), key=Decimal, default="")

    # Orders

    async def place(self, request: OrderRequest) -> Order:
        """Send one order: https://www.gate.com/docs/developers/apiv4/en/#place-futures-order."""
        try:
            row = await self._requests.change("PostSettleOrders", self._order_request(request), request.symbol)
        except ExchangeError as refused:
            if refused.venue_code != KILLED:
                raise order_error(refused) from refused
            # A killed FOK order was accepted and is over, and can be queried.
            try:
                return await self.order(OrderRef(symbol=request.symbol, client_order_id=request.client_order_id))
            except OrderNotFound:
                raise refused from None
        return self._order(row)

    async def place_batch(self, requests: Sequence[OrderRequest]) -> list[Order | ExchangeError]:
        """Send up to ten orders."""
        symbol = requests[0].symbol
        bodies = [{**USDT, **self._order_request(request)} for request in requests]
        send = self.client.privateFuturesPostSettleBatchOrders
        # A copy each time: ccxt writes into its arguments.
        rows = await self.rest.call(lambda: send([dict(body) for body in bodies]), changes=True, symbol=symbol)
        if not isinstance(rows, list):
            raise OutcomeUnknown("the venue's response could not be read", symbol=symbol)
        return [
            refusal(row, request.symbol) or self.order_or_unknown(row, request.symbol, self._order)
            for row, request in zip(rows, requests, strict=True)
        ]

    async def amend(self, order: Order, request: AmendRequest) -> Order:
        """Amend one order; the venue cancels one that is amended to no more than what is filled.

        https://www.gate.com/docs/developers/apiv4/en/#amend-an-order-2
        """
        params = amend_request(order, request, self.rules[order.symbol])
        try:
            return self._order(await self._requests.change("PutSettleOrdersOrderId", params, order.symbol))
        except ExchangeError as refused:
            raise order_error(refused) from refused

    async def cancel(self, ref: OrderRef) -> Order:
        """Cancel one order."""
        return self._order(await self._requests.change("DeleteSettleOrdersOrderId", order_ref(ref), ref.symbol))

    async def cancel_batch(self, symbol: str, refs: Sequence[OrderRef]) -> list[Order | ExchangeError]:
        """Cancel one by one: the venue's batch has no client ids and returns no orders, and cancels cost little."""
        return await asyncio.gather(*(outcome_of(self.cancel(ref), ref.symbol) for ref in refs))

    async def cancel_all(self, symbol: str) -> None:
        """Cancel every open order of a symbol."""
        await self._requests.change("DeleteSettleOrders", {"contract": self.market_id(symbol)}, symbol)

    async def set_countdown(self, symbol: str, timeout_s: int) -> None:
        """Start, renew or stop the countdown of a contract.

        https://www.gate.com/docs/developers/apiv4/en/#countdown-cancel-orders-2
        """
        params = {"contract": self.market_id(symbol), "timeout": timeout_s}
        await self._requests.change("PostSettleCountdownCancelAll", params, symbol)

    async def order(self, ref: OrderRef) -> Order:
        """Query one order; by client id the venue finds one that ended without a fill for a minute only."""
        found = self._order(await self._requests.query("GetSettleOrdersOrderId", order_ref(ref), ref.symbol))
        if found.symbol != ref.symbol:
            raise OrderNotFound(f"no order of {ref.symbol} has this id", symbol=ref.symbol)
        return found

    async def open_orders(self, symbol: str = "") -> list[Order]:
        """Query the open orders."""
        params = {"status": "open"} | ({"contract": self.market_id(symbol)} if symbol else {})
        return await self.read_open_orders(ORDER, self._requests.pages("GetSettleOrders", params, symbol), self._order)

    async def fills(self, symbol: str, since_ms: int) -> list[Fill]:
        """Query trades, and their profits in the account book.

        The book may be late: a trade that closed something and is not in it yet ends the list, for a later query.
        """
        contract = self.market_id(symbol)
        rows = await self._requests.fills(contract, symbol, since_ms)
        fills = {fill.trade_id: fill for fill in self.read_rows(FILL, rows, self._fill)}
        closing = closing_trades(rows) & fills.keys()
        profits = await self._requests.profits(contract, symbol, [fills[name] for name in closing]) if closing else {}
        found = []
        for fill in sorted(fills.values(), key=lambda fill: (fill.event_time_ms, sort_number(fill.trade_id))):
            name, booked_ms = fill.trade_id, fill.event_time_ms + BOOKED_WITHIN_MS
            if name in closing and name not in profits and await self.market_now_ms(symbol) < booked_ms:
                break
            found.append(replace(fill, realized_pnl=profits.get(name, fill.realized_pnl)))
        return found

    # The account

    async def account(self) -> Account:
        """Query the balance: that of the futures account, or of the unified account, of which the other has none."""
        futures = await self._requests.query("GetSettleAccounts")
        self.client.uid = str(member(futures, "user") or self.client.uid or "")
        self._set_account_mode(futures)
        if not self._parser.is_unified:
            return parse_account(futures)
        try:
            response = await self.rest.send("privateUnifiedGetAccounts")
        except PermissionDenied as error:
            raise PermissionDenied(
                f"this Gate account is unified, and its balance could not be queried: {error}; allow the key to read"
                " the unified account",
                venue_code=error.venue_code,
            ) from error
        return parse_unified_account(response, futures, self.account_mode)

    async def check_account(self) -> None:
        """Query the mode of the account: classic, or one of the three of a unified account that trade futures."""
        self._set_account_mode(await self._requests.query("GetSettleAccounts"))

    async def positions(self, symbol: str = "") -> list[Position]:
        """Query the positions of one symbol, flat ones included, or all that are held."""
        if symbol:
            rows = await self._requests.positions(self.market_id(symbol), symbol, hedge=self.is_hedge)
        else:
            rows = await all_rows(self._requests.pages("GetSettlePositions", {"holding": "true"}))
        found = self._parser.positions(rows)
        self._parser.held_sides.begin([symbol] if symbol else self.rules, found)
        return found

    async def load_position_mode(self) -> None:
        """Query the account's position mode, and keep it."""
        row = await self._requests.query("GetSettleAccounts")
        mode = row.get("position_mode") or ("dual" if row.get("in_dual_mode") else "single")
        if mode not in ("single", "dual"):
            raise Unsupported(f"position mode {mode}: expected single or dual; switch it on the venue's site")
        self.position_mode = PositionMode.HEDGE if mode == "dual" else PositionMode.ONE_WAY

    async def set_position_mode(self, mode: PositionMode) -> None:
        """Switch the position mode."""
        dual = "true" if mode is PositionMode.HEDGE else "false"
        await self.accept_unchanged(self._requests.change("PostSettleDualMode", {"dual_mode": dual}))

    async def change_leverage(self, symbol: str, leverage: int) -> None:
        """Set the leverage of a symbol in its margin mode."""
        await self._set_leverage(symbol, await self.current_margin_mode(symbol), str(leverage))

    async def change_margin_mode(self, symbol: str, mode: MarginMode) -> None:
        """Set the margin mode of a symbol, and keep its leverage."""
        await self._set_leverage(symbol, mode, format(await self.leverage(symbol), "f"))

    async def _set_leverage(self, symbol: str, mode: MarginMode, leverage: str) -> None:
        """Set the leverage; the parameter decides the margin mode, too: 0 is cross margin, with a limit of its own.

        https://www.gate.com/docs/developers/apiv4/en/#update-position-leverage
        """
        isolated = mode is MarginMode.ISOLATED
        value = {"leverage": leverage} if isolated else {"leverage": "0", "cross_leverage_limit": leverage}
        dual = "DualComp" if self.is_hedge else ""
        endpoint = f"PostSettle{dual}PositionsContractLeverage"
        await self._requests.change(endpoint, {"contract": self.market_id(symbol), **value}, symbol)

    async def funding_payments(self, symbol: str, since_ms: int) -> list[FundingPayment]:
        """Query funding payments in the account book."""
        pages = funding_pages(self._requests, self.market_id(symbol) if symbol else "", symbol, since_ms)
        return await self.read_funding_payments(
            FUNDING, pages, lambda raw: parse_funding_payment(raw, self._parser.rules_of(raw)), symbol
        )

    async def key_warnings(self) -> list[str]:
        """Warn of a key with too many rights, and refuse one that may not trade futures before the first order."""
        try:
            found = await self.rest.send("privateAccountGetMainKeys")
        except ExchangeError as error:
            return [f"the rights of the key could not be queried: {error}"]
        return key_warnings(found)

    # The market

    async def price(self, symbol: str) -> Price:
        """Query the best bid and ask."""
        params = {"contract": self.market_id(symbol), "limit": "1"}
        row = await self._requests.query("GetSettleOrderBook", params, symbol, public=True)
        return self.require_price(parse_price(row, self.rules[symbol]), symbol)

    async def candles(
        self, symbol: str, interval: str, limit: int, start_ms: int | None = None, end_ms: int | None = None
    ) -> list[Candle]:
        """Query candles; a limit and a window exclude each other at the venue."""
        params: Row = {"contract": self.market_id(symbol), "interval": interval}
        length_ms = INTERVALS_MS[interval]
        span_ms = (limit - 1) * length_ms
        if start_ms is None and end_ms is None:
            params["limit"] = str(limit)
        else:
            first_ms = start_ms if start_ms is not None else (end_ms or 0) - span_ms
            last_ms = first_ms + span_ms if end_ms is None else min(end_ms, first_ms + span_ms)
            params |= {"from": str(-(-first_ms // 1000)), "to": str(last_ms // 1000)}
        rows = await self._requests.query("GetSettleCandlesticks", params, symbol, public=True)
        rules = self.rules[symbol]
        candles = read_each(
            self.set_aside,
            "candle",
            symbol,
            objects(rows, "candles"),
            lambda row: parse_candle(decode_message(row, CandleRow), rules, interval),
        )
        return await self.with_last_open(sorted(candles, key=lambda candle: candle.open_time_ms))

    # Streams

    def parse(self, frame: Any) -> Iterable[Event] | None:
        """Return the events of one frame."""
        return self._parser.parse(frame)

    def is_private(self, url: str) -> bool:
        """Return whether a connection carries the account's events."""
        return url.endswith(_PRIVATE)

    async def watch_private(self) -> None:
        """Hold the account's four channels; each subscription is signed, and contains the user's number."""
        client = self.client
        if not client.uid:
            client.uid = str((await self.rest.send("privateAccountGetDetail"))["user_id"])
        self._parser.acks.expect_all()
        calls = (client.watch_orders, client.watch_my_trades, client.watch_positions, client.watch_balance)
        watching = [asyncio.ensure_future(call()) for call in calls]
        try:
            await asyncio.gather(*watching)
        finally:
            for each in watching:
                await cancel_and_wait(each)

    async def unwatch_price(self, symbol: str) -> None:
        """Unsubscribe; ccxt has no method for it."""
        await self._unsubscribe("futures.book_ticker", [self.market_id(symbol)], f"bidask:{self.unified(symbol)}")

    async def unwatch_candles(self, symbol: str, interval: str) -> None:
        """Unsubscribe."""
        payload = [interval, self.market_id(symbol)]
        await self._unsubscribe("futures.candlesticks", payload, f"candles:{interval}:{self.unified(symbol)}")

    async def _unsubscribe(self, channel: str, payload: list[str], message_hash: str) -> None:
        client, ended = self.client, f"unsubscribe:{message_hash}"
        url = client.urls["api"]["swap"]["usdt"]
        await client.un_subscribe_public_multiple(url, "", [], [ended], [message_hash], payload, channel)

    # Parameters and rows

    def _set_account_mode(self, futures: Any) -> None:
        self.account_mode = account_mode(futures)
        self._parser.is_unified = self.account_mode != CLASSIC

    def _order_request(self, request: OrderRequest) -> Row:
        rules = self.rules[request.symbol]
        return order_request(request, self.market_id(request.symbol), rules, hedge=self.is_hedge)

    def _order(self, row: Any) -> Order:
        name = member(row, "contract")
        if not self.is_listed(name):
            raise RowError(f"contract {name!r}: expected a USDT-margined perpetual")
        return parse_order(row, self._parser.rules_of(row), hedge=self.is_hedge)

    def _fill(self, row: Row) -> Fill:
        return parse_fill(row, self._parser.rules_of(row), hedge=self.is_hedge)


def _set_addresses(client: Any, rest: str, stream: str) -> None:
    for access in ("public", "private"):
        urls = client.urls["api"][access]
        urls.update(dict.fromkeys(urls, f"{rest}/api/v4"))
    client.urls["api"]["swap"]["usdt"] = f"{stream}/v4/ws/futures/usdt"
