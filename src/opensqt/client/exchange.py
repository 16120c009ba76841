"""RemoteExchange: the Exchange protocol through a connector. To a strategy it looks like an adapter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Self, TypeVar

from opensqt.client.channel import ConnectorChannel
from opensqt.client.claim_numbers import ClaimNumbers
from opensqt.client.lease import OnLapse, RemoteLease
from opensqt.client.stream import RemoteStream
from opensqt.client.subscription import StreamSubscription, Topic
from opensqt.config.remote import RemoteSettings
from opensqt.model.account import Account, MarginMode, Position, PositionMode
from opensqt.model.errors import ExchangeError, InvalidRequest, OutcomeUnknown, Unreachable, VenueError
from opensqt.model.exchange import documented
from opensqt.model.funding import FundingPayment
from opensqt.model.market import DEFAULT_DEPTH, INTERVALS_MS, Candle, MarkPrice, OrderBook, Price, PublicTrade
from opensqt.model.order import AmendRequest, Fill, Order, OrderRef, OrderRequest, OrderUpdate
from opensqt.model.stream import Cursor, Stream
from opensqt.model.venue import (
    Check,
    ClaimRequest,
    ExchangeInfo,
    ExchangeStatus,
    Halt,
    HaltedOrders,
    Lease,
    RateBudget,
)
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import gateway_service_pb2 as gateway_pb
from opensqt.streams.conflation import KEYS, LIMITS
from opensqt.streams.max_age import with_max_age
from opensqt.wire import codec, gateway_codec, market_codec
from opensqt.wire import errors as wire_errors
from opensqt.wire.requests import check_depth, check_leverage, check_limit, encode_order_ref, resume_after, resume_at

A = TypeVar("A")
T = TypeVar("T")
_BATCH = 50
"""Items in one call; the connector takes 100 at most."""
_PAGE = 1000
"""Fills or candles in one response; the connector gives no more."""


@documented
class RemoteExchange:
    """An Exchange behind a connector.

    A call that is sent again is the very same call. `place_order`, `amend_order` and the cancels are sent again only
    because the connector executes each of them at most once, by its id.

    Args:
        settings: Address of the connector, identity of the client, retry policy; localhost:50051 by default.
    """

    name = "remote"

    def __init__(self, settings: RemoteSettings | None = None) -> None:
        self._channel = ConnectorChannel(settings or RemoteSettings())
        self._subscriptions: set[StreamSubscription[Any]] = set()
        self._claims = ClaimNumbers()

    @property
    def streams_open(self) -> int:
        """Number of subscriptions that were made and are not closed."""
        return len(self._subscriptions)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self, *, serving: bool = True) -> None:
        """Connect: ten attempts over four minutes, each logged; see `ConnectorChannel.open`.

        Args:
            serving: Whether the connector must be serving. With False it need only respond: it can then report why it
                is not serving, and cancel orders.
        """
        await self._channel.open(serving=serving)

    async def close(self) -> None:
        """End the streams and the connection. Orders stay. Idempotent."""
        for subscription in tuple(self._subscriptions):
            subscription.end(Unreachable("the exchange was closed"))
        await self._channel.close()

    async def place_order(self, request: OrderRequest) -> Order:
        """See `Exchange`."""
        message = pb.PlaceOrderRequest(order=self._claims.encode(request))
        response = await self._channel.call(self._channel.exchange.PlaceOrder, message, placing=True)
        return _decode_or_unknown(response.order)

    async def batch_place_orders(self, requests: Sequence[OrderRequest]) -> list[Order | ExchangeError]:
        """See `Exchange`. An error of the whole call is the result of each item."""
        return await self._batch(
            requests,
            self._claims.encode,
            lambda messages: pb.BatchPlaceOrdersRequest(orders=messages),
            lambda: self._channel.exchange.BatchPlaceOrders,
        )

    async def amend_order(self, request: AmendRequest) -> Order:
        """See `Exchange`."""
        message = self._claims.encode_amend(request)
        response = await self._channel.call(self._channel.gateway.AmendOrder, message, placing=True)
        return _decode_or_unknown(response.order)

    async def cancel_order(self, ref: OrderRef) -> Order:
        """See `Exchange`."""
        message = pb.CancelOrderRequest(order=encode_order_ref(ref))
        response = await self._channel.call(self._channel.exchange.CancelOrder, message, placing=True)
        return _decode_or_unknown(response.order)

    async def batch_cancel_orders(self, refs: Sequence[OrderRef]) -> list[Order | ExchangeError]:
        """See `Exchange`. An error of the whole call is the result of each item."""
        return await self._batch(
            refs,
            encode_order_ref,
            lambda messages: pb.BatchCancelOrdersRequest(orders=messages),
            lambda: self._channel.exchange.BatchCancelOrders,
        )

    async def cancel_all_orders(self, symbol: str) -> list[Order]:
        """See `Exchange`."""
        message = pb.CancelAllOrdersRequest(symbol=symbol)
        response = await self._channel.call(self._channel.exchange.CancelAllOrders, message, placing=True)
        return [_decode_or_unknown(order) for order in response.orders]

    async def get_order(self, ref: OrderRef) -> Order:
        """See `Exchange`."""
        message = pb.GetOrderRequest(order=encode_order_ref(ref))
        response = await self._channel.call(self._channel.exchange.GetOrder, message)
        return _read(codec.decode_order, response.order)

    async def get_open_orders(self, symbol: str = "") -> list[Order]:
        """See `Exchange`."""
        response = await self._channel.call(
            self._channel.exchange.GetOpenOrders, pb.GetOpenOrdersRequest(symbol=symbol)
        )
        return [_read(codec.decode_order, order) for order in response.orders]

    async def get_account(self) -> Account:
        """See `Exchange`."""
        response = await self._channel.call(self._channel.exchange.GetAccount, pb.GetAccountRequest())
        return _read(codec.decode_account, response.account)

    async def get_positions(self, symbol: str = "") -> list[Position]:
        """See `Exchange`."""
        response = await self._channel.call(self._channel.exchange.GetPositions, pb.GetPositionsRequest(symbol=symbol))
        return [_read(codec.decode_position, position) for position in response.positions]

    async def get_latest_price(self, symbol: str) -> Price:
        """See `Exchange`."""
        response = await self._channel.call(
            self._channel.exchange.GetLatestPrice, pb.GetLatestPriceRequest(symbol=symbol)
        )
        return _read(codec.decode_price, response.price)

    async def get_historical_klines(
        self,
        symbol: str,
        interval: str,
        *,
        limit: int = 100,
        start_ms: int | None = None,
        end_ms: int | None = None,
    ) -> list[Candle]:
        """See `Exchange`."""
        check_limit(limit)
        message = pb.GetHistoricalKlinesRequest(
            symbol=symbol, interval=interval, limit=limit, start_time_ms=start_ms, end_time_ms=end_ms
        )
        response = await self._channel.call(self._channel.exchange.GetHistoricalKlines, message)
        return [_read(codec.decode_candle, candle) for candle in response.klines]

    async def get_klines_between(
        self, symbol: str, interval: str, *, start_ms: int, end_ms: int | None = None
    ) -> list[Candle]:
        """Ask for all candles of a range, however many they are, oldest first.

        The pages are read one after the other, each within the deadline. The last candle may still be forming.

        Args:
            symbol: Canonical.
            interval: A key of `INTERVALS_MS` that the capabilities name.
            start_ms: Open time of the first candle wanted.
            end_ms: Open time of the last candle wanted; by default the newest.
        """
        candles: list[Candle] = []
        request = pb.GetHistoricalKlinesRequest(
            symbol=symbol, interval=interval, limit=_PAGE, start_time_ms=start_ms, end_time_ms=end_ms, page_size=_PAGE
        )
        while True:
            response = await self._channel.call(self._channel.exchange.GetHistoricalKlines, request)
            candles += [_read(codec.decode_candle, candle) for candle in response.klines]
            request.page_token = response.next_page_token
            if not request.page_token:
                if len(response.klines) < _PAGE:
                    return candles
                # A connector that knows no pages yet returns as many by `limit`; the rest is behind them.
                request.start_time_ms = candles[-1].open_time_ms + INTERVALS_MS[interval]
                if end_ms is not None and request.start_time_ms > end_ms:
                    return candles

    async def get_exchange_info(self) -> ExchangeInfo:
        """See `Exchange`. The name is that of the venue behind the connector."""
        response = await self._channel.call(self._channel.exchange.GetExchangeInfo, pb.GetExchangeInfoRequest())
        return _read(codec.decode_info, response)

    async def list_fills(self, symbol: str, *, since_ms: int) -> list[Fill]:
        """See `Exchange`. The pages are read one after the other, each within the deadline."""
        fills: list[Fill] = []
        request = gateway_pb.ListFillsRequest(symbol=symbol, since_ms=since_ms, page_size=_PAGE)
        while True:
            response = await self._channel.call(self._channel.gateway.ListFills, request)
            fills += [_read(codec.decode_fill, fill) for fill in response.fills]
            if not response.next_page_token:
                return fills
            request.page_token = response.next_page_token

    async def list_funding_payments(self, symbol: str = "", *, since_ms: int) -> list[FundingPayment]:
        """See `Exchange`. The pages are read one after the other, each within the deadline."""
        payments: list[FundingPayment] = []
        request = gateway_pb.ListFundingPaymentsRequest(symbol=symbol, since_ms=since_ms, page_size=_PAGE)
        while True:
            response = await self._channel.call(self._channel.gateway.ListFundingPayments, request)
            payments += [_read(codec.decode_funding_payment, payment) for payment in response.payments]
            if not response.next_page_token:
                return payments
            request.page_token = response.next_page_token

    async def set_leverage(self, symbol: str, leverage: int) -> Decimal:
        """See `Exchange`. A call whose response was lost is not sent again: it is `OutcomeUnknown`."""
        message = gateway_pb.SetLeverageRequest(symbol=symbol, leverage=check_leverage(leverage))
        response = await self._channel.call(self._channel.gateway.SetLeverage, message, once=True)
        return _read_setting(lambda: Decimal(response.leverage), symbol)

    async def set_margin_mode(self, symbol: str, mode: MarginMode) -> MarginMode:
        """See `Exchange`. A call whose response was lost is not sent again: it is `OutcomeUnknown`."""
        message = gateway_pb.SetMarginModeRequest(symbol=symbol, margin_mode=codec.MARGIN_MODE_NUMBER[mode])
        response = await self._channel.call(self._channel.gateway.SetMarginMode, message, once=True)
        return _read_setting(lambda: codec.MARGIN_MODE[response.margin_mode], symbol)

    async def set_position_mode(self, mode: PositionMode) -> PositionMode:
        """See `Exchange`. A call whose response was lost is not sent again: it is `OutcomeUnknown`."""
        message = gateway_pb.SetPositionModeRequest(position_mode=codec.POSITION_MODE_NUMBER[mode])
        response = await self._channel.call(self._channel.gateway.SetPositionMode, message, once=True)
        return _read_setting(lambda: codec.POSITION_MODE[response.position_mode])

    async def get_status(self) -> ExchangeStatus:
        """See `Exchange`. A connector that does not respond is itself an unhealthy check."""
        try:
            response = await self._channel.call(self._channel.gateway.GetStatus, gateway_pb.GetStatusRequest())
        except ExchangeError as error:
            return ExchangeStatus(checks=(Check(name="connector", ok=False, reason=error.message),))
        return gateway_codec.decode_status(response)

    async def get_rate_budget(self) -> RateBudget:
        """See `Exchange`. The budget is that of this client, by the name that the connector knows."""
        response = await self._channel.call(self._channel.gateway.GetRateBudget, gateway_pb.GetRateBudgetRequest())
        return gateway_codec.decode_budget(response)

    async def heartbeat(self, ttl_s: float, claim: ClaimRequest | None = None, *, number: int = 0) -> Lease:
        """Take or renew this client's lease once; `lease` does it for a block.

        Args:
            ttl_s: Duration of the lease from now, 1 to 3600 seconds; 0 releases it and leaves the orders open.
            claim: The right to trade that is taken, renewed or released with it. From then on the orders of its symbol
                and strategy are sent under its number.
            number: `Lease.number` of the last response, 0 before the first.

        Returns:
            The lease. `lapsed` is True if that of *number* or a later one had ended, and this client's orders with it;
            without a number the one before, which is reported once and may be lost with its response.

        Raises:
            TradingClaimed: Another program holds the claim, or has held it since; the message names it.
        """
        if not (ttl_s == 0 or 1 <= ttl_s <= 3600):
            raise InvalidRequest(f"ttl_s {ttl_s}: expected 1 to 3600 seconds, or 0 to release the lease")
        message = gateway_pb.HeartbeatRequest(
            ttl_ms=round(ttl_s * 1000),
            claim=None if claim is None else gateway_codec.encode_claim_request(claim),
            number=number,
        )
        # A heartbeat that takes longer than a third of the lease is better sent again.
        deadline_s = min(self._channel.deadline_s, ttl_s / 3) if ttl_s else None
        response = await self._channel.call(self._channel.gateway.Heartbeat, message, deadline_s=deadline_s)
        lease = gateway_codec.decode_lease(response)
        if lease.claim is not None:
            self._claims.note(lease.claim)
        return lease

    def lease(
        self, ttl_s: float = 30.0, *, on_lapse: OnLapse | None = None, claim: ClaimRequest | None = None
    ) -> RemoteLease:
        """Hold this client's lease while a block runs: if this process dies, the connector cancels its orders.

        The lease is renewed every third of *ttl_s*, also while the connector restarts. A block that ends normally
        releases the lease, and the orders stay open. A block that ends with an exception, Ctrl-C included, does not
        release it: the connector cancels this client's orders within *ttl_s*, and those of no other client.

        Args:
            ttl_s: How long the connector waits for a heartbeat, 1 to 3600 seconds. A connection that died silently is
                noticed after 15 s; a shorter lease does not survive that.
            on_lapse: Called with the error when the lease had ended before it was renewed; the block then continues,
                with a new lease. Without it the block is cancelled and raises `LeaseExpired`; where the connector
                reports the lapse only when the lease is released, the end of the block raises it.
            claim: The right to trade a symbol by a strategy, which is held with the lease: the connector then refuses
                the orders of every other program. When another one takes it over, the block is cancelled and raises
                `TradingClaimed`.

        Returns:
            An async context manager; see `RemoteLease`.
        """
        return RemoteLease(self.heartbeat, ttl_s, on_lapse, claim)

    async def halt_trading(
        self, halt_id: str, *, symbol: str = "", reason: str = "", ttl_s: float = 0.0
    ) -> HaltedOrders:
        """Halt trading through this connector, or renew a halt; needs the role `trade`.

        After this call new orders of every client are refused with `TradingHalted`, and orders that are queued in the
        connector are not sent. Orders in flight and open orders stay: cancel them. The halt survives a restart.

        Args:
            halt_id: An id of your own, 1 to 32 letters and digits. A call with the same id renews the halt.
            symbol: The symbol to halt; empty halts all.
            reason: Reason, for the clients that are refused.
            ttl_s: Duration unless it is renewed, 1 to 3600 seconds; with 0 it lasts until `resume_trading` lifts it.

        Returns:
            The halt, and the orders of the halted symbols that are in flight, or open as far as the connector knows.
        """
        if not (ttl_s == 0 or 1 <= ttl_s <= 3600):
            raise InvalidRequest(f"ttl_s {ttl_s}: expected 1 to 3600 seconds, or 0 for a halt that stands until lifted")
        message = gateway_pb.HaltTradingRequest(
            halt_id=halt_id, symbol=symbol, reason=reason, ttl_ms=round(ttl_s * 1000)
        )
        return gateway_codec.decode_halted(await self._channel.call(self._channel.gateway.HaltTrading, message))

    async def resume_trading(self, halt_id: str = "", *, symbol: str = "") -> list[Halt]:
        """Lift a halt of trading, or all halts that do not expire; needs the role `trade`.

        Args:
            halt_id: The halt to lift; an unknown one is not an error.
            symbol: Without a halt_id: lift only the halts of this symbol.

        Returns:
            The halts that were lifted.
        """
        message = gateway_pb.ResumeTradingRequest(halt_id=halt_id, symbol=symbol)
        response = await self._channel.call(self._channel.gateway.ResumeTrading, message)
        return [gateway_codec.decode_halt(halt) for halt in response.lifted]

    async def place_during_halt(self, request: OrderRequest, halt_id: str) -> Order:
        """Send a reduce-only order although trading is halted, as the holder of the halt; see `place_order`.

        Args:
            request: Reduce-only, of a symbol that the halt applies to.
            halt_id: A halt that stands.
        """
        message = pb.PlaceOrderRequest(order=self._claims.encode(request), halt_id=halt_id)
        response = await self._channel.call(self._channel.exchange.PlaceOrder, message, placing=True)
        return _decode_or_unknown(response.order)

    def subscribe_price(
        self, symbol: str, *, cursor: Cursor | None = None, max_age_s: float | None = None
    ) -> Stream[Price]:
        """See `Exchange`.

        Args:
            symbol: Canonical.
            cursor: Where to resume.
            max_age_s: How old the newest update may be when it is handed over. A read raises `StaleData` in place of
                an older one, and the stream goes on: the next read waits for something newer. A market that rests
                raises nothing while a read waits; the snapshot of one that has rested for longer raises.
        """
        topic = Topic(
            name=f"price {symbol}",
            kind="price",
            method="SubscribePrice",
            request=lambda at: pb.SubscribePriceRequest(symbol=symbol, **resume_at(at)),
            decode=codec.decode_price,
            key=KEYS["price"],
        )
        return self._stream(topic, cursor, max_age_s, symbol)

    def subscribe_orders(
        self, symbol: str = "", *, cursor: Cursor | None = None, max_age_s: float | None = None
    ) -> Stream[OrderUpdate]:
        """See `Exchange`.

        Args:
            symbol: Canonical; empty for all.
            cursor: Where to resume.
            max_age_s: See `RemoteExchange.subscribe_price`. The next read after the error returns the updates
                themselves, however old: no fill is lost.
        """
        topic = Topic(
            name=f"orders {symbol}".strip(),
            kind="orders",
            method="SubscribeOrders",
            request=lambda at: pb.SubscribeOrdersRequest(symbol=symbol, **resume_at(at)),
            decode=codec.decode_order_update,
            key=KEYS["orders"],
        )
        return self._stream(topic, cursor, max_age_s, symbol)

    def subscribe_klines(
        self, symbol: str, interval: str, *, cursor: Cursor | None = None, max_age_s: float | None = None
    ) -> Stream[Candle]:
        """See `Exchange`.

        Args:
            symbol: Canonical.
            interval: A key of `INTERVALS_MS`.
            cursor: Where to resume.
            max_age_s: See `RemoteExchange.subscribe_price`.
        """
        topic = Topic(
            name=f"klines {symbol} {interval}",
            kind="klines",
            method="SubscribeKlines",
            request=lambda at: pb.SubscribeKlinesRequest(symbol=symbol, interval=interval, **resume_at(at)),
            decode=codec.decode_candle,
            key=KEYS["klines"],
        )
        return self._stream(topic, cursor, max_age_s, symbol)

    def subscribe_account(self, *, cursor: Cursor | None = None, max_age_s: float | None = None) -> Stream[Account]:
        """See `Exchange`.

        Args:
            cursor: Where to resume.
            max_age_s: See `RemoteExchange.subscribe_price`.
        """
        topic = Topic(
            name="account",
            kind="account",
            method="SubscribeAccount",
            request=lambda at: pb.SubscribeAccountRequest(**resume_at(at)),
            decode=codec.decode_account,
            key=KEYS["account"],
        )
        return self._stream(topic, cursor, max_age_s)

    def subscribe_positions(
        self, symbol: str = "", *, cursor: Cursor | None = None, max_age_s: float | None = None
    ) -> Stream[Position]:
        """See `Exchange`.

        Args:
            symbol: Canonical; empty for all.
            cursor: Where to resume.
            max_age_s: See `RemoteExchange.subscribe_price`.
        """
        topic = Topic(
            name=f"positions {symbol}".strip(),
            kind="positions",
            method="SubscribePositions",
            request=lambda at: pb.SubscribePositionsRequest(symbol=symbol, **resume_at(at)),
            decode=codec.decode_position,
            key=KEYS["positions"],
        )
        return self._stream(topic, cursor, max_age_s, symbol)

    def subscribe_order_book(
        self,
        symbol: str,
        depth: int = DEFAULT_DEPTH,
        *,
        cursor: Cursor | None = None,
        max_age_s: float | None = None,
    ) -> Stream[OrderBook]:
        """See `Exchange`.

        Args:
            symbol: Canonical.
            depth: Levels of each side, 1 to `Capabilities.order_book_depth`.
            cursor: Where to resume.
            max_age_s: See `RemoteExchange.subscribe_price`.
        """
        check_depth(depth)
        topic = Topic(
            name=f"order_book {symbol} {depth}",
            kind="order_book",
            method="SubscribeOrderBook",
            request=lambda at: gateway_pb.SubscribeOrderBookRequest(symbol=symbol, depth=depth, **resume_after(at)),
            decode=market_codec.decode_order_book,
            key=KEYS["order_book"],
            beyond_exchange_service=True,
        )
        return self._stream(topic, cursor, max_age_s, symbol)

    def subscribe_trades(
        self, symbol: str, *, cursor: Cursor | None = None, max_age_s: float | None = None
    ) -> Stream[PublicTrade]:
        """See `Exchange`.

        Args:
            symbol: Canonical.
            cursor: Where to resume.
            max_age_s: See `RemoteExchange.subscribe_price`.
        """
        topic = Topic(
            name=f"trades {symbol}",
            kind="trades",
            method="SubscribeTrades",
            request=lambda at: gateway_pb.SubscribeTradesRequest(symbol=symbol, **resume_after(at)),
            decode=market_codec.decode_trade,
            key=KEYS["trades"],
            limit=LIMITS["trades"],
            beyond_exchange_service=True,
        )
        return self._stream(topic, cursor, max_age_s, symbol)

    def subscribe_mark_price(
        self, symbol: str, *, cursor: Cursor | None = None, max_age_s: float | None = None
    ) -> Stream[MarkPrice]:
        """See `Exchange`.

        Args:
            symbol: Canonical.
            cursor: Where to resume.
            max_age_s: See `RemoteExchange.subscribe_price`.
        """
        topic = Topic(
            name=f"mark_price {symbol}",
            kind="mark_price",
            method="SubscribeMarkPrice",
            request=lambda at: gateway_pb.SubscribeMarkPriceRequest(symbol=symbol, **resume_after(at)),
            decode=market_codec.decode_mark_price,
            key=KEYS["mark_price"],
            beyond_exchange_service=True,
        )
        return self._stream(topic, cursor, max_age_s, symbol)

    def subscribe_funding_payments(
        self, symbol: str = "", *, cursor: Cursor | None = None, max_age_s: float | None = None
    ) -> Stream[FundingPayment]:
        """See `Exchange`.

        Args:
            symbol: Canonical; empty for all.
            cursor: Where to resume.
            max_age_s: See `RemoteExchange.subscribe_price`. The next read after the error returns the payments
                themselves, however old.
        """
        topic = Topic(
            name=f"funding payments {symbol}".strip(),
            kind="funding_payments",
            method="SubscribeFundingPayments",
            request=lambda at: gateway_pb.SubscribeFundingPaymentsRequest(symbol=symbol, **resume_after(at)),
            decode=codec.decode_funding_payment,
            key=KEYS["funding_payments"],
            beyond_exchange_service=True,
        )
        return self._stream(topic, cursor, max_age_s, symbol)

    def _stream(self, topic: Topic[T], cursor: Cursor | None, max_age_s: float | None, symbol: str = "") -> Stream[T]:
        subscription = StreamSubscription(self._channel, topic, cursor=cursor, on_end=self._subscriptions.discard)
        self._subscriptions.add(subscription)
        return with_max_age(RemoteStream(subscription), max_age_s, kind=topic.kind, symbol=symbol)

    async def _batch(
        self,
        items: Sequence[A],
        encode: Callable[[A], Any],
        wrap: Callable[[list[Any]], Any],
        method: Callable[[], Any],
    ) -> list[Order | ExchangeError]:
        results: dict[int, Order | ExchangeError] = {}
        messages: dict[int, Any] = {}
        for place, item in enumerate(items):
            try:
                messages[place] = encode(item)
            except InvalidRequest as error:
                # The error is the result of this item; the others are sent all the same.
                results[place] = error
        places = list(messages)
        for start in range(0, len(places), _BATCH):
            chunk = places[start : start + _BATCH]
            part = await self._chunk(method(), wrap([messages[place] for place in chunk]), len(chunk))
            results.update(zip(chunk, part, strict=True))
        return [results[place] for place in range(len(items))]

    async def _chunk(self, method: Any, message: Any, size: int) -> list[Order | ExchangeError]:
        try:
            response = await self._channel.call(method, message, placing=True)
        except ExchangeError as error:
            return [error] * size
        if len(response.results) != size:
            return [OutcomeUnknown(f"the connector returned {len(response.results)} results for {size} items")] * size
        return [wire_errors.decode_order_result(result) for result in response.results]


def _decode_or_unknown(message: Any) -> Order:
    """Decode the response to an order call; one that can't be read leaves the outcome unknown."""
    try:
        return codec.decode_order(message)
    except codec.MalformedMessage as error:
        raise OutcomeUnknown(f"the connector's response can't be read: {error}", symbol=message.symbol) from None


def _read(decode: Callable[[Any], T], message: Any) -> T:
    try:
        return decode(message)
    except codec.MalformedMessage as error:
        raise VenueError(f"the connector's response can't be read: {error}") from None


def _read_setting(read: Callable[[], T], symbol: str = "") -> T:
    """Read the response to a change of a setting; one that can't be read leaves the outcome unknown."""
    try:
        return read()
    except (codec.MalformedMessage, ArithmeticError) as error:
        raise OutcomeUnknown(f"the connector's response can't be read: {error}", symbol=symbol) from None
