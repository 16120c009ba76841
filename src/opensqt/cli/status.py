"""`opensqt status`: the connector's report on itself and on the account, as tables."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar, cast

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from opensqt.cli.as_json import plain, print_json
from opensqt.cli.resume import describe
from opensqt.model.account import Account, AccountNotice, Position
from opensqt.model.countdown import DeadMachineStatus
from opensqt.model.errors import AccessError, ExchangeError
from opensqt.model.exchange import Exchange
from opensqt.model.order import Order, Side
from opensqt.model.venue import Channel, ExchangeInfo, ExchangeStatus, RateBudget, TradingClaim

_A = TypeVar("_A")
_B = TypeVar("_B")
_C = TypeVar("_C")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that is shown."""

    info: ExchangeInfo
    status: ExchangeStatus
    account: Account | None
    """None in public-only mode, which has no account."""
    positions: Sequence[Position]
    orders: Sequence[Order]
    budget: RateBudget = field(default_factory=RateBudget)
    account_error: str = ""
    """Why the account could not be read; empty when it could."""


async def fetch(exchange: Exchange, symbol: str) -> Report:
    """Read everything that `status` shows; an unhealthy exchange is shown even if its account can't be read."""
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
        return replace(report, account_error=error.message)
    held = [position for position in positions if not position.is_flat]
    return replace(report, account=account, positions=held, orders=orders)


async def _together(first: Awaitable[_A], second: Awaitable[_B], third: Awaitable[_C]) -> tuple[_A, _B, _C]:
    """Return three results; when several fail, the error that is raised does not depend on which came first.

    Raises:
        AccessError: A call was refused because of its client; whatever else failed, this must be fixed first.
        ExchangeError: The first of the other errors, in the order of the arguments.
    """
    results = await asyncio.gather(first, second, third, return_exceptions=True)
    failures = [result for result in results if isinstance(result, BaseException)]
    if failures:
        raise min(failures, key=lambda failure: not isinstance(failure, AccessError))
    return cast("tuple[_A, _B, _C]", tuple(results))


def render(report: Report) -> RenderableType:
    """Render the report as tables."""
    parts: list[RenderableType] = [_health(report), _summary(report.status)]
    parts += [Text(f"TRADING IS HALTED: {describe(halt)}", style="bold red") for halt in report.status.halts]
    parts += [Text(_notice(notice), style="bold red") for notice in report.status.notices]
    parts += [Text(_trader(claim)) for claim in report.status.claims]
    if report.status.dead_machine is not None and report.info.capabilities.trading:
        parts += _dead_machine(report.status.dead_machine)
    if report.status.channels:
        parts.append(_channels(report.status.channels))
    if report.budget.limits:
        parts.append(_budget(report.budget))
    if report.account_error:
        parts.append(Text(f"the account could not be read: {report.account_error}", style="bold red"))
    elif report.account is not None:
        parts += [_account(report.account), _positions(report.positions), _orders(report.orders)]
    else:
        parts.append(Text("public-only: no key, so no account and no orders", style="dim"))
    return Group(*parts)


def _trader(claim: TradingClaim) -> str:
    since = datetime.fromtimestamp(claim.since_ms / 1000, UTC)
    who = f"{claim.description or claim.client} (client {claim.client})"
    return f"{claim.symbol} is traded by {who}, strategy {claim.strategy}, since {since:%Y-%m-%d %H:%M:%S} UTC"


def _notice(notice: AccountNotice) -> str:
    where = f" of {notice.symbol}" if notice.symbol else ""
    at = datetime.fromtimestamp(notice.received_ns / 1e9, UTC)
    return f"{notice.kind}{where} at {at:%H:%M:%S} UTC: {notice.text}"


async def show(exchange: Exchange, symbol: str, console: Console, *, json: bool = False) -> int:
    """Print the report; return 0 when trading is possible and 1 when it is not."""
    report = await fetch(exchange, symbol)
    if json:
        print_json(as_json(report, symbol))
    else:
        console.print(render(report))
    halted = any(not symbol or halt.applies_to(symbol) for halt in report.status.halts)
    return 0 if report.status.healthy and not halted else 1


def as_json(report: Report, symbol: str) -> dict[str, Any]:
    """Return the report as JSON, the same facts as the tables."""
    halted = any(not symbol or halt.applies_to(symbol) for halt in report.status.halts)
    info = report.info
    return {
        "trading_possible": report.status.healthy and not halted,
        "exchange": info.name,
        "testnet": info.testnet,
        "simulated": info.simulated,
        "public_only": not info.capabilities.trading,
        "position_mode": info.position_mode,
        "healthy": report.status.healthy,
        **plain(report.status),
        "rate_budget": report.budget,
        "account": report.account,
        "account_error": report.account_error,
        "positions": report.positions,
        "open_orders": report.orders,
    }


def _health(report: Report) -> Table:
    where = " (simulated)" if report.info.simulated else " (testnet)" if report.info.testnet else ""
    state = "healthy" if report.status.healthy else "NOT healthy"
    table = _table(f"{report.info.name}{where}: {state}", "check", "state", "since (UTC)", "reason")
    alive = [check for check in report.status.checks if check.ok and check.name.startswith("task:")]
    for check in report.status.checks:
        if check in alive:
            continue
        label = Text("ok", style="green") if check.ok else Text("FAILED", style="bold red")
        table.add_row(check.name, label, format_time(check.since_ms), check.reason)
    if alive:
        since_ms = max(check.since_ms for check in alive)
        table.add_row("tasks", Text("ok", style="green"), format_time(since_ms), f"{len(alive)} running")
    return table


