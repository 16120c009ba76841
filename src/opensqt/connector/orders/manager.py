"""Orders at most once: journal, send, and resolve what the venue did not answer for."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from opensqt.connector.orders.amend_journal import AmendJournal
from opensqt.connector.orders.halts import Halts
from opensqt.connector.orders.intent import (
    BY_ANOTHER,
    Barred,
    Intent,
    OrderInFlight,
    Outcome,
    done_within,
    duplicate,
    is_of,
    not_shown,
)
from opensqt.connector.orders.journal import Journal, JournalError, Record, State
from opensqt.connector.orders.ownership import OrderOwnership
from opensqt.connector.tasks import Tasks
from opensqt.model.client_context import INTERNAL, current_client, on_behalf_of
from opensqt.model.errors import (
    AccessError,
    BackOff,
    DuplicateOrder,
    ExchangeError,
    OrderNotFound,
    OrderRejected,
    OutcomeUnknown,
    RateLimited,
    RequestError,
    TradingHalted,
    Unreachable,
    VenueError,
)
from opensqt.model.exchange import Exchange
from opensqt.model.order import Order, OrderRef, OrderRequest, OrderStatus
from opensqt.model.order_gate import through
from opensqt.proto import types_pb2 as pb
from opensqt.service.backoff import Backoff
from opensqt.telemetry import logging, tracing
from opensqt.telemetry.distribution import SECONDS, Distribution
from opensqt.wire.errors import encode_order_result

Resolve = Callable[[Exchange, OrderRequest, int], Awaitable[Order | None]]
"""Asks the venue until the order is proven present (the order) or absent (None). The number is when it was last sent,
monotonic nanoseconds."""

Guard = Callable[[str, Sequence[OrderRequest]], Awaitable[Mapping[str, ExchangeError]]]

PLACING = "placing"
"""Name of the tasks that have an order on its way."""

_log = logging.get_logger("connector.orders")
HIDDEN_NS = 10_000_000_000
"""A venue may not find an order that it accepted this short a time ago."""


MAX_UNRESOLVED_OF_CLIENT, MAX_UNRESOLVED = 100, 500
"""So many orders of one client, and of all, may be of unknown outcome before new ones are refused: each is asked for
until it is proven, and a venue that answers nothing proves nothing."""
MAX_ON_THEIR_WAY_OF_CLIENT, MAX_ON_THEIR_WAY = 1_000, 2_000
"""So many may be on their way, those of unknown outcome included: of a burst to a dead venue none is known to be one
until the first request has timed out."""
_UNRESOLVED_RETRY_S = 5.0


@runtime_checkable
class _ChecksOrders(Protocol):
    """An exchange that knows without asking anybody which orders break its rules."""

    def order_denial(self, request: OrderRequest) -> ExchangeError | None: ...


class OrderManager:
    """The only way to the exchange for orders. The current task's client is the owner of an order.

    Args:
        exchange: Where the orders go.
        journal: Open, and of this account.
        tasks: Owns sending and resolving, which go on when the client that asked is gone.
        resolve: How an unknown outcome is found out.
        halts: The gate that new orders pass.
        refusal: Says why a client may place no new order now, if so.
        guard: Does what a client's orders need before they are sent, and returns the error of each symbol where that
            failed: nothing of it is sent then, but for orders that only reduce a position.
    """

    def __init__(
        self,
        exchange: Exchange,
        journal: Journal,
        tasks: Tasks,
        resolve: Resolve,
        *,
        halts: Halts | None = None,
        refusal: Callable[[str], ExchangeError | None] = lambda _client: None,
        guard: Guard | None = None,
    ) -> None:
        self._exchange = exchange
        self._journal = journal
        self._tasks = tasks
        self._resolve = resolve
        self._halts = halts if halts is not None else Halts()
        self._refusal = refusal
        self._guard = guard
        self.own = OrderOwnership(exchange, journal.owners, tasks)
        self._order_denial = exchange.order_denial if isinstance(exchange, _ChecksOrders) else None
        self._unresolved_of: Counter[str] = Counter()
        self._on_their_way_of: Counter[str] = Counter()
        self.resolution_seconds = Distribution(SECONDS)
        self.intents: dict[str, Intent] = {}
        """What is being placed or resolved, by client order id."""
        self.amending: dict[str, OrderInFlight] = {}
        """The amendments that are being sent or resolved, by amend id."""
        self._amend_journal = AmendJournal(journal)

    @property
    def unresolved(self) -> int:
        """How many orders and amendments were sent and are not proven."""
        return sum(one.status is OrderStatus.UNKNOWN for one in self._taken())

    def in_flight(self, symbol: str = "") -> list[OrderInFlight]:
        """Return what of a symbol, or of all, may be at the venue, or get there, without proof of its outcome."""
        return [one for one in self._taken() if one.in_flight and symbol in ("", one.ref.symbol)]

    def _taken(self) -> Iterator[OrderInFlight]:
        yield from self.intents.values()
        yield from self.amending.values()

    async def start(self) -> None:
        """Take up what an earlier run left open; until it is resolved nothing is sent under those ids."""
        # The earlier run may have sent until it died, so the wait for proof counts from now.
        now = time.monotonic_ns()
        intents = [self._admit(one.request, one.client) for one in await self._journal.unresolved()]
        await self.own.start()
        for intent in intents:
            _log.warning("order of an earlier run is unresolved", client_order_id=intent.request.client_order_id)
            self._spawn_resolution(intent, now, OutcomeUnknown("the connector ended before the answer came"))

    async def place(self, request: OrderRequest | Barred, *, wait_s: float, halt_id: str = "") -> Order:
        """Place one order, or return its outcome when it was asked for before.

        Args:
            request: The order; one that is barred is answered for, but never sent.
            wait_s: How long the caller waits for the outcome.
            halt_id: A halt during which it closes a position: reduce-only, it is sent though trading is halted.

        Raises:
            DuplicateOrder: The id was used with other content, or by another client.
            LeaseExpired: The client let its lease end; nothing was sent.
            TradingHalted: Trading of the symbol is halted; nothing was sent.
            OutcomeUnknown: Not proven within *wait_s*; ask again with the same id.
            ExchangeError: What the venue said.
        """
        (outcome,) = await self.place_batch([request], wait_s=wait_s, halt_id=halt_id)
        if isinstance(outcome, ExchangeError):
            raise outcome
        return outcome

    async def place_batch(
        self, requests: Sequence[OrderRequest | Barred], *, wait_s: float, halt_id: str = ""
    ) -> list[Outcome]:
        """Place several orders in one go; as `place`, but each failure is an item of the answer."""
        answers = await self._place(requests, wait_s=wait_s, halt_id=halt_id)
        return [answer.now() if isinstance(answer, Intent) else answer for answer in answers]

    async def place_encoded(
        self, request: OrderRequest | Barred, encoded: bytes, *, wait_s: float, halt_id: str = ""
    ) -> pb.Order:
        """Place one order as `place` does, from and to the wire: *encoded* is the request as it came."""
        (answer,) = await self._place([request], [encoded], wait_s=wait_s, halt_id=halt_id)
        outcome = answer.now() if isinstance(answer, Intent) else answer
        if isinstance(outcome, ExchangeError):
            raise outcome
        return _result(answer).order

    async def place_batch_encoded(
        self, requests: Sequence[OrderRequest | Barred], encoded: Sequence[bytes], *, wait_s: float
    ) -> list[pb.OrderResult]:
        """Place several orders as `place_batch` does, from and to the wire: *encoded* are the requests as they came."""
        return [_result(answer) for answer in await self._place(requests, encoded, wait_s=wait_s)]

    async def _place(
        self,
        requests: Sequence[OrderRequest | Barred],
        encoded: Sequence[bytes] = (),
        *,
        wait_s: float,
        halt_id: str = "",
    ) -> list[Intent | ExchangeError]:
        # Nothing is waited for here: what was judged a moment ago still holds when it is admitted.
        client = current_client()
        refusal = self._refusal(client)
        answers: list[Intent | ExchangeError] = []
        fresh: list[Intent] = []
        for place, one in enumerate(requests):
            request, reason = (one.request, one.reason) if isinstance(one, Barred) else (one, refusal)
            intent = self.intents.get(request.client_order_id)
            if intent is None:
                passes = request.reduce_only and self._halts.applies_to(halt_id, request.symbol)
                reason = reason or (None if passes else self._halts.refusal(request.symbol))
                # What is refused here is not journaled, so that no flood of it fills the disk.
                reason = reason or self._own_refusal(request, client, sent=len(fresh))
                intent = self._admit(request, client, reason)
                intent.passes_halts = passes
                if encoded:
                    intent.encoded = encoded[place]
                fresh.append(intent)
            answers.append(intent.conflict(request, client) or intent)
        if sendable := [intent for intent in fresh if intent.barred is None]:
            self._tasks.spawn(PLACING, self._send(sendable, client))
        if barred := [intent for intent in fresh if intent.barred is not None]:
            self._tasks.spawn("answering", self._answer_barred(barred))
        # The futures stay when this caller gives up: sending and resolving go on without it.
        if len(answers) == 1 and isinstance(answers[0], Intent):
            await done_within(answers[0].outcome, wait_s)
        elif pending := {answer.outcome for answer in answers if isinstance(answer, Intent)}:
            await asyncio.wait(pending, timeout=max(wait_s, 0))
        return answers

    async def get_order(self, ref: OrderRef) -> Order:
        """Query the venue for an order; one that it may not show yet is neither absent nor open, but UNKNOWN."""
        before = self.intents.get(ref.client_order_id)
        try:
            return await self._exchange.get_order(ref)
        except OrderNotFound:
            if (order := await self._ask_by_venue_id(ref)) is not None:
                return order
            known = await self._known(ref, before)
            if known is None:
                raise
            return known

    async def cancel(self, ref: OrderRef) -> Order:
        """Cancel an order.

        Raises:
            OutcomeUnknown: The venue does not know it, but its placing is not resolved: it may still appear.
        """
        before = self.intents.get(ref.client_order_id)
        if (foreign := self._of_another_symbol(ref)) is not None:
            raise foreign
        try:
            order = await self._exchange.cancel_order(ref)
        except OrderNotFound as error:
            raise await self._cancel_error(ref, before, error) from None
        self.note(order)
        return order

    async def cancel_batch(self, refs: Sequence[OrderRef]) -> list[Outcome]:
        """Cancel several orders; as `cancel`, but each failure is an item of the answer."""
        foreign = [self._of_another_symbol(ref) for ref in refs]
        sendable = [ref for ref, error in zip(refs, foreign, strict=True) if error is None]
        before = [self.intents.get(ref.client_order_id) for ref in sendable]
        answers = await self._exchange.batch_cancel_orders(sendable) if sendable else []
        for answer in answers:
            if isinstance(answer, Order):
                self.note(answer)
        outcomes = iter(
            [
                await self._cancel_error(ref, intent, answer) if isinstance(answer, OrderNotFound) else answer
                for ref, intent, answer in zip(sendable, before, answers, strict=True)
            ]
        )
        return [next(outcomes) if error is None else error for error in foreign]

    def note(self, canceled: Order) -> None:
        """Take in what a cancel answered."""
        if canceled.status.is_closed:
            self.own.end(canceled.client_order_id)

    async def prune(self, *, keep_s: float) -> int:
        """Forget what was settled longer ago than this, but for orders that the venue still works."""
        open_ids = [order.client_order_id for order in await self._exchange.get_open_orders()]
        before_ns = time.time_ns() - int(keep_s * 1e9)
        return await self._journal.prune(before_ns=before_ns, keep=open_ids)

    def _admit(self, request: OrderRequest, client: str, barred: ExchangeError | None = None) -> Intent:
        intent = Intent(request, client, asyncio.get_running_loop().create_future(), barred=barred)
        self.intents[request.client_order_id] = intent
        if barred is None:
            self._on_their_way_of[client] += 1
            self.own.admit(client, request)
        return intent

    def _forget(self, intent: Intent) -> None:
        known = self.intents.pop(intent.request.client_order_id, None)
        if known is not None and known.barred is None:
            self._on_their_way_of[known.client] -= 1
            if not self._on_their_way_of[known.client]:
                del self._on_their_way_of[known.client]

    def _own_refusal(self, request: OrderRequest, client: str, *, sent: int) -> ExchangeError | None:
        """Return why an order can't be sent now, as far as it is known without the venue."""
        if self._order_denial is not None and (denial := self._order_denial(request)) is not None:
            return denial
        for counts, sending, limits, state in (
            (self._unresolved_of, sent, (MAX_UNRESOLVED_OF_CLIENT, MAX_UNRESOLVED), "of unknown outcome"),
            # These have those of the same request in them already.
            (self._on_their_way_of, 0, (MAX_ON_THEIR_WAY_OF_CLIENT, MAX_ON_THEIR_WAY), "on their way"),
        ):
            if not counts:
                continue
            for who, count, most in zip(
                (f"of client {client}", "of this account"), (counts[client], counts.total()), limits, strict=True
            ):
                if count + sending >= most:
                    text = f"{count} orders {who} are {state}; new ones are sent when the exchange has answered"
                    return RateLimited(text, symbol=request.symbol, retry_after_s=_UNRESOLVED_RETRY_S)
        return None

    async def _answer_barred(self, intents: list[Intent]) -> None:
        """Answer those that were asked for before; the others are not sent."""
        try:
            records = await asyncio.gather(*(self._journal.find(one.request.client_order_id) for one in intents))
        except JournalError as error:
            for intent in intents:
                self._finish(intent, Unreachable(f"the order journal can't be read: {error}"))
            return
        for intent, record in zip(intents, records, strict=True):
            if record is not None and record.state is not State.ABSENT:
                self._answer_from(record, intent)
            elif intent.barred is not None:
                self._finish(intent, intent.barred)

    async def _send(self, intents: list[Intent], client: str) -> None:
        """Journal, send once, and settle each intent."""
        try:
            with tracing.step("journal commit", {"opensqt.intents": len(intents)}):
                records = await self._journal.claim(
                    [intent.request for intent in intents],
                    client=client,
                    encoded=[intent.encoded for intent in intents],
                )
        except JournalError as error:
            _log.error("intent not journaled; nothing was sent", reason=str(error))
            for intent in intents:
                await self._answer_unjournaled(intent)
            return
        sending: list[Intent] = []
        for intent, record in zip(intents, records, strict=True):
            intent.encoded = b""
            if record is None:
                sending.append(intent)
            else:
                self._answer_from(record, intent)
        closing = [intent for intent in sending if intent.passes_halts]
        if closing:
            await self._send_once(closing)
            sending = [intent for intent in sending if not intent.passes_halts]
        if self._guard is not None and sending:
            sending = await self._guarded(sending, client, self._guard)
        with through(self._halts):
            await self._send_unless_halted(sending)

    async def _answer_unjournaled(self, intent: Intent) -> None:
        """Answer an intent that could not be written down: an order of its id may have been sent before."""
        name = intent.request.client_order_id
        try:
            record = await self._journal.find(name)
        except JournalError:
            self.own.withdraw(name)
            text = "the order journal can neither be written nor read; nothing was sent, unless by an earlier request"
            self._finish(intent, OutcomeUnknown(text, symbol=intent.request.symbol))
            return
        if record is not None and record.state is not State.ABSENT:
            self._answer_from(record, intent)
            return
        self.own.withdraw(name)
        self._finish(intent, Unreachable("the order journal can't be written; nothing was sent"))

    async def _guarded(self, intents: list[Intent], client: str, guard: Guard) -> list[Intent]:
        """Return the intents that may be sent, and settle the others."""
        refused = await guard(client, [intent.request for intent in intents])
        if not refused:
            return intents
        held = [one for one in intents if one.request.symbol in refused and not one.request.reduce_only]
        await asyncio.gather(*(self._conclude(intent, refused[intent.request.symbol]) for intent in held))
        return [intent for intent in intents if intent not in held]

    async def _send_unless_halted(self, intents: list[Intent]) -> None:
        """Send those whose symbol is not halted, however long they wait here and in the adapter to be sent."""
        while intents:
            halted: list[tuple[Intent, TradingHalted]] = []
            free: list[Intent] = []
            for intent in intents:
                refusal = self._halts.refusal(intent.request.symbol)
                free.append(intent) if refusal is None else halted.append((intent, refusal))
            if halted:
                await asyncio.gather(*(self._conclude(intent, refusal) for intent, refusal in halted))
            intents = await self._send_once(free) if free else []

    async def _send_once(self, intents: list[Intent]) -> list[Intent]:
        """Send and settle; return those that were held back because others of the same request are halted."""
        answers = await self._ask([intent.request for intent in intents])
        held_back: list[Intent] = []
        settling: list[Awaitable[None]] = []
        for intent, answer in zip(intents, answers, strict=True):
            if isinstance(answer, TradingHalted) and answer.symbol != intent.request.symbol:
                held_back.append(intent)
            else:
                settling.append(self._conclude(intent, answer))
        if len(settling) == 1:
            await settling[0]  # as nearly always; a task of its own would cost more than the work
        else:
            await asyncio.gather(*settling)
        return held_back

    def _answer_from(self, record: Record, intent: Intent) -> None:
        """Answer an intent of which the journal knows already."""
        known = record.outcome
        if not record.is_of(intent.client):
            known = duplicate(intent.request, BY_ANOTHER)
        elif record.request != intent.request:
            known = duplicate(intent.request)
        if known is None:
            # Writing its outcome had failed: the venue must report it again. Of when it was sent the journal knows the
            # time of day only, so the wait for proof counts from now.
            self.own.admit(record.client, record.request)
            self._spawn_resolution(intent, time.monotonic_ns(), OutcomeUnknown("its outcome was not written down"))
        else:
            self.own.withdraw(intent.request.client_order_id, record.client)
            self._finish(intent, known)

    async def _ask(self, requests: list[OrderRequest]) -> list[Order | Exception]:
        """Send once. A failure of the whole call is each item's own."""
        try:
            if len(requests) == 1:
                return [await self._exchange.place_order(requests[0])]
            answers = await self._exchange.batch_place_orders(requests)
            if len(answers) == len(requests):
                return [*answers]
            error: Exception = VenueError(f"{len(answers)} answers for {len(requests)} orders")
        except Exception as raised:  # noqa: BLE001 - whatever it is, the orders may exist and have to be resolved
            error = raised
        return [error] * len(requests)

    async def _conclude(self, intent: Intent, answer: Order | Exception) -> None:
        match answer:
            case Order():
                await self._settle(intent, State.PLACED, answer)
            case OrderRejected():
                await self._settle(intent, State.REFUSED, answer)
            case DuplicateOrder():
                # The venue knows the id though the journal did not: it may be this very order.
                await self._suspect(intent, answer)
            case RequestError() | BackOff() | AccessError() | Unreachable():
                # By their definition nothing happened at the venue.
                await self._settle(intent, State.ABSENT, answer)
            case _:
                await self._suspect(intent, answer)

    async def _suspect(self, intent: Intent, cause: Exception) -> None:
        ours = isinstance(cause, ExchangeError)
        _log.warning(
            "order outcome unknown; resolving",
            client_order_id=intent.request.client_order_id,
            reason=str(cause) if ours else type(cause).__name__,
            exc_info=None if ours else cause,
        )
        intent.status = OrderStatus.UNKNOWN
        self._spawn_resolution(intent, time.monotonic_ns(), cause)
        await self._write(intent, State.UNKNOWN, None)

    def _spawn_resolution(self, intent: Intent, sent_ns: int, cause: Exception) -> None:
        intent.status = OrderStatus.UNKNOWN
        self._unresolved_of[intent.client] += 1
        with on_behalf_of(INTERNAL):
            self._tasks.spawn("resolving", self._resolve_until_proven(intent, sent_ns, cause))

    async def _resolve_until_proven(self, intent: Intent, sent_ns: int, cause: Exception) -> None:
        began_s = time.monotonic()
        backoff = Backoff(0.5, 30)
        while True:
            try:
                with tracing.step("resolve", {"opensqt.client_order_id": intent.request.client_order_id}):
                    order = await self._resolve(self._exchange, intent.request, sent_ns)
                break
            except Exception as error:  # noqa: BLE001 - no error proves anything; only the venue's report ends this
                ours = isinstance(error, ExchangeError)
                _log.warning(
                    "resolution failed; asking again",
                    client_order_id=intent.request.client_order_id,
                    reason=str(error) if ours else type(error).__name__,
                    exc_info=None if ours else error,
                )
            await asyncio.sleep(backoff.next_s())
        asked = intent.request
        # Queries may lag behind further than allowed for; the stream's report that it exists outweighs them.
        order = order or self.own.last_streamed(asked.client_order_id)
        found = "absent" if order is None else order.status
        self.resolution_seconds.observe(time.monotonic() - began_s)
        _log.info("order outcome resolved", client_order_id=asked.client_order_id, found=found)
        if order is not None:
            await self._settle_found(intent, order)
            return
        if isinstance(cause, VenueError | DuplicateOrder):
            await self._settle(intent, State.ABSENT, cause)
            return
        proof = f"order {asked.client_order_id}: proven absent at the venue; it may be sent again"
        await self._settle(intent, State.ABSENT, Unreachable(proof, symbol=asked.symbol))

    async def _settle_found(self, intent: Intent, order: Order) -> None:
        if is_of(order, intent.request) or await self._was_amended(order, intent.request):
            await self._settle(intent, State.PLACED, order)
        else:
            await self._settle(intent, State.REFUSED, duplicate(intent.request))

    async def _was_amended(self, order: Order, request: OrderRequest) -> bool:
        """Whether an order has another price or quantity than was asked for because it was amended since."""
        if (order.symbol, order.side, order.order_type) != (request.symbol, request.side, request.order_type):
            return False
        try:
            return await self._amend_journal.was_amended(request.client_order_id)
        except JournalError:
            # Taken for somebody else's it would be lost from sight.
            return True

    async def _settle(self, intent: Intent, state: State, outcome: Outcome) -> None:
        if intent.status is OrderStatus.UNKNOWN:
            self._unresolved_of[intent.client] -= 1
            if not self._unresolved_of[intent.client]:
                del self._unresolved_of[intent.client]
        intent.status = outcome.status if isinstance(outcome, Order) else OrderStatus.REJECTED
        self.own.settle(intent.request.client_order_id, outcome)
        if state is State.ABSENT:
            # Written before it is answered, for it allows the client to send again at once. Were the write lost,
            # the journal would have the venue asked once more.
            await self._write(intent, state, outcome)
            self._finish(intent, outcome)
            return
        # The caller need not wait for the disk; until the write is done, this intent answers for the journal.
        intent.outcome.set_result(outcome)
        if await self._write(intent, state, intent.result(), deferrable=True):
            self._forget(intent)

    async def _write(
        self, intent: Intent, state: State, outcome: Outcome | pb.OrderResult | None, *, deferrable: bool = False
    ) -> bool:
        try:
            await self._journal.settle(intent.request.client_order_id, state, outcome, deferrable=deferrable)
        except JournalError as error:
            _log.error("outcome not journaled; kept in memory", reason=str(error))
            return False
        return True

    def _finish(self, intent: Intent, outcome: Outcome) -> None:
        """Answer and forget: the journal holds the truth already, or nothing was sent."""
        self._forget(intent)
        intent.outcome.set_result(outcome)

    async def _ask_by_venue_id(self, ref: OrderRef) -> Order | None:
        """Ask for an order by the id that the journal knows: a venue may forget the client's sooner than its own."""
        record = None if ref.order_id else await self._record(ref)
        if record is None or not isinstance(record.outcome, Order) or not record.outcome.order_id:
            return None
        try:
            return await self._exchange.get_order(OrderRef(symbol=ref.symbol, order_id=record.outcome.order_id))
        except OrderNotFound:
            return None

    async def _known(self, ref: OrderRef, before: Intent | None) -> Order | None:
        """Return what is known of an order that the venue just did not find."""
        intent = before or self.intents.get(ref.client_order_id)
        if intent is not None:
            if intent.request.symbol != ref.symbol:
                return None
            if not intent.outcome.done():
                return intent.as_order()
            return not_shown(intent.outcome.result())
        record = await self._record(ref)
        if record is None or record.updated_ns < time.time_ns() - HIDDEN_NS or record.request.symbol != ref.symbol:
            return None
        return not_shown(record.outcome)

    async def _record(self, ref: OrderRef) -> Record | None:
        if not ref.client_order_id:
            return None
        try:
            return await self._journal.find(ref.client_order_id)
        except JournalError as error:
            raise OutcomeUnknown(
                f"the venue does not show the order, and our own record can't be read: {error}"
            ) from None

    def _of_another_symbol(self, ref: OrderRef) -> OrderNotFound | None:
        """Return the error for an order that we know under another symbol than it is named by."""
        # Every order that is open or in flight is tracked, by the symbol under which it was sent.
        own = self.own.tracked.get(ref.client_order_id)
        symbol = ref.symbol if own is None else own.symbol
        if symbol == ref.symbol:
            return None
        text = f"order {ref.client_order_id}: is one of {symbol}, not of {ref.symbol}; nothing was sent"
        return OrderNotFound(text, symbol=ref.symbol)

    async def _still_listed(self, ref: OrderRef) -> bool:
        """Whether the venue lists an open order of ours that a cancel did not find, or could not be asked."""
        if ref.client_order_id not in self.own.tracked:
            return False
        try:
            listed = await self._exchange.get_open_orders(ref.symbol)
        except ExchangeError:
            return True
        return any(order.client_order_id == ref.client_order_id for order in listed)

    async def _cancel_error(self, ref: OrderRef, before: Intent | None, error: OrderNotFound) -> ExchangeError:
        if await self._known(ref, before) is None and not await self._still_listed(ref):
            self.own.end(ref.client_order_id)
            return error
        return OutcomeUnknown(
            f"order {ref.client_order_id}: the venue does not show it yet, but it may exist; cancel it again",
            symbol=ref.symbol,
        )


def _result(answer: Intent | ExchangeError) -> pb.OrderResult:
    return answer.result() if isinstance(answer, Intent) else encode_order_result(answer)
