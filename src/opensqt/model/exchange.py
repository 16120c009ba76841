"""The one interface to an exchange account: native adapters, InMemoryExchange and RemoteExchange all are this."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from opensqt.model.account import Account, Position
from opensqt.model.errors import ExchangeError
from opensqt.model.market import Candle, Price
from opensqt.model.order import Fill, Order, OrderRef, OrderRequest, OrderUpdate
from opensqt.model.stream import Cursor, Stream
from opensqt.model.venue import ExchangeInfo, ExchangeStatus, RateBudget

C = TypeVar("C", bound=type)
_SEE = "See `Exchange`."


class Exchange(Protocol):
    """One account on one venue.

    Symbols are canonical, quantities are base coins, times UTC epoch milliseconds. Every coroutine raises
    the errors of `opensqt.model.errors` and nothing else. Use it as an async context manager or call `start`
    and `close`.
    """

    @property
    def name(self) -> str:
        """binance, bitget, gate, okx, bybit, memory; RemoteExchange answers `remote`."""
        ...

    async def start(self) -> None:
        """Connect, prove the credentials with a signed call, load the symbol rules.

        Raises:
            CredentialsRefused: The venue does not take the key.
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
            OrderRejected: The venue refused it (or a subclass that says why).
            DuplicateOrder: The client_order_id was used with other content.
            LeaseExpired: RemoteExchange only: this client's lease ended, and its orders were canceled.
            PermissionDenied: The key, or this client's role at the connector, does not allow it.
            BackOff: Too many orders, or the venue asks for patience: wait `retry_after_s`.
            OutcomeUnknown: It was sent and could not be proven present or absent in time. Ask by client id.
        """
        ...

    async def batch_place_orders(self, requests: Sequence[OrderRequest]) -> list[Order | ExchangeError]:
        """Send several orders; the answers stand in the order of the requests, each an order or its error."""
        ...

    async def cancel_order(self, ref: OrderRef) -> Order:
        """Cancel one order.

        Returns:
            The order after the cancel; CANCELED, or FILLED when a fill won the race.

        Raises:
            OrderNotFound: The venue knows no such order.
            OutcomeUnknown: It could not be learned what became of it.
        """
        ...

    async def batch_cancel_orders(self, refs: Sequence[OrderRef]) -> list[Order | ExchangeError]:
        """Cancel several orders; the answers stand in the order of the refs."""
        ...

    async def cancel_all_orders(self, symbol: str) -> list[Order]:
        """Cancel every order of a symbol, whoever placed it, until none is left.

        An order whose placing is not answered yet, when this is called, is waited for and canceled, too.

        Returns:
            Those that were canceled.

        Raises:
            OutcomeUnknown: It is not proven that none is left; the message names the orders.
        """
        ...

    async def get_order(self, ref: OrderRef) -> Order:
        """Ask the venue for one order, open or closed.

        Raises:
            OrderNotFound: The venue says that it does not exist. Any other error proves nothing.
        """
        ...

    async def get_open_orders(self, symbol: str = "") -> list[Order]:
        """Ask the venue for the open orders of a symbol, or of all symbols when it is empty."""
        ...

    async def get_account(self) -> Account:
        """Ask the venue for the balance of the margin asset."""
        ...

    async def get_positions(self, symbol: str = "") -> list[Position]:
        """Ask the venue for the positions; with a symbol, a flat one is answered as an explicit zero."""
        ...

    async def get_latest_price(self, symbol: str) -> Price:
        """Answer the best bid and ask, from the stream while it is fresh, else from the venue."""
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
        """Ask the venue for candles, oldest first; the last one may still be forming (`closed` says).

        Args:
            symbol: Canonical.
            interval: A key of `INTERVALS_MS` that the capabilities name.
            limit: 1 to 1000.
            start_ms: Open time of the first candle wanted.
            end_ms: Open time of the last candle wanted.
        """
        ...

    async def get_exchange_info(self) -> ExchangeInfo:
        """Tell name, capabilities, position mode and the rules of every symbol."""
        ...

    async def list_fills(self, symbol: str, *, since_ms: int) -> list[Fill]:
        """Ask the venue for our trades at or after a time, oldest first, all pages; repeat-safe by trade_id.

        Since 0, a venue may leave out what is older than a few days; a time of your own is always honoured as far
        back as the venue keeps trades.
        """
        ...

    async def get_status(self) -> ExchangeStatus:
        """Tell whether trading is possible now, and why not. Never raises for a sick venue."""
        ...

    async def get_rate_budget(self) -> RateBudget:
        """Tell what is left of what the venue grants, and the caller's own part in its use. Asks nobody."""
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
        """Stream positions; a flat one is told as a zero. Conflates per symbol and position side."""
        ...


def documented(kind: C) -> C:
    """Give the methods of a class that only point to `Exchange` what is said there, so that `help` tells it."""
    for name, ours in vars(kind).items():
        said = getattr(Exchange, name, None)
        if said is not None and (ours.__doc__ or "").startswith(_SEE):
            ours.__doc__ = (said.__doc__ or "") + ours.__doc__.removeprefix(_SEE)
    return kind
