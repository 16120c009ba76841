"""Gate's names of the contracts that trade here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from opensqt.simulator.dialects.gate import errors, formats, parameters
from opensqt.simulator.dialects.gate.parameters import Fields
from opensqt.simulator.engine.order import RefusalReason
from opensqt.simulator.settings import SymbolSettings


class Contracts:
    """Finds contracts by name, and reads the format in which a client wants its sizes."""

    def __init__(self, symbols: Iterable[SymbolSettings]) -> None:
        self.by_name = {formats.contract(rules): rules for rules in symbols}

    def requested(self, fields: Fields) -> SymbolSettings:
        """Return the contract that a request names.

        Raises:
            ErrorReply: It names no contract, or an unknown one.
        """
        found = self.by_name.get(parameters.text(fields, "contract"))
        if found is None:
            raise errors.of_reason(RefusalReason.UNKNOWN_SYMBOL)
        return found

    def requested_or_all(self, fields: Fields) -> str | None:
        """Return the symbol of the contract that a request names, or None when it names none."""
        return self.requested(fields).symbol if fields.get("contract") else None

    def sizes(self, headers: Mapping[str, str]) -> formats.Sizes:
        """Return the format of sizes for a client that sent these headers."""
        return formats.Sizes(as_text=headers.get("X-Gate-Size-Decimal") == "1")
