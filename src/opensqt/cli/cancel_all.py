"""`opensqt cancel-all`: the kill switch. Halts trading, cancels until nothing is left, closes positions on request.

Its exit code is 0 only when it is proven that no order of its scope is open or in flight and no position is held.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace

from rich.console import Console

from opensqt.cli.as_json import print_json
from opensqt.cli.close_positions import close_positions
from opensqt.cli.remaining import FINAL, CancelScope, Remaining, known_to_connector, query_remaining
from opensqt.client.exchange import RemoteExchange
from opensqt.model import client_order_id
from opensqt.model.errors import ExchangeError, OrderNotFound
from opensqt.model.order import OrderRef
from opensqt.model.venue import HaltedOrders
from opensqt.service.backoff import Backoff

HALT_PREFIX = "HALT"
_HALT_TTL_S = 60.0
"""Longer than the calls between two renewals take. If this command is killed, trading is resumed after this time."""
_UNANSWERED = ("which orders are open has not been answered",)
_FOUND_NOTHING_ONCE = ("one query found nothing, and the next one, which has to agree, was not answered in time",)
_BACKOFF_S = (0.2, 5.0)
_EMPTY_QUERIES = 2
"""Number of queries in a row that must find nothing, because a venue's queries may be stale for a moment."""


async def cancel_and_flatten(
    exchange: RemoteExchange,
    scope: CancelScope,
    console: Console,
    *,
    confirm: Callable[[str], Awaitable[bool]] | None,
    json: bool = False,
) -> int:
    """Halt, cancel, close, query again, and return 0 when it is proven that nothing of the scope is left, else 1.

    Args:
        exchange: Started.
        scope: The orders and positions to end.
        console: Console of the report.
        confirm: Shows what would be done and returns whether the person agrees; None skips the confirmation.
        json: Print the result on stdout as JSON, too.
    """
    if confirm is not None and not await confirm(await _confirmation(exchange, scope)):
        console.print("nothing was done")
        return 1
    switch = KillSwitch(exchange, scope)
    try:
        remaining = await switch.run()
    except asyncio.CancelledError:
        _report(console, scope, switch, switch.unproven(), "interrupted, not proven")
        raise
    finally:
        if not scope.hold and switch.halted is not False:
            await _resume(exchange, switch.halt_id, console)
    _report(console, scope, switch, remaining, f"not proven within {scope.within_s:g} s")
    if json:
        print_json(_facts(scope, switch, remaining))
    if remaining.nothing:
        return 0
    for check in (await exchange.get_status()).checks:
        if not check.ok:
            console.print(f"the connector is not healthy: {check.name}: {check.reason}", highlight=False)
    return 1


class KillSwitch:
    """One run of the command.

    Args:
        exchange: Started.
        scope: The orders and positions to end.
        pause_s: First and longest pause between two queries.
    """

    def __init__(
        self, exchange: RemoteExchange, scope: CancelScope, *, pause_s: tuple[float, float] = _BACKOFF_S
    ) -> None:
        self._exchange = exchange
        self._scope = scope
        self._pause_s = pause_s
        self.halt_id = client_order_id.new(HALT_PREFIX)
        self.halted: bool | None = None
        """Whether trading was halted, or refused to be; None while no call has been answered."""
        self.seen: set[OrderRef] = set()
        """Every order that was found open or in flight."""
        self.closed: set[str] = set()
        """The symbols whose position was closed."""
        self._found = Remaining(failures=("the connector has not answered",))
        self._unknown: tuple[str, ...] = _UNANSWERED
        """What is not known while a query is under way: why the last one was not answered."""
        self._failed: tuple[str, ...] = ()
        """Failures since the last query."""
        self._reported: HaltedOrders | None = None
        """The connector's last response to the halt."""
        self._not_halted = ""
        """Why it can't be proven that no new order came in; empty while it can."""

    async def run(self) -> Remaining:
        """Continue until nothing is left or the time is over; return the last query's result, with failures since."""
        try:
            async with asyncio.timeout(self._scope.within_s):
                await self._until_nothing_is_left()
        except TimeoutError:
            return self.unproven()
        return self._result()

    def unproven(self) -> Remaining:
        """Return what is left, or not known, while the run has not come to its end."""
        result = self._result()
        return replace(result, failures=_FOUND_NOTHING_ONCE) if result.nothing else result

    def _result(self) -> Remaining:
        not_halted = (self._not_halted,) if self._not_halted else ()
        return replace(self._found, failures=(*not_halted, *self._found.failures, *self._failed))

    async def _until_nothing_is_left(self) -> None:
        backoff = Backoff(*self._pause_s, jitter=None)
        empty = 0
        while True:
            self._found = await self._query()
            self._unknown = self._found.failures or _UNANSWERED
            self._failed = ()
            self.seen.update(OrderRef(symbol=ref.symbol, client_order_id=_name(ref)) for ref in self._found.orders)
            if not self._found.nothing:
                empty = 0
                self._failed = tuple(await self._act(self._found))
            elif (empty := empty + 1) == _EMPTY_QUERIES:
                return
            await asyncio.sleep(backoff.next_s())

    async def _query(self) -> Remaining:
        failure = await self._renew()
        known = known_to_connector(self._reported, self._scope)
        # This stands until the venue has replied, too.
        self._found = replace(known, failures=(failure,) if failure else self._unknown)
        if self.seen and known.in_flight and not failure:
            # The venue's reply could not be final yet; the rate limit is better used for cancels.
            return known
        found = await query_remaining(self._exchange, self._scope, known)
        return replace(found, failures=(failure, *found.failures)) if failure else found

    async def _renew(self) -> str:
        """Halt trading, or renew the halt, and keep the response; return why there is none, empty when there is one."""
        if self._not_halted:
            return ""
        ttl_s = 0.0 if self._scope.hold else _HALT_TTL_S
        try:
            halted = await self._exchange.halt_trading(
                self.halt_id, symbol=self._scope.symbol, reason="opensqt cancel-all", ttl_s=ttl_s
            )
        except FINAL as error:
            self._reported, self._not_halted = None, f"trading could not be halted: {error.message}"
            self.halted = self.halted or False
            return ""
        except ExchangeError as error:
            return f"which orders are in flight now is not known: {error.message}"
        before, self._reported, self.halted = self._reported, halted, True
        if before is not None and before.halt.since_ms != halted.halt.since_ms:
            self._not_halted = "the halt was lifted meanwhile, or the connector lost its journal; run this again"
        return ""

    async def _act(self, remaining: Remaining) -> list[str]:
        """Cancel; once it is known that no order is left, close positions. Return what failed."""
        if remaining.orders or remaining.failures or not remaining.positions:
            return await self._cancel(remaining)
        self.closed.update(position.symbol for position in remaining.positions)
        halt_id = "" if self._not_halted else self.halt_id
        try:
            return await close_positions(self._exchange, remaining.positions, halt_id)
        except ExchangeError as error:
            return [f"closing positions: {error.message}"]

    async def _cancel(self, remaining: Remaining) -> list[str]:
        if self._scope.everything:
            symbols = {ref.symbol for ref in remaining.orders} | ({self._scope.symbol} - {""})
            return [text for text in await asyncio.gather(*map(self._cancel_symbol, sorted(symbols))) if text]
        refs = list(remaining.open)
        outcomes = await self._exchange.batch_cancel_orders(refs) if refs else []
        return [
            f"cancel of {_name(ref)} on {ref.symbol}: {outcome.message}"
            for ref, outcome in zip(refs, outcomes, strict=True)
            if isinstance(outcome, ExchangeError) and not isinstance(outcome, OrderNotFound)
        ]

    async def _cancel_symbol(self, symbol: str) -> str:
        try:
            await self._exchange.cancel_all_orders(symbol)
        except ExchangeError as error:
            return error.message
        return ""


