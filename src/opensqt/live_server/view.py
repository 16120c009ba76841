"""The state that the page shows, of one symbol and its account, and the messages that follow from a change.

No I/O and no waiting: updates go in, messages come out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from opensqt.live_server import messages
from opensqt.live_server.fills import FillBook
from opensqt.live_server.messages import PageMessage
from opensqt.model.account import Account, Position
from opensqt.model.clock import Clock, now_ns
from opensqt.model.market import INTERVALS_MS, Candle, Price
from opensqt.model.order import Fill, Order, OrderUpdate, PositionSide
from opensqt.model.stream import Batch
from opensqt.model.venue import Check, ExchangeInfo, ExchangeStatus, SymbolRules
from opensqt.telemetry.logging import redact

CONNECTOR = "connector"
"""Name of the check that fails when the connector does not respond; RemoteExchange uses the same name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedSymbol:
    """The symbol that is shown, and how."""

    symbol: str
    interval: str
    """A key of INTERVALS_MS."""
    info: ExchangeInfo
    rules: SymbolRules
    candles: int = 100
    """Candles that are kept and sent to each client as it connects."""
    stale_after_s: float = 3
    """Age from which a price is marked as stale."""


class View:
    """The state behind the page.

    Args:
        watched: The symbol that is shown.
        fills: Counts the fills.
        clock: Nanoseconds; the age of a price is measured with it.
    """

    def __init__(self, watched: WatchedSymbol, fills: FillBook, *, clock: Clock = now_ns) -> None:
        self.watched = watched
        self.fills = fills
        self._clock = clock
        self._candles: dict[int, Candle] = {}
        self._orders: dict[str, Order] = {}
        self._account: Account | None = None
        self._positions: dict[PositionSide, Position] = {}
        self._other_positions: Decimal | None = None
        self._price: Price | None = None
        self._price_ns: int | None = None
        self._status_known = False
        self._failing: dict[str, Check] = {}
        self._streamed: dict[int, Candle] = {}
        self._unsent: dict[str, PageMessage] = {}

    @property
    def open_orders(self) -> tuple[Order, ...]:
        """The open orders of the account on this symbol."""
        return tuple(self._orders.values())

    @property
    def candles(self) -> tuple[Candle, ...]:
        """The candles, oldest first."""
        return tuple(self._candles.values())

    @property
    def connected(self) -> bool:
        """Whether the exchange responded to the last query of its health."""
        return self._status_known and CONNECTOR not in self._failing

    def snapshot(self) -> list[PageMessage]:
        """Return the messages that a client starts with."""
        found = [
            self.status(),
            messages.history(self._candles.values()),
            messages.orders(self._orders.values()),
            messages.trades(self.fills.recent),
        ]
        found += self._account_messages()
        if self._price is not None:
            found.append(messages.price(self._price))
        return [*found, *self._position_messages(), *(self._risk(check) for check in self._failing.values())]

    def take_pending(self) -> list[PageMessage]:
        """Return and remove the newest price, candle and position since the last call; they are sent at an interval."""
        if "price" in self._unsent:
            # The value of a position changes with each price, and so does that of the account.
            values = [*self._position_messages(), *self._account_messages()]
            self._unsent |= {f"value {index}": message for index, message in enumerate(values)}
        drained, self._unsent = list(self._unsent.values()), {}
        return drained

    def expect_history(self) -> None:
        """Prepare for a query of the candles: candles streamed from now on are newer than its response."""
        self._streamed.clear()

    def set_history(self, candles: Iterable[Candle]) -> list[PageMessage]:
        """Replace the candles by the venue's list, with the candles streamed since the query on top."""
        listed = {candle.open_time_ms: candle for candle in candles}
        self._candles = dict(sorted((listed | self._streamed).items())[-self.watched.candles :])
        self._streamed.clear()
        self._unsent.pop("kline", None)
        return [messages.history(self._candles.values())]

    def on_candles(self, batch: Batch[Candle]) -> list[PageMessage]:
        """Apply streamed candles. A forming candle is sent at an interval, a closed one at once."""
        new = [] if (unsent := self._unsent.pop("kline", None)) is None else [unsent]
        for candle in batch.updates:
            at = candle.open_time_ms
            self._streamed[at] = candle
            if at in self._candles or at > next(reversed(self._candles), 0):
                self._candles[at] = candle
                new = [message for message in new if message.latest != ("kline", at)] + [messages.kline(candle)]
        for held in (self._candles, self._streamed):
            for at in list(held)[: -self.watched.candles]:
                del held[at]
        if new and not new[-1].data["closed"]:
            self._unsent["kline"] = new.pop()
        return new

    def needs_history(self, batch: Batch[Candle]) -> bool:
        """Return whether the history has to be loaded again: *batch* is a snapshot, or leaves a gap."""
        if batch.snapshot or not self._candles:
            return True
        newest, step = next(reversed(self._candles)), INTERVALS_MS[self.watched.interval]
        return any(candle.open_time_ms > newest + step for candle in batch.updates[:1])

    def on_orders(self, batch: Batch[OrderUpdate]) -> list[PageMessage]:
        """Apply orders and their fills."""
        updates = [update for update in batch.updates if update.order.symbol == self.watched.symbol]
        new = []
        if batch.snapshot:
            self._orders.clear()
        for update in updates:
            order = update.order
            key = order.client_order_id or order.order_id
            if order.status.is_closed:
                self._orders.pop(key, None)
            else:
                self._orders[key] = order
            if not batch.snapshot:
                new.append(messages.order(order))
        if batch.snapshot:
            new.append(messages.orders(self._orders.values()))
        return new + self.on_fills(update.fill for update in updates if update.fill is not None)

    def on_fills(self, fills: Iterable[Fill], *, listed: bool = False) -> list[PageMessage]:
        """Apply fills from the stream or, with *listed*, the venue's list of them.

        Returns:
            One message for each new fill. The first list is one message: its fills are past, not new.
        """
        wanted = [fill for fill in fills if fill.symbol == self.watched.symbol]
        was_complete = self.fills.complete
        new = self.fills.add_list(wanted) if listed else self.fills.add(wanted)
        if self.fills.complete != was_complete:
            return [messages.trades(self.fills.recent), *self._position_messages()]
        if not new:
            return []
        return [*(messages.trade_event(fill) for fill in new), *self._position_messages()]

    def on_account(self, batch: Batch[Account]) -> list[PageMessage]:
        """Apply the balance."""
        if not batch.updates:
            return []
        self._account = batch.updates[-1]
        return self._account_messages()

    def on_all_positions(self, positions: Iterable[Position]) -> None:
        """Apply the positions of the whole account: the value of other symbols' positions belongs to its equity."""
        others = (position for position in positions if position.symbol != self.watched.symbol)
        self._other_positions = sum((position.unrealized_pnl for position in others), Decimal(0))

    def on_positions(self, batch: Batch[Position]) -> list[PageMessage]:
        """Apply positions; in hedge mode a long and a short one."""
        if batch.snapshot:
            held = {update.position_side for update in batch.updates if update.symbol == self.watched.symbol}
            # A position that a snapshot leaves out is closed.
            for side in self._positions.keys() - held:
                self._positions[side] = Position(
                    symbol=self.watched.symbol, quantity=Decimal(0), entry_price=Decimal(0), position_side=side
                )
        for position in batch.updates:
            if position.symbol == self.watched.symbol:
                before = self._positions.get(position.position_side)
                if position.leverage is None and before is not None:
                    # Venues return it in queries, and leave it out of their streams.
                    position = replace(position, leverage=before.leverage)
                self._positions[position.position_side] = position
        return self._position_messages()

    def on_price(self, batch: Batch[Price]) -> list[PageMessage]:
        """Apply the best bid and ask."""
        if batch.updates:
            self._price = batch.updates[-1]
            self._unsent["price"] = messages.price(self._price)
            # A snapshot may repeat an old price; only a streamed price proves that the stream delivers.
            if self._price_ns is None or not batch.snapshot:
                self._price_ns = self._clock()
        return []

    def on_status(self, status: ExchangeStatus | None, reason: str = "") -> list[PageMessage]:
        """Apply the health of the exchange; None when it could not be queried, for *reason*."""
        self._status_known = True
        if status is None:
            failing = self._failing | {CONNECTOR: Check(name=CONNECTOR, ok=False, reason=reason)}
        else:
            failing = {check.name: check for check in status.checks if not check.ok}
        begun = [check for name, check in failing.items() if name not in self._failing]
        over = [check for name, check in self._failing.items() if name not in failing]
        self._failing = failing
        return [self.status(), *map(self._risk, begun), *map(self._over, over)]

    def reasons(self) -> list[str]:
        """Return the reasons why the page may show old or wrong data; empty when there is none."""
        reasons = [_describe(check) for check in self._failing.values()]
        if not self._status_known:
            reasons.append("the health of the exchange is not known yet")
        age = self.price_age_s()
        if age is None:
            reasons.append("no price yet")
        elif age > self.watched.stale_after_s:
            reasons.append(f"no price for {age:.0f} s")
        return reasons

    def price_age_s(self) -> float | None:
        """Return the seconds since the last price was received; None before the first."""
        return None if self._price_ns is None else max(0, self._clock() - self._price_ns) / 1e9

    def status(self) -> PageMessage:
        """Return the message of the page's state: whether its data is fresh, and the names and steps that it needs."""
        watched, age, reasons = self.watched, self.price_age_s(), self.reasons()
        data: dict[str, Any] = {
            "symbol": watched.symbol,
            "interval": watched.interval,
            "intervalSeconds": INTERVALS_MS[watched.interval] // 1000,
            "baseAsset": watched.rules.base_asset,
            "quoteAsset": watched.rules.quote_asset,
            "priceStep": messages.plain(watched.rules.price_step),
            "quantityStep": messages.plain(watched.rules.quantity_step),
            "exchange": watched.info.name,
            "simulated": watched.info.simulated,
            "testnet": watched.info.testnet,
            "trading": watched.info.capabilities.trading,
            "connected": self.connected,
            "stale": bool(reasons),
            "reasons": reasons,
            "priceAge": None if age is None else round(age, 1),
            "time": self._clock() // 10**9,
        }
        return PageMessage("status", data, "status")

    def _account_messages(self) -> list[PageMessage]:
        if self._account is None:
            return []
        open_profit = None
        if self._other_positions is not None:
            here = (messages.unrealized(position, self._price) for position in self._positions.values())
            open_profit = sum(here, self._other_positions)
        return [messages.account(self._account, self.watched.symbol, open_profit=open_profit)]

    def _position_messages(self) -> list[PageMessage]:
        return [
            messages.position(position, self._price, self.fills.profit(side))
            for side, position in self._positions.items()
        ]

    def _risk(self, check: Check) -> PageMessage:
        return messages.risk_status(
            self.watched.symbol, check.name, "critical", _describe(check), self._clock() // 10**6
        )

    def _over(self, check: Check) -> PageMessage:
        text = f"{check.name} passes again"
        return messages.risk_status(self.watched.symbol, check.name, "info", text, self._clock() // 10**6)


def _describe(check: Check) -> str:
    return redact(check.reason) or f"{check.name} fails"
