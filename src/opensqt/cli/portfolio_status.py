"""Several symbols on one screen: a row for each, what they earned together, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from rich.text import Text

from opensqt.cli import screen

Status = Mapping[str, Any]

_COLUMNS = (("symbol", -12), ("price", 11), ("position", 11), ("orders", 6), ("realized", 10), ("open", 10), ("", -13))
"""Title and width of each column; a negative width is aligned to the left."""


def lines(status: Status, columns: int, rows: int, *, now: datetime) -> list[Text]:
    """Return the view: never more lines than *rows*, and none longer than *columns*."""
    grids: Mapping[str, Status] = status["grids"]
    trading = sum(grid.get("phase") == "RUNNING" for grid in grids.values())
    head = Text.assemble((f"{len(grids)} symbols", "bold"), f", {trading} running  {now:%H:%M:%S} UTC")
    found = [head, *screen.problems(status.get("problems", ()), columns)]
    totals = status.get("totals") or {}
    foot = [
        _row(["all", "", "", "", _short(totals.get("realized_pnl")), _short(totals.get("unrealized_pnl")), ""], "bold"),
        Text(
            f"fees {_short(totals.get('fees'))}  volume {_short(totals.get('volume'))}"
            f"  grid profit {_short(totals.get('grid_profit'))}  --symbol NAME shows one",
            style="dim",
        ),
    ]
    space = max(1, rows - len(found) - len(foot) - 2)
    shown = list(grids.items())[:space]
    if len(shown) < len(grids):
        shown = shown[: space - 1]
    found.append(_row([title for title, _ in _COLUMNS], "dim"))
    found += [_grid(symbol, grid) for symbol, grid in shown]
    if len(shown) < len(grids):
        found.append(Text(f"and {len(grids) - len(shown)} more", style="dim"))
    return [screen.fit(line, columns) for line in [*found, *foot][: rows - 1]]


def _grid(symbol: str, grid: Status) -> Text:
    orders = grid.get("open_orders")
    state, style = _state(grid)
    values = [
        symbol,
        _plain(grid.get("price")),
        _plain(grid.get("position")),
        "-" if orders is None else str(len(orders)),
        _short(grid.get("realized_pnl")),
        _short(grid.get("unrealized_pnl")),
    ]
    return _row([*values, state], "", state_style=style)


def _state(grid: Status) -> tuple[str, str]:
    paused = (grid.get("control") or {}).get("paused")
    if grid.get("phase") != "RUNNING":
        return str(grid.get("phase", "-")).lower(), "bold red"
    if paused:
        return "paused", "yellow"
    return ("see above", "bold red") if grid.get("problems") else ("healthy", "green")


def _row(values: list[str], style: str, *, state_style: str = "") -> Text:
    row = Text(style=style)
    for (_, width), value in zip(_COLUMNS, values, strict=True):
        part = Text(value, style=state_style if (_, width) == _COLUMNS[-1] else "")
        part.truncate(abs(width), overflow="ellipsis")
        part.align("left" if width < 0 else "right", abs(width))
        row.append_text(part)
        row.append(" ")
    return row


def _plain(value: Any) -> str:
    return "-" if value is None else str(value)


def _short(value: Any) -> str:
    try:
        return f"{Decimal(str(value)):,.2f}"
    except InvalidOperation:
        return "-"
