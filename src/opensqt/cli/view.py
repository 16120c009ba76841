"""The demo in a terminal: a full view, or one line from time to time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from opensqt.cli.status import format_amount, format_decimal
from opensqt.cli.watch import DemoState, ProcessHealth
from opensqt.model.order import Order, Side

_LEVELS_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The constant parts of the view."""

    exchange: str
    symbol: str
    interval: Decimal
    page: str
    folder: str
    duration_s: float | None


def draw(frame: Frame, state: DemoState, elapsed_s: float) -> RenderableType:
    """Draw the whole view."""
    middle = Columns([_ladder(state), Group(_money(state), _fills(state))], padding=(0, 3))
    return Group(_head(frame, state, elapsed_s), middle, _parts(state), _foot(frame))


def line(state: DemoState, elapsed_s: float) -> str:
    """Return the same data in one line."""
    price = format_decimal(state.price.mid) if state.price is not None else "-"
    unhealthy = [health.name for health in state.health if not health.ok]
    return (
        f"{elapsed_s:5.0f} s  price {price}  orders {len(state.orders)}  fills {_count(state, 'fills')}"
        f"  position {format_decimal(state.total('position'))}"
        f"  realized {format_amount(state.total('realized_pnl'))}"
        f"  fees {format_amount(state.total('fees'))}  open {format_amount(state.total('unrealized_pnl'))}"
        f"  {'not healthy: ' + ', '.join(unhealthy) if unhealthy else 'all healthy'}"
    )


def _head(frame: Frame, state: DemoState, elapsed_s: float) -> Panel:
    price = f"{state.price.bid:,f} / {state.price.ask:,f}" if state.price is not None else "no price yet"
    clock = f"{elapsed_s:.0f} s" + (f" of {frame.duration_s:.0f}" if frame.duration_s else "")
    text = Text.assemble(
        ("OpenSQT ", "bold"),
        f"{frame.exchange} (simulated)   ",
        (f"{frame.symbol} ", "bold"),
        (price, "bold cyan"),
        f"   a level every {format_decimal(frame.interval)}   {clock}",
    )
    return Panel(text)


def _ladder(state: DemoState) -> Table:
    """The resting orders around the price: sells above, buys below."""
    table = Table(title="grid", title_style="bold", min_width=34)
    for name in ("price", "quantity", ""):
        table.add_column(name, justify="right" if name else "left")
    orders = sorted(state.orders.values(), key=lambda order: order.price or Decimal(0), reverse=True)
    sells = [order for order in orders if order.side is Side.SELL]
    buys = [order for order in orders if order.side is Side.BUY]
    for order in sells[-_LEVELS_SHOWN:]:
        table.add_row(*_row(order, "red"))
    middle = f"{state.price.mid:,f}" if state.price is not None else "-"
    table.add_row(Text(middle, style="bold cyan"), "", Text("◄ price", style="bold cyan"))
    for order in buys[:_LEVELS_SHOWN]:
        table.add_row(*_row(order, "green"))
    return table


def _row(order: Order, colour: str) -> tuple[RenderableType, RenderableType, RenderableType]:
    label = "sell" if order.side is Side.SELL else "buy"
    return (
        Text(format_decimal(order.price), style=colour),
        format_decimal(order.remaining_quantity),
        Text(label, style=colour),
    )


def _money(state: DemoState) -> Table:
    table = Table(title="since the start", title_style="bold", show_header=False, min_width=40)
    table.add_column(justify="left")
    table.add_column(justify="right")
    for name, key in (("position", "position"), ("volume", "volume")):
        table.add_row(name, format_decimal(state.total(key)) if key == "position" else format_amount(state.total(key)))
    table.add_row("fills", _count(state, "fills"))
    for name, key in (("realized", "realized_pnl"), ("fees", "fees"), ("open profit", "unrealized_pnl")):
        amount = state.total(key)
        table.add_row(name, Text(format_amount(amount), style="red" if (amount < 0) != (key == "fees") else "green"))
    return table


def _fills(state: DemoState) -> Table:
    table = Table(title="last fills", title_style="bold", min_width=40)
    for name in ("time", "side", "price", "quantity", "profit"):
        table.add_column(name, justify="left" if name in ("time", "side") else "right")
    for fill in state.fills:
        colour = "green" if fill.side is Side.BUY else "red"
        at = datetime.fromtimestamp(fill.event_time_ms / 1000, UTC).strftime("%H:%M:%S")
        profit = f"{fill.realized_pnl:+.4f}" if fill.realized_pnl else ""
        table.add_row(
            at,
            Text(fill.side.value.lower(), style=colour),
            format_decimal(fill.price),
            format_decimal(fill.quantity),
            profit,
        )
    return table


def _parts(state: DemoState) -> Text:
    if not state.health:
        return Text("waiting for the processes ...")
    return Text("   ").join(_part(health) for health in state.health)


def _part(health: ProcessHealth) -> Text:
    if health.ok:
        return Text.assemble(("● ", "green"), health.name)
    return Text.assemble(("● ", "bold red"), health.name, (f" ({health.detail[:120]})", "red"))


def _foot(frame: Frame) -> Text:
    return Text.assemble(
        "page ", (frame.page, "bold underline"), f"   logs {frame.folder}   ", ("Ctrl-C ends it", "dim")
    )


def _count(state: DemoState, name: str) -> str:
    value = state.totals.get(name, 0)
    return str(len(value) if isinstance(value, list) else value)
