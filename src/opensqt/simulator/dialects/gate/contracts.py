"""Gate's names of the contracts that trade here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from opensqt.simulator.dialects.gate import errors, formats, parameters
from opensqt.simulator.dialects.gate.parameters import Fields
from opensqt.simulator.engine.order import RefusalReason
from opensqt.simulator.settings import SymbolSettings


class Contracts:
    """Finds contracts by name, and knows how a client wants its sizes."""

    def __init__(self, symbols: Iterable[SymbolSettings]) -> None:
        self.by_name = {formats.contract(rules): rules for rules in symbols}

    def requested(self, fields: Fields) -> SymbolSettings:
        """Answer the contract that a request names.

        Raises:
            ErrorReply: It names none, or one that is unknown.
        """
        found = self.by_name.get(parameters.text(fields, "contract"))
        if found is None:
            raise errors.of_reason(RefusalReason.UNKNOWN_SYMBOL)
        return found

    def requested_or_all(self, fields: Fields) -> str | None:
        """Answer the symbol of the contract that a request names, or None when it names none."""
        return self.requested(fields).symbol if fields.get("contract") else None

    def sizes(self, headers: Mapping[str, str]) -> formats.Sizes:
        """Answer how sizes are to be written for a client that sent these headers."""
        return formats.Sizes(as_text=headers.get("X-Gate-Size-Decimal") == "1")
