"""Amendments at most once: journal, send, and prove by the order what the venue did not answer for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from opensqt.connector.orders.amend_journal import AmendJournal, AmendRecord
from opensqt.connector.orders.amend_resolve import AmendResolver
from opensqt.connector.orders.halts import Halts
from opensqt.connector.orders.intent import BY_ANOTHER, Outcome, done_within
from opensqt.connector.orders.journal import Journal, JournalError, State
from opensqt.connector.orders.manager import PLACING, OrderManager
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
    Unreachable,
    VenueError,
)
from opensqt.model.exchange import Exchange
from opensqt.model.order import AmendRequest, Order, OrderRef, OrderRequest, OrderStatus
from opensqt.model.order_gate import through
from opensqt.telemetry import logging, tracing

_log = logging.get_logger("connector.amendments")
_MAX_UNRESOLVED = 100
"""So many amendments of one client may be of unknown outcome before new ones are refused."""
_RETRY_S = 0.5

Denial = Awaitable[ExchangeError | None]


@runtime_checkable
class _KnowsOrders(Protocol):
    """An exchange that knows open orders, and the rules for amending them, without asking anybody."""

    def known_order(self, ref: OrderRef) -> Order | None: ...

    def amend_denial(self, request: AmendRequest, order: Order) -> ExchangeError | None: ...


@dataclass(eq=False, slots=True)
class PendingAmendment:
    """An amendment that was taken from a client and is not yet written off as done."""

    request: AmendRequest
    """As its client asked for it."""
    target: AmendRequest
    """As it is sent: with the order's ids, and with what the request leaves as it is."""
    client: str
    outcome: asyncio.Future[Outcome]
    status: OrderStatus = OrderStatus.PENDING
    needless: Order | None = None
    """The order, where it has ended or has what is asked for: nothing is sent then."""

    @property
    def ref(self) -> OrderRef:
        """The order, by both ids."""
        return self.target.order

    @property
    def in_flight(self) -> bool:
        """Whether it may be at the venue, or get there, and its outcome is not proven."""
        return not self.outcome.done()

    def now(self) -> Outcome:
        """Return the outcome as far as it is known."""
        if self.outcome.done():
            return self.outcome.result()
        text = f"amendment {self.request.amend_id}: not proven done or not done yet; ask again with the same amend_id"
        return OutcomeUnknown(text, symbol=self.ref.symbol)


