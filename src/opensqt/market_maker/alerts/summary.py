"""The summary of one UTC day of a grid: what it earned and paid, its drawdown, and how long it stood still."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from opensqt.market_maker.alerts.day import DayCount
from opensqt.market_maker.alerts.policy import duration
from opensqt.market_maker.orders.events import GridFill
from opensqt.market_maker.profit.snapshot import ProfitDay, ProfitSnapshot

_ZERO = Decimal(0)
_SUMS = ("round_trips", "realized", "venue_made", "by_hand", "fees", "funding", "total", "volume")


@dataclass(frozen=True, slots=True, kw_only=True)
class DaySummary:
    """One UTC day. Amounts in quote unless a field names another unit."""

    symbol: str
    day: date
    fills: int
    exits: int
    """Orders that realized a profit or a loss: the round trips."""
    round_trips: Decimal
    """Realized by round trip, before fees."""
    realized: Decimal
    """Realized by average entry, before fees."""
    venue_made: Decimal
    """Realized by trades that the venue made, such as a liquidation."""
    by_hand: Decimal
    fees: Decimal
    funding: Decimal
    """Received; below zero was paid."""
    total: Decimal
    """Change of realized and open profit after fees and funding."""
    volume: Decimal
    drawdown: Decimal
    """The furthest that the total fell below its highest value of the day."""
    open: Decimal
    """Open profit at the end."""
    position: Decimal
    """Base coins at the end, signed."""
    mark: Decimal | None
    """Price at the end; None where nothing was recorded."""
    account_equity: Decimal | None
    paused_s: float | None
    """Seconds of a person's pause; None where it is not known any more."""
    halted_s: float | None
    alerts: int | None

    def text(self) -> str:
        """Return the lines for a message."""
        stood = (
            f"paused {duration(self.paused_s)}, halted {duration(self.halted_s or 0)}, alerts {self.alerts}"
            if self.paused_s is not None
            else "time paused and halted: not known"
        )
        return _text(
            self,
            f"drawdown {_money(self.drawdown)}, volume {_money(self.volume)}, fills {self.fills}",
            f"position {self.position.normalize():f} at {'-' if self.mark is None else f'{self.mark.normalize():f}'}",
            stood,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DayTotal:
    """What several symbols earned on one UTC day, in quote. The time that they stood still is each one's own."""

    day: date
    fills: int
    exits: int
    round_trips: Decimal
    realized: Decimal
    venue_made: Decimal
    by_hand: Decimal
    fees: Decimal
    funding: Decimal
    total: Decimal
    volume: Decimal
    open: Decimal
    account_equity: Decimal | None

    def text(self) -> str:
        """Return the lines for a message."""
        return _text(self, f"volume {_money(self.volume)}, fills {self.fills}")


def _text(earned: DaySummary | DayTotal, *more: str) -> str:
    """Return the lines of what was earned, with *more* before the account's equity."""
    lines = [
        f"total {_money(earned.total)}: round trips {_money(earned.round_trips)} ({earned.exits}),"
        f" fees {_money(-earned.fees)}, funding {_money(earned.funding)}"
    ]
    if earned.venue_made or earned.by_hand:
        lines.append(f"made by the venue {_money(earned.venue_made)}, by hand {_money(earned.by_hand)}")
    lines += [f"realized by average entry {_money(earned.realized)}, open {_money(earned.open)} at the end", *more]
    if earned.account_equity is not None:
        lines.append(f"equity of the account {_money(earned.account_equity)}")
    return "\n".join(lines)


def total_of(summaries: Sequence[DaySummary]) -> DayTotal:
    """Return the sum of several symbols' summaries of one day; there is at least one."""
    sums = {name: sum((getattr(one, name) for one in summaries), _ZERO) for name in (*_SUMS, "open")}
    return DayTotal(
        day=summaries[0].day,
        fills=sum(one.fills for one in summaries),
        exits=sum(one.exits for one in summaries),
        account_equity=next((one.account_equity for one in summaries if one.account_equity is not None), None),
        **sums,
    )


def summaries_text(summaries: Sequence[DaySummary]) -> str:
    """Return the lines for a message: of several symbols the sum, and then each."""
    if len(summaries) == 1:
        return summaries[0].text()
    parts = [("all", total_of(summaries).text()), *((one.symbol, one.text()) for one in summaries)]
    return "\n".join(f"{name}\n{text}" for name, text in parts)


def summarize(
    symbol: str,
    day: date,
    *,
    days: Sequence[ProfitDay],
    minutes: Iterable[ProfitSnapshot],
    fills: Iterable[GridFill],
    count: DayCount | None,
) -> DaySummary:
    """Return the summary of a day.

    Args:
        symbol: Canonical.
        day: UTC.
        days: Those up to and with this one, oldest first.
        minutes: Those of this day, oldest first.
        fills: Those of this day.
        count: How long it was paused and halted; None where that is not known.
    """
    listed = list(fills)
    end = next((one.end for one in reversed(days) if _date(one.end) == day), None)
    start = next((one.end for one in reversed(days) if _date(one.end) < day), None)
    sums = {name: _sum(end, name) - _sum(start, name) if end else _ZERO for name in _SUMS}
    return DaySummary(
        symbol=symbol,
        day=day,
        fills=len(listed),
        exits=len({counted.fill.client_order_id for counted in listed if counted.profit}),
        drawdown=drawdown(_sum(start, "total"), (minute.total for minute in minutes)),
        open=end.open if end else _ZERO,
        position=end.position if end else _ZERO,
        mark=end.mark if end else None,
        account_equity=end.account_equity if end else None,
        paused_s=count.paused_s if count else None,
        halted_s=count.halted_s if count else None,
        alerts=count.alerts if count else None,
        **sums,
    )


def drawdown(start: Decimal, totals: Iterable[Decimal]) -> Decimal:
    """Return the furthest fall below the highest value so far."""
    highest, deepest = start, _ZERO
    for total in totals:
        highest = max(highest, total)
        deepest = max(deepest, highest - total)
    return deepest


def _sum(snapshot: ProfitSnapshot | None, name: str) -> Decimal:
    value: Decimal = _ZERO if snapshot is None else getattr(snapshot, name)
    return value


def _date(snapshot: ProfitSnapshot) -> date:
    return date.fromordinal(date(1970, 1, 1).toordinal() + snapshot.time_ms // 86_400_000)


def _money(amount: Decimal) -> str:
    return f"{amount:,.4f}".rstrip("0").rstrip(".")
