"""`opensqt token`: create, list and revoke the tokens that clients present to the connector."""

from __future__ import annotations

import argparse
import os
import re
import secrets
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path

from rich.console import Console
from rich.table import Table

from opensqt.cli import options as shared
from opensqt.cli.as_json import print_json
from opensqt.connector.auth import clients_file
from opensqt.connector.auth.clients import NAME, ClientEntry, Role, digest, read_entries
from opensqt.model.errors import ConfigError

PREFIX = "sqt_"
"""Prefix of every token, so that a log filter or a scanner of public code recognizes one."""

_LIMITS = ("symbols", "max_order_notional", "max_open_orders", "max_orders_per_second", "cancel_others")
_DEFAULT = "configs/clients.yaml"
_EXAMPLES = """examples:
  opensqt token new --name page --role read              prints the token once; the file holds only its hash
  opensqt token new --name maker --role trade --symbols BTCUSDT,ETHUSDT \\
      --max-order-notional 5000 --max-open-orders 50 --max-orders-per-second 10 --days 90
  (umask 077; opensqt token new --name notebook --role read > token.txt)
  opensqt token list
  opensqt token revoke page                              its streams end within two seconds

A connector that was started with the same --clients FILE applies each change without a restart.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.epilog = _EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    new = actions.add_parser(
        "new", help="create a token", epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    new.add_argument("--name", required=True, type=_name, help="name of the client in logs and metrics")
    new.add_argument(
        "--role", required=True, choices=[*Role], help="read: no orders; trade: also place and cancel orders"
    )
    new.add_argument("--certificate", metavar="NAME", help="subject common name of a client certificate")
    new.add_argument(
        "--symbols", metavar="LIST", type=_symbols, help="the only symbols that it may trade, e.g. BTCUSDT,ETHUSDT"
    )
    new.add_argument("--max-order-notional", metavar="USDT", type=_amount, help="maximum notional of one order")
    new.add_argument("--max-open-orders", metavar="N", type=int, help="maximum number of orders open or in flight")
    new.add_argument("--max-orders-per-second", metavar="N", type=_amount, help="maximum rate of new orders")
    new.add_argument("--own-orders-only", action="store_true", help="it may cancel only orders that it placed itself")
    new.add_argument("--days", metavar="N", type=_days, help="days until the token expires (default: never)")
    revoke = actions.add_parser("revoke", help="revoke a token")
    revoke.add_argument("name", metavar="NAME", help="name of the client")
    listing = actions.add_parser("list", help="show the clients that may connect")
    for action in (new, revoke, listing):
        shared.add_json(action)
        action.add_argument(
            "--clients",
            type=Path,
            metavar="FILE",
            default=Path(os.environ.get("OPENSQT__SERVER__CLIENTS_FILE") or _DEFAULT),
            help="the connector's clients file (default: %(default)s)",
        )


def run(options: argparse.Namespace) -> int:
    """Run the action and return the exit code.

    Raises:
        ConfigError: The file or an argument is not valid.
    """
    match options.action:
        case "new":
            token = _new(options)
            if options.json:
                print_json({"client": options.name, "token": token, "clients_file": str(options.clients)})
            else:
                print(token)
            print(
                f"client {options.name} was added to {options.clients}; the token is not shown again", file=sys.stderr
            )
        case "revoke":
            clients_file.remove(options.clients, options.name)
            if options.json:
                print_json({"revoked": options.name, "clients_file": str(options.clients)})
            print(f"client {options.name} removed from {options.clients}", file=sys.stderr)
        case _:
            entries = read_entries(options.clients)
            if options.json:
                print_json({"clients": [_facts(entry) for entry in entries]})
            else:
                Console().print(_table(entries))
    return 0


def _new(options: argparse.Namespace) -> str:
    token = PREFIX + secrets.token_urlsafe(32)
    fields: dict[str, object] = {
        "name": options.name,
        "role": options.role,
        "token_sha256": digest(token).hex(),
        "certificate": options.certificate,
        "symbols": options.symbols,
        "max_order_notional": options.max_order_notional,
        "max_open_orders": options.max_open_orders,
        "max_orders_per_second": options.max_orders_per_second,
        "cancel_others": False if options.own_orders_only else None,
        "expires": options.days,
    }
    if options.role == Role.READ and any(fields[name] is not None for name in fields if name in _LIMITS):
        raise ConfigError("--role read: takes no limits, because it places no orders and sees all symbols")
    clients_file.add(options.clients, {name: value for name, value in fields.items() if value is not None})
    return token


def _facts(entry: ClientEntry) -> dict[str, object]:
    """Return what the table shows of a client; its hash is left out."""
    return {
        "client": entry.name,
        "role": entry.role,
        "token": bool(entry.token_sha256),
        "certificate": entry.certificate or None,
        "symbols": entry.symbols,
        "max_order_notional": entry.max_order_notional,
        "max_open_orders": entry.max_open_orders,
        "max_orders_per_second": entry.max_orders_per_second,
        "cancel_others": entry.cancel_others,
        "expires": entry.expires,
    }


def _table(entries: tuple[ClientEntry, ...]) -> Table:
    table = Table("client", "role", "shows", "symbols", "worth", "open", "per s", "cancels", "expires", box=None)
    for column in table.columns:
        column.overflow = "fold"
    for entry in entries:
        shows = [label for label, given in (("token", entry.token_sha256), ("certificate", entry.certificate)) if given]
        table.add_row(
            entry.name,
            entry.role,
            " and ".join(shows),
            *(_limits(entry) if entry.role is Role.TRADE else "-----"),
            _expiry(entry.expires),
        )
    return table


def _limits(entry: ClientEntry) -> Iterator[str]:
    yield ", ".join(entry.symbols) or "all"
    for most in (entry.max_order_notional, entry.max_open_orders, entry.max_orders_per_second):
        yield "any" if most is None else f"{most:f}" if isinstance(most, Decimal) else f"{most:g}"
    yield "all" if entry.cancel_others else "its own"


def _expiry(expires: datetime | None) -> str:
    if expires is None:
        return "never"
    text = f"{expires.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"{text} (expired)" if expires <= datetime.now(UTC) else text


def _name(text: str) -> str:
    if not re.fullmatch(NAME, text):
        raise argparse.ArgumentTypeError(f"{text!r}: expected 1 to 64 letters, digits and _ . : -")
    return text


def _symbols(text: str) -> list[str]:
    symbols = [symbol.strip() for symbol in text.split(",")]
    wrong = next((symbol for symbol in symbols if not re.fullmatch(r"[A-Z0-9]{2,40}", symbol)), None)
    if wrong is not None:
        raise argparse.ArgumentTypeError(f"{wrong!r}: expected symbols such as BTCUSDT, with commas between them")
    return symbols


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(0)
    if not (amount.is_finite() and amount > 0):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number above zero")
    return amount


def _days(text: str) -> str:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 3650):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number of days, 1 to 3650")
    return (datetime.now(UTC) + timedelta(days=int(text))).isoformat(timespec="seconds")