class Amendments:
    """The only way to the exchange for amendments. The current task's client is the owner of one.

    Args:
        exchange: Where the amendments go.
        journal: Open, and of this account.
        tasks: Owns sending and resolving, which go on when the client that asked is gone.
        orders: Knows what is in flight; the amendments are counted there, too.
        halts: The gate that amendments pass as new orders do.
        refusal: Says why a client may send nothing now, if so.
        resolve: Proves what became of an amendment.
    """

    def __init__(
        self,
        exchange: Exchange,
        journal: Journal,
        tasks: Tasks,
        orders: OrderManager,
        *,
        halts: Halts,
        refusal: Callable[[str], ExchangeError | None] = lambda _client: None,
        resolve: AmendResolver | None = None,
    ) -> None:
        self._exchange = exchange
        self._journal = AmendJournal(journal)
        self._tasks = tasks
        self._orders = orders
        self._halts = halts
        self._refusal = refusal
        self._resolve = resolve or AmendResolver()
        self._knows_orders = exchange if isinstance(exchange, _KnowsOrders) else None
        self.pending: dict[str, PendingAmendment] = {}
        """What is being sent or resolved, by amend id."""

    async def start(self) -> None:
        """Take up what an earlier run left open; until it is resolved nothing is sent under those ids."""
        # The earlier run may have sent until it died, so the wait for proof counts from now.
        now = time.monotonic_ns()
        for record in await self._journal.unresolved():
            _log.warning("amendment of an earlier run is unresolved", amend_id=record.request.amend_id)
            self._resume(record, now, "the connector ended before the answer came")

    async def amend(
        self,
        request: AmendRequest,
        *,
        wait_s: float,
        denial: Callable[[OrderRequest], Denial],
        barrier: Callable[[Order], ExchangeError | None],
    ) -> Order:
        """Amend one order, or return the outcome of the amendment when it was asked for before.

        Args:
            request: The amendment.
            wait_s: How long the caller waits for the outcome.
            denial: Returns why the client may not have the order as it is amended, if so.
            barrier: Returns why the client may not send anything for the order at this moment, if so.

        Raises:
            DuplicateOrder: The id was used with other content, or by another client.
            TradingHalted: Trading of the symbol is halted; nothing was sent.
            OutcomeUnknown: Not proven within *wait_s*; ask again with the same id.
            ExchangeError: What the venue said.
        """
        loop = asyncio.get_running_loop()
        until_s = loop.time() + wait_s
        client = current_client()
        amendment = await self._known(request) or await self._begin(request, client, denial, barrier)
        if (conflict := _conflict(amendment, request, client)) is not None:
            raise conflict
        await done_within(amendment.outcome, until_s - loop.time())
        outcome = amendment.now()
        if isinstance(outcome, ExchangeError):
            raise outcome
        return outcome

    async def _known(self, request: AmendRequest) -> PendingAmendment | None:
        """Return the amendment of this id that was asked for before, unless it is proven to have done nothing."""
        if (pending := self.pending.get(request.amend_id)) is not None:
            return pending
        try:
            record = await self._journal.find(request.amend_id)
        except JournalError as error:
            raise Unreachable(f"the order journal can't be read: {error}; nothing was sent") from None
        if (pending := self.pending.get(request.amend_id)) is not None:
            return pending
        if record is None or record.state is State.ABSENT:
            return None
        return self._from_record(record)

    async def _begin(
        self,
        request: AmendRequest,
        client: str,
        denial: Callable[[OrderRequest], Denial],
        barrier: Callable[[Order], ExchangeError | None],
    ) -> PendingAmendment:
        order = await self._current(request)
        needless = order if order.status.is_closed or request.is_done(order) else None
        refused = self._knows_orders.amend_denial(request, order) if self._knows_orders is not None else None
        if refused is None:
            refused = await denial(request.amended(order))
        # From here on nothing is waited for: what is judged now still holds when it is admitted.
        if (pending := self.pending.get(request.amend_id)) is not None:
            return pending
        # What is refused here is not journaled, so that no flood of it fills the disk, and keeps no id.
        refused = refused or self._refusal(client) or self._halts.refusal(order.symbol) or barrier(order)
        if refused := refused or self._own_refusal(order, client):
            raise refused
        amendment = self._admit(request, request.completed(order), client)
        amendment.needless = needless
        self._tasks.spawn(PLACING, self._send(amendment))
        return amendment

    async def _current(self, request: AmendRequest) -> Order:
        known = self._knows_orders.known_order(request.order) if self._knows_orders is not None else None
        if known is None or (request.is_done(known) and not known.status.is_closed):
            # That nothing has to be sent is believed only by the venue's own answer.
            return await self._exchange.get_order(request.order)
        return known

    def _own_refusal(self, order: Order, client: str) -> ExchangeError | None:
        """Return why an amendment can't be sent now, by what else is in flight."""
        intent = self._orders.intents.get(order.client_order_id)
        if intent is not None and intent.in_flight:
            text = f"order {order.client_order_id}: its placing is not answered yet; amend it when it is"
            return RateLimited(text, symbol=order.symbol, retry_after_s=_RETRY_S)
        for other in self.pending.values():
            if other.in_flight and (other.ref.symbol, other.ref.order_id) == (order.symbol, order.order_id):
                text = f"order {order.order_id}: amendment {other.request.amend_id} is in flight; amend it after that"
                return RateLimited(text, symbol=order.symbol, retry_after_s=_RETRY_S)
        unresolved = sum(one.client == client and one.status is OrderStatus.UNKNOWN for one in self.pending.values())
        if unresolved >= _MAX_UNRESOLVED:
            text = f"{unresolved} amendments of client {client} are of unknown outcome"
            return RateLimited(f"{text}; wait until the exchange has answered", retry_after_s=10 * _RETRY_S)
        return None

    def _admit(self, request: AmendRequest, target: AmendRequest, client: str) -> PendingAmendment:
        amendment = PendingAmendment(request, target, client, asyncio.get_running_loop().create_future())
        self.pending[request.amend_id] = self._orders.amending[request.amend_id] = amendment
        return amendment

    def _from_record(self, record: AmendRecord) -> PendingAmendment:
        """Return an amendment that the journal knows, with its outcome or as one that is being resolved."""
        if record.outcome is None:
            # Writing its outcome had failed: the order must prove it again.
            return self._resume(record, time.monotonic_ns(), "its outcome was not written down")
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        outcome.set_result(record.outcome)
        return PendingAmendment(record.request, record.target, record.client, outcome)

    def _resume(self, record: AmendRecord, sent_ns: int, why: str) -> PendingAmendment:
        amendment = self._admit(record.request, record.target, record.client)
        self._spawn_resolution(amendment, sent_ns, OutcomeUnknown(why))
        return amendment

    async def _send(self, amendment: PendingAmendment) -> None:
        """Journal, send once, and settle."""
        try:
            with tracing.step("journal commit", {"opensqt.amendments": 1}):
                record = await self._journal.claim(amendment.request, amendment.target, amendment.client)
        except JournalError as error:
            _log.error("amendment not journaled; nothing was sent", reason=str(error))
            self._finish(amendment, Unreachable("the order journal can't be written; nothing was sent"))
            return
        if record is not None:
            # The same was asked for, sent and answered since the journal was looked into.
            self._answer_from(record, amendment)
            return
        answer = amendment.needless or self._halts.refusal(amendment.ref.symbol)
        if answer is None:
            try:
                with through(self._halts):
                    answer = await self._exchange.amend_order(amendment.target)
            except Exception as raised:  # noqa: BLE001 - whatever it is, the order may be amended and has to be asked for
                await self._conclude(amendment, raised)
                return
        await self._conclude(amendment, answer)

    def _answer_from(self, record: AmendRecord, amendment: PendingAmendment) -> None:
        """Answer an amendment of which the journal knows already."""
        conflict = _conflict(record, amendment.request, amendment.client)
        if conflict is None and record.outcome is None:
            self._spawn_resolution(amendment, time.monotonic_ns(), OutcomeUnknown("its outcome was not written down"))
        else:
            self._finish(amendment, conflict or record.outcome or _duplicate(amendment.request))

    async def _conclude(self, amendment: PendingAmendment, answer: Order | Exception) -> None:
        match answer:
            case Order() if answer.status.is_closed or amendment.target.is_done(answer):
                await self._settle(amendment, State.PLACED, answer)
            case OrderRejected() | OrderNotFound():
                await self._settle(amendment, State.REFUSED, answer)
            case RequestError() | BackOff() | AccessError() | Unreachable():
                # By their definition nothing happened at the venue.
                await self._settle(amendment, State.ABSENT, answer)
            case Order():
                await self._suspect(amendment, OutcomeUnknown("the venue answered with the order as it was"))
            case _:
                await self._suspect(amendment, answer)

    async def _suspect(self, amendment: PendingAmendment, cause: Exception) -> None:
        ours = isinstance(cause, ExchangeError)
        _log.warning(
            "outcome of an amendment unknown; resolving",
            amend_id=amendment.request.amend_id,
            client_order_id=amendment.ref.client_order_id,
            reason=str(cause) if ours else type(cause).__name__,
            exc_info=None if ours else cause,
        )
        self._spawn_resolution(amendment, time.monotonic_ns(), cause)
        await self._write(amendment, State.UNKNOWN, None)

    def _spawn_resolution(self, amendment: PendingAmendment, sent_ns: int, cause: Exception) -> None:
        amendment.status = OrderStatus.UNKNOWN
        with on_behalf_of(INTERNAL):
            self._tasks.spawn("resolving", self._resolve_until_proven(amendment, sent_ns, cause))

    async def _resolve_until_proven(self, amendment: PendingAmendment, sent_ns: int, cause: Exception) -> None:
        with tracing.step("resolve", {"opensqt.client_order_id": amendment.ref.client_order_id}):
            found = await self._resolve(self._exchange, amendment.target, sent_ns)
        _log.info("amendment resolved", amend_id=amendment.request.amend_id, done=isinstance(found, Order))
        if isinstance(found, Order):
            await self._settle(amendment, State.PLACED, found)
        elif isinstance(found, OrderNotFound):
            await self._settle(amendment, State.REFUSED, found)
        elif isinstance(cause, VenueError):
            await self._settle(amendment, State.ABSENT, cause)
        else:
            proof = f"amendment {amendment.request.amend_id}: proven not done; it may be sent again"
            await self._settle(amendment, State.ABSENT, Unreachable(proof, symbol=amendment.ref.symbol))

    async def _settle(self, amendment: PendingAmendment, state: State, outcome: Outcome) -> None:
        amendment.status = outcome.status if isinstance(outcome, Order) else OrderStatus.REJECTED
        if isinstance(outcome, Order):
            self._orders.note(outcome)
        if state is State.ABSENT:
            # Written before it is answered, for it allows the client to send again at once.
            await self._write(amendment, state, outcome)
            self._finish(amendment, outcome)
            return
        # The caller need not wait for the disk; until the write is done, this answers for the journal.
        amendment.outcome.set_result(outcome)
        if await self._write(amendment, state, outcome, deferrable=True):
            self._forget(amendment)

    async def _write(
        self, amendment: PendingAmendment, state: State, outcome: Outcome | None, *, deferrable: bool = False
    ) -> bool:
        try:
            await self._journal.settle(amendment.request.amend_id, state, outcome, deferrable=deferrable)
        except JournalError as error:
            _log.error("outcome of an amendment not journaled; kept in memory", reason=str(error))
            return False
        return True

    def _finish(self, amendment: PendingAmendment, outcome: Outcome) -> None:
        """Answer and forget: the journal holds the truth already, or nothing was sent."""
        self._forget(amendment)
        amendment.outcome.set_result(outcome)

    def _forget(self, amendment: PendingAmendment) -> None:
        self.pending.pop(amendment.request.amend_id, None)
        self._orders.amending.pop(amendment.request.amend_id, None)


def _conflict(amendment: PendingAmendment | AmendRecord, request: AmendRequest, client: str) -> DuplicateOrder | None:
    """Return why what a client asks for under this id is not this very amendment, or None when it is."""
    if amendment.client != client:
        return _duplicate(request, BY_ANOTHER)
    return None if amendment.request == request else _duplicate(request)


def _duplicate(request: AmendRequest, how: str = "with other content") -> DuplicateOrder:
    text = f"amend_id {request.amend_id}: used before {how}; take a new one"
    return DuplicateOrder(text, symbol=request.order.symbol)
