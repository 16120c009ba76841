"""The private side of a unified account; its market data is that of every account.

https://www.bitget.com/api-doc/uta/intro
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from opensqt.model.account import Account, Position, PositionMode
from opensqt.model.countdown import CountdownRules
from opensqt.model.errors import ExchangeError, OrderNotFound, UnsupportedAccount, VenueError
from opensqt.model.order import Fill, Order, OrderRef, OrderRequest, OrderType, PositionSide
from opensqt.venues.account.state import flat, sides
from opensqt.venues.bitget.errors import BitgetAckResolver
from opensqt.venues.bitget.parse import TIME_IN_FORCE
from opensqt.venues.bitget.requests import order_ref
from opensqt.venues.bitget.unified.parse import (
    CATEGORY,
    FILL,
    ORDER,
    POSITION,
    TOPICS,
    UnifiedParser,
    is_future,
    parse_account,
    parse_fill,
    parse_order,
    parse_position,
)
from opensqt.venues.parsing import Row
from opensqt.venues.rows import RowError, all_rows, first, member, objects, sort_number
from opensqt.venues.transport.errors import outcome_of

if TYPE_CHECKING:
    from opensqt.venues.bitget.adapter import BitgetAdapter

COUNTDOWN = CountdownRules(
    by_symbol=False,
    cancels="every open order of the unified account, whoever placed it; Bitget has to enable it for the account",
    shortest_s=5,
    longest_s=60,
)
_CATEGORY = {"category": CATEGORY}
_MODES = frozenset({"unified", "hybrid"})
_SWITCHING = frozenset({"upgrading", "switching"})
_LEVELS = frozenset({"", "basic", "advanced", "delta"})
"""Levels in which an order can be one of cross margin, which isolated margin mode has not."""
_READ_ONLY = "read_only"
_PAGE = 100
_HISTORY_MS = 89 * 86_400_000
_WINDOW_MS = 29 * 86_400_000
"""The venue keeps ninety days of trades, and shows thirty at a time."""


class UnifiedAccount:
    """Sends the private requests of a unified account, one order each.

    The venue's batches are not used: they take no reduce-only order (https://www.bitget.com/api-doc/uta/trade/Place-Batch).

    Args:
        venue: The adapter of the account.
    """

    def __init__(self, venue: BitgetAdapter) -> None:
        self._venue = venue
        self._rest = venue.rest
        self._ack_resolver = BitgetAckResolver(venue)
        self._parser = UnifiedParser(venue, venue.remember_side)

    # Orders

    async def place(self, request: OrderRequest, sent_ms: int) -> Order:
        """Send one order: https://www.bitget.com/api-doc/uta/trade/Place-Order."""
        params = _CATEGORY | {"symbol": self._venue.market_id(request.symbol)} | _order_request(request)
        row = await self._change("TradePlaceOrder", params, request.symbol)
        order_id = str(member(row, "orderId") or "")
        return self._venue.remember_side(await self._ack_resolver.resolve_placed(request, order_id, sent_ms))

    async def place_batch(self, requests: Sequence[OrderRequest], sent_ms: int) -> list[Order | ExchangeError]:
        """Send several orders, one by one."""
        return await asyncio.gather(*(outcome_of(self.place(one, sent_ms), one.symbol) for one in requests))

    async def cancel(self, ref: OrderRef) -> Order:
        """Cancel one order; the response holds its ids only, so the result is queried."""
        await self._change("TradeCancelOrder", order_ref(ref), ref.symbol)
        return await self._ack_resolver.resolve_canceled(ref)

    async def cancel_batch(self, refs: Sequence[OrderRef]) -> list[Order | ExchangeError]:
        """Cancel several orders, one by one."""
        return await asyncio.gather(*(outcome_of(self.cancel(ref), ref.symbol) for ref in refs))

    async def cancel_all(self, symbol: str) -> None:
        """Cancel every open order of a symbol."""
        params = _CATEGORY | {"symbol": self._venue.market_id(symbol)}
        await self._change("TradeCancelSymbolOrder", params, symbol)

    async def set_countdown(self, timeout_s: int) -> None:
        """Start, renew or stop the countdown: https://www.bitget.com/api-doc/uta/trade/CountDown-Cancel-All."""
        await self._change("TradeCountdownCancelAll", {"countdown": str(timeout_s)})

    async def order(self, ref: OrderRef) -> Order:
        """Query one order; the venue finds it under every symbol."""
        found = self._order(await self._query("TradeOrderInfo", order_ref(ref), ref.symbol))
        if found.symbol != ref.symbol:
            raise OrderNotFound(f"no order of {ref.symbol} has this id", symbol=ref.symbol)
        return found

    async def open_orders(self, symbol: str = "") -> list[Order]:
        """Query the open orders, page by page, oldest first."""
        pages = self._pages("TradeUnfilledOrders", self._symbol_params(symbol), symbol)
        return list(reversed(await self._venue.read_open_orders(ORDER, pages, self._order)))

    async def fills(self, symbol: str, since_ms: int) -> list[Fill]:
        """Query trades: the venue shows those of all symbols, a month at a time, newest first."""
        rows: list[Row] = []
        if not since_ms:
            rows = await all_rows(self._pages("TradeFills", _CATEGORY, symbol, newest_only=True))
        else:
            now_ms = await self._venue.market_now_ms(symbol)
            start_ms = max(since_ms, now_ms - _HISTORY_MS)
            while start_ms <= now_ms:
                window = {"startTime": str(start_ms), "endTime": str(start_ms + _WINDOW_MS)}
                rows += await all_rows(self._pages("TradeFills", _CATEGORY | window, symbol))
                start_ms += _WINDOW_MS
        name = self._venue.market_id(symbol)
        wanted = [raw for raw in rows if not isinstance(raw, dict) or raw.get("symbol") in (None, "", name)]
        found = self._venue.read_rows(FILL, wanted, self._fill)
        unique = {fill.trade_id: fill for fill in found}
        return sorted(unique.values(), key=lambda fill: (fill.event_time_ms, sort_number(fill.trade_id)))

    # The account

    async def account(self) -> Account:
        """Query the assets."""
        return parse_account(await self._query("AccountAssets"))

    async def positions(self, symbol: str = "") -> list[Position]:
        """Query the positions; the venue sends open ones only, so a flat one is made of its absence."""
        venue = self._venue
        response = await self._query("PositionCurrentPosition", self._symbol_params(symbol), symbol)
        rows = objects(member(response, "list") or [], "list")
        found = venue.read_rows(POSITION, rows, lambda raw: parse_position(raw, self._parser.symbol_of(raw)))
        if venue.set_aside.hides("position", symbol):
            # A row that can't be read must not pass for a position that is flat.
            return found
        missing = set(sides(venue.position_mode)) - {one.position_side for one in found} if symbol else set()
        if missing:
            leverage = await self.leverage(symbol)
            found += [replace(flat(symbol, side), leverage=leverage) for side in missing]
        return found

    async def account_mode(self) -> str:
        """Return the mode of the account: https://www.bitget.com/api-doc/uta/account/Get-Account-Setting.

        Raises:
            UnsupportedAccount: The account is being switched, or is in a mode in which nothing is traded here.
        """
        settings = await self._query("AccountSettings")
        mode, level = str(member(settings, "accountMode") or "unified"), str(member(settings, "accountLevel") or "")
        if mode in _SWITCHING:
            raise UnsupportedAccount(
                f"this Bitget account is being switched to another mode (accountMode {mode!r}): wait until"
                " bitget.com shows its new mode, then start again"
            )
        if mode not in _MODES or level not in _LEVELS:
            raise UnsupportedAccount(
                f"this Bitget account is in a mode in which nothing is traded here (accountMode {mode!r}, accountLevel"
                f" {level!r}): switch it to Basic or Advanced mode (bitget.com: trading page, Settings, Account mode),"
                " then start again"
            )
        return f"{mode}, {level} mode" if level else mode

    async def rights(self) -> list[str]:
        """Query what the key may do: https://www.bitget.com/api-doc/uta/account/Get-Account-Info."""
        found = await self._query("AccountInfo")
        access = str(member(found, "permType") or "").replace("-", "_").lower()
        rights = [str(right) for right in member(found, "permissions") or ()]
        # A key that may only read lists what it may read.
        return [access] if access == _READ_ONLY else rights

    async def load_position_mode(self) -> PositionMode:
        """Query the account's position mode."""
        mode = member(await self._query("AccountSettings"), "holdMode")
        return PositionMode.HEDGE if mode == "hedge_mode" else PositionMode.ONE_WAY

    async def set_position_mode(self, mode: PositionMode) -> None:
        """Switch the position mode."""
        wanted = "hedge_mode" if mode is PositionMode.HEDGE else "one_way_mode"
        await self._change("AccountSetHoldMode", {"holdMode": wanted})

    async def set_leverage(self, symbol: str, leverage: int) -> Decimal:
        """Set the leverage of a symbol, and return what a query then reports."""
        params = self._symbol_params(symbol) | {"leverage": str(leverage)}
        await self._change("AccountSetLeverage", params, symbol)
        return await self.leverage(symbol)

    async def leverage(self, symbol: str) -> Decimal:
        """Query the leverage of a symbol, which is among the settings of the account."""
        rows = objects(member(await self._query("AccountSettings"), "symbolConfigList") or [], "symbolConfigList")
        name = self._venue.market_id(symbol)
        ours = [raw for raw in rows if is_future(raw) and member(raw, "symbol") == name and member(raw, "leverage")]
        if not ours:
            raise VenueError(f"leverage of {symbol}: the venue does not report it", symbol=symbol)
        return Decimal(str(first(ours, "symbolConfigList")["leverage"]))

    # Streams

    def parse(self, frame: Any) -> Iterable[Any] | None:
        """Return the events of a private frame; None for any other."""
        return self._parser.parse(frame) if isinstance(frame, dict) else None

    async def watch_private(self) -> None:
        """Log in, and hold the four topics of the account until the connection ends."""
        client, settings = self._venue.client, self._venue.settings
        kind = "demo" if settings.testnet and not settings.base_url else "ws"
        url = client.urls["api"][kind]["utaPrivate"]
        self._parser.acks.expect_all()
        await client.authenticate({"url": url})
        args = [{"instType": "UTA", "topic": topic} for topic in TOPICS]
        # The mixin consumes the frames, so the future of ccxt fails with the connection, and never completes before.
        await client.watch(url, "account", {"op": "subscribe", "args": args}, "account")

    # Requests and rows

    async def _change(self, endpoint: str, params: Row, symbol: str = "") -> Any:
        response = await self._rest.send(f"privateUtaPostV3{endpoint}", params, changes=True, symbol=symbol)
        return response.get("data")

    async def _query(self, endpoint: str, params: Row | None = None, symbol: str = "") -> Any:
        return (await self._rest.send(f"privateUtaGetV3{endpoint}", params, symbol=symbol))["data"]

    async def _pages(
        self, endpoint: str, params: Row, symbol: str, *, newest_only: bool = False
    ) -> AsyncIterator[list[Row]]:
        query = params | {"limit": str(_PAGE)}
        while True:
            response = await self._query(endpoint, query, symbol)
            page = objects(member(response, "list") or [], "list")
            yield [raw for raw in page if is_future(raw)]
            cursor = member(response, "cursor")
            if newest_only or len(page) < _PAGE or not cursor:
                return
            query["cursor"] = str(cursor)

    def _symbol_params(self, symbol: str) -> Row:
        return _CATEGORY | ({"symbol": self._venue.market_id(symbol)} if symbol else {})

    def _order(self, raw: Any) -> Order:
        name = member(raw, "symbol")
        if not is_future(raw) or not self._venue.is_listed(name):
            raise RowError(f"symbol {name!r}: expected a USDT-margined perpetual")
        return self._venue.remember_side(parse_order(raw, self._parser.symbol_of(raw)))

    def _fill(self, raw: Row) -> Fill:
        side = self._venue.side_of(str(raw.get("orderId"))) if self._venue.is_hedge else PositionSide.BOTH
        return parse_fill(raw, self._parser.symbol_of(raw), side)


def _order_request(request: OrderRequest) -> Row:
    """Return the parameters of a new order: `side` is that on which it trades, in hedge mode, too."""
    params = {
        "qty": format(request.quantity, "f"),
        "side": request.side.value.lower(),
        "orderType": request.order_type.value.lower(),
        "marginMode": "crossed",
        "clientOid": request.client_order_id,
    }
    if request.order_type is OrderType.LIMIT and request.price is not None:
        params |= {"price": format(request.price, "f"), "timeInForce": TIME_IN_FORCE[request.time_in_force]}
    if request.position_side is not PositionSide.BOTH:
        params["posSide"] = request.position_side.value.lower()
    elif request.reduce_only:
        params["reduceOnly"] = "yes"
    return params
