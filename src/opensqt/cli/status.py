"""`opensqt status`: what the connector says of itself and of the account, as tables."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar, cast

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from opensqt.model.account import Account, Position
from opensqt.model.errors import AccessError, ExchangeError
from opensqt.model.exchange import Exchange
from opensqt.model.order import Order, Side
from opensqt.model.venue import Channel, ExchangeInfo, ExchangeStatus, RateBudget

_A = TypeVar("_A")
_B = TypeVar("_B")
_C = TypeVar("_C")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that is shown."""

    info: ExchangeInfo
    status: ExchangeStatus
    account: Account | None
    """None in public-only mode, which has no account."""
    positions: Sequence[Position]
    orders: Sequence[Order]
    budget: RateBudget = field(default_factory=RateBudget)
    trouble: str = ""
    """Why the account could not be asked for; empty when it could."""


async def ask(exchange: Exchange, symbol: str) -> Report:
    """Ask for everything that `status` shows; what is sick shows its status without its account."""
    info, status, budget = await _together(
        exchange.get_exchange_info(), exchange.get_status(), exchange.get_rate_budget()
    )
    report = Report(info=info, status=status, account=None, positions=(), orders=(), budget=budget)
    if not info.capabilities.trading:
        return report
    try:
        account, positions, orders = await _together(
            exchange.get_account(), exchange.get_positions(symbol), exchange.get_open_orders(symbol)
        )
    except ExchangeError as error:
        if status.healthy:
            raise
        return replace(report, trouble=error.message)
    held = [position for position in positions if not position.is_flat]
    return replace(report, account=account, positions=held, orders=orders)


async def _together(first: Awaitable[_A], second: Awaitable[_B], third: Awaitable[_C]) -> tuple[_A, _B, _C]:
    """Return three answers; when several fail, which error is shown does not depend on which came first.

    Raises:
        AccessError: One was refused for who asks; whatever else failed, this is what has to be mended.
        ExchangeError: The first of the others, in the order of the questions.
    """
    answers = await asyncio.gather(first, second, third, return_exceptions=True)
    failures = [answer for answer in answers if isinstance(answer, BaseException)]
    if failures:
        raise min(failures, key=lambda failure: not isinstance(failure, AccessError))
    return cast("tuple[_A, _B, _C]", tuple(answers))


def render(report: Report) -> RenderableType:
    """Lay the report out."""
    parts: list[RenderableType] = [_health(report), _summary(report.status)]
    if report.status.channels:
        parts.append(_channels(report.status.channels))
    if report.budget.limits:
        parts.append(_budget(report.budget))
    if report.trouble:
        parts.append(Text(f"the account could not be asked for: {report.trouble}", style="bold red"))
    elif report.account is not None:
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
    alive = [check for check in report.status.checks if check.ok and check.name.startswith("task:")]
    for check in report.status.checks:
        if check in alive:
            continue
        word = Text("ok", style="green") if check.ok else Text("FAILED", style="bold red")
        table.add_row(check.name, word, moment(check.since_ms), check.reason)
    if alive:
        since_ms = max(check.since_ms for check in alive)
        table.add_row("tasks", Text("ok", style="green"), moment(since_ms), f"{len(alive)} running")
    return table


def _summary(status: ExchangeStatus) -> Text:
    parts = []
    if status.clock_offset_ms is not None:
        way = "ahead of" if status.clock_offset_ms >= 0 else "behind"
        parts.append(f"the exchange's clock is {abs(status.clock_offset_ms)} ms {way} ours")
    orders = "order" if status.unresolved_orders == 1 else "orders"
    parts.append(f"{status.unresolved_orders} {orders} with an outcome not proven yet")
    return Text("; ".join(parts), style="bold red" if status.unresolved_orders else "dim")


def _channels(channels: Sequence[Channel]) -> Table:
    table = _table("streams from the exchange", "channel", "state", ">last data")
    for channel in channels:
        word = Text("connected", style="green") if channel.connected else Text("NOT CONNECTED", style="bold red")
        table.add_row(channel.name, word, age(channel.data_age_ms))
    return table


def _budget(budget: RateBudget) -> Table:
    title = f"rate limits, as {budget.client} uses them" if budget.client else "rate limits"
    if budget.waiting:
        title += f"; {budget.waiting} of its requests wait"
    if budget.silent_s:
        title += f"; SILENT for {budget.silent_s:.0f} s, the exchange asked for it"
    table = _table(title, "limit", ">in", ">granted", ">used by it", ">used by others", ">left")
    for limit in budget.limits:
        others = limit.limit - limit.left - limit.used_by_client
        left = Text(f"{limit.left:,}", style="" if limit.left * 5 >= limit.limit else "bold red")
        figures = (f"{number:,}" for number in (limit.limit, limit.used_by_client, max(0, others)))
        table.add_row(limit.name, f"{limit.window_s:g} s", *figures, left)
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


def age(milliseconds: int | None) -> str:
    """How long ago something was, or `never`."""
    if milliseconds is None:
        return "never"
    if milliseconds < 120_000:
        return f"{milliseconds / 1000:.1f} s ago"
    return f"{milliseconds // 60_000} min ago"


def moment(epoch_ms: int) -> str:
    """A time of day, or nothing for none."""
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).strftime("%H:%M:%S") if epoch_ms else ""