def _dead_machine(status: DeadMachineStatus) -> list[RenderableType]:
    if not status.timeout_s:
        return [Text("orders outlive this machine: server.dead_machine_s is 0", style="dim")]
    parts: list[RenderableType] = [
        Text(f"if the connector's machine dies, the exchange cancels after {status.timeout_s} s: {status.cancels}")
    ]
    if status.countdowns:
        table = _table("countdowns at the exchange", "symbol", "armed until (UTC)", "clients", "trouble")
        for one in status.countdowns:
            until = format_time(one.armed_until_ms) or Text("NOT ARMED", style="bold red")
            table.add_row(one.symbol or "all", until, ", ".join(one.clients), one.trouble)
        parts.append(table)
    parts += [
        Text(
            f"the countdown of {one.symbol or 'all symbols'} ran out at {format_time(one.ended_ms)} UTC;"
            f" orders that the exchange canceled: {one.canceled_orders}",
            style="bold red",
        )
        for one in status.elapsed
    ]
    return parts


def _summary(status: ExchangeStatus) -> Text:
    parts = [f"account mode: {status.account_mode}"] if status.account_mode else []
    if status.clock_offset_ms is not None:
        direction = "ahead of" if status.clock_offset_ms >= 0 else "behind"
        parts.append(f"the exchange's clock is {abs(status.clock_offset_ms)} ms {direction} ours")
    orders = "order" if status.unresolved_orders == 1 else "orders"
    parts.append(f"{status.unresolved_orders} {orders} with an outcome not proven yet")
    return Text("; ".join(parts), style="bold red" if status.unresolved_orders else "dim")


def _channels(channels: Sequence[Channel]) -> Table:
    table = _table("streams from the exchange", "channel", "state", ">last data")
    for channel in channels:
        label = Text("connected", style="green") if channel.connected else Text("NOT CONNECTED", style="bold red")
        table.add_row(channel.name, label, format_age(channel.data_age_ms))
    return table


def _budget(budget: RateBudget) -> Table:
    title = f"rate limits, as {budget.client} uses them" if budget.client else "rate limits"
    if budget.waiting:
        title += f"; {budget.waiting} of its requests wait"
    if budget.silent_s:
        title += f"; PAUSED for {budget.silent_s:.0f} s, as the exchange requires"
    table = _table(title, "limit", ">in", ">granted", ">used by it", ">used by others", ">left")
    for limit in budget.limits:
        others = limit.limit - limit.left - limit.used_by_client
        left = Text(f"{limit.left:,}", style="" if limit.left * 5 >= limit.limit else "bold red")
        numbers = (f"{number:,}" for number in (limit.limit, limit.used_by_client, max(0, others)))
        table.add_row(limit.name, f"{limit.window_s:g} s", *numbers, left)
    return table


def _account(account: Account) -> Table:
    table = _table("account", "asset", *(">wallet", ">equity", ">available", ">margin in use", ">open profit"))
    table.add_row(
        account.asset,
        *(
            format_amount(amount)
            for amount in (
                account.wallet_balance,
                account.margin_balance,
                account.available_balance,
                account.initial_margin,
                account.unrealized_pnl,
            )
        ),
    )
    if account.total_margin_balance is not None:
        table.caption = f"all assets that serve as margin: {format_amount(account.total_margin_balance)} USD"
    return table


def _positions(positions: Sequence[Position]) -> RenderableType:
    if not positions:
        return Text("no position", style="dim")
    table = _table("positions", "symbol", "side", ">quantity", ">entry", ">mark", ">open profit", ">liquidation")
    for position in positions:
        table.add_row(
            position.symbol,
            position.position_side.value,
            format_decimal(position.quantity),
            format_amount(position.entry_price),
            format_amount(position.mark_price),
            format_amount(position.unrealized_pnl),
            format_amount(position.liquidation_price),
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
            format_decimal(order.price),
            format_decimal(order.quantity),
            format_decimal(order.filled_quantity),
            order.status.value,
            order.client_order_id,
        )
    return table


def _table(title: str, *columns: str) -> Table:
    """Make a table; a column whose name starts with > is right-aligned."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left")
    return table


def format_amount(amount: Decimal | None) -> str:
    """Format an amount of money to the cent; a dash for None."""
    return "-" if amount is None else f"{amount:,.2f}"


def format_decimal(number: Decimal | None) -> str:
    """Format a number with all its digits and no trailing zeros; a dash for None."""
    return "-" if number is None else f"{number.normalize():f}"


def format_age(milliseconds: int | None) -> str:
    """Format how long ago something was; `never` for None."""
    if milliseconds is None:
        return "never"
    if milliseconds < 120_000:
        return f"{milliseconds / 1000:.1f} s ago"
    return f"{milliseconds // 60_000} min ago"


def format_time(epoch_ms: int) -> str:
    """Format a time of day in UTC; empty for 0."""
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).strftime("%H:%M:%S") if epoch_ms else ""
