"""The limits of a client's orders: symbols, notional, open orders, orders a second, whose orders it cancels."""

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

Denial = ExchangeError | None
"""Why an order is not sent; None when it may be."""


class OrderLimits:
    """Limit the orders of each client to what the clients file grants it now.

    The limits apply to orders that are to be sent. The order manager still answers with the outcome of a barred order
    that was placed before: its client has to learn what became of it.

    Args:
        access: The clients and their limits.
        price: Returns the latest price of a symbol.
        open_count: Returns how many orders of a client are open or in flight.
        own_among: Returns those client order ids that a client itself used.
        now: Seconds of any clock that only goes forward.
    """

    def __init__(
        self,
        access: Access,
        *,
        price: Callable[[str], Awaitable[Price]],
        open_count: Callable[[str], int],
        owned_ids: Callable[[str, Collection[str]], Awaitable[Collection[str]]],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._access = access
        self._price = price
        self._open_count = open_count
        self._own_among = owned_ids
        self._now = now
        self._buckets: dict[str, TokenBucket] = {}

    async def to_place(self, requests: Sequence[OrderRequest]) -> list[OrderRequest | Barred]:
        """Return each order of the current client, barred where a limit denies it.

        Nothing is awaited between the count of open orders and the return: pass the result to the order manager at
        once, or the count is out of date.
        """
        client = current_client()
        limits = self._limits(client)
        if limits is UNLIMITED:
            return [*requests]
        denials = [await self._worth(client, limits, request) for request in requests]
        denials = self._counted(client, limits, requests, denials)
        self._draw(client, limits, sum(denial is None for denial in denials))
        return [
            request if denial is None else Barred(request, denial)
            for request, denial in zip(requests, denials, strict=True)
        ]

    async def to_amend(self, amended: OrderRequest) -> Denial:
        """Return why the current client may not have an open order as it is to be amended; None when it may.

        It counts as an order of that second, and not as one more open order.
        """
        client = current_client()
        limits = self._limits(client)
        if limits is UNLIMITED:
            return None
        denial = await self._worth(client, limits, amended) or await self._not_owned(client, amended)
        if denial is None and (denial := _too_fast(client, limits, amended.symbol, self._left(client, limits))) is None:
            self._draw(client, limits, 1)
        return denial

    async def _not_owned(self, client: str, amended: OrderRequest) -> Denial:
        """Check whose order it is: an amendment may add to its risk, so the right to cancel others' is not enough."""
        try:
            own = await self._own_among(client, {amended.client_order_id} - {""})
        except JournalError as error:
            return Unreachable(f"whose order this is can't be read: {error}; nothing was sent", symbol=amended.symbol)
        if amended.client_order_id in own:
            return None
        named = amended.client_order_id or "one that was placed without a client_order_id"
        return PermissionDenied(f"client {client}: may amend its own orders only, not {named}", symbol=amended.symbol)

    async def to_cancel(self, refs: Sequence[OrderRef]) -> list[OrderRef | ExchangeError]:
        """Return each reference that the current client may cancel, or the error that denies it."""
        client = current_client()
        limits = self._limits(client)
        if limits is UNLIMITED:
            return [*refs]
        denials = [_symbol(client, limits, ref.symbol) for ref in refs]
        if limits.cancel_others:
            return [denial or ref for ref, denial in zip(refs, denials, strict=True)]
        try:
            own = await self._own_among(client, {ref.client_order_id for ref in refs if ref.client_order_id})
        except JournalError as error:
            raise Unreachable(f"whose orders these are can't be read: {error}; nothing was sent") from None
        return [
            # Only by the id that was checked.
            denial or (replace(ref, order_id="") if ref.client_order_id in own else _not_its_own(client, ref))
            for ref, denial in zip(refs, denials, strict=True)
        ]

    def check_cancel_all(self, symbol: str) -> None:
        """Check that the current client may cancel every order of a symbol, whichever client placed it.

        Raises:
            PermissionDenied: It may not.
        """
        client = current_client()
        limits = self._limits(client)
        denial = _symbol(client, limits, symbol)
        if denial is None and not limits.cancel_others:
            denial = PermissionDenied(
                f"client {client}: may cancel its own orders only; name them with CancelOrder", symbol=symbol
            )
        if denial is not None:
            raise denial

    def check_trade(self, symbol: str) -> None:
        """Check that the current client may trade a symbol.

        Raises:
            PermissionDenied: It may not.
        """
        client = current_client()
        if (denial := _symbol(client, self._limits(client), symbol)) is not None:
            raise denial

    def check_setting(self, symbol: str) -> None:
        """Let the current client change a setting of a symbol, or of the account where it is empty.

        Raises:
            PermissionDenied: It may not: the setting applies to orders and positions of other clients, too.
        """
        client = current_client()
        limits = self._limits(client)
        if not symbol and limits.symbols:
            allowed = ", ".join(sorted(limits.symbols))
            raise PermissionDenied(f"client {client}: may change settings of {allowed} only, not of the account")
        if not limits.cancel_others:
            raise PermissionDenied(
                f"client {client}: is held to its own orders, and a setting applies to all", symbol=symbol
            )
        if symbol:
            self.check_trade(symbol)

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
            # Removed from the file while its call was on the way.
            raise PermissionDenied(f"client {client}: was revoked")
        return known.limits

    async def _worth(self, client: str, limits: Limits, request: OrderRequest) -> Denial:
        """Check the limits that do not depend on the client's other orders."""
        denial = _symbol(client, limits, request.symbol)
        if denial is not None or limits.max_order_notional is None:
            return denial
        most = limits.max_order_notional
        try:
            worth = await self._notional(request, most)
        except ExchangeError as error:
            # Without a price the limit can't be checked; nothing was sent, and the error says what to do.
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
        denials: Sequence[Denial],
    ) -> list[Denial]:
        """Check the limits that depend on the client's other orders; awaits nothing and takes no token."""
        open_now = self._open_count(client)
        left = self._left(client, limits)
        answers: list[Denial] = []
        for request, denial in zip(requests, denials, strict=True):
            if denial is None and limits.max_open_orders is not None and open_now >= limits.max_open_orders:
                denial = OrderDenied(
                    f"client {client}: {open_now} orders are open or in flight; its limit is {limits.max_open_orders}",
                    symbol=request.symbol,
                )
            if denial is None:
                denial = _too_fast(client, limits, request.symbol, left)
            if denial is None:
                open_now += 1
                left -= 1
            answers.append(denial)
        return answers

    def _left(self, client: str, limits: Limits) -> float:
        """Return how many orders the client may send at once: one second's allowance, and never less than one."""
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


def _too_fast(client: str, limits: Limits, symbol: str, left: float) -> Denial:
    rate = limits.max_orders_per_second
    if rate is None or left >= 1:
        return None
    text = f"client {client}: its limit is {rate:g} new orders a second"
    return RateLimited(text, symbol=symbol, retry_after_s=(1 - left) / rate)


def _symbol(client: str, limits: Limits, symbol: str) -> Denial:
    if not limits.symbols or symbol in limits.symbols:
        return None
    allowed = ", ".join(sorted(limits.symbols))
    return PermissionDenied(f"client {client}: may not trade {symbol}, only {allowed}", symbol=symbol)
