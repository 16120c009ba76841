"""What the page shows: the state of one symbol and its account, and which messages a change of it makes.

No I/O and no waiting: updates go in, messages come out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from opensqt.live_server import messages
from opensqt.live_server.fills import FillBook
from opensqt.live_server.messages import Message
from opensqt.model.account import Account, Position
from opensqt.model.clock import Clock, now_ns
from opensqt.model.market import INTERVALS_MS, Candle, Price
from opensqt.model.order import Fill, Order, OrderUpdate, PositionSide
from opensqt.model.stream import Batch
from opensqt.model.venue import Check, ExchangeInfo, ExchangeStatus, SymbolRules
from opensqt.telemetry.logging import redact

CONNECTOR = "connector"
"""The check that fails when nothing behind us answers; RemoteExchange calls it so too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is looked at."""

    symbol: str
    interval: str
    """A key of INTERVALS_MS."""
    info: ExchangeInfo
    rules: SymbolRules
    candles: int = 100
    """How many are kept and sent to each client as it connects."""
    stale_after_s: float = 3
    """A price that is older than this is marked."""


class View:
    """The state behind the page.

    Args:
        subject: What is looked at.
        fills: Where fills are counted.
        clock: Tells the age of what was received.
    """

    def __init__(self, subject: Subject, fills: FillBook, *, clock: Clock = now_ns) -> None:
        self.subject = subject
        self.fills = fills
        self._clock = clock
        self._candles: dict[int, Candle] = {}
        self._orders: dict[str, Order] = {}
        self._account: Account | None = None
        self._positions: dict[PositionSide, Position] = {}
        self._elsewhere: Decimal | None = None
        self._price: Price | None = None
        self._price_ns: int | None = None
        self._asked = False
        self._failing: dict[str, Check] = {}
        self._streamed: dict[int, Candle] = {}
        self._unsent: dict[str, Message] = {}

    @property
    def open_orders(self) -> tuple[Order, ...]:
        """Our open orders."""
        return tuple(self._orders.values())

    @property
    def candles(self) -> tuple[Candle, ...]:
        """The candles, oldest first."""
        return tuple(self._candles.values())

    @property
    def connected(self) -> bool:
        """Whether the exchange answered when it was last asked for its health."""
        return self._asked and CONNECTOR not in self._failing

    def snapshot(self) -> list[Message]:
        """All that a client needs to begin with."""
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

    def drain(self) -> list[Message]:
        """The newest price, candle and position since the last call: what may be told at the page's own pace."""
        if "price" in self._unsent:
            # A position is worth something else at each price, and so is the account.
            worth = [*self._position_messages(), *self._account_messages()]
            self._unsent |= {f"worth {index}": one for index, one in enumerate(worth)}
        drained, self._unsent = list(self._unsent.values()), {}
        return drained

    def expect_history(self) -> None:
        """Say that the venue is being asked for its candles: those streamed from now on are newer than its answer."""
        self._streamed.clear()

    def set_history(self, candles: Iterable[Candle]) -> list[Message]:
        """Take the venue's candles for the truth, with those that were streamed since it was asked on top."""
        listed = {candle.open_time_ms: candle for candle in candles}
        self._candles = dict(sorted((listed | self._streamed).items())[-self.subject.candles :])
        self._streamed.clear()
        self._unsent.pop("kline", None)
        return [messages.history(self._candles.values())]

    def on_candles(self, batch: Batch[Candle]) -> list[Message]:
        """Take streamed candles; one that forms waits for the page's pace, one that closed is told at once."""
        told = [] if (waiting := self._unsent.pop("kline", None)) is None else [waiting]
        for candle in batch.updates:
            at = candle.open_time_ms
            self._streamed[at] = candle
            if at in self._candles or at > next(reversed(self._candles), 0):
                self._candles[at] = candle
                told = [one for one in told if one.latest != ("kline", at)] + [messages.kline(candle)]
        for held in (self._candles, self._streamed):
            for at in list(held)[: -self.subject.candles]:
                del held[at]
        if told and not told[-1].data["closed"]:
            self._unsent["kline"] = told.pop()
        return told

    def lacks_candle(self, batch: Batch[Candle]) -> bool:
        """Whether the history has to be asked for again before *batch* is taken: it starts anew, or leaves a hole."""
        if batch.snapshot or not self._candles:
            return True
        newest, step = next(reversed(self._candles)), INTERVALS_MS[self.subject.interval]
        return any(candle.open_time_ms > newest + step for candle in batch.updates[:1])

    def on_orders(self, batch: Batch[OrderUpdate]) -> list[Message]:
        """Take orders, and the fills that moved them."""
        updates = [update for update in batch.updates if update.order.symbol == self.subject.symbol]
        told = []
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
                told.append(messages.order(order))
        if batch.snapshot:
            told.append(messages.orders(self._orders.values()))
        return told + self.on_fills(update.fill for update in updates if update.fill is not None)

    def on_fills(self, fills: Iterable[Fill], *, listed: bool = False) -> list[Message]:
        """Take fills from the stream or, with *listed*, the venue's list of them.

        Returns:
            What is new. The first list is told as a whole: it is what was before, not what happens now.
        """
        wanted = [fill for fill in fills if fill.symbol == self.subject.symbol]
        was_complete = self.fills.complete
        new = self.fills.add_list(wanted) if listed else self.fills.add(wanted)
        if self.fills.complete != was_complete:
            return [messages.trades(self.fills.recent), *self._position_messages()]
        if not new:
            return []
        return [*(messages.trade_event(fill) for fill in new), *self._position_messages()]

    def on_account(self, batch: Batch[Account]) -> list[Message]:
        """Take the balance."""
        if not batch.updates:
            return []
        self._account = batch.updates[-1]
        return self._account_messages()

    def on_all_positions(self, positions: Iterable[Position]) -> None:
        """Take the positions of the whole account: what those of other symbols are worth belongs to its equity."""
        others = (one for one in positions if one.symbol != self.subject.symbol)
        self._elsewhere = sum((one.unrealized_pnl for one in others), Decimal(0))

    def on_positions(self, batch: Batch[Position]) -> list[Message]:
        """Take positions; in hedge mode a long and a short one."""
        if batch.snapshot:
            held = {update.position_side for update in batch.updates if update.symbol == self.subject.symbol}
            # A snapshot that leaves out what was held says that it is gone.
            for side in self._positions.keys() - held:
                self._positions[side] = Position(
                    symbol=self.subject.symbol, quantity=Decimal(0), entry_price=Decimal(0), position_side=side
                )
        for position in batch.updates:
            if position.symbol == self.subject.symbol:
                held_before = self._positions.get(position.position_side)
                if position.leverage is None and held_before is not None:
                    # Venues tell it when asked, and leave it out of their streams.
                    position = replace(position, leverage=held_before.leverage)
                self._positions[position.position_side] = position
        return self._position_messages()

    def on_price(self, batch: Batch[Price]) -> list[Message]:
        """Take the best bid and ask."""
        if batch.updates:
            self._price = batch.updates[-1]
            self._unsent["price"] = messages.price(self._price)
            # A snapshot repeats what may be old; only a streamed price proves that the stream lives.
            if self._price_ns is None or not batch.snapshot:
                self._price_ns = self._clock()
        return []

    def on_status(self, status: ExchangeStatus | None, reason: str = "") -> list[Message]:
        """Take the health of what is behind us; None when it could not be asked, for *reason*."""
        self._asked = True
        if status is None:
            failing = self._failing | {CONNECTOR: Check(name=CONNECTOR, ok=False, reason=reason)}
        else:
            failing = {check.name: check for check in status.checks if not check.ok}
        begun = [check for name, check in failing.items() if name not in self._failing]
        over = [check for name, check in self._failing.items() if name not in failing]
        self._failing = failing
        return [self.status(), *map(self._risk, begun), *map(self._over, over)]

    def reasons(self) -> list[str]:
        """Why what is shown may be old or wrong; empty when it is not."""
        told = [_words(check) for check in self._failing.values()]
        if not self._asked:
            told.append("the exchange was not asked yet")
        age = self.price_age_s()
        if age is None:
            told.append("no price yet")
        elif age > self.subject.stale_after_s:
            told.append(f"no price for {age:.0f} s")
        return told

    def price_age_s(self) -> float | None:
        """How long ago the last price was received."""
        return None if self._price_ns is None else max(0, self._clock() - self._price_ns) / 1e9

    def status(self) -> Message:
        """Tell whether what is shown is fresh, and what the page has to know to show it."""
        subject, age, reasons = self.subject, self.price_age_s(), self.reasons()
        data: dict[str, Any] = {
            "symbol": subject.symbol,
            "interval": subject.interval,
            "intervalSeconds": INTERVALS_MS[subject.interval] // 1000,
            "baseAsset": subject.rules.base_asset,
            "quoteAsset": subject.rules.quote_asset,
            "priceStep": messages.plain(subject.rules.price_step),
            "quantityStep": messages.plain(subject.rules.quantity_step),
            "exchange": subject.info.name,
            "simulated": subject.info.simulated,
            "testnet": subject.info.testnet,
            "trading": subject.info.capabilities.trading,
            "connected": self.connected,
            "stale": bool(reasons),
            "reasons": reasons,
            "priceAge": None if age is None else round(age, 1),
            "time": self._clock() // 10**9,
        }
        return Message("status", data, "status")

    def _account_messages(self) -> list[Message]:
        if self._account is None:
            return []
        open_profit = None
        if self._elsewhere is not None:
            here = (messages.unrealized(one, self._price) for one in self._positions.values())
            open_profit = sum(here, self._elsewhere)
        return [messages.account(self._account, self.subject.symbol, open_profit=open_profit)]

    def _position_messages(self) -> list[Message]:
        return [messages.position(one, self._price, self.fills.profit(side)) for side, one in self._positions.items()]

    def _risk(self, check: Check) -> Message:
        return messages.risk_status(self.subject.symbol, check.name, "critical", _words(check), self._clock() // 10**6)

    def _over(self, check: Check) -> Message:
        text = f"{check.name} is well again"
        return messages.risk_status(self.subject.symbol, check.name, "info", text, self._clock() // 10**6)


def _words(check: Check) -> str:
    return redact(check.reason) or f"{check.name} is not well"
