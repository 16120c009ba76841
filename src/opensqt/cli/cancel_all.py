"""`opensqt cancel-all`: the kill switch. Halts trading, cancels until nothing is left, closes positions if asked to.

It ends with 0 only when it is proven that nothing is open, in flight or held that was to go.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace

from rich.console import Console

from opensqt.cli.close_positions import close_positions
from opensqt.cli.remaining import FINAL, Remaining, Wanted, look
from opensqt.client.exchange import RemoteExchange
from opensqt.model import client_order_id
from opensqt.model.errors import ExchangeError, OrderNotFound
from opensqt.model.order import OrderRef
from opensqt.model.venue import HaltedOrders
from opensqt.service.backoff import Backoff

HALT_PREFIX = "HALT"
_HALT_TTL_S = 60.0
"""Longer than the calls between two renewals take. If this command is killed, trading goes on after that."""
_BACKOFF_S = (0.2, 5.0)
_LOOKS = 2
"""So many looks in a row have to find nothing, for what a venue shows may lag a moment behind what it did."""


async def end_all(
    exchange: RemoteExchange, wanted: Wanted, console: Console, *, confirm: Callable[[str], Awaitable[bool]] | None
) -> int:
    """Halt, cancel, close, look again, and return 0 when it is proven that nothing is left that was to go, else 1.

    Args:
        exchange: Started.
        wanted: What to end.
        console: Where to report.
        confirm: Asks the person, who sees what would be done; None does not ask.
    """
    if confirm is not None and not await confirm(await _question(exchange, wanted)):
        console.print("nothing was done")
        return 1
    switch = KillSwitch(exchange, wanted)
    try:
        remaining = await switch.run()
    finally:
        if not wanted.hold:
            await _resume(exchange, switch.halt_id, console)
    _report(console, wanted, switch, remaining)
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
        wanted: What to end.
    """

    def __init__(self, exchange: RemoteExchange, wanted: Wanted) -> None:
        self._exchange = exchange
        self._wanted = wanted
        self.halt_id = client_order_id.new(HALT_PREFIX)
        self.seen: set[OrderRef] = set()
        """Every order that was found open or in flight."""
        self.closed: set[str] = set()
        """The symbols whose position was closed."""
        self._found = Remaining(failures=("the connector has not answered",))
        self._failed: tuple[str, ...] = ()
        """What went wrong after the last look."""
        self._since_ms = 0
        self._not_halted = ""
        """Why it can't be proven that no new order came in; empty while it can."""

    async def run(self) -> Remaining:
        """Go on until nothing is left or the time is over; return what the last look found, and what failed since."""
        try:
            async with asyncio.timeout(self._wanted.within_s):
                await self._until_nothing_is_left()
        except TimeoutError:
            pass
        unproven = (self._not_halted,) if self._not_halted else ()
        return replace(self._found, failures=(*unproven, *self._found.failures, *self._failed))

    async def _until_nothing_is_left(self) -> None:
        backoff = Backoff(*_BACKOFF_S, jitter=None)
        empty = 0
        while True:
            self._found = await self._look()
            self._failed = ()
            self.seen.update(OrderRef(symbol=ref.symbol, client_order_id=_name(ref)) for ref in self._found.orders)
            if not self._found.nothing:
                empty = 0
                self._failed = tuple(await self._act(self._found))
            elif (empty := empty + 1) == _LOOKS:
                return
            await asyncio.sleep(backoff.next_s())

    async def _look(self) -> Remaining:
        halted, failure = await self._renew()
        in_flight = () if halted is None else filter(self._wanted.includes, halted.in_flight)
        # While some are in flight the venue's answer can't be the last one; the rate limit is better used for cancels.
        ask_venue = not self.seen or not any(True for _ in in_flight)
        remaining = await look(self._exchange, self._wanted, halted, ask_venue=ask_venue)
        return replace(remaining, failures=(failure, *remaining.failures)) if failure else remaining

    async def _renew(self) -> tuple[HaltedOrders | None, str]:
        """Halt trading, or keep it halted; return which orders are left by that, or why that is not known now."""
        if self._not_halted:
            return None, ""
        ttl_s = 0.0 if self._wanted.hold else _HALT_TTL_S
        try:
            halted = await self._exchange.halt_trading(
                self.halt_id, symbol=self._wanted.symbol, reason="opensqt cancel-all", ttl_s=ttl_s
            )
        except FINAL as error:
            self._not_halted = f"trading could not be halted: {error.message}"
            return None, ""
        except ExchangeError as error:
            return None, f"which orders are in flight is not known: {error.message}"
        self._since_ms = self._since_ms or halted.halt.since_ms
        if halted.halt.since_ms != self._since_ms:
            self._not_halted = "the halt was lifted meanwhile, or the connector lost its journal; run this again"
        return halted, ""

    async def _act(self, remaining: Remaining) -> list[str]:
        """Cancel; when it is known that no order is left, close. Return what failed."""
        if remaining.orders or remaining.failures or not remaining.positions:
            return await self._cancel(remaining)
        self.closed.update(position.symbol for position in remaining.positions)
        halt_id = "" if self._not_halted else self.halt_id
        try:
            return await close_positions(self._exchange, remaining.positions, halt_id)
        except ExchangeError as error:
            return [f"closing positions: {error.message}"]

    async def _cancel(self, remaining: Remaining) -> list[str]:
        if self._wanted.everything:
            symbols = {ref.symbol for ref in remaining.orders} | ({self._wanted.symbol} - {""})
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


