"""Order entry: checks each order against the local rules, sends it once, and applies what the venue responds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import replace
from typing import TypeVar

from opensqt.model import client_order_id
from opensqt.model.account import PositionMode
from opensqt.model.errors import (
    DuplicateOrder,
    ExchangeError,
    OrderDenied,
    OrderNotFound,
    OrderRejected,
    OutcomeUnknown,
    PostOnlyWouldCross,
    TradingHalted,
    Unreachable,
    Unsupported,
)
from opensqt.model.order import (
    AmendRequest,
    ClosedBy,
    CloseReason,
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
from opensqt.service.backoff import exponential_s
from opensqt.telemetry.logging import get_logger
from opensqt.venues.account.settings_gate import SettingsGate
from opensqt.venues.account.state import ONE_ROW_ERRORS, AccountState, sides
from opensqt.venues.order_end import order_end
from opensqt.venues.venue import Venue

_log = get_logger("venue")
_CANCEL_ALL_ROUNDS = 5
_CANCEL_ALL_BACKOFF_S = 0.4, 1.0
T = TypeVar("T")


class OrderEntry:
    """Places, amends and cancels orders. It never sends an order or an amendment twice.

    Args:
        venue: Sends the requests.
        state: Receives the order of every response.
        settings_gate: Holds orders back while a setting that they depend on changes.
        expect_stream: Called when a response reported what the account stream has not published yet.
        on_rules_stale: Called when a refusal shows that the symbol rules are out of date.
    """

    def __init__(
        self,
        venue: Venue,
        state: AccountState,
        settings_gate: SettingsGate,
        *,
        expect_stream: Callable[[], None],
        on_rules_stale: Callable[[], None],
    ) -> None:
        self._venue = venue
        self._state = state
        self._settings_gate = settings_gate
        self._expect_stream = expect_stream
        self._on_rules_stale = on_rules_stale
        self._placing: dict[asyncio.Event, tuple[OrderRequest, ...]] = {}
        """The orders of the placings in flight; each event is set when its response arrives."""

    def denial(self, request: OrderRequest) -> ExchangeError | None:
        """Return the local rule that *request* breaks, or None. A denied order is never sent."""
        venue, symbol = self._venue, request.symbol
        try:
            venue.unified(symbol)
        except ExchangeError as unknown:
            return unknown
        max_length = venue.capabilities.client_order_id_length
        if not client_order_id.is_valid(request.client_order_id, max_length=max_length):
            text = f"client_order_id {request.client_order_id!r}: expected 1 to {max_length} letters and digits"
            return OrderDenied(text, symbol=symbol)
        if request.order_type is OrderType.LIMIT and request.time_in_force not in venue.capabilities.time_in_force:
            return Unsupported(f"time_in_force {request.time_in_force}: not supported by {venue.name}", symbol=symbol)
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
            async with self._in_flight([request]) as held_back:
                # Another position mode may have come meanwhile.
                denied = self.denial(request) if held_back else None
                if denied is not None:
                    raise denied
                order = await self._venue.parse_or_unknown(self._venue.place(request), request.symbol)
        except ExchangeError as error:
            self._check_rules_stale(error)
            raise
        outcome = self._apply_placed(request, order)
        if isinstance(outcome, ExchangeError):
            raise outcome
        return outcome

    async def place_batch(self, requests: Sequence[OrderRequest]) -> list[Order | ExchangeError]:
        """Send several orders. A lost response leaves each of its orders unknown, and none is sent again."""
        results: list[Order | ExchangeError | None] = [self.denial(request) for request in requests]
        seen: set[str] = set()
        for number, request in enumerate(requests):
            if request.client_order_id in seen and results[number] is None:
                text = f"client_order_id {request.client_order_id!r}: twice in one batch"
                results[number] = DuplicateOrder(text, symbol=request.symbol)
            seen.add(request.client_order_id)
        sendable = [number for number, result in enumerate(results) if result is None]
        for chunk in self._requests_of(requests, sendable):
            batch = [requests[number] for number in chunk]
            outcomes: list[Order | ExchangeError]
            try:
                async with self._in_flight(batch) as held_back:
                    denial = next(filter(None, map(self.denial, batch)), None) if held_back else None
                    outcomes = [denial] * len(batch) if denial is not None else await self._place_chunk(batch)
            except Unreachable as error:
                # A change of a setting held them back for too long.
                outcomes = [error] * len(batch)
            for number, outcome in zip(chunk, outcomes, strict=True):
                results[number] = _of_symbol(outcome, requests[number].symbol)
        return [result for result in results if result is not None]

    def _requests_of(self, requests: Sequence[OrderRequest], numbers: list[int]) -> Iterator[list[int]]:
        """Yield the numbers of the orders that go in one request each."""
        together: dict[str, list[int]] = {}
        for number in numbers:
            together.setdefault(requests[number].symbol if self._venue.batches_one_symbol else "", []).append(number)
        for group in together.values():
            yield from _chunks(group, self._venue.capabilities.max_batch)

    def amend_denial(self, request: AmendRequest, order: Order) -> ExchangeError | None:
        """Return the local rule that an amendment of *order* breaks, or None. A denied one is never sent."""
        symbol = order.symbol
        if not self._venue.capabilities.amend_order:
            text = f"{self._venue.name} can't amend an order in place: cancel it and place another"
            return Unsupported(text, symbol=symbol)
        if order.order_type is not OrderType.LIMIT:
            return OrderDenied(f"order_type {order.order_type}: expected a LIMIT order", symbol=symbol)
        reason = self._venue.rules[symbol].denial(request.amended(order))
        return OrderDenied(reason, symbol=symbol) if reason else None

    async def amend(self, request: AmendRequest) -> Order:
        """Send one amendment, once. An order that has ended is returned as it ended."""
        self._venue.unified(request.order.symbol)
        order = self._state.tracker.find(request.order)
        if order is None or (request.is_done(order) and not order.status.is_closed):
            # That nothing has to be sent is believed only by the venue's own answer.
            order = await self._venue.parse_or_raise(self._venue.order(request.order))
            self._state.apply_order(order)
        if (denial := self.amend_denial(request, order)) is not None:
            raise denial
        if order.status.is_closed or request.is_done(order):
            return order
        completed = request.completed(order)
        try:
            async with self._settings_gate.sending({order.symbol}):
                with departing({order.symbol}):
                    amended = await self._venue.parse_or_unknown(self._venue.amend(order, completed), order.symbol)
        except (OrderNotFound, OrderRejected) as refused:
            self._check_rules_stale(refused)
            return await self._resolve_refused_amendment(completed, refused)
        self._apply(amended)
        # The stream may have published a fill before the response came.
        return self._state.tracker.find(OrderRef(symbol=order.symbol, order_id=order.order_id)) or amended

    async def cancel(self, ref: OrderRef) -> Order:
        """Cancel one order. If the response leaves its end open, query the order."""
        self._venue.unified(ref.symbol)
        if self._venue.cancels_by_id_alone and self._state.tracker.find(ref) is None:
            # Raises OrderNotFound for an order of another symbol, and for one that is not shown: nothing was sent then.
            self._state.apply_order(await self._venue.parse_or_unknown(self._venue.order(ref), ref.symbol))
        try:
            order = await self._venue.parse_or_unknown(self._venue.cancel(ref), ref.symbol)
        except (OrderNotFound, OutcomeUnknown) as error:
            return await self._resolve_cancel(ref, error)
        order = _canceled_by_us(order)
        self._apply(order)
        return order

    async def cancel_batch(self, refs: Sequence[OrderRef]) -> list[Order | ExchangeError]:
        """Cancel several orders, in as few requests as the venue allows."""
        results: dict[int, Order | ExchangeError] = {}
        by_symbol: dict[str, list[int]] = {}
        for number, ref in enumerate(refs):
            by_symbol.setdefault(ref.symbol, []).append(number)
        for symbol, numbers in by_symbol.items():
            for chunk in _chunks(numbers, self._venue.capabilities.max_batch):
                outcomes = await self._cancel_chunk(symbol, [refs[number] for number in chunk])
                results.update(zip(chunk, outcomes, strict=True))
        return [results[number] for number in range(len(refs))]

    async def cancel_all(self, symbol: str, *, stream_timeout_s: float = 2.0) -> list[Order]:
        """Cancel every order of a symbol until the venue shows none, and return the canceled orders.

        An order whose placing is in flight when this begins is waited for and canceled, too. The venue may cancel it
        before it was listed or its placing was answered; it is returned all the same.

        Args:
            symbol: Canonical.
            stream_timeout_s: How long to wait for the account stream before each order is queried.

        Raises:
            OutcomeUnknown: Orders are still open after several rounds.
        """
        in_flight = {
            completed: refs
            for completed, requests in self._placing.items()
            if (refs := [_ref(request) for request in requests if request.symbol == symbol])
        }
        canceled: dict[str, Order] = {}
        for number in range(_CANCEL_ALL_ROUNDS):
            for order in await self._venue.open_orders(symbol):
                self._state.apply_order(order)
            # The venue may not show a new order yet, or still show one whose end the stream has published.
            left = {order.order_id for order in self._state.tracker.open_orders(symbol)}
            if number and not left and all(completed.is_set() for completed in in_flight):
                refs = [ref for placing in in_flight.values() for ref in placing]
                return list((canceled | self._canceled(refs)).values())
            if number > 1:
                await asyncio.sleep(exponential_s(number - 1, *_CANCEL_ALL_BACKOFF_S))
            await self._venue.cancel_all(symbol)
            canceled |= await self._confirm_canceled(symbol, left, stream_timeout_s)
            for completed in in_flight:
                await completed.wait()
        ids = ", ".join(sorted(left))
        raise OutcomeUnknown(f"cancel all: orders of {symbol} are still open: {ids}", symbol=symbol)

    async def _place_chunk(self, requests: list[OrderRequest]) -> list[Order | ExchangeError]:
        symbol = requests[0].symbol
        try:
            if len(requests) == 1:
                placed = await self._venue.parse_or_unknown(self._venue.place(requests[0]), symbol)
                results: list[Order | ExchangeError] = [placed]
            else:
                results = await self._venue.parse_or_unknown(self._venue.place_batch(requests), symbol)
        except ExchangeError as error:
            self._check_rules_stale(error)
            return [error] * len(requests)
        if len(results) != len(requests):
            text = f"the venue returned {len(results)} results for {len(requests)} orders"
            return [OutcomeUnknown(text, symbol=symbol)] * len(requests)
        outcomes: list[Order | ExchangeError] = []
        for request, result in zip(requests, results, strict=True):
            if isinstance(result, ExchangeError):
                self._check_rules_stale(result)
                outcomes.append(result)
            else:
                outcomes.append(self._apply_placed(request, result))
        return outcomes

    async def _cancel_chunk(self, symbol: str, refs: list[OrderRef]) -> list[Order | ExchangeError]:
        try:
            self._venue.unified(symbol)
            if len(refs) == 1:
                return [await self.cancel(refs[0])]
            unknown = [ref for ref in refs if self._state.tracker.find(ref) is None]
            if self._venue.cancels_by_id_alone and unknown:
                return await self._cancel_apart(symbol, refs, unknown)
            results = await self._venue.parse_or_unknown(self._venue.cancel_batch(symbol, refs), symbol)
            if len(results) != len(refs):
                text = f"the venue returned {len(results)} results for {len(refs)} cancels"
                raise OutcomeUnknown(text, symbol=symbol)
        except OutcomeUnknown as error:
            results = [error] * len(refs)
        except ExchangeError as error:
            return [error] * len(refs)
        return [await self._after_batch_cancel(ref, result) for ref, result in zip(refs, results, strict=True)]

    async def _cancel_apart(
        self, symbol: str, refs: list[OrderRef], unknown: list[OrderRef]
    ) -> list[Order | ExchangeError]:
        """Cancel orders that are not known one by one, each after a query, and the known ones in one request."""
        known = [ref for ref in refs if ref not in unknown]
        alone, together = await asyncio.gather(
            asyncio.gather(*map(self._cancel_or_error, unknown)), self._cancel_known(symbol, known)
        )
        results = dict(zip(unknown, alone, strict=True)) | dict(zip(known, together, strict=True))
        return [results[ref] for ref in refs]

    async def _cancel_known(self, symbol: str, refs: list[OrderRef]) -> list[Order | ExchangeError]:
        return await self._cancel_chunk(symbol, refs) if refs else []

    async def _cancel_or_error(self, ref: OrderRef) -> Order | ExchangeError:
        try:
            return await self.cancel(ref)
        except ExchangeError as error:
            return error

    async def _after_batch_cancel(self, ref: OrderRef, result: Order | ExchangeError) -> Order | ExchangeError:
        if isinstance(result, OrderNotFound | OutcomeUnknown):
            try:
                return await self._resolve_cancel(ref, result)
            except ExchangeError as error:
                return error
        if isinstance(result, Order):
            result = _canceled_by_us(result)
            self._apply(result)
        return result

    async def _resolve_refused_amendment(self, request: AmendRequest, refused: ExchangeError) -> Order:
        """Return an order whose amendment was refused if it has ended or has what was asked for; else raise why.

        A fill may have been quicker, and a venue may end a post-only order whose new price would take.
        """
        symbol = request.order.symbol
        ref = OrderRef(symbol=symbol, order_id=request.order.order_id)
        try:
            order = await self._venue.parse_or_unknown(self._venue.order(ref), symbol)
        except OrderNotFound:
            raise refused from None
        except ExchangeError as error:
            text = f"the amendment was refused ({refused}); the order could not be queried: {error}"
            raise OutcomeUnknown(text, symbol=symbol) from refused
        self._state.apply_order(order)
        if order.status.is_closed or request.is_done(order):
            return order
        if isinstance(refused, OrderNotFound):
            text = f"the venue did not find the order to amend, which is {order.status}; amend it again"
            raise OrderRejected(text, venue_code=refused.venue_code, symbol=symbol) from refused
        raise refused

    async def _resolve_cancel(self, ref: OrderRef, cause: ExchangeError) -> Order:
        """Return the closed order after a cancel that the venue refused as unknown, or did not respond to."""
        try:
            order = await self._venue.parse_or_unknown(self._venue.order(ref), ref.symbol)
        except OrderNotFound:
            if isinstance(cause, OrderNotFound):
                raise
            raise cause from None
        except ExchangeError as error:
            text = f"the cancel was sent; the order could not be queried: {error}"
            raise OutcomeUnknown(text, symbol=ref.symbol) from cause
        self._state.apply_order(order)
        if order.status.is_closed:
            return order
        raise OutcomeUnknown(f"the cancel was sent; the order is still {order.status}", symbol=ref.symbol) from cause

    def _apply_placed(self, request: OrderRequest, order: Order) -> Order | ExchangeError:
        ended = order.status in (OrderStatus.EXPIRED, OrderStatus.REJECTED, OrderStatus.CANCELED)
        would_cross = request.time_in_force is TimeInForce.POST_ONLY and ended and not order.filled_quantity
        if would_cross and order.closed_by is None:
            end = order_end(order.status, CloseReason.POST_ONLY)
            order = replace(order, status=end.status, closed_by=end.closed_by, close_reason=end.close_reason)
        self._apply(order)
        if would_cross:
            text = order.reason or "the post-only order would have taken liquidity"
            return PostOnlyWouldCross(text, symbol=request.symbol)
        return order

    def _apply(self, order: Order) -> None:
        """Apply the order of a response. The stream must publish it too, unless it did already."""
        if self._state.apply_order(order):
            self._expect_stream()

    def _check_rules_stale(self, error: ExchangeError) -> None:
        if error.venue_code in self._venue.stale_rules:
            self._on_rules_stale()

    async def _confirm_canceled(self, symbol: str, order_ids: set[str], stream_timeout_s: float) -> dict[str, Order]:
        """Wait for the end of orders that are being canceled, and return the canceled ones by their id."""
        refs = [OrderRef(symbol=symbol, order_id=order_id) for order_id in order_ids]
        if not all(self._is_closed(ref) for ref in refs):
            self._expect_stream()
        await self._wait_until_closed(refs, stream_timeout_s)
        for ref in refs:
            if not self._is_closed(ref):
                await self._query_order(ref)
        return self._canceled(refs)

    def _canceled(self, refs: Sequence[OrderRef]) -> dict[str, Order]:
        """Return those of some orders that are known to be canceled, by the venue's id."""
        found = [self._state.tracker.find(ref) for ref in refs]
        return {order.order_id: order for order in found if order and order.status is OrderStatus.CANCELED}

    async def _query_order(self, ref: OrderRef) -> None:
        try:
            self._state.apply_order(await self._venue.order(ref))
        except OrderNotFound:
            # The venue does not show it yet. It counts as open until the venue reports its end.
            _log.info("order being canceled is not shown by the venue", symbol=ref.symbol, order_id=ref.order_id)
        except ONE_ROW_ERRORS as error:
            # It counts as open, too, and hides no other.
            self._venue.set_aside.add("order", ref.symbol, ref.order_id, error)

    @asynccontextmanager
    async def _in_flight(self, requests: Sequence[OrderRequest]) -> AsyncIterator[bool]:
        """Send these orders within the block: through the two gates, and so that `cancel_all` waits for them.

        Yields:
            Whether they were held back by a change of a setting.
        """
        completed = asyncio.Event()
        self._placing[completed] = tuple(requests)
        symbols = {request.symbol for request in requests}
        try:
            async with self._settings_gate.sending(symbols) as held_back:
                with departing(symbols):
                    yield held_back
        finally:
            del self._placing[completed]
            completed.set()

    async def _wait_until_closed(self, refs: list[OrderRef], timeout_s: float) -> None:
        """Wait until the stream published the end of all of *refs*, at most *timeout_s* seconds."""
        reader = self._state.orders.subscribe()
        try:
            async with asyncio.timeout(timeout_s):
                while not all(self._is_closed(ref) for ref in refs):
                    await anext(reader)
        except TimeoutError:
            _log.info("the account stream did not confirm every cancel in time; querying", orders=len(refs))
        finally:
            await reader.aclose()

    def _is_closed(self, ref: OrderRef) -> bool:
        order = self._state.tracker.find(ref)
        return order is not None and order.status.is_closed


def _of_symbol(outcome: Order | ExchangeError, symbol: str) -> Order | ExchangeError:
    """Return the outcome of one order of a request; an error of the whole request names the symbol of its first.

    A halt keeps the symbol that is halted: the orders of the others may be sent without it.
    """
    if isinstance(outcome, Order | TradingHalted) or outcome.symbol == symbol:
        return outcome
    error = copy(outcome)
    error.symbol = symbol
    return error


def _canceled_by_us(order: Order) -> Order:
    """Return the order of a response to a cancel: a venue that ends an order itself refuses to cancel it after that."""
    if order.status is not OrderStatus.CANCELED or order.closed_by is not None:
        return order
    return replace(order, closed_by=ClosedBy.OWNER, close_reason=CloseReason.REQUESTED)


def _ref(request: OrderRequest) -> OrderRef:
    return OrderRef(symbol=request.symbol, client_order_id=request.client_order_id)


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
