"""What a client's orders are held to: symbols, worth, how many are open, how many a second, whose it cancels."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from decimal import Decimal

from opensqt.connector.auth.clients import UNLIMITED, Limits
from opensqt.connector.auth.roles import Access
from opensqt.connector.orders.intent import Barred
from opensqt.connector.orders.journal import JournalError
from opensqt.model.client_context import current_client
from opensqt.model.errors import ExchangeError, OrderDenied, PermissionDenied, RateLimited, Unreachable
from opensqt.model.market import Price
from opensqt.model.order import OrderRef, OrderRequest, OrderType, Side, TimeInForce
from opensqt.service.token_bucket import TokenBucket

Verdict = ExchangeError | None
"""Why an order is not sent; None when it may be."""


class OrderLimits:
    """Holds the orders of each client to what the clients file grants it now.

    What is judged are orders to be sent. The desk still tells the outcome of a barred one that was asked for before:
    its caller has to learn what became of it.

    Args:
        access: Knows the clients.
        price: Asks for the latest price of a symbol.
        open_count: How many orders of a client are open or in flight.
        own_among: Which client order ids are of orders that a client itself asked for.
        now: Seconds of any clock that only goes forward.
    """

    def __init__(
        self,
        access: Access,
        *,
        price: Callable[[str], Awaitable[Price]],
        open_count: Callable[[str], int],
        own_among: Callable[[str, Collection[str]], Awaitable[Collection[str]]],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._access = access
        self._price = price
        self._open_count = open_count
        self._own_among = own_among
        self._now = now
        self._buckets: dict[str, TokenBucket] = {}

    async def to_place(self, requests: Sequence[OrderRequest]) -> list[OrderRequest | Barred]:
        """Answer for each order that the current caller wants placed the order itself, or why it may not be sent.

        Nothing is waited for between the count of open orders and the answer, so hand it on to the desk at once.
        """
        client = current_client()
        limits = self._limits(client)
        if limits is UNLIMITED:
            return [*requests]
        verdicts = [await self._worth(client, limits, request) for request in requests]
        verdicts = self._counted(client, limits, requests, verdicts)
        self._draw(client, limits, sum(verdict is None for verdict in verdicts))
        return [
            request if verdict is None else Barred(request, verdict)
            for request, verdict in zip(requests, verdicts, strict=True)
        ]

    async def to_cancel(self, refs: Sequence[OrderRef]) -> list[OrderRef | ExchangeError]:
        """Answer for each order that the current caller wants canceled its name, or why it may not."""
        client = current_client()
        limits = self._limits(client)
        if limits is UNLIMITED:
            return [*refs]
        verdicts = [_symbol(client, limits, ref.symbol) for ref in refs]
        if limits.cancel_others:
            return [verdict or ref for ref, verdict in zip(refs, verdicts, strict=True)]
        try:
            own = await self._own_among(client, {ref.client_order_id for ref in refs if ref.client_order_id})
        except JournalError as error:
            raise Unreachable(f"whose orders these are can't be read: {error}; nothing was sent") from None
        return [
            # By the id that was looked at, and by no other.
            verdict or (replace(ref, order_id="") if ref.client_order_id in own else _not_its_own(client, ref))
            for ref, verdict in zip(refs, verdicts, strict=True)
        ]

    def check_cancel_all(self, symbol: str) -> None:
        """Let the current caller cancel every order of a symbol, whoever placed it.

        Raises:
            PermissionDenied: It may not.
        """
        client = current_client()
        limits = self._limits(client)
        verdict = _symbol(client, limits, symbol)
        if verdict is None and not limits.cancel_others:
            verdict = PermissionDenied(
                f"client {client}: may cancel its own orders only; name them with CancelOrder", symbol=symbol
            )
        if verdict is not None:
            raise verdict

    def check_halt(self, symbol: str) -> None:
        """Let the current caller halt trading of a symbol, or of the account where it is empty, and resume it.

        Raises:
            PermissionDenied: It may not: whom it halts it could not cancel all orders of.
        """
        client = current_client()
        symbols = self._limits(client).symbols
        if not symbol and symbols:
            allowed = ", ".join(sorted(symbols))
            raise PermissionDenied(f"client {client}: may halt and resume {allowed} only, one by one, not the account")
        self.check_cancel_all(symbol)

    def _limits(self, client: str) -> Limits:
        if self._access.clients is None:
            return UNLIMITED
        known = self._access.clients.named(client)
        if known is None:
            # Taken out of the file while its call was on the way.
            raise PermissionDenied(f"client {client}: was revoked")
        return known.limits

    async def _worth(self, client: str, limits: Limits, request: OrderRequest) -> Verdict:
        """Judge what does not depend on the client's other orders."""
        verdict = _symbol(client, limits, request.symbol)
        if verdict is not None or limits.max_order_notional is None:
            return verdict
        most = limits.max_order_notional
        try:
            worth = await self._notional(request, most)
        except ExchangeError as error:
            # Unpriced it can't be held to the limit; nothing was sent, and the error says what to do.
            return error
        if worth <= most:
            return None
        return OrderDenied(
            f"client {client}: order {request.client_order_id} is worth {worth:f}; its limit is {most:f} an order",
            symbol=request.symbol,
        )

    async def _notional(self, request: OrderRequest, most: Decimal) -> Decimal:
        limit = request.price if request.order_type is OrderType.LIMIT else None
        if limit is not None:
            worth = request.quantity * limit
            if worth > most or request.side is Side.BUY or request.time_in_force is TimeInForce.POST_ONLY:
                return worth
        # A limit to sell is the least that it brings: far below the market it fills at the market's price.
        now = await self._price(request.symbol)
        return request.quantity * max(now.bid, now.ask, limit or now.bid)

    def _counted(
        self,
        client: str,
        limits: Limits,
        requests: Sequence[OrderRequest],
        verdicts: Sequence[Verdict],
    ) -> list[Verdict]:
        """Judge what depends on the client's other orders, too; waits for nothing and takes nothing."""
        open_now = self._open_count(client)
        left = self._left(client, limits)
        answers: list[Verdict] = []
        for request, verdict in zip(requests, verdicts, strict=True):
            if verdict is None and limits.max_open_orders is not None and open_now >= limits.max_open_orders:
                verdict = OrderDenied(
                    f"client {client}: {open_now} orders are open or in flight; its limit is {limits.max_open_orders}",
                    symbol=request.symbol,
                )
            if verdict is None and limits.max_orders_per_second is not None and left < 1:
                rate = limits.max_orders_per_second
                verdict = RateLimited(
                    f"client {client}: its limit is {rate:g} new orders a second",
                    symbol=request.symbol,
                    retry_after_s=(1 - left) / rate,
                )
            if verdict is None:
                open_now += 1
                left -= 1
            answers.append(verdict)
        return answers

    def _left(self, client: str, limits: Limits) -> float:
        """How many orders the client may send at once: what a second grants, and never less than one."""
        bucket = self._bucket(client, limits)
        return float("inf") if bucket is None else bucket.available(self._now())

    def _draw(self, client: str, limits: Limits, orders: int) -> None:
        if (bucket := self._bucket(client, limits)) is not None:
            # Repeats count as well, though they are answered in any case.
            bucket.take(self._now(), orders)

    def _bucket(self, client: str, limits: Limits) -> TokenBucket | None:
        rate = limits.max_orders_per_second
        if rate is None:
            return None
        capacity = max(rate, 1.0)
        bucket = self._buckets.setdefault(client, TokenBucket(rate, capacity, self._now()))
        # The clients file may have changed since.
        bucket.rate, bucket.capacity = rate, capacity
        return bucket


def _not_its_own(client: str, ref: OrderRef) -> PermissionDenied:
    named = ref.client_order_id or f"{ref.order_id}, which it has to name by its client_order_id"
    return PermissionDenied(f"client {client}: may cancel its own orders only, not {named}", symbol=ref.symbol)


def _symbol(client: str, limits: Limits, symbol: str) -> Verdict:
    if not limits.symbols or symbol in limits.symbols:
        return None
    allowed = ", ".join(sorted(limits.symbols))
    return PermissionDenied(f"client {client}: may not trade {symbol}, only {allowed}", symbol=symbol)