async def _question(exchange: RemoteExchange, wanted: Wanted) -> str:
    remaining = await look(exchange, wanted, None)
    where = wanted.symbol or "the account"
    deeds = [f"halt new orders of {where}", "cancel what is open and in flight"]
    if wanted.flatten:
        deeds.append("close at market")
    shown = remaining.summary() or "nothing is shown as open"
    return f"{', '.join(deeds)} ({'; '.join([shown, *remaining.failures])}). Go on?"


async def _resume(exchange: RemoteExchange, halt_id: str, console: Console) -> None:
    try:
        await exchange.resume_trading(halt_id)
    except ExchangeError as error:
        console.print(
            f"the halt of trading ends by itself within {_HALT_TTL_S:.0f} s: {error.message}", highlight=False
        )


def _report(console: Console, wanted: Wanted, switch: KillSwitch, remaining: Remaining) -> None:
    left = {(ref.symbol, _name(ref)) for ref in remaining.orders}
    gone = Counter(ref.symbol for ref in switch.seen if (ref.symbol, ref.client_order_id) not in left)
    parts = [f"{count} order{'s' if count > 1 else ''} on {symbol} ended" for symbol, count in sorted(gone.items())]
    parts += [f"position of {symbol} closed" for symbol in sorted(switch.closed - _symbols(remaining))]
    if parts:
        console.print(", ".join(parts), highlight=False)
    if remaining.nothing:
        held = " and no position is held" if wanted.flatten else ""
        done = "done" if parts else "nothing to do"
        console.print(f"{done}: no such order is open or in flight{held}", highlight=False)
    else:
        console.print(f"[bold red]not proven within {wanted.within_s:g} s:[/bold red] {_headline(remaining)}")
        for line in remaining.lines():
            console.print(f"  [red]{line}[/red]", highlight=False)
        console.print("run this again (--hold keeps new orders out until then), or use the exchange's own page")
    if wanted.hold:
        console.print("trading stays halted; `opensqt resume` lifts it")


def _headline(remaining: Remaining) -> str:
    summary = remaining.summary()
    return f"still there: {summary}" if summary else "nothing is left as far as is known, but not all is known"


def _symbols(remaining: Remaining) -> set[str]:
    return {position.symbol for position in remaining.positions}


def _name(ref: OrderRef) -> str:
    return ref.client_order_id or ref.order_id
