"""Results of backtests, as a table and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from rich.table import Table

from opensqt.backtest.run import Result

_CENT = Decimal("0.01")
_COLUMNS = (
    "mode",
    "risk control",
    "round trips",
    "realized",
    "unrealized",
    "fees",
    "funding",
    "profit",
    "drawdown",
    "halted",
)


def table(results: Sequence[Result]) -> Table:
    """Return a table with a row for each result; money in quote, to the cent."""
    first = results[0]
    made = Table(
        title=f"{first.symbol}, {_time(first.start_ms)} to {_time(first.end_ms)} UTC,"
        f" {first.start_price:f} to {first.end_price:f}",
        title_justify="left",
    )
    for column in _COLUMNS:
        made.add_column(column, justify="left" if column in _COLUMNS[:2] else "right")
    for result in results:
        money = (result.realized, result.unrealized, -result.fees, result.funding, result.profit, result.drawdown)
        made.add_row(
            result.mode,
            _switch(result),
            str(result.round_trips),
            *(f"{amount.quantize(_CENT):f}" for amount in money),
            _duration(result.halted_s),
        )
    return made


def stops(results: Sequence[Result]) -> list[str]:
    """Return a line for each result whose entries were stopped by a rule, or whose price was not trusted: how often."""
    lines = []
    for result in results:
        counts = {rule.replace("_", " "): count for rule, count in result.stops.items()}
        if result.price_holds:
            counts["price held"] = result.price_holds
        if counts:
            found = ", ".join(f"{rule} {count}" for rule, count in counts.items())
            lines.append(f"{result.mode}, risk control {_switch(result)}: entries stopped by {found}")
    return lines


def _switch(result: Result) -> str:
    return "on" if result.risk_control else "off"


def as_json(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return the results as JSON values: money and coins as strings, times in UTC epoch milliseconds."""
    return [
        {**{name: _plain(value) for name, value in dataclasses.asdict(result).items()}, "profit": _plain(result.profit)}
        for result in results
    ]


def _plain(value: Any) -> Any:
    return format(value, "f") if isinstance(value, Decimal) else value


def _time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def _duration(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600}:{whole % 3600 // 60:02}:{whole % 60:02}"
