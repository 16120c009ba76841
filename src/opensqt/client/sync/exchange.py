"""SyncExchange: every method of the Exchange protocol, blocking, over a RemoteExchange in a background thread."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Coroutine, Sequence
from decimal import Decimal
from typing import Any, ParamSpec, Self, TypeVar

from opensqt.client.connect import connect
from opensqt.client.exchange import RemoteExchange
from opensqt.client.lease import OnLapse
from opensqt.client.sync.lease import SyncLease
from opensqt.client.sync.loop import LoopThread
from opensqt.client.sync.stream import SyncStream
from opensqt.model.account import Account, MarginMode, Position, PositionMode
from opensqt.model.errors import ExchangeError, Unreachable
from opensqt.model.exchange import documented
from opensqt.model.funding import FundingPayment
from opensqt.model.market import DEFAULT_DEPTH, Candle, MarkPrice, OrderBook, Price, PublicTrade
from opensqt.model.order import AmendRequest, Fill, Order, OrderRef, OrderRequest, OrderUpdate
from opensqt.model.stream import Cursor, Stream
from opensqt.model.venue import ClaimRequest, ExchangeInfo, ExchangeStatus, Halt, HaltedOrders, Lease, RateBudget

P = ParamSpec("P")
T = TypeVar("T")


@documented
class SyncExchange:
    """An Exchange behind a connector, for code without an event loop or inside another one, such as a notebook.

    Every method blocks until it has its result and raises the same errors. Several threads may use it. An exchange
    that is left open is closed when the program ends.

    Args:
        exchange: Not started, and not used by other code.
    """

    def __init__(self, exchange: RemoteExchange) -> None:
        self._exchange = exchange
        self._loop: LoopThread | None = None
        self._leases: weakref.WeakSet[SyncLease] = weakref.WeakSet()
        self._closing: weakref.finalize[..., SyncExchange] | None = None

    @property
    def name(self) -> str:
        """See `Exchange`."""
        return self._exchange.name

    def __enter__(self) -> Self:
        if self._loop is None:
            self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """See `Exchange`."""
        self.close()
        self._loop = loop = LoopThread()
        self._closing = weakref.finalize(self, _close_at_exit, loop, self._exchange)
        try:
            loop.run(self._exchange.start())
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """See `Exchange`."""
        closing, self._closing, self._loop = self._closing, None, None
        if closing is not None:
            closing()

    def place_order(self, request: OrderRequest) -> Order:
        """See `Exchange`."""
        return self._run(self._exchange.place_order(request), placing=True)

    def batch_place_orders(self, requests: Sequence[OrderRequest]) -> list[Order | ExchangeError]:
        """See `Exchange`."""
        return self._run(self._exchange.batch_place_orders(requests), placing=True)

    def amend_order(self, request: AmendRequest) -> Order:
        """See `Exchange`."""
        return self._run(self._exchange.amend_order(request), placing=True)

    def cancel_order(self, ref: OrderRef) -> Order:
        """See `Exchange`."""
        return self._run(self._exchange.cancel_order(ref))

    def batch_cancel_orders(self, refs: Sequence[OrderRef]) -> list[Order | ExchangeError]:
        """See `Exchange`."""
        return self._run(self._exchange.batch_cancel_orders(refs))

    def cancel_all_orders(self, symbol: str) -> list[Order]:
        """See `Exchange`."""
        return self._run(self._exchange.cancel_all_orders(symbol))

    def get_order(self, ref: OrderRef) -> Order:
        """See `Exchange`."""
        return self._run(self._exchange.get_order(ref))

    def get_open_orders(self, symbol: str = "") -> list[Order]:
        """See `Exchange`."""
        return self._run(self._exchange.get_open_orders(symbol))

    def get_account(self) -> Account:
        """See `Exchange`."""
        return self._run(self._exchange.get_account())

    def get_positions(self, symbol: str = "") -> list[Position]:
        """See `Exchange`."""
        return self._run(self._exchange.get_positions(symbol))

    def get_latest_price(self, symbol: str) -> Price:
        """See `Exchange`."""
        return self._run(self._exchange.get_latest_price(symbol))

    def get_historical_klines(
        self,
        symbol: str,
        interval: str,
        *,
        limit: int = 100,
        start_ms: int | None = None,
        end_ms: int | None = None,
    ) -> list[Candle]:
        """See `Exchange`."""
        history = self._exchange.get_historical_klines(symbol, interval, limit=limit, start_ms=start_ms, end_ms=end_ms)
        return self._run(history)

    def get_exchange_info(self) -> ExchangeInfo:
        """See `Exchange`."""
        return self._run(self._exchange.get_exchange_info())

    def list_fills(self, symbol: str, *, since_ms: int) -> list[Fill]:
        """See `Exchange`."""
        return self._run(self._exchange.list_fills(symbol, since_ms=since_ms))

    def list_funding_payments(self, symbol: str = "", *, since_ms: int) -> list[FundingPayment]:
        """See `Exchange`."""
        return self._run(self._exchange.list_funding_payments(symbol, since_ms=since_ms))

    def set_leverage(self, symbol: str, leverage: int) -> Decimal:
        """See `Exchange`."""
        return self._run(self._exchange.set_leverage(symbol, leverage))

    def set_margin_mode(self, symbol: str, mode: MarginMode) -> MarginMode:
        """See `Exchange`."""
        return self._run(self._exchange.set_margin_mode(symbol, mode))

    def set_position_mode(self, mode: PositionMode) -> PositionMode:
        """See `Exchange`."""
        return self._run(self._exchange.set_position_mode(mode))

    def get_status(self) -> ExchangeStatus:
        """See `Exchange`."""
        return self._run(self._exchange.get_status())

    def get_rate_budget(self) -> RateBudget:
        """See `Exchange`."""
        return self._run(self._exchange.get_rate_budget())

    def get_klines_between(
        self, symbol: str, interval: str, *, start_ms: int, end_ms: int | None = None
    ) -> list[Candle]:
        """See `RemoteExchange.get_klines_between`."""
        return self._run(self._exchange.get_klines_between(symbol, interval, start_ms=start_ms, end_ms=end_ms))

    def heartbeat(self, ttl_s: float, claim: ClaimRequest | None = None, *, number: int = 0) -> Lease:
        """See `RemoteExchange.heartbeat`."""
        return self._run(self._exchange.heartbeat(ttl_s, claim, number=number))

    def halt_trading(self, halt_id: str, *, symbol: str = "", reason: str = "", ttl_s: float = 0.0) -> HaltedOrders:
        """See `RemoteExchange.halt_trading`."""
        return self._run(self._exchange.halt_trading(halt_id, symbol=symbol, reason=reason, ttl_s=ttl_s))

    def resume_trading(self, halt_id: str = "", *, symbol: str = "") -> list[Halt]:
        """See `RemoteExchange.resume_trading`."""
        return self._run(self._exchange.resume_trading(halt_id, symbol=symbol))

    def place_during_halt(self, request: OrderRequest, halt_id: str) -> Order:
        """See `RemoteExchange.place_during_halt`."""
        return self._run(self._exchange.place_during_halt(request, halt_id), placing=True)

    def lease(
        self, ttl_s: float = 30.0, *, on_lapse: OnLapse | None = None, claim: ClaimRequest | None = None
    ) -> SyncLease:
        """Hold this client's lease while a `with` block runs; see `RemoteExchange.lease` and `SyncLease`."""
        lease = SyncLease(self._require_open(), self._exchange, ttl_s, on_lapse, claim)
        self._leases.add(lease)
        return lease

    def subscribe_price(
        self,
        symbol: str,
        *,
        cursor: Cursor | None = None,
        max_age_s: float | None = None,
        timeout_s: float | None = None,
    ) -> SyncStream[Price]:
        """See `Exchange`. `RemoteExchange.subscribe_price` describes `max_age_s`."""
        return self._stream(self._exchange.subscribe_price(symbol, cursor=cursor, max_age_s=max_age_s), timeout_s)

    def subscribe_orders(
        self,
        symbol: str = "",
        *,
        cursor: Cursor | None = None,
        max_age_s: float | None = None,
        timeout_s: float | None = None,
    ) -> SyncStream[OrderUpdate]:
        """See `Exchange`. `RemoteExchange.subscribe_price` describes `max_age_s`."""
        return self._stream(self._exchange.subscribe_orders(symbol, cursor=cursor, max_age_s=max_age_s), timeout_s)

    def subscribe_klines(
        self,
        symbol: str,
        interval: str,
        *,
        cursor: Cursor | None = None,
        max_age_s: float | None = None,
        timeout_s: float | None = None,
    ) -> SyncStream[Candle]:
        """See `Exchange`. `RemoteExchange.subscribe_price` describes `max_age_s`."""
        return self._stream(
            self._exchange.subscribe_klines(symbol, interval, cursor=cursor, max_age_s=max_age_s), timeout_s
        )

    def subscribe_account(
        self, *, cursor: Cursor | None = None, max_age_s: float | None = None, timeout_s: float | None = None
    ) -> SyncStream[Account]:
        """See `Exchange`. `RemoteExchange.subscribe_price` describes `max_age_s`."""
        return self._stream(self._exchange.subscribe_account(cursor=cursor, max_age_s=max_age_s), timeout_s)

    def subscribe_positions(
        self,
        symbol: str = "",
        *,
        cursor: Cursor | None = None,
        max_age_s: float | None = None,
        timeout_s: float | None = None,
    ) -> SyncStream[Position]:
        """See `Exchange`. `RemoteExchange.subscribe_price` describes `max_age_s`."""
        return self._stream(self._exchange.subscribe_positions(symbol, cursor=cursor, max_age_s=max_age_s), timeout_s)

    def subscribe_order_book(
        self,
        symbol: str,
        depth: int = DEFAULT_DEPTH,
        *,
        cursor: Cursor | None = None,
        max_age_s: float | None = None,
        timeout_s: float | None = None,
    ) -> SyncStream[OrderBook]:
        """See `Exchange`. `RemoteExchange.subscribe_price` describes `max_age_s`."""
        stream = self._exchange.subscribe_order_book(symbol, depth, cursor=cursor, max_age_s=max_age_s)
        return self._stream(stream, timeout_s)

    def subscribe_trades(
        self,
        symbol: str,
        *,
        cursor: Cursor | None = None,
        max_age_s: float | None = None,
        timeout_s: float | None = None,
    ) -> SyncStream[PublicTrade]:
        """See `Exchange`. `RemoteExchange.subscribe_price` describes `max_age_s`."""
        return self._stream(self._exchange.subscribe_trades(symbol, cursor=cursor, max_age_s=max_age_s), timeout_s)

    def subscribe_mark_price(
        self,
        symbol: str,
        *,
        cursor: Cursor | None = None,
        max_age_s: float | None = None,
        timeout_s: float | None = None,
    ) -> SyncStream[MarkPrice]:
        """See `Exchange`. `RemoteExchange.subscribe_price` describes `max_age_s`."""
        return self._stream(self._exchange.subscribe_mark_price(symbol, cursor=cursor, max_age_s=max_age_s), timeout_s)

    def subscribe_funding_payments(
        self,
        symbol: str = "",
        *,
        cursor: Cursor | None = None,
        max_age_s: float | None = None,
        timeout_s: float | None = None,
    ) -> SyncStream[FundingPayment]:
        """See `Exchange`. `RemoteExchange.subscribe_price` describes `max_age_s`."""
        stream = self._exchange.subscribe_funding_payments(symbol, cursor=cursor, max_age_s=max_age_s)
        return self._stream(stream, timeout_s)

    def _require_open(self) -> LoopThread:
        if self._loop is None:
            raise Unreachable("not connected; start was not called or close was")
        return self._loop

    def _run(self, work: Coroutine[Any, Any, T], *, placing: bool = False) -> T:
        try:
            loop = self._require_open()
            lost = next((lease.lost for lease in self._leases if lease.lost), None) if placing else None
            if lost is not None:
                raise lost
        except ExchangeError:
            work.close()
            raise
        return loop.run(work)

    def _stream(self, stream: Stream[T], timeout_s: float | None) -> SyncStream[T]:
        return SyncStream(self._require_open(), stream, timeout_s)


def _close_at_exit(loop: LoopThread, exchange: RemoteExchange) -> None:
    loop.close(exchange.close())


def _blocking(connect: Callable[P, RemoteExchange]) -> Callable[P, SyncExchange]:
    def connect_sync(*arguments: P.args, **named: P.kwargs) -> SyncExchange:
        """Connect to the account behind an exchange-connector, and wait until it serves.

            exchange = opensqt.connect_sync("localhost:50051")
            print(exchange.get_latest_price("BTCUSDT"))

        The arguments are those of `opensqt.connect`. The result may be used as a context manager.

        Raises:
            ConfigError: An argument or a variable can't be used.
            TokenRefused: The connector does not know the token or the certificate.
            ConnectorUnavailable: The last attempt failed too.
        """
        exchange = SyncExchange(connect(*arguments, **named))
        exchange.start()
        return exchange

    signature = inspect.signature(connect).replace(return_annotation="SyncExchange")
    connect_sync.__signature__ = signature  # type: ignore[attr-defined]
    connect_sync.__qualname__ = "connect_sync"
    return connect_sync


connect_sync = _blocking(connect)
