"""Places and cancels orders: our own rules first, one send, and every answer turned into what the caller needs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from opensqt.model import client_order_id
from opensqt.model.account import PositionMode
from opensqt.model.errors import (
    DuplicateOrder,
    ExchangeError,
    OrderDenied,
    OrderNotFound,
    OutcomeUnknown,
    PostOnlyWouldCross,
    Unsupported,
)
from opensqt.model.order import (
    Order,
    OrderRef,
    OrderRequest,
    OrderStatus,
    OrderType,
    PositionSide,
    Side,
    TimeInForce,
)
from opensqt.model.order_gate import departing
from opensqt.telemetry.logging import get_logger
from opensqt.venues.account.state import AccountState, sides
from opensqt.venues.transport.errors import PARSE_ERRORS
from opensqt.venues.venue import Venue

_log = get_logger("venue")
_CANCEL_ALL_ROUNDS = 5
_CANCEL_ALL_PAUSE_S = 0.2
T = TypeVar("T")


class OrderEntry:
    """The changing half of an adapter. Nothing here sends an order twice.

    Args:
        venue: Sends.
        books: Learns every answer.
        acknowledged: Called when an answer told what the private stream has not told yet.
        rules_stale: Called when a refusal says that our rules are out of date.
    """

    def __init__(
        self,
        venue: Venue,
        state: AccountState,
        *,
        expect_stream: Callable[[], None],
        on_rules_stale: Callable[[], None],
    ) -> None:
        self._venue = venue
        self._state = state
        self._expect_stream = expect_stream
        self._on_rules_stale = on_rules_stale
        self._placing: dict[asyncio.Event, frozenset[str]] = {}
        """The placings that are not answered yet, with their symbols; the event is set with the answer."""

    def denial(self, request: OrderRequest) -> ExchangeError | None:
        """Say which rule of ours *request* breaks, or None; what is denied is never sent."""
        venue, symbol = self._venue, request.symbol
        try:
            venue.unified(symbol)
        except ExchangeError as unknown:
            return unknown
        longest = venue.capabilities.client_order_id_length
        if not client_order_id.is_valid(request.client_order_id, max_length=longest):
            text = f"client_order_id {request.client_order_id!r}: expected 1 to {longest} letters and digits"
            return OrderDenied(text, symbol=symbol)
        if request.order_type is OrderType.LIMIT and request.time_in_force not in venue.capabilities.time_in_force:
            return Unsupported(f"time_in_force {request.time_in_force}: not known to {venue.name}", symbol=symbol)
        reason = venue.rules[symbol].denial(request) or _position_side_denial(request, venue.position_mode)
        if reason:
            return OrderDenied(reason, symbol=symbol)
        if self._state.tracker.find(OrderRef(symbol=symbol, client_order_id=request.client_order_id)):
            return DuplicateOrder(f"client_order_id {request.client_order_id!r}: used before", symbol=symbol)
        return None

    async def place(self, request: OrderRequest) -> Order:
        """Send one order, once."""
        denied = self.denial(request)
        if denied is not None:
            raise denied
        try:
            with self._under_way([request]):
                order = await self._parse_or_unknown(self._venue.place(request), request.symbol)
        except ExchangeError as error:
            self._check_rules_stale(error)
            raise
        outcome = self._apply_placed(request, order)
        if isinstance(outcome, ExchangeError):
            raise outcome
        return outcome

    async def place_batch(self, requests: Sequence[OrderRequest]) -> list[Order | ExchangeError]:
        """Send several orders; a lost answer leaves each of its orders unknown, and none is sent again."""
        answers: list[Order | ExchangeError | None] = [self.denial(request) for request in requests]
        seen: set[str] = set()
        for number, request in enumerate(requests):
            if request.client_order_id in seen and answers[number] is None:
                answers[number] = DuplicateOrder(f"client_order_id {request.client_order_id!r}: twice in one batch")
            seen.add(request.client_order_id)
        sendable = [number for number, answer in enumerate(answers) if answer is None]
        for chunk in _chunks(sendable, self._venue.capabilities.max_batch):
            asked = [requests[number] for number in chunk]
            with self._under_way(asked):
                results = await self._place_chunk(asked)
            for number, result in zip(chunk, results, strict=True):
                answers[number] = result
        return [answer for answer in answers if answer is not None]

    async def cancel(self, ref: OrderRef) -> Order:
        """Cancel one order; when the answer leaves doubt, ask what became of it."""
        self._venue.unified(ref.symbol)
        try:
            order = await self._parse_or_unknown(self._venue.cancel(ref), ref.symbol)
        except (OrderNotFound, OutcomeUnknown) as error:
            return await self._resolve_cancel(ref, error)
        self._apply(order)
        return order

    async def cancel_batch(self, refs: Sequence[OrderRef]) -> list[Order | ExchangeError]:
        """Cancel several orders, in as few requests as the venue allows."""
        answers: dict[int, Order | ExchangeError] = {}
        by_symbol: dict[str, list[int]] = {}
        for number, ref in enumerate(refs):
            by_symbol.setdefault(ref.symbol, []).append(number)
        for symbol, numbers in by_symbol.items():
            for chunk in _chunks(numbers, self._venue.capabilities.max_batch):
                results = await self._cancel_chunk(symbol, [refs[number] for number in chunk])
                answers.update(zip(chunk, results, strict=True))
        return [answers[number] for number in range(len(refs))]

    async def cancel_all(self, symbol: str, *, stream_timeout_s: float = 2.0) -> list[Order]:
        """Cancel every order of a symbol until the venue shows none, and return those that were canceled.

        An order whose placing is not answered yet, when this begins, is waited for and canceled, too.

        Args:
            symbol: Canonical.
            stream_timeout_s: How long the private stream gets before the venue is asked about each order.

        Raises:
            OutcomeUnknown: Orders are still open after several rounds.
        """
        placing = [answered for answered, symbols in self._placing.items() if symbol in symbols]
        canceled: dict[str, Order] = {}
        for number in range(_CANCEL_ALL_ROUNDS):
            for order in await self._venue.open_orders(symbol):
                self._state.apply_order(order)
            # What was acknowledged may not be shown yet, and the stream may have told the end of what is still shown.
            left = {order.order_id for order in self._state.tracker.open_orders(symbol)}
            if number and not left and all(answered.is_set() for answered in placing):
                return list(canceled.values())
            if number > 1:
                await asyncio.sleep(_CANCEL_ALL_PAUSE_S * number)
            await self._venue.cancel_all(symbol)
            canceled |= await self._wait_and_query(symbol, left, stream_timeout_s)
            for answered in placing:
                await answered.wait()
        ids = ", ".join(sorted(left))
        raise OutcomeUnknown(f"cancel all: orders of {symbol} are still open: {ids}", symbol=symbol)

    async def _place_chunk(self, requests: list[OrderRequest]) -> list[Order | ExchangeError]:
        symbol = requests[0].symbol
        try:
            if len(requests) == 1:
                answers: list[Order | ExchangeError] = [
                    await self._parse_or_unknown(self._venue.place(requests[0]), symbol)
                ]
            else:
                answers = await self._parse_or_unknown(self._venue.place_batch(requests), symbol)
        except ExchangeError as error:
            self._check_rules_stale(error)
            return [error] * len(requests)
        if len(answers) != len(requests):
            text = f"the venue answered {len(answers)} of {len(requests)} orders"
            return [OutcomeUnknown(text, symbol=symbol)] * len(requests)
        results: list[Order | ExchangeError] = []
        for request, answer in zip(requests, answers, strict=True):
            if isinstance(answer, ExchangeError):
                self._check_rules_stale(answer)
                results.append(answer)
            else:
                results.append(self._apply_placed(request, answer))
        return results

    async def _cancel_chunk(self, symbol: str, refs: list[OrderRef]) -> list[Order | ExchangeError]:
        try:
            self._venue.unified(symbol)
            if len(refs) == 1:
                return [await self.cancel(refs[0])]
            answers = await self._parse_or_unknown(self._venue.cancel_batch(symbol, refs), symbol)
            if len(answers) != len(refs):
                raise OutcomeUnknown(f"the venue answered {len(answers)} of {len(refs)} cancels", symbol=symbol)
        except OutcomeUnknown as error:
            answers = [error] * len(refs)
        except ExchangeError as error:
            return [error] * len(refs)
        return [await self._after_batch_cancel(ref, answer) for ref, answer in zip(refs, answers, strict=True)]

    async def _after_batch_cancel(self, ref: OrderRef, answer: Order | ExchangeError) -> Order | ExchangeError:
        if isinstance(answer, OrderNotFound | OutcomeUnknown):
            try:
                return await self._resolve_cancel(ref, answer)
            except ExchangeError as error:
                return error
        if isinstance(answer, Order):
            self._apply(answer)
        return answer

    async def _resolve_cancel(self, ref: OrderRef, cause: ExchangeError) -> Order:
        """Answer what became of an order whose cancel was refused as unknown, or not answered."""
        try:
            order = await self._parse_or_unknown(self._venue.order(ref), ref.symbol)
        except OrderNotFound:
            if isinstance(cause, OrderNotFound):
                raise
            raise cause from None
        except ExchangeError as error:
            text = f"the cancel was sent; what became of the order could not be asked: {error}"
            raise OutcomeUnknown(text, symbol=ref.symbol) from cause
        self._state.apply_order(order)
        if order.status.is_closed:
            return order
        raise OutcomeUnknown(f"the cancel was sent; the order is still {order.status}", symbol=ref.symbol) from cause

    async def _parse_or_unknown(self, answer: Awaitable[T], symbol: str) -> T:
        """Await an answer; one that can't be read leaves the outcome open."""
        try:
            return await answer
        except PARSE_ERRORS as error:
            _log.error("the venue's answer could not be read", symbol=symbol, error=repr(error))
            raise OutcomeUnknown("the venue's answer could not be read", symbol=symbol) from error

    def _apply_placed(self, request: OrderRequest, order: Order) -> Order | ExchangeError:
        self._apply(order)
        ended = order.status in (OrderStatus.EXPIRED, OrderStatus.REJECTED, OrderStatus.CANCELED)
        if request.time_in_force is TimeInForce.POST_ONLY and ended and not order.filled_quantity:
            text = order.reason or "the post-only order would have taken"
            return PostOnlyWouldCross(text, symbol=request.symbol)
        return order

    def _apply(self, order: Order) -> None:
        """Take in an answer; the stream has to tell it too, unless it was the quicker one."""
        if self._state.apply_order(order):
            self._expect_stream()

    def _check_rules_stale(self, error: ExchangeError) -> None:
        if error.venue_code in self._venue.stale_rules:
            self._on_rules_stale()

    async def _wait_and_query(self, symbol: str, order_ids: set[str], stream_timeout_s: float) -> dict[str, Order]:
        """Find out what became of orders that are being canceled; return those that were canceled, by their id."""
        refs = [OrderRef(symbol=symbol, order_id=order_id) for order_id in order_ids]
        if not all(self._is_closed(ref) for ref in refs):
            self._expect_stream()
        await self._wait_until_closed(refs, stream_timeout_s)
        for ref in refs:
            if not self._is_closed(ref):
                await self._query_order(ref)
        found = {ref.order_id: self._state.tracker.find(ref) for ref in refs}
        return {name: order for name, order in found.items() if order and order.status is OrderStatus.CANCELED}

    async def _query_order(self, ref: OrderRef) -> None:
        try:
            self._state.apply_order(await self._venue.order(ref))
        except OrderNotFound:
            # Not shown yet; it counts as open until the venue tells its end.
            _log.info("an order that is being canceled is not shown", symbol=ref.symbol, order_id=ref.order_id)

    @contextmanager
    def _under_way(self, requests: Sequence[OrderRequest]) -> Iterator[None]:
        """Send these orders within: through the order gate, and so that `cancel_all` waits for the answer."""
        answered = asyncio.Event()
        symbols = self._placing[answered] = frozenset(request.symbol for request in requests)
        try:
            with departing(symbols):
                yield
        finally:
            del self._placing[answered]
            answered.set()

    async def _wait_until_closed(self, refs: list[OrderRef], within_s: float) -> None:
        """Wait until the stream told the end of all of *refs*, or the time is over."""
        reader = self._state.orders.subscribe()
        try:
            async with asyncio.timeout(within_s):
                while not all(self._is_closed(ref) for ref in refs):
                    await anext(reader)
        except TimeoutError:
            _log.info("the stream did not tell of every cancel in time; asking", orders=len(refs))
        finally:
            await reader.aclose()

    def _is_closed(self, ref: OrderRef) -> bool:
        order = self._state.tracker.find(ref)
        return order is not None and order.status.is_closed


def _position_side_denial(request: OrderRequest, mode: PositionMode) -> str:
    side = request.position_side
    allowed = tuple(sides(mode))
    if side not in allowed:
        names = " or ".join(allowed)
        return f"position_side {side}: expected {names}, as the account is in {mode} mode"
    closes = Side.SELL if side is PositionSide.LONG else Side.BUY
    if mode is PositionMode.HEDGE and request.reduce_only and request.side is not closes:
        return f"reduce_only: a {request.side} order can't reduce a {side} position"
    return ""


def _chunks(numbers: list[int], size: int) -> list[list[int]]:
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]
