"""`opensqt status --watch`: connector and account on one screen of 80 columns and 24 rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from rich.console import Console
from rich.text import Text

from opensqt.cli import screen
from opensqt.cli.resume import describe
from opensqt.cli.status import Report, fetch, format_amount, format_decimal
from opensqt.model.errors import ExchangeError
from opensqt.model.exchange import Exchange
from opensqt.model.order import Order, Side

_RED_SHOWN = 4
_EACH_SHOWN = 3


async def watch(exchange: Exchange, symbol: str, console: Console) -> int:
    """Draw the state until cancelled."""

    async def draw(columns: int, rows: int) -> Sequence[Text]:
        try:
            return lines(await fetch(exchange, symbol), columns, rows, now=datetime.now(UTC))
        except ExchangeError as error:
            # It may be restarting, so the watch goes on.
            return [Text(f"{datetime.now(UTC):%H:%M:%S} UTC", style="dim"), Text(error.message, style="bold red")]

    await screen.watch(console, draw)
    return 0


def lines(report: Report, columns: int, rows: int, *, now: datetime) -> list[Text]:
    """Return the view: never more lines than *rows*, and none longer than *columns*."""
    found = [_head(report, now), *_red(report), _streams(report), *_budget(report), *_account(report)]
    found += _orders(report.orders, max(1, rows - 1 - len(found)))
    return [screen.fit(line, columns) for line in found[: rows - 1]]


def _head(report: Report, now: datetime) -> Text:
    status, info = report.status, report.info
    where = " (simulated)" if info.simulated else " (testnet)" if info.testnet else ""
    state = ("healthy", "green") if status.healthy else ("NOT healthy", "bold red")
    offset = "" if status.clock_offset_ms is None else f"  clock {status.clock_offset_ms:+d} ms"
    unresolved = f"  {status.unresolved_orders} unresolved" if status.unresolved_orders else ""
    return Text.assemble(
        (f"{info.name}{where} ", "bold"), state, f"{offset}", (unresolved, "bold red"), f"  {now:%H:%M:%S} UTC"
    )


def _red(report: Report) -> list[Text]:
    status = report.status
    texts = [f"TRADING IS HALTED: {describe(halt)}" for halt in status.halts[:_EACH_SHOWN]]
    red = [check for check in status.checks if not check.ok]
    texts += [f"{check.name}: {check.reason}" for check in red[:_RED_SHOWN]]
    if len(red) > _RED_SHOWN:
        texts.append(f"and {len(red) - _RED_SHOWN} checks more")
    texts += [f"{notice.kind.value}: {notice.text}" for notice in status.notices[:_EACH_SHOWN]]
    if report.account_error:
        texts.append(f"the account could not be read: {report.account_error}")
    return [Text(f"! {text}", style="bold red") for text in texts]


def _streams(report: Report) -> Text:
    away = [channel.name for channel in report.status.channels if not channel.connected]
    text = f"streams: {len(report.status.channels) - len(away)} connected"
    return Text(f"{text}, NOT connected: {', '.join(away)}", style="bold red") if away else Text(text, style="dim")


def _budget(report: Report) -> list[Text]:
    if report.budget.silent_s:
        return [Text(f"PAUSED for {report.budget.silent_s:.0f} s, as the exchange requires", style="bold red")]
    limits = [f"{one.name} {one.left} of {one.limit}" for one in report.budget.limits[:_EACH_SHOWN]]
    return [Text(f"rate limits left: {', '.join(limits)}", style="dim")] if limits else []


def _account(report: Report) -> list[Text]:
    if report.account is None:
        return [] if report.account_error else [Text("public-only: no key, so no account and no orders", style="dim")]
    one = report.account
    found = [
        Text(
            f"{one.asset}: wallet {format_amount(one.wallet_balance)},"
            f" available {format_amount(one.available_balance)}, open profit {format_amount(one.unrealized_pnl)}"
        )
    ]
    for position in report.positions[:_EACH_SHOWN]:
        liquidation = format_amount(position.liquidation_price)
        found.append(
            Text(
                f"{position.symbol} {format_decimal(position.quantity)} at {format_amount(position.entry_price)},"
                f" open {format_amount(position.unrealized_pnl)}, liquidation {liquidation}"
            )
        )
    if len(report.positions) > _EACH_SHOWN:
        found.append(Text(f"and {len(report.positions) - _EACH_SHOWN} positions more", style="dim"))
    return found


def _orders(orders: Sequence[Order], rows: int) -> list[Text]:
    if not orders:
        return [Text("no open order", style="dim")]
    ordered = sorted(orders, key=lambda order: (order.symbol, -(order.price or Decimal(0))))
    shown = ordered if len(ordered) < rows else ordered[: max(0, rows - 2)]
    found = [Text(f"open orders ({len(orders)})", style="bold")]
    found += [
        Text(
            f"{order.symbol:>12} {order.side.value:4} {format_decimal(order.quantity):>12}"
            f" at {format_decimal(order.price):>12} {order.client_order_id}",
            style="green" if order.side is Side.BUY else "red",
        )
        for order in shown
    ]
    if len(shown) < len(ordered):
        found.append(Text(f"and {len(ordered) - len(shown)} more", style="dim"))
    return found
