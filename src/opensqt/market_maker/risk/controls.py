"""The risk controls of one grid: every limit, what they allow together, and what they report."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from opensqt.market_maker.risk.entry_check import EntryCheck
from opensqt.market_maker.risk.gate import EntryLimits
from opensqt.model.account import Account, Position
from opensqt.model.venue import SymbolRules


class RiskControls:
    """Takes the events that concern risk, and limits the entries of its grid.

    Args:
        entry_check: The safety check; None checks nothing.
    """

    def __init__(self, entry_check: EntryCheck | None = None) -> None:
        self.entry_check = entry_check
        self.changed = False
        """Whether anything happened that could change the limits; reset by the owner."""

    def on_position(self, position: Position) -> bool:
        """Take in the grid's position from the stream, and return whether the venue has to be queried."""
        due = self.entry_check is not None and self.entry_check.on_position(position)
        self.changed = self.changed or due
        return due

    def on_reconciled(
        self,
        account: Account | None,
        position: Position,
        price: Decimal | None,
        rules: SymbolRules,
        *,
        held_levels: int,
    ) -> None:
        """Take in a comparison with the venue; None is what could not be queried."""
        if self.entry_check is None:
            return
        if account is None or price is None:
            self.on_position(position)
            return
        self.entry_check.on_reconciled(account, position, price, rules, held_levels=held_levels)

    def limits(self) -> EntryLimits:
        """Return what is allowed of entries now."""
        return EntryLimits(reasons=tuple(self.triggered().values()))

    def triggered(self) -> dict[str, str]:
        """Return the reason by rule of each limit that keeps all entries away."""
        found = {"safety_check": self.entry_check.reason if self.entry_check else ""}
        return {rule: reason for rule, reason in found.items() if reason}

    def problems(self) -> list[str]:
        """Return the reasons why there are no entries, for a person to act on; empty when there are."""
        return [f"exits only: {reason}" for reason in self.triggered().values()]

    def status(self) -> dict[str, Any]:
        """Return the controls as JSON."""
        check = self.entry_check
        return {
            "entries": "STOPPED" if self.limits().stopped else "ALLOWED",
            "reasons": list(self.triggered().values()),
            "leverage": None if check is None or check.inputs.leverage is None else f"{check.inputs.leverage:f}",
            "margin_mode": None if check is None else check.inputs.margin_mode.value,
        }