async def _confirmation(exchange: RemoteExchange, scope: CancelScope) -> str:
    remaining = await query_remaining(exchange, scope, Remaining())
    where = scope.symbol or "the account"
    actions = [f"halt new orders of {where}", "cancel what is open and in flight"]
    if scope.flatten:
        actions.append("close at market")
    shown = remaining.summary() or "nothing is shown as open"
    return f"{', '.join(actions)} ({'; '.join([shown, *remaining.failures])}). Go on?"


async def _resume(exchange: RemoteExchange, halt_id: str, console: Console) -> None:
    try:
        await exchange.resume_trading(halt_id)
    except ExchangeError as error:
        console.print(
            f"the halt of trading ends by itself within {_HALT_TTL_S:.0f} s: {error.message}", highlight=False
        )


def _report(console: Console, scope: CancelScope, switch: KillSwitch, remaining: Remaining, failed: str) -> None:
    left = {(ref.symbol, _name(ref)) for ref in remaining.orders}
    gone = Counter(ref.symbol for ref in switch.seen if (ref.symbol, ref.client_order_id) not in left)
    parts = [f"{count} order{'s' if count > 1 else ''} on {symbol} ended" for symbol, count in sorted(gone.items())]
    parts += [f"position of {symbol} closed" for symbol in sorted(switch.closed - _symbols(remaining))]
    if parts:
        console.print(", ".join(parts), highlight=False)
    if remaining.nothing:
        held = " and no position is held" if scope.flatten else ""
        done = "done" if parts else "nothing to do"
        console.print(f"{done}: no such order is open or in flight{held}", highlight=False)
    else:
        console.print(f"[bold red]{failed}:[/bold red] {_headline(remaining)}", highlight=False)
        for line in remaining.lines():
            console.print(f"  [red]{line}[/red]", highlight=False)
        console.print("run this again (--hold keeps new orders out until then), or use the exchange's own page")
    if scope.hold and switch.halted:
        console.print("trading stays halted; `opensqt resume` lifts it")
    elif scope.hold and switch.halted is None:
        console.print("whether trading is halted is not known, for no call was answered")


def _facts(scope: CancelScope, switch: KillSwitch, remaining: Remaining) -> dict[str, object]:
    left = {(ref.symbol, _name(ref)) for ref in remaining.orders}
    return {
        "proven": remaining.nothing,
        "ended": [ref for ref in switch.seen if (ref.symbol, ref.client_order_id) not in left],
        "closed_positions": sorted(switch.closed - _symbols(remaining)),
        "open": remaining.open,
        "in_flight": remaining.in_flight,
        "positions": remaining.positions,
        "not_known": remaining.failures,
        "halted": scope.hold,
    }


def _headline(remaining: Remaining) -> str:
    summary = remaining.summary()
    return f"still there: {summary}" if summary else "nothing is left as far as is known, but not all is known"


def _symbols(remaining: Remaining) -> set[str]:
    return {position.symbol for position in remaining.positions}


def _name(ref: OrderRef) -> str:
    return ref.client_order_id or ref.order_id
