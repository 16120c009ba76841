"""`opensqt status --config FILE`: the running market maker on one screen of 80 columns and 24 rows."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from rich.console import Console
from rich.text import Text

from opensqt.cli import options as shared
from opensqt.cli import portfolio_status, screen
from opensqt.cli.as_json import print_json
from opensqt.cli.control import ControlClient
from opensqt.config.market_maker import load_settings
from opensqt.model.errors import ConfigError, Unreachable

_LEFT = 38

Status = Mapping[str, Any]


async def run(options: argparse.Namespace, console: Console) -> int:
    """Run the command and return the exit code."""
    settings = load_settings(options.config, environ=os.environ)
    if options.symbol:
        shared.chosen_symbols(settings.symbols, options.symbol)
    client = ControlClient(settings, options.socket)
    return await show(client, console, symbol=options.symbol, json=options.json, watch=options.watch)


async def show(client: ControlClient, console: Console, *, symbol: str = "", json: bool, watch: bool) -> int:
    """Print the market maker's status; return 0 when it is healthy and 1 when it is not.

    Args:
        client: Of its control socket.
        console: Of the command.
        symbol: Show this one of several; empty shows all.
        json: Print /status as it is.
        watch: Draw it every second until cancelled.

    Raises:
        Unreachable: None runs there.
    """
    if watch:
        await screen.watch(console, lambda columns, rows: _frame(client, symbol, columns, rows))
    status = _of(await client.status(), symbol)
    if json:
        print_json(status)
    else:
        for line in lines(status, *screen.size(), now=_now()):
            console.print(line, soft_wrap=True)
    return 1 if status["problems"] else 0


def _of(status: Status, symbol: str) -> Status:
    """Return the status of one symbol, or the whole where none is chosen or only one is traded."""
    found: Status = status.get("grids", {}).get(symbol, status)
    return found


async def _frame(client: ControlClient, symbol: str, columns: int, rows: int) -> Sequence[Text]:
    try:
        return lines(_of(await client.status(), symbol), columns, rows, now=_now())
    except (Unreachable, ConfigError) as error:
        # It may be restarting, so the watch goes on.
        await asyncio.sleep(0)
        return [Text(f"{_now():%H:%M:%S} UTC", style="dim"), Text(str(error), style="bold red")]


def lines(status: Status, columns: int, rows: int, *, now: datetime) -> list[Text]:
    """Return the view: never more lines than *rows*, and none longer than *columns*."""
    if "grids" in status:
        return portfolio_status.lines(status, columns, rows, now=now)
    found = [_head(status, now), *screen.problems(status.get("problems", ()), columns)]
    if status.get("standby"):
        found += [Text(line, style="yellow") for line in screen.wrapped(status["standby"], columns, 3)]
        return [screen.fit(line, columns) for line in found[: rows - 1]]
    space = max(3, rows - len(found) - 1)
    ladder = _ladder(status, space - 1)
    money = _money(status)
    found += screen.beside(ladder, money[:space], min(_LEFT, columns // 2), columns)
    return [screen.fit(line, columns) for line in found[: rows - 1]]


def _head(status: Status, now: datetime) -> Text:
    bid, ask = status.get("bid"), status.get("ask")
    age = status.get("price_age_s")
    return Text.assemble(
        (f"{status.get('symbol', '')} ", "bold"),
        f"{status.get('exchange', '')} {status.get('mode', '')} {status.get('phase', '')}  ",
        (f"{bid} / {ask}" if bid else "no price yet", "bold cyan"),
        f"  {age:.1f} s old" if isinstance(age, int | float) else "",
        f"  {now:%H:%M:%S} UTC",
    )


def _ladder(status: Status, rows: int) -> list[Text]:
    """Return the resting orders nearest to the price: sells above, buys below."""
    orders = status.get("open_orders", ())
    sells = [order for order in orders if order["side"] == "SELL"]
    buys = [order for order in orders if order["side"] == "BUY"]
    each = max(1, (rows - 3) // 2)
    shown = [Text(f"{'price':>14} {'quantity':>12}", style="dim")]
    shown += [_order(order, "red") for order in sells[-each:]]
    shown.append(Text(f"{status.get('price') or '-':>14} {'':>12} price", style="bold cyan"))
    shown += [_order(order, "green") for order in buys[:each]]
    left = len(sells) + len(buys) - min(each, len(sells)) - min(each, len(buys))
    if left:
        shown.append(Text(f"{'':>14} {left:>12} more", style="dim"))
    return shown


def _order(order: Status, colour: str) -> Text:
    return Text.assemble(
        (f"{order['price']:>14}", colour), f" {order['quantity']:>12} ", (order["side"].lower(), colour)
    )


def _money(status: Status) -> list[Text]:
    control, holder = status.get("control") or {}, status.get("holder") or {}
    rows: list[tuple[str, Any]] = [
        ("position", status.get("position")),
        ("average price", _short(status.get("average_price"))),
        ("open orders", len(status.get("open_orders", ()))),
        ("levels held", sum(1 for slot in status.get("slots", ()) if slot["position"] == "FILLED")),
        ("fills", status.get("fills")),
        ("volume", _short(status.get("volume"))),
        ("realized", _short(status.get("realized_pnl"))),
        ("open profit", _short(status.get("unrealized_pnl"))),
        ("fees", _short(status.get("fees"))),
        ("grid profit", _short(status.get("grid_profit"))),
        ("anchor", status.get("anchor")),
        ("interval", status.get("interval")),
        ("compared", _age(status.get("last_reconcile_ms"))),
        ("role", f"{holder.get('role', '-')}, number {holder.get('number', '-')}"),
        ("paused", {"entries": "exits only", "all": "no orders"}.get(control.get("paused", ""), "no")),
        ("changed keys", ", ".join(control.get("overrides", ())) or "none"),
        ("needs a restart", ", ".join(control.get("needs_restart", ())) or "none"),
    ]
    return [Text.assemble((f"{name:<16}", "dim"), str("-" if value is None else value)) for name, value in rows]


def _short(value: Any) -> str:
    try:
        return f"{Decimal(str(value)):,.4f}"
    except InvalidOperation:
        return "-"


def _age(epoch_ms: int | None) -> str:
    return "never" if epoch_ms is None else f"{max(0.0, _now().timestamp() - epoch_ms / 1000):.0f} s ago"


def _now() -> datetime:
    return datetime.now(UTC)
