"""The safety check over the life of a grid: while one of its rules is broken there are exits and no entries."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from opensqt.market_maker.risk.ladder import AccountInputs, GridRequirements, account_inputs
from opensqt.market_maker.risk.safety import Rule, check
from opensqt.model.account import Account, Position
from opensqt.model.venue import SymbolRules
from opensqt.telemetry.logging import get_logger

_log = get_logger("market_maker.risk")


class EntryCheck:
    """Whether the safety check allows entries.

    The rules are those of a start: once they have held, a falling balance alone stops nothing. They are applied again
    when the venue reports another leverage, margin mode or symbol rule, and until they hold again.

    Args:
        requirements: The settings that the rules need.
        inputs: Account and market at the start.
        rules: The venue's steps and minimums at the start.
    """

    def __init__(self, requirements: GridRequirements, inputs: AccountInputs, rules: SymbolRules) -> None:
        self.requirements = requirements
        self.inputs = inputs
        self._fee_rate = inputs.fee_rate
        self._rules = rules
        self._due = False
        self._change = ""
        self.broken: list[Rule] = []
        """The rules that keep entries away."""
        self._apply(inputs, rules)

    @property
    def reason(self) -> str:
        """Why there are no entries; empty when they are allowed."""
        if self.broken:
            return "; ".join(f"{rule.name}: {rule.detail}" for rule in self.broken)
        return self._change

    def on_position(self, position: Position) -> bool:
        """Take in what the venue reports of the grid's position, and return whether the rules have to be applied again.

        Entries wait until then.
        """
        change = _change(self.inputs, position)
        if change and change != self._change:
            _log.warning("the venue reports another setting: entries wait for the safety check", change=change)
            self._change = change
            self._due = True
            return True
        return False

    def on_reconciled(
        self, account: Account, position: Position, price: Decimal, rules: SymbolRules, *, held_levels: int
    ) -> None:
        """Apply the rules again where that is due: to an account that was queried with the position just now."""
        before = bool(self.reason)
        self.on_position(position)
        if not (self.broken or self._due or rules != self._rules):
            return
        inputs = account_inputs(account, position, price, fee_rate=self._fee_rate, held_levels=held_levels)
        if inputs.leverage is None:
            # Some venues report none of a flat position: what is not reported has not changed.
            inputs = replace(inputs, leverage=self.inputs.leverage)
        self._apply(inputs, rules)
        if before and not self.reason:
            _log.warning("the safety check holds again: entries begin", leverage=str(inputs.leverage))
        elif self.reason and not before:
            _log.error("the safety check is broken: exits only", broken=self.reason)

    def _apply(self, inputs: AccountInputs, rules: SymbolRules) -> None:
        self.inputs, self._rules = inputs, rules
        self._due, self._change = False, ""
        self.broken = [rule for rule in check(inputs, self.requirements, rules) if not rule.passed]


def _change(inputs: AccountInputs, position: Position) -> str:
    """Return what the position says of leverage and margin mode that the last check did not know."""
    changes = []
    if position.leverage is not None and position.leverage != inputs.leverage:
        changes.append(f"leverage changed from {_text(inputs.leverage)} to {_text(position.leverage)}")
    if position.margin_mode is not inputs.margin_mode:
        changes.append(f"margin mode changed from {inputs.margin_mode.value} to {position.margin_mode.value}")
    return ", ".join(changes)


def _text(number: Decimal | None) -> str:
    return "unknown" if number is None else format(number.normalize(), "f")
