"""The private side of a unified account; its market data is that of every account.

https://www.bitget.com/api-doc/uta/intro
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from opensqt.model.account import Account, Position, PositionMode
from opensqt.model.countdown import CountdownRules
from opensqt.model.errors import ExchangeError, OrderNotFound, OutcomeUnknown, UnsupportedAccount, VenueError
from opensqt.model.funding import FundingPayment
from opensqt.model.order import Fill, Order, OrderRef, OrderRequest, PositionSide
from opensqt.telemetry.logging import get_logger
from opensqt.venues.account.state import flat, sides
from opensqt.venues.bitget.errors import BitgetAckResolver
from opensqt.venues.bitget.requests import order_ref
from opensqt.venues.bitget.unified.funding import FUNDING, funding_pages, parse_funding_payment
from opensqt.venues.bitget.unified.parse import (
    CATEGORY,
    FILL,
    HOLD_MODES,
    ORDER,
    POSITION,
    TOPICS,
    BatchResultRow,
    UnifiedParser,
    is_future,
    parse_account,
    parse_batch_result,
    parse_fill,
    parse_leverage,
    parse_order,
    parse_position,
)
from opensqt.venues.bitget.unified.requests import UnifiedRequests, batch_item, fits_batch, order_request
from opensqt.venues.parsing import Row
from opensqt.venues.rows import RowError, all_rows, member, objects, sort_number
from opensqt.venues.transport.errors import PARSE_ERRORS, outcome_of, translate_item

if TYPE_CHECKING:
    from opensqt.venues.bitget.adapter import BitgetAdapter

_log = get_logger("venue")
COUNTDOWN = CountdownRules(
    by_symbol=False,
    cancels="every open order of the unified account, whoever placed it; Bitget has to enable it for the account",
    shortest_s=5,
    longest_s=60,
)
MAX_BATCH = 20
"""Orders of one request: https://www.bitget.com/api-doc/uta/trade/Place-Batch."""
_CATEGORY = {"category": CATEGORY}
_MODES = frozenset({"unified", "hybrid"})
_SWITCHING = frozenset({"upgrading", "switching"})
_LEVELS = frozenset({"", "basic", "advanced", "delta"})
"""Levels in which an order can be one of cross margin, which isolated margin mode has not."""
_READ_ONLY = "read_only"
_HISTORY_MS = 89 * 86_400_000
_WINDOW_MS = 29 * 86_400_000
"""The venue keeps ninety days of trades, and shows thirty at a time."""


