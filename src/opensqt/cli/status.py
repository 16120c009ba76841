"""`opensqt status`: what the connector says of itself and of the account, as tables."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from opensqt.exchange.protocol import Exchange
from opensqt.model.account import Account, Position
from opensqt.model.order import Order, Side
from opensqt.model.venue import ExchangeInfo, ExchangeStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that is shown."""

    info: ExchangeInfo
    status: ExchangeStatus
    account: Account | None
    """None in public-only mode, which has no account."""
    positions: Sequence[Position]
    orders: Sequence[Order]


async def ask(exchange: Exchange, symbol: str) -> Report:
    """Ask for everything that `status` shows."""
    info, status = await asyncio.gather(exchange.get_exchange_info(), exchange.get_status())
    if not info.capabilities.trading:
        return Report(info=info, status=status, account=None, positions=(), orders=())
    account, positions, orders = await asyncio.gather(
        exchange.get_account(), exchange.get_positions(symbol), exchange.get_open_orders(symbol)
    )
    held = [position for position in positions if not position.is_flat]
    return Report(info=info, status=status, account=account, positions=held, orders=orders)


def render(report: Report) -> RenderableType:
    """Lay the report out."""
    parts: list[RenderableType] = [_health(report)]
    if report.account is not None:
        parts += [_account(report.account), _positions(report.positions), _orders(report.orders)]
    else:
        parts.append(Text("public-only: no key, so no account and no orders", style="dim"))
    return Group(*parts)


async def show(exchange: Exchange, symbol: str, console: Console) -> int:
    """Print the report; answer 0 when trading is possible and 1 when it is not."""
    report = await ask(exchange, symbol)
    console.print(render(report))
    return 0 if report.status.healthy else 1


def _health(report: Report) -> Table:
    where = " (simulated)" if report.info.simulated else " (testnet)" if report.info.testnet else ""
    state = "healthy" if report.status.healthy else "NOT healthy"
    table = _table(f"{report.info.name}{where}: {state}", "check", "state", "since (UTC)", "reason")
    for check in report.status.checks:
        word = Text("ok", style="green") if check.ok else Text("FAILED", style="bold red")
        table.add_row(check.name, word, moment(check.since_ms), check.reason)
    return table


def _account(account: Account) -> Table:
    table = _table("account", "asset", *(">wallet", ">equity", ">available", ">margin in use", ">open profit"))
    table.add_row(
        account.asset,
        *(
            figure(amount)
            for amount in (
                account.wallet_balance,
                account.margin_balance,
                account.available_balance,
                account.initial_margin,
                account.unrealized_pnl,
            )
        ),
    )
    return table


def _positions(positions: Sequence[Position]) -> RenderableType:
    if not positions:
        return Text("no position", style="dim")
    table = _table("positions", "symbol", "side", ">quantity", ">entry", ">mark", ">open profit", ">liquidation")
    for position in positions:
        table.add_row(
            position.symbol,
            position.position_side.value,
            plain(position.quantity),
            figure(position.entry_price),
            figure(position.mark_price),
            figure(position.unrealized_pnl),
            figure(position.liquidation_price),
        )
    return table


def _orders(orders: Sequence[Order]) -> RenderableType:
    if not orders:
        return Text("no open order", style="dim")
    table = _table(
        f"open orders ({len(orders)})", "symbol", "side", ">price", ">quantity", ">filled", "status", "client_order_id"
    )
    for order in sorted(orders, key=lambda order: (order.symbol, -(order.price or Decimal(0)))):
        table.add_row(
            order.symbol,
            Text(order.side.value, style="green" if order.side is Side.BUY else "red"),
            plain(order.price),
            plain(order.quantity),
            plain(order.filled_quantity),
            order.status.value,
            order.client_order_id,
        )
    return table


def _table(title: str, *columns: str) -> Table:
    """A table whose columns that start with > are figures."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left")
    return table


def figure(amount: Decimal | None) -> str:
    """An amount of money to the cent, or a dash."""
    return "-" if amount is None else f"{amount:,.2f}"


def plain(number: Decimal | None) -> str:
    """All digits of a number and no more, or a dash."""
    return "-" if number is None else f"{number.normalize():f}"


def moment(epoch_ms: int) -> str:
    """A time of day, or nothing for none."""
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).strftime("%H:%M:%S") if epoch_ms else ""
