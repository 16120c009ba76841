"""The safety check on the terminal: every rule with its numbers, and the whole ladder."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from opensqt.market_maker.risk.ladder import MAINTENANCE_RATE, AccountInputs, GridRequirements, LadderLevel
from opensqt.market_maker.risk.safety import Guard, Rule, round_trip
from opensqt.market_maker.strategy.grid.settings import GridMode
from opensqt.model.venue import SymbolRules


def show(
    console: Console,
    inputs: AccountInputs,
    requirements: GridRequirements,
    symbol: SymbolRules,
    rules: Sequence[Rule],
    levels: Sequence[LadderLevel],
) -> None:
    """Print the rules and the ladder."""
    console.print(_ladder(inputs, requirements, symbol, levels))
    console.print(_rules(rules))


def _rules(rules: Sequence[Rule]) -> Table:
    table = Table(title="Safety check", title_justify="left", show_lines=False)
    table.add_column("rule")
    table.add_column("")
    table.add_column("numbers")
    for rule in rules:
        table.add_row(rule.name, _result(rule), rule.detail)
    return table


def _equity(inputs: AccountInputs) -> Decimal:
    return inputs.available if inputs.equity is None else inputs.equity


def _result(rule: Rule) -> Text:
    if rule.passed:
        return Text("holds", "green")
    return Text("BROKEN" if rule.guards is Guard.ORDERS else "BROKEN: no entries", "bold red")


def _ladder(
    inputs: AccountInputs, requirements: GridRequirements, symbol: SymbolRules, levels: Sequence[LadderLevel]
) -> Group:
    table = Table(
        title=f"{symbol.symbol} from {inputs.price:f} {'up' if requirements.mode is GridMode.SHORT else 'down'}",
        title_justify="left",
    )
    for heading in ("level", "price", "buys", "position", "average", "margin", "open loss", "liquidation", "distance"):
        table.add_column(heading, justify="right")
    for row in levels:
        table.add_row(
            str(row.level) if row.level else "held",
            f"{row.price:f}",
            f"{row.quantity:f}",
            f"{row.position:f}",
            f"{row.average_price:.2f}",
            f"{row.margin:.2f}",
            f"{row.loss:.2f}",
            "none" if row.liquidation_price is None else f"{row.liquidation_price:.2f}",
            "-" if row.distance is None else f"{row.distance:.1%}",
        )
    lines = [table]
    earned = round_trip(inputs.price, requirements.captured_at(inputs.price), inputs.fee_rate)
    quantity = next((row.quantity for row in levels if row.level), Decimal(0))
    text = f"A round trip of one level leaves {earned * quantity:.4f} {symbol.quote_asset} after fees."
    if levels:
        text += f" At the lowest level the position needs {levels[-1].margin:.2f} {symbol.quote_asset} of margin"
        text += f" and has lost {-levels[-1].loss:.2f} of the {_equity(inputs):.2f} there."
    mode = inputs.margin_mode.value.lower()
    text += f" Liquidation is that of {mode} margin and assumes a maintenance margin of {MAINTENANCE_RATE:.1%}."
    return Group(*lines, Text(text))
