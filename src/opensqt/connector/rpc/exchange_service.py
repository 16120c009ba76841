"""The 12 unary methods of ExchangeService: read the request, query, encode the response."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from opensqt.connector.auth.limits import OrderLimits
from opensqt.connector.orders.cancel_all import CancelAll
from opensqt.connector.orders.claims import Claims
from opensqt.connector.orders.intent import Barred
from opensqt.connector.orders.manager import OrderManager
from opensqt.connector.rpc import page_token
from opensqt.connector.rpc.dispatch import Context, Handler
from opensqt.connector.rpc.kline_pages import Range, kline_page
from opensqt.model.client_context import current_client
from opensqt.model.errors import ExchangeError, InvalidRequest, Unreachable
from opensqt.model.exchange import Exchange
from opensqt.model.market import INTERVALS_MS
from opensqt.model.order import OrderRequest
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import types_pb2
from opensqt.telemetry import tracing
from opensqt.wire import codec, requests
from opensqt.wire.errors import encode_order_result

M = TypeVar("M")
T = TypeVar("T")
A = TypeVar("A")

MAX_BATCH = 100
MAX_KLINES = 1000
_DEFAULT_KLINES = 100
_MARGIN_S = 0.25
"""Left of a caller's deadline for the answer's way back; half of it where it is short, so that a quick venue's
answer still reaches a client with a short deadline."""


class ExchangeCalls:
    """The unary methods of ExchangeService.

    Args:
        exchange: Answers the queries.
        manager: Takes the orders.
        cancel_all: Cancels all orders of a symbol.
        limits: What each client's orders are held to.
        claims: Who may trade what.
        order_wait_s: How long an order call waits for a proven outcome, unless its own deadline is sooner.
    """

    def __init__(
        self,
        exchange: Exchange,
        manager: OrderManager,
        cancel_all: CancelAll,
        limits: OrderLimits,
        claims: Claims,
        *,
        order_wait_s: float,
    ) -> None:
        self._exchange = exchange
        self._manager = manager
        self._cancel_all = cancel_all
        self._limits = limits
        self._claims = claims
        self._order_wait_s = order_wait_s
        self.trading: dict[str, Handler] = {
            "PlaceOrder": self._place_order,
            "BatchPlaceOrders": self._batch_place_orders,
            "CancelOrder": self._cancel_order,
            "BatchCancelOrders": self._batch_cancel_orders,
            "CancelAllOrders": self._cancel_all_orders,
        }
        """What changes the account."""
        self.reading: dict[str, Handler] = {
            "GetOrder": self._get_order,
            "GetOpenOrders": self._get_open_orders,
            "GetAccount": self._get_account,
            "GetPositions": self._get_positions,
            "GetLatestPrice": self._get_latest_price,
            "GetHistoricalKlines": self._get_historical_klines,
            "GetExchangeInfo": self._get_exchange_info,
        }
        """What only looks."""

    async def _place_order(self, request: pb.PlaceOrderRequest, context: Context) -> pb.PlaceOrderResponse:
        asked = requests.decode_order_request(request.order)
        note_call(asked.symbol, asked.client_order_id)
        (judged,) = self._hold_to_claims(await self._limits.to_place([asked]), [request.order])
        # The order's own bytes, for the call may carry more, and nothing is left of the call's once it was read.
        encoded = request.order.SerializeToString()
        order = await self._manager.place_encoded(
            judged, encoded, wait_s=self._wait_s(context), halt_id=request.halt_id
        )
        return pb.PlaceOrderResponse(order=order)

    async def _batch_place_orders(
        self, request: pb.BatchPlaceOrdersRequest, context: Context
    ) -> pb.BatchPlaceOrdersResponse:
        _check_size(len(request.orders))
        batch = _BatchItems(request.orders, requests.decode_order_request)
        encoded = [message.SerializeToString() for message in batch.sound_messages]
        note_call(",".join({one.symbol for one in batch.sound}), *(one.client_order_id for one in batch.sound))
        judged = self._hold_to_claims(await self._limits.to_place(batch.sound), batch.sound_messages)
        results = (
            await self._manager.place_batch_encoded(judged, encoded, wait_s=self._wait_s(context)) if judged else []
        )
        return pb.BatchPlaceOrdersResponse(results=map(_encoded, batch.answers(results)))

    def _hold_to_claims(
        self, judged: Sequence[OrderRequest | Barred], messages: Sequence[types_pb2.OrderRequest]
    ) -> list[OrderRequest | Barred]:
        """Bar the orders that another program has the right to place. Nothing may be awaited before they are placed."""
        client = current_client()
        held: list[OrderRequest | Barred] = []
        for one, message in zip(judged, messages, strict=True):
            if isinstance(one, OrderRequest):
                refusal = self._claims.refusal(one.symbol, one.client_order_id, message.claim_number, client)
                held.append(one if refusal is None else Barred(one, refusal))
            else:
                held.append(one)
        return held

    async def _cancel_order(self, request: pb.CancelOrderRequest, _context: Context) -> pb.CancelOrderResponse:
        ref = requests.decode_order_ref(request.order)
        note_call(ref.symbol, ref.client_order_id or ref.order_id)
        (allowed,) = await self._limits.to_cancel([ref])
        if isinstance(allowed, ExchangeError):
            raise allowed
        order = await self._manager.cancel(allowed)
        return pb.CancelOrderResponse(order=codec.encode_order(order))

    async def _batch_cancel_orders(
        self, request: pb.BatchCancelOrdersRequest, _context: Context
    ) -> pb.BatchCancelOrdersResponse:
        _check_size(len(request.orders))
        batch = _BatchItems(request.orders, requests.decode_order_ref)
        note_call(
            ",".join({ref.symbol for ref in batch.sound}), *(ref.client_order_id or ref.order_id for ref in batch.sound)
        )
        batch.hold_to(await self._limits.to_cancel(batch.sound))
        outcomes = await self._manager.cancel_batch(batch.sound) if batch.sound else []
        return pb.BatchCancelOrdersResponse(results=map(encode_order_result, batch.answers(outcomes)))

    async def _cancel_all_orders(
        self, request: pb.CancelAllOrdersRequest, context: Context
    ) -> pb.CancelAllOrdersResponse:
        symbol = requests.decode_symbol(request.symbol)
        note_call(symbol)
        self._limits.check_cancel_all(symbol)
        remaining_s = context.time_remaining()
        wait_s = self._order_wait_s if remaining_s is None else wait_within(remaining_s)
        orders = await self._cancel_all.run(symbol, wait_s=wait_s)
        return pb.CancelAllOrdersResponse(orders=map(codec.encode_order, orders))

    async def _get_order(self, request: pb.GetOrderRequest, _context: Context) -> pb.GetOrderResponse:
        order = await self._manager.get_order(requests.decode_order_ref(request.order))
        return pb.GetOrderResponse(order=codec.encode_order(order))

    async def _get_open_orders(self, request: pb.GetOpenOrdersRequest, _context: Context) -> pb.GetOpenOrdersResponse:
        symbol = requests.decode_symbol(request.symbol, required=False)
        orders = await self._exchange.get_open_orders(symbol)
        return pb.GetOpenOrdersResponse(orders=map(codec.encode_order, orders))

    async def _get_account(self, _request: pb.GetAccountRequest, _context: Context) -> pb.GetAccountResponse:
        return pb.GetAccountResponse(account=codec.encode_account(await self._exchange.get_account()))

    async def _get_positions(self, request: pb.GetPositionsRequest, _context: Context) -> pb.GetPositionsResponse:
        symbol = requests.decode_symbol(request.symbol, required=False)
        positions = await self._exchange.get_positions(symbol)
        return pb.GetPositionsResponse(positions=map(codec.encode_position, positions))

    async def _get_latest_price(
        self, request: pb.GetLatestPriceRequest, _context: Context
    ) -> pb.GetLatestPriceResponse:
        price = await self._exchange.get_latest_price(requests.decode_symbol(request.symbol))
        return pb.GetLatestPriceResponse(price=codec.encode_price(price))

    async def _get_historical_klines(
        self, request: pb.GetHistoricalKlinesRequest, _context: Context
    ) -> pb.GetHistoricalKlinesResponse:
        symbol, interval = requests.decode_symbol(request.symbol), check_interval(request.interval)
        limit = request.limit or _DEFAULT_KLINES
        if not 1 <= limit <= MAX_KLINES:
            raise InvalidRequest(f"limit {limit}: expected 1 to {MAX_KLINES}", symbol=symbol)
        start = request.start_time_ms if request.HasField("start_time_ms") else None
        end = request.end_time_ms if request.HasField("end_time_ms") else None
        for name, time_ms in (("start_time_ms", start), ("end_time_ms", end)):
            if time_ms is not None and time_ms < 0:
                raise InvalidRequest(f"{name} {time_ms}: expected UTC epoch milliseconds", symbol=symbol)
        if start is not None and end is not None and end < start:
            raise InvalidRequest(f"end_time_ms {end}: expected at least start_time_ms, {start}", symbol=symbol)
        ask, token = self._exchange.get_historical_klines, ""
        page_token.check(request.page_size, request.page_token)
        if not request.page_size:
            candles = await ask(symbol, interval, limit=limit, start_ms=start, end_ms=end)
        elif start is None:
            raise InvalidRequest("start_time_ms absent: expected the first open time with page_size", symbol=symbol)
        else:
            asked = Range(symbol, interval, start, end)
            candles, token = await kline_page(ask, asked, size=request.page_size, token=request.page_token)
        return pb.GetHistoricalKlinesResponse(klines=map(codec.encode_candle, candles), next_page_token=token)

    async def _get_exchange_info(
        self, _request: pb.GetExchangeInfoRequest, _context: Context
    ) -> pb.GetExchangeInfoResponse:
        return codec.encode_info(await self._exchange.get_exchange_info())

    def _wait_s(self, context: Context) -> float:
        return order_wait_s(context, self._order_wait_s)


class _BatchItems(Generic[M, T]):
    """The items of a batch call, the sound ones apart from those that make no sense, so that none hides another."""

    def __init__(self, items: Sequence[M], decode: Callable[[M, str], T]) -> None:
        self.sound: list[T] = []
        self.sound_messages: list[M] = []
        """The sound items as they came."""
        self._errors: list[ExchangeError | None] = []
        for place, item in enumerate(items):
            try:
                self.sound.append(decode(item, f"orders[{place}]"))
                self.sound_messages.append(item)
                self._errors.append(None)
            except InvalidRequest as error:
                self._errors.append(error)

    def hold_to(self, judged: Sequence[T | ExchangeError]) -> None:
        """Go on with those of the sound items that may be done; the others have their errors."""
        places = [place for place, error in enumerate(self._errors) if error is None]
        self.sound = []
        for place, item in zip(places, judged, strict=True):
            if isinstance(item, ExchangeError):
                self._errors[place] = item
            else:
                self.sound.append(item)

    def answers(self, outcomes: Sequence[A | ExchangeError]) -> list[A | ExchangeError]:
        """Put the outcomes of the sound items back among the errors of the others, in the order of the request."""
        remaining = iter(outcomes)
        return [next(remaining) if error is None else error for error in self._errors]


def _encoded(result: types_pb2.OrderResult | ExchangeError) -> types_pb2.OrderResult:
    return encode_order_result(result) if isinstance(result, ExchangeError) else result


def order_wait_s(context: Context, most_s: float) -> float:
    """Return how long a call waits for a proven outcome: *most_s*, unless its own deadline is sooner."""
    remaining_s = context.time_remaining()
    return most_s if remaining_s is None else min(most_s, wait_within(remaining_s))


def wait_within(remaining_s: float) -> float:
    """Return how long an order call may wait for its outcome: all that its caller has left but the answer's way back.

    Raises:
        Unreachable: The caller has gone; an order that it can't hear of is not begun.
    """
    if remaining_s <= 0:
        raise Unreachable("the deadline had passed before the order was looked at; nothing was sent")
    return remaining_s - min(_MARGIN_S, remaining_s / 2)


def check_interval(interval: str) -> str:
    """Return *interval* if it is one.

    Raises:
        InvalidRequest: It is not; the text lists those that are.
    """
    if interval not in INTERVALS_MS:
        raise InvalidRequest(f"interval {interval[:20]!r}: expected one of {', '.join(INTERVALS_MS)}")
    return interval


def note_call(symbol: str, *orders: str) -> None:
    """Have the trace of this call say what it is about."""
    tracing.set_attributes(
        {"opensqt.client": current_client(), "opensqt.symbol": symbol, "opensqt.client_order_id": ",".join(orders)}
    )


def _check_size(items: int) -> None:
    if not 1 <= items <= MAX_BATCH:
        raise InvalidRequest(f"orders: {items} items; expected 1 to {MAX_BATCH}")
