"""The safety check as a person reads it: every rule with its figures, and the whole ladder."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from opensqt.market_maker.risk.safety import MAINTENANCE_RATE, Demands, Facts, Rule, Rung, round_trip
from opensqt.model.venue import SymbolRules


def show(
    console: Console, facts: Facts, demands: Demands, symbol: SymbolRules, rules: Sequence[Rule], rungs: Sequence[Rung]
) -> None:
    """Print the rules and the ladder."""
    console.print(_ladder(facts, demands, symbol, rungs))
    console.print(_rules(rules))


def _rules(rules: Sequence[Rule]) -> Table:
    table = Table(title="Safety check", title_justify="left", show_lines=False)
    table.add_column("rule")
    table.add_column("")
    table.add_column("figures")
    for rule in rules:
        table.add_row(rule.name, Text("holds", "green") if rule.holds else Text("BROKEN", "bold red"), rule.told)
    return table


def _ladder(facts: Facts, demands: Demands, symbol: SymbolRules, rungs: Sequence[Rung]) -> Group:
    table = Table(title=f"{symbol.symbol} from {facts.price:f} down", title_justify="left")
    for heading in ("level", "price", "buys", "position", "average", "margin", "open loss", "liquidation", "distance"):
        table.add_column(heading, justify="right")
    for rung in rungs:
        table.add_row(
            str(rung.level),
            f"{rung.price:f}",
            f"{rung.quantity:f}",
            f"{rung.position:f}",
            f"{rung.average_price:.2f}",
            f"{rung.margin:.2f}",
            f"{rung.loss:.2f}",
            "none" if rung.liquidation_price is None else f"{rung.liquidation_price:.2f}",
            "-" if rung.distance is None else f"{rung.distance:.1%}",
        )
    lines = [table]
    earned = round_trip(facts.price, demands.interval, facts.fee_rate)
    quantity = rungs[0].quantity if rungs else Decimal(0)
    text = f"A round trip of one level leaves {earned * quantity:.4f} {symbol.quote_asset} after fees."
    if rungs:
        text += f" At the lowest level the position needs {rungs[-1].margin:.2f} {symbol.quote_asset} of margin"
        text += f" and has lost {-rungs[-1].loss:.2f} of the {facts.available:.2f} available."
    text += f" Liquidation assumes a maintenance margin of {MAINTENANCE_RATE:.1%}."
    return Group(*lines, Text(text))
