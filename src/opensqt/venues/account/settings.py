"""Changes of the account's settings: leverage, margin mode, position mode. Each is sent once, and then queried."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TypeVar

from opensqt.model.account import MarginMode, PositionMode
from opensqt.model.errors import (
    ExchangeError,
    InvalidRequest,
    OrderRejected,
    OutcomeUnknown,
    SettingRefused,
    Unsupported,
)
from opensqt.model.venue import MarginModeScope
from opensqt.service.backoff import exponential_s
from opensqt.telemetry.logging import get_logger
from opensqt.venues.account.queries import AccountQueries
from opensqt.venues.account.settings_gate import SettingsGate
from opensqt.venues.account.state import AccountState
from opensqt.venues.health import BackgroundTasks
from opensqt.venues.ratelimit.limiter import in_lane
from opensqt.venues.ratelimit.window import Lane
from opensqt.venues.venue import Venue

_log = get_logger("venue")
_QUERY_BACKOFF_S = 0.1, 1.0
_NAMED = 5
T = TypeVar("T")


class SettingChanges:
    """Changes settings of the account, one after the other, and keeps orders from overtaking them.

    A change goes on when its caller is gone: half of it may be done, and orders must not overtake the rest.

    Args:
        venue: Sends the requests.
        state: The positions, which depend on the position mode.
        queries: Finds what is open.
        gate: Holds back the orders.
        tasks: Owns the changes.
    """

    def __init__(
        self, venue: Venue, state: AccountState, queries: AccountQueries, gate: SettingsGate, tasks: BackgroundTasks
    ) -> None:
        self._venue = venue
        self._state = state
        self._queries = queries
        self._gate = gate
        self._tasks = tasks

    async def set_leverage(self, symbol: str, leverage: int) -> Decimal:
        """Set the leverage of a symbol, and return what a query then reports."""
        venue = self._venue
        self._require(venue.capabilities.set_leverage, "the leverage of a symbol")
        largest = venue.rules[symbol].max_leverage
        if leverage < 1 or (largest is not None and leverage > largest):
            raise InvalidRequest(f"leverage {leverage}: expected 1 to {largest or 'the most'}", symbol=symbol)

        async def change() -> Decimal:
            async with self._gate.changing(symbol):
                found = await self._change(
                    f"leverage of {symbol}",
                    Decimal(leverage),
                    lambda: venue.leverage(symbol),
                    lambda: venue.change_leverage(symbol, leverage),
                    symbol,
                )
                self._state.apply_leverage(symbol, found)
                return found

        return await self._run(change, symbol)

    async def set_margin_mode(self, symbol: str, mode: MarginMode) -> MarginMode:
        """Set the margin mode of a symbol, or of the account, and return what a query then reports."""
        venue = self._venue
        scope = venue.capabilities.margin_mode_scope
        self._require(scope is not MarginModeScope.NONE, "a margin mode")
        self._require(mode in venue.capabilities.margin_modes, f"margin mode {mode}")
        if scope is MarginModeScope.ACCOUNT and symbol:
            raise InvalidRequest(f"symbol {symbol!r}: expected none; {venue.name} has one margin mode for the account")
        if scope is MarginModeScope.SYMBOL and not symbol:
            raise InvalidRequest(f"symbol '': expected a symbol; {venue.name} has a margin mode for each")

        async def change() -> MarginMode:
            async with self._gate.changing(symbol):
                return await self._change(
                    f"margin mode of {symbol or 'the account'}",
                    mode,
                    lambda: venue.current_margin_mode(symbol),
                    lambda: venue.change_margin_mode(symbol, mode),
                    symbol,
                    is_mode=True,
                )

        return await self._run(change, symbol)

    async def set_position_mode(self, mode: PositionMode) -> PositionMode:
        """Switch the position mode of the account, and return what a query then reports."""
        venue = self._venue
        self._require(venue.capabilities.set_position_mode, "the position mode")

        async def query() -> PositionMode:
            await venue.load_position_mode()
            return venue.position_mode

        async def change() -> PositionMode:
            async with self._gate.changing():
                before = venue.position_mode
                try:
                    return await self._change(
                        "position mode", mode, query, lambda: venue.set_position_mode(mode), is_mode=True
                    )
                finally:
                    if venue.position_mode is not before:
                        self._state.forget_positions()

        return await self._run(change, "")

    async def _change(
        self,
        what: str,
        wanted: T,
        query: Callable[[], Awaitable[T]],
        send: Callable[[], Awaitable[object]],
        symbol: str = "",
        *,
        is_mode: bool = False,
    ) -> T:
        """Send a change once, and query the setting until it is proven.

        Args:
            what: What errors and the log call it.
            wanted: The value.
            query: Queries the value.
            send: Sends the change.
            symbol: The symbol that it applies to; empty for all.
            is_mode: Whether it can't be changed while something is open. A mode that is in force already is returned.
        """
        with in_lane(Lane.ORDER):
            if is_mode:
                if (current := await self._venue.parse_or_raise(query())) == wanted:
                    return current
                await self._require_free(f"{what} {wanted}", symbol)
            lost: OutcomeUnknown | None = None
            try:
                await self._venue.parse_or_unknown(send(), symbol)
            except OutcomeUnknown as error:
                lost = error
            except OrderRejected as error:
                raise SettingRefused(
                    f"{what} {wanted}: {error.message}", venue_code=error.venue_code, symbol=symbol
                ) from error
            found, failure = await self._query_until(query, wanted)
        if found == wanted and found is not None:
            _log.info("setting changed", venue=self._venue.name, setting=what, value=str(found))
            return found
        now = f"the venue still has {found}" if found is not None else f"it can't be queried: {failure}"
        if lost is not None:
            raise OutcomeUnknown(f"{what} {wanted}: {lost.message}; {now}", symbol=symbol)
        if found is None:
            raise OutcomeUnknown(f"{what} {wanted}: the venue accepted it; {now}", symbol=symbol)
        raise SettingRefused(f"{what} {wanted}: the venue accepted it and has {found}", symbol=symbol)

    async def _query_until(self, query: Callable[[], Awaitable[T]], wanted: T) -> tuple[T | None, ExchangeError | None]:
        """Query a setting until it has a value, for as long as queries may be stale; return the last value or error."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._venue.settings.visibility_margin_s
        failures = 0
        while True:
            found, failure = None, None
            try:
                found = await self._venue.parse_or_raise(query())
            except ExchangeError as error:
                failure = error
            pause_s = max(exponential_s(failures, *_QUERY_BACKOFF_S), getattr(failure, "retry_after_s", None) or 0)
            if found == wanted or loop.time() + pause_s > until_s:
                return found, failure
            failures += 1
            await asyncio.sleep(pause_s)

    async def _require_free(self, what: str, symbol: str) -> None:
        """Refuse a change while a position or an order is open that it would apply to."""
        held = [f"{one.symbol} {one.quantity:f}" for one in await self._queries.positions(symbol) if not one.is_flat]
        orders = [f"{one.symbol} {one.order_id}" for one in await self._queries.open_orders(symbol)]
        if held or orders:
            open_now = " and ".join(
                _listed(kind, found) for kind, found in (("positions", held), ("orders", orders)) if found
            )
            raise SettingRefused(f"{what}: {open_now} are open; close and cancel them first", symbol=symbol)

    async def _run(self, change: Callable[[], Awaitable[T]], symbol: str) -> T:
        """Run a change to its end, also when the caller is gone."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        async def run() -> None:
            try:
                done.set_result(await change())
            except ExchangeError as error:
                done.set_exception(error)
            finally:
                if not done.done():
                    text = "the connection was closed while the setting was changed"
                    done.set_exception(OutcomeUnknown(text, symbol=symbol))

        self._tasks.start("setting", run(), lasting=False)
        return await asyncio.shield(done)

    def _require(self, able: bool, what: str) -> None:
        if not able:
            raise Unsupported(f"{what} can't be set on {self._venue.name}")


def _listed(kind: str, found: list[str]) -> str:
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f"{kind} {', '.join(found[:_NAMED])}{more}"
