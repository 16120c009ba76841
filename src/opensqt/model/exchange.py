"""The interface to an exchange account, implemented by the adapters, InMemoryExchange and RemoteExchange."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol, TypeVar

from opensqt.model.account import Account, MarginMode, Position, PositionMode
from opensqt.model.errors import ExchangeError
from opensqt.model.funding import FundingPayment
from opensqt.model.market import DEFAULT_DEPTH, Candle, MarkPrice, OrderBook, Price, PublicTrade
from opensqt.model.order import AmendRequest, Fill, Order, OrderRef, OrderRequest, OrderUpdate
from opensqt.model.stream import Cursor, Stream
from opensqt.model.venue import ExchangeInfo, ExchangeStatus, RateBudget

C = TypeVar("C", bound=type)
_SEE_EXCHANGE = "See `Exchange`."


class Exchange(Protocol):
    """One account on one venue.

    Symbols are canonical, quantities are base coins, times UTC epoch milliseconds. Every coroutine raises
    the errors of `opensqt.model.errors` and nothing else. Use it as an async context manager or call `start`
    and `close`.
    """

    @property
    def name(self) -> str:
        """Name: binance, bitget, gate, okx, bybit or memory; `remote` for RemoteExchange."""
        ...

    async def start(self) -> None:
        """Connect, verify the credentials with a signed call, load the symbol rules.

        Raises:
            CredentialsRefused: The venue refuses the key.
            ConnectorUnavailable: RemoteExchange only: the last retry failed.
        """
        ...

    async def close(self) -> None:
        """Release everything. Orders stay at the venue. Idempotent."""
        ...

    async def place_order(self, request: OrderRequest) -> Order:
        """Send one order.

        Returns:
            The order as the venue acknowledged it.

        Raises:
            OrderDenied: A local rule refused it; nothing was sent.
            OrderRejected: The venue refused it (or a subclass with the reason).
            DuplicateOrder: The client_order_id was used with other content.
            LeaseExpired: RemoteExchange only: this client's lease ended, and its orders were canceled.
            PermissionDenied: The key, or this client's role at the connector, does not allow it.
            BackOff: Too many orders, or the venue demands a pause: wait `retry_after_s`.
            OutcomeUnknown: It was sent and could not be proven present or absent in time. Query it by client id.
        """
        ...

    async def batch_place_orders(self, requests: Sequence[OrderRequest]) -> list[Order | ExchangeError]:
        """Send several orders; the results are in the order of the requests, each an order or its error."""
        ...

    async def amend_order(self, request: AmendRequest) -> Order:
        """Change the price or the total quantity of an open LIMIT order, in place; see `Capabilities.amend_order`.

        Returns:
            The order as the venue has it after the amendment. It is closed where a fill or a cancel won the race, or
            where the venue ended it because of the amendment, such as one to less than what is filled.

        Raises:
            OrderDenied: A local rule refused it; nothing was sent.
            OrderRejected: The venue refused it (or a subclass with the reason), and the order stays as it was.
            OrderNotFound: The venue knows no such order.
            DuplicateOrder: The amend_id was used with other content.
            Unsupported: The venue can't amend an order in place.
            OutcomeUnknown: It was sent, and its outcome could not be proven in time. Query the order.
        """
        ...

    async def cancel_order(self, ref: OrderRef) -> Order:
        """Cancel one order.

        Returns:
            The order after the cancel; CANCELED, or FILLED when a fill won the race.

        Raises:
            OrderNotFound: The venue knows no such order.
            OutcomeUnknown: The outcome of the cancel could not be determined.
        """
        ...

    async def batch_cancel_orders(self, refs: Sequence[OrderRef]) -> list[Order | ExchangeError]:
        """Cancel several orders; the results are in the order of the refs, each an order or its error."""
        ...

    async def cancel_all_orders(self, symbol: str) -> list[Order]:
        """Cancel every order of a symbol, of this and of other clients, until none is left.

        An order whose placing has no response yet, when this is called, is waited for and canceled too.

        Returns:
            The orders that were canceled.

        Raises:
            OutcomeUnknown: It is not proven that none is left; the message names the orders.
        """
        ...

    async def get_order(self, ref: OrderRef) -> Order:
        """Query one order, open or closed.

        Raises:
            OrderNotFound: The venue reports that it does not exist. Any other error proves nothing.
        """
        ...

    async def get_open_orders(self, symbol: str = "") -> list[Order]:
        """Query the open orders of a symbol, or of all symbols when it is empty."""
        ...

    async def get_account(self) -> Account:
        """Query the balance of the margin asset."""
        ...

    async def get_positions(self, symbol: str = "") -> list[Position]:
        """Query the positions; with a symbol, a flat position is returned as an explicit zero."""
        ...

    async def get_latest_price(self, symbol: str) -> Price:
        """Return the best bid and ask, from the stream while it is fresh, else by a query."""
        ...

    async def get_historical_klines(
        self,
        symbol: str,
        interval: str,
        *,
        limit: int = 100,
        start_ms: int | None = None,
        end_ms: int | None = None,
    ) -> list[Candle]:
        """Query candles, oldest first; the last one may still be forming (see `closed`).

        Args:
            symbol: Canonical.
            interval: A key of `INTERVALS_MS` that the capabilities contain.
            limit: 1 to 1000.
            start_ms: Open time of the first candle to return.
            end_ms: Open time of the last candle to return.
        """
        ...

    async def get_exchange_info(self) -> ExchangeInfo:
        """Return name, capabilities, position mode and the rules of every symbol."""
        ...

    async def list_fills(self, symbol: str, *, since_ms: int) -> list[Fill]:
        """Query the account's trades at or after a time, oldest first, all pages; deduplicate them by trade_id.

        With 0, a venue may leave out trades that are older than a few days; any other time is honoured as far back as
        the venue keeps trades.
        """
        ...

    async def list_funding_payments(self, symbol: str = "", *, since_ms: int) -> list[FundingPayment]:
        """Query the account's funding payments at or after a time, oldest first; deduplicate them by payment_id.

        Of one symbol, or of all symbols when it is empty. With 0, a venue may leave out payments that are older than a
        day; any other time is honoured as far back as the venue keeps them.

        Raises:
            Unsupported: See `Capabilities.funding_payments`.
        """
        ...

    async def set_leverage(self, symbol: str, leverage: int) -> Decimal:
        """Set the leverage of a symbol, for its position and for the orders that are placed after this call.

        An order of the symbol that is placed meanwhile waits until the change is proven or refused.

        Returns:
            The leverage, as the venue reports it when it is asked after the change.

        Raises:
            InvalidRequest: The leverage is not 1 to the symbol's `max_leverage`.
            SettingRefused: The venue refuses it, or reports another leverage after it.
            OutcomeUnknown: The change was sent and could not be proven. Query the position before you trade.
            Unsupported: See `Capabilities.set_leverage`.
        """
        ...

    async def set_margin_mode(self, symbol: str, mode: MarginMode) -> MarginMode:
        """Set the margin mode of a symbol, or of the account where `Capabilities.margin_mode_scope` says so.

        Args:
            symbol: Canonical; empty where the mode applies to the account.
            mode: One of `Capabilities.margin_modes`.

        Returns:
            The mode, as the venue reports it when it is asked after the change.

        Raises:
            SettingRefused: Positions or orders are open that it would apply to, and the message names them; or the
                venue refuses it.
            OutcomeUnknown: The change was sent and could not be proven.
            Unsupported: See `Capabilities.margin_mode_scope`.
        """
        ...

    async def set_position_mode(self, mode: PositionMode) -> PositionMode:
        """Switch the account between one net position per symbol and two positions.

        Returns:
            The mode, as the venue reports it when it is asked after the change.

        Raises:
            SettingRefused: Positions or orders are open, of any symbol, and the message names them; or the venue
                refuses it.
            OutcomeUnknown: The change was sent and could not be proven.
            Unsupported: See `Capabilities.set_position_mode`.
        """
        ...

    async def get_status(self) -> ExchangeStatus:
        """Return whether trading is possible now, and why not. Never raises for an unhealthy venue."""
        ...

    async def get_rate_budget(self) -> RateBudget:
        """Return what is left of the venue's rate limits, and the caller's own use. Sends no request to the venue."""
        ...

    def subscribe_price(self, symbol: str, *, cursor: Cursor | None = None) -> Stream[Price]:
        """Stream the best bid and ask. Conflates for a slow reader: the newest wins."""
        ...

    def subscribe_orders(self, symbol: str = "", *, cursor: Cursor | None = None) -> Stream[OrderUpdate]:
        """Stream orders and fills; the snapshot is the open orders. Never conflates, never drops.

        A reader that falls too far behind gets `StreamOverflow` and subscribes again.
        """
        ...

    def subscribe_klines(self, symbol: str, interval: str, *, cursor: Cursor | None = None) -> Stream[Candle]:
        """Stream candles as they form; the closing one is always delivered, with `closed` set."""
        ...

    def subscribe_account(self, *, cursor: Cursor | None = None) -> Stream[Account]:
        """Stream the account's balance. Conflates."""
        ...

    def subscribe_positions(self, symbol: str = "", *, cursor: Cursor | None = None) -> Stream[Position]:
        """Stream positions; a flat position is a zero. Conflates per symbol and position side."""
        ...

    def subscribe_order_book(
        self, symbol: str, depth: int = DEFAULT_DEPTH, *, cursor: Cursor | None = None
    ) -> Stream[OrderBook]:
        """Stream the best levels of the order book. Conflates: the newest wins.

        Each update is a whole book, checked by the venue's own sequence. After a hole in it the book is invalid at
        once, which is an update too, and valid again with the next snapshot of the venue.

        Args:
            symbol: Canonical.
            depth: Levels of each side, 1 to `Capabilities.order_book_depth`.
            cursor: Where to resume.

        Raises:
            InvalidRequest: The depth is out of range.
            Unsupported: There is no such stream, see the capabilities.
        """
        ...

    def subscribe_trades(self, symbol: str, *, cursor: Cursor | None = None) -> Stream[PublicTrade]:
        """Stream the trades of the market; the snapshot is the latest of them. Deduplicate them by trade_id.

        Trades are events and do not replace each other. A reader that is more than 1,000 of them behind gets the newest
        1,000, in a batch with `gap`.

        Raises:
            Unsupported: There is no such stream, see the capabilities.
        """
        ...

    def subscribe_mark_price(self, symbol: str, *, cursor: Cursor | None = None) -> Stream[MarkPrice]:
        """Stream the mark price with the funding rate and the time of the next funding. Conflates: the newest wins.

        Raises:
            Unsupported: There is no such stream, see the capabilities.
        """
        ...

    def subscribe_funding_payments(self, symbol: str = "", *, cursor: Cursor | None = None) -> Stream[FundingPayment]:
        """Stream the account's funding payments; the snapshot is the newest ones. Never conflates, never drops.

        Count each payment_id once: a snapshot repeats payments that were delivered before. Before a batch that is
        marked as a gap, ask `list_funding_payments`.
        """
        ...


def documented(kind: C) -> C:
    """Copy the docstrings of `Exchange` to the methods of a class that only refer to it, so that `help` shows them."""
    for name, method in vars(kind).items():
        original = getattr(Exchange, name, None)
        if original is not None and (method.__doc__ or "").startswith(_SEE_EXCHANGE):
            method.__doc__ = (original.__doc__ or "") + method.__doc__.removeprefix(_SEE_EXCHANGE)
    return kind
