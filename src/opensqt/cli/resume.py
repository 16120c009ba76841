"""`opensqt resume`: lifts the halts of trading that do not expire."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Console

from opensqt.cli.as_json import print_json
from opensqt.client.exchange import RemoteExchange
from opensqt.model.venue import Halt


async def resume(exchange: RemoteExchange, symbol: str, console: Console, *, json: bool = False) -> int:
    """Lift the halts of a symbol, or all, and return 0 when new orders are accepted again, else 1.

    Args:
        exchange: Started.
        symbol: Canonical; empty lifts the halts of the account and of every symbol.
        console: Console of the report.
        json: Print the result as JSON instead.
    """
    lifted = await exchange.resume_trading(symbol=symbol)
    left = [halt for halt in (await exchange.get_status()).halts if not symbol or halt.applies_to(symbol)]
    if json:
        print_json({"resumed": lifted, "still_halted": left})
        return 1 if left else 0
    for halt in lifted:
        console.print(f"resumed: {describe(halt)}", highlight=False)
    for halt in left:
        console.print(f"[bold red]still halted:[/bold red] {describe(halt)}", highlight=False)
    if not lifted and not left:
        console.print("nothing was halted")
    return 1 if left else 0


def describe(halt: Halt) -> str:
    """Describe a halt: its symbol, its client, its start and its reason."""
    since = datetime.fromtimestamp(halt.since_ms / 1000, UTC)
    text = f"{halt.symbol or 'all trading'}, by {halt.client} since {since:%Y-%m-%d %H:%M:%S} UTC"
    if halt.reason:
        text += f" ({halt.reason})"
    return text if not halt.expires_ms else f"{text}; it ends by itself unless it is renewed"