class UnifiedAccount:
    """Sends the private requests of a unified account.

    Args:
        venue: The adapter of the account.
    """

    def __init__(self, venue: BitgetAdapter) -> None:
        self._venue = venue
        self._requests = UnifiedRequests(venue.rest)
        self._ack_resolver = BitgetAckResolver(venue)
        self._parser = UnifiedParser(venue, venue.remember_side)
        self._unknown_types: set[str] = set()
        """Types of records that the venue has refused to list."""

    # Orders

    async def place(self, request: OrderRequest, sent_ms: int) -> Order:
        """Send one order: https://www.bitget.com/api-doc/uta/trade/Place-Order."""
        params = self._symbol_params(request.symbol) | order_request(request)
        row = await self._requests.change("TradePlaceOrder", params, request.symbol)
        order_id = str(member(row, "orderId") or "")
        return self._venue.remember_side(await self._ack_resolver.resolve_placed(request, order_id, sent_ms))

    async def place_batch(self, requests: Sequence[OrderRequest], sent_ms: int) -> list[Order | ExchangeError]:
        """Send several orders: in one request those that the venue takes in a batch, and beside it the others alone."""
        together = [one for one in requests if fits_batch(one)]
        if len(together) < 2:
            together = []
        named = {one.client_order_id for one in together}
        alone = [one for one in requests if one.client_order_id not in named]
        batch, singles = await asyncio.gather(
            self._place_together(together, sent_ms), self._place_alone(alone, sent_ms)
        )
        results = batch | singles
        return [results[one.client_order_id] for one in requests]

    async def cancel(self, ref: OrderRef) -> Order:
        """Cancel one order; the response holds its ids only, so the result is queried."""
        await self._requests.change("TradeCancelOrder", order_ref(ref), ref.symbol)
        return await self._ack_resolver.resolve_canceled(ref)

    async def cancel_batch(self, symbol: str, refs: Sequence[OrderRef]) -> list[Order | ExchangeError]:
        """Cancel up to twenty orders of a symbol in one request, once; an order that no row names is unknown.

        https://www.bitget.com/api-doc/uta/trade/Cancel-Batch: each succeeds or fails on its own. The response holds
        their ids only, so the results are queried.
        """
        params = [self._symbol_params(symbol) | order_ref(ref) for ref in refs]
        rows = objects(await self._requests.change("TradeCancelBatch", params, symbol), "data")
        read = [result for result in map(self._batch_result, rows) if result is not None]
        by_id = {name: row for row in read for name in (row.client_oid, str(row.order_id))}
        errors = {ref: self._error_of(by_id.get(ref.client_order_id or ref.order_id), symbol) for ref in refs}
        accepted = [ref for ref, error in errors.items() if error is None]
        results = await self._ack_resolver.resolve_canceled_batch(symbol, accepted)
        return [errors[ref] or results[ref] for ref in refs]

    async def cancel_all(self, symbol: str) -> None:
        """Cancel every open order of a symbol."""
        params = _CATEGORY | {"symbol": self._venue.market_id(symbol)}
        await self._requests.change("TradeCancelSymbolOrder", params, symbol)

    async def set_countdown(self, timeout_s: int) -> None:
        """Start, renew or stop the countdown: https://www.bitget.com/api-doc/uta/trade/CountDown-Cancel-All."""
        await self._requests.change("TradeCountdownCancelAll", {"countdown": str(timeout_s)})

    async def order(self, ref: OrderRef) -> Order:
        """Query one order; the venue finds it under every symbol."""
        found = self._order(await self._requests.query("TradeOrderInfo", order_ref(ref), ref.symbol))
        if found.symbol != ref.symbol:
            raise OrderNotFound(f"no order of {ref.symbol} has this id", symbol=ref.symbol)
        return found

    async def open_orders(self, symbol: str = "") -> list[Order]:
        """Query the open orders, page by page, oldest first."""
        pages = self._requests.pages("TradeUnfilledOrders", self._symbol_params(symbol), symbol)
        return list(reversed(await self._venue.read_open_orders(ORDER, pages, self._order)))

    async def closed_orders(self, symbol: str) -> list[Order]:
        """Query the newest page of closed orders, oldest first.

        https://www.bitget.com/api-doc/uta/trade/Get-Order-History: an id of the client may be there again, once an
        order of the same id has ended.
        """
        pages = self._requests.pages("TradeHistoryOrders", self._symbol_params(symbol), symbol, newest_only=True)
        found = self._venue.read_rows(ORDER, await all_rows(pages), self._order)
        return [order for order in reversed(found) if order.status.is_closed]

    async def fills(self, symbol: str, since_ms: int) -> list[Fill]:
        """Query trades: the venue shows those of all symbols, a month at a time, newest first."""
        rows: list[Row] = []
        if not since_ms:
            rows = await all_rows(self._requests.pages("TradeFills", _CATEGORY, symbol, newest_only=True))
        else:
            now_ms = await self._venue.market_now_ms(symbol)
            start_ms = max(since_ms, now_ms - _HISTORY_MS)
            while start_ms <= now_ms:
                window = {"startTime": str(start_ms), "endTime": str(start_ms + _WINDOW_MS)}
                rows += await all_rows(self._requests.pages("TradeFills", _CATEGORY | window, symbol))
                start_ms += _WINDOW_MS
        name = self._venue.market_id(symbol)
        wanted = [raw for raw in rows if not isinstance(raw, dict) or raw.get("symbol") in (None, "", name)]
        found = self._venue.read_rows(FILL, wanted, self._fill)
        unique = {fill.trade_id: fill for fill in found}
        return sorted(unique.values(), key=lambda fill: (fill.event_time_ms, sort_number(fill.trade_id)))

    # The account

    async def account(self) -> Account:
        """Query the assets."""
        return parse_account(await self._requests.query("AccountAssets"))

    async def positions(self, symbol: str = "") -> list[Position]:
        """Query the positions; the venue sends open ones only, so a flat one is made of its absence."""
        venue = self._venue
        response = await self._requests.query("PositionCurrentPosition", self._symbol_params(symbol), symbol)
        rows = objects(member(response, "list") or [], "list")
        found = venue.read_rows(POSITION, rows, lambda raw: parse_position(raw, self._parser.symbol_of(raw)))
        if venue.set_aside.hides("position", symbol):
            # A row that can't be read must not pass for a position that is flat.
            return found
        missing = set(sides(venue.position_mode)) - {one.position_side for one in found} if symbol else set()
        if missing:
            leverage = await self._reported_leverage(symbol)
            found += [replace(flat(symbol, side), leverage=leverage) for side in missing]
        return found

    async def account_mode(self) -> str:
        """Return the mode of the account: https://www.bitget.com/api-doc/uta/account/Get-Account-Setting.

        Raises:
            UnsupportedAccount: The account is being switched, or is in a mode in which nothing is traded here.
        """
        settings = await self._requests.query("AccountSettings")
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
        found = await self._requests.query("AccountInfo")
        access = str(member(found, "permType") or "").replace("-", "_").lower()
        rights = [str(right) for right in member(found, "permissions") or ()]
        # A key that may only read lists what it may read.
        return [access] if access == _READ_ONLY else rights

    async def load_position_mode(self) -> PositionMode:
        """Query the account's position mode.

        Raises:
            VenueError: The venue does not report it. None is taken for granted.
        """
        found = member(await self._requests.query("AccountSettings"), "holdMode")
        if found not in HOLD_MODES:
            raise VenueError(f"holdMode {found!r}: expected one of {', '.join(HOLD_MODES)}")
        return HOLD_MODES[found]

    async def set_position_mode(self, mode: PositionMode) -> None:
        """Switch the position mode, of every product: https://www.bitget.com/api-doc/uta/account/Change-Position-Mode.

        The venue refuses it (25107) while a position is held in any product, one that is not traded here included.
        """
        wanted = next(text for text, known in HOLD_MODES.items() if known is mode)
        await self._requests.change("AccountSetHoldMode", {"holdMode": wanted})

    async def change_leverage(self, symbol: str, leverage: int) -> None:
        """Set the leverage of a symbol under cross margin, with a position or an order open, too.

        https://www.bitget.com/api-doc/uta/account/Change-Leverage: cross margin is the default. Isolated margin has
        leverages of its own, of each side in hedge mode. A refusal for lack of margin is 25228.
        """
        params = self._symbol_params(symbol) | {"leverage": str(leverage)}
        await self._requests.change("AccountSetLeverage", params, symbol)

    async def leverage(self, symbol: str) -> Decimal:
        """Query the leverage of a symbol under cross margin.

        Raises:
            VenueError: The venue does not report it.
        """
        found = await self._reported_leverage(symbol)
        if found is None:
            raise VenueError(f"leverage of {symbol}: the venue does not report it", symbol=symbol)
        return found

    async def funding_payments(self, symbol: str, since_ms: int, now_ms: int) -> list[FundingPayment]:
        """Query funding payments; the venue keeps three months of them."""
        return await self._venue.read_funding_payments(
            FUNDING,
            funding_pages(self._requests, since_ms, now_ms, self._unknown_types),
            lambda raw: parse_funding_payment(raw, self._parser.symbol_of(raw)),
            symbol,
        )

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

    async def _place_together(self, requests: Sequence[OrderRequest], sent_ms: int) -> dict[str, Order | ExchangeError]:
        """Send one batch, once, and return its results by client order id; an order that no row names is unknown.

        https://www.bitget.com/api-doc/uta/trade/Place-Batch: a row of a refused order has a code of its own.
        """
        if not requests:
            return {}
        symbol = requests[0].symbol
        params = [self._symbol_params(one.symbol) | batch_item(one) for one in requests]
        try:
            rows = objects(await self._requests.change("TradePlaceBatch", params, symbol), "data")
        except ExchangeError as error:
            return dict.fromkeys((one.client_order_id for one in requests), error)
        except PARSE_ERRORS as error:
            unread = OutcomeUnknown(f"the venue's response could not be read: {error!r}", symbol=symbol)
            return dict.fromkeys((one.client_order_id for one in requests), unread)
        read = [result for result in map(self._batch_result, rows) if result is not None]
        by_id = {row.client_oid: row for row in read}
        errors = {one.client_order_id: self._error_of(by_id.get(one.client_order_id), one.symbol) for one in requests}
        accepted = [one for one in requests if errors[one.client_order_id] is None]
        order_ids = {one.client_order_id: str(by_id[one.client_order_id].order_id) for one in accepted}
        results = await self._ack_resolver.resolve_placed_batch(accepted, order_ids, sent_ms)
        return {name: self._venue.remember_side(error or results[name]) for name, error in errors.items()}

    async def _place_alone(self, requests: Sequence[OrderRequest], sent_ms: int) -> dict[str, Order | ExchangeError]:
        """Send each order in a request of its own, and return the results by client order id."""
        results = await asyncio.gather(*(outcome_of(self.place(one, sent_ms), one.symbol) for one in requests))
        return {one.client_order_id: result for one, result in zip(requests, results, strict=True)}

    # Rows

    def _error_of(self, row: BatchResultRow | None, symbol: str) -> ExchangeError | None:
        """Return the error of one item of a batch; None where the venue took it."""
        if row is None:
            return OutcomeUnknown("the venue's response lacks this order", symbol=symbol)
        return None if row.accepted else translate_item(str(row.code), row.msg, self._venue.codes, symbol=symbol)

    def _batch_result(self, raw: Any) -> BatchResultRow | None:
        """Read the result of one order of a batch; one that can't be read leaves only its own order unknown."""
        try:
            return parse_batch_result(raw)
        except RowError as error:
            _log.error("result of a batch could not be read", venue=self._venue.name, error=str(error))
            return None

    async def _reported_leverage(self, symbol: str) -> Decimal | None:
        """Query the leverage of a symbol, which is among the settings of the account; None for one that has none yet.

        https://www.bitget.com/api-doc/uta/account/Get-Account-Setting shows a few of hundreds of symbols.
        """
        field = "symbolConfigList"
        rows = objects(member(await self._requests.query("AccountSettings"), field) or [], field)
        name = self._venue.market_id(symbol)
        ours = [
            raw for raw in rows if member(raw, "symbol") == name and member(raw, "category") in (None, "", CATEGORY)
        ]
        return next((found for found in map(parse_leverage, ours) if found is not None), None)

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
