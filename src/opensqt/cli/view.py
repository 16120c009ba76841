"""How the demo looks in a terminal: one picture drawn whole, or one line now and then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from opensqt.cli.status import figure, plain
from opensqt.cli.watch import Health, Picture
from opensqt.model.order import Order, Side

_LEVELS_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What stands around the picture and does not change."""

    exchange: str
    symbol: str
    interval: Decimal
    page: str
    folder: str
    duration_s: float | None


def draw(frame: Frame, picture: Picture, elapsed_s: float) -> RenderableType:
    """Draw the whole view."""
    middle = Columns([_ladder(picture), Group(_money(picture), _fills(picture))], padding=(0, 3))
    return Group(_head(frame, picture, elapsed_s), middle, _parts(picture), _foot(frame))


def line(picture: Picture, elapsed_s: float) -> str:
    """Say the same in one line."""
    price = plain(picture.price.mid) if picture.price is not None else "-"
    sick = [health.name for health in picture.health if not health.ok]
    return (
        f"{elapsed_s:5.0f} s  price {price}  orders {len(picture.orders)}  fills {_count(picture, 'fills')}"
        f"  position {plain(picture.total('position'))}  realized {figure(picture.total('realized_pnl'))}"
        f"  fees {figure(picture.total('fees'))}  open {figure(picture.total('unrealized_pnl'))}"
        f"  {'not healthy: ' + ', '.join(sick) if sick else 'all healthy'}"
    )


def _head(frame: Frame, picture: Picture, elapsed_s: float) -> Panel:
    price = f"{picture.price.bid:,f} / {picture.price.ask:,f}" if picture.price is not None else "no price yet"
    clock = f"{elapsed_s:.0f} s" + (f" of {frame.duration_s:.0f}" if frame.duration_s else "")
    text = Text.assemble(
        ("OpenSQT ", "bold"),
        f"{frame.exchange} (simulated)   ",
        (f"{frame.symbol} ", "bold"),
        (price, "bold cyan"),
        f"   a level every {plain(frame.interval)}   {clock}",
    )
    return Panel(text)


def _ladder(picture: Picture) -> Table:
    """The resting orders around the price: sells above, buys below."""
    table = Table(title="grid", title_style="bold", min_width=34)
    for name in ("price", "quantity", ""):
        table.add_column(name, justify="right" if name else "left")
    orders = sorted(picture.orders.values(), key=lambda order: order.price or Decimal(0), reverse=True)
    sells = [order for order in orders if order.side is Side.SELL]
    buys = [order for order in orders if order.side is Side.BUY]
    for order in sells[-_LEVELS_SHOWN:]:
        table.add_row(*_rung(order, "red"))
    middle = f"{picture.price.mid:,f}" if picture.price is not None else "-"
    table.add_row(Text(middle, style="bold cyan"), "", Text("◄ price", style="bold cyan"))
    for order in buys[:_LEVELS_SHOWN]:
        table.add_row(*_rung(order, "green"))
    return table


def _rung(order: Order, colour: str) -> tuple[RenderableType, RenderableType, RenderableType]:
    word = "sell" if order.side is Side.SELL else "buy"
    return Text(plain(order.price), style=colour), plain(order.remaining_quantity), Text(word, style=colour)


def _money(picture: Picture) -> Table:
    table = Table(title="since the start", title_style="bold", show_header=False, min_width=40)
    table.add_column(justify="left")
    table.add_column(justify="right")
    for name, key in (("position", "position"), ("volume", "volume")):
        table.add_row(name, plain(picture.total(key)) if key == "position" else figure(picture.total(key)))
    table.add_row("fills", _count(picture, "fills"))
    for name, key in (("realized", "realized_pnl"), ("fees", "fees"), ("open profit", "unrealized_pnl")):
        amount = picture.total(key)
        table.add_row(name, Text(figure(amount), style="red" if (amount < 0) != (key == "fees") else "green"))
    return table


def _fills(picture: Picture) -> Table:
    table = Table(title="last fills", title_style="bold", min_width=40)
    for name in ("time", "side", "price", "quantity", "profit"):
        table.add_column(name, justify="left" if name in ("time", "side") else "right")
    for fill in picture.fills:
        colour = "green" if fill.side is Side.BUY else "red"
        at = datetime.fromtimestamp(fill.event_time_ms / 1000, UTC).strftime("%H:%M:%S")
        profit = f"{fill.realized_pnl:+.4f}" if fill.realized_pnl else ""
        table.add_row(at, Text(fill.side.value.lower(), style=colour), plain(fill.price), plain(fill.quantity), profit)
    return table


def _parts(picture: Picture) -> Text:
    return Text("   ").join(_part(health) for health in picture.health) if picture.health else Text("asking ...")


def _part(health: Health) -> Text:
    if health.ok:
        return Text.assemble(("● ", "green"), health.name)
    return Text.assemble(("● ", "bold red"), health.name, (f" ({health.detail[:120]})", "red"))


def _foot(frame: Frame) -> Text:
    return Text.assemble(
        "page ", (frame.page, "bold underline"), f"   logs {frame.folder}   ", ("Ctrl-C ends it", "dim")
    )


def _count(picture: Picture, name: str) -> str:
    value = picture.totals.get(name, 0)
    return str(len(value) if isinstance(value, list) else value)
